//! SQL text, and nothing else: no connection is opened here, so every file can be tested without a server.
//!
//! What the three databases share is written once, as default methods of [`Dialect`] and in [`sync`]; each database's
//! file holds what differs. The room names no other room. The file is long because [`Dialect`] is the whole list of what a new database
//! has to say, and is read as one.

mod cost;
pub(crate) mod cursor;
mod definition;
pub mod expression;
mod keywords;
pub mod lex;
mod locks;
mod mysql;
mod objects;
pub mod offending;
mod own;
mod postgres;
mod rights;
pub mod rows;
mod schema;
mod sessions;
mod signals;
mod sqlite;
mod statement;
pub mod sync;
mod type_name;
mod writes;

use std::fmt;
use std::sync::Arc;

pub use cost::{Cost, Costs, Held, Stops, Work, script_costs};
pub use definition::{
    ColumnDefinition, ColumnType, Default, ForeignKeyDefinition, IndexDefinition, OnDelete, References, Sql,
    TableDefinition, UniqueDefinition,
};
pub use locks::{BlockersQuery, Locks};
pub use objects::{Difference, Objects, differences};
pub use own::{Own, OwnKind, OwnObject};
pub use postgres::pooler;
pub use rights::{Right, Rights};
pub use schema::{
    Check, Column, Comparison, ForeignKey, Index, Inspection, InspectionRows, Schema, Table, TableRow, Trigger, Unique,
};
pub use sessions::{SessionName, Sessions};
pub use signals::{ReplicaLag, ReplicaStatus, Signals};
pub use statement::{Change, ExpectedTrigger, Preflight, Refusal, Script, Statement};
pub use sync::{Conflict, Destination, Related, Sync};
pub use type_name::{TypeName, Widening};
pub use writes::{Given, Literal, Reading, Verb, Writes, read_writes};

/// Everything that Concertina creates in a user's database starts with this.
pub const PREFIX: &str = "concertina_";

/// The database families that Concertina speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB: one family, told apart by [`Dialect::server`].
    MySql,
    /// SQLite, embedded.
    Sqlite,
}

impl Kind {
    /// All of them, in the order in which they are documented.
    pub const ALL: [Self; 3] = [Self::Postgres, Self::MySql, Self::Sqlite];

    /// The word for this database in file names and YAML keys.
    pub fn key(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
            Self::Sqlite => "sqlite",
        }
    }

    /// Finds the kind a YAML key or a file name's suffix stands for.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.key() == key)
    }

    /// The lexical rules of this database's SQL.
    pub fn flavor(self) -> lex::Flavor {
        match self {
            Self::Postgres => lex::Flavor::Postgres,
            Self::MySql => lex::Flavor::MySql,
            Self::Sqlite => lex::Flavor::Sqlite,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::MySql => "MySQL/MariaDB",
            Self::Sqlite => "SQLite",
        })
    }
}

/// How long a statement waits for a table's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Patience {
    /// An instant: whoever waits makes everyone else wait behind it.
    #[default]
    Instant,
    /// A second, for a table that is never free for an instant, and that nobody has for longer.
    Moment,
    /// Some seconds, for a statement that works long before its last lock and would lose that work, and for our own rows.
    Seconds,
    /// Minutes, for a statement that stops nobody while it waits.
    Minutes,
}

impl Patience {
    /// The word for how long.
    pub fn words(self) -> &'static str {
        match self {
            Self::Instant => "an instant",
            Self::Moment => "a second",
            Self::Seconds => "seconds",
            Self::Minutes => "minutes",
        }
    }
}

/// What the server says of itself; versions and forks are capabilities of a dialect, not dialects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The version as the server prints it, such as `15.18` or `10.11.19-MariaDB`.
    pub version: String,
}

impl Server {
    /// The product's name and version, for people.
    pub fn product(&self, kind: Kind) -> String {
        let name = match kind {
            Kind::Postgres => "PostgreSQL",
            Kind::MySql if self.is_mariadb() => "MariaDB",
            Kind::MySql => "MySQL",
            Kind::Sqlite => "SQLite",
        };
        let number = self.version.split([' ', '-']).next().unwrap_or_default();
        format!("{name} {number}")
    }

