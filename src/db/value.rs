//! Values as they travel: five kinds, whatever the database's types; everything else is cast to text in the SQL.

use serde::{Deserialize, Serialize};
use sqlx::error::BoxDynError;
use sqlx::mysql::MySqlRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column, Error, Row as _, TypeInfo, ValueRef};

/// A value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// NULL.
    #[serde(rename = "null")]
    Null,
    /// An integer.
    #[serde(rename = "int")]
    Integer(i64),
    /// A floating-point number.
    #[serde(rename = "real")]
    Real(f64),
    /// Text.
    #[serde(rename = "text")]
    Text(String),
    /// Bytes.
    #[serde(rename = "bytes")]
    Bytes(Vec<u8>),
}

impl Value {
    /// The value for people.
    pub fn shown(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Integer(number) => number.to_string(),
            Self::Real(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}
impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}
impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// A row of a query.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(Vec<Value>);

impl Row {
    /// How many values it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// All of its values.
    pub fn into_values(self) -> Vec<Value> {
        self.0
    }
    /// A value as an integer; `None` for NULL, or where it is none.
    pub fn integer(&self, position: usize) -> Option<i64> {
        match self.0.get(position)? {
            Value::Integer(number) => Some(*number),
            Value::Text(text) => text.parse().ok(),
            _ => None,
        }
    }
    /// A value as text; `None` for NULL.
    pub fn text(&self, position: usize) -> Option<String> {
        match self.0.get(position)? {
            Value::Null => None,
            value => Some(value.shown()),
        }
    }
}

/// The names of a row's columns, each with its value as text.
pub type NamedRow = Vec<(String, Option<String>)>;

/// Reads a row by its columns' names; `T` is what the driver gives a text as.
pub(super) fn named<'r, R, T>(row: &'r R) -> Result<NamedRow, Error>
where
    R: sqlx::Row,
    usize: sqlx::ColumnIndex<R>,
    T: sqlx::Decode<'r, R::Database> + Into<Vec<u8>>,
{
    let mut named = Vec::with_capacity(row.len());
    for (position, column) in row.columns().iter().enumerate() {
        let text: Option<T> = row.try_get_unchecked(position)?;
        let text = text.map(|text| String::from_utf8_lossy(&text.into()).into_owned());
        named.push((column.name().to_owned(), text));
    }
    Ok(named)
}

fn unknown(column: &str, type_name: &str) -> Error {
    let reason: BoxDynError =
        format!("column `{column}` has the type {type_name}, which is not read; cast it to text").into();
    Error::Decode(reason)
}

pub(super) fn from_postgres(row: &PgRow) -> Result<Row, Error> {
    let mut values = Vec::with_capacity(row.len());
    for (position, column) in row.columns().iter().enumerate() {
        let raw = row.try_get_raw(position)?;
        let name = raw.type_info().name().to_owned();
        values.push(if raw.is_null() {
            Value::Null
        } else {
            match name.as_str() {
                "INT8" => Value::Integer(row.try_get(position)?),
                "INT4" => Value::Integer(row.try_get::<i32, _>(position)?.into()),
                "INT2" => Value::Integer(row.try_get::<i16, _>(position)?.into()),
                "BOOL" => Value::Integer(row.try_get::<bool, _>(position)?.into()),
                "FLOAT8" => Value::Real(row.try_get(position)?),
                "BYTEA" => Value::Bytes(row.try_get(position)?),
                "TEXT" | "VARCHAR" | "NAME" | "CHAR" | "UNKNOWN" => Value::Text(row.try_get_unchecked(position)?),
                // A function that returns nothing has done its work.
                "VOID" => Value::Null,
                _ => return Err(unknown(column.name(), &name)),
            }
        });
    }
    Ok(Row(values))
}

pub(super) fn from_mysql(row: &MySqlRow) -> Result<Row, Error> {
    let mut values = Vec::with_capacity(row.len());
    for (position, column) in row.columns().iter().enumerate() {
        let raw = row.try_get_raw(position)?;
        let name = raw.type_info().name().to_owned();
        values.push(if raw.is_null() {
            Value::Null
        } else if name.ends_with("INT UNSIGNED") {
            let number: u64 = row.try_get_unchecked(position)?;
            i64::try_from(number).map_or_else(|_| Value::Text(number.to_string()), Value::Integer)
        } else if name.ends_with("INT") || name == "BOOLEAN" {
            Value::Integer(row.try_get_unchecked(position)?)
        } else if name.ends_with("CHAR") || name.ends_with("TEXT") || name == "ENUM" {
            Value::Text(row.try_get_unchecked(position)?)
        } else if name.ends_with("BLOB") || name.ends_with("BINARY") {
            // Text of the catalogs arrives as bytes on some versions.
            let bytes: Vec<u8> = row.try_get_unchecked(position)?;
            Value::Bytes(bytes)
        } else if name == "DOUBLE" {
            Value::Real(row.try_get_unchecked(position)?)
        } else {
            return Err(unknown(column.name(), &name));
        });
    }
    Ok(Row(values))
}

pub(super) fn from_sqlite(row: &SqliteRow) -> Result<Row, Error> {
    let mut values = Vec::with_capacity(row.len());
    for position in 0..row.len() {
        // By the value's own class: a column may hold several.
        let raw = row.try_get_raw(position)?;
        let class = raw.type_info().name().to_owned();
        values.push(if raw.is_null() {
            Value::Null
        } else {
            match class.as_str() {
                "INTEGER" | "BOOLEAN" => Value::Integer(row.try_get_unchecked(position)?),
                "REAL" => Value::Real(row.try_get_unchecked(position)?),
                "BLOB" => Value::Bytes(row.try_get_unchecked(position)?),
                _ => Value::Text(row.try_get_unchecked(position)?),
            }
        });
    }
    Ok(Row(values))
}
