//! A backfill's statements: a walk over a key, one span a batch, each found by the key's index.

use crate::catalog::{Backfill, Release};
use crate::dialect::expression::{self, Scope};
use crate::dialect::{Assignment, Column, Dialect, Refusal, Schema, Sync, Table};

/// A backfill, rendered for a live table.
#[derive(Debug, Clone)]
pub struct BackfillPlan {
    /// Its id.
    pub id: String,
    /// How many columns the key has.
    pub key_length: usize,
    /// For each placeholder of a key comparison, which of the key's values it takes.
    pub binding: Vec<usize>,
    /// A query with about how many rows the table has.
    pub estimate: String,
    /// A query with a row for some rows that still match `where`.
    pub pending: String,
    /// Statements before and after a batch's write, so that it fires no sync of the release.
    pub bypass: [Vec<String>; 2],
    key_list: String,
    key_order: String,
    key_order_down: String,
    table: String,
    set: String,
    condition: String,
    behind: String,
    within: String,
    upto: String,
}

impl BackfillPlan {
    /// Renders a backfill, or says why it cannot run.
    pub fn new(
        backfill: &Backfill,
        release: &Release,
        dialect: &dyn Dialect,
        schema: &Schema,
    ) -> Result<Self, Refusal> {
        let live = schema
            .table(&backfill.table)
            .ok_or_else(|| Refusal::new(format!("there is no table `{}`", backfill.table)).at(&backfill.table))?;
        let key = live.walk_key().ok_or_else(|| {
            Refusal::new(format!(
                "table `{}` has no primary key and no unique key without NULLs to walk it by",
                live.name
            ))
            .at(&backfill.table)
        })?;
        let table = dialect.table(&live.name);
        let syncs: Vec<Sync> = release.syncs().map(|(_, sync)| sync).collect();
        let here = |sync: &&Sync| sync.parts().iter().any(|(table, _)| schema.key(table) == schema.key(&live.name));
        let syncs: Vec<&str> = syncs.iter().filter(here).map(|sync| sync.name.as_str()).collect();
        let row = format!("{table}.");
        let quote = |name: &str| dialect.quote(name);
        let render = |sql: &crate::dialect::Sql| -> Result<String, Refusal> {
            let text = sql
                .on(dialect.kind())
                .ok_or_else(|| Refusal::new(format!("an expression has no text for {}", dialect.kind())))?;
            let scope = Scope { table: live, row: &row, related: None, quote: &quote, subquery_end: "" };
            Ok(expression::render(text, dialect.kind().flavor(), &scope)?)
        };
        let mut set = Vec::new();
        for (name, sql) in &backfill.set {
            let column = writable(live, name, &key)?;
            let text = sql.on(dialect.kind()).unwrap_or_default();
            let reads = expression::columns_read(text, dialect.kind().flavor(), live);
            set.push(Assignment {
                column: name.clone(),
                value: dialect.coerce(&render(sql)?, column),
                reads: reads.into_iter().map(|read| read.name.clone()).collect(),
            });
        }
        let set = dialect.in_order(set)?;
        let set: Vec<_> = set.iter().map(|of| format!("{} = {}", dialect.quote(&of.column), of.value)).collect();
        let condition = format!("({})", render(&backfill.pending)?);
        let list: Vec<_> = key
            .iter()
            .enumerate()
            .map(|(position, column)| format!("{} AS k{position}", dialect.key_column(&table, column)))
            .collect();
        // Qualified, so that the order is the column's own and not that of its text in the list.
        let order = |direction: &str| -> String {
            let columns: Vec<_> =
                key.iter().map(|column| format!("{row}{}{direction}", dialect.quote(&column.name))).collect();
            columns.join(", ")
        };
        let binding = dialect.key_binding(key.len());
        let behind = dialect.key_comparison(&table, &key, ">", 1);
        let upto = dialect.key_comparison(&table, &key, "<=", 1);
        let within = format!("{behind} AND {}", dialect.key_comparison(&table, &key, "<=", binding.len() + 1));
        Ok(Self {
            id: backfill.id.clone(),
            bypass: dialect.bypass(&syncs),
            key_length: key.len(),
            binding,
            estimate: dialect.estimate_rows(&live.name),
            pending: format!("SELECT {} FROM {table} WHERE {condition} LIMIT 5", list.join(", ")),
            key_list: list.join(", "),
            key_order: order(""),
            key_order_down: order(" DESC"),
            table,
            set: set.join(", "),
            condition,
            behind,
            within,
            upto,
        })
    }

    /// The key at the end of the next span of `rows` rows; no row where fewer are left. Takes the cursor.
    pub fn span_end(&self, after_cursor: bool, rows: u64) -> String {
        format!(
            "SELECT {} FROM {}{} ORDER BY {} LIMIT 1 OFFSET {}",
            self.key_list,
            self.table,
            self.where_behind(after_cursor),
            self.key_order,
            rows.saturating_sub(1)
        )
    }

    /// The table's last key; no row where nothing is left. Takes the cursor.
    pub fn last_key(&self, after_cursor: bool) -> String {
        format!(
            "SELECT {} FROM {}{} ORDER BY {} LIMIT 1",
            self.key_list,
            self.table,
            self.where_behind(after_cursor),
            self.key_order_down
        )
    }

    /// How many rows a span has. Takes the cursor, where there is one, and the span's end.
    pub fn span_rows(&self, after_cursor: bool) -> String {
        format!("SELECT COUNT(*) FROM {} WHERE {}", self.table, self.span(after_cursor))
    }

    /// The write of one batch. Takes the cursor, where there is one, and the span's end.
    pub fn update(&self, after_cursor: bool) -> String {
        // Inside CASE the condition can use no index of its own: an optimizer that prefers `visibility IS NULL` to the
        // key's range would look at every row that is left, in every batch (SQLite did).
        format!(
            "UPDATE {} SET {} WHERE {} AND CASE WHEN {} THEN 1 ELSE 0 END = 1",
            self.table,
            self.set,
            self.span(after_cursor),
            self.condition
        )
    }

    fn where_behind(&self, after_cursor: bool) -> String {
        if after_cursor { format!(" WHERE {}", self.behind) } else { String::new() }
    }

    fn span(&self, after_cursor: bool) -> &str {
        if after_cursor { &self.within } else { &self.upto }
    }
}

fn writable<'t>(table: &'t Table, name: &str, key: &[&Column]) -> Result<&'t Column, Refusal> {
    let column = table.column(name).ok_or_else(|| {
        let near = expression::nearest(name, table.columns.iter().map(|column| column.name.as_str()));
        let advice = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        Refusal::new(format!("no column `{name}` in table `{}`{advice}", table.name)).at(name)
    })?;
    if column.generated {
        return Err(Refusal::new(format!("column `{name}` is generated, so nothing can be set")).at(name));
    }
    if key.iter().any(|key| key.name == name) {
        return Err(Refusal::new(format!("column `{name}` is part of the key that the backfill walks by")).at(name));
    }
    Ok(column)
}
