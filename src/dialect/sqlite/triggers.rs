//! The triggers of SQLite's syncs: programs without a choice, so there is one statement for each path through a tree.

use super::{CreateTable, Sqlite, rowid};
use crate::dialect::schema::{Column, Schema, Table};
use crate::dialect::statement::{ExpectedTrigger, Refusal, Script};
use crate::dialect::sync::{self, Event, Rule, Sync, Timing};
use crate::dialect::{Dialect, Triggers};

impl Triggers for Sqlite {
    fn install_sync(&self, sync: &Sync, schema: &Schema) -> Result<Script, Refusal> {
        let triggers = sync::triggers(sync, self, schema)?;
        let mut script = Script { statements: sync::trials(sync, self, schema)?, ..Script::default() };
        script.run(format!(
            "INSERT OR IGNORE INTO \"concertina_seen\" (sync_name, side, seen_at) VALUES ({0}, 'old', 0), ({0}, 'new', 0)",
            self.literal(&sync.name)
        ));
        for trigger in triggers {
            let table = schema
                .table(&trigger.table)
                .ok_or_else(|| Refusal::new(format!("there is no table `{}`", trigger.table)))?;
            // No trigger here can change the row at hand, so what assigns comes after it.
            let timing = match (trigger.timing, trigger.event) {
                (Timing::Before, Event::Delete) => "BEFORE",
                _ => "AFTER",
            };
            let bypassed = self.not_bypassed(&sync.name, trigger.met_by_syncs);
            let (event, guard) = match &trigger.touched {
                Some(touched) => {
                    let columns = self.columns(&touched.columns);
                    (format!("UPDATE OF {columns}"), format!("{} AND {bypassed}", touched.condition))
                }
                None => (trigger.event.keyword().to_owned(), bypassed),
            };
            let mut statements = Vec::new();
            self.flatten(sync, table, &trigger.rules, &[], &mut statements);
            let name = self.trigger_name(&sync.name, &trigger.part);
            let head = format!("{timing} {event} ON {} FOR EACH ROW WHEN {guard}", self.table(&trigger.table));
            let text = self.trigger(sync, &name, &head, &statements);
            script.run(format!("DROP TRIGGER IF EXISTS {}", self.quote(&name)));
            script.run(text.clone());
            script.expects.push(ExpectedTrigger { table: trigger.table, name, text });
        }
        Ok(script)
    }

    fn drop_sync(&self, sync: &Sync) -> Script {
        let mut script = Script::default();
        for (_, trigger) in self.sync_triggers(sync) {
            script.run(format!("DROP TRIGGER IF EXISTS {}", self.quote(&trigger)));
        }
        script.run(format!("DELETE FROM \"concertina_seen\" WHERE sync_name = {}", self.literal(&sync.name)));
        script
    }

    fn last_writes(&self, sync: &Sync) -> String {
        let side = |side| {
            let sync = self.literal(&sync.name);
            format!(
                "(SELECT seen_at * 1000 FROM \"concertina_seen\" WHERE sync_name = {sync} AND side = '{side}' AND seen_at > 0)"
            )
        };
        format!("SELECT {} AS last_old, {} AS last_new", side("old"), side("new"))
    }

    fn bypass(&self, syncs: &[&str]) -> [Vec<String>; 2] {
        let on = |sync: &&str| {
            format!("INSERT INTO \"concertina_bypass\" (sync_name, since) VALUES ({}, -1)", self.literal(sync))
        };
        [syncs.iter().map(on).collect(), vec!["DELETE FROM \"concertina_bypass\" WHERE since = -1".to_owned()]]
    }
}

impl Sqlite {
    /// Holds unless a backfill writes (-1), or the sync itself does. The second ends with its statement, whatever becomes of
    /// it: `now` is the same throughout a statement and its triggers. A row that a failed statement leaves behind, which
    /// `INSERT OR FAIL` can bring about, is in force for the rest of its millisecond and no longer.
    fn not_bypassed(&self, sync: &str, met_by_syncs: bool) -> String {
        let since = if met_by_syncs { "IN (-1, julianday('now'))" } else { "= -1" };
        let sync = self.literal(sync);
        format!("NOT EXISTS (SELECT 1 FROM \"concertina_bypass\" WHERE sync_name = {sync} AND since {since})")
    }

    /// How a trigger finds the row that it was fired for.
    fn this_row(&self, table: &Table) -> String {
        let without_rowid = table
            .sql
            .as_deref()
            .and_then(|sql| CreateTable::parse(sql).ok())
            .is_some_and(|definition| definition.without_rowid());
        let name = self.table(&table.name);
        if without_rowid {
            let tests: Vec<_> =
                table.primary_key.iter().map(|key| format!("{name}.{0} IS NEW.{0}", self.quote(key))).collect();
            return tests.join(" AND ");
        }
        let rowid = rowid(table).unwrap_or("rowid");
        format!("{name}.{rowid} = NEW.{rowid}")
    }

