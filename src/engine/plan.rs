//! What a phase would run, statement by statement, and what each would cost those who use the database. Runs nothing.

use std::collections::BTreeMap;

use serde::Serialize;

use super::phases::unknown_release;
use super::report::reading;
use super::session::Session;
use super::{EngineError, Observer};
use crate::catalog::{Diagnostic, Diagnostics, Project, Release};
use crate::db::Target;
use crate::dialect::{Cost, Held, Schema, Stops, Work};
use crate::plan::{BackfillPlan, Need, RenderedStep, baseline_gate, check_release, schema_steps};
use crate::step::Phase;

/// What a phase would run.
#[derive(Debug, Clone, Serialize)]
pub struct PhasePlan {
    /// The release.
    pub release: Option<String>,
    /// The phase, or `baseline`.
    pub phase: String,
    /// The steps, in order.
    pub steps: Vec<PlanStep>,
}

/// A step that would run.
#[derive(Debug, Clone, Serialize)]
pub struct PlanStep {
    /// Its id.
    pub id: String,
    /// What it does.
    pub summary: String,
    /// Its statements, in order.
    pub statements: Vec<String>,
    /// Whether they run in one transaction.
    pub transactional: bool,
    /// What they cost those who use the database.
    pub costs: Vec<StatementCost>,
}

/// What one statement costs those who use one table.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct StatementCost {
    /// Which statement of the step, from 0.
    pub statement: usize,
    /// The table; `None` where it is not known.
    pub table: Option<String>,
    /// The lock, in the server's own words; `None` where it is not known.
    pub lock: Option<&'static str>,
    /// What is locked: `table`, `database`, `rows` of a backfill's batch, `unknown`.
    pub locks: &'static str,
    /// Whom it keeps waiting: `nobody`, `schema_changes`, `writers`, `everybody`, `unknown`.
    pub stops: &'static str,
    /// For how long: `instant`, `ends` (an instant as the work begins, and one as it ends), `throughout`, `batch`
    /// (for each batch of a backfill), `unknown`.
    pub held: &'static str,
    /// What is done with the rows: `none`, `reads`, `changes`, `rewrites`, `unknown`.
    pub work: &'static str,
    /// About how many rows the table has; `None` where no row is looked at, or nobody knows.
    pub rows_estimated: Option<i64>,
    /// About how many bytes it has, without its indexes.
    pub bytes_estimated: Option<i64>,
    /// How many changes the table has left before the server builds it anew for one (MySQL).
    pub instant_changes_left: Option<i64>,
}

impl StatementCost {
    fn unknown(statement: usize) -> Self {
        Self {
            statement,
            table: None,
            lock: None,
            locks: "unknown",
            stops: "unknown",
            held: "unknown",
            work: "unknown",
            rows_estimated: None,
            bytes_estimated: None,
            instant_changes_left: None,
        }
    }

    fn of(statement: usize, cost: &Cost, locks: &'static str) -> Self {
        Self {
            locks,
            table: Some(cost.table.clone()),
            lock: Some(cost.lock),
            stops: match cost.stops {
                Stops::Nobody => "nobody",
                Stops::SchemaChanges => "schema_changes",
                Stops::Writers => "writers",
                Stops::Everybody => "everybody",
            },
            held: match cost.held {
                Held::Instant => "instant",
                Held::Ends => "ends",
                Held::Throughout => "throughout",
            },
            work: match cost.work {
                Work::None => "none",
                Work::Reads => "reads",
                Work::Changes => "changes",
                Work::Rewrites => "rewrites",
            },
            ..Self::unknown(statement)
        }
    }
}

/// What is known of a table's size.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    rows: Option<i64>,
    bytes: Option<i64>,
    changes_left: Option<i64>,
}

/// Works out what a phase would run.
pub async fn plan(
    project: &Project,
    target: &Target,
    phase: Option<Phase>,
    observer: &dyn Observer,
) -> Result<PhasePlan, EngineError> {
    let session = Session::open(project, target, false, observer).await?;
    reading(session, async |session| session.plan(phase).await).await
}

fn unfit(phase: Phase, release: &str, errors: Vec<Diagnostic>) -> EngineError {
    EngineError::Unfit { phase: format!("plan of {phase} of {release}"), diagnostics: Diagnostics(errors) }
}

