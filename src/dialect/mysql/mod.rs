//! MySQL 8 and later, and MariaDB 10.5 and later: one dialect, told apart where they differ.

mod alter;
mod costs;
mod locks;
mod own;
mod rights;
mod sessions;
mod signals;
mod triggers;
mod widening;

use super::definition::{ColumnDefinition, ColumnType, IndexDefinition};
use super::postgres::native;
use super::schema::{Column, Comparison, Inspection, Schema, Table};
use super::statement::{Change, Preflight, Refusal, Script};
use super::{Assignment, Dialect, Kind, PREFIX, Patience, Server, Widening};

/// MySQL's and MariaDB's SQL.
#[derive(Debug)]
pub(super) struct MySql {
    pub(super) server: Server,
}

/// How many labels an enum has. It is compared with each of them in turn, as no index range is made of an enum's order; one that has
/// very many is read in its whole length for every batch instead.
fn labels_in_turn(column: &Column) -> Option<usize> {
    const MOST: usize = 100;
    let quotes = column.type_name.matches('\'').count();
    // A quote in a label is there twice, as if it were two labels: the numbers behind the last label are of no row.
    (column.base_type == "enum").then_some(quotes / 2).filter(|labels| *labels <= MOST)
}

impl Dialect for MySql {
    fn kind(&self) -> Kind {
        Kind::MySql
    }
    fn server(&self) -> &Server {
        &self.server
    }
    fn quote(&self, identifier: &str) -> String {
        format!("`{}`", identifier.replace('`', "``"))
    }
    fn literal(&self, text: &str) -> String {
        format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    }
    fn now(&self) -> &'static str {
        "CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)"
    }
    fn table_exists(&self, name: &str) -> String {
        format!(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = {}",
            self.literal(name)
        )
    }

    fn inspection(&self) -> Inspection {
        let maria = self.server.is_mariadb();
        // MariaDB prints a default as SQL; MySQL as the bare value, with a mark on expressions.
        let default = if maria {
            "NULLIF(COLUMN_DEFAULT, 'NULL')"
        } else {
            "IF(EXTRA LIKE '%DEFAULT_GENERATED%', CONCAT('(', COLUMN_DEFAULT, ')'), QUOTE(COLUMN_DEFAULT))"
        };
        let checks = if maria {
            "SELECT TABLE_NAME, IF(LEVEL = 'Column', NULL, CONSTRAINT_NAME), CHECK_CLAUSE, \
             IF(LEVEL = 'Column', CONSTRAINT_NAME, NULL) FROM information_schema.CHECK_CONSTRAINTS \
             WHERE CONSTRAINT_SCHEMA = DATABASE() ORDER BY 1, 2"
        } else {
            "SELECT t.TABLE_NAME, c.CONSTRAINT_NAME, c.CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS c \
             JOIN information_schema.TABLE_CONSTRAINTS t ON t.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA \
             AND t.CONSTRAINT_NAME = c.CONSTRAINT_NAME WHERE c.CONSTRAINT_SCHEMA = DATABASE() ORDER BY 1, 2"
        };
        Inspection {
            namespace: "SELECT DATABASE()".to_owned(),
            tables: "SELECT TABLE_NAME, NULL FROM information_schema.TABLES \
                     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' ORDER BY 1"
                .to_owned(),
            columns: format!(
                "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, DATA_TYPE, IF(IS_NULLABLE = 'YES', '1', '0'), {default}, \
                 IF({default} REGEXP '^(''.*''|-?[0-9.]+)$', '1', '0'), IF(COALESCE(GENERATION_EXPRESSION, '') <> '', '1', '0'), \
                 CASE WHEN DATA_TYPE = 'json' THEN 'text' WHEN CHARACTER_SET_NAME IS NOT NULL THEN 'bytes' ELSE 'native' END, \
                 COLLATION_NAME, TRIM(CONCAT(REPLACE(EXTRA, 'DEFAULT_GENERATED', ''), \
                 IF(COLUMN_COMMENT = '', '', CONCAT(' COMMENT ', QUOTE(COLUMN_COMMENT))))) \
                 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION"
            ),
            keys: "SELECT TABLE_NAME, INDEX_NAME, CASE WHEN INDEX_NAME = 'PRIMARY' THEN 'p' WHEN NON_UNIQUE = 0 THEN 'u' ELSE 'i' END, \
                   COLUMN_NAME, IF(NON_UNIQUE = 0, '1', '0'), '1' FROM information_schema.STATISTICS \
                   WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"
                .to_owned(),
            foreign_keys: "SELECT k.TABLE_NAME, k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_NAME, k.REFERENCED_COLUMN_NAME, \
                           k.CONSTRAINT_NAME, r.UPDATE_RULE, r.DELETE_RULE FROM information_schema.KEY_COLUMN_USAGE k \
                           JOIN information_schema.REFERENTIAL_CONSTRAINTS r ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA \
                           AND r.TABLE_NAME = k.TABLE_NAME AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME \
                           WHERE k.TABLE_SCHEMA = DATABASE() AND k.REFERENCED_TABLE_NAME IS NOT NULL \
                           ORDER BY k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION"
                .to_owned(),
            checks: Some(checks.to_owned()),
            triggers: "SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME, CONCAT(ACTION_TIMING, ' ', EVENT_MANIPULATION, ' ', ACTION_STATEMENT), '1', \
                       IF(DEFINER = CURRENT_USER(), '0', '1') \
                       FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY 1, 2"
                .to_owned(),
            enums: None,
            views: None,
            dependents: None,
        }
    }

    fn transactional_ddl(&self) -> bool {
        false
    }
    fn foreign_keys(&self, on: bool) -> &'static [&'static str] {
        if on { &["SET SESSION foreign_key_checks = 1"] } else { &["SET SESSION foreign_key_checks = 0"] }
    }
    fn session_mark(&self, mark: &str) -> Option<String> {
        // Connection ids start again with the server; a lock's name is ours alone, and goes with its session.
        let lock = self.literal(mark);
        Some(format!("SELECT CASE GET_LOCK({lock}, 0) WHEN 1 THEN {lock} ELSE '' END"))
    }
    fn marked_session(&self, mark: &str) -> Option<String> {
        Some(format!(
            "SELECT CAST(IS_USED_LOCK({0}) AS SIGNED) FROM DUAL WHERE IS_USED_LOCK({0}) IS NOT NULL",
            self.literal(mark)
        ))
    }
    fn end_session(&self, id: i64) -> String {
        format!("KILL {id}")
    }
    fn client_session(&self, _name: &str) -> Vec<String> {
        vec!["SET SESSION sql_mode = DEFAULT, innodb_lock_wait_timeout = DEFAULT".to_owned()]
    }
    fn whereabouts(&self, name: &str) -> [Option<String>; 2] {
        let inside = format!(
            "SELECT CAST(ID AS SIGNED) FROM information_schema.PROCESSLIST WHERE DB = {} AND ID <> CONNECTION_ID()",
            self.literal(name)
        );
        [Some("SELECT DATABASE()".to_owned()), Some(inside)]
    }
    fn own_database(&self, name: &str) -> Option<[String; 2]> {
        let name = self.quote(name);
        Some([format!("CREATE DATABASE {name}"), format!("DROP DATABASE IF EXISTS {name}")])
    }
    fn scratch(&self, name: &str) -> Option<(Vec<String>, Vec<String>)> {
        let name = self.quote(name);
        Some((vec![format!("CREATE DATABASE {name}"), format!("USE {name}")], vec![format!("DROP DATABASE {name}")]))
    }

    fn column_type(&self, _table: &str, column: &ColumnDefinition) -> Result<String, Refusal> {
        Ok(match &column.column_type {
            ColumnType::Boolean => "tinyint(1)".to_owned(),
            ColumnType::Integer => "int".to_owned(),
            ColumnType::Bigint => "bigint".to_owned(),
            ColumnType::Decimal(None) => "decimal".to_owned(),
            ColumnType::Decimal(Some((precision, scale))) => format!("decimal({precision}, {scale})"),
            ColumnType::Float => "double".to_owned(),
            ColumnType::String(length) => format!("varchar({length})"),
            ColumnType::Text => "text".to_owned(),
            ColumnType::Timestamp => "datetime".to_owned(),
            ColumnType::Date => "date".to_owned(),
            ColumnType::Json => "json".to_owned(),
            ColumnType::Uuid => "char(36)".to_owned(),
            ColumnType::Binary => "longblob".to_owned(),
            ColumnType::Enum { values, .. } => {
                let labels: Vec<_> = values.iter().map(|value| self.literal(value)).collect();
                format!("enum({})", labels.join(","))
            }
            ColumnType::Native(sql) => native(sql, Kind::MySql)?,
        })
    }
    fn column_definition(&self, table: &str, column: &ColumnDefinition) -> Result<String, Refusal> {
        let mut text = format!("{} {}", self.quote(&column.name), self.column_type(table, column)?);
        text.push_str(if column.nullable { " NULL" } else { " NOT NULL" });
        if column.identity {
            text.push_str(" AUTO_INCREMENT");
        }
        if let Some(default) = &column.default {
            text.push_str(&format!(" DEFAULT {}", self.default_value(default)?));
        }
        Ok(text)
    }
    fn table_options(&self) -> &'static str {
        " ENGINE=InnoDB"
    }

    fn alter(&self, _schema: &Schema, table: &Table, change: &Change, allow_rewrite: bool) -> Result<Script, Refusal> {
        self.changed(table, change, allow_rewrite)
    }
    fn create_index(&self, _schema: &Schema, table: &Table, index: &IndexDefinition) -> Result<Script, Refusal> {
        let unique = if index.unique { "UNIQUE " } else { "" };
        let change = format!("ADD {unique}INDEX {} ({})", self.quote(&index.name), self.columns(&index.columns));
        Ok(Script {
            statements: vec![self.cheapest(&table.name, &change, index.allow_rewrite)],
            patience: Patience::Seconds,
            ..Script::default()
        })
    }
    fn drop_index(&self, table: &Table, name: &str) -> Script {
        Script {
            statements: vec![self.cheapest(&table.name, &format!("DROP INDEX {}", self.quote(name)), false)],
            ..Script::default()
        }
    }
    fn widening(&self, schema: &Schema, table: &Table, column: &Column, to: &str) -> Widening {
        widening::of(schema, table, column, to, self.server.is_mariadb())
    }
    fn enum_labels(&self, _schema: &Schema, table: &Table, column: &Column) -> Result<Option<Vec<String>>, Refusal> {
        widening::labels(column).map(Some).ok_or_else(|| {
            Refusal::new(format!(
                "column `{}` of `{}` is {}, which is no enum; where a check keeps its values to some, drop_constraint and \
                 add_check",
                column.name, table.name, column.type_name
            ))
            .at(&column.name)
        })
    }
    fn enum_with(&self, column: &Column, value: &str) -> Option<String> {
        let labels = column.type_name.strip_prefix("enum(")?.strip_suffix(')')?;
        Some(format!("enum({labels},{})", self.literal(value)))
    }
    fn steady_functions(&self) -> &'static [&'static str] {
        &["now", "current_timestamp", "localtime", "localtimestamp"]
    }
    fn can_be_referred_to(&self, table: &Table, columns: &[String]) -> bool {
        // InnoDB asks for an index that begins with them, unique or not.
        let indexes = table.indexes.iter().map(|index| &index.columns);
        table.unique_keys().into_iter().chain(indexes).any(|key| key.starts_with(columns))
    }

    fn sync_preflight(&self) -> Vec<Preflight> {
        let probe = self.quote(&format!("{PREFIX}preflight"));
        vec![
            // A replica that runs the statements again has no variable of ours: its triggers would fire for a backfill's write.
            Preflight::Empty {
                query: "SHOW GLOBAL VARIABLES WHERE Variable_name = 'binlog_format' AND Value = 'STATEMENT' AND @@log_bin".to_owned(),
                reason: "the server sends statements to its replicas, where a sync's triggers would fire for a backfill's writes too"
                    .to_owned(),
                remedy: "ask an administrator for SET GLOBAL binlog_format = 'MIXED' (or 'ROW'), and let the writers reconnect"
                    .to_owned(),
            },
            // What one node refuses others would carry out, and then one must go: so nothing is tried that may be refused.
            Preflight::Empty {
                query: format!(
                    "SELECT 1 FROM (SELECT CONCAT('''', SUBSTRING_INDEX(CURRENT_USER(), '@', 1), '''@''', \
                     SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''') AS account) AS me \
                     WHERE @@log_bin_trust_function_creators = 0 AND {} AND COALESCE(CURRENT_ROLE(), 'NONE') = 'NONE' \
                     AND NOT EXISTS (SELECT 1 FROM information_schema.USER_PRIVILEGES p WHERE p.GRANTEE = me.account \
                     AND p.PRIVILEGE_TYPE IN ('SUPER', 'BINLOG ADMIN', 'SET USER'))",
                    self.in_cluster()
                ),
                reason: "a Galera cluster counts as a binary log, also where none is kept, and trusts nobody without SUPER with triggers"
                    .to_owned(),
                remedy: "ask an administrator for SET GLOBAL log_bin_trust_function_creators = 1 on every node, which must stay \
                         until the triggers are installed; then run the same command again"
                    .to_owned(),
            },
            // Which privileges are enough differs from version to version; a trigger on a table of our own tells.
            Preflight::Works {
                statements: vec![
                    format!("DROP TRIGGER IF EXISTS {probe}"),
                    format!("CREATE TRIGGER {probe} BEFORE INSERT ON `concertina_phase` FOR EACH ROW SET @concertina_preflight = NULL"),
                ],
                undo: format!("DROP TRIGGER IF EXISTS {probe}"),
                remedies: vec![
                    (
                        "1419",
                        "the server keeps a binary log and trusts nobody without SUPER with triggers; ask an administrator for \
                         SET GLOBAL log_bin_trust_function_creators = 1 (on a managed server, in its parameter group), which \
                         must stay until the triggers are installed, then run the same command again"
                            .to_owned(),
                    ),
                    (
                        "1142",
                        "ask an administrator to GRANT TRIGGER on this database to the account in the URL, then run the same \
                         command again"
                            .to_owned(),
                    ),
                ],
            },
        ]
    }
    fn foreign_keys_fire_triggers(&self) -> bool {
        false
    }
    fn doubtful_default(&self, column: &Column) -> bool {
        // MariaDB's catalog shows a character that takes four bytes as `?`, in a column's default.
        self.server.is_mariadb() && column.default.as_ref().is_some_and(|default| default.contains('?'))
    }
    fn numbers_itself(&self, column: &Column) -> bool {
        column.extra.contains("auto_increment")
    }
    fn numbers_late(&self, column: &Column) -> bool {
        self.numbers_itself(column)
    }
    fn upserts_by_key(&self) -> bool {
        false
    }
    fn locked_read(&self) -> &'static str {
        " FOR UPDATE"
    }
    fn subquery_lock(&self) -> &'static str {
        // A trigger of an UPDATE reads by the snapshot of its statement, also after it has waited for a row.
        " LOCK IN SHARE MODE"
    }
    fn same(&self, left: &str, right: &str, column: &Column) -> String {
        match column.comparison {
            Comparison::Native => format!("({left} <=> {right})"),
            Comparison::Bytes | Comparison::Text => format!(
                "(CAST(CONVERT({left} USING utf8mb4) AS BINARY) <=> CAST(CONVERT({right} USING utf8mb4) AS BINARY))"
            ),
        }
    }

    fn unchanged(&self, old: &str, new: &str, column: &Column) -> String {
        match column.comparison {
            // One side as bytes makes both bytes, and both are of one character set.
            Comparison::Bytes => format!("({old} <=> CAST({new} AS BINARY))"),
            Comparison::Native | Comparison::Text => self.same(old, new, column),
        }
    }

    fn in_order(&self, mut assignments: Vec<Assignment>) -> Result<Vec<Assignment>, Refusal> {
        // An UPDATE assigns from left to right, and a value sees the columns to its left as they are by then
        // (<https://dev.mysql.com/doc/refman/8.4/en/update.html>): whatever is read by others comes after them.
        let mut ordered = Vec::new();
        while !assignments.is_empty() {
            let read_by_others = |at: usize| {
                let name = &assignments[at].column;
                assignments.iter().enumerate().any(|(other, of)| other != at && of.reads.contains(name))
            };
            let Some(at) = (0..assignments.len()).find(|at| !read_by_others(*at)) else {
                let names: Vec<_> = assignments.iter().map(|of| format!("`{}`", of.column)).collect();
                return Err(Refusal::new(format!(
                    "the values of {} read one another, and this database assigns one column after the other",
                    names.join(", ")
                ))
                .at(&assignments[0].column));
            };
            ordered.push(assignments.remove(at));
        }
        Ok(ordered)
    }

    fn rounded(&self, value: &str, column: &Column) -> String {
        let type_name = column.type_name.trim_end_matches(" unsigned");
        match column.base_type.as_str() {
            "decimal" | "datetime" | "time" => format!("CAST({value} AS {type_name})"),
            "timestamp" => format!("CAST({value} AS {})", type_name.replace("timestamp", "datetime")),
            _ => value.to_owned(),
        }
    }

    fn batch_session(&self) -> Vec<String> {
        // A timeout of 0 asks once (MariaDB); MySQL's least is a second.
        let (variable, least) =
            if self.server.is_mariadb() { ("tx_isolation", 0) } else { ("transaction_isolation", 1) };
        vec![
            format!("SET SESSION lock_wait_timeout = 5, innodb_lock_wait_timeout = {least}"),
            // READ COMMITTED locks the rows that are changed and no gaps; where replicas run statements again, InnoDB refuses it.
            format!(
                "SET SESSION {variable} = IF(@@log_bin AND @@binlog_format = 'STATEMENT', 'REPEATABLE-READ', 'READ-COMMITTED')"
            ),
        ]
    }
    fn lock_rows(&self, table: &str, condition: &str, _deleted: bool) -> Option<String> {
        Some(format!("SELECT COUNT(*) FROM {table} WHERE {condition} FOR UPDATE"))
    }
    fn delete_referring(&self, table: &str, same: &[(String, String)], others: &[String], condition: &str) -> String {
        // EXISTS and IN look at every row of the table here, before MariaDB 11.1; and a join in an order of its own choice may.
        let same: Vec<_> = same.iter().map(|(theirs, ours)| format!("{theirs} = {ours} AND ")).collect();
        let others = others.join(" STRAIGHT_JOIN ");
        format!("DELETE {table} FROM {others} STRAIGHT_JOIN {table} WHERE {}{condition}", same.concat())
    }
    fn utc_for(&self, key: &[Column]) -> Option<&'static str> {
        key.iter().any(|column| column.base_type == "timestamp").then_some("SET SESSION time_zone = '+00:00'")
    }
    fn shared_read(&self) -> &'static str {
        " LOCK IN SHARE MODE"
    }
    fn keep_existing(&self, into: &str, key: &[String]) -> String {
        // IGNORE would swallow every other error too; and VALUES would write the key in other letters, where they count as equal.
        let first = key.first().map(|column| self.quote(column)).unwrap_or_default();
        format!(" ON DUPLICATE KEY UPDATE {into}.{first} = {into}.{first}")
    }
    fn read_column(&self, table: &str, column: &Column) -> String {
        match column.base_type.as_str() {
            "enum" | "set" => format!("CAST({table}.{} AS CHAR)", self.quote(&column.name)),
            _ => self.key_column(table, column),
        }
    }
    fn still(&self, table: &str, column: &Column, _position: usize) -> String {
        let now = self.read_column(table, column);
        match column.base_type.as_str() {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "float" | "double" | "bit" => {
                format!("({now} <=> ?)")
            }
            _ if self.is_binary(column) => format!("({now} <=> ?)"),
            _ => format!("(CAST(CONVERT({now} USING utf8mb4) AS BINARY) <=> CAST(CONVERT(? USING utf8mb4) AS BINARY))"),
        }
    }
    fn assigned(&self, _position: usize, _column: &Column) -> String {
        "?".to_owned()
    }
    fn key_column(&self, table: &str, column: &Column) -> String {
        let name = format!("{table}.{}", self.quote(&column.name));
        match column.base_type.as_str() {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => name,
            _ if self.is_binary(column) => name,
            // They are ordered by their number, and compared with a text they would not be.
            "enum" | "set" | "bit" => format!("CAST({name} AS UNSIGNED)"),
            // Its text has fewer digits than it.
            "float" | "double" => format!("({name} + 0e0)"),
            _ => format!("CAST({name} AS CHAR)"),
        }
    }
    fn key_parameter(&self, _position: usize, column: &Column) -> String {
        // A string beside a number is compared as a double, which has too few digits.
        match column.base_type.as_str() {
            "decimal" => format!("CAST(? AS {})", column.type_name.split(' ').next().unwrap_or("decimal")),
            "bigint" if column.type_name.contains("unsigned") => "CAST(? AS UNSIGNED)".to_owned(),
            _ => "?".to_owned(),
        }
    }
    fn key_comparison(&self, table: &str, key: &[&Column], operator: &str, first: usize) -> String {
        // A row constructor comparison is not used as an index range here; written out, it is.
        let strict = operator.trim_end_matches('=');
        let mut choices = Vec::new();
        for length in (1..=key.len()).rev() {
            let mut tests = Vec::new();
            for (position, column) in key[..length].iter().enumerate() {
                let last = position + 1 == length;
                let operator = match (last, length == key.len()) {
                    (true, true) => operator,
                    (true, false) => strict,
                    (false, _) => "=",
                };
                let name = format!("{table}.{}", self.quote(&column.name));
                tests.push(match labels_in_turn(column).filter(|_| last) {
                    Some(labels) => {
                        let each: Vec<_> =
                            (0..=labels).map(|label| format!("{name} = {label} AND {label} {operator} ?")).collect();
                        format!("({})", each.join(" OR "))
                    }
                    None => format!("{name} {operator} {}", self.key_parameter(0, column)),
                });
            }
            choices.push(format!("({})", tests.join(" AND ")));
        }
        let _ = first;
        format!("({})", choices.join(" OR "))
    }
    fn key_binding(&self, key: &[&Column]) -> Vec<usize> {
        let repeated = |position: usize, prefix: usize| {
            let labels = if position + 1 == prefix { labels_in_turn(key[position]) } else { None };
            std::iter::repeat_n(position, labels.map_or(1, |labels| labels + 1))
        };
        (1..=key.len())
            .rev()
            .flat_map(|prefix| (0..prefix).flat_map(move |position| repeated(position, prefix)))
            .collect()
    }
    fn explain(&self, query: &str) -> Option<String> {
        Some(format!("EXPLAIN {query}"))
    }
    fn explained_rows(&self, row: &[Option<String>]) -> Option<u64> {
        // MySQL has a column for partitions before it.
        let position = if self.server.is_mariadb() { 8 } else { 9 };
        row.get(position)?.as_deref()?.parse().ok()
    }
    fn estimate_rows(&self, table: &str) -> String {
        format!(
            "SELECT CAST(TABLE_ROWS AS SIGNED) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {}",
            self.literal(table)
        )
    }
}
