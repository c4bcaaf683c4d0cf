//! The page that a rehearsal leaves, in a browser.

mod chromium;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Concertina, Project};
use chromium::{Chromium, Scheme};

/// Names an operation that would take the page over, if one let it.
const HOSTILE: &str = "</script><img src=x onerror=\"document.documentElement.dataset.error='it ran'\">";

/// A column that gets another name, twice.
fn project() -> Project {
    let project = Project::new(&[
        ("concertina.yaml", "database: sqlite://notes.db\nreleases: [one, two, three]\n"),
        ("migrations/sqlite/V1__notes.sql", "CREATE TABLE notes (id INTEGER PRIMARY KEY, body VARCHAR(80));\n"),
    ]);
    for (release, old, new) in [("two", "body", "content"), ("three", "content", "words")] {
        let expand = format!(
            "steps:\n  \
               - add_column: {{ table: notes, column: {{ name: {new}, type: string(80) }} }}\n    \
                 allow: {{ select-star: none, prepared-statements: none }}\n  \
               - sync: {{ name: notes_{new}, table: notes, forward: {{ {new}: {old} }}, backward: {{ {old}: {new} }} }}\n"
        );
        project.write(&format!("expand/{release}/01_{new}.yaml"), &expand);
        let data = format!(
            "backfill:\n  table: notes\n  set: {{ {new}: {old} }}\n  where: {new} IS NULL AND {old} IS NOT NULL\n"
        );
        project.write(&format!("data/{release}/01_{new}.yaml"), &data);
        let contract = format!("steps:\n  - drop_column: {{ table: notes, column: {old} }}\n");
        project.write(&format!("contract/{release}/01_{new}.yaml"), &contract);
    }
    for (release, column) in [("one", "body"), ("two", "content"), ("three", "words")] {
        let hostile = Value::from(HOSTILE).to_string();
        let workload = format!(
            "seed:\n  - {{ name: notes, rows: 50, do: [\"INSERT INTO notes ({column}) VALUES ('first')\"] }}\n\
             operations:\n  \
               - {{ name: read, weight: 3, do: [\"SELECT id, {column} FROM notes ORDER BY id LIMIT 5\"] }}\n  \
               - {{ name: {hostile}, weight: 2, do: [\"INSERT INTO notes ({column}) VALUES ('more')\"] }}\n\
             invariants:\n  \
               - {{ name: \"every <b>note</b> has words\", sql: \"SELECT id FROM notes WHERE {column} = ''\" }}\n"
        );
        project.write(&format!("tests/workloads/{release}.yaml"), &workload);
    }
    project
}

/// A rehearsal's page and its document.
struct Rehearsed {
    _project: Project,
    page: PathBuf,
    document: Value,
}

impl Rehearsed {
    fn new() -> Self {
        let project = project();
        let folder = project.path().join("report");
        let arguments = ["rehearse", "one", "three", "--stage", "300ms", "--report", &folder.display().to_string()];
        let output = Concertina::in_project(project.path()).run(&arguments);
        // How good the upgrade is does not matter here.
        assert!(matches!(output.code, Some(0 | 6)), "{output}");
        let document = project.read("report/report.json");
        let document = serde_json::from_str(&document).expect("the document is JSON");
        Self { _project: project, page: folder.join("report.html"), document }
    }

    /// The page as a browser reads it that runs no scripts: they are nothing, and what stands instead of them is there. Chromium
    /// itself cannot be asked, since it uses a script to write the document.
    fn without_script(&self) -> PathBuf {
        let page = std::fs::read_to_string(&self.page).expect("the page");
        let mut rest = page.replace("<noscript>", "<div>").replace("</noscript>", "</div>");
        let mut kept = String::new();
        while let Some((before, script)) = rest.split_once("<script") {
            kept.push_str(before);
            rest = script.split_once("</script>").expect("a script ends").1.to_owned();
        }
        let file = self.page.with_file_name("without-script.html");
        std::fs::write(&file, kept + &rest).expect("another page");
        file
    }

    fn list(&self, part: &str) -> &[Value] {
        self.document[part].as_array().unwrap_or_else(|| panic!("the document has no `{part}`"))
    }
}

