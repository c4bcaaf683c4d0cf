//! A backfill's statements, rendered for a live table: what one batch does with the rows of its span.

use super::walk::Walk;
use crate::catalog::{Backfill, Child, Copy, Program, Release, Work};
use crate::dialect::expression::{self, Scope};
use crate::dialect::{Assignment, Column, Dialect, Refusal, Schema, Sql, Sync, Table};

/// A backfill, rendered for a live table.
#[derive(Debug, Clone)]
pub struct BackfillPlan {
    /// Its id.
    pub id: String,
    /// How its table is walked.
    pub walk: Walk,
    /// A query with about how many rows the table has.
    pub estimate: String,
    /// What a batch does.
    pub batch: BatchPlan,
    /// Statements before and after a batch's write, so that it fires no sync of the release.
    pub bypass: [Vec<String>; 2],
    /// A query for keys of rows that match `where`, in the whole table.
    pub pending: String,
    /// The same for the first ones by their text: rows that stay are the same ones each time.
    pub first_pending: String,
    table: String,
    shown: String,
    condition: String,
    /// `where` alone.
    wanted: String,
    source: String,
    locks: Option<String>,
    deletes: bool,
}

/// What a batch does with the rows of its span that match.
#[derive(Debug, Clone)]
pub enum BatchPlan {
    /// Statements, in which `{rows}` stands for the condition of the rows; the last one's count is the batch's.
    Statements(Vec<String>),
    /// Gives them to a program.
    Command(Box<CommandPlan>),
}

/// The statements around an external program.
#[derive(Debug, Clone)]
pub struct CommandPlan {
    /// The program and its arguments.
    pub run: Vec<String>,
    /// The columns that the program is given: those of the key first.
    pub columns: Vec<CommandColumn>,
    /// How many of them are the key.
    pub key: usize,
    /// The columns that it may change.
    pub writes: Vec<String>,
    /// What stands for FALSE and TRUE.
    pub booleans: [&'static str; 2],
    list: String,
    table: String,
    condition: String,
    assigned: Vec<Column>,
    all: Vec<Column>,
}

/// A column as a program sees it.
#[derive(Debug, Clone)]
pub struct CommandColumn {
    /// Its name.
    pub name: String,
    /// Whether its values are bytes, given in hexadecimal.
    pub binary: bool,
    /// Whether its values are true and false.
    pub boolean: bool,
}

/// Renders the expressions of one table.
struct Renderer<'a> {
    dialect: &'a dyn Dialect,
    live: &'a Table,
    row: String,
}

impl Renderer<'_> {
    fn render(&self, sql: &Sql) -> Result<String, Refusal> {
        let kind = self.dialect.kind();
        let text = sql.on(kind).ok_or_else(|| Refusal::new(format!("an expression has no text for {kind}")))?;
        let quote = |name: &str| self.dialect.quote(name);
        let scope = Scope { table: self.live, row: &self.row, related: None, quote: &quote, subquery_end: "" };
        Ok(expression::render(text, kind.flavor(), &scope)?)
    }
}

