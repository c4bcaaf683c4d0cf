//! The meaning of a sync, built once for every database: design.md, section 6, as a tree of conditions and writes.
//!
//! A dialect only wraps the tree: PostgreSQL and MySQL as procedural code that assigns to `NEW`, SQLite as one UPDATE
//! per path through the tree. Conditions speak of the row as `NEW.` and `OLD.`, which all three understand; on SQLite
//! `NEW` does not change while a trigger runs, which is why the tree never reads a column after it has assigned it.

use serde::{Deserialize, Serialize};

use super::expression::{self, Scope};
use super::schema::{Column, Schema, Table};
use super::statement::{Refusal, Statement};
use super::{Assignment, Dialect, Sql};

/// The events of a related table that can change what the new columns must be.
pub const RELATED_EVENTS: [&str; 3] = ["INSERT", "UPDATE", "DELETE"];

/// What happens when one write gives both sides and they disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conflict {
    /// The write fails, naming the sync.
    #[default]
    Reject,
    /// The new columns win.
    New,
    /// The old columns win.
    Old,
}

/// A table whose rows change what the new columns of this one must be.
#[derive(Debug, Clone, PartialEq)]
pub struct Related {
    /// The other table.
    pub table: String,
    /// Its columns, each with the column here that it points to.
    pub key: Vec<(String, String)>,
    /// When the new columns follow; `related.` is the other table's row.
    pub when: Sql,
}

/// A sync, resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Sync {
    /// Its name; errors name it.
    pub name: String,
    /// The table.
    pub table: String,
    /// New columns, each with what it becomes after an old writer's write.
    pub forward: Vec<(String, Sql)>,
    /// Old columns, each with what it becomes after a new writer's write.
    pub backward: Vec<(String, Sql)>,
    /// Both sides given, in disagreement.
    pub conflict: Conflict,
    /// Related tables.
    pub related: Vec<Related>,
    /// Old columns whose NOT NULL this release's expand dropped: a write that leaves one NULL fails as it used to.
    pub required: Vec<String>,
}

/// Which release's nodes write like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Release N-1.
    Old,
    /// Release N.
    New,
}

impl Side {
    /// The word in our tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::New => "new",
        }
    }
}

/// One node of the tree.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// A choice.
    If {
        /// SQL, never NULL.
        condition: String,
        /// When it holds.
        then: Vec<Rule>,
        /// When it does not.
        otherwise: Vec<Rule>,
    },
    /// Columns of the row become these expressions, all evaluated before the first is assigned.
    Assign(Vec<(Column, String)>),
    /// The write fails.
    Reject(String),
    /// A writer of this side was seen.
    Seen(Side),
    /// The write fails when it leaves this column NULL.
    Require(String),
}

