//! The expressions of the property test's syncs: one tree that computes its value here, and that each database is told
//! in its own SQL.
//!
//! The tree has only what means the same everywhere. Two texts are never compared: a collation would have its say.

use std::collections::BTreeMap;

use super::on;
use crate::support::Kind;

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Text(String),
    /// `2020-02-29 12:00:00`, without a zone.
    Timestamp(String),
}

/// A row, by its columns' names.
pub(crate) type Row = BTreeMap<String, Value>;

/// What a column can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Boolean,
    Integer,
    Text,
    /// A text that is one of [`WORDS`]; as a new column, an enum.
    Word,
    Timestamp,
}

/// What a word can be. None is another one in capitals, so that they may be compared with whatever collation.
pub(crate) const WORDS: [&str; 4] = ["private", "public", "shared", "community"];

impl Value {
    /// The value as the database's text protocol shows it.
    pub(crate) fn shown(&self, kind: Kind) -> Option<String> {
        match self {
            Self::Null => None,
            Self::Boolean(value) if kind == Kind::Postgres => Some(if *value { "t" } else { "f" }.to_owned()),
            Self::Boolean(value) => Some(i64::from(*value).to_string()),
            Self::Integer(value) => Some(value.to_string()),
            Self::Text(text) | Self::Timestamp(text) => Some(text.clone()),
        }
    }

    /// The value as a literal.
    pub(crate) fn sql(&self, kind: Kind) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Boolean(value) => if *value { "TRUE" } else { "FALSE" }.to_owned(),
            Self::Integer(value) if *value < 0 => format!("({value})"),
            Self::Integer(value) => value.to_string(),
            Self::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Self::Timestamp(text) => on(kind, "TIMESTAMP '@'", "CAST('@' AS DATETIME)", "'@'").replace('@', text),
        }
    }

    fn boolean(&self) -> Option<bool> {
        if let Self::Boolean(value) = self { Some(*value) } else { None }
    }

    fn integer(&self) -> Option<i64> {
        if let Self::Integer(value) = self { Some(*value) } else { None }
    }

    fn text(&self) -> Option<&str> {
        if let Self::Text(text) | Self::Timestamp(text) = self { Some(text) } else { None }
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

type Boxed = Box<Expression>;

/// An expression; NULL of anything is NULL where nothing else is said.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    Literal(Value),
    Column(String),
    Not(Boxed),
    And(Boxed, Boxed),
    Or(Boxed, Boxed),
    IsNull(Boxed),
    Less(Boxed, i64),
    Equal(Boxed, i64),
    /// A column of words is this word.
    Is(Boxed, &'static str),
    Add(Boxed, i64),
    Times(Boxed, i64),
    /// An integer's quotient, cut towards zero.
    Over(Boxed, i64),
    Join(Boxed, Boxed),
    Upper(Boxed),
    Lower(Boxed),
    Replace(Boxed, &'static str, &'static str),
    /// The first so many characters.
    Start(Boxed, usize),
    /// How many characters.
    Length(Boxed),
    /// An integer in digits.
    Digits(Boxed),
    Year(Boxed),
    /// The instant a year from 1900 to 2100 begins; NULL for others.
    NewYear(Boxed),
    Coalesce(Boxed, Boxed),
    /// When, then, otherwise.
    Case(Boxed, Boxed, Boxed),
    /// A row of the related table points here; with this flag, where one is said.
    Exists(Option<bool>),
    /// In `when`: the flag of the related row.
    RelatedFlag,
}

/// What an expression can see.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) row: &'a Row,
    /// The flags of the related rows that point to the row.
    pub(crate) pointing: &'a [bool],
    /// In `when`: the flag of the related row that was written.
    pub(crate) related_flag: Option<bool>,
    /// Whether upper and lower know more than ASCII: they do on MySQL; on SQLite, and in PostgreSQL's locale C, they do not.
    pub(crate) unicode_case: bool,
}

/// What an expression's SQL must name.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) table: String,
    pub(crate) related: String,
    /// Columns of the related table, each with the column here that it points to.
    pub(crate) key: Vec<(String, String)>,
}

/// Makes the nesting bearable to write.
pub(crate) fn boxed(expression: Expression) -> Boxed {
    Box::new(expression)
}

