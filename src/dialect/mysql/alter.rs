//! ALTER TABLE on MySQL and MariaDB: the cheapest way that the server accepts, named in the statement, so that it refuses
//! rather than copies the table.

use super::super::schema::{Column, Table};
use super::super::statement::{Change, Refusal, Script, Statement};
use super::super::{Dialect, Patience};
use super::MySql;

impl MySql {
    /// ALTER TABLE by the cheapest way the server accepts; none of them copies the table or stops writers, unless that is allowed.
    pub(super) fn cheapest(&self, table: &str, change: &str, allow_rewrite: bool) -> Statement {
        Statement::FirstAccepted(self.ways(table, change, allow_rewrite))
    }

    fn ways(&self, table: &str, change: &str, allow_rewrite: bool) -> Vec<String> {
        let mut ways = vec!["ALGORITHM=INSTANT"];
        if self.server.is_mariadb() {
            ways.push("ALGORITHM=NOCOPY, LOCK=NONE");
        }
        ways.push("ALGORITHM=INPLACE, LOCK=NONE");
        if allow_rewrite {
            ways.push("ALGORITHM=COPY, LOCK=SHARED");
        }
        ways.into_iter().map(|way| format!("ALTER TABLE {} {change}, {way}", self.table(table))).collect()
    }

    /// Repeats a live column's definition with its type or its NOT NULL changed.
    fn redefine(
        &self,
        table: &Table,
        column: &Column,
        type_name: &str,
        nullable: bool,
        allow_rewrite: bool,
    ) -> Result<Statement, Refusal> {
        if self.doubtful_default(column) {
            return Err(Refusal::new(format!(
                "MariaDB shows the default of `{}` as {}, where `?` may stand for a character that it cannot show: set it again, \
                 to a text without `?`, or change the column by a step with SQL of your own",
                column.name,
                column.default.as_deref().unwrap_or_default()
            ))
            .at(&column.name));
        }
        let checks: Vec<_> =
            table.checks.iter().filter(|check| check.of_column.as_ref() == Some(&column.name)).collect();
        let definition = |type_name: &str, collation: Option<&String>, json: bool| {
            let mut text = format!("MODIFY COLUMN {} {type_name}", self.quote(&column.name));
            if let Some(collation) = collation {
                text.push_str(&format!(" COLLATE {collation}"));
            }
            text.push_str(if nullable { " NULL" } else { " NOT NULL" });
            if let Some(default) = &column.default {
                text.push_str(&format!(" DEFAULT {default}"));
            }
            if !column.extra.is_empty() {
                text.push_str(&format!(" {}", column.extra));
            }
            for check in checks.iter().filter(|check| !(json && is_json(&check.expression))) {
                text.push_str(&format!(" CHECK ({})", check.expression));
            }
            text
        };
        let mut ways = Vec::new();
        // MariaDB shows its JSON as a text with a check, and takes it for another type when it is written like that.
        if column.base_type == "longtext" && checks.iter().any(|check| is_json(&check.expression)) {
            ways.extend(self.ways(&table.name, &definition("json", None, true), false));
        }
        let plain = definition(type_name, column.collation.as_ref(), false);
        ways.extend(self.ways(&table.name, &plain, allow_rewrite));
        Ok(Statement::FirstAccepted(ways))
    }