/// A sync with its expressions rendered for a live table.
#[derive(Debug)]
pub struct Rules<'a> {
    sync: &'a Sync,
    dialect: &'a dyn Dialect,
    table: &'a Table,
    row: String,
    forward: Vec<(&'a Column, String)>,
    backward: Vec<(&'a Column, String)>,
}

impl<'a> Rules<'a> {
    /// Renders a sync's expressions for a query over the table. Its name stands before each column, since a subquery of an
    /// expression may have columns of the same names.
    pub fn over_table(sync: &'a Sync, dialect: &'a dyn Dialect, schema: &'a Schema) -> Result<Self, Refusal> {
        Self::new(sync, dialect, schema, &format!("{}.", dialect.table(&sync.table)))
    }

    /// Renders a sync's expressions, with `row` before each column: `NEW.` in a trigger.
    pub fn new(sync: &'a Sync, dialect: &'a dyn Dialect, schema: &'a Schema, row: &str) -> Result<Self, Refusal> {
        let table =
            schema.table(&sync.table).ok_or_else(|| Refusal::new(format!("there is no table `{}`", sync.table)))?;
        let side = |mapping: &[(String, Sql)]| -> Result<Vec<(&'a Column, String)>, Refusal> {
            mapping
                .iter()
                .map(|(name, sql)| {
                    let column = table.column(name).ok_or_else(|| {
                        Refusal::new(format!("there is no column `{name}` in table `{}`", sync.table))
                    })?;
                    if column.generated {
                        return Err(Refusal::new(format!(
                            "column `{name}` of table `{}` is generated, so no sync can write it",
                            sync.table
                        )));
                    }
                    let expression = row_expression(sql, dialect, table, row)?;
                    let known = |read: &&Column| {
                        let mapped = sync.forward.iter().chain(&sync.backward).any(|(name, _)| *name == read.name);
                        mapped || table.primary_key.contains(&read.name)
                    };
                    let read = columns_read(sql, dialect, table);
                    if let Some(other) = read.iter().find(|read| !known(read)) {
                        return Err(Refusal::new(format!(
                            "the expression of `{name}` reads `{}`, and a write of that column alone would not be seen; \
                             it may read the sync's own columns and the primary key",
                            other.name
                        ))
                        .at(&other.name));
                    }
                    Ok((column, dialect.coerce(&expression, column)))
                })
                .collect()
        };
        let (forward, backward) = (side(&sync.forward)?, side(&sync.backward)?);
        Ok(Self { sync, dialect, table, row: row.to_owned(), forward, backward })
    }

    /// The columns that the expressions read.
    pub fn columns_read(&self) -> Vec<&'a Column> {
        let sides = self.sync.forward.iter().chain(&self.sync.backward);
        sides.flat_map(|(_, sql)| columns_read(sql, self.dialect, self.table)).collect()
    }

    /// The table the sync is on.
    pub fn table(&self) -> &Table {
        self.table
    }

    fn any(&self, columns: &[(&Column, String)], test: impl Fn(&str, &Column) -> String) -> String {
        let tests: Vec<_> = columns.iter().map(|(column, _)| test(&self.dialect.quote(&column.name), column)).collect();
        format!("({})", tests.join(" OR "))
    }

    /// "Changed", for one side: NULL-safe, by bytes.
    fn changed(&self, columns: &[(&Column, String)]) -> String {
        self.any(columns, |name, column| {
            format!("NOT {}", self.dialect.same(&format!("OLD.{name}"), &format!("NEW.{name}"), column))
        })
    }

    /// Whether a column of either side changed: the guard that makes an unrelated update cost next to nothing.
    pub fn touched(&self) -> String {
        format!("({} OR {})", self.changed(&self.backward), self.changed(&self.forward))
    }

    fn equal_to(&self, columns: &[(&Column, String)], row: &str) -> String {
        let tests: Vec<_> = columns
            .iter()
            .map(|(column, value)| {
                let kept = self.dialect.rounded(value, column);
                self.dialect.same(&format!("{row}{}", self.dialect.quote(&column.name)), &kept, column)
            })
            .collect();
        format!("({})", tests.join(" AND "))
    }

    fn in_step(&self, row: &str) -> String {
        format!("({} OR {})", self.equal_to(&self.forward, row), self.equal_to(&self.backward, row))
    }

    fn new_side_set(&self, row: &str) -> String {
        self.any(&self.forward, |name, _| format!("{row}{name} IS NOT NULL"))
    }

    /// A condition for rows that break the invariant: the new side is set, and the row is not in step.
    pub fn out_of_step(&self) -> String {
        format!("{} AND NOT {}", self.new_side_set(&self.row), self.in_step(&self.row))
    }

    fn assign(columns: &[(&Column, String)]) -> Rule {
        Rule::Assign(columns.iter().map(|(column, value)| ((*column).clone(), value.clone())).collect())
    }

    fn conflict(&self) -> Vec<Rule> {
        match self.sync.conflict {
            Conflict::Reject => vec![Rule::Reject(self.message())],
            Conflict::New => vec![Self::assign(&self.backward), Rule::Seen(Side::New)],
            Conflict::Old => vec![Self::assign(&self.forward), Rule::Seen(Side::Old)],
        }
    }

    fn message(&self) -> String {
        let names = |columns: &[(&Column, String)]| {
            columns.iter().map(|(column, _)| column.name.as_str()).collect::<Vec<_>>().join(", ")
        };
        format!(
            "concertina sync {}: {} and {} disagree; write one side only",
            self.sync.name,
            names(&self.backward),
            names(&self.forward)
        )
    }

    fn required(&self) -> Vec<Rule> {
        self.sync.required.iter().cloned().map(Rule::Require).collect()
    }

    /// What an INSERT does.
    pub fn insert(&self) -> Vec<Rule> {
        let given = self.any(&self.backward, |name, column| match &column.default {
            // A default that is not a constant cannot be compared with: the column counts as left out.
            Some(_) if !column.constant_default => "1 = 0".to_owned(),
            Some(default) => {
                format!(
                    "NOT {}",
                    self.dialect.same(&format!("NEW.{name}"), &self.dialect.coerce(default, column), column)
                )
            }
            None => format!("NEW.{name} IS NOT NULL"),
        });
        let both =
            Rule::If { condition: self.in_step("NEW."), then: vec![Rule::Seen(Side::New)], otherwise: self.conflict() };
        let mut rules = vec![Rule::If {
            condition: self.new_side_set("NEW."),
            then: vec![Rule::If {
                condition: given,
                then: vec![both],
                otherwise: vec![Self::assign(&self.backward), Rule::Seen(Side::New)],
            }],
            otherwise: vec![Self::assign(&self.forward), Rule::Seen(Side::Old)],
        }];
        rules.extend(self.required());
        rules
    }

    /// What an UPDATE that [`touched`](Self::touched) either side does.
    pub fn update(&self) -> Vec<Rule> {
        let both =
            Rule::If { condition: self.in_step("NEW."), then: vec![Rule::Seen(Side::New)], otherwise: self.conflict() };
        let mut rules = vec![Rule::If {
            condition: self.changed(&self.forward),
            then: vec![Rule::If {
                condition: self.changed(&self.backward),
                then: vec![both],
                otherwise: vec![Self::assign(&self.backward), Rule::Seen(Side::New)],
            }],
            otherwise: vec![Self::assign(&self.forward), Rule::Seen(Side::Old)],
        }];
        rules.extend(self.required());
        rules
    }
}

