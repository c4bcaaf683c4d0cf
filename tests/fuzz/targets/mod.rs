//! The targets, and what they share: a project on disk that holds the text, and what must be so of each error.

pub(super) mod change;
pub(super) mod expression;
pub(super) mod manifest;
pub(super) mod sql;
pub(super) mod table;

use std::cell::OnceCell;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use concertina::catalog::{Diagnostic, Origin, Project};
use concertina::db::without_passwords;
use concertina::dialect::{self, Dialect, Kind, Server};
use tempfile::TempDir;

/// Reads a project of these files, at a place that is the same every time.
fn project(files: &[(&str, &str)]) -> Result<Project, Vec<Diagnostic>> {
    thread_local! {
        static FOLDER: OnceCell<TempDir> = const { OnceCell::new() };
    }
    FOLDER.with(|folder| {
        let root = folder.get_or_init(|| {
            let memory = Path::new("/dev/shm");
            let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
            made.expect("a temporary folder")
        });
        for part in ["expand", "data", "contract"] {
            fs::remove_dir_all(root.path().join(part)).ok();
        }
        for (path, text) in files {
            let file = root.path().join(path);
            fs::create_dir_all(file.parent().expect("a file has a folder")).expect("a folder");
            fs::write(file, text).expect("a file");
        }
        Project::load(root.path()).map_err(|errors| errors.0)
    })
}

/// What must be so of the errors of a project.
fn expect_sound_errors(errors: &[Diagnostic]) {
    assert!(!errors.is_empty(), "it was refused without an error");
    for (at, error) in errors.iter().enumerate() {
        assert!(!error.message.is_empty() && !error.path.is_empty(), "{error:?}");
        assert!(!error.to_string().is_empty());
        if let Some(origin) = &error.origin {
            expect_sound(origin);
            // What is shown of a place takes as long as its file is; a few of them show as much as all.
            if at < 3 {
                shown(origin, &error.message);
            }
        }
    }
}

/// A place is inside its file, and nowhere in the middle of a letter.
fn expect_sound(origin: &Origin) {
    let text = &origin.source.text;
    assert!(text.get(origin.span.clone()).is_some(), "{:?} is no place in a text of {} bytes", origin.span, text.len());
    let lines = text.matches('\n').count() + 1;
    let ((line, _), (start, column)) = (origin.end(), (origin.line(), origin.column()));
    assert!(line == start && (1..=lines).contains(&line) && column >= 1, "{line}:{column} of {lines} lines");
    let narrowed = origin.narrowed("table");
    assert!(narrowed.span.start >= origin.span.start && narrowed.span.end <= origin.span.end);
}

/// As the command line shows it.
fn shown(origin: &Origin, message: &str) {
    let text = without_passwords(&origin.source.text);
    assert_eq!(text.len(), origin.source.text.len());
    if text.is_empty() {
        return;
    }
    let first = text[origin.span.clone()].find('\n').map_or(origin.span.end, |at| origin.span.start + at);
    let span = origin.span.start..first.max(origin.span.start);
    let snippet = Snippet::source(text.as_str()).path("a file").annotation(AnnotationKind::Primary.span(span));
    let report = Level::ERROR.primary_title(message).element(snippet);
    assert!(!Renderer::plain().render(&[report]).is_empty());
}

fn dialects() -> Vec<Arc<dyn Dialect>> {
    let of = |(kind, version): (Kind, &str)| dialect::of(kind, Server { version: version.to_owned() });
    [(Kind::Postgres, "17.2"), (Kind::MySql, "10.11.6-MariaDB"), (Kind::MySql, "8.4.3"), (Kind::Sqlite, "3.46.0")]
        .map(of)
        .to_vec()
}
