//! A workload made ready for one database: its statements cut at their parameters, and what each writes.

use crate::catalog::{Expect, Generator, Invariant, Parameter, Piece, Stage, Template, Workload};
use crate::dialect::{Dialect, Kind, Literal, Reading, read_writes};

/// What nodes of a release do on one database.
#[derive(Debug)]
pub(super) struct Script {
    /// The release that the nodes are of.
    pub(super) release: String,
    pub(super) session: Vec<String>,
    pub(super) seed: Vec<Task>,
    pub(super) operations: Vec<Task>,
    pub(super) invariants: Vec<Asked>,
    pub(super) command: Option<Vec<String>>,
}

/// An operation, ready to be done.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) name: String,
    pub(super) times: u32,
    pub(super) with: Vec<(String, Generator)>,
    pub(super) statements: Vec<Prepared>,
}

/// A statement, ready to be filled in.
#[derive(Debug)]
pub(super) struct Prepared {
    template: Template,
    pub(super) expect: Expect,
    pub(super) reading: Reading,
}

/// An invariant, ready to be asked.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) name: String,
    pub(super) sql: String,
    during: Option<Vec<Stage>>,
}

impl Asked {
    /// Whether it holds in a stage; `usual` is when nodes of its release may run.
    pub(super) fn holds_in(&self, stage: Stage, usual: &[Stage]) -> bool {
        self.during.as_deref().unwrap_or(usual).contains(&stage)
    }
}

impl Script {
    pub(super) fn new(workload: &Workload, release: &str, kind: Kind) -> Self {
        let tasks = |operations: &[crate::catalog::Operation]| -> Vec<Task> {
            let task = |operation: &crate::catalog::Operation| Task {
                name: operation.name.clone(),
                times: operation.times,
                with: operation.with.iter().map(|(name, generator)| (name.clone(), generator.clone())).collect(),
                statements: operation
                    .statements
                    .iter()
                    .filter_map(|statement| Prepared::new(statement.sql.on(kind)?, &statement.expect, kind))
                    .collect(),
            };
            operations.iter().map(task).filter(|task| !task.statements.is_empty()).collect()
        };
        let asked = |invariant: &Invariant| {
            let sql = invariant.sql.on(kind)?.to_owned();
            Some(Asked { name: invariant.name.clone(), sql, during: invariant.during.clone() })
        };
        Self {
            release: release.to_owned(),
            session: workload.session.iter().filter_map(|sql| sql.on(kind)).map(str::to_owned).collect(),
            seed: tasks(&workload.seed),
            operations: tasks(&workload.operations),
            invariants: workload.invariants.iter().filter_map(asked).collect(),
            command: workload.command.clone(),
        }
    }

    /// The operations with a statement of which it cannot be told what it writes.
    pub(super) fn unreadable(&self) -> impl Iterator<Item = &str> {
        let unreadable = |task: &&Task| task.statements.iter().any(|part| part.reading == Reading::Unreadable);
        self.seed.iter().chain(&self.operations).filter(unreadable).map(|task| task.name.as_str())
    }
}

impl Prepared {
    /// `None` for a text that cannot be read: the catalog has said so before.
    fn new(sql: &str, expect: &Expect, kind: Kind) -> Option<Self> {
        let template = Template::read(sql, kind.flavor()).ok()?;
        let mut number = 0;
        let text: String = template
            .pieces()
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.clone(),
                Piece::Parameter(_) => {
                    number += 1;
                    if kind == Kind::Postgres { format!("${number}") } else { "?".to_owned() }
                }
            })
            .collect();
        Some(Self { template, expect: expect.clone(), reading: read_writes(&text, kind.flavor()) })
    }

    /// The values of its parameters, in order.
    pub(super) fn values(&self, value: impl Fn(&Parameter) -> Literal) -> Vec<Literal> {
        self.template.parameters().map(value).collect()
    }

    /// Its text with values in it.
    pub(super) fn filled(&self, values: &[Literal], dialect: &dyn Dialect) -> String {
        let mut values = values.iter();
        let mut text = String::new();
        for piece in self.template.pieces() {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Parameter(_) => {
                    text.push_str(&values.next().map(|value| value.sql(dialect)).unwrap_or_default());
                }
            }
        }
        text
    }
}