impl Session<'_> {
    async fn plan(&mut self, wanted: Option<Phase>) -> Result<PhasePlan, EngineError> {
        let project = self.project;
        let standing = self.standing();
        self.refuse_newer()?;
        self.refuse_drift()?;
        let dialect = self.connection.shared_dialect();
        let (phase, name) = match standing.need() {
            Need::Nothing => return Ok(PhasePlan { release: None, phase: "none".to_owned(), steps: Vec::new() }),
            Need::Baseline(labels) => {
                if wanted.is_some() {
                    // There is no schema to plan a phase for.
                    baseline_gate(&standing, &[])?;
                }
                return Ok(self.plan_of_baseline(&labels));
            }
            Need::Phase(phase, release) => (phase, release),
        };
        let Some((_, release)) = project.release(&name) else { return Err(unknown_release(project, &name)) };
        let last = wanted.unwrap_or(phase);
        // What comes before the wanted phase is carried out on a copy of the schema.
        let phases: Vec<Phase> = Phase::ALL.into_iter().filter(|phase| *phase <= last).collect();
        let schema = self.connection.inspect().await?;
        let rendered = check_release(release, &phases, &self.facts, dialect.as_ref(), &schema)
            .map_err(|errors| unfit(last, &name, errors))?;
        let mut sizes = BTreeMap::new();
        let mut steps = Vec::new();
        for step in rendered.iter().filter(|of| of.step.id.starts_with(&format!("{name}/{last}/"))) {
            steps.push(self.plan_of_step(step, &schema, &mut sizes).await);
        }
        if last == Phase::Migrate {
            steps.extend(self.plan_of_backfills(release, &schema).await?);
        }
        Ok(PhasePlan { release: Some(name), phase: last.word().to_owned(), steps })
    }

    fn plan_of_baseline(&self, labels: &[String]) -> PhasePlan {
        let dialect = self.connection.dialect();
        let files = self.project.baseline(dialect.kind()).iter().filter(|file| labels.contains(&file.label));
        let steps = files.map(|file| PlanStep {
            id: file.label.clone(),
            summary: format!("run {}", file.path),
            statements: vec![file.sql.clone()],
            transactional: dialect.transactional_ddl(),
            costs: Vec::new(),
        });
        PhasePlan { release: None, phase: "baseline".to_owned(), steps: steps.collect() }
    }

    async fn plan_of_step(
        &mut self,
        rendered: &RenderedStep<'_>,
        schema: &Schema,
        sizes: &mut BTreeMap<String, Size>,
    ) -> PlanStep {
        let dialect = self.connection.shared_dialect();
        let RenderedStep { step, script, costs } = rendered;
        let [before, _] = script.around(dialect.as_ref());
        let locks = if dialect.locks_database() { "database" } else { "table" };
        let mut told = Vec::new();
        for (position, costs) in costs.iter().enumerate() {
            // What sends nothing has no cost.
            if script.statements[position].ways().is_empty() {
                continue;
            }
            let position = before.len() + position;
            let Some(costs) = costs else {
                told.push(StatementCost::unknown(position));
                continue;
            };
            for cost in costs {
                let mut cost_told = StatementCost::of(position, cost, locks);
                // A table that an earlier step makes is empty.
                if cost.work != Work::None && schema.table(&cost.table).is_some() {
                    let size = self.size(&cost.table, sizes).await;
                    cost_told.rows_estimated = size.rows;
                    cost_told.bytes_estimated = size.bytes;
                } else if cost.held == Held::Instant && dialect.instant_changes_left(&cost.table).is_some() {
                    cost_told.instant_changes_left = self.size(&cost.table, sizes).await.changes_left;
                }
                told.push(cost_told);
            }
        }
        PlanStep {
            id: step.id.clone(),
            summary: step.operation().summary(),
            statements: script.shown(dialect.as_ref()),
            transactional: dialect.transactional_ddl() && !script.outside_transaction,
            costs: told,
        }
    }

    /// What the statistics say of a table; what they do not say is no reason to fail.
    async fn size(&mut self, table: &str, sizes: &mut BTreeMap<String, Size>) -> Size {
        if let Some(size) = sizes.get(table) {
            return *size;
        }
        let dialect = self.connection.shared_dialect();
        let mut ask = async |query: Option<String>| match query {
            Some(query) => self.connection.integer(&query, &[]).await.ok().flatten(),
            None => None,
        };
        let size = Size {
            rows: ask(Some(dialect.estimate_rows(table))).await,
            bytes: ask(dialect.table_bytes(table)).await,
            changes_left: ask(dialect.instant_changes_left(table)).await,
        };
        sizes.insert(table.to_owned(), size);
        size
    }

    async fn plan_of_backfills(&mut self, release: &Release, schema: &Schema) -> Result<Vec<PlanStep>, EngineError> {
        let dialect = self.connection.shared_dialect();
        let mut planned = schema.clone();
        for step in schema_steps(release, Phase::Expand, &self.facts, schema) {
            if !step.done {
                step.operation().apply(&mut planned, dialect.as_ref());
            }
        }
        let rows = u64::from(self.project.manifest.batch.rows);
        let mut sizes = BTreeMap::new();
        let mut steps = Vec::new();
        for backfill in &release.backfills {
            if self.facts.backfills.get(&backfill.id).is_some_and(|fact| fact.finished) {
                continue;
            }
            let plan = BackfillPlan::new(backfill, release, dialect.as_ref(), &planned).map_err(|refusal| {
                unfit(Phase::Migrate, &release.name, vec![backfill.origin.diagnostic(refusal.reason)])
            })?;
            let statements = plan.shown(dialect.as_ref(), rows);
            let size = self.size(&backfill.table, &mut sizes).await;
            let cost = StatementCost {
                table: Some(backfill.table.clone()),
                lock: Some(if dialect.locks_database() { "the write lock" } else { "row locks" }),
                locks: if dialect.locks_database() { "database" } else { "rows" },
                stops: "writers",
                held: "batch",
                work: "changes",
                rows_estimated: size.rows,
                bytes_estimated: size.bytes,
                ..StatementCost::unknown(statements.len().saturating_sub(1))
            };
            steps.push(PlanStep {
                id: backfill.id.clone(),
                summary: format!("backfill {}, batch by batch", backfill.table),
                statements,
                transactional: true,
                costs: vec![cost],
            });
        }
        Ok(steps)
    }
}
