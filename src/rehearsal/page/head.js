// The verdict, and what the rehearsal was.

/** The four assertions as stairs: as high as they hold without a gap, the upgrade has come. */
function ladder() {
  const reached = VERDICTS.indexOf(report.verdict);
  return el("ol", { class: "ladder", "aria-label": "the four assertions" }, report.assertions.map((assertion, number) => {
    const state = number < reached ? "reached" : assertion.holds ? "beyond" : "missed";
    const broken = assertion.evidence.filter((evidence) => !evidence.holds);
    const asked = assertion.name === report.required;
    const words = { reached: "holds", beyond: "holds, but one below it does not", missed: "does not hold" }[state];
    return el("li", { class: `rung ${state}`, "data-verdict": assertion.name, "data-top": number === reached - 1, style: `--step: ${number}` },
      asked && el("span", { class: "pennant" }, "asked for"),
      el("div", { class: "tread" },
        el("h3", {}, mark(state === "missed" ? false : state === "reached" ? true : null, words),
          el("a", { href: `#evidence-${assertion.name}` }, assertion.name)),
        el("p", {}, assertion.says),
        state === "beyond" && el("p", { class: "why" }, "holds, but one below it does not"),
        state === "missed" && broken.length > 0 &&
          el("p", { class: "why" }, `${broken.length} of ${some(assertion.evidence.length, "finding")} against it`)));
  }));
}

/** What kept the upgrade from the next rung, in a sentence. */
function obstacle() {
  const missed = report.assertions.find((assertion) => !assertion.holds);
  const broken = missed?.evidence.find((evidence) => !evidence.holds);
  if (!broken) return null;
  return el("p", { class: "obstacle" }, el("strong", {}, `What stands in the way of ${missed.name}: `), `“${broken.what}” does not hold. `,
    el("span", { class: "found" }, fit(found(broken.found), "14px", 900)));
}

function tiles() {
  const done = stages.reduce((sum, stage) => sum + stage.done, 0);
  const failed = stages.reduce((sum, stage) => sum + stage.failed, 0);
  const natural = report.failures.filter((failure) => failure.natural).reduce((sum, failure) => sum + failure.count, 0);
  const retries = stages.reduce((sum, stage) => sum + stage.retries, 0);
  const longest = stages.filter((stage) => stage.stall).sort((a, b) => b.stall.took_ms - a.stall.took_ms)[0];
  const checks = report.ledger.checks;
  const lost = checks.reduce((sum, check) => sum + check.lost, 0);
  const asked = report.invariants.reduce((sum, invariant) => sum + invariant.asked, 0);
  const broken = report.invariants.reduce((sum, invariant) => sum + invariant.broken, 0);
  const wrong = report.injections.filter((injection) => injection.holds === false).length;
  const tile = (label, number, below, bad) =>
    el("div", { class: bad ? "tile bad" : "tile" }, el("dt", {}, label),
      el("dd", {}, el("b", {}, number), el("span", {}, below)));
  const failedBelow = failed === 0 ? some(retries, "transaction") + " tried again"
    : natural === 0 ? "none would have without the upgrade" : `${count(natural)} of them as without the upgrade`;
  return el("dl", { class: "tiles" },
    tile("operations done", count(done), `${perSecond(report.rate)} were due`),
    tile("failed", count(failed), failedBelow, failed > natural),
    tile("longest", longest ? duration(longest.stall.took_ms) : DASH,
      longest ? `${longest.stall.operation}, in ${longest.stage}` : "no operation was done"),
    tile("writes lost", checks.length ? count(lost) : DASH,
      checks.length ? `of ${count(report.ledger.writes)} in the ledger` : "nobody has looked", lost > 0),
    tile("invariants broken", count(broken), `${some(report.invariants.length, "invariant")}, asked ${some(asked, "time")}`, broken > 0),
    tile("wrong outcomes", count(wrong), `of ${some(report.injections.length, "injection")}`, wrong > 0));
}

function repeat() {
  // It may be broken between its options, and not within them.
  const code = el("code", {}, report.command.split(/ (?=--)/).flatMap((words, i) => (i ? [" ", el("span", { class: "nowrap" }, words)] : [words])));
  const copy = el("button", { type: "button", class: "quiet-button", onclick: async () => {
    try {
      await navigator.clipboard.writeText(report.command);
      copy.textContent = "copied";
    } catch {
      // A page from a file may not always write to the clipboard; then it is selected.
      getSelection().selectAllChildren(code);
      copy.textContent = "selected";
    }
    setTimeout(() => { copy.textContent = "copy"; }, 2_000);
  } }, "copy");
  return el("div", { class: "repeat" }, el("span", {}, "the same again"), code, copy);
}

function facts() {
  const began = new Date(report.began_at);
  const date = began.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" });
  const time = began.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
  const fact = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, ...value));
  return el("dl", { class: "facts" },
    fact("database", report.server),
    fact("began", el("time", { datetime: began.toISOString(), title: began.toISOString() }, `${date}, ${time}`)),
    fact("took", moment(report.duration_ms, 1)),
    fact("nodes", `${count(report.nodes)} of each release`),
    fact("rate", `${perSecond(report.rate)}, all nodes together`),
    report.scale !== 1 && fact("seed rows", `× ${report.scale}`),
    fact("seed", String(report.seed)));
}

function head() {
  const says = report.assertions.find((assertion) => assertion.name === report.verdict)?.says ?? "not even the database came through";
  return el("header", { class: report.passed ? "head passed" : "head not-passed" },
    el("div", { class: "verdict" },
      el("p", { class: "eyebrow" }, "Concertina rehearsal"),
      el("h1", {}, el("span", {}, report.from), el("span", { class: "arrow", "aria-label": "to" }, "→"), el("span", {}, report.to)),
      el("p", { class: "word", id: "verdict", "data-verdict": report.verdict }, report.verdict),
      el("p", { class: "says" }, `${says}.`),
      el("p", { class: "badge" }, mark(report.passed, report.passed ? "passed" : "not passed"),
        report.passed ? "passed" : "not passed", el("span", {}, `${report.required} was asked for`)),
    ),
    ladder(),
    obstacle(),
    tiles(),
    facts(),
    repeat());
}
