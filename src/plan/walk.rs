//! A walk over a table: one span after the other, each found by the index of the key, never by OFFSET from the start.
//!
//! A span is the rows behind a cursor (exclusive; none at the beginning) up to a bound (inclusive). Every statement takes
//! the cursor's values, where there is a cursor, and then the bound's, as [`Walk::bind`] puts them.

use crate::dialect::{Column, Dialect, Refusal, Table, WalkBy};

/// How a table is walked.
#[derive(Debug, Clone)]
pub struct Walk {
    /// The columns it goes by, for people and for telling whether a saved cursor still fits.
    pub by: String,
    /// A statement that every session that walks must have run.
    pub session: Option<&'static str>,
    table: String,
    places: Places,
}

/// What a cursor is.
#[derive(Debug, Clone)]
enum Places {
    /// Values of a key.
    Key {
        list: String,
        order: String,
        order_down: String,
        /// For each placeholder of a comparison, which of the key's values it takes.
        binding: Vec<usize>,
        behind: String,
        within: String,
        upto: String,
        at: String,
    },
    /// The number of a page of the table's file.
    Pages { count: String, within: String, upto: String, next: [String; 2] },
}

impl Walk {
    /// The walk over a live table; says why there is none.
    pub fn new(dialect: &dyn Dialect, live: &Table) -> Result<Self, Refusal> {
        let table = dialect.table(&live.name);
        match dialect.walk_by(live)? {
            WalkBy::Key(key) => {
                let session = dialect.utc_for(&key);
                Ok(Self { session, ..Self::by_key(dialect, table, &key.iter().collect::<Vec<_>>()) })
            }
            WalkBy::Pages { count, within, upto } => {
                let [cursor, bound] = [1, 2].map(|position| dialect.placeholder(position));
                let next = [
                    format!("SELECT LEAST({{size}}, {cursor}::bigint)"),
                    format!("SELECT LEAST({cursor}::bigint + {{size}}, {bound}::bigint)"),
                ];
                Ok(Self {
                    by: "pages".to_owned(),
                    session: None,
                    table,
                    places: Places::Pages { count, within, upto, next },
                })
            }
        }
    }

    fn by_key(dialect: &dyn Dialect, table: String, key: &[&Column]) -> Self {
        let list: Vec<_> = key
            .iter()
            .enumerate()
            .map(|(position, column)| format!("{} AS k{position}", dialect.key_column(&table, column)))
            .collect();
        // Qualified, so that the order is the column's own and not that of its text in the list.
        let order = |direction: &str| -> String {
            let columns: Vec<_> =
                key.iter().map(|column| format!("{table}.{}{direction}", dialect.quote(&column.name))).collect();
            columns.join(", ")
        };
        let binding = dialect.key_binding(key);
        let behind = dialect.key_comparison(&table, key, ">", 1);
        let upto = dialect.key_comparison(&table, key, "<=", 1);
        let within = format!("{behind} AND {}", dialect.key_comparison(&table, key, "<=", binding.len() + 1));
        let at: Vec<_> = key
            .iter()
            .enumerate()
            .map(|(position, column)| {
                let name = format!("{table}.{}", dialect.quote(&column.name));
                format!("{name} = {}", dialect.key_parameter(position + 1, column))
            })
            .collect();
        let by: Vec<_> = key.iter().map(|column| column.name.as_str()).collect();
        Self {
            by: by.join(", "),
            session: None,
            places: Places::Key {
                list: list.join(", "),
                order: order(""),
                order_down: order(" DESC"),
                binding,
                behind,
                within,
                upto,
                at: at.join(" AND "),
            },
            table,
        }
    }

    /// Whether a span's size is counted in pages instead of rows.
    pub fn by_pages(&self) -> bool {
        matches!(self.places, Places::Pages { .. })
    }

    /// The table's last place behind the cursor; no row, or NULL, where there is none.
    pub fn last(&self, after_cursor: bool) -> String {
        match &self.places {
            Places::Key { list, order_down, behind, .. } => {
                let behind = if after_cursor { format!(" WHERE {behind}") } else { String::new() };
                format!("SELECT {list} FROM {}{behind} ORDER BY {order_down} LIMIT 1", self.table)
            }
            Places::Pages { count, .. } => count.clone(),
        }
    }

    /// The place where the next span of a size ends; no row where fewer rows are left up to the bound.
    pub fn span_end(&self, after_cursor: bool, size: u64) -> String {
        match &self.places {
            Places::Key { list, order, .. } => format!(
                "SELECT {list} FROM {} WHERE {} ORDER BY {order} LIMIT 1 OFFSET {}",
                self.table,
                self.span(after_cursor),
                size.saturating_sub(1)
            ),
            Places::Pages { next, .. } => next[usize::from(after_cursor)].replace("{size}", &size.to_string()),
        }
    }

    /// How many rows a span has.
    pub fn span_rows(&self, after_cursor: bool) -> String {
        format!("SELECT COUNT(*) FROM {} WHERE {}", self.table, self.span(after_cursor))
    }

    /// Every row of a span, to ask a planner about.
    pub fn span_all(&self, after_cursor: bool) -> String {
        format!("SELECT 1 FROM {} WHERE {}", self.table, self.span(after_cursor))
    }

    /// The condition of a span.
    pub fn span(&self, after_cursor: bool) -> &str {
        match (&self.places, after_cursor) {
            (Places::Key { within, .. } | Places::Pages { within, .. }, true) => within,
            (Places::Key { upto, .. } | Places::Pages { upto, .. }, false) => upto,
        }
    }

    /// The condition of the one row at a place, whose values it takes; `None` where a place has several.
    pub fn at(&self) -> Option<&str> {
        match &self.places {
            Places::Key { at, .. } => Some(at),
            Places::Pages { .. } => None,
        }
    }

    /// A place's values in the order of a comparison's placeholders.
    pub fn bind<V: Clone>(&self, place: &[V]) -> Vec<V> {
        match &self.places {
            Places::Key { binding, .. } => {
                binding.iter().filter_map(|position| place.get(*position).cloned()).collect()
            }
            Places::Pages { .. } => place.to_vec(),
        }
    }
}
