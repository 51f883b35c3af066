// The page of a machine's screen: draws the state that the machine's own client tells, and nothing else.
// Every text goes through textContent, so that no name is ever read as markup. Waits are measured by
// performance.now(), which no step of the clock moves. The page never navigates.

const TEXTS = {
  choose: ["請選擇商品", "请选择商品", "Choose a product"],
  scanTopUp: ["掃碼付款後選擇商品", "扫码付款后选择商品", "Scan to pay, then choose"],
  topUpMore: ["餘額不足？掃碼再付", "余额不足？扫码再付", "Need more? Scan again"],
  pay: ["請用支付寶掃碼付款", "请用支付宝扫码付款", "Scan with Alipay to pay"],
  funds: ["可用金額", "可用金额", "You can spend"],
  waiting: ["請稍候", "请稍候", "One moment"],
  late: ["付款時間已過", "付款时间已过", "The time to pay is over"],
  vending: ["正在出貨", "正在出货", "Your product is coming"],
  thanks: ["謝謝惠顧，請取走商品", "谢谢惠顾，请取走商品", "Thank you. Please take your product"],
  failed: ["未能出貨，不會收費", "未能出货，不会收费", "It did not come. You are not charged"],
  refunding: ["正在退款", "正在退款", "Going back to you"],
  refundWhen: ["退回您的支付寶，通常數分鐘內，最遲數天", "退回您的支付宝，通常数分钟内，最迟数天",
    "To your Alipay: mostly within minutes, at latest in some days"],
  out: ["暫停服務", "暂停服务", "Out of service"],
  offline: ["暫不能以手機付款", "暂不能以手机付款", "No payment by phone just now"],
  cancel: ["取消", "取消", "Cancel"],
  back: ["完成並退款", "完成并退款", "Finish and refund"],
  seconds: ["秒", "秒", "s"],
  soldOut: ["售罄", "售罄", "Sold out"],
  PAYMENT_TIMEOUT: ["未及時付款，已取消", "未及时付款，已取消", "Not paid in time"],
  FUNDS: ["金額不足", "金额不足", "The money does not reach"],
  SOLD_OUT: ["已售罄", "已售罄", "Sold out"],
  CANCELLED: ["已取消", "已取消", "Cancelled"],
  PRICE_STALE: ["價格已變，請再選一次", "价格已变，请再选一次", "The price has changed. Choose again"],
  OUT_OF_SERVICE: ["暫停服務", "暂停服务", "Out of service"],
  denied: ["現在不能購買，沒有收費", "现在不能购买，没有收费", "Not possible just now. Nothing was charged"],
};
const LANGUAGES = ["zh-Hant", "zh-Hans", "en"];
const CHOOSING_MS = 20_000; // Who touches the screen and then does nothing has gone.
const ALTERNATE_MS = 6_000;
const SILENT_MS = 15_000; // The client beats every five seconds.
const LOST_MS = 60_000; // Who stood there when the client went has gone.
const PENDING_MAX = 256;
const FINGER_MS = 1_000; // Who leaves a finger on the screen for longer presses nothing.
const CLICK_MS = 100; // From the finger's going to the browser's word that something was pressed.
const PAGE = [...crypto.getRandomValues(new Uint32Array(3))].map((one) => one.toString(36)).join("");

let state = null;
let endsAt = Infinity; // By performance.now().
let heardAt = performance.now();
let lastHeardAt = heardAt; // Whether a stream was opened anew since, or not.
let source = null;
let connected = false;
let choosingUntil = 0;
let pressedAt = null;
let turn = 0; // Which language stands first while nobody is there.

const body = document.body;
const stage = document.getElementById("stage");

// --- drawing ---

function element(tag, attributes = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  for (const one of inside) made.append(one);
  return made;
}

function languages() {
  const known = (state?.languages ?? LANGUAGES).filter((one) => LANGUAGES.includes(one));
  return known.length ? known : LANGUAGES;
}

function inLanguage(key, language) {
  return (TEXTS[key] ?? TEXTS.denied)[LANGUAGES.indexOf(language)];
}

