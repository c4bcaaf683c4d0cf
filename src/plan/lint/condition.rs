//! What can be told of an expression of a change file by its words.

use super::known::same;
use crate::dialect::lex::{Flavor, Token, TokenKind, significant};

/// Whether an expression names a column, or something else of its name.
pub(super) fn mentions(text: &str, flavor: Flavor, column: &str) -> bool {
    let tokens = significant(text, flavor).unwrap_or_default();
    tokens.iter().filter_map(Token::identifier).any(|name| same(&name, column))
}

/// Functions whose result depends on what they are given, and on nothing else.
const PLAIN: &[&str] = &[
    "lower",
    "upper",
    "trim",
    "ltrim",
    "rtrim",
    "btrim",
    "length",
    "char_length",
    "octet_length",
    "coalesce",
    "nullif",
    "ifnull",
    "isnull",
    "abs",
    "round",
    "floor",
    "ceil",
    "ceiling",
    "mod",
    "substr",
    "substring",
    "left",
    "right",
    "replace",
    "concat",
    "instr",
    "position",
    "strpos",
    "locate",
    "cast",
    "convert",
    "in",
    "and",
    "or",
    "not",
    "exists",
    "count",
    "sum",
    "min",
    "max",
    "avg",
    "greatest",
    "least",
    "date",
    "hex",
    "md5",
    "select",
    "where",
    "when",
    "then",
    "else",
    "case",
    "between",
    "like",
    "any",
    "all",
    "values",
    "is",
    "json_extract",
    "extract",
    "if",
    "iif",
    "on",
    "from",
    "as",
    "union",
    "binary",
    "typeof",
    "glob",
    "split_part",
    "substring_index",
    "json_valid",
    "regexp_replace",
];

/// Whether it calls a function that may look at anything.
pub(super) fn calls_unknown(text: &str, flavor: Flavor) -> bool {
    let tokens = significant(text, flavor).unwrap_or_default();
    tokens.windows(2).any(|pair| {
        let called = matches!(pair[0].kind, TokenKind::Word | TokenKind::QuotedIdentifier) && pair[1].is_symbol("(");
        called && !PLAIN.iter().any(|name| pair[0].is_word(name))
    })
}

/// Whether a condition holds only where one of these columns is NULL: each of its alternatives asks for that.
pub(super) fn asks_for_null(text: &str, flavor: Flavor, columns: &[&str]) -> bool {
    let tokens = significant(text, flavor).unwrap_or_default();
    implies_null(&tokens, columns)
}

fn implies_null(tokens: &[Token<'_>], columns: &[&str]) -> bool {
    let tokens = unwrapped(tokens);
    let alternatives = split(tokens, "or");
    if alternatives.len() > 1 {
        return alternatives.iter().all(|part| implies_null(part, columns));
    }
    let parts = split(tokens, "and");
    if parts.len() > 1 {
        return parts.iter().any(|part| implies_null(part, columns));
    }
    let subject = match tokens {
        [subject @ .., is, null] if is.is_word("is") && null.is_word("null") => subject,
        [subject @ .., isnull] if isnull.is_word("isnull") => subject,
        _ => return false,
    };
    let column = match unwrapped(subject) {
        [column] => column,
        [_, dot, column] if dot.is_symbol(".") => column,
        _ => return false,
    };
    column.identifier().is_some_and(|name| columns.iter().any(|column| same(column, &name)))
}

/// Without the parentheses around the whole.
fn unwrapped<'t, 's>(mut tokens: &'t [Token<'s>]) -> &'t [Token<'s>] {
    while let [open, inner @ .., close] = tokens {
        let mut depth = 1_i32;
        let balanced = inner.iter().all(|token| {
            depth += depth_of(token);
            depth > 0
        });
        if !(open.is_symbol("(") && close.is_symbol(")") && balanced) {
            break;
        }
        tokens = inner;
    }
    tokens
}

fn depth_of(token: &Token<'_>) -> i32 {
    i32::from(token.is_symbol("(")) - i32::from(token.is_symbol(")"))
}

/// The parts between the words of this kind that nothing encloses.
fn split<'t, 's>(tokens: &'t [Token<'s>], word: &str) -> Vec<&'t [Token<'s>]> {
    let mut depth = 0_i32;
    tokens
        .split(|token| {
            depth += depth_of(token) + i32::from(token.is_word("case")) - i32::from(token.is_word("end"));
            depth == 0 && token.is_word(word)
        })
        .collect()
}

/// Whether an expression is a CASE whose last word is no ELSE: it gives NULL where nothing fits.
pub(super) fn is_open_case(text: &str, flavor: Flavor) -> bool {
    let tokens = significant(text, flavor).unwrap_or_default();
    let tokens = unwrapped(&tokens);
    let [first, inner @ .., last] = tokens else { return false };
    if !first.is_word("case") || !last.is_word("end") {
        return false;
    }
    let mut depth = 0_i32;
    let mut has_else = false;
    for token in inner {
        depth += depth_of(token) + i32::from(token.is_word("case")) - i32::from(token.is_word("end"));
        if depth < 0 {
            return false;
        }
        has_else |= depth == 0 && token.is_word("else");
    }
    !has_else
}

/// Whether two expressions are the same text, but for layout and the case of words.
pub(super) fn is_same(one: &str, other: &str, flavor: Flavor) -> bool {
    let words = |text: &str| -> Vec<String> {
        let tokens = significant(text, flavor).unwrap_or_default();
        let tokens = unwrapped(&tokens);
        tokens
            .iter()
            .map(|token| match token.kind {
                TokenKind::Word => token.text.to_lowercase(),
                _ => token.text.to_owned(),
            })
            .collect()
    };
    words(one) == words(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_asks_for_null_in_each_of_its_alternatives() {
        let asks = |text| asks_for_null(text, Flavor::Postgres, &["v", "w"]);
        for text in ["v IS NULL", "(v is null)", "t.v IS NULL AND (a OR b)", "v IS NULL OR w IS NULL", "\"v\" ISNULL"] {
            assert!(asks(text), "{text}");
        }
        for text in ["true", "v IS NOT NULL", "v IS NULL OR a", "NOT v IS NULL", "CASE WHEN v IS NULL AND a THEN b END"]
        {
            assert!(!asks(text), "{text}");
        }
    }

    #[test]
    fn a_case_without_else_is_open() {
        let open = |text| is_open_case(text, Flavor::Postgres);
        assert!(open("CASE WHEN a THEN CASE WHEN b THEN 1 ELSE 2 END END"));
        assert!(!open("CASE WHEN a THEN 1 ELSE 2 END"));
        assert!(!open("CASE WHEN a THEN 1 END || CASE WHEN b THEN 2 END"));
    }
}
