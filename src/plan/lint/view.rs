//! What a rule looks at: one release, as one database sees it, with what its files do and the schema before and after.

use super::effect::{Constraint, DefaultValue, Effect, NewColumn, NewIndex, NewTable};
use super::known::{Known, same};
use super::sql;
use crate::catalog::{Backfill, FileStep, Origin, Project, Release};
use crate::dialect::{ColumnDefinition, Default, Kind, Sync, TableDefinition};
use crate::step::{Phase, Step};

/// One effect of a release's files, and where it stands.
#[derive(Debug)]
pub(super) struct Act<'p> {
    pub(super) phase: Phase,
    /// The step's id.
    pub(super) id: &'p str,
    /// The statement, or the step.
    pub(super) origin: Origin,
    /// It is a statement of raw SQL: nobody but its author has seen to how it runs.
    pub(super) raw: bool,
    /// Which statement of its step it belongs to.
    pub(super) statement: usize,
    pub(super) effect: Effect,
}

/// One release on one database.
#[derive(Debug)]
pub(super) struct View<'p> {
    pub(super) kind: Kind,
    pub(super) release: &'p Release,
    /// The release before it, in words.
    pub(super) previous: &'p str,
    pub(super) acts: Vec<Act<'p>>,
    /// The schema before its expand.
    pub(super) before: Known,
    /// The schema between expand and contract.
    pub(super) expanded: Known,
}

impl<'p> View<'p> {
    /// A view of every release, the oldest first, each made when it is asked for: what all of them know together grows with the
    /// square of the train.
    pub(super) fn all(project: &'p Project, kind: Kind) -> impl Iterator<Item = Self> {
        let mut known = Known::default();
        for file in project.baseline(kind) {
            let judged = sql::read(&file.sql, kind);
            let lost = Effect::Unclassified { reason: String::new(), names: None };
            match judged {
                Ok(statements) => {
                    statements.iter().flat_map(|statement| &statement.effects).for_each(|effect| known.apply(effect));
                }
                Err(_) => known.apply(&lost),
            }
        }
        let mut previous = "the release before";
        project.releases.iter().map(move |release| {
            let before = known.clone();
            let mut acts = Vec::new();
            for phase in [Phase::Expand, Phase::Contract] {
                for step in release.steps(phase) {
                    acts.extend(acts_of(step, phase, kind));
                }
            }
            let of = |phase| acts.iter().filter(move |act: &&Act<'_>| act.phase == phase).map(|act| &act.effect);
            of(Phase::Expand).for_each(|effect| known.apply(effect));
            let expanded = known.clone();
            of(Phase::Contract).for_each(|effect| known.apply(effect));
            let previous = std::mem::replace(&mut previous, &release.name);
            Self { kind, release, previous, acts, before, expanded }
        })
    }

    /// What its files of a phase do.
    pub(super) fn of(&self, phase: Phase) -> impl Iterator<Item = &Act<'p>> {
        self.acts.iter().filter(move |act| act.phase == phase)
    }

    /// What its raw SQL does.
    pub(super) fn raw(&self) -> impl Iterator<Item = &Act<'p>> {
        self.acts.iter().filter(|act| act.raw)
    }

    /// Whether a table is made by this release, so that no older node knows it and hardly a row is in it.
    pub(super) fn makes(&self, table: &str) -> bool {
        // `IF NOT EXISTS` makes nothing where there is one, and what is dropped first was there.
        let first = self.of(Phase::Expand).find_map(|act| match &act.effect {
            Effect::CreateTable(new) if same(&new.name, table) => Some(true),
            Effect::DropTable { table: other } | Effect::RenameTable { from: other, .. } if same(other, table) => {
                Some(false)
            }
            _ => None,
        });
        first == Some(true) && self.before.table(table).is_none()
    }

    /// Whether a column is added by this release.
    pub(super) fn adds(&self, table: &str, column: &str) -> bool {
        self.makes(table)
            || self.of(Phase::Expand).any(|act| {
                matches!(&act.effect, Effect::AddColumn { table: of, column: new }
                    if same(of, table) && same(&new.name, column))
            })
    }

    /// The syncs of the release, each with its step.
    pub(super) fn syncs(&self) -> Vec<(&'p FileStep, Sync)> {
        self.release.syncs().collect()
    }

    /// The backfills of the release.
    pub(super) fn backfills(&self) -> &'p [Backfill] {
        &self.release.backfills
    }
}

fn acts_of(step: &FileStep, phase: Phase, kind: Kind) -> Vec<Act<'_>> {
    let act = |raw, statement, origin, effect| Act { phase, id: &step.id, origin, raw, statement, effect };
    let Step::Sql(raw) = &step.step else {
        let effects = typed(&step.step, kind).into_iter();
        return effects.map(|effect| act(false, 0, step.origin.clone(), effect)).collect();
    };
    let Some(text) = raw.run.on(kind) else { return Vec::new() };
    let mut acts = Vec::new();
    let mut places = Places::new(step, kind, text);
    match sql::read(text, kind) {
        Ok(statements) => {
            for (index, statement) in statements.into_iter().enumerate() {
                let origin = places.of(statement.text);
                acts.extend(statement.effects.into_iter().map(|effect| act(true, index, origin.clone(), effect)));
            }
        }
        Err(reason) => {
            let effect = Effect::Unclassified { reason: format!("{reason} is in it"), names: None };
            acts.push(act(true, 0, places.whole(), effect));
        }
    }
    acts
}

