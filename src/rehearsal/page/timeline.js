// The main picture: everything that happened, over one axis of time.

const POINT_MS = report.series.length > 1 ? report.series[1].at_ms - report.series[0].at_ms : 250;
const END_MS = Math.max(report.duration_ms, ...stages.map((stage) => stage.end), 1);
/** No closer look than this. */
const LEAST_MS = 40;

const LABEL = "600 11.5px";
const SMALL = "11px";

function niceStep(range, room, apart) {
  const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 1_800e3, 3_600e3];
  return steps.find((step) => (step / range) * room >= apart) ?? steps[steps.length - 1];
}

/** Ticks of a logarithmic axis: 1, 2, 5 where there is room, and the powers of ten alone where there is not. */
function logTicks(least, most, room) {
  const decades = Math.log10(most / least);
  const digits = room / decades >= 85 ? [1, 2, 5] : room / decades >= 55 ? [1, 3] : [1];
  const ticks = [];
  for (let power = Math.floor(Math.log10(least)); power <= Math.ceil(Math.log10(most)); power += 1) {
    for (const digit of digits) {
      const value = digit * 10 ** power;
      if (value >= least * 0.999 && value <= most * 1.001) ticks.push(value);
    }
  }
  return ticks;
}

/** A latency on an axis, without digits that say nothing. */
function tickWords(value) {
  return value >= 1e3 ? `${+(value / 1e3).toPrecision(2)}${THIN}s` : `${+value.toPrecision(2)}${THIN}ms`;
}

/** Lays spans into rows, so that none covers another. */
function rowsOf(spans) {
  const ends = [];
  return spans.map((span) => {
    let row = ends.findIndex((end) => end <= span.began_ms);
    if (row < 0) row = ends.length;
    ends[row] = span.ended_ms;
    return { ...span, row };
  });
}

const commands = rowsOf(report.spans.filter((span) => span.what === ""));
const steps = rowsOf(report.spans.filter((span) => span.what !== ""));
const rowCount = (spans) => spans.reduce((most, span) => Math.max(most, span.row + 1), 0);

/** Moves pins apart, as little as it takes. */
function apart(places, least, most, gap) {
  const heads = [...places];
  for (let i = 0; i < heads.length; i += 1) heads[i] = Math.max(heads[i], i ? heads[i - 1] + gap : least);
  for (let i = heads.length - 1; i >= 0; i -= 1) heads[i] = Math.min(heads[i], i < heads.length - 1 ? heads[i + 1] - gap : most);
  return heads;
}

class Timeline {
  constructor() {
    this.view = [0, END_MS];
    this.at = null;
    this.canvas = el("div", { class: "canvas" });
    this.readout = el("div", { class: "readout", hidden: true });
    this.whole = el("button", { type: "button", class: "quiet-button", hidden: true, onclick: () => this.look(0, END_MS) }, "the whole rehearsal");
    this.frame = el("div", {
      class: "frame", tabindex: 0, role: "group", "aria-label":
        "latency, commands, injections and throughput over time; arrow keys move the reading line, plus and minus change the scale, escape shows the whole",
      onkeydown: (event) => this.key(event), onblur: () => this.read(null),
    }, this.canvas, this.readout);
    // What a screen reader is told when the line moves.
    this.spoken = el("p", { class: "spoken", "aria-live": "polite" });
    this.node = el("figure", { class: "timeline", id: "timeline" }, this.legend(), this.frame, this.spoken,
      el("figcaption", {}, "Drag over a part, or choose a stage by its name, for a closer look. An operation counts from the moment it was due, ",
        "so that one which waits for a connection waits here too."));
    this.width = 0;
    new ResizeObserver(() => this.resize()).observe(this.canvas);
  }

  resize() {
    const width = Math.floor(this.canvas.clientWidth);
    if (width > 0 && width !== this.width) {
      this.width = width;
      this.draw();
    }
  }

  look(from, to) {
    const middle = (from + to) / 2;
    const half = Math.max(to - from, LEAST_MS) / 2;
    this.view = [Math.max(0, middle - half), Math.min(END_MS, middle + half)];
    this.whole.hidden = this.view[0] <= 0 && this.view[1] >= END_MS;
    this.read(null);
    this.draw();
  }

