//! SQLite has one lock for all that write. It is held to the end of a step's transaction; readers go on where the journal is a
//! write-ahead log, and wait for the last instant elsewhere.

use super::Sqlite;
use crate::dialect::Schema;
use crate::dialect::cost::{Cost, Costs, Rows, Stops, Work, rows};
use crate::dialect::cursor::Cursor;
use crate::dialect::lex::{Flavor, significant};

const WRITE: (&str, Stops) = ("the write lock", Stops::Writers);

impl Costs for Sqlite {
    fn costs(&self, schema: &Schema, _before: &[String], sql: &str) -> Option<Vec<Cost>> {
        let tokens = significant(sql, Flavor::Sqlite).ok()?;
        let one = |table: String, work| Some(vec![Cost::new(table, WRITE, work)]);
        match rows(sql, Flavor::Sqlite) {
            Some(Rows::Read(tables)) => {
                return Some(tables.into_iter().map(|table| Cost::new(table, WRITE, Work::Reads)).collect());
            }
            Some(Rows::Write { table, given: true }) => return one(table, Work::None),
            Some(Rows::Write { table, .. }) => {
                // A rebuild: every row of one table goes into another.
                let from = tokens.iter().position(|token| token.is_word("from"));
                let from = from.and_then(|at| Cursor::new(&tokens[at + 1..]).name());
                let copied = tokens.first().is_some_and(|verb| verb.is_word("insert"));
                return match from.filter(|_| copied) {
                    Some(from) => one(from, Work::Rewrites),
                    None => one(table, Work::Changes),
                };
            }
            None => {}
        }
        let mut cursor = Cursor::new(&tokens);
        if cursor.eat(&["alter", "table"]) {
            let table = cursor.name()?;
            if cursor.eat(&["drop"]) {
                return one(table, Work::Rewrites);
            }
            // A check of the new column is tried on every row.
            let looks = cursor.at(&["add"]) && cursor.has_word("check");
            return one(table, if looks { Work::Reads } else { Work::None });
        }
        if cursor.eat(&["create"]) {
            cursor.eat(&["unique"]);
            if cursor.eat(&["index"]) {
                while !cursor.is_done() && !cursor.eat(&["on"]) {
                    cursor.next();
                }
                return one(cursor.name()?, Work::Reads);
            }
            if cursor.at(&["trigger"]) {
                while !cursor.is_done() && !cursor.eat(&["on"]) {
                    cursor.next();
                }
                return one(cursor.name()?, Work::None);
            }
            return cursor.at_any(&["table", "view"]).then(Vec::new);
        }
        if cursor.eat(&["drop"]) {
            let what = cursor.next()?.text.to_lowercase();
            cursor.eat_if_exists();
            let name = cursor.name()?;
            let table = match what.as_str() {
                "table" => Some(name),
                "index" => schema.index(&name).map(|(table, _)| table.name.clone()),
                "trigger" => schema.trigger(&name).map(|table| table.name.clone()),
                _ => None,
            };
            return Some(table.map(|table| Cost::new(table, WRITE, Work::None)).into_iter().collect());
        }
        // `PRAGMA foreign_keys` and the like.
        cursor.at(&["pragma"]).then(Vec::new)
    }

    fn locks_database(&self) -> bool {
        true
    }
}