pub(crate) fn column(name: &str) -> Expression {
    Expression::Column(name.to_owned())
}

pub(crate) fn literal(value: impl Into<Value>) -> Expression {
    Expression::Literal(value.into())
}

impl Expression {
    /// Computes the value.
    pub(crate) fn value(&self, scope: Scope<'_>) -> Value {
        let boolean = |of: &Self| of.value(scope).boolean();
        let integer = |of: &Self, change: &dyn Fn(i64) -> i64| Value::from(of.value(scope).integer().map(change));
        let text = |of: &Self, change: &dyn Fn(&str) -> String| Value::from(of.value(scope).text().map(change));
        match self {
            Self::Literal(value) => value.clone(),
            Self::Column(name) => scope.row[name].clone(),
            Self::Not(of) => boolean(of).map(|value| !value).into(),
            Self::And(left, right) => match (boolean(left), boolean(right)) {
                (Some(false), _) | (_, Some(false)) => false.into(),
                (Some(true), Some(true)) => true.into(),
                _ => Value::Null,
            },
            Self::Or(left, right) => match (boolean(left), boolean(right)) {
                (Some(true), _) | (_, Some(true)) => true.into(),
                (Some(false), Some(false)) => false.into(),
                _ => Value::Null,
            },
            Self::IsNull(of) => (of.value(scope) == Value::Null).into(),
            Self::Less(of, than) => of.value(scope).integer().map(|value| value < *than).into(),
            Self::Equal(of, to) => of.value(scope).integer().map(|value| value == *to).into(),
            Self::Is(of, word) => of.value(scope).text().map(|value| value == *word).into(),
            Self::Add(of, more) => integer(of, &|value| value + more),
            Self::Times(of, times) => integer(of, &|value| value * times),
            Self::Over(of, by) => integer(of, &|value| value / by),
            Self::Join(left, right) => match (left.value(scope).text(), right.value(scope).text()) {
                (Some(left), Some(right)) => format!("{left}{right}").into(),
                _ => Value::Null,
            },
            Self::Upper(of) if scope.unicode_case => text(of, &str::to_uppercase),
            Self::Upper(of) => text(of, &str::to_ascii_uppercase),
            Self::Lower(of) if scope.unicode_case => text(of, &str::to_lowercase),
            Self::Lower(of) => text(of, &str::to_ascii_lowercase),
            Self::Replace(of, from, to) => text(of, &|value| value.replace(from, to)),
            Self::Start(of, count) => text(of, &|value| value.chars().take(*count).collect()),
            Self::Length(of) => {
                of.value(scope).text().map(|value| i64::try_from(value.chars().count()).expect("short")).into()
            }
            Self::Digits(of) => of.value(scope).integer().map(|value| value.to_string()).into(),
            Self::Year(of) => of.value(scope).text().map(|value| value[..4].parse::<i64>().expect("a year")).into(),
            Self::NewYear(of) => match of.value(scope).integer() {
                Some(year @ 1900..=2100) => Value::Timestamp(format!("{year}-01-01 00:00:00")),
                _ => Value::Null,
            },
            Self::Coalesce(first, second) => match first.value(scope) {
                Value::Null => second.value(scope),
                value => value,
            },
            Self::Case(when, then, otherwise) => {
                if boolean(when) == Some(true) {
                    then.value(scope)
                } else {
                    otherwise.value(scope)
                }
            }
            Self::Exists(flag) => scope.pointing.iter().any(|found| flag.is_none_or(|flag| *found == flag)).into(),
            Self::RelatedFlag => scope.related_flag.into(),
        }
    }

