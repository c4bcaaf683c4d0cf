//! What a change file may define: types, columns, tables, indexes and foreign keys, in portable words.

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use std::fmt;

use super::{Dialect, Kind, lex};

/// SQL text, the same for every database or one text for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sql {
    /// One text for all.
    Same(String),
    /// A text for each database named.
    Each(Vec<(Kind, String)>),
}

impl Sql {
    /// The text for one database.
    pub fn on(&self, kind: Kind) -> Option<&str> {
        match self {
            Self::Same(text) => Some(text),
            Self::Each(texts) => texts.iter().find(|(of, _)| *of == kind).map(|(_, text)| text.as_str()),
        }
    }
}

impl Serialize for Sql {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Same(text) => serializer.serialize_str(text),
            Self::Each(texts) => serializer.collect_map(texts.iter().map(|(kind, text)| (kind.key(), text))),
        }
    }
}

impl<'de> Deserialize<'de> for Sql {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SqlVisitor;
        impl<'de> Visitor<'de> for SqlVisitor {
            type Value = Sql;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("SQL text, or a map of `postgres`, `mysql`, `sqlite` to SQL text")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Sql, E> {
                Ok(Sql::Same(text.to_owned()))
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Sql, E> {
                Ok(Sql::Same(value.to_string()))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Sql, E> {
                Ok(Sql::Same(value.to_string()))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Sql, E> {
                Ok(Sql::Same(value.to_string()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Sql, A::Error> {
                Ok(Sql::Each(per_database(map)?))
            }
        }
        deserializer.deserialize_any(SqlVisitor)
    }
}

fn per_database<'de, A: MapAccess<'de>>(mut map: A) -> Result<Vec<(Kind, String)>, A::Error> {
    let mut texts = Vec::new();
    while let Some(key) = map.next_key::<String>()? {
        let kind =
            Kind::from_key(&key).ok_or_else(|| A::Error::unknown_field(&key, &["postgres", "mysql", "sqlite"]))?;
        texts.push((kind, map.next_value()?));
    }
    Ok(texts)
}

/// A portable column type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnType {
    /// `boolean`
    Boolean,
    /// `integer`, 32 bits
    Integer,
    /// `bigint`, 64 bits
    Bigint,
    /// `decimal` or `decimal(p, s)`
    Decimal(Option<(u32, u32)>),
    /// `float`, 64 bits
    Float,
    /// `string(n)`, at most n characters
    String(u32),
    /// `text`
    Text,
    /// `timestamp`, without time zone
    Timestamp,
    /// `date`
    Date,
    /// `json`
    Json,
    /// `uuid`
    Uuid,
    /// `binary`
    Binary,
    /// `enum`, with the name of its type where the database has named ones
    Enum {
        /// The labels, in order.
        values: Vec<String>,
        /// The type's name (PostgreSQL); left out: `<table>_<column>`.
        name: Option<String>,
    },
    /// A type in each database's own words.
    Native(Sql),
}

const TYPES: &str = "`boolean`, `integer`, `bigint`, `decimal`, `decimal(p, s)`, `float`, `string(n)`, `text`, \
    `timestamp`, `date`, `json`, `uuid`, `binary`, `{ enum: […] }`, or `{ postgres: …, mysql: …, sqlite: … }`";

impl ColumnType {
    fn parse(text: &str) -> Option<Self> {
        let (word, arguments) = match text.split_once('(') {
            Some((word, rest)) => {
                let numbers: Option<Vec<u32>> = rest
                    .strip_suffix(')')?
                    .split(',')
                    .map(|number| number.trim().parse().ok().filter(|number| *number < 65_536))
                    .collect();
                (word.trim(), numbers?)
            }
            None => (text.trim(), Vec::new()),
        };
        Some(match (word, arguments.as_slice()) {
            ("boolean", []) => Self::Boolean,
            ("integer", []) => Self::Integer,
            ("bigint", []) => Self::Bigint,
            ("decimal", []) => Self::Decimal(None),
            ("decimal", [precision, scale]) => Self::Decimal(Some((*precision, *scale))),
            ("float", []) => Self::Float,
            ("string", [length]) if *length > 0 => Self::String(*length),
            ("text", []) => Self::Text,
            ("timestamp", []) => Self::Timestamp,
            ("date", []) => Self::Date,
            ("json", []) => Self::Json,
            ("uuid", []) => Self::Uuid,
            ("binary", []) => Self::Binary,
            _ => return None,
        })
    }
}

impl<'de> Deserialize<'de> for ColumnType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TypeVisitor;
        impl<'de> Visitor<'de> for TypeVisitor {
            type Value = ColumnType;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a column type: {TYPES}")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<ColumnType, E> {
                ColumnType::parse(text).ok_or_else(|| {
                    // In flow style a comma ends the value.
                    let cut = text.contains('(') && !text.contains(')');
                    let advice = if cut { "; quote a type that has a comma: \"decimal(10, 2)\"" } else { "" };
                    E::custom(format!("unknown column type `{text}`, expected {TYPES}{advice}"))
                })
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ColumnType, A::Error> {
                let mut values: Option<Vec<String>> = None;
                let mut name = None;
                let mut native = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "enum" => values = Some(map.next_value()?),
                        "name" => name = Some(map.next_value()?),
                        other => match Kind::from_key(other) {
                            Some(kind) => native.push((kind, map.next_value()?)),
                            None => {
                                return Err(A::Error::unknown_field(
                                    other,
                                    &["enum", "name", "postgres", "mysql", "sqlite"],
                                ));
                            }
                        },
                    }
                }
                if (values.is_some() || name.is_some()) && !native.is_empty() {
                    return Err(A::Error::custom("expected either `enum`, or a type for each database"));
                }
                match values {
                    Some(values) if values.is_empty() => Err(A::Error::custom("an enum needs at least one value")),
                    Some(values) => Ok(ColumnType::Enum { values, name }),
                    None if !native.is_empty() => Ok(ColumnType::Native(Sql::Each(native))),
                    None => Err(A::Error::custom(format!("expected a column type: {TYPES}"))),
                }
            }
        }
        deserializer.deserialize_any(TypeVisitor)
    }
}

