// How long operations took, a histogram a stage, on one axis.

/** The document's buckets grow by half, from a tenth of a millisecond on, so on a logarithmic axis all are equally wide. */
const GROWTH = 1.5;
const FIRST_MS = 0.1;
const bucketOf = (milliseconds) => Math.log(Math.max(milliseconds, FIRST_MS) / FIRST_MS) / Math.log(GROWTH);

/** The shares of a histogram by bucket. */
function shares(latency) {
  const made = new Map();
  for (const [end, number] of latency.histogram) made.set(Math.round(bucketOf(end)), number / Math.max(latency.count, 1));
  return made;
}

class Histograms {
  constructor() {
    this.drawn = stages.filter((stage) => stage.latency.count > 0);
    const buckets = this.drawn.flatMap((stage) => [...shares(stage.latency).keys()]);
    this.from = Math.min(...buckets, 3) - 1;
    this.to = Math.max(...buckets, 8) + 0.6;
    // A handful of operations is all in one bucket: that would make the others flat.
    const many = this.drawn.filter((stage) => stage.latency.count >= 30);
    this.most = Math.max(...(many.length ? many : this.drawn).flatMap((stage) => [...shares(stage.latency).values()]), 0.05);
    this.plots = [];
    this.axes = [];
    this.node = el("div", { class: "histograms" }, this.rows());
    this.width = 0;
    new ResizeObserver(() => this.resize()).observe(this.node);
  }

  rows() {
    const heads = ["p50", "p95", "p99", "longest"].map((name) => el("span", { class: "figure", role: "columnheader" }, name));
    const axis = () => {
      const drawing = el("div", { class: "plot axis" });
      this.axes.push(drawing);
      return drawing;
    };
    const row = (stage) => {
      const plot = el("div", { class: "plot" });
      this.plots.push({ stage, plot });
      const { latency } = stage;
      const figure = (name, value) => el("span", { class: "figure", role: "cell", "data-name": name }, durationOf(value));
      return el("div", { class: "row", role: "row", "data-of": stage.stage, "data-stage": stage.stage },
        el("span", { class: "name", role: "rowheader" }, chip(stage.stage), el("span", { class: "soft" }, some(latency.count, "operation"))),
        plot, figure("p50", latency.p50_ms), figure("p95", latency.p95_ms), figure("p99", latency.p99_ms), figure("longest", latency.max_ms));
    };
    const table = hops.map((hop) => [
      severalHops && el("h3", { class: "hop" }, hop.name),
      hop.stages.filter((stage) => this.drawn.includes(stage)).map(row),
    ]);
    return [el("div", { class: "row heads", role: "row" }, el("span", { class: "name", role: "columnheader" }, ""), axis(), heads), table,
      el("div", { class: "row feet", "aria-hidden": "true" }, el("span", { class: "name" }), axis())];
  }

  resize() {
    const width = Math.floor(this.axes[0].clientWidth);
    if (width > 0 && width !== this.width) {
      this.width = width;
      this.draw();
    }
  }

  draw() {
    const { width } = this;
    const x = (bucket) => ((bucket - this.from) / (this.to - this.from)) * width;
    const ticks = logTicks(FIRST_MS * GROWTH ** this.from, FIRST_MS * GROWTH ** this.to, width * 0.65);
    const at = (milliseconds) => Math.min(Math.max(x(bucketOf(milliseconds)), 1), width - 1);
    this.axes.forEach((axis, number) => {
      axis.replaceChildren(svg("svg", { width, height: 18, viewBox: `0 0 ${width} 18`, "aria-hidden": "true" },
        ticks.map((tick) => svg("text", { class: "tick", x: Math.min(Math.max(at(tick), 14), width - 16), y: number ? 12 : 14, "text-anchor": "middle" }, tickWords(tick)))));
    });
    const [height, foot] = [54, 14];
    for (const { stage, plot } of this.plots) {
      const own = shares(stage.latency);
      const quiet = quietOf(stage);
      const y = (share) => height - Math.min(share / this.most, 1) * (height - 4);
      const bars = [...own].map(([bucket, share]) => svg("rect", {
        class: "bar", x: x(bucket - 1) + 0.5, width: Math.max(x(bucket) - x(bucket - 1) - 1, 1), y: y(share), height: height - y(share),
      }));
      const parts = [ticks.map((tick) => svg("path", { class: "grid", d: `M${at(tick)} 0V${height}` })), bars];
      if (quiet && quiet !== stage && quiet.latency.count > 0) {
        const outline = shares(quiet.latency);
        const buckets = [...outline.keys()];
        const [first, last] = [Math.min(...buckets), Math.max(...buckets)];
        let path = `M${x(first - 1)} ${height}`;
        for (let bucket = first; bucket <= last; bucket += 1) path += `V${y(outline.get(bucket) ?? 0)}H${x(bucket)}`;
        parts.push(svg("path", { class: "outline", d: `${path}V${height}` }));
      }
      const { p50_ms, p95_ms, p99_ms, max_ms } = stage.latency;
      const middle = height + foot / 2 + 1;
      parts.push(svg("path", { class: "base", d: `M0 ${height + 0.5}H${width}` }),
        svg("path", { class: "whisker", d: `M${at(p50_ms)} ${middle}H${at(max_ms)}` }),
        svg("circle", { class: "p50", cx: at(p50_ms), cy: middle, r: 3.4 }),
        svg("path", { class: "p95", d: `M${at(p95_ms)} ${middle - 4}v8` }),
        svg("path", { class: "p99", d: `M${at(p99_ms)} ${middle - 4}v8` }),
        svg("circle", { class: "max", cx: at(max_ms), cy: middle, r: 3 }));
      const words = `${stage.stage}: half of ${some(stage.latency.count, "operation")} took up to ${duration(p50_ms)}, 95 % up to ${duration(p95_ms)}, 99 % up to ${duration(p99_ms)}, the longest ${duration(max_ms)}`;
      plot.replaceChildren(svg("svg", { width, height: height + foot + 2, viewBox: `0 0 ${width} ${height + foot + 2}`, role: "img", "aria-label": words }, parts));
    }
  }
}

function histogramSection(histograms) {
  const key = (shape, words) => el("li", {}, svg("svg", { viewBox: "0 0 26 14", width: 26, height: 14, "aria-hidden": "true" }, shape), words);
  if (!histograms.drawn.length) return section("latency", "How long operations took", "No operation was done.");
  return section("latency", "How long operations took", "The share of operations that took so long, by stage; both axes are the same for all.",
    el("div", { class: "legend" }, el("ul", {},
      key([svg("rect", { class: "bar", x: 3, y: 2, width: 9, height: 11 }), svg("rect", { class: "bar", x: 13, y: 6, width: 9, height: 7 })], "this stage"),
      key([svg("path", { class: "outline", d: "M1 13V8H9V2H17V9H25V13" })], "the quiet stage before it"),
      key([svg("circle", { class: "p50", cx: 13, cy: 7, r: 3.4 })], "p50"),
      key([svg("path", { class: "whisker", d: "M0 7H26" }), svg("path", { class: "p95", d: "M8 3v8" }), svg("path", { class: "p99", d: "M18 3v8" })], "p95, p99"),
      key([svg("path", { class: "whisker", d: "M0 7H10" }), svg("circle", { class: "max", cx: 13, cy: 7, r: 3 })], "longest"))),
    histograms.node);
}
