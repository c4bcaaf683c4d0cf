//! What a phase needs to be allowed, from what its steps are.

use std::collections::BTreeSet;

use super::schema_steps::{Planned, PlannedStep};
use crate::dialect::Right;
use crate::step::Step;

/// The rights that steps which are still to run need; raw SQL says nothing of its own.
pub fn rights(steps: &[PlannedStep<'_>]) -> BTreeSet<Right> {
    let mut rights = BTreeSet::new();
    for step in steps.iter().filter(|step| !step.done) {
        let Planned::File(file) = &step.planned else { continue };
        let Some((own, others)) = file.tables.split_first() else { continue };
        let others = others.iter().cloned();
        match &file.step {
            Step::Sql(_) => {}
            Step::CreateTable(_) => {
                rights.insert(Right::Create);
                rights.extend(others.map(Right::Refer));
            }
            Step::Sync(_) => rights.extend(file.tables.iter().cloned().map(Right::Trigger)),
            Step::AddForeignKey(_) => {
                rights.insert(Right::Alter(own.clone()));
                rights.extend(others.map(Right::Refer));
            }
            Step::DropTable(_) => drop(rights.insert(Right::Drop(own.clone()))),
            _ => drop(rights.insert(Right::Alter(own.clone()))),
        }
    }
    // What this phase makes is its maker's.
    let made = |table: &String| {
        let makes = |step: &PlannedStep<'_>| matches!(&step.planned, Planned::File(file) if matches!(file.step, Step::CreateTable(_)) && file.tables.first() == Some(table));
        steps.iter().any(makes)
    };
    rights.retain(|right| match right {
        Right::Alter(table) | Right::Drop(table) | Right::Refer(table) | Right::Trigger(table) => !made(table),
        Right::Create => true,
    });
    rights
}
