// Puts the page together.

document.title = `${report.from} → ${report.to}: ${report.verdict} · Concertina rehearsal`;

{
  const timeline = new Timeline();
  const histograms = new Histograms();
  document.getElementById("page").append(...[
    head(),
    timelineSection(timeline),
    histogramSection(histograms),
    stageTable(),
    evidenceSection(),
    injectionSection(),
    failureSection(),
    invariantSection(),
    ledgerSection(),
    statisticsSection(),
    noteSection(),
  ].filter(Boolean));
  document.body.append(hint);
  // Now, and not when the observers come to it: whoever prints or reads the page at once has the pictures too.
  timeline.resize();
  histograms.resize();
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
}
document.documentElement.dataset.drawn = "";