    /// What the server is, where that is older than the least version that this program knows.
    fn older_than(&self, kind: Kind, least: [u32; 2]) -> Option<String> {
        let mut numbers = self.version.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse().ok());
        let own: [u32; 2] = [numbers.next()?, numbers.next().unwrap_or(0)];
        let needed = if kind == Kind::Postgres { least[0].to_string() } else { format!("{}.{}", least[0], least[1]) };
        (own < least).then(|| format!("the server is {}, and {needed} or later is needed", self.product(kind)))
    }

    /// Tells MariaDB from MySQL.
    pub fn is_mariadb(&self) -> bool {
        self.version.to_ascii_lowercase().contains("mariadb")
    }
}

/// Returns the dialect of a server.
pub fn of(kind: Kind, server: Server) -> Arc<dyn Dialect> {
    match kind {
        Kind::Postgres => Arc::new(postgres::Postgres { server }),
        Kind::MySql => Arc::new(mysql::MySql { server }),
        Kind::Sqlite => Arc::new(sqlite::Sqlite { server }),
    }
}

/// What a table is walked by.
#[derive(Debug, Clone, PartialEq)]
pub enum WalkBy {
    /// The columns of a key; a column that no `CREATE TABLE` names is the row's own number.
    Key(Vec<Column>),
    /// The pages of its file: of a span behind a page up to one, or from the first up to one.
    Pages {
        /// A query of one integer, how many pages there are.
        count: String,
        /// The condition of the rows behind a page, up to another.
        within: String,
        /// The condition of the rows up to a page.
        upto: String,
    },
}

/// One column of an UPDATE's SET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The column's name, unquoted.
    pub column: String,
    /// Its new value, as SQL.
    pub value: String,
    /// The columns of the row that the value reads.
    pub reads: Vec<String>,
}

/// The wrappers of one database's triggers, in a file of their own beside its [`Dialect`]; their meaning is [`sync`]'s.
pub trait Triggers {
    /// Installs a sync's triggers; running it again replaces them.
    fn install_sync(&self, sync: &Sync, schema: &Schema) -> Result<Script, Refusal>;
    /// Removes a sync's triggers and whatever else it made; running it again does nothing.
    fn drop_sync(&self, sync: &Sync) -> Script;
    /// A query with one row, two integers: milliseconds since the epoch of a sync's last old and new write, or NULL.
    fn last_writes(&self, sync: &Sync) -> String;
    /// Whether a session remembers that it told of a write within the minute, even of a sync that was removed since and installed
    /// again: until that minute is over, the last old write may be later than is known.
    fn sessions_remember(&self) -> bool {
        false
    }
    /// Statements around a backfill's own write, inside its transaction, so that it fires none of these syncs. Others fire: what
    /// a trigger of the user's writes elsewhere is not the backfill's write.
    fn bypass(&self, syncs: &[&str]) -> [Vec<String>; 2];
    /// Whether a bypass stays on when its transaction is rolled back.
    fn bypass_outlives_rollback(&self) -> bool {
        false
    }
}

