//! Makes the values of parameters.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use indexmap::IndexMap;

use super::ledger::Ledger;
use crate::catalog::{Choice, Generator, Letters, NOW, Numbers, Parameter, Scalar};
use crate::dialect::Literal;

/// Numbers that are given once, by operation and parameter; shared by all nodes.
#[derive(Debug, Default)]
pub(super) struct Serials(Mutex<HashMap<String, i64>>);

impl Serials {
    fn next(&self, name: &str, from: i64) -> i64 {
        let mut serials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = serials.entry(name.to_owned()).or_insert(from);
        let number = *next;
        *next += 1;
        number
    }
}

/// A parameter's value.
#[derive(Debug, Clone)]
enum Made {
    Value(Literal),
    Row(IndexMap<String, Literal>),
}

/// The values of an operation's parameters, made for one time that it is done.
#[derive(Debug)]
pub(super) struct Values(HashMap<String, Made>);

impl Values {
    /// Makes them; `None` where there is no row to do it with.
    pub(super) fn make(
        with: &[(String, Generator)],
        rng: &mut fastrand::Rng,
        serials: &Serials,
        ledger: &Ledger,
    ) -> Option<Self> {
        let mut values = HashMap::new();
        for (name, generator) in with {
            let made = match generator {
                Generator::Row(row) => Made::Row(ledger.pick(row, rng)?),
                generator => Made::Value(value(generator, rng, serials)),
            };
            values.insert(name.clone(), made);
        }
        values.insert(NOW.to_owned(), Made::Value(Literal::Text(now())));
        Some(Self(values))
    }

    /// The value that stands for a parameter.
    pub(super) fn of(&self, parameter: &Parameter) -> Literal {
        match (self.0.get(&parameter.name), &parameter.column) {
            (Some(Made::Value(value)), None) => value.clone(),
            (Some(Made::Row(row)), Some(column)) => row.get(column).cloned().unwrap_or(Literal::Null),
            // The catalog has refused what would come here.
            _ => Literal::Null,
        }
    }

    /// Whether a text is what a choice allows.
    pub(super) fn allows(&self, choice: &Choice, text: Option<&str>) -> bool {
        choice.0.iter().any(|scalar| match scalar {
            Scalar::Text(word) if Parameter::parse(word).is_some() => {
                Parameter::parse(word).is_some_and(|parameter| is(&self.of(&parameter), text))
            }
            scalar => is(&literal(scalar), text),
        })
    }
}

/// Whether a value that the database gives as text is this one.
pub(super) fn is(value: &Literal, text: Option<&str>) -> bool {
    match (value, text) {
        (Literal::Null, text) => text.is_none(),
        (_, None) => false,
        (Literal::Boolean(value), Some(text)) => {
            if *value {
                matches!(text, "t" | "true" | "1")
            } else {
                matches!(text, "f" | "false" | "0")
            }
        }
        (Literal::Number(number), Some(text)) => {
            number == text
                || matches!((number.parse::<f64>(), text.parse::<f64>()), (Ok(a), Ok(b)) if a.total_cmp(&b).is_eq())
        }
        (Literal::Text(value), Some(text)) => value == text,
    }
}

/// A value as a workload writes it.
pub(super) fn literal(scalar: &Scalar) -> Literal {
    match scalar {
        Scalar::Null => Literal::Null,
        Scalar::Boolean(value) => Literal::Boolean(*value),
        Scalar::Integer(number) => Literal::Number(number.to_string()),
        Scalar::Real(number) => Literal::Number(number.to_string()),
        Scalar::Text(text) => Literal::Text(text.clone()),
    }
}

fn now() -> String {
    moment(jiff::Timestamp::now().as_second())
}

