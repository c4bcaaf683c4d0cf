//! Raw SQL to effects: our own lexer, the leading keywords, and every clause behind them.
//!
//! One way for all three databases. What a statement says is read to its last word; a word that is not understood makes
//! the statement unclassified, which is reported, and never taken for safe.

mod alter;
mod column;
mod statement;
mod table;

use super::effect::{DefaultValue, Effect};
use crate::dialect::Kind;
use crate::dialect::cursor::Cursor;
use crate::dialect::lex::{Flavor, significant, statements};

/// A statement of a text, and what it does.
#[derive(Debug)]
pub(super) struct Judged<'s> {
    /// The statement, as a slice of the text.
    pub(super) text: &'s str,
    /// What it does, in order.
    pub(super) effects: Vec<Effect>,
}

/// Reads a text of one database; the error says why it cannot be cut into statements.
pub(super) fn read(text: &str, kind: Kind) -> Result<Vec<Judged<'_>>, String> {
    let cut = statements(text, kind.flavor()).map_err(|error| error.what.to_owned())?;
    Ok(cut.into_iter().map(|text| Judged { text, effects: judge(text, kind) }).collect())
}

fn judge(text: &str, kind: Kind) -> Vec<Effect> {
    let tokens = significant(text, kind.flavor()).unwrap_or_default();
    let cursor = Cursor::new(&tokens);
    let names = || tokens.iter().filter_map(super::super::super::dialect::lex::Token::identifier).collect();
    match statement::read(cursor, kind) {
        Ok(effects) => effects,
        Err(Unclear::Because { reason, anything }) => {
            vec![Effect::Unclassified { reason, names: (!anything).then(names) }]
        }
        Err(Unclear::Words) => {
            let words: Vec<&str> = tokens.iter().take(3).map(|token| token.text).collect();
            let reason = format!("a clause of `{} …` is not understood", words.join(" "));
            vec![Effect::Unclassified { reason, names: Some(names()) }]
        }
    }
}

/// Why a statement is not classified.
enum Unclear {
    /// A clause is not understood.
    Words,
    /// It is understood, and what it does cannot be known.
    Because { reason: String, anything: bool },
}

impl Unclear {
    fn because(reason: impl Into<String>) -> Self {
        Self::Because { reason: reason.into(), anything: false }
    }
}

/// Whether a default of a change file may be another for every row.
pub(super) fn default_of(text: &str, flavor: Flavor) -> DefaultValue {
    let tokens = significant(text, flavor).unwrap_or_default();
    column::volatility(&Cursor::new(&tokens))
}