/// One database's SQL.
///
/// To implement it for a new database: (1) quoting, literals, placeholders and the clock; (2) [`Dialect::inspection`],
/// the catalog queries, all with the columns that [`Inspection`] documents; (3) types and DDL, refusing rather than
/// rewriting a table under a lock; (4) the wrappers of the sync triggers, [`Triggers`], whose meaning [`sync`] builds; (5) keys,
/// for backfills; (6) [`Signals`], for their throttles, [`Locks`], [`Rights`], and [`Costs`]. The conformance suite in `tests/` is the acceptance test.
pub trait Dialect:
    Triggers + Signals + Sessions + Locks + Rights + Costs + Own + fmt::Debug + Send + std::marker::Sync
{
    /// The family.
    fn kind(&self) -> Kind;
    /// The server this text is for.
    fn server(&self) -> &Server;

    /// Quotes one identifier. Every identifier in every statement goes through here.
    fn quote(&self, identifier: &str) -> String {
        format!("\"{}\"", identifier.replace('"', "\"\""))
    }

    /// Quotes a table name, `schema.table` or `table`.
    fn table(&self, name: &str) -> String {
        match name.split_once('.') {
            Some((schema, table)) => format!("{}.{}", self.quote(schema), self.quote(table)),
            None => self.quote(name),
        }
    }

    /// Quotes and joins column names.
    fn columns(&self, names: &[String]) -> String {
        names.iter().map(|name| self.quote(name)).collect::<Vec<_>>().join(", ")
    }

    /// A string literal; only where a value cannot be bound (DDL, trigger bodies).
    fn literal(&self, text: &str) -> String {
        format!("'{}'", text.replace('\'', "''"))
    }

    /// The placeholder of the `position`th bound value, counted from 1.
    fn placeholder(&self, position: usize) -> String {
        let _ = position;
        "?".to_owned()
    }

    /// Turns the `?` of a statement of our own into this database's placeholders.
    fn placeholders(&self, sql: &str) -> String {
        sql.to_owned()
    }

    /// Milliseconds since the epoch by the database's clock, as an integer expression.
    fn now(&self) -> &'static str;

    /// A query with one row, one integer: whether a table of this name is visible.
    fn table_exists(&self, name: &str) -> String;

    /// A query with a row, the statement that helps, where the role sees no schema at all: to it every database looks empty.
    fn sees_nothing(&self) -> Option<String> {
        None
    }

    /// The queries that read the live schema.
    fn inspection(&self) -> Inspection;

    /// Our own helper tables beside the state tables; each statement may be run again.
    fn support(&self) -> Vec<String> {
        Vec::new()
    }

    /// Whether DDL commits and rolls back together with the state row.
    fn transactional_ddl(&self) -> bool {
        true
    }
    /// Opens a transaction that will write.
    fn begin(&self) -> &'static str {
        "BEGIN"
    }
    /// Switches foreign keys off, and on again, around a transaction that rebuilds a table.
    fn foreign_keys(&self, on: bool) -> &'static [&'static str] {
        let _ = on;
        &[]
    }
    /// A query of one text: the mark by which this session can be found again; `mark` is a name that nobody else has.
    fn session_mark(&self, mark: &str) -> Option<String> {
        let _ = mark;
        None
    }
    /// A query with the id of the session that bears a mark; no row when it is gone.
    fn marked_session(&self, mark: &str) -> Option<String> {
        let _ = mark;
        None
    }
    /// Ends a session of ours.
    fn end_session(&self, id: i64) -> String {
        let _ = id;
        String::new()
    }
    /// Ends the session that bears a mark, whose id it was a moment ago.
    fn end_marked(&self, mark: &str, id: i64) -> String {
        let _ = mark;
        self.end_session(id)
    }
    /// Statements that make a session of ours one of an application's, with this name where sessions have names.
    fn client_session(&self, name: &str) -> Vec<String>;
    /// Whether an INSERT tells the key that it was given by a clause alone, and not by itself.
    fn gives_back_by_clause(&self) -> bool {
        false
    }
    /// A query of one text, the database that the session is in, and one for the ids of those that are in a database and must be
    /// ended before it can go.
    fn whereabouts(&self, name: &str) -> [Option<String>; 2] {
        let _ = name;
        [None, None]
    }
    /// Makes a database, and takes it away again with whoever is in it; `None` where a file is one.
    fn own_database(&self, name: &str) -> Option<[String; 2]>;
    /// The scratch place in which a baseline is tried out: statements to enter it, and to leave nothing behind.
    fn scratch(&self, name: &str) -> Option<(Vec<String>, Vec<String>)>;

    /// The type of a column definition in this database's words.
    fn column_type(&self, table: &str, column: &ColumnDefinition) -> Result<String, Refusal>;
    /// A default value as SQL.
    fn default_value(&self, default: &Default) -> Result<String, Refusal> {
        Ok(match default {
            Default::Null => "NULL".to_owned(),
            Default::Boolean(value) => self.boolean(*value).to_owned(),
            Default::Integer(value) => value.to_string(),
            Default::Float(value) => value.to_string(),
            Default::Text(value) => self.literal(value),
            Default::Sql(sql) => {
                let text = sql
                    .on(self.kind())
                    .ok_or_else(|| Refusal::new(format!("the default has no SQL for {}", self.kind())))?;
                format!("({text})")
            }
        })
    }
    /// TRUE and FALSE, as the database keeps them.
    fn boolean(&self, value: bool) -> &'static str {
        if value { "TRUE" } else { "FALSE" }
    }

    /// One column of a CREATE TABLE or ADD COLUMN.
    fn column_definition(&self, table: &str, column: &ColumnDefinition) -> Result<String, Refusal> {
        let mut text = format!("{} {}", self.quote(&column.name), self.column_type(table, column)?);
        if !column.nullable {
            text.push_str(" NOT NULL");
        }
        if let Some(default) = &column.default {
            text.push_str(" DEFAULT ");
            text.push_str(&self.default_value(default)?);
        }
        Ok(text)
    }

    /// What a column will be once a definition has been carried out.
    fn live_column(&self, table: &str, column: &ColumnDefinition) -> Result<Column, Refusal> {
        let type_name = self.catalog_type(&self.column_type(table, column)?);
        Ok(Column {
            name: column.name.clone(),
            base_type: type_name.split('(').next().unwrap_or_default().trim().to_owned(),
            type_name,
            nullable: column.nullable,
            default: column.default.as_ref().map(|default| self.default_value(default)).transpose()?,
            constant_default: !matches!(column.default, Some(Default::Sql(_))),
            comparison: self.comparison(&column.column_type),
            extra: if column.identity { "auto_increment".to_owned() } else { String::new() },
            ..Column::default()
        })
    }
    /// A type as the catalog spells it: what is rendered for a column that is yet to be made must be what is rendered for it then.
    fn catalog_type(&self, type_name: &str) -> String {
        type_name.to_owned()
    }
    /// How a sync compares values of a type.
    fn comparison(&self, column_type: &ColumnType) -> Comparison {
        match column_type {
            ColumnType::String(_) | ColumnType::Text | ColumnType::Uuid | ColumnType::Enum { .. } => Comparison::Bytes,
            ColumnType::Json => Comparison::Text,
            _ => Comparison::Native,
        }
    }

    /// The words after the closing parenthesis of CREATE TABLE.
    fn table_options(&self) -> &'static str {
        ""
    }

    /// A foreign key as a constraint clause.
    fn foreign_key(&self, key: &ForeignKeyDefinition) -> String {
        let mut text = String::new();
        if let Some(name) = &key.name {
            text = format!("CONSTRAINT {} ", self.quote(name));
        }
        text.push_str(&format!(
            "FOREIGN KEY ({}) REFERENCES {} ({})",
            self.columns(&key.columns),
            self.table(&key.references.table),
            self.columns(&key.references.columns),
        ));
        if let Some(action) = key.on_delete {
            text.push_str(&format!(" ON DELETE {}", action.words()));
        }
        text
    }

    /// CREATE TABLE, with its constraints; indexes are steps of their own.
    fn create_table(&self, table: &TableDefinition, schema: &Schema) -> Result<Script, Refusal> {
        let columns = table.columns();
        let mut lines = Vec::new();
        for column in &columns {
            lines.push(self.column_definition(&table.name, column)?);
        }
        if !table.primary_key.is_empty() {
            lines.push(format!("PRIMARY KEY ({})", self.columns(&table.primary_key)));
        }
        for unique in &table.uniques {
            lines.push(format!("CONSTRAINT {} UNIQUE ({})", self.quote(&unique.name), self.columns(&unique.columns)));
        }
        lines.extend(table.foreign_keys.iter().map(|key| self.foreign_key(key)));
        let mut script = Script::default();
        for column in &columns {
            for statement in self.before_column(&table.name, column, schema)? {
                // Two columns may share a type.
                if !script.statements.contains(&statement) {
                    script.statements.push(statement);
                }
            }
        }
        let options = table.options.as_ref().and_then(|options| options.on(self.kind()));
        script.run(format!(
            "CREATE TABLE {} (\n  {}\n){}{}",
            self.table(&table.name),
            lines.join(",\n  "),
            self.table_options(),
            options.map_or_else(String::new, |options| format!(" {}", options.trim())),
        ));
        Ok(script)
    }

    /// The named type that is made for a column, with its labels, where the database has named types.
    fn enum_type(&self, table: &str, column: &ColumnDefinition) -> Option<(String, Vec<String>)> {
        let _ = (table, column);
        None
    }

    /// What must exist before a column of this definition can (PostgreSQL's enum types).
    fn before_column(
        &self,
        table: &str,
        column: &ColumnDefinition,
        schema: &Schema,
    ) -> Result<Vec<Statement>, Refusal> {
        let _ = (table, column, schema);
        Ok(Vec::new())
    }

    /// Removes a named type that no column is of any more.
    fn drop_type(&self, name: &str) -> Script {
        Script::of(format!("DROP TYPE {}", self.quote(name)))
    }

    /// DROP TABLE.
    fn drop_table(&self, table: &str) -> Script {
        Script::of(format!("DROP TABLE {}", self.table(table)))
    }

    /// Changes one live table; only where `allow_rewrite` says so by a way that writes every row anew, or stops writers.
    fn alter(&self, schema: &Schema, table: &Table, change: &Change, allow_rewrite: bool) -> Result<Script, Refusal>;

    /// Builds an index of a live table without stopping writers, where the database can; what an interrupted build left is
    /// replaced, or gone on with.
    fn create_index(&self, schema: &Schema, table: &Table, index: &IndexDefinition) -> Result<Script, Refusal>;

    /// A CHECK as a constraint clause.
    fn check(&self, name: &str, expression: &str) -> String {
        format!("CONSTRAINT {} CHECK ({expression})", self.quote(name))
    }
    /// Whether a constraint can be added without a look at the rows that are there, and the catalog tells until they were.
    fn validates_later(&self) -> bool {
        false
    }
    /// What giving a column another type means on this server.
    fn widening(&self, schema: &Schema, table: &Table, column: &Column, to: &str) -> Widening;
    /// The labels of a column's enum; `None` where nothing keeps its values to any.
    fn enum_labels(&self, schema: &Schema, table: &Table, column: &Column) -> Result<Option<Vec<String>>, Refusal>;
    /// The name of the enum type that a column is of, where types have names (PostgreSQL).
    fn enum_name(&self, column: &Column) -> Option<String> {
        let _ = column;
        None
    }
    /// The text of a column's type with one more label, where the column's own type has them (MySQL).
    fn enum_with(&self, column: &Column, value: &str) -> Option<String> {
        let _ = (column, value);
        None
    }
    /// Functions whose value is the same for all rows of a statement, though it is a call.
    fn steady_functions(&self) -> &'static [&'static str] {
        &[]
    }
    /// Whether a foreign key may refer to these columns.
    fn can_be_referred_to(&self, table: &Table, columns: &[String]) -> bool {
        let same = |key: &&Vec<String>| key.len() == columns.len() && columns.iter().all(|column| key.contains(column));
        table.unique_keys().iter().any(same)
    }

    /// Drops an index of a live table.
    fn drop_index(&self, table: &Table, name: &str) -> Script;

    /// The names of the triggers a sync installs, with the table that each is on.
    fn sync_triggers(&self, sync: &Sync) -> Vec<(String, String)> {
        let named = |(table, part): (&str, String)| (table.to_owned(), self.trigger_name(&sync.name, &part));
        sync.parts().into_iter().map(named).collect()
    }
    /// The name of one trigger of a sync.
    fn trigger_name(&self, sync: &str, part: &str) -> String {
        object_name(&format!("{PREFIX}{sync}_{part}"))
    }
    /// Whether a sync's trigger can fill a column in before its NOT NULL is checked.
    fn fills_in_before_not_null(&self) -> bool {
        true
    }
    /// What the server must allow before a sync can be installed, and be right; in order.
    fn sync_preflight(&self) -> Vec<Preflight> {
        Vec::new()
    }
    /// Whether what a foreign key does to rows fires their triggers.
    fn foreign_keys_fire_triggers(&self) -> bool {
        true
    }
    /// Whether the catalog's word for a column's default may not be what it is.
    fn doubtful_default(&self, column: &Column) -> bool {
        let _ = column;
        false
    }
    /// Whether the server gives a column a number of its own when an INSERT leaves it out.
    fn numbers_itself(&self, column: &Column) -> bool {
        let _ = column;
        false
    }
    /// Whether it does so only after the triggers that come before the row.
    fn numbers_late(&self, column: &Column) -> bool {
        let _ = column;
        false
    }
    /// Whether a row can be made or changed by one key, whatever other keys its table has.
    fn upserts_by_key(&self) -> bool {
        true
    }
    /// What stands behind a query in a trigger, so that it reads what is committed and not what the transaction saw first.
    fn locked_read(&self) -> &'static str {
        ""
    }
    /// The same for a subquery of an expression.
    fn subquery_lock(&self) -> &'static str {
        ""
    }
    /// NULL-safe equality of two values of a column's type: text by its bytes, json by its text.
    fn same(&self, left: &str, right: &str, column: &Column) -> String;
    /// The same of two values of the column itself, where that can be cheaper.
    fn unchanged(&self, old: &str, new: &str, column: &Column) -> String {
        self.same(old, new, column)
    }
    /// An expression's value as a value of a column's type, without truncating it.
    fn coerce(&self, expression: &str, column: &Column) -> String {
        let _ = column;
        format!("({expression})")
    }

    /// Orders the assignments of one UPDATE, so that each reads the row as it was before all of them; or says why that cannot be.
    fn in_order(&self, assignments: Vec<Assignment>) -> Result<Vec<Assignment>, Refusal> {
        Ok(assignments)
    }

    /// An expression's value as the column will keep it, rounded to its scale; for comparing, not for writing.
    fn rounded(&self, value: &str, column: &Column) -> String {
        let _ = column;
        value.to_owned()
    }

    /// Statements for a session that runs batches: while a batch waits for a row, others wait for the rows it has, so it
    /// hardly waits; and each statement of it sees what is committed when it begins.
    fn batch_session(&self) -> Vec<String>;
    /// Whether rows are locked one by one; otherwise whoever writes has the whole database.
    fn locks_rows(&self) -> bool {
        true
    }
    /// A statement that locks the rows of a condition, where a later statement may see more than the one that locked; rows that are
    /// to be deleted also against those who would refer to them.
    fn lock_rows(&self, table: &str, condition: &str, deleted: bool) -> Option<String>;
    /// The deletion of rows that refer to others: by pairs of their columns and what these equal, and a condition over the others,
    /// of which the first is the one to begin at.
    fn delete_referring(&self, table: &str, same: &[(String, String)], others: &[String], condition: &str) -> String {
        let same: Vec<_> = same.iter().map(|(theirs, ours)| format!("{theirs} = {ours} AND ")).collect();
        format!("DELETE FROM {table} USING {} WHERE {}{condition}", others.join(", "), same.concat())
    }
    /// A statement that puts a session in UTC, where a walk by this key needs it: in a zone with summer time two moments have one
    /// name, and one of them would be lost.
    fn utc_for(&self, key: &[Column]) -> Option<&'static str> {
        let _ = key;
        None
    }
    /// What stands behind a query whose rows nobody may change before the transaction ends.
    fn shared_read(&self) -> &'static str {
        ""
    }
    /// What stands behind an INSERT so that a row whose key is there already stays as it is.
    fn keep_existing(&self, into: &str, key: &[String]) -> String {
        let _ = into;
        format!(" ON CONFLICT ({}) DO NOTHING", self.columns(key))
    }
    /// What a table can be walked by, or why it cannot.
    fn walk_by(&self, table: &Table) -> Result<WalkBy, Refusal> {
        table.walk_key().map(|key| WalkBy::Key(key.into_iter().cloned().collect())).ok_or_else(|| {
            Refusal::new(format!(
                "table `{0}` has no primary key and no unique key without NULLs to walk it by; add one first, such as \
                 ALTER TABLE {1} ADD COLUMN id BIGINT NOT NULL AUTO_INCREMENT UNIQUE",
                table.name,
                self.table(&table.name)
            ))
        })
    }
    /// Any column in a SELECT list, in a form that comes back as an integer, a number, a text or bytes.
    fn read_column(&self, table: &str, column: &Column) -> String {
        self.key_column(table, column)
    }
    /// A bound text for TRUE or FALSE.
    fn boolean_text(&self, value: bool) -> &'static str {
        if value { "1" } else { "0" }
    }
    /// Whether a column's values are true and false, and nothing else.
    fn is_boolean(&self, column: &Column) -> bool {
        let _ = column;
        false
    }
    /// Whether a column's values are bytes and no text.
    fn is_binary(&self, column: &Column) -> bool {
        ["BLOB", "BINARY", "BYTEA"].iter().any(|word| column.base_type.to_ascii_uppercase().contains(word))
    }
    /// Whether a column holds, by a bound value that [`read_column`](Self::read_column) gave, the same as it did then.
    fn still(&self, table: &str, column: &Column, position: usize) -> String;
    /// A bound value, in the form of [`read_column`](Self::read_column), as a value for a column.
    fn assigned(&self, position: usize, column: &Column) -> String {
        self.key_parameter(position, column)
    }
    /// A key column in a SELECT list, in a form that comes back as a [`placeholder`](Self::key_parameter) value.
    fn key_column(&self, table: &str, column: &Column) -> String {
        format!("{table}.{}", self.quote(&column.name))
    }
    /// A bound key value compared in the column's own type, so that the index is used.
    fn key_parameter(&self, position: usize, column: &Column) -> String {
        let _ = column;
        self.placeholder(position)
    }
    /// `(a, b) > (?, ?)` in a form that this database's optimizer turns into an index range.
    fn key_comparison(&self, table: &str, key: &[&Column], operator: &str, first: usize) -> String {
        let columns: Vec<_> = key.iter().map(|column| format!("{table}.{}", self.quote(&column.name))).collect();
        let values: Vec<_> =
            key.iter().enumerate().map(|(offset, column)| self.key_parameter(first + offset, column)).collect();
        if key.len() == 1 {
            return format!("{} {operator} {}", columns[0], values[0]);
        }
        format!("({}) {operator} ({})", columns.join(", "), values.join(", "))
    }
    /// Which of a key's values each placeholder of [`Dialect::key_comparison`] takes, in order.
    fn key_binding(&self, key: &[&Column]) -> Vec<usize> {
        (0..key.len()).collect()
    }
    /// A statement by which the planner says how many rows a query would read, about; `None` where it does not say.
    fn explain(&self, query: &str) -> Option<String> {
        let _ = query;
        None
    }
    /// That number, in the first row of its answer.
    fn explained_rows(&self, row: &[Option<String>]) -> Option<u64> {
        let _ = row;
        None
    }
    /// A query with one row, one integer: about how many rows a table has, from statistics, without a scan.
    fn estimate_rows(&self, table: &str) -> String;
}

/// Shortens a name that a server would cut silently; the hash keeps two long names apart.
pub(crate) fn object_name(name: &str) -> String {
    const LONGEST: usize = 60;
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut cut = LONGEST - 9;
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    format!("{}_{:08x}", &name[..cut], hash & 0xffff_ffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_with_a_hash_that_keeps_it_unique() {
        let one = object_name(&format!("{}a", "x".repeat(80)));
        let two = object_name(&format!("{}b", "x".repeat(80)));
        assert!(one.len() <= 60 && one != two);
        assert_eq!(object_name("short"), "short");
    }
}
