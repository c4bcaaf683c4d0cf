//! The locks of PostgreSQL's statements, as <https://www.postgresql.org/docs/current/explicit-locking.html> and the pages of the
//! statements have them; a test compares them with what the server shows.

use super::Postgres;
use crate::dialect::cost::{Cost, Costs, Rows, Stops, Work, rows};
use crate::dialect::cursor::Cursor;
use crate::dialect::lex::{Flavor, Token, significant};
use crate::dialect::{Dialect, Schema, Widening};

type Lock = (&'static str, Stops);

const ACCESS_SHARE: Lock = ("ACCESS SHARE", Stops::Nobody);
const ROW_EXCLUSIVE: Lock = ("ROW EXCLUSIVE", Stops::SchemaChanges);
const SHARE_UPDATE_EXCLUSIVE: Lock = ("SHARE UPDATE EXCLUSIVE", Stops::SchemaChanges);
const SHARE: Lock = ("SHARE", Stops::Writers);
const SHARE_ROW_EXCLUSIVE: Lock = ("SHARE ROW EXCLUSIVE", Stops::Writers);
const ACCESS_EXCLUSIVE: Lock = ("ACCESS EXCLUSIVE", Stops::Everybody);

impl Costs for Postgres {
    fn costs(&self, schema: &Schema, before: &[String], sql: &str) -> Option<Vec<Cost>> {
        match rows(sql, Flavor::Postgres) {
            Some(Rows::Read(tables)) => {
                return Some(tables.into_iter().map(|table| Cost::new(table, ACCESS_SHARE, Work::Reads)).collect());
            }
            Some(Rows::Write { table, given }) => {
                let work = if given { Work::None } else { Work::Changes };
                return Some(vec![Cost::new(table, ROW_EXCLUSIVE, work)]);
            }
            None => {}
        }
        let tokens = significant(sql, Flavor::Postgres).ok()?;
        let mut cursor = Cursor::new(&tokens);
        if cursor.eat(&["alter", "table"]) {
            return self.alter_table(schema, before, cursor);
        }
        if cursor.eat(&["create"]) {
            cursor.eat(&["or", "replace"]);
            return create(cursor, &tokens);
        }
        if cursor.eat(&["drop"]) {
            return drop(cursor, schema);
        }
        // Of the others, those that lock no table which somebody uses.
        let own = ["set", "grant", "revoke", "comment"];
        (cursor.at_any(&own) || (cursor.eat(&["alter"]) && cursor.at_any(&["type", "function", "sequence", "index"])))
            .then(Vec::new)
    }

    fn table_bytes(&self, table: &str) -> Option<String> {
        Some(format!("SELECT pg_table_size(to_regclass({}))", self.literal(&self.table(table))))
    }
}

impl Postgres {
    fn alter_table(&self, schema: &Schema, before: &[String], mut cursor: Cursor<'_, '_>) -> Option<Vec<Cost>> {
        cursor.eat_if_exists();
        cursor.eat(&["only"]);
        let table = cursor.name()?;
        let mut costs: Vec<Cost> = Vec::new();
        while let Some(action) = cursor.item() {
            for cost in self.action(schema, before, &table, action)? {
                match costs.iter_mut().find(|known| known.table == cost.table) {
                    // One statement takes the strongest lock that one of its actions asks for.
                    Some(known) => {
                        let stronger = if cost.stops > known.stops { &cost } else { &*known };
                        let work = cost.work.max(known.work);
                        *known = Cost::new(cost.table.clone(), (stronger.lock, stronger.stops), work);
                    }
                    None => costs.push(cost),
                }
            }
        }
        (!costs.is_empty()).then_some(costs)
    }

    fn action(&self, schema: &Schema, before: &[String], table: &str, mut action: Cursor<'_, '_>) -> Option<Vec<Cost>> {
        let one = |lock, work| Some(vec![Cost::new(table, lock, work)]);
        if action.eat(&["add"]) {
            if action.eat(&["constraint"]) {
                action.name()?;
            }
            let later = action.rest().windows(2).any(|words| words[0].is_word("not") && words[1].is_word("valid"));
            let work = if later { Work::None } else { Work::Reads };
            if action.at(&["foreign", "key"]) {
                let mut costs = vec![Cost::new(table, SHARE_ROW_EXCLUSIVE, work)];
                costs.extend(referred(action.rest(), work));
                return Some(costs);
            }
            if action.at(&["check"]) {
                return one(ACCESS_EXCLUSIVE, work);
            }
            if action.at(&["unique"]) || action.at(&["primary", "key"]) {
                let built = action.has_word("using");
                // ONLY a partitioned table's own, which has no rows.
                let empty = schema.table(table).is_some_and(|live| live.partition_key.is_some());
                return one(ACCESS_EXCLUSIVE, if built || empty { Work::None } else { Work::Reads });
            }
            if action.at(&["exclude"]) {
                return one(ACCESS_EXCLUSIVE, Work::Reads);
            }
            action.eat(&["column"]);
            let mut costs = vec![Cost::new(table, ACCESS_EXCLUSIVE, self.added_column(action.rest()))];
            costs.extend(referred(action.rest(), Work::None));
            return Some(costs);
        }
        if action.eat(&["validate", "constraint"]) {
            let key = action.name()?;
            let live = schema.table(table);
            let key = live.and_then(|live| live.foreign_keys.iter().find(|of| of.name.as_ref() == Some(&key)));
            let mut costs = vec![Cost::new(table, SHARE_UPDATE_EXCLUSIVE, Work::Reads)];
            costs.extend(key.map(|key| Cost::new(&*key.references, ("ROW SHARE", Stops::Nobody), Work::Reads)));
            return Some(costs);
        }
        if action.eat(&["drop"]) {
            let mut costs = vec![Cost::new(table, ACCESS_EXCLUSIVE, Work::None)];
            if action.eat(&["constraint"]) {
                action.eat_if_exists();
                let name = action.name()?;
                let live = schema.table(table).into_iter().flat_map(|live| &live.foreign_keys);
                let key = live.filter(|key| key.name.as_ref() == Some(&name));
                costs.extend(key.map(|key| Cost::new(&*key.references, ACCESS_EXCLUSIVE, Work::None)));
            }
            return Some(costs);
        }
        if action.eat(&["alter"]) {
            action.eat(&["column"]);
            let column = action.name()?;
            if action.eat(&["set", "not", "null"]) {
                // A check that was validated says already what a look at every row would say.
                let quoted = self.quote(&column);
                let proves = |sql: &String| sql.contains(&format!("CHECK ({quoted} IS NOT NULL)"));
                let validated = |sql: &String| sql.contains("VALIDATE CONSTRAINT");
                let proved = before.iter().any(proves) && before.iter().any(validated);
                return one(ACCESS_EXCLUSIVE, if proved { Work::None } else { Work::Reads });
            }
            if action.eat(&["type"]) || action.eat(&["set", "data", "type"]) {
                let live = schema.table(table)?;
                let to = action.text();
                let to = to.split(" collate ").next().unwrap_or_default();
                let free = live.column(&column).is_some_and(|column| {
                    matches!(self.widening(schema, live, column, to), Widening::Free | Widening::Same)
                });
                return one(ACCESS_EXCLUSIVE, if free { Work::None } else { Work::Rewrites });
            }
            let catalog = action.at(&["set", "default"]) || action.at(&["drop", "default"]);
            return if catalog || action.at(&["drop", "not", "null"]) {
                one(ACCESS_EXCLUSIVE, Work::None)
            } else {
                None
            };
        }
        if action.eat(&["rename"]) {
            return one(ACCESS_EXCLUSIVE, Work::None);
        }
        None
    }

    /// What a column's definition makes of the rows that are there.
    fn added_column(&self, definition: &[Token<'_>]) -> Work {
        let any = |words: &[&str]| definition.iter().any(|token| words.iter().any(|word| token.is_word(word)));
        if any(&["generated", "serial", "bigserial", "smallserial"]) {
            return Work::Rewrites;
        }
        if let Some(at) = definition.iter().position(|token| token.is_word("default")) {
            // A type behind `::` may have an argument, and is no call.
            let value: Vec<Token<'_>> = definition[at + 1..]
                .iter()
                .enumerate()
                .filter(|(position, _)| !definition[at + position].is_symbol("::"))
                .map(|(_, token)| *token)
                .collect();
            if Cursor::new(&value).calls(self.steady_functions()).is_some() {
                return Work::Rewrites;
            }
        }
        if any(&["references", "check", "unique", "primary"]) { Work::Reads } else { Work::None }
    }
}

/// The tables that foreign keys in these words refer to.
fn referred(tokens: &[Token<'_>], work: Work) -> Vec<Cost> {
    let mut costs = Vec::new();
    for at in 0..tokens.len() {
        let mut cursor = Cursor::new(&tokens[at..]);
        if cursor.eat(&["references"]) {
            costs.extend(cursor.name().map(|table| Cost::new(table, SHARE_ROW_EXCLUSIVE, work)));
        }
    }
    costs
}

fn create(mut cursor: Cursor<'_, '_>, tokens: &[Token<'_>]) -> Option<Vec<Cost>> {
    if cursor.eat(&["table"]) {
        return Some(referred(tokens, Work::None));
    }
    let unique = cursor.eat(&["unique"]);
    if cursor.eat(&["index"]) {
        let concurrently = cursor.eat(&["concurrently"]);
        while !cursor.is_done() && !cursor.eat(&["on"]) {
            cursor.next();
        }
        let only = cursor.eat(&["only"]);
        let work = if only { Work::None } else { Work::Reads };
        let lock = if concurrently { SHARE_UPDATE_EXCLUSIVE } else { SHARE };
        return Some(vec![Cost::new(cursor.name()?, lock, work)]);
    }
    cursor.eat(&["constraint"]);
    if cursor.eat(&["trigger"]) {
        while !cursor.is_done() && !cursor.eat(&["on"]) {
            cursor.next();
        }
        return Some(vec![Cost::new(cursor.name()?, SHARE_ROW_EXCLUSIVE, Work::None)]);
    }
    let others = ["sequence", "function", "procedure", "type", "schema", "view", "domain", "extension"];
    (!unique && cursor.at_any(&others)).then(Vec::new)
}

fn drop(mut cursor: Cursor<'_, '_>, schema: &Schema) -> Option<Vec<Cost>> {
    let exclusive = |table: &str| Cost::new(table, ACCESS_EXCLUSIVE, Work::None);
    if cursor.eat(&["table"]) {
        cursor.eat_if_exists();
        let mut costs = Vec::new();
        while let Some(mut item) = cursor.item() {
            let table = item.name()?;
            costs.push(exclusive(&table));
            let keys = schema.table(&table).into_iter().flat_map(|live| &live.foreign_keys);
            costs.extend(keys.filter(|key| key.references != table).map(|key| exclusive(&key.references)));
        }
        return Some(costs);
    }
    if cursor.eat(&["index"]) {
        let lock = if cursor.eat(&["concurrently"]) { SHARE_UPDATE_EXCLUSIVE } else { ACCESS_EXCLUSIVE };
        cursor.eat_if_exists();
        let name = cursor.name()?;
        let table = schema.index(name.rsplit('.').next().unwrap_or_default())?.0;
        return Some(vec![Cost::new(&*table.name, lock, Work::None)]);
    }
    if cursor.eat(&["trigger"]) {
        cursor.eat_if_exists();
        cursor.name()?;
        return if cursor.eat(&["on"]) { Some(vec![exclusive(&cursor.name()?)]) } else { None };
    }
    cursor.at_any(&["sequence", "function", "procedure", "type", "schema", "view", "domain"]).then(Vec::new)
}
