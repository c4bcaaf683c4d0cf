//! PostgreSQL 12 and later.

mod alter;
mod costs;
mod index;
mod locks;
mod own;
pub mod pooler;
mod rights;
mod sessions;
mod signals;
mod triggers;
mod widening;

use super::definition::{ColumnDefinition, ColumnType, IndexDefinition};
use super::schema::{Column, Comparison, Inspection, Schema, Table};
use super::statement::{Change, Refusal, Script, Statement};
use super::{Dialect, Kind, PREFIX, Patience, Server, WalkBy, Widening, object_name};

/// PostgreSQL's SQL.
#[derive(Debug)]
pub(super) struct Postgres {
    pub(super) server: Server,
}

/// A table's name as our schema map has it: qualified outside the session's own schema.
const NAME: &str = "CASE WHEN n.nspname = current_schema() THEN c.relname::text ELSE n.nspname || '.' || c.relname END";
/// What our triggers' names start with.
const OUR_TRIGGERS: &str = "~concertina_";
const TABLES: &str = "pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND c.relkind IN ('r', 'p') \
    AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'";

impl Postgres {
    /// The schema that a table's own objects (functions, sequences) live in, with its dot.
    fn beside(&self, table: &str) -> String {
        table.split_once('.').map_or_else(String::new, |(schema, _)| format!("{}.", self.quote(schema)))
    }

    /// The condition of a pooler's session that works for one of its clients. An idle one bears the name of the client that had
    /// it last, and may be anybody's by now.
    fn works_for(&self, name: &str) -> String {
        format!("application_name = {} AND state <> 'idle' AND pid <> pg_backend_pid()", self.literal(name))
    }

    fn enum_name(table: &str, column: &ColumnDefinition, name: Option<&String>) -> String {
        name.cloned().unwrap_or_else(|| format!("{}_{}", table.replace('.', "_"), column.name))
    }
}

