//! SQLite 3.35 and later, embedded.

mod costs;
mod locks;
mod own;
mod rights;
mod sessions;
mod signals;
mod table;
mod triggers;

use super::definition::{ColumnDefinition, ColumnType, Default, IndexDefinition};
use super::offending::SHOWN_ROWS;
use super::postgres::native;
use super::schema::{Column, Comparison, Inspection, Schema, Table, edit};
use super::statement::{Change, Refusal, Script, Statement};
use super::type_name::TypeName;
use super::{Dialect, Kind, Locks, Patience, Server, WalkBy, Widening, lex};

pub(super) use table::{CreateTable, EditError};

/// SQLite's SQL.
#[derive(Debug)]
pub(super) struct Sqlite {
    pub(super) server: Server,
}

const TABLES: &str =
    "(SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\')";
impl Sqlite {
    /// Rebuilds a table in the transaction at hand, keeping rows, indexes, triggers and every constraint: SQLite's ALTER
    /// can do little else. The steps are those of <https://www.sqlite.org/lang_altertable.html>, section 7.
    fn rebuild(&self, table: &Table, change: &Change) -> Result<Script, Refusal> {
        let text = table.sql.as_deref().unwrap_or_default();
        let mut definition = CreateTable::parse(text).map_err(|error| Refusal::new(error.to_string()))?;
        edit(&mut definition, self, &table.name, change).map_err(|error| Refusal::new(error.to_string()))?;
        let kept = definition.columns();
        let copied: Vec<String> = table
            .columns
            .iter()
            .filter(|column| !column.generated && kept.iter().any(|name| name.eq_ignore_ascii_case(&column.name)))
            .map(|column| column.name.clone())
            .collect();
        let scratch = format!("{}rebuild_{}", super::PREFIX, table.name);
        definition.rename(&scratch);
        let (old, new) = (self.table(&table.name), self.quote(&scratch));
        let mut columns = self.columns(&copied);
        // Rows are also known by the number that no column names.
        if !definition.without_rowid()
            && let Some(rowid) = rowid(table)
        {
            columns = format!("{rowid}, {columns}");
        }
        let mut script = Script { without_foreign_keys: true, ..Script::default() };
        script.run(definition.to_sql());
        script.run(format!("INSERT INTO {new} ({columns}) SELECT {columns} FROM {old}"));
        if definition.autoincrement() {
            // The highest number ever given, not the highest still there.
            script.run(format!(
                "UPDATE sqlite_sequence SET seq = (SELECT seq FROM sqlite_sequence WHERE name = {}) WHERE name = {}",
                self.literal(&table.name),
                self.literal(&scratch)
            ));
        }
        // Orphans that the old table has as well are not this change's: they came when foreign keys were off.
        script.statements.push(Statement::MustBeEmpty {
            query: format!(
                "SELECT orphan FROM ({} EXCEPT {}) LIMIT {SHOWN_ROWS}",
                self.orphans(&scratch),
                self.orphans(&table.name)
            ),
            message: format!("rows of `{}` refer to rows that do not exist", table.name),
        });
        script.run(format!("DROP TABLE {old}"));
        script.run(format!("ALTER TABLE {new} RENAME TO {old}"));
        for dependent in &table.dependents {
            script.run(dependent.clone());
        }
        Ok(script)
    }
}

impl Sqlite {
    /// Whether a column must be added by a rebuild.
    fn added_by_rebuild(&self, definition: &ColumnDefinition) -> bool {
        matches!(definition.default, Some(Default::Sql(_))) || definition.differs_by_row(self)
    }

    /// Each row that a foreign key of a table would refuse, by its number, with the table and the columns of that key.
    fn orphans(&self, table: &str) -> String {
        let table = self.literal(table);
        format!(
            "SELECT c.rowid AS orphan, c.parent, (SELECT group_concat(l.\"from\") FROM pragma_foreign_key_list({table}) l \
             WHERE l.id = c.fkid) FROM pragma_foreign_key_check({table}) c"
        )
    }
}

