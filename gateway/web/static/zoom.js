// Draws the days of a figure once more, so that somebody can look closer: by dragging over them, or
// with the buttons. Without this script the picture beneath says the same. Nothing is asked for: the
// numbers stand in the page.
"use strict";

const DAY_S = 86_400;
const SPANS = [["4 weeks", 28], ["13 weeks", 91], ["All", 0]];

// An amount of minor units, exactly, in groups of three.
function amount(minor, decimals) {
  const digits = String(Math.abs(minor)).padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals).replace(/\B(?=(\d{3})+$)/g, ",");
  return (minor < 0 ? "-" : "") + whole + (decimals ? `.${digits.slice(-decimals)}` : "");
}

function draw(figure) {
  const { first, minors, decimals } = figure.dataset;
  const sold = minors.split(",").map((one) => (one === "" ? null : Number(one)));
  const begins = Date.parse(`${first}T00:00:00Z`) / 1000;
  const days = sold.map((_, n) => begins + n * DAY_S);
  const picture = figure.querySelector(".scroll");
  const said = (minor) => (minor === null ? "nothing known" : amount(minor, Number(decimals)));
  const box = document.createElement("div");
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", picture.querySelector("svg").getAttribute("aria-label"));
  picture.before(box);
  const wide = () => Math.max(240, box.clientWidth);
  const chart = new uPlot({
    width: wide(),
    height: 220,
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
    cursor: { drag: { x: true, y: false } },
    scales: { x: { time: true }, y: { range: (_, low, high) => [Math.min(0, low ?? 0), Math.max(0, high ?? 0) || (low < 0 ? 0 : 1)] } },
    axes: [{}, { size: 90, values: (_, at) => at.map((one) => said(Math.round(one))) }],
    series: [
      { label: "Day", value: (_, at) => (at ? new Date(at * 1000).toISOString().slice(0, 10) : "–") },
      { label: "Sold", stroke: "#3c7f96", fill: "#3c7f96", points: { show: false }, value: (_, minor, __, at) => (at === null || at === undefined ? "–" : said(minor ?? null)),
        paths: uPlot.paths.bars({ size: [0.7, 40, 1] }) },
    ],
  }, [days, sold], box);
  const show = (span) => {
    const last = days.at(-1) + DAY_S / 2;
    chart.setScale("x", { min: span ? last - span * DAY_S : days[0] - DAY_S / 2, max: last });
  };
  const buttons = document.createElement("div");
  buttons.className = "zoom";
  for (const [name, span] of SPANS.filter(([, span]) => span < days.length)) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", () => show(span));
    buttons.append(button);
  }
  buttons.append("Drag over some days to look closer.");
  box.before(buttons);
  picture.hidden = true;
  show(0);
  addEventListener("resize", () => chart.setSize({ width: wide(), height: 220 }));
}

document.querySelectorAll("figure.series").forEach(draw);