// A text in all languages of the machine, the first one large; each only once.
function heading(key) {
  const order = languages();
  const seen = new Set();
  const lines = [];
  for (let n = 0; n < order.length; n += 1) {
    const language = order[(n + (body.dataset.view === "IDLE" ? turn : 0)) % order.length];
    const text = inLanguage(key, language);
    if (seen.has(text)) continue;
    seen.add(text);
    lines.push(element("h1", { lang: language, class: lines.length ? "second" : null }, text));
  }
  return lines;
}

function words(key) {
  return [...new Set(languages().map((language) => inLanguage(key, language)))].join(" · ");
}

// An amount of minor units, exactly, with the currency's own decimals.
function amount(minor) {
  const { decimals, currency } = state;
  const digits = String(Math.abs(minor)).padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals);
  const text = decimals ? `${whole}.${digits.slice(-decimals)}` : whole;
  return `${currency} ${minor < 0 ? "-" : ""}${text}`;
}

function code(of) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${of.size} ${of.size}`);
  svg.setAttribute("class", "code");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", words("pay"));
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", of.path);
  svg.append(path);
  return svg;
}

function countdown() {
  const left = element("p", { class: "left", id: "left", role: "timer" });
  const bar = element("div", { class: "bar", "aria-hidden": "true" }, element("div", { id: "bar" }));
  return [left, bar];
}

function button(text, says, attributes = {}) {
  const made = element("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", () => press(says));
  return made;
}

function columns() {
  const grid = element("div", { class: "columns", role: "group" });
  for (const one of state.columns) {
    const price = element("span", { class: "price" }, one.sold_out ? words("soldOut") : amount(one.price_minor));
    const name = element("span", { class: "name", dir: "auto" }, one.product);
    const made = element("button", { type: "button", "data-column": one.column,
      disabled: one.sold_out ? "" : null }, `${one.column} `, name, price);
    made.addEventListener("click", () => press({ column: one.column }));
    grid.append(made);
  }
  return grid;
}

const part = (name, ...inside) => element("div", { class: name }, ...inside);
const product = () => (state.product ? [element("p", { class: "product", dir: "auto" }, state.product)] : []);
const mark = (sign) => element("p", { class: "mark", "aria-hidden": "true" }, sign);
const funds = () => [element("p", { class: "small" }, words("funds")), element("p", { class: "amount" }, amount(state.funds_minor))];

const VIEWS = {
  START: () => [...heading("waiting")],
  DARK: () => [],
  WAITING: () => [element("div", { class: "pulse" }, mark("…")), ...heading("waiting"), ...product()],
  PAY: () => [part("say", ...heading("pay"), ...product(), element("p", { class: "amount", id: "amount" }, amount(state.amount_minor))),
    code(state.code), part("act", ...countdown(), button(words("cancel"), { button: "cancel" }))],
  LATE: () => [...heading("late")],
  VENDING: () => [element("div", { class: "pulse" }, mark("▼")), ...heading("vending"), ...product()],
  THANKS: () => [mark("✓"), ...heading("thanks")],
  FAILED: () => [mark("✗"), ...heading("failed")],
  REFUNDING: () => [...(state.delivered ? heading("thanks") : []), mark("↩"), ...heading("refunding"),
    element("p", { class: "amount", id: "amount" }, amount(state.refund_minor)), element("p", { class: "small" }, words("refundWhen"))],
  DENIED: () => [mark("!"), ...heading(state.reason)],
  OUT_OF_SERVICE: () => [mark("✗"), ...heading("out")],
  OFFLINE: () => [...heading("offline")],
  CHOOSE: () => state.funds_minor === null ? [part("say", ...heading("choose")), columns()]
    : [part("say", ...heading("choose"), ...funds(), ...countdown(), button(words("back"), { button: "complete" })), columns(),
      ...(state.code ? [part("act", element("p", { class: "small" }, words("topUpMore")), code(state.code))] : [])],
  IDLE: () => [...(state.code && !state.chooses ? [element("div", {}, ...heading("scanTopUp")), code(state.code)]
    : [element("div", {}, ...heading("choose"))])],
};

// What is really shown: without the client nothing that it said can be honoured.
function view() {
  if (!state) return "START";
  const rests = ["DARK", "OUT_OF_SERVICE"].includes(state.view);
  if (!connected && !rests && performance.now() - lastHeardAt > LOST_MS) return "OFFLINE";
  if (!connected) return ["PAY", "CHOOSE", "WAITING"].includes(state.view) ? "WAITING" : state.view === "IDLE" ? "OFFLINE" : state.view;
  if (state.view === "PAY") return state.code && performance.now() < endsAt ? "PAY" : "LATE";
  if (state.view === "IDLE" && !state.online) return "OFFLINE";
  if (state.view === "IDLE" && state.chooses && performance.now() < choosingUntil) return "CHOOSE";
  return state.view;
}

// A press is of what was there when the finger came down: a browser forgets it if that goes before the finger does.
// So nothing is drawn meanwhile, but a code that cannot be honoured any more goes at once.
function waitsForFinger(now) {
  const code = ["PAY", "CHOOSE", "IDLE"].includes(now) ? state.code?.path : undefined;
  return performance.now() < fingerUntil && (codeDrawn === undefined || codeDrawn === code);
}

let drawn = "";
let codeDrawn;
let fingerUntil = 0;
function draw() {
  const now = view();
  if (waitsForFinger(now)) return;
  const idle = now === "IDLE" || now === "OFFLINE";
  body.dataset.view = now;
  const shows = idle && playing();
  body.classList.toggle("showing", shows);
  const key = JSON.stringify([now, shows, idle ? turn : 0, state && { ...state, left_ms: 0, playlist: 0 }]);
  if (key !== drawn) {
    drawn = key;
    stage.replaceChildren(...VIEWS[now]());
    codeDrawn = stage.querySelector(".code path")?.getAttribute("d");
    const identity = document.getElementById("identity");
    identity.textContent = state?.machine ?? "";
    identity.hidden = !identity.textContent;
    if (now === "PAY" && pressedAt !== null) {
      const began = pressedAt;
      pressedAt = null;
      requestAnimationFrame(() => performance.measure("selection-to-code", { start: began, end: performance.now() }));
    }
  }
  tick();
}

function tick() {
  const left = document.getElementById("left");
  if (!left) return;
  const ms = Math.max(0, endsAt - performance.now());
  const text = Number.isFinite(ms) ? `${Math.ceil(ms / 1000)} ${inLanguage("seconds", languages()[0])}` : "";
  if (left.textContent !== text) left.textContent = text;
  const bar = document.getElementById("bar");
  if (bar) bar.style.transform = `scaleX(${Number.isFinite(ms) && longest ? Math.min(1, ms / longest) : 0})`;
}

// --- what is shown between customers ---

let playlist = null; // As it is told: {manifest, items: [{item, sha256, duration_ms, left_ms}]}.
let told = "";
let gone = new Map(); // When each item ends, by performance.now().
let at = -1;
let upSince = 0;
let pending = new Map(); // Plays that were not told yet.
let telling = null; // What was told and not taken yet.
let number = 0; // Of what was told last.

const pictures = document.getElementById("show");

function takePlaylist(next) {
  const key = JSON.stringify(next && [next.manifest, next.items.map((one) => one.item)]);
  gone = new Map((next?.items ?? []).filter((one) => one.left_ms !== null)
    .map((one) => [one.item, performance.now() + one.left_ms]));
  if (key === told) return; // The same as before begins nowhere anew.
  stopPlaying();
  told = key;
  playlist = next;
  at = -1;
  pictures.replaceChildren();
  for (const one of next?.items ?? []) {
    const picture = element("img", { alt: "" });
    picture.dataset.item = one.item;
    picture.src = `/shown/${one.sha256}`;
    pictures.append(picture);
  }
}

const alive = (one) => performance.now() < (gone.get(one.item) ?? Infinity);
const playing = () => Boolean(playlist?.items.some(alive));

function stopPlaying() {
  if (at < 0 || !upSince || !playlist) return;
  const one = playlist.items[at];
  count(playlist.manifest, one.item, Math.round(performance.now() - upSince));
  upSince = 0;
}

function play() {
  if (!body.classList.contains("showing")) {
    stopPlaying();
    return;
  }
  const items = playlist.items;
  const up = at >= 0 && upSince ? items[at] : null;
  if (up && alive(up) && performance.now() < upSince + up.duration_ms) return;
  stopPlaying();
  for (let n = 1; n <= items.length; n += 1) {
    const next = (Math.max(at, -1) + n) % items.length;
    const picture = pictures.children[next];
    if (!alive(items[next]) || (picture.complete && !picture.naturalWidth)) continue;
    at = next;
    upSince = performance.now();
    for (const one of pictures.children) one.classList.toggle("up", one === picture);
    return;
  }
}

function count(manifest, item, ms) {
  const key = `${manifest} ${item}`;
  const known = pending.get(key) ?? { manifest, item, times: 0, shown_ms: 0 };
  if (!pending.has(key) && pending.size >= PENDING_MAX) return;
  pending.set(key, { ...known, times: known.times + 1, shown_ms: known.shown_ms + ms });
}

// What is told is told again, the same under the same number, until it was taken: whoever took it and died before
// the answer knows it then.
async function tellPlays() {
  if (!connected || !(telling || pending.size)) return;
  if (!telling) {
    number += 1;
    telling = { page: PAGE, number, plays: [...pending.values()] };
    pending = new Map();
  }
  const now = telling;
  const taken = await post("/plays", now);
  if (taken !== null && taken < 500 && telling === now) telling = null;
}

// --- the client ---

async function post(path, said) {
  try {
    const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(said) });
    return answer.status;
  } catch {
    return null;
  }
}

function press(says) {
  if (says.column) pressedAt = performance.now();
  choosingUntil = 0;
  post("/press", says);
}

let longest = 0;
function take(next) {
  const offer = JSON.stringify([next.view, next.amount_minor, next.product]);
  const before = state && JSON.stringify([state.view, state.amount_minor, state.product]);
  endsAt = next.left_ms === null ? Infinity : performance.now() + next.left_ms;
  if (offer !== before || (next.left_ms ?? 0) > longest) longest = next.left_ms ?? 0;
  state = next;
  takePlaylist(next.playlist);
  draw();
}

function heard() {
  heardAt = lastHeardAt = performance.now();
  connected = true;
}

function listen() {
  source?.close();
  heardAt = performance.now();
  source = new EventSource("/events");
  source.onmessage = (event) => {
    heard();
    try {
      take(JSON.parse(event.data));
    } catch { // Who says what nobody can read can honour nothing.
      state = null;
      draw();
    }
  };
  source.addEventListener("beat", heard);
  source.onerror = () => { connected = false; draw(); };
}

body.addEventListener("pointerdown", () => { fingerUntil = performance.now() + FINGER_MS; }, true);
for (const gone of ["pointerup", "pointercancel"]) {
  body.addEventListener(gone, () => { fingerUntil = Math.min(fingerUntil, performance.now() + CLICK_MS); }, true);
}
body.addEventListener("click", () => { fingerUntil = 0; }, true);
body.addEventListener("click", (event) => {
  if (event.target.closest("button")) return;
  choosingUntil = performance.now() + CHOOSING_MS;
  draw();
});

setInterval(() => {
  const silent = performance.now() - heardAt > SILENT_MS;
  if (silent) connected = false;
  // A stream that the browser gave up, or that is only silent, is opened again; the page stays.
  if (silent || source?.readyState === EventSource.CLOSED) listen();
  draw();
  play();
}, 200);
setInterval(() => { turn += 1; }, ALTERNATE_MS);
setInterval(tellPlays, 5_000);
listen();
draw();
