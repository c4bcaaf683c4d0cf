"use strict";

// What all parts of the page share. Texts of the report come from SQL and from users: they go into the document as text nodes and
// attributes only, never as HTML.

const report = JSON.parse(document.getElementById("report").textContent);

// ---- Elements

function set(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
}

function fill(node, children) {
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  set(node, attributes);
  return fill(node, children);
}

function svg(name, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  set(node, attributes);
  return fill(node, children);
}

/** A section with a heading, and what stands below it in small print. */
function section(id, title, lead, ...children) {
  return el("section", { id, "aria-labelledby": `${id}-title` },
    el("h2", { id: `${id}-title` }, title), lead && el("p", { class: "lead" }, lead), ...children);
}

// ---- Numbers, each with its unit

const THIN = "\u202f";
const DASH = "–";

const count = (number) => number.toLocaleString("en-US");
const decimals = (number, digits) => number.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const some = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

/** A duration in milliseconds with three digits that count: its number and its unit. */
function parts(milliseconds) {
  if (milliseconds >= 99_950) return [decimals(milliseconds / 1e3, 0), "s"];
  if (milliseconds >= 9_995) return [decimals(milliseconds / 1e3, 1), "s"];
  if (milliseconds >= 999.5) return [decimals(milliseconds / 1e3, 2), "s"];
  if (milliseconds >= 99.95) return [decimals(milliseconds, 0), "ms"];
  if (milliseconds >= 9.995) return [decimals(milliseconds, 1), "ms"];
  return [decimals(milliseconds, 2), "ms"];
}

const duration = (milliseconds) => parts(milliseconds).join(THIN);

/** Something's number with its unit in small letters, for columns of them. */
function quantity(number, unit) {
  return [number, el("span", { class: "unit" }, THIN, unit)];
}

const durationOf = (milliseconds) => quantity(...parts(milliseconds));

/** A moment since the beginning. */
function moment(milliseconds, digits = 2) {
  const seconds = milliseconds / 1e3;
  if (seconds < 120) return `${decimals(seconds, digits)}${THIN}s`;
  const minutes = Math.floor(seconds / 60);
  const rest = seconds - minutes * 60;
  const whole = digits === 0 && Math.round(rest) === 0;
  return `${count(minutes)}${THIN}min${whole ? "" : ` ${decimals(rest, Math.min(digits, 1))}${THIN}s`}`;
}

const perSecond = (number) => `${decimals(number, number < 9.95 ? 1 : 0)}${THIN}/s`;

/** A probability. */
function probability(p) {
  if (p >= 0.9995) return "1";
  if (p >= 0.000_95) return decimals(p, p >= 0.0995 ? 2 : p >= 0.00995 ? 3 : 4);
  if (p <= 0) return "0";
  const [mantissa, exponent] = p.toExponential(1).split("e");
  const raised = [...exponent].map((digit) => (digit === "-" ? "⁻" : digit === "+" ? "" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)])).join("");
  return `${mantissa} × 10${raised}`;
}

/** What was found, with its probabilities as people write them. */
const found = (words) => words.replace(/p = (\d\.\d+e-?\d+)/g, (_, p) => `p = ${probability(Number(p))}`);

// ---- The words of the document

const STAGES = {
  quiet: "the old nodes alone, before anything begins",
  expand: "the old nodes, while expand runs and after it",
  migrate: "the old nodes, while migrate runs and after it",
  mixed: "nodes of both releases",
  contract: "the new nodes alone, while contract runs",
  after: "the new nodes alone, when all is done",
};

const VERDICTS = ["failed", "upgrade", "rolling", "zero-downtime", "zero-impact"];

const KINDS = {
  kill: "kill −9",
  restart: "restart",
  rollback: "rollback",
  "second-runner": "second runner",
  "early-contract": "early contract",
  "old-node-check": "check for an old node",
};

/** The stages with their ends, and those of each hop together. */
const stages = report.stages.map((stage, number) => {
  // One that was broken off ended when the rehearsal did.
  const next = report.stages[number + 1];
  const end = stage.ended_ms > stage.began_ms ? stage.ended_ms : next ? next.began_ms : report.duration_ms;
  return { ...stage, number, end: Math.max(end, stage.began_ms) };
});

const hops = [];
for (const stage of stages) {
  const last = hops[hops.length - 1];
  if (last && last.name === stage.hop) last.stages.push(stage);
  else hops.push({ name: stage.hop, stages: [stage] });
}
for (const hop of hops) hop.quiet = hop.stages.find((stage) => stage.stage === "quiet");

