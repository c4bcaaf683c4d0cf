//! The name of a type, read far enough to tell whether another type holds all that it does.

use super::lex::{self, Flavor};

/// What it means to give a column another type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Widening {
    /// It has that type already.
    Same,
    /// The catalog changes, and no row is looked at.
    Free,
    /// Rows are written anew or looked at under a lock; why, as a fragment that follows "because".
    Rewrite(String),
    /// The server refuses it; why, and what to do.
    Refused(String),
    /// The new type does not hold all that the old one does, or nobody knows.
    NotWider,
}

/// A type's name, in one spelling for all databases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeName {
    /// The name without its arguments: `varchar`, `decimal`, `integer`.
    pub base: String,
    /// What is in its parentheses.
    pub arguments: Vec<u32>,
}

impl TypeName {
    /// Reads a name such as `character varying(40)` or `int(11) unsigned`.
    pub fn parse(text: &str) -> Self {
        let tokens = lex::significant(text, Flavor::Sqlite).unwrap_or_default();
        let (mut words, mut arguments, mut depth) = (Vec::new(), Vec::new(), 0_u32);
        for token in tokens {
            match token.text {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                "," => {}
                text if depth > 0 => arguments.extend(text.parse::<u32>()),
                text => words.push(text.to_ascii_lowercase()),
            }
        }
        let words = words.join(" ");
        let base = match words.as_str() {
            "character varying" | "nvarchar" => "varchar",
            "character" | "bpchar" => "char",
            "int" | "int4" => "integer",
            "int8" => "bigint",
            "int2" => "smallint",
            "numeric" => "decimal",
            "double precision" | "float" | "float8" => "double",
            "float4" => "real",
            other => other,
        };
        // What is behind an integer is how wide it is shown.
        if base.contains("int") {
            arguments.clear();
        }
        Self { base: base.to_owned(), arguments }
    }

    /// Whether every value of this type is a value of the other.
    pub fn fits_in(&self, other: &Self) -> bool {
        const INTEGERS: [&str; 5] = ["tinyint", "smallint", "mediumint", "integer", "bigint"];
        const TEXTS: [&str; 4] = ["tinytext", "text", "mediumtext", "longtext"];
        let within = |ranks: &[&str]| {
            let rank = |name: &str| ranks.iter().position(|rank| *rank == name);
            rank(&self.base).zip(rank(&other.base)).is_some_and(|(from, to)| from <= to)
        };
        let first = |of: &Self| of.arguments.first().copied();
        match (self.base.as_str(), other.base.as_str()) {
            ("varchar", "varchar") => match (first(self), first(other)) {
                (Some(from), Some(to)) => from <= to,
                (_, to) => to.is_none(),
            },
            // A `text` of MySQL holds 65535 bytes, which is what a row holds as well.
            ("varchar", "text" | "mediumtext" | "longtext") => true,
            ("decimal", "decimal") => match (self.arguments.as_slice(), other.arguments.as_slice()) {
                (_, []) => true,
                ([precision, scale], [wide, fine]) => {
                    fine >= scale && wide.checked_sub(*fine) >= precision.checked_sub(*scale)
                }
                _ => false,
            },
            ("real", "double") => true,
            _ => self == other || within(&INTEGERS) || within(&TEXTS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_fits_in_a_wider_one_alone() {
        let fits = |from: &str, to: &str| TypeName::parse(from).fits_in(&TypeName::parse(to));
        for (from, to) in [
            ("character varying(40)", "varchar(41)"),
            ("varchar(40)", "text"),
            ("character varying(40)", "varchar"),
            ("numeric(8,2)", "numeric(10, 2)"),
            ("decimal(8,2)", "decimal(9, 3)"),
            ("numeric(8,2)", "numeric"),
            ("int(11)", "bigint"),
            ("smallint", "integer"),
            ("real", "double precision"),
        ] {
            assert!(fits(from, to), "{from} in {to}");
            assert!(!fits(to, from), "{to} in {from}");
        }
        for (from, to) in [
            ("int(11) unsigned", "bigint"),
            ("numeric(8,2)", "numeric(9, 4)"),
            ("text", "json"),
            ("char(36)", "uuid"),
            ("timestamp", "timestamp with time zone"),
        ] {
            assert!(!fits(from, to), "{from} in {to}");
        }
        assert!(fits("int(11)", "int"));
    }
}
