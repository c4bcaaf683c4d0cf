//! What a phase needs to be allowed, from what its steps and backfills are.

use std::collections::BTreeSet;

use super::facts::Facts;
use super::schema_steps::{Planned, PlannedStep, schema_steps};
use crate::catalog::{Backfill, Child, FileStep, Release, Work};
use crate::dialect::{ColumnType, Kind, Right, Schema, Sql, Sync, expression};
use crate::step::{Phase, Step};

/// Stands for all tables of our state.
const STATE: &str = "concertina_lease";

/// The rights over our own tables: they may still have to be made, or be changed.
pub fn state_rights(current: bool) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    if !current {
        rights.extend([Right::Create, Right::DropOwn]);
    }
    rights.extend([Right::Read, Right::Insert, Right::Update, Right::Delete].map(|right| right(STATE.to_owned())));
    rights
}

/// The rights that what is left of a phase needs; raw SQL and programs say nothing of their own.
pub fn rights(release: &Release, phase: Phase, facts: &Facts, schema: &Schema, kind: Kind) -> BTreeSet<Right> {
    let steps = schema_steps(release, phase, facts, schema);
    let mut rights = BTreeSet::new();
    for step in steps.iter().filter(|step| !step.done) {
        match &step.planned {
            Planned::File(file) => of_step(file, kind, &mut rights),
            Planned::Loosen(step) => drop(rights.insert(Right::Alter(step.table.clone()))),
            Planned::DropSync(step) => of_removal(&step.0, &mut rights),
            Planned::Undo { step, .. } => of_undo(step, &mut rights),
        }
    }
    // Contract proves what migrate did.
    if phase != Phase::Expand {
        for backfill in &release.backfills {
            of_backfill(backfill, phase, kind, &mut rights);
        }
        for (_, sync) in release.syncs() {
            rights.extend(tables(&sync).into_iter().map(Right::Read));
        }
    }
    // What this phase makes is its maker's.
    let made = |table: &str| {
        let makes = |step: &PlannedStep<'_>| matches!(&step.planned, Planned::File(file) if matches!(file.step, Step::CreateTable(_)) && file.tables.first().is_some_and(|made| made == table));
        steps.iter().any(makes)
    };
    rights.retain(|right| right.table().is_none_or(|table| matches!(right, Right::Trigger(_)) || !made(table)));
    rights
}

/// The rights that taking these steps back needs.
pub fn rollback_rights(steps: &[&FileStep]) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for step in steps {
        of_undo(step, &mut rights);
    }
    rights
}

/// The rights that a look at these syncs' triggers needs.
pub fn trigger_rights(syncs: &[Sync]) -> BTreeSet<Right> {
    syncs.iter().flat_map(tables).map(Right::Trigger).collect()
}

fn of_step(file: &FileStep, kind: Kind, rights: &mut BTreeSet<Right>) {
    let Some((own, others)) = file.tables.split_first() else { return };
    let others = others.iter().cloned();
    match &file.step {
        Step::Sql(_) => {}
        Step::CreateTable(_) => {
            rights.insert(Right::Create);
            rights.extend(others.map(Right::Refer));
        }
        Step::Sync(step) => {
            let sync = step.resolve();
            rights.insert(Right::Create);
            rights.extend(tables(&sync).into_iter().map(Right::Trigger));
            // What the triggers do is done by the rights of who made them, whenever somebody writes.
            rights.extend(tables(&sync).into_iter().map(Right::Read));
            rights.insert(Right::Update(sync.table.clone()));
            if let Some(to) = &sync.to {
                rights.extend([Right::Insert, Right::Update, Right::Delete].map(|right| right(to.table.clone())));
            }
        }
        Step::AddForeignKey(_) => {
            rights.insert(Right::Alter(own.clone()));
            rights.extend(others.map(Right::Refer));
        }
        Step::AddColumn(step) => {
            rights.insert(Right::Alter(own.clone()));
            // Its type is made.
            if kind == Kind::Postgres && matches!(step.column.column_type, ColumnType::Enum { .. }) {
                rights.insert(Right::Create);
            }
        }
        Step::DropTable(_) => drop(rights.insert(Right::Drop(own.clone()))),
        _ => drop(rights.insert(Right::Alter(own.clone()))),
    }
}

fn of_removal(sync: &Sync, rights: &mut BTreeSet<Right>) {
    rights.insert(Right::DropOwn);
    rights.extend(tables(sync).into_iter().map(Right::Trigger));
}

fn of_undo(file: &FileStep, rights: &mut BTreeSet<Right>) {
    match &file.step {
        Step::Sql(_) => {}
        Step::CreateTable(_) => rights.extend(file.tables.first().cloned().map(Right::Drop)),
        Step::Sync(step) => of_removal(&step.resolve(), rights),
        _ => rights.extend(file.tables.first().cloned().map(Right::Alter)),
    }
}

fn of_backfill(backfill: &Backfill, phase: Phase, kind: Kind, rights: &mut BTreeSet<Right>) {
    let mut texts: Vec<&Sql> = backfill.pending.iter().collect();
    rights.insert(Right::Read(backfill.table.clone()));
    let mut writes = BTreeSet::new();
    match &backfill.work {
        Work::Update(set) => {
            texts.extend(set.iter().map(|(_, sql)| sql));
            writes.insert(Right::Update(backfill.table.clone()));
        }
        Work::Copy(copy) => {
            texts.extend(copy.columns.values());
            rights.insert(Right::Read(copy.into.clone()));
            writes.insert(Right::Insert(copy.into.clone()));
        }
        Work::Delete(children) => {
            let below = children.iter().flat_map(Child::tree).map(|child| &child.table);
            for table in below.chain([&backfill.table]) {
                rights.insert(Right::Read(table.clone()));
                writes.insert(Right::Delete(table.clone()));
            }
        }
        Work::Command(_) => drop(writes.insert(Right::Update(backfill.table.clone()))),
    }
    let read = texts.iter().filter_map(|sql| sql.on(kind));
    rights.extend(read.flat_map(|text| expression::tables_read(text, kind.flavor())).map(Right::Read));
    if phase == Phase::Migrate {
        rights.extend(writes);
    }
}

/// The tables that a sync has triggers on.
fn tables(sync: &Sync) -> BTreeSet<String> {
    let elsewhere = sync.to.iter().map(|to| &to.table);
    let related = sync.related.iter().map(|related| &related.table);
    [&sync.table].into_iter().chain(elsewhere).chain(related).cloned().collect()
}
