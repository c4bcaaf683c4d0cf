//! The metadata locks of MySQL and MariaDB, and what each ALGORITHM makes of the rows. What MariaDB accepts was measured on
//! 10.11 with a million rows; MySQL's is its manual's table (<https://dev.mysql.com/doc/refman/8.4/en/innodb-online-ddl-operations.html>).

use super::MySql;
use crate::dialect::cost::{Cost, Costs, Held, Rows, Stops, Work, rows};
use crate::dialect::cursor::Cursor;
use crate::dialect::lex::{Flavor, significant};
use crate::dialect::{Dialect, Schema, Widening};

type Lock = (&'static str, Stops);

const SHARED: Lock = ("metadata lock (shared)", Stops::SchemaChanges);
const EXCLUSIVE: Lock = ("metadata lock (exclusive)", Stops::Everybody);
const COPYING: Lock = ("metadata lock (LOCK=SHARED)", Stops::Writers);

/// How a change is carried out, the cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// In the catalog alone.
    Instant,
    /// In the catalog alone, though the server does not call it instant.
    Catalog,
    /// With a look at every row, while writers write.
    Build,
    /// By building the table anew, while writers write.
    Rebuild,
    /// By copying it, while writers wait.
    Copy,
}

impl Costs for MySql {
    fn costs(&self, schema: &Schema, _before: &[String], sql: &str) -> Option<Vec<Cost>> {
        match rows(sql, Flavor::MySql) {
            Some(Rows::Read(tables)) => {
                return Some(tables.into_iter().map(|table| Cost::new(table, SHARED, Work::Reads)).collect());
            }
            Some(Rows::Write { table, given }) => {
                let work = if given { Work::None } else { Work::Changes };
                return Some(vec![Cost::new(table, SHARED, work)]);
            }
            None => {}
        }
        let tokens = significant(sql, Flavor::MySql).ok()?;
        let mut cursor = Cursor::new(&tokens);
        let exclusive = |table: String| Cost::new(table, EXCLUSIVE, Work::None);
        if cursor.eat(&["alter", "table"]) {
            // Where the statement does not say how, the server may copy the table.
            let asked = tokens.iter().any(|token| token.is_word("algorithm"));
            let way = self.way(schema, sql).filter(|_| asked)?;
            let table = cursor.name()?;
            let (lock, held, work) = match way {
                Way::Instant | Way::Catalog => (EXCLUSIVE, Held::Instant, Work::None),
                Way::Build => (EXCLUSIVE, Held::Ends, Work::Reads),
                Way::Rebuild => (EXCLUSIVE, Held::Ends, Work::Rewrites),
                Way::Copy => (COPYING, Held::Throughout, Work::Rewrites),
            };
            return Some(vec![Cost { held, ..Cost::new(table, lock, work) }]);
        }
        if cursor.eat(&["create"]) {
            if cursor.eat(&["table"]) {
                return Some(Vec::new());
            }
            // A definer may stand in between.
            if !cursor.has_word("trigger") {
                return None;
            }
            while !cursor.is_done() && !cursor.eat(&["on"]) {
                cursor.next();
            }
            return Some(vec![exclusive(cursor.name()?)]);
        }
        if cursor.eat(&["drop"]) {
            let table = cursor.eat(&["table"]);
            if table || cursor.eat(&["trigger"]) {
                cursor.eat_if_exists();
                let name = cursor.name()?;
                let of_trigger = schema.trigger(&name).map(|live| live.name.clone());
                let table = if table { Some(name) } else { of_trigger };
                return Some(table.into_iter().map(exclusive).collect());
            }
            return None;
        }
        cursor.at(&["set"]).then(Vec::new)
    }

