//! Runs operations on a database and on the model, and compares.

use std::collections::{BTreeMap, BTreeSet};

use super::super::expression::{Row, Value};
use super::super::model::{Refused, Side};
use super::operation::{Operation, Write};
use super::statement::{How, Statement};
use super::tables::{Nature, Refusals, Rule, Seen, Table, Tables};
use super::world::{TableSeed, World};
use crate::support::{DbFailure, Kind, Session, TestDatabase, Train};

/// What was found wrong: a text for people, and the operation that brought it to light.
pub(super) struct Failure {
    pub(super) at: usize,
    pub(super) text: String,
}

/// How sure it is that a sync has seen a side write: a write that was rolled back may show, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Shown {
    Perhaps,
    Surely,
}

/// No table grows beyond these: what a statement would make larger is not run.
const MOST_ROWS: usize = 40;
const LONGEST_TEXT: usize = 300;
const LARGEST: i64 = 1_000_000;

/// A database with a world in it, and the model of both.
pub(super) struct Running {
    world: World,
    model: Tables,
    shown: BTreeMap<Seen, Shown>,
    /// The statements that were run, one a line.
    pub(super) log: Vec<String>,
    pub(super) statements: usize,
    train: Train,
    session: Session,
    database: TestDatabase,
}

impl Running {
    /// Makes the tables, and installs the syncs with one `concertina expand`.
    pub(super) async fn install(
        kind: Kind,
        seeds: &[Option<TableSeed>],
        recursive_triggers: bool,
    ) -> Result<Self, Failure> {
        let world = World::new(seeds, Nature::of(kind, recursive_triggers));
        let database = TestDatabase::create(kind, "property").await;
        let mut owner = database.owner().await;
        if kind == Kind::Sqlite {
            owner.run("PRAGMA synchronous = OFF").await;
        }
        let mut log = world.ddl(kind);
        for statement in &log {
            owner.run(statement).await;
        }
        let mut model = world.tables.clone();
        for (table, row) in &world.rows {
            let statement = insertion(kind, &model.tables[*table], row);
            owner.run(&statement).await;
            log.push(statement);
            model.tables[*table].rows.push(row.clone());
        }
        drop(owner);
        let mut train = Train::with_settings(&database, "batch: { rows: 4 }");
        let steps = world.steps(kind);
        let backfills: Vec<(String, String)> = model
            .tables
            .iter()
            .filter_map(|table| Some((format!("data/01_{}.yaml", table.name), World::backfill(kind, table)?)))
            .enumerate()
            .map(|(at, (path, text))| (path.replace("01", &format!("{:02}", at + 1)), text))
            .collect();
        let mut files = vec![("expand/01_steps.yaml", steps.as_str())];
        files.extend(backfills.iter().map(|(path, text)| (path.as_str(), text.as_str())));
        train.add(&files);
        log.push(format!("-- concertina expand:\n{steps}"));
        let expanded = train.concertina().run(&["expand"]);
        if expanded.code != Some(0) {
            return Err(Failure { at: 0, text: format!("{}\n{expanded}", log.join("\n")) });
        }
        let names: Vec<&str> = model.tables.iter().map(|table| table.name.as_str()).collect();
        database.grant_application(&names).await;
        let mut session = database.application().await;
        if kind == Kind::Sqlite {
            session.run("PRAGMA synchronous = OFF").await;
            session.run(format!("PRAGMA recursive_triggers = {recursive_triggers}")).await;
            session.run("PRAGMA foreign_keys = ON").await;
        }
        let mut running = Self { world, model, shown: BTreeMap::new(), log, statements: 0, train, session, database };
        running.compare_all().await.map_err(|text| running.failure(0, &text))?;
        Ok(running)
    }

    fn kind(&self) -> Kind {
        self.database.kind()
    }

    fn failure(&self, at: usize, text: &str) -> Failure {
        Failure { at, text: format!("{}\n\n{text}", self.log.join("\n")) }
    }