/// The values of an attribute, of all elements with a class, in order.
fn values<'d>(dom: &'d str, class: &str, attribute: &str) -> Vec<&'d str> {
    let tags = dom.split('<').filter_map(|tag| tag.split_once('>')).map(|(tag, _)| tag);
    let of_class = tags.filter(|tag| {
        let classes = tag.split_once("class=\"").and_then(|(_, rest)| rest.split_once('"'));
        classes.is_some_and(|(classes, _)| classes.split(' ').any(|name| name == class))
    });
    let value = |tag: &'d str| tag.split_once(&format!(" {attribute}=\"")).and_then(|(_, rest)| rest.split_once('"'));
    of_class.filter_map(value).map(|(value, _)| value).collect()
}

fn texts<'d>(values: &'d [Value], key: &str) -> Vec<&'d str> {
    values.iter().map(|value| value[key].as_str().expect("a text")).collect()
}

#[test]
fn the_page_draws_what_the_document_says_and_nothing_in_it_runs() {
    let rehearsed = Rehearsed::new();
    let dom = Chromium::new().dom(&rehearsed.page);
    let root = dom.split_once("<html").and_then(|(_, rest)| rest.split_once('>')).expect("a root").0;
    assert!(root.contains("data-drawn") && !root.contains("data-error"), "the script should end well: <html{root}>");

    let stages = rehearsed.list("stages");
    assert_eq!(values(&dom, "band", "data-stage"), texts(stages, "stage"), "every stage has its band");
    assert_eq!(values(&dom, "band", "data-hop"), texts(stages, "hop"));
    let hops: BTreeSet<&str> = texts(stages, "hop").into_iter().collect();
    assert_eq!(dom.matches("class=\"bracket\"").count(), if hops.len() > 1 { hops.len() } else { 0 });
    let drawn = stages.iter().filter(|stage| stage["latency"]["count"] != 0);
    assert_eq!(values(&dom, "row", "data-stage").len(), drawn.count(), "and its histogram");

    // Of two at once it does not matter which pin is the first.
    let mut pins: Vec<&str> = values(&dom, "pin", "data-kind").iter().flat_map(|kinds| kinds.split(' ')).collect();
    let mut kinds = texts(rehearsed.list("injections"), "kind");
    pins.sort_unstable();
    kinds.sort_unstable();
    assert_eq!(pins, kinds, "every injection has its pin");

    let verdict = rehearsed.document["verdict"].as_str().expect("a verdict");
    assert_eq!(values(&dom, "word", "data-verdict"), [verdict]);
    assert_eq!(values(&dom, "rung", "data-verdict"), texts(rehearsed.list("assertions"), "name"));
    expect_hostile_text(&dom);
    expect_words(&rehearsed);
}

#[track_caller]
fn expect_harmless(dom: &str) {
    assert!(dom.contains("</html>"), "there should be a document: {dom}");
    assert!(!dom.contains("<img") && !dom.contains("<b>note"), "a text should not become an element");
    assert!(!dom.contains("data-error"), "a text should not run");
}

fn expect_hostile_text(dom: &str) {
    expect_harmless(dom);
    let in_html = "&lt;/script&gt;&lt;img src=x onerror=\"document.documentElement.dataset.error='it ran'\"&gt;";
    assert!(dom.contains(in_html), "the operation's name should be on the page");
    assert!(dom.contains("every &lt;b&gt;note&lt;/b&gt; has words"));
}

/// Without a script there are the verdict and the evidence.
fn expect_words(rehearsed: &Rehearsed) {
    let dom = Chromium::new().dom(&rehearsed.without_script());
    expect_harmless(&dom);
    let verdict = rehearsed.document["verdict"].as_str().expect("a verdict");
    assert!(dom.contains(&format!("<h1>one → three: {verdict}</h1>")), "{dom}");
    for assertion in rehearsed.list("assertions") {
        for what in texts(assertion["evidence"].as_array().expect("evidence"), "what") {
            assert!(dom.contains(what), "`{what}` should be there");
        }
    }
}

#[test]
fn the_page_is_drawn_in_light_and_in_dark() {
    let rehearsed = Rehearsed::new();
    let chromium = Chromium::new();
    let size = [1_000, 1_200];
    let [light, dark] = [Scheme::Light, Scheme::Dark].map(|scheme| chromium.screenshot(&rehearsed.page, scheme, size));
    for picture in [&light, &dark] {
        assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"), "it should be a PNG");
        let number = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().expect("four bytes"));
        assert_eq!([number(16), number(20)], size);
        // One of a single colour has some 5 KB.
        assert!(picture.len() > 40_000, "there should be something on it: it has {} bytes", picture.len());
    }
    assert!(light != dark, "dark should not look like light");
}