    fn accepted<'w>(&self, schema: &Schema, ways: &'w [String]) -> Option<&'w String> {
        if let [only] = ways {
            return Some(only);
        }
        // A way that is not the table's last resort is taken where the change can be had so cheaply.
        ways.iter().find(|sql| {
            let Some(way) = self.way(schema, sql) else { return false };
            let cheapest = if sql.contains("ALGORITHM=INSTANT") {
                Way::Instant
            } else if sql.contains("ALGORITHM=NOCOPY") {
                Way::Build
            } else if sql.contains("ALGORITHM=INPLACE") {
                Way::Rebuild
            } else {
                Way::Copy
            };
            way <= cheapest
        })
    }

    fn table_bytes(&self, table: &str) -> Option<String> {
        Some(format!(
            "SELECT CAST(DATA_LENGTH AS SIGNED) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {}",
            self.literal(table)
        ))
    }

    fn instant_changes_left(&self, table: &str) -> Option<String> {
        // MySQL keeps 64 versions of a table's rows, and refuses the 65th (8.0.29 and later); MariaDB counts none.
        (!self.server.is_mariadb()).then(|| {
            format!(
                "SELECT 64 - TOTAL_ROW_VERSIONS FROM information_schema.INNODB_TABLES WHERE NAME = CONCAT(DATABASE(), '/', {})",
                self.literal(table)
            )
        })
    }
}

impl MySql {
    /// How the server carries out an ALTER TABLE: as its dearest part.
    fn way(&self, schema: &Schema, sql: &str) -> Option<Way> {
        let tokens = significant(sql, Flavor::MySql).ok()?;
        let mut cursor = Cursor::new(&tokens);
        if !cursor.eat(&["alter", "table"]) {
            return None;
        }
        let table = cursor.name()?;
        let mut dearest = Way::Instant;
        while let Some(mut action) = cursor.item() {
            if action.at_any(&["algorithm", "lock"]) {
                continue;
            }
            dearest = dearest.max(self.action(schema, &table, &mut action)?);
        }
        Some(dearest)
    }

    fn action(&self, schema: &Schema, table: &str, action: &mut Cursor<'_, '_>) -> Option<Way> {
        let maria = self.server.is_mariadb();
        let mysql_catalog = if maria { Way::Instant } else { Way::Catalog };
        if action.eat(&["add"]) {
            if action.eat(&["constraint"]) {
                action.name()?;
            }
            if action.at_any(&["index", "key", "unique", "fulltext", "spatial"]) {
                return Some(Way::Build);
            }
            if action.at(&["foreign", "key"]) {
                return Some(Way::Catalog);
            }
            if action.at(&["check"]) || action.at(&["primary", "key"]) {
                return Some(Way::Copy);
            }
            let by_row = action.has_word("stored") || action.has_word("auto_increment");
            return Some(if by_row { Way::Copy } else { Way::Instant });
        }
        if action.eat(&["drop"]) {
            return Some(if action.eat_any(&["index", "key"]) {
                Way::Catalog
            } else if action.at(&["foreign", "key"]) || action.at(&["constraint"]) {
                mysql_catalog
            } else {
                Way::Instant
            });
        }
        if action.eat(&["alter"]) {
            return Some(Way::Instant);
        }
        if action.eat(&["modify"]) {
            action.eat(&["column"]);
            let name = action.name()?;
            let live = schema.table(table)?;
            let column = live.column(&name)?;
            let definition = action.text();
            let end =
                [" not null", " null", " collate ", " default "].iter().filter_map(|word| definition.find(word)).min();
            let nullable = !definition.contains(" not null");
            if nullable != column.nullable {
                return Some(Way::Rebuild);
            }
            // The text is in lower case, which the labels of an enum are perhaps not.
            if column.base_type == "enum" {
                let labels = |text: &str| text.matches('\'').count();
                let longer = labels(&definition) >= labels(&column.type_name);
                return Some(if longer { Way::Instant } else { Way::Copy });
            }
            let to = definition[..end.unwrap_or(definition.len())].to_owned();
            return Some(match self.widening(schema, live, column, &to) {
                Widening::Same | Widening::Free => mysql_catalog,
                _ => Way::Copy,
            });
        }
        None
    }
}
