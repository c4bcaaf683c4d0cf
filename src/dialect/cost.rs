//! What a statement costs others: the lock that it takes, whom that keeps waiting, and what it does with the rows there are.
//!
//! It is read from the statement's text, so it is the same for a step's own statements and for raw SQL. What is not understood
//! has no cost that could be told; it is never taken for cheap.

use super::cursor::Cursor;
use super::lex::{Flavor, significant};
use super::{Dialect, PREFIX, Schema};

/// Whom a lock keeps waiting while it is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stops {
    /// Nobody who reads or writes, nor another change of the schema.
    Nobody,
    /// Other changes of the table's schema; readers and writers go on.
    SchemaChanges,
    /// Writers, too.
    Writers,
    /// Readers, too.
    Everybody,
}

/// For how long a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// For a change of the catalog.
    Instant,
    /// For an instant as the work begins, and for one as it ends.
    Ends,
    /// For as long as the work takes.
    Throughout,
}

/// What a statement does with the rows that are in a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Work {
    /// It looks at none.
    None,
    /// It reads all of them.
    Reads,
    /// It changes those that it asks for, and may read all to find them.
    Changes,
    /// It writes all of them anew.
    Rewrites,
}

/// What a statement costs those who use one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// The table, as the live schema has it.
    pub table: String,
    /// The lock, in the server's own words; on the table, or where the dialect [locks it whole](Costs::locks_database), the database.
    pub lock: &'static str,
    /// Whom it keeps waiting.
    pub stops: Stops,
    /// For how long.
    pub held: Held,
    /// What is done with the rows.
    pub work: Work,
}

impl Cost {
    pub(super) fn new(table: impl Into<String>, (lock, stops): (&'static str, Stops), work: Work) -> Self {
        let held = if work == Work::None { Held::Instant } else { Held::Throughout };
        Self { table: table.into(), lock, stops, held, work }
    }
}

/// The costs of one database's statements, in a file of their own beside its [`Dialect`].
pub trait Costs {
    /// What a statement costs, for each table that it locks or reads, behind other statements of its script; `None` where it is
    /// not understood.
    fn costs(&self, schema: &Schema, before: &[String], sql: &str) -> Option<Vec<Cost>>;
    /// Which of several ways the server will accept, the cheapest first, as far as that can be known beforehand.
    fn accepted<'w>(&self, schema: &Schema, ways: &'w [String]) -> Option<&'w String> {
        let _ = schema;
        ways.first()
    }
    /// Whether every lock is on the whole database.
    fn locks_database(&self) -> bool {
        false
    }
    /// A query with one row, one integer: how many bytes a table has, without its indexes; `None` where that takes a scan.
    fn table_bytes(&self, table: &str) -> Option<String> {
        let _ = table;
        None
    }
    /// A query with one row where a table has a limit on changes without a rebuild: how many are left of it.
    fn instant_changes_left(&self, table: &str) -> Option<String> {
        let _ = table;
        None
    }
}

/// What statements of all databases have in common: what they read and write as rows.
pub(super) enum Rows {
    /// A query; the tables that it reads, none where it is only tried out.
    Read(Vec<String>),
    /// A write to a table, of all that it finds there, or of what the text itself gives.
    Write { table: String, given: bool },
}

/// Reads a statement about rows; `None` where it is another.
pub(super) fn rows(sql: &str, flavor: Flavor) -> Option<Rows> {
    let tokens = significant(sql, flavor).ok()?;
    let mut cursor = Cursor::new(&tokens);
    let reads = cursor.at_any(&["select", "insert", "replace", "update", "delete", "with"]);
    let tables = |from: usize| -> Vec<String> {
        let mut tables = Vec::new();
        for at in from..tokens.len() {
            let mut cursor = Cursor::new(&tokens[at..]);
            if cursor.eat_any(&["from", "join"]) {
                tables.extend(cursor.name());
            }
        }
        tables.dedup();
        tables
    };
    if cursor.eat(&["select"]) {
        // What is tried out has a condition that no row meets.
        let tried =
            tokens.windows(4).any(|words| words[0].is_word("where") && words[1].text == "1" && words[3].text == "0");
        return Some(Rows::Read(if tried { Vec::new() } else { tables(0) }));
    }
    let given = !tokens.iter().skip(1).any(|token| token.is_word("select"));
    let verb = reads.then(|| cursor.next()).flatten()?;
    while cursor.eat_any(&["or", "ignore", "replace", "abort", "into", "from", "only"]) {}
    let table = cursor.name()?;
    let inserts = verb.is_word("insert") || verb.is_word("replace");
    (!verb.is_word("with")).then_some(Rows::Write { table, given: given && inserts })
}

/// The costs of a whole script of statements, each with its position; in one transaction, a lock is held until its end.
pub fn script_costs(
    dialect: &dyn Dialect,
    schema: &Schema,
    statements: &[Vec<String>],
    in_transaction: bool,
) -> Vec<Option<Vec<Cost>>> {
    let mut before = Vec::new();
    let mut all = Vec::new();
    for ways in statements {
        let costs = match dialect.accepted(schema, ways) {
            Some(way) => {
                let costs = dialect.costs(schema, &before, way);
                before.push(way.clone());
                costs
            }
            None => None,
        };
        all.push(costs);
    }
    // Our own tables, and what is no table, are used by nobody.
    for costs in all.iter_mut().flatten() {
        costs.retain(|cost| schema.table(&cost.table).is_some() && !cost.table.starts_with(PREFIX));
    }
    let works = |costs: &Option<Vec<Cost>>| costs.iter().flatten().any(|cost| cost.work != Work::None);
    if in_transaction && all.iter().any(works) {
        for cost in all.iter_mut().flatten().flatten() {
            cost.held = Held::Throughout;
        }
    }
    all
}