/// A trigger or view that names a column of a table.
fn user_of_column(schema: &Schema, table: &str, column: &str) -> Option<String> {
    // `rows_of`: whether OLD and NEW are rows of this table; the words themselves are no columns.
    let names = |sql: &str, word: &str, rows_of: bool| {
        let tokens = lex::significant(sql, lex::Flavor::Sqlite).unwrap_or_default();
        let is_row = |at: usize| {
            tokens.get(at).is_some_and(|token: &lex::Token<'_>| token.is_word("old") || token.is_word("new"))
                && tokens.get(at + 1).is_some_and(|next| next.is_symbol("."))
        };
        (0..tokens.len())
            .filter(|at| !is_row(*at) && (rows_of || *at < 2 || !is_row(*at - 2)))
            .filter_map(|at| tokens[at].identifier())
            .any(|name| name.eq_ignore_ascii_case(word))
    };
    let triggers = schema.tables.values().flat_map(|of| of.triggers.iter().map(move |trigger| (of, trigger)));
    triggers
        .filter(|(of, trigger)| of.name == table || names(&trigger.definition, table, false))
        .find(|(of, trigger)| names(&trigger.definition, column, of.name == table))
        .map(|(_, trigger)| format!("trigger `{}`", trigger.name))
        .or_else(|| {
            let view = schema.views.iter().find(|(_, sql)| names(sql, table, false) && names(sql, column, true))?;
            Some(format!("view `{}`", view.0))
        })
}

/// How SQLite keeps the values of a type (<https://www.sqlite.org/datatype3.html>, section 3.1).
fn affinity(type_name: &str) -> &'static str {
    let name = type_name.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["INT"]) {
        "integer"
    } else if has(&["CHAR", "CLOB", "TEXT"]) {
        "text"
    } else if name.is_empty() || has(&["BLOB"]) {
        "blob"
    } else if has(&["REAL", "FLOA", "DOUB"]) {
        "real"
    } else {
        "numeric"
    }
}

/// The name by which a row's number can be had: a column of the user's may bear one or all of its three names.
fn rowid(table: &Table) -> Option<&'static str> {
    ["rowid", "_rowid_", "oid"]
        .into_iter()
        .find(|word| !table.columns.iter().any(|column| column.name.eq_ignore_ascii_case(word)))
}

