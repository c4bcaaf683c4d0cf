// What there is to read: stages and operations, evidence, injections, invariants, failures, the ledger, and how it was judged.

/** A table that may be wider than the page. */
function table(label, heads, rows, attributes = {}) {
  // Where it is narrow, the head of a column stands before each of its cells.
  for (const row of attributes.class === "wide-last" ? rows.rows : []) {
    [...row.cells].forEach((cell, i) => { cell.dataset.label = heads[i].textContent; });
  }
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    el("table", attributes, heads && el("thead", {}, el("tr", {}, heads)), rows));
}

const th = (words, attributes = {}) => el("th", { scope: "col", ...attributes }, words);
const number = (...children) => el("td", { class: "number" }, ...children);
const latencyCells = (latency) => [latency.p50_ms, latency.p95_ms, latency.p99_ms, latency.max_ms].map((value) => number(latency.count ? durationOf(value) : DASH));

function stageTable() {
  const thresholds = new Map(report.statistics.thresholds);
  const heads = [th("stage"), th("took", { class: "number" }), th("done", { class: "number" }), th("failed", { class: "number" }),
    th("tried again", { class: "number" }), th("rate", { class: "number" }),
    ...["p50", "p95", "p99", "longest"].map((name) => th(name, { class: "number" })),
    th("slow windows", { class: "number", title: `windows of ${report.statistics.window_ms} ms with an operation above its threshold: of this stage, and of the quiet one` }),
    th("p (Fisher)", { class: "number", title: "how likely so many slow windows are by chance" }),
    th("beyond", { class: "number", title: "windows slower than every quiet one" }),
    th("p (Rosenbaum)", { class: "number", title: "how likely so many windows beyond all quiet ones are by chance" }),
    th("impact")];
  const all = [];
  const body = (stage) => {
    const id = `operations-${stage.number}`;
    const { impact } = stage;
    const operations = stage.operations.map((operation) => el("tr", { class: "operation" },
      el("th", { scope: "row" }, el("span", { class: "soft" }, operation.release, " "), operation.operation),
      number(), number(count(operation.latency.count - operation.failed)),
      el("td", { class: operation.failed ? "number bad" : "number" }, count(operation.failed)), number(), number(), latencyCells(operation.latency),
      el("td", { colspan: 5, class: "soft" }, thresholds.has(operation.operation) ? ["slow above ", durationOf(thresholds.get(operation.operation))] : null)));
    const rows = el("tbody", { class: "operations", id, hidden: true }, operations);
    const button = el("button", { type: "button", class: "unfold", "aria-expanded": "false", "aria-controls": id, onclick: () => open(rows.hidden) },
      svg("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, svg("path", { d: "M4 2l4 4-4 4" })), chip(stage.stage));
    const open = (wanted) => { rows.hidden = !wanted; button.setAttribute("aria-expanded", String(wanted)); };
    all.push(open);
    const seconds = (stage.end - stage.began_ms) / 1e3;
    const test = impact
      ? [number(`${count(impact.slow[0])} of ${count(impact.windows[0])}`, el("span", { class: "soft" }, ` / ${count(impact.slow[1])} of ${count(impact.windows[1])}`)),
        number(probability(impact.fisher_p)), number(count(impact.beyond)), number(probability(impact.rosenbaum_p)),
        el("td", { class: "nowrap" }, mark(!impact.significant, impact.significant ? "significant" : "not significant"), impact.significant ? " slower" : " none")]
      : [el("td", { colspan: 5, class: "soft" }, stage.stage === "quiet" ? "what the others are held against" : "there is no quiet stage to hold it against")];
    return [el("tbody", { "data-of": stage.stage, "data-stage": stage.stage }, el("tr", { class: "stage" }, el("th", { scope: "row" }, stage.operations.length ? button : chip(stage.stage)),
      number(quantity(decimals(seconds, 1), "s")), number(count(stage.done)),
      el("td", { class: stage.failed ? "number bad" : "number" }, count(stage.failed)), number(count(stage.retries)),
      number(quantity(decimals(stage.done / Math.max(seconds, 0.001), 1), "/s")), latencyCells(stage.latency), test)), rows];
  };
  const bodies = hops.map((hop) => [
    severalHops && el("tbody", {}, el("tr", { class: "hop" }, el("th", { colspan: 15, scope: "rowgroup" }, el("span", {}, hop.name)))),
    hop.stages.map(body),
  ]);
  const everything = el("button", { type: "button", class: "quiet-button", onclick: () => {
    const wanted = everything.textContent === "open all";
    all.forEach((open) => open(wanted));
    everything.textContent = wanted ? "close all" : "open all";
  } }, "open all");
  addEventListener("beforeprint", () => all.forEach((open) => open(true)));
  return section("stages", "Stages and operations", null,
    el("div", { class: "legend" }, el("p", { class: "lead" },
      `A stage has an impact where one of its two tests is significant at ${decimals(report.statistics.level * 100, 0)}${THIN}%, corrected for all tests of the rehearsal. Open a stage for its operations.`), everything),
    table("stages and operations", heads, bodies, { class: "stages" }));
}

function evidenceSection() {
  const finding = (evidence) => el("li", { class: evidence.holds ? "" : "broken" }, mark(evidence.holds, evidence.holds ? "holds" : "does not hold"),
    el("span", { class: "what" }, evidence.what), el("span", { class: "found" }, found(evidence.found)));
  return section("evidence", "Evidence", "An assertion holds where all that speaks for it does.",
    el("div", { class: "assertions" }, report.assertions.map((assertion) =>
      el("article", { id: `evidence-${assertion.name}`, class: assertion.holds ? "" : "broken", "aria-label": assertion.name },
        el("div", {}, el("h3", {}, mark(assertion.holds, assertion.holds ? "holds" : "does not hold"), assertion.name), el("p", {}, assertion.says)),
        el("ul", { class: "evidence" }, assertion.evidence.map(finding))))));
}

function injectionSection() {
  if (!report.injections.length) return section("injections", "What was done to the upgrade", "Nothing: it did not come to that.");
  const heads = [th("when", { class: "number" }), th("stage"), th("what"), th("outcome")];
  const rows = report.injections.map((injection) => {
    const stage = stageAt(injection.at_ms);
    return el("tr", { "data-kind": injection.kind },
      number(moment(injection.at_ms)),
      el("td", {}, stage ? chip(stage.stage) : DASH, severalHops && stage && el("div", { class: "soft nowrap" }, stage.hop)),
      el("td", {}, el("div", { class: "kind" }, svg("svg", { viewBox: "-8 -8 16 16", "aria-hidden": "true" }, sign(injection.kind)), KINDS[injection.kind] ?? injection.kind),
        el("div", { class: "soft" }, injection.what)),
      el("td", { class: "marked" }, mark(injection.holds), el("div", {}, injection.outcome, injection.holds !== true && el("div", { class: injection.holds === false ? "bad" : "soft" }, WORDS[stateOf(injection.holds)]))));
  });
  return section("injections", "What was done to the upgrade", "Runners were killed, the expand was taken back, and what must be refused was tried.",
    table("injections", heads, el("tbody", {}, rows), { class: "wide-last" }));
}

function invariantSection() {
  const title = "Invariants";
  if (!report.invariants.length) return section("invariants", title, "None was asked.");
  const heads = [th("invariant"), th("of"), th("asked", { class: "number" }), th("broken", { class: "number" }), th("what broke it first")];
  const rows = report.invariants.map((invariant) => el("tr", {},
    el("td", { class: "marked" }, mark(invariant.broken === 0, invariant.broken === 0 ? "held" : "broken"), el("div", {}, invariant.name)),
    el("td", {}, invariant.kind === "sync" ? `sync, ${invariant.release}` : invariant.release),
    number(count(invariant.asked), el("span", { class: "unit" }, "×")),
    el("td", { class: invariant.broken ? "number bad" : "number" }, count(invariant.broken), el("span", { class: "unit" }, "×")),
    el("td", { class: "text" }, invariant.first ?? el("span", { class: "soft" }, DASH))));
  return section("invariants", title, "What was to hold at every moment, asked at random moments and at the end of each stage.",
    table("invariants", heads, el("tbody", {}, rows), { class: "wide-last" }));
}

function failureSection() {
  const title = "Operations that failed";
  if (!report.failures.length) return section("failures", title, "None.");
  // What would not have failed without the upgrade comes first.
  const sorted = [...report.failures].sort((a, b) => Number(a.natural) - Number(b.natural) || a.at_ms - b.at_ms);
  const heads = [th("first at", { class: "number" }), th("stage"), th("operation"), th("how many", { class: "number" }), th("what the first one said")];
  const rows = sorted.map((failure) => el("tr", { class: failure.natural ? "natural" : "" },
    number(moment(failure.at_ms)), el("td", {}, chip(failure.stage)),
    el("td", {}, failure.operation, el("div", { class: "soft" }, failure.release)),
    el("td", { class: failure.natural ? "number" : "number bad" }, count(failure.count), el("span", { class: "unit" }, "×")),
    el("td", { class: "text" }, failure.natural && el("div", { class: "tag" }, "as without the upgrade"), el("code", {}, failure.message))));
  return section("failures", title, "The first of each kind. One that fails as often in the quiet stage does so without the upgrade, and does not count.",
    table("failures", heads, el("tbody", {}, rows), { class: "wide-last" }));
}

function ledgerSection() {
  const { ledger } = report;
  const lost = ledger.checks.flatMap((check) => check.first);
  const total = ledger.checks.reduce((sum, check) => sum + check.lost, 0);
  const heads = [th("comparison"), ...["rows", "values", "not compared", "rows purged", "writes lost"].map((name) => th(name, { class: "number" }))];
  const rows = ledger.checks.map((check, i) => el("tr", {}, el("th", { scope: "row" }, i === ledger.checks.length - 1 && i > 0 ? "at the end" : severalHops ? `the ${["first", "second", "third", "fourth", "fifth"][i] ?? `${i + 1}th`}` : "before contract"),
    number(count(check.rows)), number(count(check.values)), number(count(check.not_compared)), number(count(check.purged)),
    el("td", { class: check.lost ? "number bad" : "number" }, count(check.lost))));
  const lostHeads = [th("table"), th("row"), th("column"), th("expected"), th("found"), th("written by")];
  const lostRows = lost.map((one) => el("tr", {}, el("td", {}, one.table), el("td", { class: "text" }, el("code", {}, one.key)), el("td", {}, one.column ?? "the row"),
    el("td", { class: "text" }, el("code", {}, one.expected)), el("td", { class: "text" }, el("code", {}, one.found)),
    el("td", {}, one.by ? `${one.by.operation}, ${one.by.release}` : DASH)));
  return section("ledger", "The writers’ ledger", `${some(ledger.writes, "write")} ${ledger.writes === 1 ? "was" : "were"} noted by those who committed ${ledger.writes === 1 ? "it" : "them"}, and held against the rows.`,
    ledger.checks.length ? table("comparisons of the ledger with the rows", heads, el("tbody", {}, rows)) : el("p", { class: "lead" }, mark(null), " It did not come to a comparison."),
    lost.length > 0 && [el("h3", {}, total > lost.length ? `Lost, the first ${lost.length}` : "Lost"), table("lost writes", lostHeads, el("tbody", {}, lostRows))],
    ledger.not_in_ledger.length > 0 && el("p", { class: "lead" }, "Not in the ledger, since it cannot be told what they write: ", ledger.not_in_ledger.join(", "), "."));
}

function statisticsSection() {
  const { statistics } = report;
  const fact = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, ...value));
  return section("statistics", "How slowness was judged", null, el("div", { class: "small-print" },
    el("dl", { class: "facts" },
      fact("tests", statistics.tests),
      fact("they assume", statistics.assumes),
      fact("level", `${decimals(statistics.level * 100, 0)}${THIN}%`),
      fact("window", `${count(statistics.window_ms)}${THIN}ms`),
      fact("never slow", `up to ${duration(statistics.floor_ms)}`)),
    statistics.thresholds.length > 0 && el("details", {}, el("summary", {}, `What makes each of ${some(statistics.thresholds.length, "operation")} slow`),
      el("p", {}, "The 99th percentile of its quiet latencies, and what is never slow at least."),
      el("ul", { class: "thresholds" }, statistics.thresholds.map(([operation, threshold]) =>
        el("li", {}, el("span", {}, operation), el("span", { class: "number" }, durationOf(threshold))))))));
}

function noteSection() {
  if (!report.notes.length) return null;
  return section("notes", "Notes", null, el("ul", { class: "notes" }, report.notes.map((note) => el("li", {}, note))));
}
