//! A schema as a list of facts, each under a path that says what it is about, so that two schemas differ in a few
//! readable lines and a difference can be named.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::sqlite_ddl;

/// What is known about a schema: `images, column visibility` is `VARCHAR(9) NOT NULL DEFAULT 'shared'`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Schema {
    facts: BTreeMap<String, String>,
}

/// A column, as it is introspected.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) type_name: String,
    pub(crate) nullable: bool,
    pub(crate) default: Option<String>,
    pub(crate) autoincrement: bool,
}

impl Schema {
    pub(crate) fn add_enum(&mut self, name: &str, values: &[String]) {
        self.put(&format!("enum {name}"), values.join(", "));
    }

    /// Adds a table; `options` are the engine and the collation, where there are such.
    pub(crate) fn add_table(&mut self, table: &str, columns: &[Column], primary_key: &[String], options: &str) {
        self.put(&format!("table {table}"), format!("present {options}").trim_end().to_owned());
        let order: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        self.put(&format!("{table}, order of columns"), order.join(", "));
        for column in columns {
            let mut text = column.type_name.clone();
            text.push_str(if column.nullable { " NULL" } else { " NOT NULL" });
            if let Some(default) = &column.default {
                text.push_str(" DEFAULT ");
                text.push_str(default);
            }
            if column.autoincrement {
                text.push_str(", autoincrement");
            }
            self.put(&format!("{table}, column {}", column.name), text);
        }
        self.put(&format!("{table}, primary key"), list(primary_key));
    }

    pub(crate) fn add_unique(&mut self, table: &str, columns: &[String], name: Option<&str>) {
        self.put(&format!("{table}, unique {}", list(columns)), named(name));
    }

    /// Adds an index; `extra` says what makes it special, a predicate say.
    pub(crate) fn add_index(&mut self, table: &str, name: &str, columns: &[String], unique: bool, extra: &str) {
        let unique = if unique { " unique" } else { "" };
        let text = format!("{}{unique} {extra}", list(columns));
        self.put(&format!("{table}, index {name}"), text.trim_end().to_owned());
    }

    /// Adds a foreign key; `options` are its actions and its deferral, where they are not the database's defaults.
    pub(crate) fn add_foreign_key(
        &mut self,
        table: &str,
        columns: &[String],
        (to_table, to_columns): (&str, &[String]),
        name: Option<&str>,
        options: &str,
    ) {
        let text = format!("to {to_table} {}, {} {options}", list(to_columns), named(name));
        self.put(&format!("{table}, foreign key {}", list(columns)), text.trim_end().to_owned());
    }

    /// Adds a check; how it is spaced and quoted does not count.
    pub(crate) fn add_check(&mut self, table: &str, sql: &str, name: Option<&str>) {
        self.put(&format!("{table}, check {}", sqlite_ddl::normalised(sql)), named(name));
    }

    /// Two equal constraints are two facts.
    fn put(&mut self, path: &str, text: String) {
        let mut unique = path.to_owned();
        let mut count = 1;
        while self.facts.contains_key(&unique) {
            count += 1;
            unique = format!("{path}, number {count}");
        }
        self.facts.insert(unique, text);
    }

    /// Gives what is known under a path, `images, column visibility` say.
    pub(crate) fn fact(&self, path: &str) -> Option<&str> {
        self.facts.get(path).map(String::as_str)
    }

