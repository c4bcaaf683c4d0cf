//! `sql`: statements of the author's own; whether they took effect after a crash, only a person can know.

use serde::Deserialize;

use super::{Context, Memory, Operation, Undo};
use crate::dialect::{Dialect, Kind, Patience, Refusal, Schema, Script, Sql, lex};

/// The step: raw SQL, with the SQL that undoes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SqlStep {
    /// The statements.
    pub run: Sql,
    /// What undoes them.
    #[serde(default)]
    pub undo: Option<Sql>,
}

impl Operation for SqlStep {
    fn summary(&self) -> String {
        "run SQL".to_owned()
    }
    fn script(&self, context: &Context<'_>) -> Result<Script, Refusal> {
        let kind = context.dialect.kind();
        // What it does is not known, so neither is how much work a missed lock would lose.
        let mut script = Script { patience: Patience::Seconds, ..Script::default() };
        // A database the file has no text for has nothing to do.
        if let Some(text) = self.run.on(kind) {
            let statements = lex::statements(text, kind.flavor()).map_err(|error| Refusal::new(error.to_string()))?;
            for statement in statements {
                // PostgreSQL refuses these inside a transaction block.
                let words = lex::significant(statement, kind.flavor()).unwrap_or_default();
                script.outside_transaction |= kind == Kind::Postgres
                    && words.iter().any(|token| token.is_word("concurrently") || token.is_word("vacuum"));
                script.run(statement);
            }
            if script.outside_transaction {
                script.patience = Patience::Minutes;
            }
        }
        Ok(script)
    }
    fn took_effect(&self, _context: &Context<'_>) -> Option<bool> {
        None
    }
    fn inverse(&self, context: &Context<'_>, _memory: &Memory) -> Result<Undo, Refusal> {
        let kind = context.dialect.kind();
        if self.run.on(kind).is_none() {
            return Ok(Undo::By(Vec::new()));
        }
        match self.undo.as_ref().and_then(|undo| undo.on(kind)) {
            Some(undo) => Ok(Undo::by(Self { run: Sql::Same(undo.to_owned()), undo: None })),
            None => Err(Refusal::new(format!(
                "the SQL of this step has no undo part for {kind}; give it one: `undo:` beside `run:`, or `-- concertina: undo` \
                 in a .sql file, and say that the file is as good: concertina resolve FILE --accept"
            ))),
        }
    }
    fn apply(&self, _schema: &mut Schema, _dialect: &dyn Dialect) {}
}