/// Finds the statements of a step in its file.
struct Places<'s> {
    step: &'s FileStep,
    kind: Kind,
    text: &'s str,
    /// Where in a YAML file the next one is looked for.
    from: usize,
}

impl<'s> Places<'s> {
    fn new(step: &'s FileStep, kind: Kind, text: &'s str) -> Self {
        Self { step, kind, text, from: step.origin.narrowed(kind.key()).span.start }
    }

    fn whole(&self) -> Origin {
        let file = self.step.sources.iter().find(|(kind, _)| *kind == self.kind);
        file.map_or_else(|| self.step.origin.clone(), |(_, source)| Origin::file(source))
    }

    fn of(&mut self, statement: &str) -> Origin {
        let whole = self.whole();
        if !self.step.sources.is_empty() {
            // What runs is the beginning of the file, so a place in the one is a place in the other.
            let start = statement.as_ptr() as usize - self.text.as_ptr() as usize;
            return Origin { span: start..start + statement.len(), ..whole };
        }
        // YAML folds and indents a text; the first line of a statement is there as it is, though.
        let line = statement.lines().next().unwrap_or_default().trim_end();
        let end = whole.span.end;
        let found = whole.source.text.get(self.from..end).and_then(|text| text.find(line));
        let Some(at) = found.filter(|_| !line.is_empty()) else { return whole };
        let start = self.from + at;
        self.from = start + line.len();
        Origin { span: start..self.from, ..whole }
    }
}

fn typed(step: &Step, kind: Kind) -> Vec<Effect> {
    let effect = match step {
        Step::CreateTable(step) => Effect::CreateTable(new_table(&step.0, kind)),
        Step::AddColumn(step) => {
            Effect::AddColumn { table: step.table.clone(), column: new_column(&step.column, kind) }
        }
        Step::CreateIndex(step) => Effect::CreateIndex(NewIndex {
            table: step.0.table.clone(),
            name: step.0.name.clone(),
            columns: step.0.columns.clone(),
            unique: step.0.unique,
            online: true,
            partial: false,
        }),
        Step::AddForeignKey(step) => Effect::AddConstraint {
            table: step.table.clone(),
            constraint: Constraint::ForeignKey { columns: step.columns.clone() },
            validated: false,
        },
        Step::DropNotNull(step) => Effect::DropNotNull { table: step.table.clone(), column: step.column.clone() },
        Step::DropDefault(step) => Effect::DropDefault { table: step.table.clone(), column: step.column.clone() },
        Step::DropConstraint(step) => Effect::DropConstraint { table: step.table.clone(), name: step.name.clone() },
        Step::DropColumn(step) => Effect::DropColumn { table: step.table.clone(), column: step.column.clone() },
        Step::DropTable(step) => Effect::DropTable { table: step.table.clone() },
        Step::DropIndex(step) => Effect::DropIndex { name: step.name.clone(), concurrent: true },
        Step::SetNotNull(step) => Effect::SetNotNull { table: step.table.clone(), column: step.column.clone() },
        Step::SetDefault(step) => Effect::SetDefault { table: step.table.clone(), column: step.column.clone() },
        // What these do is safe by how they do it, and changes nothing that a rule asks about.
        Step::AddCheck(_)
        | Step::AddUnique(_)
        | Step::AddEnumValue(_)
        | Step::WidenColumn(_)
        | Step::Validate(_)
        | Step::Sync(_)
        | Step::Sql(_) => return Vec::new(),
    };
    vec![effect]
}

fn new_table(table: &TableDefinition, kind: Kind) -> NewTable {
    let uniques = table.uniques.iter().map(|unique| unique.columns.clone());
    NewTable {
        name: table.name.clone(),
        columns: Some(table.columns().iter().map(|column| new_column(column, kind)).collect()),
        keys: [table.primary_key.clone()].into_iter().filter(|key| !key.is_empty()).chain(uniques).collect(),
        foreign_keys: table.foreign_keys.iter().map(|key| key.columns.clone()).collect(),
    }
}

fn new_column(column: &ColumnDefinition, kind: Kind) -> NewColumn {
    let default = column.default.as_ref().map(|default| match default {
        Default::Null => DefaultValue::Null,
        Default::Sql(text) => text.on(kind).map_or(DefaultValue::Constant, |text| sql::default_of(text, kind.flavor())),
        _ => DefaultValue::Constant,
    });
    NewColumn {
        name: column.name.clone(),
        not_null: !column.nullable,
        default,
        numbered: column.identity,
        ..NewColumn::default()
    }
}
