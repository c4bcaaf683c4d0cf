//! A tree as procedural code, for the databases whose triggers are programs.

use super::{Rule, Side, Upsert};
use crate::dialect::schema::Column;

/// Whether each value can be assigned before the next is computed: none reads a column, as `columns` write them, that one before
/// it has assigned.
pub(in crate::dialect) fn assigned_in_turn(columns: &[String], writes: &[(Column, String)]) -> bool {
    (0..writes.len()).all(|at| !columns[..at].iter().any(|column| writes[at].1.contains(column.as_str())))
}

/// What differs between the databases' procedural languages; each text ends with a line break, and starts with `pad`.
pub(in crate::dialect) trait Procedural {
    /// Columns of the row become expressions, all evaluated before the first is assigned.
    fn assign(&self, writes: &[(Column, String)], pad: &str) -> String;
    /// The write fails.
    fn reject(&self, message: &str, pad: &str) -> String;
    /// A writer was seen.
    fn seen(&self, side: Side, pad: &str) -> String;
    /// The write fails when it leaves a column NULL.
    fn require(&self, column: &str, pad: &str) -> String;
    /// A row of another table is changed, or made.
    fn upsert(&self, upsert: &Upsert) -> String;
}

/// Renders rules, one line or block each.
pub(in crate::dialect) fn procedure(language: &dyn Procedural, rules: &[Rule], depth: usize) -> String {
    let pad = "  ".repeat(depth);
    let inner = |rules: &[Rule]| procedure(language, rules, depth + 1);
    rules
        .iter()
        .map(|rule| match rule {
            Rule::If { condition, then, otherwise } if otherwise.is_empty() => {
                format!("{pad}IF {condition} THEN\n{}{pad}END IF;\n", inner(then))
            }
            Rule::If { condition, then, otherwise } => {
                format!("{pad}IF {condition} THEN\n{}{pad}ELSE\n{}{pad}END IF;\n", inner(then), inner(otherwise))
            }
            Rule::Assign(writes) => language.assign(writes, &pad),
            Rule::Reject(message) => language.reject(message, &pad),
            Rule::Seen(side) => language.seen(*side, &pad),
            Rule::Require(column) => language.require(column, &pad),
            Rule::Lock(write) | Rule::Write(write) => format!("{pad}{} WHERE {};\n", write.statement, write.rows),
            Rule::Upsert(upsert) => format!("{pad}{};\n", language.upsert(upsert)),
        })
        .collect()
}