    /// Flattens the tree: one statement a leaf, under the conditions that lead to it.
    fn flatten(&self, sync: &Sync, table: &Table, rules: &[Rule], path: &[String], output: &mut Vec<String>) {
        let when = if path.is_empty() { "1".to_owned() } else { path.join(" AND ") };
        let name = self.table(&table.name);
        let row = self.this_row(table);
        for rule in rules {
            match rule {
                Rule::If { condition, then, otherwise } => {
                    let mut inner = path.to_vec();
                    inner.push(format!("({condition})"));
                    self.flatten(sync, table, then, &inner, output);
                    inner.pop();
                    inner.push(format!("NOT ({condition})"));
                    self.flatten(sync, table, otherwise, &inner, output);
                }
                Rule::Assign(writes) => {
                    let set: Vec<_> = writes
                        .iter()
                        .map(|(column, value)| format!("{} = {value}", self.quote(&column.name)))
                        .collect();
                    output.push(format!("UPDATE {name} SET {} WHERE {row} AND {when}", set.join(", ")));
                    // Under `INSERT OR IGNORE` a constraint makes this UPDATE do nothing, and says nothing.
                    let kept: Vec<_> = writes
                        .iter()
                        .map(|(column, value)| self.same(&format!("{name}.{}", self.quote(&column.name)), value, column))
                        .collect();
                    output.push(format!(
                        "SELECT RAISE(ABORT, {}) FROM {name} WHERE {row} AND {when} AND NOT ({})",
                        self.out_of_step(sync),
                        kept.join(" AND ")
                    ));
                }
                Rule::Reject(message) => {
                    output.push(format!("SELECT RAISE(ABORT, {}) WHERE {when}", self.literal(message)));
                }
                Rule::Seen(side) => output.push(format!(
                    "UPDATE \"concertina_seen\" SET seen_at = CAST(strftime('%s', 'now') AS INTEGER) \
                     WHERE sync_name = {} AND side = '{}' AND seen_at < CAST(strftime('%s', 'now') AS INTEGER) - 59 AND {when}",
                    self.literal(&sync.name),
                    side.word()
                )),
                Rule::Lock(_) => {}
                Rule::Write(write) => {
                    output.push(format!("{} WHERE {} AND {when}", write.statement, write.rows));
                    // Under `INSERT OR IGNORE` as above; and under REPLACE, a NULL that a column refuses is its default.
                    if let Some(kept) = &write.kept {
                        output.push(format!(
                            "SELECT RAISE(ABORT, {}) FROM {} WHERE {} AND {when} AND NOT {}",
                            self.out_of_step(sync),
                            kept.table,
                            write.rows,
                            kept.condition
                        ));
                    }
                }
                Rule::Upsert(upsert) => {
                    let other = self.table(&upsert.table);
                    let pairs = |columns: &[(Column, String)], joint: &str| {
                        let pair = |(column, value): &(Column, String)| format!("{} = {value}", self.quote(&column.name));
                        columns.iter().map(pair).collect::<Vec<_>>().join(joint)
                    };
                    let all = || upsert.key.iter().chain(&upsert.set);
                    let key = pairs(&upsert.key, " AND ");
                    output.push(format!("UPDATE {other} SET {} WHERE {key} AND {when}", pairs(&upsert.set, ", ")));
                    output.push(format!(
                        "INSERT INTO {other} ({}) SELECT {} WHERE NOT EXISTS (SELECT 1 FROM {other} WHERE {key}) AND {when}",
                        self.columns(&all().map(|(column, _)| column.name.clone()).collect::<Vec<_>>()),
                        all().map(|(_, value)| value.clone()).collect::<Vec<_>>().join(", ")
                    ));
                    let kept = |(column, value): &(Column, String)| {
                        self.same(&format!("{other}.{}", self.quote(&column.name)), value, column)
                    };
                    output.push(format!(
                        "SELECT RAISE(ABORT, {}) WHERE {when} AND NOT EXISTS (SELECT 1 FROM {other} WHERE {key} AND {})",
                        self.out_of_step(sync),
                        upsert.set.iter().map(kept).collect::<Vec<_>>().join(" AND ")
                    ));
                }
                Rule::Require(column) => output.push(format!(
                    "SELECT RAISE(ABORT, {}) FROM {name} WHERE {row} AND {name}.{} IS NULL",
                    self.literal(&format!("NOT NULL constraint failed: {}.{column}", table.name)),
                    self.quote(column)
                )),
            }
        }
    }

    /// The message of a write that a constraint changed, or made do nothing.
    fn out_of_step(&self, sync: &Sync) -> String {
        self.literal(&format!("concertina sync {}: a constraint keeps the row from being in step", sync.name))
    }

    fn trigger(&self, sync: &Sync, name: &str, head: &str, statements: &[String]) -> String {
        let sync = self.literal(&sync.name);
        let body: String = statements.iter().map(|statement| format!("  {statement};\n")).collect();
        format!(
            "CREATE TRIGGER {} {head}\nBEGIN\n  INSERT INTO \"concertina_bypass\" (sync_name, since) VALUES ({sync}, julianday('now'));\n{body}  \
             DELETE FROM \"concertina_bypass\" WHERE sync_name = {sync};\nEND",
            self.quote(name)
        )
    }
}