  legend() {
    const sample = (kind, words) => {
      const shapes = {
        median: [svg("path", { class: "median", d: "M0 7H26" })],
        high: [svg("path", { class: "between", d: "M0 5H26V12H0Z" }), svg("path", { class: "high", d: "M0 5H26" })],
        longest: [4, 13, 22].map((x) => svg("circle", { class: "longest", cx: x, cy: 7, r: 1.9 })),
        stall: [svg("circle", { class: "stall", cx: 13, cy: 7, r: 5 }), svg("circle", { class: "longest", cx: 13, cy: 7, r: 1.9 })],
        quiet: [svg("path", { class: "quiet-line", d: "M0 7H26" })],
        failed: [6, 10, 17].map((x) => svg("path", { class: "failed", d: `M${x - 2} 3L${x + 2} 11M${x + 2} 3L${x - 2} 11` })),
      };
      return el("li", {}, svg("svg", { viewBox: "0 0 26 14", width: 26, height: 14, "aria-hidden": "true" }, shapes[kind]), words);
    };
    return el("div", { class: "legend" },
      el("ul", {}, sample("median", "median"), sample("high", "99th percentile"), sample("longest", "longest of ¼ s"),
        sample("stall", "longest of the stage"), sample("quiet", "p99 of the quiet stage"),
        stages.some((stage) => stage.failed > 0) && sample("failed", "failed")),
      this.whole);
  }

  // ---- Drawing

  draw() {
    if (this.width === 0) return;
    const narrow = this.width < 560;
    const left = narrow ? 46 : 58;
    const right = 10;
    this.plot = { left, right: this.width - right, width: this.width - left - right };
    const [from, to] = this.view;
    this.x = (milliseconds) => left + ((milliseconds - from) / (to - from)) * this.plot.width;
    this.time = (x) => from + ((x - left) / this.plot.width) * (to - from);
    this.seen = stages.filter((stage) => stage.end > from && stage.began_ms < to);

    const parts = [];
    let y = 0;
    const lane = (height, gap = 0) => {
      const top = y + gap;
      y = top + height;
      return { top, bottom: y, height };
    };
    const whole = this.seen.filter((stage) => stage.began_ms >= from && stage.end <= to);
    const tight = whole.some((stage) => this.room(stage) < measure(stage.stage, LABEL) + 10 && this.room(stage) >= 13);
    const lanes = {
      hops: severalHops ? lane(24) : null,
      names: lane(tight ? 66 : 24),
      pins: report.injections.length ? lane(40) : null,
      latency: lane(narrow ? 230 : 320),
      failures: stages.some((stage) => stage.failed > 0) ? lane(18) : null,
      spans: report.spans.length ? lane(20 + 15 * rowCount(commands) + (steps.length ? 11 * rowCount(steps) + 3 : 0), 12) : null,
      throughput: lane(narrow ? 86 : 104, 10),
      axis: lane(30),
    };
    this.lanes = lanes;
    this.height = y;
    parts.push(this.definitions());
    parts.push(...this.bands(lanes, tight));
    parts.push(...this.timeAxis(lanes));
    parts.push(...this.latency(lanes));
    if (lanes.failures) parts.push(...this.failures(lanes.failures));
    if (lanes.spans) parts.push(...this.spans(lanes.spans));
    parts.push(...this.throughput(lanes.throughput));
    this.cross = svg("g", { class: "cross", visibility: "hidden" });
    this.selection = svg("rect", { class: "selection", y: lanes.latency.top, height: lanes.throughput.bottom - lanes.latency.top, visibility: "hidden" });
    const field = svg("rect", {
      class: "field", x: left, y: lanes.latency.top, width: this.plot.width, height: lanes.throughput.bottom - lanes.latency.top,
    });
    this.listen(field);
    parts.push(this.cross, this.selection, field);
    parts.push(...this.stalls(lanes));
    if (lanes.pins) parts.push(...this.pins(lanes));
    // Whoever chose a stage by the keyboard is still there.
    const chosen = this.canvas.contains(document.activeElement) ? document.activeElement.dataset.number : undefined;
    this.canvas.replaceChildren(svg("svg", {
      viewBox: `0 0 ${this.width} ${this.height}`, width: this.width, height: this.height, class: "drawing",
    }, parts));
    if (chosen !== undefined) this.canvas.querySelector(`.band-name[data-number="${chosen}"]`)?.focus({ preventScroll: true });
  }

