//! What makes the values of a workload's parameters.

use std::fmt;

use indexmap::IndexMap;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::Parameter;

/// A value as a workload writes it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Scalar {
    /// NULL.
    Null,
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number, as it is written.
    Real(f64),
    /// A text.
    Text(String),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;
        impl Visitor<'_> for ScalarVisitor {
            type Value = Scalar;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number, true, false or null")
            }
            fn visit_unit<E: Error>(self) -> Result<Scalar, E> {
                Ok(Scalar::Null)
            }
            fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Boolean(value))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar::Integer(value))
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
                i64::try_from(value)
                    .map(Scalar::Integer)
                    .map_err(|error| E::custom(format!("{value} is no number of 64 bits: {error}")))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar::Real(value))
            }
            fn visit_str<E: Error>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(value.to_owned()))
            }
        }
        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// A value, or one of several.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice(pub Vec<Scalar>);

impl Choice {
    /// The parameters among them.
    pub fn parameters(&self) -> impl Iterator<Item = Parameter> {
        self.0.iter().filter_map(|scalar| match scalar {
            Scalar::Text(text) => Parameter::parse(text),
            _ => None,
        })
    }
}

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_yaml::Value::deserialize(deserializer)?;
        let read = |value| Scalar::deserialize(value).map_err(D::Error::custom);
        match value {
            serde_yaml::Value::Sequence(values) => values.into_iter().map(read).collect::<Result<_, _>>().map(Choice),
            value => Ok(Choice(vec![read(value)?])),
        }
    }
}

/// What makes a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Generator {
    /// A random UUID.
    Uuid,
    /// The moment.
    Now,
    /// Always the same.
    Value(Scalar),
    /// A whole number.
    Integer(Numbers),
    /// A number with digits behind the point.
    Decimal(Numbers, u32),
    /// True in this share.
    Boolean(f64),
    /// A text of between so many characters.
    Text(u32, u32, Letters),
    /// Hexadecimal digits.
    Hex(u32),
    /// One of several, by weight.
    OneOf(Vec<(Scalar, u32)>),
    /// A number not given before, in a text.
    Serial(i64, Option<String>),
    /// A moment between two, in seconds since the epoch.
    Timestamp(i64, i64),
    /// NULL in this share.
    Maybe(f64, Box<Generator>),
    /// A row that is there.
    Row(RowPick),
}

/// Between which numbers.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// The least.
    pub from: i64,
    /// The most.
    pub to: i64,
    /// 1 is uniform; more prefers small ones.
    #[serde(default = "one")]
    pub skew: f64,
    /// The share that is one of the ends.
    #[serde(default)]
    pub edges: f64,
}

fn one() -> f64 {
    1.0
}

/// What a text is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Letters {
    /// ASCII letters, digits and spaces.
    #[default]
    Letters,
    /// Letters of many scripts, combining marks, emoji.
    Unicode,
    /// What breaks programs.
    Edges,
}

/// Which row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowPick {
    /// Its table.
    pub table: String,
    /// 1 is uniform; more prefers old rows.
    pub skew: f64,
    /// What was last written to these columns of it.
    pub conditions: IndexMap<String, Choice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecimalText {
    from: i64,
    to: i64,
    #[serde(default)]
    digits: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextText {
    length: [u32; 2],
    #[serde(default)]
    of: Letters,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SerialText {
    #[serde(default)]
    from: i64,
    format: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TimestampText {
    from: String,
    to: String,
}

struct MaybeText {
    null: f64,
    of: Generator,
}

impl<'de> Deserialize<'de> for MaybeText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MaybeVisitor;
        impl<'de> Visitor<'de> for MaybeVisitor {
            type Value = MaybeText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("{ null: SHARE, of: … }")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<MaybeText, A::Error> {
                let (mut null, mut of) = (None, None);
                // To YAML the key `null` is no text.
                while let Some(key) = map.next_key::<Scalar>()? {
                    match key {
                        Scalar::Null => null = Some(map.next_value()?),
                        Scalar::Text(key) if key == "null" => null = Some(map.next_value()?),
                        Scalar::Text(key) if key == "of" => of = Some(map.next_value()?),
                        Scalar::Text(key) => return Err(A::Error::unknown_field(&key, &["null", "of"])),
                        key => return Err(A::Error::custom(format!("expected `null` or `of`, and there is {key:?}"))),
                    }
                }
                Ok(MaybeText {
                    null: null.ok_or_else(|| A::Error::missing_field("null"))?,
                    of: of.ok_or_else(|| A::Error::missing_field("of"))?,
                })
            }
        }
        deserializer.deserialize_map(MaybeVisitor)
    }
}

impl<'de> Deserialize<'de> for RowPick {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Full {
            table: String,
            #[serde(default = "one")]
            skew: f64,
            #[serde(default)]
            r#where: IndexMap<String, Choice>,
        }
        struct RowVisitor;
        impl<'de> Visitor<'de> for RowVisitor {
            type Value = RowPick;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table, or { table: …, where: … }")
            }
            fn visit_str<E: Error>(self, table: &str) -> Result<RowPick, E> {
                Ok(RowPick { table: table.to_owned(), skew: 1.0, conditions: IndexMap::new() })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RowPick, A::Error> {
                let full = Full::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                Ok(RowPick { table: full.table, skew: full.skew, conditions: full.r#where })
            }
        }
        deserializer.deserialize_any(RowVisitor)
    }
}

/// Values with their weights, `[[private, 8], [public, 1]]`.
struct Weighted(Vec<(Scalar, u32)>);

impl<'de> Deserialize<'de> for Weighted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WeightedVisitor;
        impl<'de> Visitor<'de> for WeightedVisitor {
            type Value = Weighted;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of values with their weights, [[a, 8], [b, 1]]")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Weighted, A::Error> {
                let mut values = Vec::new();
                while let Some(pair) = list.next_element::<(Scalar, u32)>()? {
                    values.push(pair);
                }
                Ok(Weighted(values))
            }
        }
        deserializer.deserialize_seq(WeightedVisitor)
    }
}

