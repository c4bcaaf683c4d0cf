//! The report as one HTML file that needs nothing else: the document is in it, and a script draws it.
//!
//! What the texts in the document say comes from SQL and from users. Here they are escaped; the script makes text nodes of them.

use super::report::{Assertion, Report};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
/// One script, in this order.
const SCRIPT: [&str; 6] = [
    include_str!("page/base.js"),
    include_str!("page/head.js"),
    include_str!("page/timeline.js"),
    include_str!("page/histograms.js"),
    include_str!("page/tables.js"),
    include_str!("page/main.js"),
];

/// Makes the page of a rehearsal.
pub fn page(report: &Report) -> Result<String, serde_json::Error> {
    // `</script>` in a text must not end the script that it is in.
    let document = serde_json::to_string(report)?.replace('<', "\\u003c");
    Ok(fill(&[
        ("<!--TITLE-->", &title(report)),
        ("/*STYLE*/", STYLE),
        ("<!--SUMMARY-->", &summary(report)),
        ("/*REPORT*/", &document),
        ("/*SCRIPT*/", &SCRIPT.join("\n")),
    ]))
}

/// Puts each part in its place, from the top to the bottom, so that no text is taken for a place.
fn fill(parts: &[(&str, &str)]) -> String {
    let mut page = String::new();
    let mut rest = PAGE;
    for (place, part) in parts {
        let (before, after) = rest.split_once(place).expect("the page has a place for each part, in this order");
        page.push_str(before);
        page.push_str(part);
        rest = after;
    }
    page + rest
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

fn title(report: &Report) -> String {
    escape(&format!("{} → {}: {} · Concertina rehearsal", report.from, report.to, report.verdict))
}

/// The verdict and the evidence, for a reader without a script.
fn summary(report: &Report) -> String {
    let passed = if report.passed { "passed" } else { "not passed" };
    let assertions: String = report.assertions.iter().map(assertion).collect();
    format!(
        "<div>\n<h1>{} → {}: {}</h1>\n<p>{passed}: {} was asked for. {}, {:.1} s.</p>\n<p>The same again: <code>{}</code></p>\n\
         {assertions}<p>The pictures and the rest are drawn by a script.</p>\n</div>",
        escape(&report.from),
        escape(&report.to),
        report.verdict,
        report.required,
        escape(&report.server),
        std::time::Duration::from_millis(report.duration_ms).as_secs_f64(),
        escape(&report.command),
    )
}

fn assertion(assertion: &Assertion) -> String {
    let evidence: String = assertion
        .evidence
        .iter()
        .map(|evidence| {
            let (mark, what, found) = (yes(evidence.holds), escape(&evidence.what), escape(&evidence.found));
            format!("<li>{mark} {what}: {found}</li>\n")
        })
        .collect();
    let (mark, name, says) = (yes(assertion.holds), assertion.name, escape(assertion.says));
    format!("<h2>{mark} {name}</h2>\n<p>{says}</p>\n<ul>\n{evidence}</ul>\n")
}

fn yes(holds: bool) -> &'static str {
    if holds { "✓ yes:" } else { "✗ no:" }
}