const severalHops = hops.length > 1;
const quietOf = (stage) => hops.find((hop) => hop.stages.includes(stage)).quiet;
const stageAt = (milliseconds) => stages.find((stage) => milliseconds >= stage.began_ms && milliseconds < stage.end);

/** What an operation that took long waited for. */
function waitedFor(stall) {
  if (stall.held_by) return `held by ${stall.held_by}`;
  if (stall.during.length) return `during ${stall.during[stall.during.length - 1]}`;
  return "";
}

// ---- Marks: a shape and a word, so that no colour is needed

const PATHS = {
  yes: "M3 8.5l3.2 3.2L13 5",
  no: "M4 4l8 8M12 4l-8 8",
  open: "M4 8h8",
};
const WORDS = { yes: "as it must be", no: "not as it must be", open: "tells nothing" };

const stateOf = (holds) => (holds === true ? "yes" : holds === false ? "no" : "open");

function mark(holds, word = WORDS[stateOf(holds)]) {
  const state = stateOf(holds);
  return svg("svg", { class: `mark ${state}`, viewBox: "0 0 16 16", role: "img", "aria-label": word },
    svg("path", { d: PATHS[state] }));
}

/** The signs of what was done to the upgrade, each in a field of 16 by 16 around its middle. */
const SIGNS = {
  kill: "M1.5-5.5L-3.5 1H0L-1.5 5.5L3.5-1H0Z",
  restart: "M4-1.5A4.2 4.2 0 1 0 4.2 1M4.4-5V-1.4H.8",
  rollback: "M-4.5-1.5H1.5A3 3 0 0 1 1.5 4.5H-1.5M-2-4.2L-4.7-1.5L-2 1.2",
  "second-runner": "M-2.7-2.3A2.7 2.7 0 1 1 2 .4L-2.9 4.6H3",
  "early-contract": "M0-5A5 5 0 1 0 .01-5M0-2.5V.3L2 1.8",
  "old-node-check": "M-1-4.5A3.5 3.5 0 1 0-.99-4.5M1.5 1.5L4.5 4.5",
};

function sign(kind) {
  return svg("path", { class: `sign ${kind === "kill" ? "solid" : ""}`, d: SIGNS[kind] ?? "M0-4.5L4.5 0L0 4.5L-4.5 0Z" });
}

const chip = (stage) => el("span", { class: "chip", "data-of": stage }, stage);

// ---- A hint at whatever has the pointer, or the focus

const hint = el("div", { class: "hint", role: "tooltip", id: "hint", hidden: true });

function showHint(target, children) {
  hint.replaceChildren(...children);
  hint.hidden = false;
  const box = target.getBoundingClientRect();
  const [width, height] = [hint.offsetWidth, hint.offsetHeight];
  const view = document.documentElement.clientWidth;
  const left = Math.min(Math.max(box.left + box.width / 2 - width / 2, 8), Math.max(view - width - 8, 8));
  const above = box.top - height - 8;
  hint.style.left = `${left + window.scrollX}px`;
  hint.style.top = `${(above > 4 ? above : box.bottom + 8) + window.scrollY}px`;
}

function hideHint() {
  hint.hidden = true;
}

/** Makes a node tell more when it is pointed at or focused. */
function hinted(node, label, children) {
  set(node, {
    tabindex: 0, role: "img", "aria-label": label,
    onpointerenter: () => showHint(node, children()), onpointerleave: hideHint,
    onfocus: () => showHint(node, children()), onblur: hideHint,
  });
  return node;
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hideHint();
});

// ---- The width of texts

const measure = (() => {
  const context = document.createElement("canvas").getContext("2d");
  const family = getComputedStyle(document.body).fontFamily;
  return (text, font) => {
    context.font = `${font} ${family}`;
    return context.measureText(text).width;
  };
})();

/** A text, or as much of it as there is room for. */
function fit(text, font, room) {
  if (measure(text, font) <= room) return text;
  const letters = [...text];
  let [least, most] = [0, letters.length];
  while (least < most) {
    const middle = Math.ceil((least + most) / 2);
    if (measure(`${letters.slice(0, middle).join("").trimEnd()}…`, font) <= room) least = middle;
    else most = middle - 1;
  }
  return least < 3 ? "" : `${letters.slice(0, least).join("").trimEnd()}…`;
}
