//! What a table consists of, object by object in words, so that two of its states can be compared and the difference named.

use std::collections::BTreeMap;

use super::PREFIX;
use super::schema::{Column, Table};

/// A table's objects: what each is called, and how it is defined.
pub type Objects = BTreeMap<String, String>;

/// How one object differs between two states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It was there.
    Missing(String),
    /// It was not there.
    New(String),
    /// It is defined otherwise.
    Changed {
        /// The object.
        object: String,
        /// Its definition before.
        was: String,
        /// Its definition now.
        is: String,
    },
}

impl Difference {
    /// In words; `new` is what is said of a new object, and `before` stands before what one was.
    pub fn words(&self, new: &str, before: &str) -> String {
        match self {
            Self::Missing(object) => format!("{object} is missing"),
            Self::New(object) => format!("{object} {new}"),
            // A trigger's definition is a long text, of which only a fingerprint is kept.
            Self::Changed { object, .. } if object.starts_with(TRIGGER) => format!("{object} is another one now"),
            Self::Changed { object, was, is } => format!("{object} is {is}, {before} {was}"),
        }
    }
}

const TRIGGER: &str = "trigger ";

/// What differs between two states, by the objects' names.
pub fn differences(was: &Objects, is: &Objects) -> Vec<Difference> {
    let mut found = Vec::new();
    for (object, definition) in was {
        match is.get(object) {
            None => found.push(Difference::Missing(object.clone())),
            Some(now) if now != definition => {
                let (object, was, is) = (object.clone(), definition.clone(), now.clone());
                found.push(Difference::Changed { object, was, is });
            }
            Some(_) => {}
        }
    }
    found.extend(is.keys().filter(|object| !was.contains_key(*object)).cloned().map(Difference::New));
    found
}

fn of_column(column: &Column) -> String {
    let null = if column.nullable { "NULL" } else { "NOT NULL" };
    let default = column.default.as_ref().map_or_else(String::new, |default| format!(" DEFAULT {default}"));
    format!("{} {null}{default}", column.type_name)
}

impl Table {
    /// Its objects. Constraints go by what they say, since their names differ from server to server; our own triggers and
    /// constraints are not among them.
    pub fn objects(&self) -> Objects {
        let name = &self.name;
        let mut objects: Objects =
            self.columns.iter().map(|column| (format!("column {name}.{}", column.name), of_column(column))).collect();
        if !self.primary_key.is_empty() {
            objects.insert(format!("the primary key of {name}"), format!("({})", self.primary_key.join(", ")));
        }
        for unique in &self.uniques {
            objects.insert(format!("unique constraint ({}) of {name}", unique.columns.join(", ")), String::new());
        }
        for index in &self.indexes {
            let unique = if index.unique { "unique" } else { "ordinary" };
            let state = if index.valid { unique.to_owned() } else { format!("{unique}, invalid") };
            objects.insert(format!("index {} ({}) of {name}", index.name, index.columns.join(", ")), state);
        }
        for key in &self.foreign_keys {
            let object = format!(
                "foreign key ({}) to {} ({}) of {name}",
                key.columns.join(", "),
                key.references,
                key.referenced_columns.join(", ")
            );
            objects.insert(object, String::new());
        }
        let ours = |name: &str| name.trim_start_matches('~').starts_with(PREFIX);
        for check in self.checks.iter().filter(|check| !check.name.as_deref().is_some_and(ours)) {
            objects.insert(format!("check {} of {name}", check.expression), String::new());
        }
        for trigger in self.triggers.iter().filter(|trigger| !ours(&trigger.name)) {
            let state = if trigger.enabled { "" } else { "disabled " };
            objects.insert(format!("{TRIGGER}{} of {name}", trigger.name), format!("{state}{}", trigger.fingerprint()));
        }
        objects
    }
}
