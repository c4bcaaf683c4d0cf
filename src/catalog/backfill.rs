//! A backfill of a data file: which table it walks, what it does with the rows, and which of them are not done yet.

use std::path::Path;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_yaml::Value;

use super::Loader;
use super::allow::Allow;
use super::change::{canonical, checksum};
use super::diagnostic::Origin;
use super::document::{Document, Part};
use crate::dialect::{Kind, Sql};

/// A backfill of a file.
#[derive(Debug, Clone)]
pub struct Backfill {
    /// `<release>/migrate/<NN>_<slug>`.
    pub id: String,
    /// The table that is walked.
    pub table: String,
    /// What is done with its rows.
    pub work: Work,
    /// Which rows are not done yet; `None`: all of them, where what is done tells by itself.
    pub pending: Option<Sql>,
    /// Where it is.
    pub origin: Origin,
    /// The rules of lint that it silences.
    pub allows: Vec<Allow>,
    body: Sql,
}

/// What a backfill does with the rows that match.
#[derive(Debug, Clone)]
pub enum Work {
    /// Sets columns, each to an expression over the row.
    Update(Vec<(String, Sql)>),
    /// Makes a row in another table where there is none of its key.
    Copy(Copy),
    /// Deletes them, and what refers to them before.
    Delete(Vec<Child>),
    /// Gives them to a program, and writes what it answers.
    Command(Program),
}

/// Where a copy goes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copy {
    /// The table that gets the rows.
    pub into: String,
    /// The columns of it that tell one row from another: a unique key.
    pub key: Vec<String>,
    /// Its columns, each with an expression over the row that is walked.
    pub columns: IndexMap<String, Sql>,
}

/// Rows of another table that refer to the rows that are deleted, and go before them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Child {
    /// The other table.
    pub table: String,
    /// Its columns, each with the column that it refers to: of the walked table, or of the child that it stands under.
    pub key: IndexMap<String, String>,
    /// Those that refer to its rows.
    #[serde(default)]
    pub children: Vec<Child>,
}

impl Child {
    /// It, and all that stands under it.
    pub fn tree(&self) -> Vec<&Self> {
        [self].into_iter().chain(self.children.iter().flat_map(Self::tree)).collect()
    }
}

/// An external program.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The program and its arguments; a path with a `/` is the project's.
    pub run: Vec<String>,
    /// The columns it is given, besides the key.
    pub reads: Vec<String>,
    /// The columns it may change.
    pub writes: Vec<String>,
}

impl Backfill {
    /// The text that is recorded when the backfill starts.
    pub fn body(&self, kind: Kind) -> &str {
        self.body.on(kind).unwrap_or_default()
    }
    /// The checksum over [`Backfill::body`].
    pub fn checksum(&self, kind: Kind) -> String {
        checksum(&self.body, kind)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DataFile {
    #[serde(default)]
    #[expect(dead_code, reason = "for people; read so that a wrong type is an error")]
    description: Option<String>,
    backfill: BackfillText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BackfillText {
    table: String,
    set: Option<IndexMap<String, Sql>>,
    copy: Option<Copy>,
    delete: Option<DeleteText>,
    command: Option<Program>,
    r#where: Option<Sql>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeleteText {
    #[serde(default)]
    children: Vec<Child>,
}

const KINDS: &str = "a backfill has one of `set`, `copy`, `delete` and `command`";

impl Loader {
    /// Reads the backfill of a data file.
    pub(super) fn backfill(&mut self, id: &str, mut document: Document) -> Option<Backfill> {
        let mut value = std::mem::take(&mut document.value);
        let allows = self.take_allows(&document, &mut value, &[]);
        document.value = value;
        let document = &document;
        let file: DataFile = match document.read(&document.value, &[]) {
            Ok(file) => file,
            Err(errors) => {
                self.errors.extend(errors);
                return None;
            }
        };
        let origin = document.origin(&[Part::Key("backfill".to_owned())]);
        let text = file.backfill;
        let given = [text.set.is_some(), text.copy.is_some(), text.delete.is_some(), text.command.is_some()];
        if given.iter().filter(|given| **given).count() != 1 {
            self.errors.push(origin.diagnostic(KINDS));
            return None;
        }
        let mut refuse = |word: &str, message: &str| self.errors.push(origin.narrowed(word).diagnostic(message));
        let mut expressions: Vec<&Sql> = Vec::new();
        if let Some(set) = &text.set {
            if set.is_empty() {
                refuse("set", "`set` names no column");
            }
            expressions.extend(set.values());
        }
        if let Some(copy) = &text.copy {
            if copy.columns.is_empty() {
                refuse("columns", "`columns` names no column");
            }
            if copy.into == text.table {
                refuse("into", "a copy goes into another table");
            }
            if copy.key.is_empty() {
                refuse("key", "`key` names no column");
            }
            for key in copy.key.iter().filter(|key| !copy.columns.contains_key(*key)) {
                refuse(key, &format!("`columns` gives no value for the key column `{key}`"));
            }
            expressions.extend(copy.columns.values());
        }
        for child in text.delete.iter().flat_map(|delete| delete.children.iter().flat_map(Child::tree)) {
            if child.key.is_empty() {
                refuse(&child.table, "`key` names no column");
            }
            if child.table == text.table || child.children.iter().any(|below| below.table == child.table) {
                refuse(&child.table, "a table cannot be its own child: rows of one table go in one statement");
            }
        }
        if let Some(program) = &text.command {
            match program.run.first() {
                None => refuse("run", "`run` names no program"),
                Some(name) if name.contains('/') && !self.root.join(name).is_file() => {
                    refuse(name, &format!("there is no program `{name}` in the project"));
                }
                Some(_) => {}
            }
            if program.writes.is_empty() {
                refuse("writes", "`writes` names no column");
            }
        }
        if text.r#where.is_none() && text.copy.is_none() {
            let place = document.key_origin(&[Part::Key("backfill".to_owned())]);
            self.errors.push(place.diagnostic("missing key `where`"));
        }
        for sql in expressions.into_iter().chain(&text.r#where) {
            self.check_expression(sql, &origin);
        }
        let work = match (text.set, text.copy, text.delete, text.command) {
            (Some(set), ..) => Work::Update(set.into_iter().collect()),
            (_, Some(copy), ..) => Work::Copy(copy),
            (_, _, Some(delete), _) => Work::Delete(delete.children),
            (.., command) => Work::Command(self.in_project(command?)),
        };
        Some(Backfill {
            id: id.to_owned(),
            table: text.table,
            work,
            pending: text.r#where,
            allows,
            body: Sql::Same(canonical(document.value.get("backfill").unwrap_or(&Value::Null))),
            origin,
        })
    }

    fn in_project(&self, mut program: Program) -> Program {
        if let Some(name) = program.run.first_mut().filter(|name| name.contains('/') && !Path::new(name).is_absolute())
        {
            let path = self.root.join(name.as_str());
            *name = std::path::absolute(&path).unwrap_or(path).to_string_lossy().into_owned();
        }
        program
    }
}