    /// Goes back to how it was after the expand, so that shrinking need not install a world for every try. Rows that are not
    /// migrated can be made only as a backfill writes, hence the engine's own way round its syncs. What is found like this is
    /// tried again in a new world.
    pub(super) async fn reset(&mut self) {
        let syncs: Vec<String> = self.model.tables.iter().map(|table| format!("{}_sync", table.name)).collect();
        let each = |text: &str| syncs.iter().map(|sync| text.replace("SYNC", sync)).collect::<Vec<_>>().join("; ");
        let (on, off) = match self.kind() {
            Kind::Postgres => {
                (format!("BEGIN; SET LOCAL concertina.bypass = '{}'", each(",SYNC,")), "COMMIT".to_owned())
            }
            Kind::MySql => (each("SET @concertina_bypass_SYNC = -1"), each("SET @concertina_bypass_SYNC = NULL")),
            Kind::Sqlite => {
                (each("INSERT INTO concertina_bypass VALUES ('SYNC', -1)"), "DELETE FROM concertina_bypass".to_owned())
            }
        };
        self.session.execute("ROLLBACK").await.ok();
        let installed = self.log.iter().position(|line| line.starts_with("-- concertina expand")).expect("it was");
        self.log.truncate(installed + 1);
        let mut statements = vec![on];
        statements.extend(self.model.tables.iter().rev().map(|table| format!("DELETE FROM {}", table.name)));
        statements
            .extend(self.world.rows.iter().map(|(table, row)| insertion(self.kind(), &self.model.tables[*table], row)));
        statements.push(off);
        for statement in statements {
            self.session.run(statement).await;
        }
        self.model = self.world.tables.clone();
        for (table, row) in &self.world.rows {
            self.model.tables[*table].rows.push(row.clone());
        }
        for table in 0..self.model.tables.len() {
            for side in [Side::Old, Side::New] {
                self.shown.insert((table, side), Shown::Perhaps);
            }
        }
    }

    /// Runs the operations, and the end that every world has.
    pub(super) async fn run(&mut self, operations: &[Operation]) -> Result<(), Failure> {
        for (at, operation) in operations.iter().enumerate() {
            self.operate(operation).await.map_err(|text| self.failure(at, &text))?;
        }
        self.finish().await.map_err(|text| self.failure(operations.len(), &text))
    }

    async fn operate(&mut self, operation: &Operation) -> Result<(), String> {
        match operation {
            Operation::Write(write) => {
                let mut seen = Vec::new();
                let done = self.write(write, &mut seen).await?;
                self.saw(&seen, done);
            }
            Operation::Transaction(writes, commit) => self.transaction(writes, *commit).await?,
            Operation::Migrate(rows) => self.migrate(Some(u64::from(*rows))).await?,
        }
        Ok(())
    }

    async fn transaction(&mut self, writes: &[Write], commit: bool) -> Result<(), String> {
        let before = self.model.clone();
        let (mut surely, mut perhaps) = (Vec::new(), Vec::new());
        let mut ended = false;
        self.statement("BEGIN").await;
        for write in writes {
            let mut seen = Vec::new();
            if self.write(write, &mut seen).await? {
                surely.extend(seen);
                continue;
            }
            perhaps.extend(seen);
            if self.model.nature.failure_ends_transaction {
                ended = true;
                break;
            }
        }
        if commit && !ended {
            self.statement("COMMIT").await;
        } else {
            self.statement("ROLLBACK").await;
            self.model = before;
            perhaps.append(&mut surely);
        }
        self.saw(&surely, true);
        self.saw(&perhaps, false);
        self.compare_all().await
    }

    async fn statement(&mut self, sql: &str) {
        self.log.push(format!("{sql};"));
        self.session.run(sql).await;
    }

    fn saw(&mut self, seen: &[Seen], surely: bool) {
        let shown = if surely { Shown::Surely } else { Shown::Perhaps };
        for one in seen {
            let known = self.shown.entry(*one).or_insert(shown);
            *known = shown.max(*known);
        }
    }

    /// Runs one write on both, and compares. Says whether it was carried out, which is true of one that is not run at all.
    async fn write(&mut self, write: &Write, seen: &mut Vec<Seen>) -> Result<bool, String> {
        match write.statement(self.kind(), &self.world, &self.model) {
            Some(statement) => self.run_statement(&statement, seen).await,
            None => Ok(true),
        }
    }

    async fn run_statement(&mut self, statement: &Statement, seen: &mut Vec<Seen>) -> Result<bool, String> {
        let mut next = self.model.clone();
        let expected = next.apply(statement, false, seen);
        let mut other = self.model.clone();
        let backwards = other.apply(statement, true, &mut Vec::new());
        let differs = expected.is_ok() != backwards.is_ok() || sorted(&next) != sorted(&other);
        if differs || outgrown(&next) || next.is_known_to_break(statement) {
            // The order in which the rows are met would decide, and that is the database's own; or it would no longer fit.
            seen.clear();
            return Ok(true);
        }
        let expected = expected.map_err(|refusals| &refusals | &backwards.expect_err("the same"));
        let sql = statement.sql(self.kind(), &self.model.tables);
        let copied = statement.copied();
        self.log.push(format!("{sql};{}", copied.as_ref().map_or_else(String::new, |rows| format!("\n{rows}\\."))));
        self.statements += 1;
        let found = match &copied {
            Some(rows) => self.session.copy_in(&sql, rows).await,
            None => self.session.execute(&sql).await,
        };
        self.judge(&expected, found)?;
        let done = expected.is_ok();
        self.model = next;
        // In a transaction that has ended nothing can be read; its rollback is compared.
        if done || !self.model.nature.failure_ends_transaction {
            self.compare_touched(statement).await?;
        }
        Ok(done)
    }