impl Dialect for Sqlite {
    fn kind(&self) -> Kind {
        Kind::Sqlite
    }
    fn server(&self) -> &Server {
        &self.server
    }
    fn now(&self) -> &'static str {
        "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"
    }
    fn table_exists(&self, name: &str) -> String {
        format!("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = {}", self.literal(name))
    }

    fn inspection(&self) -> Inspection {
        Inspection {
            namespace: "SELECT 'main'".to_owned(),
            tables: format!("SELECT name, sql FROM {TABLES} ORDER BY name"),
            columns: format!(
                "SELECT m.name, c.name, c.type, c.type, CASE WHEN c.\"notnull\" = 0 AND NOT (c.pk = 1 AND upper(c.type) = 'INTEGER') THEN '1' ELSE '0' END, \
                 c.dflt_value, \
                 CASE WHEN c.dflt_value NOT LIKE '%(%' AND c.dflt_value NOT LIKE 'CURRENT\\_%' ESCAPE '\\' THEN '1' ELSE '0' END, \
                 CASE WHEN c.hidden IN (2, 3) THEN '1' ELSE '0' END, \
                 CASE WHEN c.type LIKE '%CHAR%' OR c.type LIKE '%TEXT%' OR c.type LIKE '%CLOB%' THEN 'bytes' ELSE 'native' END, \
                 NULL, '' FROM {TABLES} m JOIN pragma_table_xinfo(m.name) c ORDER BY m.name, c.cid"
            ),
            keys: format!(
                "SELECT m.name, '', 'p', c.name, '1', '1', NULL, NULL, c.pk AS n FROM {TABLES} m JOIN pragma_table_xinfo(m.name) c WHERE c.pk > 0 \
                 UNION ALL SELECT m.name, l.name, CASE l.origin WHEN 'u' THEN 'u' ELSE 'i' END, COALESCE(i.name, '(expression)'), \
                 CASE WHEN l.\"unique\" AND NOT l.partial THEN '1' ELSE '0' END, '1', NULL, NULL, i.seqno FROM {TABLES} m JOIN pragma_index_list(m.name) l \
                 JOIN pragma_index_info(l.name) i WHERE l.origin <> 'pk' ORDER BY 1, 2, 9"
            ),
            foreign_keys: format!(
                "SELECT m.name, NULL, f.\"from\", f.\"table\", COALESCE(f.\"to\", ''), CAST(f.id AS TEXT), \
                 f.on_update, f.on_delete \
                 FROM {TABLES} m JOIN pragma_foreign_key_list(m.name) f ORDER BY m.name, f.id DESC, f.seq"
            ),
            checks: None,
            triggers: "SELECT tbl_name, name, sql, '1', '0' FROM sqlite_master WHERE type = 'trigger' ORDER BY 1, 2".to_owned(),
            enums: None,
            views: Some("SELECT name, sql FROM sqlite_master WHERE type = 'view' ORDER BY name".to_owned()),
            dependents: Some(
                "SELECT tbl_name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL ORDER BY rowid"
                    .to_owned(),
            ),
        }
    }

    fn support(&self) -> Vec<String> {
        vec![
            "CREATE TABLE IF NOT EXISTS \"concertina_seen\" (sync_name TEXT NOT NULL, side TEXT NOT NULL, \
             seen_at INTEGER NOT NULL, PRIMARY KEY (sync_name, side))"
                .to_owned(),
            // A row here switches the syncs off for the statement, or the batch, that wrote it: SQLite has one writer at a
            // time, so nobody else sees it. Triggers of an older version write no name, until expand replaces them.
            "DROP TABLE IF EXISTS \"concertina_bypass\"".to_owned(),
            "CREATE TABLE \"concertina_bypass\" (sync_name TEXT NOT NULL DEFAULT '', since REAL NOT NULL)".to_owned(),
        ]
    }

    fn begin(&self) -> &'static str {
        "BEGIN IMMEDIATE"
    }
    fn foreign_keys(&self, on: bool) -> &'static [&'static str] {
        // Under legacy_alter_table a rename leaves the references of other tables as they are, which is the point.
        if on {
            &["PRAGMA legacy_alter_table = OFF", "PRAGMA foreign_keys = ON"]
        } else {
            &["PRAGMA foreign_keys = OFF", "PRAGMA legacy_alter_table = ON"]
        }
    }
    fn client_session(&self, _name: &str) -> Vec<String> {
        Vec::new()
    }
    fn own_database(&self, _name: &str) -> Option<[String; 2]> {
        None
    }
    fn scratch(&self, _name: &str) -> Option<(Vec<String>, Vec<String>)> {
        None
    }
    fn boolean(&self, value: bool) -> &'static str {
        if value { "1" } else { "0" }
    }

    fn column_type(&self, _table: &str, column: &ColumnDefinition) -> Result<String, Refusal> {
        Ok(match &column.column_type {
            ColumnType::Boolean => "BOOLEAN".to_owned(),
            ColumnType::Integer => "INTEGER".to_owned(),
            ColumnType::Bigint if column.identity => "INTEGER".to_owned(),
            ColumnType::Bigint => "BIGINT".to_owned(),
            ColumnType::Decimal(None) => "NUMERIC".to_owned(),
            ColumnType::Decimal(Some((precision, scale))) => format!("NUMERIC({precision}, {scale})"),
            ColumnType::Float => "FLOAT".to_owned(),
            ColumnType::String(length) => format!("VARCHAR({length})"),
            ColumnType::Text => "TEXT".to_owned(),
            ColumnType::Timestamp => "DATETIME".to_owned(),
            ColumnType::Date => "DATE".to_owned(),
            ColumnType::Json => "JSON".to_owned(),
            ColumnType::Uuid => "CHAR(36)".to_owned(),
            ColumnType::Binary => "BLOB".to_owned(),
            ColumnType::Enum { values, .. } => {
                format!("VARCHAR({})", values.iter().map(|value| value.chars().count()).max().unwrap_or(1))
            }
            ColumnType::Native(sql) => native(sql, Kind::Sqlite)?,
        })
    }

    fn alter(&self, schema: &Schema, table: &Table, change: &Change, _allow_rewrite: bool) -> Result<Script, Refusal> {
        match change {
            // Its own ALTER takes no default but a constant.
            Change::AddColumn(definition) if self.added_by_rebuild(definition) => self.rebuild(table, change),
            Change::AddColumn(definition) => Ok(Script::of(format!(
                "ALTER TABLE {} ADD COLUMN {}",
                self.table(&table.name),
                self.column_definition(&table.name, definition)?
            ))),
            Change::DropColumn(name) => {
                let index = table.indexes.iter().find(|index| index.columns.contains(name));
                if let Some(index) = index {
                    return Err(Refusal::new(format!(
                        "index `{}` still uses column `{name}`; put a drop_index above this step",
                        index.name
                    )));
                }
                // SQLite looks at no trigger or view when a table is dropped: what names the column would fail from then on.
                if let Some(user) = user_of_column(schema, &table.name, name) {
                    return Err(Refusal::new(format!(
                        "{user} uses column `{name}` of `{}`; drop or change it first",
                        table.name
                    )));
                }
                self.rebuild(table, change)
            }
            Change::AddUnique(unique) => self.create_index(schema, table, &unique.index(&table.name)),
            // A unique constraint that a step has added is an index.
            Change::DropConstraint(name) if table.indexes.iter().any(|index| index.unique && &index.name == name) => {
                Ok(self.drop_index(table, name))
            }
            // A rebuild has looked at every row.
            Change::Validate(_) => Ok(Script::default()),
            Change::AddEnumValue(name, _) => match table.column(name) {
                Some(column) if self.enum_labels(schema, table, column)?.is_some() => self.rebuild(table, change),
                _ => Ok(Script::default()),
            },
            _ => self.rebuild(table, change),
        }
    }
    fn widening(&self, _schema: &Schema, table: &Table, column: &Column, to: &str) -> Widening {
        if column.type_name.eq_ignore_ascii_case(to) {
            return Widening::Same;
        }
        let (from, to) = (TypeName::parse(&column.type_name), TypeName::parse(to));
        // A key that is an INTEGER is the row's own number; any other type makes it a column.
        if from.base == "integer" && table.primary_key == [column.name.clone()] {
            return Widening::NotWider;
        }
        // A type is a name for how values are kept: where that stays the same, so does every value.
        if from.fits_in(&to) && affinity(&from.base) == affinity(&to.base) {
            Widening::Free
        } else {
            Widening::NotWider
        }
    }
    fn enum_labels(&self, _schema: &Schema, table: &Table, column: &Column) -> Result<Option<Vec<String>>, Refusal> {
        let text = table.sql.as_deref().unwrap_or_default();
        let definition = CreateTable::parse(text).map_err(|error| Refusal::new(error.to_string()))?;
        definition.labels(&column.name).map_err(|error| Refusal::new(error.to_string()).at(&column.name))
    }

    fn create_index(&self, _schema: &Schema, _table: &Table, index: &IndexDefinition) -> Result<Script, Refusal> {
        Ok(Script::of(format!(
            "CREATE {}INDEX {} ON {} ({})",
            if index.unique { "UNIQUE " } else { "" },
            self.quote(&index.name),
            self.table(&index.table),
            self.columns(&index.columns)
        )))
    }
    fn drop_index(&self, _table: &Table, name: &str) -> Script {
        Script::of(format!("DROP INDEX {}", self.quote(name)))
    }

    fn fills_in_before_not_null(&self) -> bool {
        false
    }
    fn same(&self, left: &str, right: &str, column: &Column) -> String {
        match column.comparison {
            Comparison::Native => format!("({left} IS {right})"),
            Comparison::Bytes | Comparison::Text => format!("({left} IS {right} COLLATE BINARY)"),
        }
    }
    fn batch_session(&self) -> Vec<String> {
        vec![self.lock_wait(Patience::Seconds, None)]
    }
    fn locks_rows(&self) -> bool {
        false
    }
    fn lock_rows(&self, _table: &str, _condition: &str, _deleted: bool) -> Option<String> {
        None
    }
    fn delete_referring(&self, table: &str, same: &[(String, String)], others: &[String], condition: &str) -> String {
        // CROSS JOIN keeps the order.
        let (theirs, ours): (Vec<&str>, Vec<&str>) =
            same.iter().map(|(one, other)| (one.as_str(), other.as_str())).unzip();
        format!(
            "DELETE FROM {table} WHERE ({}) IN (SELECT {} FROM {} WHERE {condition})",
            theirs.join(", "),
            ours.join(", "),
            others.join(" CROSS JOIN ")
        )
    }
    fn walk_by(&self, table: &Table) -> Result<WalkBy, Refusal> {
        // The rows lie in the order of their numbers, which a primary key of other than an integer is an index to.
        let without =
            table.sql.as_deref().is_some_and(|sql| CreateTable::parse(sql).is_ok_and(|made| made.without_rowid()));
        let number = rowid(table).filter(|_| !without).map(|name| Column {
            name: name.to_owned(),
            base_type: "INTEGER".to_owned(),
            type_name: "INTEGER".to_owned(),
            ..Column::default()
        });
        match (number, table.walk_key()) {
            (Some(number), _) => Ok(WalkBy::Key(vec![number])),
            (None, Some(key)) => Ok(WalkBy::Key(key.into_iter().cloned().collect())),
            (None, None) => Err(Refusal::new(format!("table `{}` has no key to walk it by", table.name))),
        }
    }
    fn still(&self, table: &str, column: &Column, _position: usize) -> String {
        format!("({} IS ?)", self.key_column(table, column))
    }
    fn estimate_rows(&self, table: &str) -> String {
        // The last rowid is found by one seek; it is an upper bound where rows were deleted.
        format!("SELECT COALESCE(MAX(rowid), 0) FROM {}", self.table(table))
    }
}