impl BackfillPlan {
    /// Renders a backfill, or says why it cannot run.
    pub fn new(
        backfill: &Backfill,
        release: &Release,
        dialect: &dyn Dialect,
        schema: &Schema,
    ) -> Result<Self, Refusal> {
        let live = live_table(schema, &backfill.table)?;
        let table = dialect.table(&live.name);
        let walk = Walk::new(dialect, live).map_err(|refusal| refusal.at(&backfill.table))?;
        let renderer = Renderer { dialect, live, row: format!("{table}.") };
        let condition = match &backfill.pending {
            Some(sql) => format!("({})", renderer.render(sql)?),
            None => "1 = 1".to_owned(),
        };
        let wanted = condition.clone();
        let mut written = live;
        let mut reads: Vec<&Sql> = backfill.pending.iter().collect();
        let (condition, batch) = match &backfill.work {
            Work::Update(set) => {
                reads.extend(set.iter().map(|(_, sql)| sql));
                (condition, BatchPlan::Statements(vec![update(&renderer, set, &table)?]))
            }
            Work::Copy(copy) => {
                written = live_table(schema, &copy.into)?;
                reads.extend(copy.columns.values());
                let missing = missing(&renderer, copy, written)?;
                (format!("({condition} AND {missing})"), BatchPlan::Statements(vec![insert(&renderer, copy, written)?]))
            }
            Work::Delete(children) => {
                refuse_forgotten(children, live, schema)?;
                let mut statements = Vec::new();
                let path = [(live, "{rows}".to_owned())];
                delete(dialect, schema, &path, children, &mut statements)?;
                statements.push(format!("DELETE FROM {table} WHERE {{rows}}"));
                (condition, BatchPlan::Statements(statements))
            }
            Work::Command(program) => {
                let plan = CommandPlan::new(&renderer, program, condition.clone())?;
                (condition, BatchPlan::Command(Box::new(plan)))
            }
        };
        let syncs: Vec<Sync> = release.syncs().map(|(_, sync)| sync).collect();
        let here = |sync: &&Sync| {
            sync.parts()
                .iter()
                .any(|(table, _)| [live, written].iter().any(|touched| schema.key(table) == schema.key(&touched.name)))
        };
        let syncs: Vec<&str> = syncs.iter().filter(here).map(|sync| sync.name.as_str()).collect();
        let kind = dialect.kind();
        let elsewhere = reads
            .iter()
            .filter_map(|sql| sql.on(kind))
            .any(|text| !expression::tables_read(text, kind.flavor()).is_empty());
        let has_children = matches!(&backfill.work, Work::Delete(children) if !children.is_empty());
        let shown = shown_key(dialect, live);
        Ok(Self {
            id: backfill.id.clone(),
            walk,
            estimate: dialect.estimate_rows(&live.name),
            batch,
            bypass: dialect.bypass(&syncs),
            pending: format!("SELECT {shown} FROM {table} WHERE {condition} LIMIT 5"),
            first_pending: format!("SELECT {shown} FROM {table} WHERE {condition} ORDER BY 1 LIMIT 5"),
            locks: (elsewhere || has_children).then(|| table.clone()),
            deletes: matches!(backfill.work, Work::Delete(_)),
            shown,
            condition,
            wanted,
            source: backfill.table.clone(),
            table,
        })
    }

    /// The statements of one batch's write, each with the span's values.
    pub fn writes(&self, dialect: &dyn Dialect, after_cursor: bool) -> Vec<String> {
        self.writes_of(dialect, self.walk.span(after_cursor))
    }

    /// The same for the one row at a place, whose values they take. A range of one row is more than that row to a server that reads
    /// the next one to see that it is not in it: with a timeout of 0 MariaDB then fails on a row that it would not change.
    pub fn writes_at(&self, dialect: &dyn Dialect) -> Option<Vec<String>> {
        Some(self.writes_of(dialect, self.walk.at()?))
    }

    fn writes_of(&self, dialect: &dyn Dialect, place: &str) -> Vec<String> {
        let BatchPlan::Statements(statements) = &self.batch else { return Vec::new() };
        // What an expression reads in other tables is read by the snapshot that its statement began with. A writer there that
        // looks at our row in between would go unseen, so the rows are locked by a statement before. So are those whose children
        // go first.
        // A row that comes to match between two statements of a purge would lose its children, or have some left: all are locked.
        let rows = within(place, &self.condition);
        let locked = if self.deletes { place } else { &rows };
        let lock = self.locks.as_deref().and_then(|table| dialect.lock_rows(table, locked, self.deletes));
        lock.into_iter().chain(statements.iter().map(|statement| statement.replace("{rows}", &rows))).collect()
    }

    /// The statements of a batch, as a reader is shown them.
    pub fn shown(&self, dialect: &dyn Dialect, size: u64) -> Vec<String> {
        let mut statements = vec![self.walk.span_end(true, size)];
        match &self.batch {
            BatchPlan::Statements(_) => statements.extend(self.writes(dialect, true)),
            BatchPlan::Command(command) => {
                let all: Vec<usize> = (0..command.writes.len()).collect();
                statements.push(command.read(&self.walk, true));
                statements.push(format!(
                    "-- each row through {}, then\n{}",
                    command.run.join(" "),
                    command.write(dialect, &all)
                ));
            }
        }
        statements
    }

