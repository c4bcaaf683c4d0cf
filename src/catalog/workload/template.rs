//! SQL text with parameters in it, cut at their places.

use std::fmt;

use crate::dialect::lex::{Flavor, Token, TokenKind, tokens};

/// The parameter that is always there.
pub const NOW: &str = "now";

pub(super) fn is_parameter_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// A parameter as SQL names it: `:name`, or `:row.column`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// The column, of a row.
    pub column: Option<String>,
}

impl Parameter {
    /// Reads `:name` or `:row.column`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix(':')?;
        let (name, column) = match text.split_once('.') {
            Some((name, column)) => (name, Some(column)),
            None => (text, None),
        };
        let sound = is_parameter_name(name) && column.is_none_or(is_parameter_name);
        sound.then(|| Self { name: name.to_owned(), column: column.map(str::to_owned) })
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.column {
            Some(column) => write!(f, ":{}.{column}", self.name),
            None => write!(f, ":{}", self.name),
        }
    }
}

/// SQL text, cut at its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

/// A piece of SQL text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Text as it is.
    Text(String),
    /// The place of a value.
    Parameter(Parameter),
}

impl Template {
    /// Cuts a statement at its parameters.
    pub fn read(sql: &str, flavor: Flavor) -> Result<Self, String> {
        let all = tokens(sql, flavor).map_err(|error| format!("the SQL cannot be read: {error}"))?;
        let mut pieces: Vec<Piece> = Vec::new();
        let mut text = String::new();
        let mut at = 0;
        let is_name = |token: Option<&Token<'_>>| {
            token.is_some_and(|token| token.kind == TokenKind::Word && is_parameter_name(token.text))
        };
        while at < all.len() {
            let token = &all[at];
            // SQLite's lexer knows `:name`; to the others it is a colon and a word, and two colons are a cast.
            let (mut named, mut next) = match token.kind {
                TokenKind::Parameter if token.text.starts_with(':') => (Some(token.text[1..].to_owned()), at + 1),
                TokenKind::Symbol
                    if token.text == ":" && is_name(all.get(at + 1)) && !(at > 0 && all[at - 1].is_symbol(":")) =>
                {
                    (Some(all[at + 1].text.to_owned()), at + 2)
                }
                TokenKind::Parameter => {
                    return Err(format!("`{}` is no parameter of a workload; expected `:name`", token.text));
                }
                _ => (None, at + 1),
            };
            let Some(name) = named.take() else {
                text.push_str(token.text);
                at = next;
                continue;
            };
            let mut column = None;
            if all.get(next).is_some_and(|token| token.is_symbol(".")) && is_name(all.get(next + 1)) {
                column = Some(all[next + 1].text.to_owned());
                next += 2;
            }
            pieces.push(Piece::Text(std::mem::take(&mut text)));
            pieces.push(Piece::Parameter(Parameter { name, column }));
            at = next;
        }
        pieces.push(Piece::Text(text));
        Ok(Self(pieces))
    }

    /// Its pieces.
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }

    /// Its parameters, in order.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Parameter(parameter) => Some(parameter),
            Piece::Text(_) => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn parameters_are_found_where_values_stand_and_nowhere_else() {
        for flavor in [Flavor::Postgres, Flavor::MySql, Flavor::Sqlite] {
            let sql = "SELECT ':no' FROM t WHERE a = :a AND b=:row.b -- :no\n";
            let template = Template::read(sql, flavor).unwrap();
            let found: Vec<String> = template.parameters().map(ToString::to_string).collect();
            assert_eq!(found, [":a", ":row.b"], "{flavor:?}");
            assert_eq!(template.pieces().len(), 5);
        }
        let cast = Template::read("SELECT a::text, :b::integer", Flavor::Postgres).unwrap();
        assert_eq!(cast.parameters().map(ToString::to_string).collect::<Vec<_>>(), [":b"]);
        assert!(Template::read("SELECT ?", Flavor::MySql).is_err());
    }
}