impl Dialect for Postgres {
    fn kind(&self) -> Kind {
        Kind::Postgres
    }
    fn server(&self) -> &Server {
        &self.server
    }
    fn placeholder(&self, position: usize) -> String {
        format!("${position}")
    }
    fn placeholders(&self, sql: &str) -> String {
        let mut text = String::with_capacity(sql.len() + 16);
        let mut count = 0;
        let mut quoted = false;
        for character in sql.chars() {
            quoted ^= character == '\'';
            if character == '?' && !quoted {
                count += 1;
                text.push_str(&self.placeholder(count));
            } else {
                text.push(character);
            }
        }
        text
    }
    fn now(&self) -> &'static str {
        "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"
    }
    fn table_exists(&self, name: &str) -> String {
        format!("SELECT count(*) FROM pg_class WHERE oid = to_regclass({})", self.literal(&self.quote(name)))
    }

    fn sees_nothing(&self) -> Option<String> {
        Some(
            "SELECT format('GRANT USAGE ON SCHEMA public TO %I, or on whichever of %s is meant', current_user, \
             current_setting('search_path')) WHERE current_schema() IS NULL"
                .to_owned(),
        )
    }

    fn inspection(&self) -> Inspection {
        Inspection {
            namespace: "SELECT current_schema()::text".to_owned(),
            tables: format!(
                "SELECT {NAME}, NULL::text, CASE WHEN c.relkind = 'p' THEN COALESCE((SELECT string_agg(a.attname, E'\\n') \
                 FROM pg_partitioned_table p JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = ANY (p.partattrs) \
                 WHERE p.partrelid = c.oid), '') END, \
                 CASE WHEN c.relispartition THEN (SELECT CASE WHEN un.nspname = current_schema() THEN u.relname::text \
                 ELSE un.nspname || '.' || u.relname END FROM pg_inherits h JOIN pg_class u ON u.oid = h.inhparent \
                 JOIN pg_namespace un ON un.oid = u.relnamespace WHERE h.inhrelid = c.oid) END FROM {TABLES} ORDER BY 1"
            ),
            columns: format!(
                "SELECT {NAME}, a.attname::text, format_type(a.atttypid, a.atttypmod), \
                 CASE WHEN t.typname = 'bpchar' THEN 'bpchar' WHEN t.typname = 'bit' THEN 'varbit' \
                 WHEN t.typtype = 'd' THEN format_type(t.typbasetype, NULL) ELSE format_type(a.atttypid, NULL) END, \
                 CASE WHEN a.attnotnull THEN '0' ELSE '1' END, pg_get_expr(d.adbin, d.adrelid), \
                 CASE WHEN pg_get_expr(d.adbin, d.adrelid) ~ '^(''([^'']|'''')*''|-?[0-9.]+|true|false|NULL)(::.*)?$' \
                 THEN '1' ELSE '0' END, CASE WHEN a.attgenerated <> '' THEN '1' ELSE '0' END, \
                 CASE WHEN t.typname = 'json' THEN 'text' WHEN t.typcategory = 'S' THEN 'bytes' ELSE 'native' END, \
                 CASE WHEN a.attcollation <> t.typcollation THEN (SELECT format('%I.%I', ln.nspname, l.collname) FROM pg_collation l \
                 JOIN pg_namespace ln ON ln.oid = l.collnamespace WHERE l.oid = a.attcollation) END, a.attidentity::text \
                 FROM {TABLES} JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
                 JOIN pg_type t ON t.oid = a.atttypid \
                 LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum ORDER BY c.oid, a.attnum"
            ),
            keys: format!(
                "SELECT {NAME}, i.relname::text, CASE WHEN x.indisprimary THEN 'p' WHEN con.oid IS NOT NULL THEN 'u' ELSE 'i' END, \
                 COALESCE(a.attname::text, pg_get_indexdef(x.indexrelid, k.k, true)), \
                 CASE WHEN x.indisunique AND x.indpred IS NULL THEN '1' ELSE '0' END, CASE WHEN x.indisvalid THEN '1' ELSE '0' END, \
                 (SELECT u.relname::text FROM pg_inherits h JOIN pg_class u ON u.oid = h.inhparent WHERE h.inhrelid = x.indexrelid), \
                 NULLIF(concat_ws(' ', pg_get_expr(x.indexprs, x.indrelid), pg_get_expr(x.indpred, x.indrelid)), '') \
                 FROM {TABLES} JOIN pg_index x ON x.indrelid = c.oid JOIN pg_class i ON i.oid = x.indexrelid \
                 CROSS JOIN LATERAL generate_series(1, x.indnkeyatts::int) AS k(k) \
                 LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[k.k - 1] AND a.attnum > 0 \
                 LEFT JOIN pg_constraint con ON con.conindid = x.indexrelid AND con.contype = 'u' \
                 ORDER BY c.oid, i.relname, k.k"
            ),
            foreign_keys: format!(
                "SELECT {NAME}, f.conname::text, a.attname::text, CASE WHEN rn.nspname = current_schema() THEN rc.relname::text ELSE rn.nspname || '.' || rc.relname END, \
                 r.attname::text, f.oid::text, \
                 CASE f.confupdtype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' ELSE 'NO ACTION' END, \
                 CASE f.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' ELSE 'NO ACTION' END, \
                 CASE WHEN f.condeferrable THEN '1' ELSE '0' END, CASE WHEN f.convalidated THEN '0' ELSE '1' END \
                 FROM {TABLES} JOIN pg_constraint f ON f.conrelid = c.oid AND f.contype = 'f' \
                 CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY AS k(here, there, n) \
                 JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.here \
                 JOIN pg_attribute r ON r.attrelid = f.confrelid AND r.attnum = k.there \
                 JOIN pg_class rc ON rc.oid = f.confrelid JOIN pg_namespace rn ON rn.oid = rc.relnamespace ORDER BY c.oid, f.oid, k.n"
            ),
            checks: Some(format!(
                "SELECT {NAME}, f.conname::text, pg_get_expr(f.conbin, f.conrelid), NULL::text, \
                 CASE WHEN f.convalidated THEN '0' ELSE '1' END \
                 FROM {TABLES} JOIN pg_constraint f ON f.conrelid = c.oid AND f.contype = 'c' ORDER BY c.oid, f.conname"
            )),
            triggers: format!(
                "SELECT {NAME}, t.tgname::text, concat_ws(E'\\n', regexp_replace(pg_get_triggerdef(t.oid), ' EXECUTE .*$', ''), \
                 p.prosrc, p.prosecdef, p.proconfig::text), CASE WHEN t.tgenabled IN ('O', 'A') THEN '1' ELSE '0' END, '0' \
                 FROM {TABLES} JOIN pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal \
                 JOIN pg_proc p ON p.oid = t.tgfoid ORDER BY c.oid, t.tgname"
            ),
            enums: Some(
                "SELECT CASE WHEN n.nspname = current_schema() THEN t.typname::text ELSE n.nspname || '.' || t.typname END, \
                 e.enumlabel::text FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid \
                 JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname !~ '^pg_' \
                 ORDER BY 1, e.enumsortorder"
                    .to_owned(),
            ),
            views: None,
            dependents: None,
        }
    }

    fn session_mark(&self, _mark: &str) -> Option<String> {
        Some(
            "SELECT pid || '/' || extract(epoch FROM backend_start) FROM pg_stat_activity WHERE pid = pg_backend_pid()"
                .to_owned(),
        )
    }
    fn marked_session(&self, mark: &str) -> Option<String> {
        if mark.starts_with(pooler::NAME) {
            return Some(format!("SELECT pid::bigint FROM pg_stat_activity WHERE {}", self.works_for(mark)));
        }
        let (pid, started) = mark.split_once('/')?;
        let pid: i32 = pid.parse().ok()?;
        Some(format!(
            "SELECT pid::bigint FROM pg_stat_activity WHERE pid = {pid} AND extract(epoch FROM backend_start)::text = {} \
             AND application_name = 'concertina'",
            self.literal(started)
        ))
    }
    fn end_session(&self, id: i64) -> String {
        // The number may be another session's by now.
        format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = {id} AND application_name = 'concertina'"
        )
    }
    fn end_marked(&self, mark: &str, id: i64) -> String {
        if mark.starts_with(pooler::NAME) {
            return format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {}", self.works_for(mark));
        }
        self.end_session(id)
    }
    fn client_session(&self, name: &str) -> Vec<String> {
        vec![format!("SET application_name = {}; SET jit = DEFAULT", self.literal(name))]
    }
    fn gives_back_by_clause(&self) -> bool {
        true
    }
    fn whereabouts(&self, _name: &str) -> [Option<String>; 2] {
        // Who is in a database goes with it: `WITH (FORCE)`.
        [Some("SELECT current_database()::text".to_owned()), None]
    }
    fn own_database(&self, name: &str) -> Option<[String; 2]> {
        let name = self.quote(name);
        // Not the default template: a session of anybody's on template1 would make this fail.
        Some([
            format!("CREATE DATABASE {name} TEMPLATE template0"),
            format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"),
        ])
    }
    fn scratch(&self, name: &str) -> Option<(Vec<String>, Vec<String>)> {
        Some((
            vec![
                "BEGIN".to_owned(),
                format!("CREATE SCHEMA {}", self.quote(name)),
                format!("SET LOCAL search_path = {}", self.quote(name)),
            ],
            vec!["ROLLBACK".to_owned()],
        ))
    }

    fn column_type(&self, table: &str, column: &ColumnDefinition) -> Result<String, Refusal> {
        Ok(match &column.column_type {
            ColumnType::Boolean => "boolean".to_owned(),
            ColumnType::Integer if column.identity => "integer GENERATED BY DEFAULT AS IDENTITY".to_owned(),
            ColumnType::Bigint if column.identity => "bigint GENERATED BY DEFAULT AS IDENTITY".to_owned(),
            ColumnType::Integer => "integer".to_owned(),
            ColumnType::Bigint => "bigint".to_owned(),
            ColumnType::Decimal(None) => "numeric".to_owned(),
            ColumnType::Decimal(Some((precision, scale))) => format!("numeric({precision}, {scale})"),
            ColumnType::Float => "double precision".to_owned(),
            ColumnType::String(length) => format!("varchar({length})"),
            ColumnType::Text => "text".to_owned(),
            ColumnType::Timestamp => "timestamp".to_owned(),
            ColumnType::Date => "date".to_owned(),
            ColumnType::Json => "jsonb".to_owned(),
            ColumnType::Uuid => "uuid".to_owned(),
            ColumnType::Binary => "bytea".to_owned(),
            ColumnType::Enum { name, .. } => self.quote(&Self::enum_name(table, column, name.as_ref())),
            ColumnType::Native(sql) => native(sql, Kind::Postgres)?,
        })
    }

    fn catalog_type(&self, type_name: &str) -> String {
        let arguments = type_name.find('(').unwrap_or(type_name.len());
        let (name, arguments) = type_name.split_at(arguments);
        let name = name.split(" GENERATED ").next().unwrap_or_default();
        let spelled = match name.to_ascii_lowercase().as_str() {
            "varchar" => "character varying",
            "timestamp" => return format!("timestamp{arguments} without time zone"),
            _ => name,
        };
        format!("{spelled}{}", arguments.replace(", ", ","))
    }
    fn comparison(&self, column_type: &ColumnType) -> Comparison {
        match column_type {
            ColumnType::String(_) | ColumnType::Text => Comparison::Bytes,
            _ => Comparison::Native,
        }
    }

    fn enum_type(&self, table: &str, column: &ColumnDefinition) -> Option<(String, Vec<String>)> {
        let ColumnType::Enum { values, name } = &column.column_type else { return None };
        Some((Self::enum_name(table, column, name.as_ref()), values.clone()))
    }

    fn before_column(
        &self,
        table: &str,
        column: &ColumnDefinition,
        schema: &Schema,
    ) -> Result<Vec<Statement>, Refusal> {
        let Some((name, values)) = self.enum_type(table, column) else { return Ok(Vec::new()) };
        match schema.enums.get(&name) {
            Some(labels) if *labels == values => Ok(Vec::new()),
            Some(labels) => Err(Refusal::new(format!(
                "the enum type `{name}` exists with other values ({}); give this one another name",
                labels.join(", ")
            ))),
            None => {
                let labels: Vec<_> = values.iter().map(|value| self.literal(value)).collect();
                Ok(vec![Statement::Run(format!("CREATE TYPE {} AS ENUM ({})", self.quote(&name), labels.join(", ")))])
            }
        }
    }

    fn alter(&self, schema: &Schema, table: &Table, change: &Change, allow_rewrite: bool) -> Result<Script, Refusal> {
        self.changed(schema, table, change, allow_rewrite)
    }
    fn create_index(&self, schema: &Schema, table: &Table, index: &IndexDefinition) -> Result<Script, Refusal> {
        index::build(self, schema, table, index, false)
    }
    fn drop_index(&self, table: &Table, name: &str) -> Script {
        if table.partition_key.is_some() {
            // It cannot be dropped concurrently; the lock is had for an instant, and no row is looked at.
            return Script::of(format!("DROP INDEX {}{}", self.beside(&table.name), self.quote(name)));
        }
        Script {
            statements: vec![Statement::Run(format!(
                "DROP INDEX CONCURRENTLY IF EXISTS {}{}",
                self.beside(&table.name),
                self.quote(name)
            ))],
            outside_transaction: true,
            rendered_again: true,
            patience: Patience::Minutes,
            ..Script::default()
        }
    }
    fn validates_later(&self) -> bool {
        true
    }
    fn widening(&self, _schema: &Schema, table: &Table, column: &Column, to: &str) -> Widening {
        widening::of(table, column, to)
    }
    fn enum_labels(&self, schema: &Schema, table: &Table, column: &Column) -> Result<Option<Vec<String>>, Refusal> {
        schema.enums.get(&enum_of(column)).map(|labels| Some(labels.clone())).ok_or_else(|| {
            Refusal::new(format!(
                "column `{}` of `{}` is {}, which is no enum; where a check keeps its values to some, drop_constraint and \
                 add_check",
                column.name, table.name, column.type_name
            ))
            .at(&column.name)
        })
    }
    fn enum_name(&self, column: &Column) -> Option<String> {
        Some(enum_of(column))
    }
    fn steady_functions(&self) -> &'static [&'static str] {
        &["now", "transaction_timestamp", "statement_timestamp"]
    }

    fn trigger_name(&self, sync: &str, part: &str) -> String {
        // Triggers fire in the order of their names, and `~` sorts after every letter: ours sees what the others made.
        format!("{OUR_TRIGGERS}{}", object_name(&format!("{PREFIX}{sync}_{part}")).trim_start_matches(PREFIX))
    }

    fn numbers_itself(&self, column: &Column) -> bool {
        !column.extra.is_empty()
    }
    fn same(&self, left: &str, right: &str, column: &Column) -> String {
        match column.comparison {
            Comparison::Native => format!("({left} IS NOT DISTINCT FROM {right})"),
            Comparison::Bytes => format!("(({left})::text COLLATE \"C\" IS NOT DISTINCT FROM ({right})::text)"),
            Comparison::Text => format!("(({left})::text IS NOT DISTINCT FROM ({right})::text)"),
        }
    }
    fn coerce(&self, expression: &str, column: &Column) -> String {
        format!("({expression})::{}", column.base_type)
    }

    fn rounded(&self, value: &str, column: &Column) -> String {
        let scaled = ["numeric", "timestamp", "time", "interval"].iter().any(|word| column.type_name.starts_with(word));
        if scaled { format!("({value})::{}", column.type_name) } else { value.to_owned() }
    }

    fn batch_session(&self) -> Vec<String> {
        vec!["SET lock_timeout = '50ms'".to_owned(), "SET default_transaction_isolation = 'read committed'".to_owned()]
    }
    fn lock_rows(&self, table: &str, condition: &str, deleted: bool) -> Option<String> {
        let strength = if deleted { "UPDATE" } else { "NO KEY UPDATE" };
        Some(format!("SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {condition} FOR {strength}) AS locked"))
    }
    fn shared_read(&self) -> &'static str {
        " FOR SHARE"
    }
    fn walk_by(&self, table: &Table) -> Result<WalkBy, Refusal> {
        if let Some(key) = table.walk_key() {
            return Ok(WalkBy::Key(key.into_iter().cloned().collect()));
        }
        let version: u32 =
            self.server.version.split(['.', ' ']).next().and_then(|major| major.parse().ok()).unwrap_or(0);
        if version < 14 {
            // Before, a range of pages is found by reading the whole table.
            return Err(Refusal::new(format!(
                "table `{}` has no primary key and no unique key without NULLs to walk it by, and before PostgreSQL 14 it \
                 cannot be walked without; add one first",
                table.name
            )));
        }
        let name = self.table(&table.name);
        // A page's rows are counted from 1, so place 0 of a page lies between it and the page before.
        let place = |position| format!("('(' || ${position}::bigint || ',0)')::tid");
        let range = |operator, position| format!("{name}.ctid {operator} {}", place(position));
        Ok(WalkBy::Pages {
            // A partitioned table has no file; its partitions are walked side by side, as are tables that inherit from it.
            count: format!(
                "WITH RECURSIVE tree(id) AS (SELECT {}::regclass::oid UNION SELECT inhrelid FROM pg_inherits JOIN tree \
                 ON inhparent = id) SELECT NULLIF(max(pg_relation_size(id)) / current_setting('block_size')::bigint, 0) FROM tree",
                self.literal(&name)
            ),
            within: format!("{} AND {}", range(">", 1), range("<=", 2)),
            upto: range("<=", 1),
        })
    }
    fn read_column(&self, table: &str, column: &Column) -> String {
        if self.is_binary(column) {
            return format!("{table}.{}", self.quote(&column.name));
        }
        self.key_column(table, column)
    }
    fn boolean_text(&self, value: bool) -> &'static str {
        if value { "true" } else { "false" }
    }
    fn is_boolean(&self, column: &Column) -> bool {
        column.base_type == "boolean"
    }
    fn assigned(&self, position: usize, column: &Column) -> String {
        // By way of a text, which every type can be read from, as a number cannot be made a json.
        if self.is_binary(column) {
            return format!("${position}::bytea");
        }
        format!("${position}::text::{}", column.type_name)
    }
    fn still(&self, table: &str, column: &Column, position: usize) -> String {
        match column.base_type.as_str() {
            "smallint" | "integer" | "bigint" => {
                format!("{} IS NOT DISTINCT FROM ${position}::bigint", self.key_column(table, column))
            }
            "bytea" => format!("{} IS NOT DISTINCT FROM ${position}::bytea", self.read_column(table, column)),
            _ => format!("{} COLLATE \"C\" IS NOT DISTINCT FROM ${position}::text", self.key_column(table, column)),
        }
    }
    fn key_column(&self, table: &str, column: &Column) -> String {
        match column.base_type.as_str() {
            "smallint" | "integer" | "bigint" => format!("{table}.{}::bigint", self.quote(&column.name)),
            _ => format!("{table}.{}::text", self.quote(&column.name)),
        }
    }
    fn key_parameter(&self, position: usize, column: &Column) -> String {
        format!("${position}::{}", column.type_name)
    }
    fn explain(&self, query: &str) -> Option<String> {
        Some(format!("EXPLAIN {query}"))
    }
    fn explained_rows(&self, row: &[Option<String>]) -> Option<u64> {
        let (_, rows) = row.first()?.as_deref()?.split_once("rows=")?;
        rows.split(' ').next()?.parse().ok()
    }
    fn estimate_rows(&self, table: &str) -> String {
        // reltuples is -1 before the first ANALYZE; the file size then gives the order of magnitude.
        format!(
            "SELECT CASE WHEN reltuples >= 0 THEN reltuples::bigint ELSE pg_relation_size(oid) / 100 END \
             FROM pg_class WHERE oid = to_regclass({})",
            self.literal(&self.table(table))
        )
    }
}

/// The name of the enum type that a column would be of, as the catalog's list has it.
fn enum_of(column: &Column) -> String {
    let name = &column.type_name;
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => name.clone(),
    }
}

/// The text of a native type for one database.
pub(super) fn native(sql: &super::Sql, kind: Kind) -> Result<String, Refusal> {
    sql.on(kind).map(str::to_owned).ok_or_else(|| Refusal::new(format!("the type has no text for {kind}")))
}