/// Queries that return nothing, and fail where an expression would fail in every write: an unknown function, a wrong type.
/// They come before the first trigger is in force.
pub fn trials(sync: &Sync, dialect: &dyn Dialect, schema: &Schema) -> Result<Vec<Statement>, Refusal> {
    let rules = Rules::over_table(sync, dialect, schema)?;
    let target = dialect.table(&sync.table);
    let trial = |query: String| Statement::MustBeEmpty { query, message: "it tries the expressions out".to_owned() };
    let mut trials = vec![trial(format!("SELECT 1 FROM {target} WHERE 1 = 0 AND {}", rules.out_of_step()))];
    for related in sync.related.iter().filter(|related| related.table != sync.table) {
        let Some(other) = schema.table(&related.table) else { continue };
        let other_name = dialect.table(&related.table);
        let when = when(sync, related, dialect, rules.table, &format!("{other_name}."), other)?;
        trials.push(trial(format!("SELECT 1 FROM {target}, {other_name} WHERE 1 = 0 AND ({when})")));
    }
    Ok(trials)
}

fn columns_read<'t>(sql: &Sql, dialect: &dyn Dialect, table: &'t Table) -> Vec<&'t Column> {
    let text = sql.on(dialect.kind()).unwrap_or_default();
    expression::columns_read(text, dialect.kind().flavor(), table)
}

/// A related table's condition, rendered: `row` is what `related.` stands for.
fn when(
    sync: &Sync,
    related: &Related,
    dialect: &dyn Dialect,
    target: &Table,
    row: &str,
    other: &Table,
) -> Result<String, Refusal> {
    let target_row = format!("{}.", dialect.table(&sync.table));
    let quote = |name: &str| dialect.quote(name);
    let scope = Scope { table: target, row: &target_row, related: Some((row, other)), quote: &quote };
    let text = related
        .when
        .on(dialect.kind())
        .ok_or_else(|| Refusal::new(format!("`when` has no text for {}", dialect.kind())))?;
    Ok(expression::render(text, dialect.kind().flavor(), &scope)?)
}

fn row_expression(sql: &Sql, dialect: &dyn Dialect, table: &Table, row: &str) -> Result<String, Refusal> {
    let text = sql
        .on(dialect.kind())
        .ok_or_else(|| Refusal::new(format!("the expression has no text for {}", dialect.kind())))?;
    let quote = |name: &str| dialect.quote(name);
    let scope = Scope { table, row, related: None, quote: &quote };
    Ok(expression::render(text, dialect.kind().flavor(), &scope)?)
}

/// The two statements of a related table's trigger: the no-op write that takes the target rows, and the write that
/// follows. They are two on purpose: the second must see what a concurrent transaction committed while the first waited.
pub fn related_writes(
    sync: &Sync,
    related: &Related,
    event: &str,
    dialect: &dyn Dialect,
    schema: &Schema,
) -> Result<[String; 2], Refusal> {
    let missing = |table: &str| Refusal::new(format!("there is no table `{table}`"));
    let target = schema.table(&sync.table).ok_or_else(|| missing(&sync.table))?;
    let other = schema.table(&related.table).ok_or_else(|| missing(&related.table))?;
    let row = if event == "DELETE" { "OLD." } else { "NEW." };
    let target_name = dialect.table(&sync.table);
    let target_row = format!("{target_name}.");
    let points_here = |row: &str| -> String {
        let tests: Vec<_> = related
            .key
            .iter()
            .map(|(there, here)| format!("{target_row}{} = {row}{}", dialect.quote(here), dialect.quote(there)))
            .collect();
        format!("({})", tests.join(" AND "))
    };
    for (there, here) in &related.key {
        if other.column(there).is_none() || target.column(here).is_none() {
            return Err(Refusal::new(format!(
                "`{}.{there}` or `{}.{here}` is not a column",
                related.table, sync.table
            )));
        }
    }
    let rows = match event {
        "UPDATE" => format!("({} OR {})", points_here("OLD."), points_here("NEW.")),
        _ => points_here(row),
    };
    let when = when(sync, related, dialect, target, row, other)?;
    let mut assignments = Vec::new();
    let mut noop = Vec::new();
    for (name, sql) in &sync.forward {
        let column = target
            .column(name)
            .ok_or_else(|| Refusal::new(format!("there is no column `{name}` in table `{}`", sync.table)))?;
        let value = row_expression(sql, dialect, target, &target_row)?;
        let reads = columns_read(sql, dialect, target).into_iter().map(|read| read.name.clone()).collect();
        assignments.push(Assignment { column: name.clone(), value: dialect.coerce(&value, column), reads });
        noop.push(format!("{0} = {target_row}{0}", dialect.quote(name)));
    }
    let assignments = dialect.in_order(assignments)?;
    let writes: Vec<_> = assignments.iter().map(|of| format!("{} = {}", dialect.quote(&of.column), of.value)).collect();
    Ok([
        format!("UPDATE {target_name} SET {} WHERE {rows}", noop.join(", ")),
        format!("UPDATE {target_name} SET {} WHERE {rows} AND ({when})", writes.join(", ")),
    ])
}