    /// A query for keys of rows of a span that match `where`.
    pub fn pending_in_span(&self, after_cursor: bool) -> String {
        format!("SELECT {} FROM {} WHERE {} LIMIT 5", self.shown, self.table, self.rows(after_cursor))
    }

    /// A query for keys of rows whose copy is there and is another: in the whole table, or in a span, behind a place or not.
    pub(super) fn differing(
        &self,
        copy: &Copy,
        dialect: &dyn Dialect,
        schema: &Schema,
        span: Option<bool>,
    ) -> Result<String, Refusal> {
        let (live, into) = (live_table(schema, &self.source)?, live_table(schema, &copy.into)?);
        let renderer = Renderer { dialect, live, row: format!("{}.", self.table) };
        let other = dialect.table(&into.name);
        let (mut joined, mut same) = (Vec::new(), Vec::new());
        for (name, sql) in &copy.columns {
            let column = column(into, name)?;
            let value = dialect.coerce(&renderer.render(sql)?, column);
            let theirs = format!("{other}.{}", dialect.quote(name));
            if copy.key.contains(name) {
                joined.push(format!("{theirs} = {value}"));
            } else {
                same.push(dialect.same(&theirs, &dialect.rounded(&value, column), column));
            }
        }
        let differs = if same.is_empty() { "1 = 0".to_owned() } else { format!("NOT ({})", same.join(" AND ")) };
        let condition = format!("({} AND {differs})", self.wanted);
        let rows = span.map_or_else(|| condition.clone(), |after| within(self.walk.span(after), &condition));
        let join = format!("{} JOIN {other} ON {}", self.table, joined.join(" AND "));
        Ok(format!("SELECT {} FROM {join} WHERE {rows} LIMIT 5", self.shown))
    }

    /// The condition of the rows of a span that match.
    fn rows(&self, after_cursor: bool) -> String {
        within(self.walk.span(after_cursor), &self.condition)
    }
}

/// Inside CASE the condition can use no index of its own: an optimizer that prefers `visibility IS NULL` to the key's range
/// would look at every row that is left, in every batch (SQLite did).
pub(super) fn within(span: &str, condition: &str) -> String {
    format!("{span} AND CASE WHEN {condition} THEN 1 ELSE 0 END = 1")
}

/// The columns by which people know a row.
pub(super) fn shown_key(dialect: &dyn Dialect, live: &Table) -> String {
    let table = dialect.table(&live.name);
    let key = live.walk_key().unwrap_or_else(|| live.columns.iter().take(3).collect());
    let list: Vec<_> = key.iter().map(|column| dialect.key_column(&table, column)).collect();
    if list.is_empty() { "1".to_owned() } else { list.join(", ") }
}

fn live_table<'s>(schema: &'s Schema, name: &str) -> Result<&'s Table, Refusal> {
    schema.table(name).ok_or_else(|| Refusal::new(format!("there is no table `{name}`")).at(name))
}

fn update(renderer: &Renderer<'_>, set: &[(String, Sql)], table: &str) -> Result<String, Refusal> {
    let Renderer { dialect, live, .. } = renderer;
    let kind = dialect.kind();
    let mut assignments = Vec::new();
    for (name, sql) in set {
        let column = writable(*dialect, live, name)?;
        let reads = expression::columns_read(sql.on(kind).unwrap_or_default(), kind.flavor(), live);
        assignments.push(Assignment {
            column: name.clone(),
            value: dialect.coerce(&renderer.render(sql)?, column),
            reads: reads.into_iter().map(|read| read.name.clone()).collect(),
        });
    }
    let assignments = dialect.in_order(assignments)?;
    let set: Vec<_> = assignments.iter().map(|of| format!("{} = {}", dialect.quote(&of.column), of.value)).collect();
    Ok(format!("UPDATE {table} SET {} WHERE {{rows}}", set.join(", ")))
}

