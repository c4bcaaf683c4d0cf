//! A sync's expressions, rendered for a place, and what is asked of the columns that they are for.

use super::live_column;
use crate::dialect::expression::{self, Scope};
use crate::dialect::schema::{Column, Table};
use crate::dialect::statement::Refusal;
use crate::dialect::{Dialect, Sql};

/// One side of a sync: its columns, each with the expression that it becomes when the other side was written.
pub(super) type Mapping<'a> = Vec<(&'a Column, String)>;

/// Where an expression of a sync stands.
pub(super) struct Place<'a> {
    pub(super) dialect: &'a dyn Dialect,
    /// The table whose row it reads.
    pub(super) reads: &'a Table,
    /// What stands before one of that row's columns.
    pub(super) row: &'a str,
    /// What it may read of it, besides the primary key: a write of anything else would not be seen.
    pub(super) known: &'a [&'a str],
}

impl Place<'_> {
    /// Renders one side's mapping; its columns are in `table`.
    pub(super) fn render<'t>(&self, mapping: &[(String, Sql)], table: &'t Table) -> Result<Mapping<'t>, Refusal> {
        mapping
            .iter()
            .map(|(name, sql)| {
                let column = live_column(table, name)?;
                let read = columns_read(sql, self.dialect, self.reads);
                let known = |read: &&Column| {
                    self.known.contains(&read.name.as_str()) || self.reads.primary_key.contains(&read.name)
                };
                if let Some(other) = read.iter().find(|read| !known(read)) {
                    return Err(Refusal::new(format!(
                        "the expression of `{name}` reads `{}`, and a write of that column alone would not be seen; \
                         it may read the sync's own columns and the primary key",
                        other.name
                    ))
                    .at(&other.name));
                }
                if let Some(generated) = read.iter().find(|read| read.generated) {
                    return Err(Refusal::new(format!(
                        "the expression of `{name}` reads `{}`, which the server generates only after the trigger: it would \
                         be NULL",
                        generated.name
                    ))
                    .at(&generated.name));
                }
                let expression = render(sql, self.dialect, self.reads, self.row)?;
                Ok((column, self.dialect.coerce(&expression, column)))
            })
            .collect()
    }
}

fn render(sql: &Sql, dialect: &dyn Dialect, table: &Table, row: &str) -> Result<String, Refusal> {
    let text = sql
        .on(dialect.kind())
        .ok_or_else(|| Refusal::new(format!("the expression has no text for {}", dialect.kind())))?;
    let quote = |name: &str| dialect.quote(name);
    let scope = Scope { table, row, related: None, quote: &quote, subquery_end: dialect.subquery_lock() };
    Ok(expression::render(text, dialect.kind().flavor(), &scope)?)
}

pub(super) fn columns_read<'t>(sql: &Sql, dialect: &dyn Dialect, table: &'t Table) -> Vec<&'t Column> {
    let text = sql.on(dialect.kind()).unwrap_or_default();
    expression::columns_read(text, dialect.kind().flavor(), table)
}

/// What is asked of the columns of one side.
pub(super) struct Columns<'a> {
    pub(super) dialect: &'a dyn Dialect,
    pub(super) mapping: &'a [(&'a Column, String)],
}

impl Columns<'_> {
    fn any(&self, test: impl Fn(&str, &Column) -> String) -> String {
        let tests: Vec<_> =
            self.mapping.iter().map(|(column, _)| test(&self.dialect.quote(&column.name), column)).collect();
        format!("({})", tests.join(" OR "))
    }

    /// "Changed": NULL-safe, by bytes.
    pub(super) fn changed(&self) -> String {
        self.any(|name, column| {
            format!("NOT {}", self.dialect.unchanged(&format!("OLD.{name}"), &format!("NEW.{name}"), column))
        })
    }

    /// The columns of a row are what their expressions say.
    pub(super) fn equal(&self, row: &str) -> String {
        let tests: Vec<_> = self
            .mapping
            .iter()
            .map(|(column, value)| {
                let kept = self.dialect.rounded(value, column);
                self.dialect.same(&format!("{row}{}", self.dialect.quote(&column.name)), &kept, column)
            })
            .collect();
        format!("({})", tests.join(" AND "))
    }

    /// Whether a column is not NULL.
    pub(super) fn set(&self, row: &str) -> String {
        self.any(|name, _| format!("{row}{name} IS NOT NULL"))
    }

    /// Whether a column is not what it is when it is left out.
    pub(super) fn given(&self, row: &str) -> String {
        self.any(|name, column| match &column.default {
            // A default that is not a constant cannot be compared with: the column counts as left out.
            Some(_) if !column.constant_default => "1 = 0".to_owned(),
            Some(default) => {
                let default = self.dialect.coerce(default, column);
                format!("NOT {}", self.dialect.same(&format!("{row}{name}"), &default, column))
            }
            None => format!("{row}{name} IS NOT NULL"),
        })
    }

    pub(super) fn owned(&self) -> Vec<(Column, String)> {
        self.mapping.iter().map(|(column, value)| ((*column).clone(), value.clone())).collect()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.mapping.iter().map(|(column, _)| column.name.clone()).collect()
    }

    /// `column = expression, …` for an UPDATE.
    pub(super) fn assignments(&self) -> String {
        let writes: Vec<_> = self
            .mapping
            .iter()
            .map(|(column, value)| format!("{} = {value}", self.dialect.quote(&column.name)))
            .collect();
        writes.join(", ")
    }
}