    /// Compares how a statement ended.
    fn judge(&mut self, expected: &Result<(), Refusals>, found: Result<u64, DbFailure>) -> Result<(), String> {
        match (expected, found) {
            (Ok(()), Ok(_)) => Ok(()),
            (Ok(()), Err(failure)) => Err(format!("expected: it succeeds\nfound: {failure:?}")),
            (Err(refusals), Ok(_)) => Err(format!("expected: it fails, by {refusals:?}\nfound: it succeeds")),
            (Err(refusals), Err(failure)) => {
                if let Some(line) = self.log.last_mut() {
                    line.push_str(&format!(" -- fails: {}", failure.message));
                }
                match refused(&failure) {
                    Some(found) if refusals.contains(&found) => Ok(()),
                    _ => Err(format!("expected: it fails, by {refusals:?}\nfound: {failure:?}")),
                }
            }
        }
    }

    async fn compare_touched(&mut self, statement: &Statement) -> Result<(), String> {
        let table = statement.table();
        let mut touched = BTreeSet::from([table]);
        touched.extend(self.model.tables[table].rules.iter().flat_map(|rule| match rule {
            Rule::Related { target, .. } => vec![*target],
            Rule::Here(pair) | Rule::There(pair) => vec![pair.here, pair.there],
            Rule::Columns(_) => Vec::new(),
        }));
        for table in touched {
            self.compare(table).await?;
        }
        Ok(())
    }

    async fn compare_all(&mut self) -> Result<(), String> {
        for table in 0..self.model.tables.len() {
            self.compare(table).await?;
        }
        Ok(())
    }

    async fn found(&mut self, table: usize) -> BTreeSet<Vec<Option<String>>> {
        let of = &self.model.tables[table];
        let columns: Vec<&str> = of.columns.iter().map(|column| column.name.as_str()).collect();
        let query = format!("SELECT {} FROM {}", columns.join(", "), of.name);
        self.session.rows(query).await.into_iter().collect()
    }

    async fn compare(&mut self, table: usize) -> Result<(), String> {
        let found = self.found(table).await;
        let of = &self.model.tables[table];
        let expected: BTreeSet<_> = of.rows.iter().map(|row| shown(self.kind(), of, row)).collect();
        if expected != found {
            return Err(difference(of, &expected, &found));
        }
        // Every row whose new side is set is in step, always. As the rows are the model's, this is about the rules.
        match self.model.broken(table) {
            Some(row) => Err(format!("the rules themselves leave a row of {} out of step: {row:?}", of.name)),
            None => Ok(()),
        }
    }

    /// Runs the real command. Which rows a batch takes is its own affair; that each is as it was or as the backfill makes it,
    /// and how many there are, is not.
    async fn migrate(&mut self, most: Option<u64>) -> Result<(), String> {
        if !self.model.pending().is_empty() {
            // There is no backfill for a column that moves to another table: `migrate` could not prove that it is done.
            return Ok(());
        }
        let limit = most.map(|rows| rows.to_string());
        let mut arguments = vec!["migrate"];
        arguments.extend(limit.as_ref().into_iter().flat_map(|limit| ["--max-rows", limit.as_str()]));
        self.log.push(format!("-- concertina {}", arguments.join(" ")));
        let output = self.train.concertina().run(&arguments);
        let limited = match (output.code, most) {
            (Some(0), _) => false,
            (Some(4), Some(_)) => true,
            _ => return Err(output.to_string()),
        };
        let kind = self.kind();
        let mut changed = 0;
        for table in 0..self.model.tables.len() {
            let Some(sync) = self.model.tables[table].sync().cloned() else { continue };
            let found = self.found(table).await;
            let mut adopted = self.model.tables[table].rows.clone();
            for row in &mut adopted {
                let followed = self.model.with_view(table, row, |view| sync.follow(row.clone(), view));
                let pending = !sync.is_new_set(row) && sync.is_new_set(&followed);
                let now = shown(kind, &self.model.tables[table], &followed);
                if pending && (!limited || found.contains(&now)) {
                    *row = followed;
                    changed += 1;
                }
            }
            self.model.tables[table].rows = adopted;
            self.compare(table).await?;
        }
        match most {
            Some(most) if limited && changed != most => Err(format!("{changed} rows were changed, not {most}")),
            Some(most) if changed > most => Err(format!("{changed} rows were changed, more than {most}")),
            _ => Ok(()),
        }
    }