const KINDS: &[&str] = &[
    "uuid",
    "now",
    "value",
    "integer",
    "decimal",
    "boolean",
    "text",
    "hex",
    "one_of",
    "weighted",
    "serial",
    "timestamp",
    "maybe",
    "row",
];

impl<'de> Deserialize<'de> for Generator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct GeneratorVisitor;
        impl<'de> Visitor<'de> for GeneratorVisitor {
            type Value = Generator;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(
                    "what makes a value: `uuid`, `now`, or a mapping of one key, such as { text: { length: [0, 40] } }",
                )
            }
            fn visit_str<E: Error>(self, word: &str) -> Result<Generator, E> {
                match word {
                    "uuid" => Ok(Generator::Uuid),
                    "now" => Ok(Generator::Now),
                    word if KINDS.contains(&word) => {
                        Err(E::custom(format!("`{word}` needs its settings: {{ {word}: … }}")))
                    }
                    word => Err(E::custom(format!(
                        "nothing makes `{word}`; expected one of {}; for a value that is always the same, {{ value: {word} }}",
                        KINDS.join(", ")
                    ))),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Generator, A::Error> {
                let Some(key) = map.next_key::<String>()? else {
                    return Err(A::Error::custom("expected a mapping of one key"));
                };
                let generator = match key.as_str() {
                    "value" => Generator::Value(map.next_value()?),
                    "integer" => Generator::Integer(map.next_value()?),
                    "decimal" => {
                        let DecimalText { from, to, digits } = map.next_value()?;
                        Generator::Decimal(Numbers { from, to, skew: 1.0, edges: 0.0 }, digits)
                    }
                    "boolean" => Generator::Boolean(map.next_value()?),
                    "text" => {
                        let TextText { length: [least, most], of } = map.next_value()?;
                        Generator::Text(least, most, of)
                    }
                    "hex" => Generator::Hex(map.next_value()?),
                    "one_of" => {
                        let values: Vec<Scalar> = map.next_value()?;
                        Generator::OneOf(values.into_iter().map(|value| (value, 1)).collect())
                    }
                    "weighted" => Generator::OneOf(map.next_value::<Weighted>()?.0),
                    "serial" => {
                        let SerialText { from, format } = map.next_value()?;
                        Generator::Serial(from, format)
                    }
                    "timestamp" => {
                        let TimestampText { from, to } = map.next_value()?;
                        Generator::Timestamp(moment(&from)?, moment(&to)?)
                    }
                    "maybe" => {
                        let MaybeText { null, of } = map.next_value()?;
                        Generator::Maybe(null, Box::new(of))
                    }
                    "row" => Generator::Row(map.next_value()?),
                    other => return Err(A::Error::unknown_field(other, KINDS)),
                };
                match map.next_key::<String>()? {
                    Some(more) => {
                        Err(A::Error::custom(format!("expected one key, and there is `{more}` beside `{key}`")))
                    }
                    None => Ok(generator),
                }
            }
        }
        deserializer.deserialize_any(GeneratorVisitor)
    }
}

fn moment<E: Error>(text: &str) -> Result<i64, E> {
    let date = text
        .parse::<jiff::civil::DateTime>()
        .or_else(|_| text.parse::<jiff::civil::Date>().map(|date| date.to_datetime(jiff::civil::Time::midnight())));
    date.ok()
        .and_then(|date| jiff::tz::TimeZone::UTC.to_timestamp(date).ok())
        .map(jiff::Timestamp::as_second)
        .ok_or_else(|| E::custom(format!("`{text}` is no moment; expected 2026-01-31, or 2026-01-31 12:00:00")))
}

impl Generator {
    /// Says what is wrong with its settings.
    pub(super) fn check(&self) -> Result<(), String> {
        let share = |share: f64| {
            if (0.0..=1.0).contains(&share) { Ok(()) } else { Err(format!("{share} is no share; expected 0 to 1")) }
        };
        let skew = |skew: f64| {
            if skew > 0.0 && skew.is_finite() { Ok(()) } else { Err(format!("a skew of {skew}; expected more than 0")) }
        };
        let ordered = |least: i64, most: i64| {
            if least <= most { Ok(()) } else { Err(format!("from {least} to {most} there is nothing")) }
        };
        match self {
            Self::Integer(numbers) => {
                ordered(numbers.from, numbers.to)?;
                share(numbers.edges)?;
                skew(numbers.skew)
            }
            Self::Decimal(numbers, digits) => {
                ordered(numbers.from, numbers.to)?;
                if *digits > 12 { Err("at most 12 digits are made".to_owned()) } else { Ok(()) }
            }
            Self::Boolean(of) => share(*of),
            Self::Text(least, most, _) => ordered((*least).into(), (*most).into()),
            Self::OneOf(values) if values.iter().all(|(_, weight)| *weight == 0) => {
                Err("expected one value at least, with a weight".to_owned())
            }
            Self::Timestamp(from, to) => ordered(*from, *to),
            Self::Maybe(null, of) => {
                share(*null)?;
                if matches!(**of, Self::Row(_)) {
                    return Err("a row is there or the operation is passed over; it cannot be NULL".to_owned());
                }
                of.check()
            }
            Self::Row(row) => skew(row.skew),
            Self::Uuid | Self::Now | Self::Value(_) | Self::Hex(_) | Self::OneOf(_) | Self::Serial(..) => Ok(()),
        }
    }
}