/// That the copy's row is not there yet.
fn missing(renderer: &Renderer<'_>, copy: &Copy, into: &Table) -> Result<String, Refusal> {
    let dialect = renderer.dialect;
    let other = dialect.table(&into.name);
    let mut same = Vec::new();
    for key in &copy.key {
        let column = column(into, key)?;
        let value = copy.columns.get(key).map(|sql| renderer.render(sql)).transpose()?.unwrap_or_default();
        same.push(format!("{other}.{} = {}", dialect.quote(key), dialect.coerce(&value, column)));
    }
    let same_columns =
        |unique: &&Vec<String>| unique.len() == copy.key.len() && unique.iter().all(|name| copy.key.contains(name));
    if !into.unique_keys().iter().any(same_columns) {
        let reason = format!("`{}` has no unique key on ({})", into.name, copy.key.join(", "));
        return Err(Refusal::new(format!("{reason}, so a copy could not tell which rows are there already")).at("key"));
    }
    Ok(format!("NOT EXISTS (SELECT 1 FROM {other} WHERE {})", same.join(" AND ")))
}

fn insert(renderer: &Renderer<'_>, copy: &Copy, into: &Table) -> Result<String, Refusal> {
    let dialect = renderer.dialect;
    let mut values = Vec::new();
    for (name, sql) in &copy.columns {
        let column = column(into, name)?;
        if column.generated {
            return Err(Refusal::new(format!("column `{name}` is generated, so nothing can be set")).at(name));
        }
        values.push(dialect.coerce(&renderer.render(sql)?, column));
    }
    let names: Vec<String> = copy.columns.keys().cloned().collect();
    Ok(format!(
        "INSERT INTO {} ({}) SELECT {} FROM {} WHERE {{rows}}{}{}",
        dialect.table(&into.name),
        dialect.columns(&names),
        values.join(", "),
        dialect.table(&renderer.live.name),
        dialect.shared_read(),
        dialect.keep_existing(&dialect.table(&into.name), &copy.key)
    ))
}