    /// Reads one of the recorded documents.
    pub(crate) fn from_facts(document: &Value) -> Self {
        let mut schema = Self::default();
        // Only PostgreSQL has enum types.
        for (name, values) in document["enums"].as_object().into_iter().flatten() {
            schema.add_enum(name, &texts(values));
        }
        for (table, facts) in document["tables"].as_object().expect("the facts have tables") {
            let columns: Vec<Column> = items(&facts["columns"])
                .iter()
                .map(|column| Column {
                    name: text(&column["name"]),
                    type_name: text(&column["type"]),
                    nullable: column["nullable"].as_bool().expect("nullable is a boolean"),
                    default: optional(&column["default"]),
                    autoincrement: column["autoincrement"].as_bool().expect("autoincrement is a boolean"),
                })
                .collect();
            let options = facts.get("options").map_or_else(String::new, |options| {
                format!("{} {}", text(&options["mysql_engine"]), text(&options["mysql_collate"]))
            });
            schema.add_table(table, &columns, &texts(&facts["primary_key"]), &options);
            for unique in items(&facts["uniques"]) {
                schema.add_unique(table, &texts(&unique["columns"]), optional(&unique["name"]).as_deref());
            }
            for index in items(&facts["indexes"]) {
                let unique = index["unique"].as_bool().expect("unique is a boolean");
                schema.add_index(table, &text(&index["name"]), &texts(&index["columns"]), unique, "");
            }
            for key in items(&facts["foreign_keys"]) {
                let options = key["options"].as_object().expect("options are a mapping");
                assert!(options.is_empty(), "Glance's foreign keys have no actions; write down how these compare");
                schema.add_foreign_key(
                    table,
                    &texts(&key["columns"]),
                    (&text(&key["ref_table"]), &texts(&key["ref_columns"])),
                    optional(&key["name"]).as_deref(),
                    "",
                );
            }
            for check in items(&facts["checks"]) {
                schema.add_check(table, &text(&check["sql"]), optional(&check["name"]).as_deref());
            }
        }
        schema
    }

    /// Lists every difference; of a table that one side lacks, the table alone.
    pub(crate) fn differences(expected: &Self, found: &Self) -> Vec<Difference> {
        let paths: BTreeSet<&String> = expected.facts.keys().chain(found.facts.keys()).collect();
        paths
            .into_iter()
            .filter(|path| {
                let Some((table, _)) = path.split_once(", ") else {
                    return true;
                };
                let table = format!("table {table}");
                expected.facts.contains_key(&table) && found.facts.contains_key(&table)
            })
            .map(|path| Difference {
                path: path.clone(),
                expected: expected.facts.get(path).cloned(),
                found: found.facts.get(path).cloned(),
            })
            .filter(|difference| difference.expected != difference.found)
            .collect()
    }
}

/// One fact that two schemas do not share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub(crate) path: String,
    pub(crate) expected: Option<String>,
    pub(crate) found: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let absent = "(absent)";
        writeln!(f, "{}", self.path)?;
        writeln!(f, "    expected  {}", self.expected.as_deref().unwrap_or(absent))?;
        write!(f, "    found     {}", self.found.as_deref().unwrap_or(absent))
    }
}

fn list(columns: &[String]) -> String {
    format!("({})", columns.join(", "))
}

fn named(name: Option<&str>) -> String {
    name.map_or_else(|| "unnamed".to_owned(), |name| format!("named {name}"))
}

fn items(value: &Value) -> &[Value] {
    value.as_array().expect("the facts have a list here")
}

fn text(value: &Value) -> String {
    value.as_str().expect("the facts have a text here").to_owned()
}

fn optional(value: &Value) -> Option<String> {
    value.as_str().map(ToOwned::to_owned)
}

fn texts(value: &Value) -> Vec<String> {
    items(value).iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(visibility: &str) -> Schema {
        let mut schema = Schema::default();
        let column = Column {
            name: "visibility".to_owned(),
            type_name: visibility.to_owned(),
            nullable: true,
            default: None,
            autoincrement: false,
        };
        schema.add_table("images", &[column], &["id".to_owned()], "");
        schema
    }

    #[test]
    fn a_column_of_another_type_is_one_difference() {
        let differences = Schema::differences(&schema("TEXT"), &schema("VARCHAR(9)"));
        assert_eq!(differences.len(), 1, "{differences:?}");
        assert_eq!(
            differences[0].to_string(),
            "images, column visibility\n    expected  TEXT NULL\n    found     VARCHAR(9) NULL"
        );
    }

    #[test]
    fn a_missing_table_is_one_difference() {
        let differences = Schema::differences(&schema("TEXT"), &Schema::default());
        assert_eq!(differences.len(), 1, "{differences:?}");
        assert_eq!(differences[0].path, "table images");
    }

    #[test]
    fn the_same_check_twice_is_not_the_same_check_once() {
        let (mut once, mut twice) = (schema("TEXT"), schema("TEXT"));
        once.add_check("images", "a > 0", None);
        twice.add_check("images", "a > 0", None);
        twice.add_check("images", "A  >  0", None);
        assert_eq!(Schema::differences(&once, &twice).len(), 1);
    }
}