/// A default value.
#[derive(Debug, Clone, PartialEq)]
pub enum Default {
    /// NULL.
    Null,
    /// A boolean.
    Boolean(bool),
    /// An integer.
    Integer(i64),
    /// A number.
    Float(f64),
    /// A string.
    Text(String),
    /// An expression: `{ sql: CURRENT_TIMESTAMP }`.
    Sql(Sql),
}

impl<'de> Deserialize<'de> for Default {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct DefaultVisitor;
        impl<'de> Visitor<'de> for DefaultVisitor {
            type Value = Default;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, or `{ sql: … }`")
            }
            fn visit_unit<E: Error>(self) -> Result<Default, E> {
                Ok(Default::Null)
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Default, E> {
                Ok(Default::Boolean(value))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Default, E> {
                Ok(Default::Integer(value))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Default, E> {
                i64::try_from(value)
                    .map(Default::Integer)
                    .map_err(|error| E::custom(format!("the number does not fit in 64 bits: {error}")))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Default, E> {
                Ok(Default::Float(value))
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<Default, E> {
                Ok(Default::Text(value.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Default, A::Error> {
                match map.next_key::<String>()?.as_deref() {
                    Some("sql") => Ok(Default::Sql(map.next_value()?)),
                    Some(other) => Err(A::Error::unknown_field(other, &["sql"])),
                    None => Err(A::Error::custom("expected a value, or `{ sql: … }`")),
                }
            }
        }
        deserializer.deserialize_any(DefaultVisitor)
    }
}

fn yes() -> bool {
    true
}

/// Tells a key that was written as `null` from one that was left out.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Default>, D::Error> {
    Default::deserialize(deserializer).map(Some)
}

/// A column as a change file defines it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnDefinition {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
    /// Whether it takes NULL; yes, when left out.
    #[serde(default = "yes")]
    pub nullable: bool,
    /// Its default.
    #[serde(default, deserialize_with = "present")]
    pub default: Option<Default>,
    /// Whether the database numbers new rows (an integer primary key).
    #[serde(default)]
    pub identity: bool,
}

impl ColumnDefinition {
    /// Whether a new column would have another value in each row, so that the table would be written anew.
    pub fn differs_by_row(&self, dialect: &dyn Dialect) -> bool {
        let kind = dialect.kind();
        let by_type = match &self.column_type {
            ColumnType::Native(sql) => {
                let text = sql.on(kind).unwrap_or_default().to_ascii_lowercase();
                ["serial", "generated", "stored", "persistent"].iter().any(|word| text.contains(word))
                    && !text.contains("virtual")
            }
            _ => self.identity,
        };
        // Without a call a default is a constant or the time of the statement; a word behind `::` or AS is a type.
        let by_default = match &self.default {
            Some(Default::Sql(sql)) => sql.on(kind).is_some_and(|text| {
                let tokens = lex::significant(text, kind.flavor()).unwrap_or_default();
                (0..tokens.len()).any(|at| {
                    let called = tokens[at].kind == lex::TokenKind::Word
                        && tokens.get(at + 1).is_some_and(|next| next.is_symbol("("));
                    let a_type = at > 0 && (tokens[at - 1].is_symbol("::") || tokens[at - 1].is_word("as"));
                    called && !a_type && !dialect.steady_functions().iter().any(|word| tokens[at].is_word(word))
                })
            }),
            _ => false,
        };
        by_type || by_default
    }
}

/// A table as a change file defines it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableDefinition {
    /// Its name.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<ColumnDefinition>,
    /// The columns of its primary key.
    #[serde(default)]
    pub primary_key: Vec<String>,
    /// Its unique constraints.
    #[serde(default)]
    pub uniques: Vec<UniqueDefinition>,
    /// Its foreign keys.
    #[serde(default)]
    pub foreign_keys: Vec<ForeignKeyDefinition>,
    /// What stands behind the closing parenthesis: a character set, a storage parameter.
    #[serde(default)]
    pub options: Option<Sql>,
}

impl TableDefinition {
    /// Its columns as they are made: those of the primary key are NOT NULL, which SQLite does not see to by itself.
    pub fn columns(&self) -> Vec<ColumnDefinition> {
        let made = |column: &ColumnDefinition| {
            let nullable = column.nullable && !self.primary_key.contains(&column.name);
            ColumnDefinition { nullable, ..column.clone() }
        };
        self.columns.iter().map(made).collect()
    }
}

/// A unique constraint as a change file defines it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UniqueDefinition {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<String>,
}

impl UniqueDefinition {
    /// The index that keeps it.
    pub fn index(&self, table: &str) -> IndexDefinition {
        IndexDefinition {
            table: table.to_owned(),
            name: self.name.clone(),
            columns: self.columns.clone(),
            unique: true,
            allow_rewrite: false,
        }
    }
}

/// An index as a change file defines it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexDefinition {
    /// The table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// Whether it is unique.
    #[serde(default)]
    pub unique: bool,
    /// Whether it may be built by copying the table, where the server knows no other way.
    #[serde(default)]
    pub allow_rewrite: bool,
}

/// What a foreign key does with the referring rows when the row they refer to is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// Deletes them.
    Cascade,
    /// Refuses.
    Restrict,
    /// Sets the columns to NULL.
    SetNull,
}

impl OnDelete {
    /// The words of SQL.
    pub fn words(self) -> &'static str {
        match self {
            Self::Cascade => "CASCADE",
            Self::Restrict => "RESTRICT",
            Self::SetNull => "SET NULL",
        }
    }
}

/// The far side of a foreign key.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct References {
    /// The table referred to.
    pub table: String,
    /// The columns referred to.
    pub columns: Vec<String>,
}

/// A foreign key as a change file defines it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForeignKeyDefinition {
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// The referring columns.
    pub columns: Vec<String>,
    /// What they refer to.
    pub references: References,
    /// What a delete does.
    #[serde(default)]
    pub on_delete: Option<OnDelete>,
}