/// The deletions of what refers to the last table of a path, the farthest first. Each table of the path comes with what joins it
/// to the one before.
fn delete<'s>(
    dialect: &dyn Dialect,
    schema: &'s Schema,
    path: &[(&'s Table, String)],
    children: &[Child],
    statements: &mut Vec<String>,
) -> Result<(), Refusal> {
    let Some((parent, _)) = path.last() else { return Ok(()) };
    for child in children {
        let live = live_table(schema, &child.table)?;
        let (name, above) = (dialect.table(&live.name), dialect.table(&parent.name));
        let mut same = Vec::new();
        for (theirs, ours) in &child.key {
            column(live, theirs)?;
            column(parent, ours)?;
            same.push((format!("{name}.{}", dialect.quote(theirs)), format!("{above}.{}", dialect.quote(ours))));
        }
        let joined: Vec<_> = same.iter().map(|(theirs, ours)| format!("{theirs} = {ours}")).collect();
        let longer: Vec<_> = path.iter().cloned().chain([(live, joined.join(" AND "))]).collect();
        delete(dialect, schema, &longer, &child.children, statements)?;
        let others: Vec<_> = path.iter().map(|(table, _)| dialect.table(&table.name)).collect();
        let condition: Vec<_> = path.iter().rev().map(|(_, joined)| joined.as_str()).collect();
        statements.push(dialect.delete_referring(&name, &same, &others, &condition.join(" AND ")));
    }
    Ok(())
}

/// Refuses while rows of a table that nobody named would keep others from being deleted, be it by way of a cascade.
fn refuse_forgotten(children: &[Child], live: &Table, schema: &Schema) -> Result<(), Refusal> {
    let mut gone: Vec<&str> = vec![&live.name];
    gone.extend(children.iter().flat_map(Child::tree).map(|child| schema.key(&child.table)));
    let mut looked_at = 0;
    while let Some(name) = gone.get(looked_at).copied() {
        looked_at += 1;
        for other in schema.tables.values().filter(|other| !gone.contains(&other.name.as_str())).collect::<Vec<_>>() {
            for key in other.foreign_keys.iter().filter(|key| schema.key(&key.references) == name) {
                match key.on_delete.to_ascii_uppercase().as_str() {
                    "CASCADE" => gone.push(&other.name),
                    "SET NULL" | "SET DEFAULT" => {}
                    _ => {
                        let reason = format!(
                            "rows of `{}` refer to rows of `{name}`, and would keep them from being deleted; name it under \
                             `children`",
                            other.name
                        );
                        return Err(Refusal::new(reason).at("delete"));
                    }
                }
            }
        }
    }
    Ok(())
}

impl CommandPlan {
    fn new(renderer: &Renderer<'_>, program: &Program, condition: String) -> Result<Self, Refusal> {
        let Renderer { dialect, live, .. } = renderer;
        let key = live.walk_key().ok_or_else(|| {
            Refusal::new(format!("a program knows a row by its key, and table `{}` has none", live.name)).at(&live.name)
        })?;
        let mut all: Vec<Column> = key.iter().map(|column| (*column).clone()).collect();
        for name in program.reads.iter().chain(&program.writes) {
            if !all.iter().any(|column| column.name == *name) {
                all.push(column(live, name)?.clone());
            }
        }
        let mut assigned = Vec::new();
        for name in &program.writes {
            assigned.push(writable(*dialect, live, name)?.clone());
        }
        let table = dialect.table(&live.name);
        let list: Vec<_> = all.iter().map(|column| dialect.read_column(&table, column)).collect();
        let columns = all.iter().map(|column| CommandColumn {
            name: column.name.clone(),
            binary: dialect.is_binary(column),
            boolean: dialect.is_boolean(column),
        });
        Ok(Self {
            run: program.run.clone(),
            columns: columns.collect(),
            key: key.len(),
            writes: program.writes.clone(),
            booleans: [false, true].map(|value| dialect.boolean_text(value)),
            list: list.join(", "),
            table,
            condition,
            assigned,
            all,
        })
    }

    /// A query for the rows of a span that match, with the key's columns first.
    pub fn read(&self, walk: &Walk, after_cursor: bool) -> String {
        format!("SELECT {} FROM {} WHERE {}", self.list, self.table, within(walk.span(after_cursor), &self.condition))
    }

    /// The write of one row's changed columns, named by their places in `writes`, where the row is as it was read. Takes the new
    /// values, and then those that were read.
    pub fn write(&self, dialect: &dyn Dialect, changed: &[usize]) -> String {
        let set: Vec<_> = changed
            .iter()
            .enumerate()
            .filter_map(|(at, place)| {
                let column = self.assigned.get(*place)?;
                Some(format!("{} = {}", dialect.quote(&column.name), dialect.assigned(at + 1, column)))
            })
            .collect();
        let still: Vec<_> = self
            .all
            .iter()
            .enumerate()
            .map(|(at, column)| {
                let position = changed.len() + at + 1;
                if at < self.key {
                    // By the key's index.
                    let name = format!("{}.{}", self.table, dialect.quote(&column.name));
                    return format!("{name} = {}", dialect.key_parameter(position, column));
                }
                dialect.still(&self.table, column, position)
            })
            .collect();
        format!("UPDATE {} SET {} WHERE {}", self.table, set.join(", "), still.join(" AND "))
    }
}

fn column<'t>(table: &'t Table, name: &str) -> Result<&'t Column, Refusal> {
    table.column(name).ok_or_else(|| {
        let near = expression::nearest(name, table.columns.iter().map(|column| column.name.as_str()));
        let advice = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Refusal::new(format!("no column `{name}` in table `{}`{advice}", table.name)).at(name)
    })
}

fn writable<'t>(dialect: &dyn Dialect, table: &'t Table, name: &str) -> Result<&'t Column, Refusal> {
    let column = column(table, name)?;
    if column.generated {
        return Err(Refusal::new(format!("column `{name}` is generated, so nothing can be set")).at(name));
    }
    let walked = match dialect.walk_by(table)? {
        crate::dialect::WalkBy::Key(key) => key.iter().any(|key| key.name == name),
        crate::dialect::WalkBy::Pages { .. } => false,
    };
    if walked || table.walk_key().is_some_and(|key| key.iter().any(|key| key.name == name)) {
        return Err(Refusal::new(format!("column `{name}` is part of the key that the backfill walks by")).at(name));
    }
    Ok(column)
}