    /// Writes it as one database's SQL.
    pub(crate) fn sql(&self, kind: Kind, names: &Names) -> String {
        let sql = |of: &Self| of.sql(kind, names);
        // A collation that takes two texts for the same cannot search in them, and two columns with one each leave it open
        // whose letters upper knows (both PostgreSQL).
        let plain = |of: &Self| on(kind, "(@) COLLATE \"C\"", "@", "@").replace('@', &sql(of));
        match self {
            Self::Literal(value) => value.sql(kind),
            Self::Column(name) => name.clone(),
            Self::Not(of) => format!("(NOT {})", sql(of)),
            Self::And(left, right) => format!("({} AND {})", sql(left), sql(right)),
            Self::Or(left, right) => format!("({} OR {})", sql(left), sql(right)),
            Self::IsNull(of) => format!("({} IS NULL)", sql(of)),
            Self::Less(of, than) => format!("({} < {than})", sql(of)),
            Self::Equal(of, to) => format!("({} = {to})", sql(of)),
            Self::Is(of, word) => format!("({} = '{word}')", sql(of)),
            Self::Add(of, more) => format!("({} + {more})", sql(of)),
            Self::Times(of, times) => format!("({} * {times})", sql(of)),
            Self::Over(of, by) => format!("({} {} {by})", sql(of), on(kind, "/", "DIV", "/")),
            Self::Join(left, right) if kind == Kind::MySql => format!("CONCAT({}, {})", sql(left), sql(right)),
            Self::Join(left, right) => format!("({} || {})", sql(left), sql(right)),
            Self::Upper(of) => format!("upper({})", plain(of)),
            Self::Lower(of) => format!("lower({})", plain(of)),
            Self::Replace(of, from, to) => format!("replace({}, '{from}', '{to}')", plain(of)),
            Self::Start(of, count) => format!("substr({}, 1, {count})", sql(of)),
            Self::Length(of) => format!("{}({})", on(kind, "char_length", "char_length", "length"), sql(of)),
            Self::Digits(of) => format!("CAST({} AS {})", sql(of), on(kind, "text", "CHAR", "TEXT")),
            Self::Year(of) => {
                on(kind, "CAST(EXTRACT(year FROM @) AS integer)", "YEAR(@)", "CAST(strftime('%Y', @) AS INTEGER)")
                    .replace('@', &sql(of))
            }
            Self::NewYear(of) => on(
                kind,
                "(CASE WHEN @ >= 1900 AND @ <= 2100 THEN make_timestamp(@, 1, 1, 0, 0, 0) END)",
                "(CASE WHEN @ >= 1900 AND @ <= 2100 THEN CAST(CONCAT(@, '-01-01 00:00:00') AS DATETIME) END)",
                "(CASE WHEN @ >= 1900 AND @ <= 2100 THEN @ || '-01-01 00:00:00' END)",
            )
            .replace('@', &sql(of)),
            Self::Coalesce(first, second) => format!("coalesce({}, {})", sql(first), sql(second)),
            Self::Case(when, then, otherwise) => {
                format!("CASE WHEN {} THEN {} ELSE {} END", sql(when), sql(then), sql(otherwise))
            }
            Self::Exists(flag) => {
                let key = names.key.iter().map(|(there, here)| format!("m.{there} = {}.{here}", names.table));
                let flag = flag.map(|flag| if flag { "m.flag" } else { "NOT m.flag" }.to_owned());
                let tests: Vec<_> = key.chain(flag).collect();
                format!("EXISTS (SELECT 1 FROM {} m WHERE {})", names.related, tests.join(" AND "))
            }
            Self::RelatedFlag => "related.flag".to_owned(),
        }
    }

    /// Whether any part of it is such a one.
    pub(crate) fn any(&self, test: &dyn Fn(&Self) -> bool) -> bool {
        test(self)
            || match self {
                Self::Literal(_) | Self::Column(_) | Self::Exists(_) | Self::RelatedFlag => false,
                Self::And(left, right)
                | Self::Or(left, right)
                | Self::Join(left, right)
                | Self::Coalesce(left, right) => left.any(test) || right.any(test),
                Self::Case(when, then, otherwise) => when.any(test) || then.any(test) || otherwise.any(test),
                Self::Not(of)
                | Self::IsNull(of)
                | Self::Less(of, _)
                | Self::Equal(of, _)
                | Self::Is(of, _)
                | Self::Add(of, _)
                | Self::Times(of, _)
                | Self::Over(of, _)
                | Self::Upper(of)
                | Self::Lower(of)
                | Self::Replace(of, ..)
                | Self::Start(of, _)
                | Self::Length(of)
                | Self::Digits(of)
                | Self::Year(of)
                | Self::NewYear(of) => of.any(test),
            }
    }
}
