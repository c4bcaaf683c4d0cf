//! What is wrong with a project, and where: file, line, column, the source line, what was expected.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A file of the project, kept for as long as something may have to point into it.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// Its path, relative to the project.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The file.
    pub source: Arc<Source>,
    /// The bytes.
    pub span: Range<usize>,
}

impl Origin {
    /// The start of a file.
    pub fn file(source: &Arc<Source>) -> Self {
        Self { source: Arc::clone(source), span: 0..0 }
    }

    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.source.text[..self.span.start.min(self.source.text.len())].matches('\n').count() + 1
    }

    /// The column, counted from 1 in characters.
    pub fn column(&self) -> usize {
        let before = &self.source.text[..self.span.start.min(self.source.text.len())];
        before.rsplit('\n').next().unwrap_or_default().chars().count() + 1
    }

    /// Where it ends: line and column, counted from 1; where it goes over several lines, the end of its first.
    pub fn end(&self) -> (usize, usize) {
        let text = self.source.text.get(self.span.clone()).unwrap_or_default();
        let first = text.lines().next().unwrap_or_default();
        (self.line(), self.column() + first.chars().count())
    }

    /// The first place inside this one where a word stands by itself; this place, where it does not.
    #[must_use]
    pub fn narrowed(&self, word: &str) -> Self {
        let text = &self.source.text[self.span.clone()];
        let part_of_word = |character: char| character.is_alphanumeric() || character == '_';
        let found = text.match_indices(word).find(|(at, _)| {
            let starts_inside = word.starts_with(part_of_word) && text[..*at].ends_with(part_of_word);
            let ends_inside = word.ends_with(part_of_word) && text[at + word.len()..].starts_with(part_of_word);
            !word.is_empty() && !starts_inside && !ends_inside
        });
        match found {
            Some((at, _)) => {
                let start = self.span.start + at;
                Self { source: Arc::clone(&self.source), span: start..start + word.len() }
            }
            None => self.clone(),
        }
    }

    /// A diagnostic about this place.
    pub fn diagnostic(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic { message: message.into(), origin: Some(self.clone()), path: self.source.path.clone(), help: None }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, and what was expected: a lower-case fragment.
    pub message: String,
    /// Where, if inside a file.
    pub origin: Option<Origin>,
    /// The file or folder.
    pub path: String,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic about a whole file or folder.
    pub fn of_path(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { message: message.into(), origin: None, path: path.into(), help: None }
    }

    /// The same, with what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Some(origin) => {
                write!(f, "{}:{}:{}: {}", self.path, origin.line(), origin.column(), self.message)
            }
            None => write!(f, "{}: {}", self.path, self.message),
        }
    }
}

/// Everything that is wrong with a project.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} in the project", count(.0.len()))]
pub struct Diagnostics(pub Vec<Diagnostic>);

fn count(errors: usize) -> String {
    if errors == 1 { "1 error".to_owned() } else { format!("{errors} errors") }
}