    /// Migrates to the end, which verifies every invariant, and asks who was seen to write.
    async fn finish(&mut self) -> Result<(), String> {
        // Rows there that say nothing bring what is here along.
        for (table, key) in self.model.pending() {
            let columns = self.model.tables[table].key.clone();
            let statement = Statement::Insert { table, columns, rows: vec![key], how: How::Insert };
            let mut seen = Vec::new();
            let done = self.run_statement(&statement, &mut seen).await?;
            self.saw(&seen, done);
        }
        self.migrate(None).await?;
        self.compare_all().await?;
        let status = self.train.concertina().run(&["status", "--output", "json"]);
        if status.code != Some(0) {
            return Err(status.to_string());
        }
        let document = status.json();
        let syncs = &document["releases"][0]["syncs"];
        for (at, table) in self.model.tables.iter().enumerate() {
            let moved = table.as_here().map(|pair| &pair.sync.name);
            let Some(name_of_sync) = table.sync().map(|sync| &sync.name).or(moved) else { continue };
            let all = syncs.as_array().map(Vec::as_slice).unwrap_or_default();
            let Some(found) = all.iter().find(|found| found["name"] == name_of_sync.as_str()) else {
                return Err(format!("`status` does not show {name_of_sync}: {document}"));
            };
            for (side, name) in [(Side::Old, "last_old_write"), (Side::New, "last_new_write")] {
                let seen = !found[name].is_null();
                let wrong = match self.shown.get(&(at, side)) {
                    None => seen,
                    Some(Shown::Perhaps) => false,
                    Some(Shown::Surely) => !seen,
                };
                if wrong {
                    return Err(format!("{name} of {name_of_sync} is {}, and the model says otherwise", found[name]));
                }
            }
        }
        Ok(())
    }
}

/// The rows of all tables, whatever their order.
fn sorted(tables: &Tables) -> Vec<BTreeSet<&Row>> {
    tables.tables.iter().map(|table| table.rows.iter().collect()).collect()
}

fn outgrown(tables: &Tables) -> bool {
    tables.tables.iter().any(|table| {
        table.rows.len() > MOST_ROWS
            || table.rows.iter().flat_map(|row| row.values()).any(|value| match value {
                Value::Text(text) => text.len() > LONGEST_TEXT,
                Value::Integer(value) => value.abs() > LARGEST,
                _ => false,
            })
    })
}

fn shown(kind: Kind, table: &Table, row: &Row) -> Vec<Option<String>> {
    table.columns.iter().map(|column| row[&column.name].shown(kind)).collect()
}

fn insertion(kind: Kind, table: &Table, row: &Row) -> String {
    // The new columns may not be there yet.
    let is_new = |name: &str| table.sync().is_some_and(|sync| sync.new.iter().any(|new| new.name == name));
    let (names, values): (Vec<&str>, Vec<String>) =
        row.iter().filter(|(name, _)| !is_new(name)).map(|(name, value)| (name.as_str(), value.sql(kind))).unzip();
    format!("INSERT INTO {} ({}) VALUES ({})", table.name, names.join(", "), values.join(", "))
}

fn difference(
    table: &Table,
    expected: &BTreeSet<Vec<Option<String>>>,
    found: &BTreeSet<Vec<Option<String>>>,
) -> String {
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let mut text = format!("{} ({})", table.name, names.join(" | "));
    for (word, rows, others) in [("expected", expected, found), ("found   ", found, expected)] {
        for row in rows.difference(others) {
            let values: Vec<_> = row
                .iter()
                .map(|value| value.as_ref().map_or_else(|| "NULL".to_owned(), |text| format!("{text:?}")))
                .collect();
            text.push_str(&format!("\n  {word}: {}", values.join(" | ")));
        }
    }
    text
}

/// What a database's words mean; none when they are not among those that a write may meet.
fn refused(failure: &DbFailure) -> Option<Refused> {
    let message = &failure.message;
    let between = |from: &str, to: &str| {
        let (_, rest) = message.split_once(from)?;
        Some(rest.split_once(to).map_or(rest, |(word, _)| word).to_owned())
    };
    if let Some(name) = between("concertina sync ", ":") {
        return Some(Refused::Conflict(name));
    }
    if failure.code == "23505" || failure.code == "1062" || message.contains("UNIQUE constraint failed") {
        return Some(Refused::Duplicate);
    }
    let foreign_key = ["23503", "1451", "1452"].contains(&failure.code.as_str());
    if foreign_key || message.contains("FOREIGN KEY constraint failed") {
        return Some(Refused::ForeignKey);
    }
    match failure.code.as_str() {
        "23502" => between("null value in column \"", "\""),
        "1048" => between("Column '", "'"),
        _ => between("NOT NULL constraint failed: ", "\0").and_then(|name| Some(name.split_once('.')?.1.to_owned())),
    }
    .map(Refused::LeftNull)
}
