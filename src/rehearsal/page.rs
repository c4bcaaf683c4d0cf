//! The report as one HTML file that needs nothing else: the document is in it, and a script draws it.

use super::report::Report;

const PAGE: &str = include_str!("page.html");
/// Where the document goes.
const PLACE: &str = "/*REPORT*/";

/// Makes the page of a rehearsal.
pub fn page(report: &Report) -> Result<String, serde_json::Error> {
    // `</script>` in a text must not end the script that it is in.
    let document = serde_json::to_string(report)?.replace('<', "\\u003c");
    Ok(PAGE.replacen(PLACE, &document, 1))
}
