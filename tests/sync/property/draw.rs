//! Choices drawn from a list of bytes that the property test's random source made, and its shrinking makes smaller: 0, and
//! no byte at all, is the simplest choice.

use super::super::expression::{Expression, Type, Value, WORDS, boxed, column, literal};

/// What columns and keys of text hold: what differs in case alone, in trailing spaces alone, and what is not ASCII.
const TEXTS: [&str; 17] =
    ["a", "b", "A", "a ", "", "B", "B ", "ab", "Ab c", "x  y", "é", "É", "日本", "🎸", "o'k", "0", " %_"];
const KEYS: [&str; 14] = ["a", "b", "c", "d", "e", "f", "g", "A", "a ", "B", "h", "i", "C ", "j"];
const TIMESTAMPS: [&str; 6] = [
    "2020-01-01 00:00:00",
    "2020-06-15 12:30:45",
    "1999-12-31 23:59:59",
    "2024-02-29 00:00:00",
    "1970-01-01 00:00:01",
    "2020-12-31 23:59:59",
];

/// The bytes that are left.
#[derive(Clone, Debug)]
pub(super) struct Draw<'a> {
    bytes: &'a [u8],
}

impl<'a> Draw<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// A number below `count`.
    pub(super) fn below(&mut self, count: usize) -> usize {
        let (byte, rest) = self.bytes.split_first().unwrap_or((&0, &[]));
        self.bytes = rest;
        usize::from(*byte) % count.max(1)
    }

    /// True with a chance of one in `of`, and never when nothing is left.
    pub(super) fn once_in(&mut self, of: usize) -> bool {
        self.below(of) == of - 1
    }

    pub(super) fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }

    /// A value for a column of a type, NULL now and then.
    pub(super) fn value_or_null(&mut self, kind: Type) -> Value {
        let value = self.value(kind);
        if self.once_in(9) { Value::Null } else { value }
    }

    pub(super) fn value(&mut self, kind: Type) -> Value {
        match kind {
            Type::Boolean => (self.below(2) == 1).into(),
            // The last ones are years.
            Type::Integer => match i64::try_from(self.below(32)).expect("small") {
                small @ 0..24 => (small - 3).into(),
                year => (year + 1990).into(),
            },
            Type::Text => (*self.pick(&TEXTS)).into(),
            Type::Word => (*self.pick(&WORDS)).into(),
            Type::Timestamp => Value::Timestamp((*self.pick(&TIMESTAMPS)).to_owned()),
        }
    }

    /// A value for a column of a key.
    pub(super) fn key(&mut self, kind: Type) -> Value {
        match kind {
            Type::Integer => i64::try_from(self.below(50)).expect("small").into(),
            _ => (*self.pick(&KEYS)).into(),
        }
    }

    /// An expression of a type over these columns.
    pub(super) fn expression(&mut self, kind: Type, columns: &[(String, Type)], depth: usize) -> Expression {
        let having = |wanted: Type| -> Vec<&str> {
            columns.iter().filter(|(_, found)| *found == wanted).map(|(name, _)| name.as_str()).collect()
        };
        let choice = if depth == 0 { 0 } else { self.below(9) };
        let mut part = |kind: Type| boxed(self.expression(kind, columns, depth.saturating_sub(1)));
        match (kind, choice) {
            (_, 7) => {
                let (when, then) = (part(Type::Boolean), part(kind));
                Expression::Case(when, then, part(kind))
            }
            (_, 6) => {
                let first = part(kind);
                Expression::Coalesce(first, boxed(Expression::Literal(self.value(kind))))
            }
            (Type::Boolean, 1) => Expression::Not(part(Type::Boolean)),
            (Type::Boolean, 2) => Expression::Less(part(Type::Integer), 5),
            (Type::Boolean, 3) => Expression::IsNull(part(Type::Text)),
            (Type::Boolean, 4) => {
                let left = part(Type::Boolean);
                Expression::Or(left, part(Type::Boolean))
            }
            (Type::Boolean, 5) => {
                let left = part(Type::Boolean);
                Expression::And(left, part(Type::Boolean))
            }
            (Type::Boolean, 8) => Expression::Equal(part(Type::Integer), 0),
            (Type::Integer, 1) => Expression::Add(part(Type::Integer), 1),
            (Type::Integer, 2) => Expression::Over(part(Type::Integer), 10),
            (Type::Integer, 3) => Expression::Length(part(Type::Text)),
            (Type::Integer, 4) => Expression::Year(part(Type::Timestamp)),
            (Type::Integer, 5) => Expression::Times(part(Type::Integer), 10),
            (Type::Text, 1) => Expression::Upper(part(Type::Text)),
            (Type::Text, 2) => Expression::Lower(part(Type::Text)),
            (Type::Text, 3) => Expression::Replace(part(Type::Text), " ", ""),
            (Type::Text, 4) => {
                let left = part(Type::Text);
                Expression::Join(left, part(Type::Text))
            }
            (Type::Text, 5) => Expression::Start(part(Type::Text), 2),
            (Type::Text, 8) => Expression::Digits(part(Type::Integer)),
            (Type::Timestamp, 1..=3) => Expression::NewYear(part(Type::Integer)),
            _ => {
                let found = having(kind);
                if found.is_empty() { literal(self.value(kind)) } else { column(found[self.below(found.len())]) }
            }
        }
    }
}