  /** How wide a stage is, as far as it is in view. */
  room(stage) {
    return Math.min(this.x(stage.end), this.plot.right) - Math.max(this.x(stage.began_ms), this.plot.left);
  }

  /** A line changes its colour where the stage does. */
  definitions() {
    const { left, right, width } = this.plot;
    const share = (milliseconds) => Math.min(Math.max((this.x(milliseconds) - left) / width, 0), 1);
    const stops = this.seen.flatMap((stage) => [stage.began_ms, stage.end].map((end) =>
      svg("stop", { offset: share(end), "data-of": stage.stage, class: "stop" })));
    return svg("defs", {},
      svg("linearGradient", { id: "of-stages", gradientUnits: "userSpaceOnUse", x1: left, x2: right, y1: 0, y2: 0 }, stops),
      svg("clipPath", { id: "in-plot" }, svg("rect", { x: left, y: 0, width, height: this.height })));
  }

  bands(lanes, tight) {
    const { names } = lanes;
    const bottom = lanes.throughput.bottom;
    const parts = [];
    if (lanes.hops) {
      for (const hop of hops) {
        const inView = hop.stages.filter((stage) => this.seen.includes(stage));
        if (!inView.length) continue;
        const from = Math.max(this.x(inView[0].began_ms), this.plot.left);
        const to = Math.min(this.x(inView[inView.length - 1].end), this.plot.right);
        const words = fit(hop.name, LABEL, to - from - 12);
        parts.push(svg("path", { class: "bracket", d: `M${from + 1} 22V17H${to - 1}V22` }),
          words && svg("text", { class: "hop", x: (from + to) / 2, y: 12, "text-anchor": "middle" }, words));
      }
    }
    for (const stage of this.seen) {
      const from = Math.max(this.x(stage.began_ms), this.plot.left);
      const width = Math.max(Math.min(this.x(stage.end), this.plot.right) - from, 0.5);
      const fits = width >= measure(stage.stage, LABEL) + (tight ? 2 : 6);
      const whole = this.view[0] <= stage.began_ms && this.view[1] >= stage.end;
      const name = !tight && fits
        ? svg("text", { x: from + width / 2, y: names.bottom - 8, "text-anchor": "middle" }, stage.stage)
        : tight && width >= 13
          ? svg("text", { transform: `translate(${from + width / 2 + 4} ${names.bottom - 8}) rotate(-90)` }, stage.stage)
          : null;
      const choose = () => (whole && this.seen.length > 1 ? this.look(stage.began_ms - (stage.end - stage.began_ms) * 0.02, stage.end + (stage.end - stage.began_ms) * 0.02) : this.look(0, END_MS));
      const label = svg("g", { class: "band-name", "data-of": stage.stage, "data-number": stage.number, role: "button", tabindex: 0,
        "aria-label": `${stage.stage}, ${stage.hop}, from ${moment(stage.began_ms)} to ${moment(stage.end)}: a closer look`,
        onclick: choose,
        onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); event.stopPropagation(); choose(); } } },
        svg("title", {}, `${stage.stage} (${stage.hop}): ${STAGES[stage.stage] ?? ""}`),
        svg("rect", { class: "touch", x: from, y: names.top, width, height: names.height }),
        svg("rect", { class: "edge", x: from + 0.5, y: names.bottom - 3, width: Math.max(width - 1, 0.5), height: 3 }),
        name);
      parts.push(svg("g", { class: "band", "data-of": stage.stage, "data-stage": stage.stage, "data-hop": stage.hop },
        svg("rect", { class: "ground", x: from, y: names.bottom, width, height: bottom - names.bottom }), label));
    }
    return parts;
  }

  timeAxis(lanes) {
    const [from, to] = this.view;
    const step = niceStep(to - from, this.plot.width, to > 120e3 ? 92 : 64);
    const top = lanes.latency.top;
    const bottom = lanes.throughput.bottom;
    const parts = [];
    const digits = step >= 1e3 ? 0 : step >= 100 ? 1 : step >= 10 ? 2 : 3;
    for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
      const x = this.x(at);
      const anchor = x > this.plot.right - 22 ? "end" : "middle";
      parts.push(svg("path", { class: "grid", d: `M${x} ${top}V${bottom + 4}` }),
        svg("text", { class: "tick", x: anchor === "end" ? this.plot.right : x, y: bottom + 18, "text-anchor": anchor },
          at > 0 && at % 60e3 === 0 ? `${at / 60e3}${THIN}min` : moment(at, digits)));
    }
    return parts;
  }

  caption(words, y) {
    return svg("text", { class: "caption", x: this.plot.left + 6, y }, words);
  }

  points() {
    const [from, to] = this.view;
    const first = report.series.findIndex((point) => point.at_ms + POINT_MS * 2 > from);
    if (first < 0) return [];
    return report.series.slice(Math.max(first - 1, 0)).filter((point) => point.at_ms - POINT_MS * 2 < to);
  }

  latency(lanes) {
    const lane = lanes.latency;
    const points = this.points();
    const busy = points.filter((point) => point.done + point.failed > 0 && point.max_ms > 0);
    const stalls = this.seen.flatMap((stage) => (stage.stall ? [stage.stall.took_ms] : []));
    const least = Math.max(Math.min(...busy.map((point) => point.p50_ms), 10) * 0.9, 0.01);
    const most = Math.max(...busy.map((point) => point.max_ms), ...stalls, least * 20);
    // Room above for the words of the longest operations.
    const [headroom, footroom] = [58, 24];
    const scale = Math.log(most / least) / (lane.height - headroom - footroom);
    const top = most * Math.exp(scale * headroom);
    this.y = (value) => lane.bottom - footroom - Math.log(Math.max(value, least) / least) / scale;
    const parts = [];
    for (const tick of logTicks(least, top, lane.height)) {
      const y = this.y(tick);
      if (y < lane.top + 6) continue;
      parts.push(svg("path", { class: Number.isInteger(Math.log10(tick)) ? "grid strong" : "grid", d: `M${this.plot.left} ${y}H${this.plot.right}` }),
        svg("text", { class: "tick", x: this.plot.left - 7, y: y + 4, "text-anchor": "end" }, tickWords(tick)));
    }
    for (const hop of hops.filter((hop) => hop.quiet?.latency.count > 0)) {
      const y = this.y(hop.quiet.latency.p99_ms);
      const [from, to] = [this.x(hop.quiet.began_ms), this.x(hop.stages[hop.stages.length - 1].end)];
      if (to > this.plot.left && from < this.plot.right) {
        parts.push(svg("path", { class: "quiet-line", "clip-path": "url(#in-plot)", d: `M${from} ${y}H${to}` }));
      }
    }
    // A quarter of a second without an operation is a gap in the lines.
    const runs = [];
    let run = [];
    for (const point of points) {
      if (point.done + point.failed > 0 && point.max_ms > 0) run.push(point);
      else if (run.length) { runs.push(run); run = []; }
    }
    if (run.length) runs.push(run);
    const middle = (point) => this.x(point.at_ms + POINT_MS / 2).toFixed(1);
    const line = (run, value) => run.map((point, i) => `${i ? "L" : "M"}${middle(point)} ${this.y(value(point)).toFixed(1)}`).join("");
    const lines = svg("g", { "clip-path": "url(#in-plot)" });
    for (const run of runs) {
      const back = [...run].reverse().map((point) => `L${middle(point)} ${this.y(point.p50_ms).toFixed(1)}`).join("");
      lines.append(svg("path", { class: "between of-stages", d: `${line(run, (point) => point.p99_ms)}${back}Z` }));
      // One alone would not be seen as a line.
      const alone = run.length === 1 ? "h3" : "";
      lines.append(svg("path", { class: "high of-stages", d: line(run, (point) => point.p99_ms) + alone }));
      lines.append(svg("path", { class: "median of-stages", d: line(run, (point) => point.p50_ms) + alone }));
    }
    const radius = Math.min(Math.max((this.plot.width / points.length) * 0.28, 1), 2.6);
    const dots = busy.map((point) => `M${middle(point)} ${this.y(point.max_ms).toFixed(1)}h0`).join("");
    lines.append(svg("path", { class: "dots of-stages", "stroke-width": radius * 2, d: dots }));
    parts.push(lines, this.caption(this.width < 560 ? "latency, logarithmic" : "latency of the operations due in each quarter of a second, logarithmic", lane.bottom - 8));
    return parts;
  }

  failures(lane) {
    const size = Math.min(Math.max((POINT_MS / (this.view[1] - this.view[0])) * this.plot.width * 0.3, 1.2), 4);
    const parts = [svg("path", { class: "rule", d: `M${this.plot.left} ${lane.top + 0.5}H${this.plot.right}` }),
      svg("text", { class: "tick bad", x: this.plot.left - 7, y: lane.top + 14, "text-anchor": "end" }, "failed")];
    const marks = this.points().filter((point) => point.failed > 0).map((point) => {
      const [x, y] = [this.x(point.at_ms + POINT_MS / 2), lane.top + 10];
      return `M${x - size} ${y - 5}L${x + size} ${y + 5}M${x + size} ${y - 5}L${x - size} ${y + 5}`;
    });
    parts.push(svg("path", { class: "failed", "clip-path": "url(#in-plot)", d: marks.join("") }));
    return parts;
  }

  spans(lane) {
    const parts = [svg("path", { class: "rule", d: `M${this.plot.left} ${lane.top - 5.5}H${this.plot.right}` }),
      this.caption("what Concertina did: commands, and their steps", lane.top + 9)];
    const bar = (span, top, height, kind, next) => {
      const [from, to] = [this.x(span.began_ms), this.x(span.ended_ms)];
      if (to < this.plot.left || from > this.plot.right) return;
      const width = Math.max(to - from, 1.5);
      const room = Math.min(to, this.plot.right) - Math.max(from, this.plot.left) - 8;
      const words = kind === "command" ? span.command : span.what;
      const shown = room > 40 ? fit(words, kind === "command" ? "10.5px" : "9.5px", room) : "";
      parts.push(svg("g", { class: `span ${kind}`, "clip-path": "url(#in-plot)" },
        svg("rect", { x: from, y: top, width, height, rx: Math.min(2, width / 3) }),
        shown && svg("text", { x: Math.max(from, this.plot.left) + 4, y: top + height - (kind === "command" ? 3.5 : 2) }, shown)));
      // A bar without room for words has its name behind it, where no other begins.
      const name = span.command.split(" ")[0];
      const free = Math.min(next ? this.x(next.began_ms) : Infinity, this.plot.right) - Math.max(from + width, this.plot.left) - 8;
      if (kind === "command" && !shown && free >= measure(name, SMALL)) {
        parts.push(svg("text", { class: "beside halo", x: from + width + 4, y: top + 10.5 }, name));
      }
    };
    const top = lane.top + 18;
    commands.forEach((span, i) => bar(span, top + span.row * 15, 13, "command", commands[i + 1]));
    const below = top + 15 * rowCount(commands) + 2;
    for (const span of steps) bar(span, below + span.row * 11, 9, "step");
    return parts;
  }

  throughput(lane) {
    const scale = 1e3 / POINT_MS;
    const points = this.points();
    const most = Math.max(...points.map((point) => (point.done + point.failed) * scale), report.rate) * 1.08;
    const [top, bottom] = [lane.top + 20, lane.bottom];
    const y = (value) => bottom - (value / most) * (bottom - top);
    const parts = [svg("path", { class: "rule", d: `M${this.plot.left} ${lane.top - 0.5}H${this.plot.right}` }),
      this.caption("throughput", lane.top + 14)];
    const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5].find((step) => most / step <= 3.2) ?? 2e5;
    for (let tick = 0; tick <= most; tick += step) {
      parts.push(svg("path", { class: "grid", d: `M${this.plot.left} ${y(tick)}H${this.plot.right}` }),
        svg("text", { class: "tick", x: this.plot.left - 7, y: y(tick) + 4, "text-anchor": "end" }, `${count(tick)}${THIN}/s`));
    }
    const area = (base, height) => {
      const there = points.map((point) => {
        const [from, to] = [this.x(point.at_ms), this.x(point.at_ms + POINT_MS)];
        return [from, to, y(base(point) * scale), y((base(point) + height(point)) * scale)];
      });
      return there.filter(([, , low, high]) => low > high).map(([from, to, low, high]) =>
        `M${from.toFixed(1)} ${low.toFixed(1)}V${high.toFixed(1)}H${to.toFixed(1)}V${low.toFixed(1)}Z`).join("");
    };
    parts.push(svg("g", { "clip-path": "url(#in-plot)" },
      svg("path", { class: "done of-stages", d: area(() => 0, (point) => point.done) }),
      svg("path", { class: "not-done", d: area((point) => point.done, (point) => point.failed) })));
    const due = y(report.rate);
    const words = `due: ${perSecond(report.rate)}`;
    parts.push(svg("path", { class: "due", d: `M${this.plot.left} ${due}H${this.plot.right}` }),
      svg("text", { class: "due-words halo", x: this.plot.right - 4, y: due - 5, "text-anchor": "end" }, words));
    return parts;
  }

  /** The longest operation of each stage, with as many words as there is room for. */
  stalls(lanes) {
    const parts = [];
    for (const stage of this.seen.filter((stage) => stage.stall)) {
      const { stall } = stage;
      const [x, y] = [this.x(stall.at_ms), this.y(stall.took_ms)];
      if (x < this.plot.left - 1 || x > this.plot.right + 1) continue;
      const why = waitedFor(stall);
      const from = Math.max(this.x(stage.began_ms), this.plot.left) + 4;
      const to = Math.min(this.x(stage.end), this.plot.right) - 4;
      const room = to - from;
      const first = duration(stall.took_ms);
      const lines = [];
      if (room >= measure(first, LABEL)) {
        lines.push(first);
        if (room > 66) lines.push(...[fit(`${stall.operation} · ${stall.release}`, SMALL, Math.min(room, 320)), why && fit(why, SMALL, Math.min(room, 420))].filter(Boolean));
      }
      const widest = Math.max(0, ...lines.map((line, i) => measure(line, i ? SMALL : LABEL)));
      const start = Math.min(Math.max(x - widest / 2, from), Math.max(to - widest, from));
      const base = y - 11 - (lines.length - 1) * 13;
      const over = base - 11 < lanes.latency.top;
      const words = lines.map((line, i) => svg("text", {
        class: i ? "halo why" : "halo took", x: start, y: over ? y + 20 + i * 13 : base + i * 13,
      }, line));
      // How long it waited, to scale.
      const until = Math.min(this.x(stall.at_ms + stall.took_ms), this.plot.right);
      const group = svg("g", { class: "longest-of-stage", "data-of": stage.stage },
        until - x > 6 && svg("path", { class: "wait", d: `M${x} ${y}H${until}` }),
        svg("circle", { class: "stall", cx: x, cy: y, r: 5.5 }), words);
      const spoken = `longest of ${stage.stage}: ${first}, ${stall.operation} of ${stall.release}, ${why || "nothing is known of what held it"}`;
      parts.push(hinted(group, spoken, () => [
        el("strong", {}, `${first} · longest of ${stage.stage}`),
        el("div", {}, `${stall.operation} of ${stall.release}, due at ${moment(stall.at_ms)}`),
        stall.held_by && el("div", {}, `held by ${stall.held_by}`),
        ...stall.during.map((during) => el("div", { class: "soft" }, `during ${during}`)),
        !stall.held_by && !stall.during.length && el("div", { class: "soft" }, "nothing of ours was at work, and nobody was seen to hold it"),
      ].filter(Boolean)));
    }
    return parts;
  }

  pins(lanes) {
    const lane = lanes.pins;
    const all = report.injections.map((injection, number) => ({ injection, number, x: this.x(injection.at_ms) }))
      .filter(({ x }) => x >= this.plot.left - 0.5 && x <= this.plot.right + 0.5).sort((a, b) => a.x - b.x);
    // Where there are more than have room, neighbours share a pin.
    const gap = 22;
    let groups = all.map((one) => [one]);
    for (let near = 4; groups.length * gap > this.plot.width; near += 4) {
      groups = all.reduce((made, one) => {
        const last = made[made.length - 1];
        if (last && one.x - last[0].x < near) last.push(one);
        else made.push([one]);
        return made;
      }, []);
    }
    const heads = apart(groups.map((group) => group[0].x), this.plot.left + 9, this.plot.right - 10, gap);
    return groups.map((group, i) => {
      const [x, head, y] = [group[0].x, heads[i], lane.top + 14];
      const worst = group.some(({ injection }) => injection.holds === false) ? false : group.every(({ injection }) => injection.holds === null) ? null : true;
      const words = group.map(({ injection }) => `${KINDS[injection.kind] ?? injection.kind} at ${moment(injection.at_ms)}: ${injection.what}; ${injection.outcome}: ${WORDS[stateOf(injection.holds)]}`).join(". ");
      const pin = svg("g", { class: `pin ${stateOf(worst)}`, "data-kind": group.map(({ injection }) => injection.kind).join(" "), "data-count": group.length },
        svg("path", { class: "stem", d: `M${head} ${y + 10}L${x} ${lane.bottom - 2}V${lanes.throughput.bottom}` }),
        svg("circle", { class: "head", cx: head, cy: y, r: 9.5 }),
        svg("g", { transform: `translate(${head} ${y})` }, group.length === 1 ? sign(group[0].injection.kind)
          : svg("text", { class: "several", y: 4, "text-anchor": "middle" }, String(group.length))),
        worst === false && svg("path", { class: "alarm", d: `M${head + 5} ${y - 13}h7v7h-7z` }),
        worst === false && svg("path", { class: "alarm-sign", d: `M${head + 8.5} ${y - 12}v3.4m0 1v.9` }));
      return hinted(pin, words, () => group.flatMap(({ injection }) => [
        el("strong", {}, `${KINDS[injection.kind] ?? injection.kind} at ${moment(injection.at_ms)}`),
        el("div", {}, injection.what), el("div", {}, mark(injection.holds), " ", injection.outcome),
      ]));
    });
  }

  // ---- Reading

  listen(field) {
    let began = null;
    const place = (event) => event.clientX - this.canvas.getBoundingClientRect().left;
    const within = (x) => Math.min(Math.max(x, this.plot.left), this.plot.right);
    set(field, {
      onpointerdown: (event) => {
        if (event.button === 0 && event.pointerType !== "touch") began = within(place(event));
        field.setPointerCapture(event.pointerId);
        this.read(this.time(within(place(event))));
      },
      onpointermove: (event) => {
        const x = within(place(event));
        if (began !== null && Math.abs(x - began) > 5) {
          set(this.selection, { x: Math.min(x, began), width: Math.abs(x - began), visibility: "visible" });
        }
        this.read(this.time(x));
      },
      onpointerup: (event) => {
        const x = within(place(event));
        const start = began;
        began = null;
        if (start !== null && Math.abs(x - start) > 5) {
          const [from, to] = [this.time(Math.min(start, x)), this.time(Math.max(start, x))];
          this.look(from, to);
        }
      },
      onpointercancel: () => { began = null; this.selection.setAttribute("visibility", "hidden"); },
      onpointerleave: (event) => { if (event.pointerType !== "touch") this.read(null); },
      ondblclick: () => this.look(0, END_MS),
    });
  }

  key(event) {
    const [from, to] = this.view;
    const step = Math.min(POINT_MS, (to - from) / 40) * (event.shiftKey ? 8 : 1);
    const at = this.at ?? from;
    const moves = { ArrowLeft: at - step, ArrowRight: at + step, Home: from, End: to };
    if (event.target !== this.frame && event.key !== "Escape") return;
    if (event.key in moves) {
      const next = Math.min(Math.max(moves[event.key], 0), END_MS);
      if (next < from || next > to) this.look(next - (to - from) / 2, next + (to - from) / 2);
      this.read(next, true);
    } else if (event.key === "+" || event.key === "-") {
      const half = ((to - from) / 2) * (event.key === "+" ? 0.6 : 1.7);
      this.look(at - half, at + half);
      this.read(at);
    } else if (event.key === "Escape") {
      this.look(0, END_MS);
      return;
    } else return;
    event.preventDefault();
  }

  /** Puts the reading line somewhere, and tells what all lanes have there. */
  read(milliseconds, aloud = false) {
    this.at = milliseconds;
    if (milliseconds === null || !this.cross) {
      this.readout.hidden = true;
      this.cross?.setAttribute("visibility", "hidden");
      return;
    }
    const x = this.x(milliseconds);
    const { latency, throughput } = this.lanes;
    const point = report.series[Math.min(Math.floor(milliseconds / POINT_MS), report.series.length - 1)];
    const stage = stageAt(milliseconds);
    const busy = point && point.done + point.failed > 0;
    const [from, to] = point ? [this.x(point.at_ms), this.x(point.at_ms + POINT_MS)].map((x) => Math.min(Math.max(x, this.plot.left), this.plot.right)) : [x, x];
    const near = ((this.view[1] - this.view[0]) / this.plot.width) * 3;
    const at = (span) => span.began_ms - near <= milliseconds && span.ended_ms + near >= milliseconds;
    const injected = report.injections.filter((injection) => Math.abs(injection.at_ms - milliseconds) <= near * 1.5);
    const dot = (value, name) => svg("circle", { class: `read ${name}`, cx: (from + to) / 2, cy: this.y(value), r: 3.5 });
    this.cross.replaceChildren(
      svg("rect", { class: "bucket", x: from, y: latency.top, width: Math.max(to - from, 1), height: throughput.bottom - latency.top }),
      svg("path", { class: "line", d: `M${x} ${latency.top}V${throughput.bottom}` }),
      ...(busy ? [dot(point.p50_ms, "median"), dot(point.p99_ms, "high"), dot(point.max_ms, "longest")] : []));
    this.cross.setAttribute("visibility", "visible");
    const row = (name, value) => [el("dt", {}, name), el("dd", {}, value)];
    const rows = busy ? [row("median", durationOf(point.p50_ms)), row("99th percentile", durationOf(point.p99_ms)),
      row("longest", durationOf(point.max_ms)), row("done", quantity(count(Math.round(point.done * 1e3 / POINT_MS)), "/s")),
      point.failed > 0 && [el("dt", { class: "bad" }, "failed"), el("dd", { class: "bad" }, count(point.failed))]] : [row("operations", "none was due")];
    const running = [...new Set([...commands.filter(at).map((span) => `concertina ${span.command}`), ...steps.filter(at).map((span) => span.what)])];
    this.readout.replaceChildren(
      el("p", {}, el("strong", {}, moment(milliseconds)), stage ? chip(stage.stage) : null, severalHops && stage && el("span", { class: "soft" }, stage.hop)),
      el("dl", {}, rows.flat(Infinity).filter(Boolean)),
      ...(running.length || injected.length ? [el("ul", {}, running.slice(0, 5).map((words) => el("li", {}, words)),
        running.length > 5 && el("li", { class: "soft" }, `and ${running.length - 5} more`),
        injected.slice(0, 3).map((injection) => el("li", {}, mark(injection.holds), ` ${KINDS[injection.kind] ?? injection.kind}: ${injection.what}`)))] : []));
    this.readout.hidden = false;
    const docked = this.width < 560;
    this.readout.classList.toggle("docked", docked);
    if (!docked) {
      const beside = x + 14 + this.readout.offsetWidth > this.plot.right ? x - 14 - this.readout.offsetWidth : x + 14;
      this.readout.style.left = `${Math.max(beside, 0)}px`;
      this.readout.style.top = `${latency.top + 8}px`;
    }
    if (aloud) {
      this.spoken.textContent = `${moment(milliseconds)}, ${stage ? stage.stage : "before or after the stages"}: ${
        busy ? `median ${duration(point.p50_ms)}, 99th percentile ${duration(point.p99_ms)}, longest ${duration(point.max_ms)}, ${point.done} done, ${point.failed} failed` : "no operation was due"}`;
    }
  }
}

function timelineSection(timeline) {
  return section("time", "Over time", null, timeline.node);
}