fn moment(seconds: i64) -> String {
    let timestamp = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    timestamp.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

fn value(generator: &Generator, rng: &mut fastrand::Rng, serials: &Serials) -> Literal {
    match generator {
        Generator::Uuid => Literal::Text(uuid(rng)),
        Generator::Now => Literal::Text(now()),
        Generator::Value(scalar) => literal(scalar),
        Generator::Integer(numbers) => Literal::Number(integer(*numbers, rng).to_string()),
        Generator::Decimal(numbers, digits) => {
            let whole = integer(*numbers, rng);
            let most = 10_u64.pow(*digits);
            // The upper end has no digits behind it.
            let part = if *digits == 0 || whole == numbers.to { 0 } else { rng.u64(..most) };
            let point = if *digits == 0 { String::new() } else { format!(".{part:0width$}", width = *digits as usize) };
            Literal::Number(format!("{whole}{point}"))
        }
        Generator::Boolean(share) => Literal::Boolean(rng.f64() < *share),
        Generator::Text(least, most, of) => Literal::Text(text(*least, *most, *of, rng)),
        Generator::Hex(digits) => {
            Literal::Text((0..*digits).map(|_| char::from_digit(rng.u32(..16), 16).unwrap_or('0')).collect())
        }
        Generator::OneOf(values) => {
            let total: u32 = values.iter().map(|(_, weight)| weight).sum();
            let mut at = rng.u32(..total.max(1));
            let chosen = values.iter().find(|(_, weight)| {
                let here = at < *weight;
                at = at.saturating_sub(*weight);
                here
            });
            chosen.map_or(Literal::Null, |(scalar, _)| literal(scalar))
        }
        Generator::Serial(from, format) => {
            let name = format.clone().unwrap_or_default();
            let number = serials.next(&format!("{from} {name}"), *from);
            match format {
                Some(format) => Literal::Text(format.replacen("{}", &number.to_string(), 1)),
                None => Literal::Number(number.to_string()),
            }
        }
        Generator::Timestamp(from, to) => Literal::Text(moment(rng.i64(*from..=*to))),
        Generator::Maybe(null, of) => {
            if rng.f64() < *null {
                Literal::Null
            } else {
                value(of, rng, serials)
            }
        }
        // Rows are picked where there is a ledger.
        Generator::Row(_) => Literal::Null,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a random number between two others")]
fn integer(numbers: Numbers, rng: &mut fastrand::Rng) -> i64 {
    let Numbers { from, to, skew, edges } = numbers;
    if rng.f64() < edges {
        return if rng.bool() { from } else { to };
    }
    if (skew - 1.0).abs() < f64::EPSILON {
        return rng.i64(from..=to);
    }
    let span = to.saturating_sub(from) as f64;
    from.saturating_add(((span + 1.0) * rng.f64().powf(skew)).min(span) as i64)
}

fn uuid(rng: &mut fastrand::Rng) -> String {
    let bits = rng.u128(..) & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let digits = format!("{bits:032x}");
    format!("{}-{}-{}-{}-{}", &digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..])
}

/// Characters of many scripts; combining marks come behind what they mark, and some are of four bytes.
const UNICODE: &[&str] = &[
    "a",
    "Z",
    "0",
    " ",
    "é",
    "ß",
    "Ø",
    "ž",
    "α",
    "Ω",
    "ж",
    "Ы",
    "ا",
    "ש",
    "अ",
    "ท",
    "한",
    "日",
    "本",
    "語",
    "中",
    "…",
    "€",
    "—",
    "e\u{301}",
    "n\u{303}",
    "😀",
    "🚀",
    "👩\u{200d}🚀",
    "🇪🇺",
    "𝔘",
    "𠮷",
    "ﬁ",
    "İ",
];

/// What breaks programs.
const EDGES: &[&str] = &[
    "",
    " ",
    "'",
    "''",
    "\"",
    "`",
    "\\",
    "\\'",
    "%",
    "_",
    "%s",
    "?",
    ":a",
    "$1",
    "--",
    "/* */",
    ";",
    "NULL",
    "null",
    "0",
    "-1",
    "1e308",
    "true",
    "\n",
    "\r\n",
    "\t",
    " leading",
    "trailing ",
    "Robert'); DROP TABLE students;--",
    "<script>",
    "&amp;",
    "{}",
    "[]",
    "\u{feff}bom",
    "\u{202e}right to left",
    "zero\u{200b}width",
    "Ä",
    "A\u{308}",
    "\u{1f4a9}",
    "İi",
    "ſs",
    "é",
    "e\u{301}",
];

fn text(least: u32, most: u32, of: Letters, rng: &mut fastrand::Rng) -> String {
    let length = rng.u32(least..=most) as usize;
    let mut made = String::new();
    match of {
        Letters::Letters => {
            made.extend((0..length).map(|_| if rng.u8(..8) == 0 { ' ' } else { rng.alphanumeric() }));
        }
        Letters::Unicode => {
            while made.chars().count() < length {
                made.push_str(rng.choice(UNICODE).unwrap_or(&"a"));
            }
        }
        Letters::Edges => {
            made.push_str(rng.choice(EDGES).unwrap_or(&""));
            while made.chars().count() < least as usize {
                made.push(rng.alphanumeric());
            }
            return made.chars().take(most as usize).collect();
        }
    }
    made.chars().take(length).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_what_its_settings_say() {
        let (mut rng, serials) = (fastrand::Rng::with_seed(1), Serials::default());
        let numbers = Numbers { from: -3, to: 5, skew: 2.0, edges: 0.1 };
        for _ in 0..2_000 {
            assert!((-3..=5).contains(&integer(numbers, &mut rng)));
            for letters in [Letters::Letters, Letters::Unicode, Letters::Edges] {
                let made = text(2, 7, letters, &mut rng);
                assert!((2..=7).contains(&made.chars().count()), "{made:?}");
            }
            let Literal::Number(number) =
                value(&Generator::Decimal(Numbers { edges: 0.0, skew: 1.0, ..numbers }, 2), &mut rng, &serials)
            else {
                panic!("a number")
            };
            assert!((-3.99..=5.0).contains(&number.parse::<f64>().unwrap()), "{number}");
        }
        let made = uuid(&mut rng);
        assert_eq!((made.len(), &made[14..15]), (36, "4"), "{made}");
        let serial = Generator::Serial(7, Some("n{}".to_owned()));
        let made: Vec<Literal> = (0..2).map(|_| value(&serial, &mut rng, &serials)).collect();
        assert_eq!(made, [Literal::Text("n7".to_owned()), Literal::Text("n8".to_owned())]);
        let one = Generator::OneOf(vec![(Scalar::Integer(1), 0), (Scalar::Integer(2), 3)]);
        assert!((0..50).all(|_| value(&one, &mut rng, &serials) == Literal::Number("2".to_owned())));
    }

    #[test]
    fn what_a_database_gives_as_text_is_compared_by_its_meaning() {
        for (value, text) in [
            (Literal::Boolean(true), Some("t")),
            (Literal::Boolean(false), Some("0")),
            (Literal::Number("1.50".to_owned()), Some("1.5")),
            (Literal::Null, None),
            (Literal::Text("a".to_owned()), Some("a")),
        ] {
            assert!(is(&value, text), "{value:?} {text:?}");
        }
        assert!(!is(&Literal::Text("a".to_owned()), Some("A")) && !is(&Literal::Boolean(true), None));
    }
}
