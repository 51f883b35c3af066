// Reads what changes once a second, but not while somebody types into it.
const live = document.getElementById("live");
if (live) setInterval(async () => {
  if (document.hidden || live.contains(document.activeElement)) return;
  try {
    const answer = await fetch(live.dataset.from);
    const text = answer.ok ? await answer.text() : live.innerHTML;
    if (text !== live.shown && !live.contains(document.activeElement)) live.innerHTML = text;
    live.shown = text;
  } catch { /* it was ended; the page stays as it is */ }
}, 1000);