    pub(super) fn changed(&self, table: &Table, change: &Change, allow_rewrite: bool) -> Result<Script, Refusal> {
        let live = |name: &String| {
            table
                .column(name)
                .ok_or_else(|| Refusal::new(format!("there is no column `{name}` in table `{}`", table.name)))
        };
        let cheapest = |text: &str| self.cheapest(&table.name, text, allow_rewrite);
        let mut script = Script::default();
        let statement = match change {
            Change::AddColumn(definition) => {
                if !allow_rewrite && definition.differs_by_row(self) {
                    return Err(self.copies(
                        &format!("column `{}` would be another value for each row, so", definition.name),
                        "or add it without the default, fill it in by a backfill, and set_default in contract",
                    ));
                }
                cheapest(&format!("ADD COLUMN {}", self.column_definition(&table.name, definition)?))
            }
            Change::DropColumn(name) => {
                // The server refuses to drop a column that a CHECK still names, even where it names no other.
                let checks: String = table
                    .checks
                    .iter()
                    // MariaDB's own CHECK of a column goes with it, and cannot be dropped before.
                    .filter(|check| check.columns == [name.clone()] && check.of_column.is_none())
                    .filter_map(|check| check.name.as_ref())
                    .map(|check| format!("DROP CONSTRAINT {}, ", self.quote(check)))
                    .collect();
                cheapest(&format!("{checks}DROP COLUMN {}", self.quote(name)))
            }
            Change::SetNotNull(name) => {
                script.patience = Patience::Seconds;
                let column = live(name)?;
                self.redefine(table, column, &column.type_name, false, allow_rewrite)?
            }
            Change::DropNotNull(name) => {
                script.patience = Patience::Seconds;
                let column = live(name)?;
                self.redefine(table, column, &column.type_name, true, allow_rewrite)?
            }
            Change::SetDefault(name, value) => {
                cheapest(&format!("ALTER COLUMN {} SET DEFAULT {value}", self.quote(name)))
            }
            Change::DropDefault(name) => cheapest(&format!("ALTER COLUMN {} DROP DEFAULT", self.quote(name))),
            Change::AddForeignKey(key) => {
                // Only without the check of existing rows can the key be added in place; `validate` looks at them.
                script.without_foreign_keys = true;
                cheapest(&format!("ADD {}", self.foreign_key(key)))
            }
            Change::DropConstraint(name) => {
                let is_foreign_key = table.foreign_keys.iter().any(|key| key.name.as_ref() == Some(name));
                let is_unique = table.uniques.iter().any(|unique| &unique.name == name);
                let what = if is_foreign_key {
                    "FOREIGN KEY"
                } else if is_unique {
                    "INDEX"
                } else {
                    "CONSTRAINT"
                };
                cheapest(&format!("DROP {what} {}", self.quote(name)))
            }
            Change::AddCheck(name, expression) => {
                if !allow_rewrite {
                    return Err(self.copies(
                        "to add a check,",
                        "or let a trigger BEFORE INSERT and one BEFORE UPDATE refuse such rows, by a step with SQL of your own",
                    ));
                }
                cheapest(&format!("ADD {}", self.check(name, expression)))
            }
            Change::AddUnique(unique) => {
                script.patience = Patience::Seconds;
                cheapest(&format!(
                    "ADD CONSTRAINT {} UNIQUE ({})",
                    self.quote(&unique.name),
                    self.columns(&unique.columns)
                ))
            }
            // The server keeps no record of what was looked at.
            Change::Validate(_) => return Ok(script),
            Change::Widen(name, column_type) => {
                let to = self.column_type(&table.name, &Change::widened(name, column_type))?;
                let column = live(name)?;
                self.redefine(table, column, &to, column.nullable, allow_rewrite)?
            }
            Change::AddEnumValue(name, value) => {
                const IN_ONE_BYTE: usize = 255;
                let column = live(name)?;
                let labels = super::widening::labels(column).map_or(0, |labels| labels.len());
                if labels == IN_ONE_BYTE && !allow_rewrite {
                    return Err(self.copies(
                        &format!("the label after the {IN_ONE_BYTE}th takes another byte in each row, so"),
                        "or add a column of another type, sync both, backfill, and drop the old one in contract",
                    ));
                }
                let to = self.enum_with(column, value).unwrap_or_default();
                self.redefine(table, column, &to, column.nullable, allow_rewrite)?
            }
        };
        script.statements.push(statement);
        Ok(script)
    }

    /// Refuses what the server would copy the table for.
    fn copies(&self, why: &str, instead: &str) -> Refusal {
        let product = if self.server.is_mariadb() { "MariaDB" } else { "MySQL" };
        // Measured on MariaDB 10.11, a table of a million rows.
        Refusal::new(format!(
            "{why} {product} copies the whole table, and every writer waits until it is done (12 s for a million rows); say \
             allow_rewrite: true on the step where that is bearable, {instead}"
        ))
    }
}

/// Whether a check is the one that MariaDB's JSON type consists of.
fn is_json(check: &str) -> bool {
    check.starts_with("json_valid(")
}
