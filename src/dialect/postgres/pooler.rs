//! PostgreSQL behind a pooler that gives each transaction another session: a statement is one message, with its values in it
//! and what it asks of its session in front, because what was prepared or set a moment ago may be somebody else's by now.

use std::borrow::Cow;

use crate::dialect::lex::{Flavor, TokenKind, tokens};

/// What a connection of ours without a session of its own calls itself, with a number of its own behind it: a pooler gives the
/// name to whichever session works for it.
pub const NAME: &str = "concertina-";
/// The condition of sessions that are not ours.
pub(super) const OTHERS: &str = "application_name !~ '^concertina(-[0-9a-f]{16})?$'";

/// A value that goes into a statement's text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Inlined<'a> {
    /// NULL, of the type text.
    Null,
    /// A bigint.
    Integer(i64),
    /// A double precision.
    Real(f64),
    /// A text.
    Text(&'a str),
    /// A bytea.
    Bytes(&'a [u8]),
}

impl Inlined<'_> {
    /// A literal of the type that a bound value would have.
    fn literal(self) -> String {
        match self {
            Self::Null => "NULL::text".to_owned(),
            Self::Integer(number) => format!("'{number}'::bigint"),
            Self::Real(number) => format!("'{number}'::double precision"),
            // Whatever standard_conforming_strings is.
            Self::Text(text) if text.contains('\\') => {
                format!("E'{}'::text", text.replace('\\', "\\\\").replace('\'', "''"))
            }
            Self::Text(text) => format!("'{}'::text", text.replace('\'', "''")),
            Self::Bytes(bytes) => {
                let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("decode('{digits}', 'hex')")
            }
        }
    }
}

/// A statement with its values in the places of `$1`, `$2` and so on.
pub fn with_values(sql: &str, values: &[Inlined<'_>]) -> String {
    let Ok(tokens) = tokens(sql, Flavor::Postgres) else { return sql.to_owned() };
    let place = |text: &str| text.strip_prefix('$')?.parse::<usize>().ok()?.checked_sub(1);
    let inlined = |token: &crate::dialect::lex::Token<'_>| {
        let value = values.get(place(token.text).filter(|_| token.kind == TokenKind::Parameter)?)?;
        Some(value.literal())
    };
    tokens.iter().map(|token| inlined(token).unwrap_or_else(|| token.text.to_owned())).collect()
}

/// A statement that sets something of a session, for one transaction.
pub fn for_one_transaction(setting: &str) -> String {
    // A default would come into force with the next transaction.
    setting.replacen("SET ", "SET LOCAL ", 1).replace("default_transaction_isolation", "transaction_isolation")
}

/// What a statement that sets something of a session is about; the later one of two about the same counts.
pub fn subject(setting: &str) -> &str {
    setting.split_once(['=']).map_or(setting, |(subject, _)| subject)
}

/// A statement in a message of its own, with the settings in front. Outside a transaction they are one together.
pub fn one_message<'a>(settings: &[String], sql: &'a str) -> Cow<'a, str> {
    match (settings, sql) {
        ([], _) | (_, "COMMIT" | "ROLLBACK") => Cow::Borrowed(sql),
        _ if is_for_no_transaction(sql) => Cow::Borrowed(sql),
        (_, "BEGIN") => Cow::Owned(format!("BEGIN; {}", settings.join("; "))),
        _ => Cow::Owned(format!("{}; {sql}", settings.join("; "))),
    }
}

fn is_for_no_transaction(sql: &str) -> bool {
    tokens(sql, Flavor::Postgres).is_ok_and(|tokens| tokens.iter().any(|token| token.is_word("CONCURRENTLY")))
}

/// Whether a statement failed because it was in a transaction, which it must not be, or must end by itself: `VACUUM`, say.
pub fn was_for_no_transaction(code: &str) -> bool {
    matches!(code, "25001" | "2D000")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_put_where_they_are_bound_and_nowhere_else() {
        let values = [Inlined::Text("it's"), Inlined::Integer(i64::MIN), Inlined::Null, Inlined::Bytes(&[0, 255])];
        assert_eq!(
            with_values("SELECT $1, '$2', \"$3\", $2 -- $1\n, $$ $4 $$, $3, $4, $5", &values),
            "SELECT 'it''s'::text, '$2', \"$3\", '-9223372036854775808'::bigint -- $1\n, $$ $4 $$, NULL::text, \
             decode('00ff', 'hex'), $5"
        );
        assert_eq!(with_values("$1", &[Inlined::Text("a\\'b")]), "E'a\\\\''b'::text");
        let many: Vec<_> = (0..12).map(Inlined::Integer).collect();
        assert_eq!(with_values("$12::text", &many), "'11'::bigint::text");
    }

    #[test]
    fn a_setting_is_for_one_transaction() {
        let settings = [for_one_transaction("SET lock_timeout = '50ms'")];
        assert_eq!(settings, ["SET LOCAL lock_timeout = '50ms'"]);
        assert_eq!(one_message(&settings, "SELECT 1"), "SET LOCAL lock_timeout = '50ms'; SELECT 1");
        assert_eq!(one_message(&settings, "BEGIN"), "BEGIN; SET LOCAL lock_timeout = '50ms'");
        assert_eq!(one_message(&settings, "COMMIT"), "COMMIT");
        let build = "CREATE INDEX CONCURRENTLY a ON b (c)";
        assert_eq!(one_message(&settings, build), build);
        assert_eq!(
            for_one_transaction("SET default_transaction_isolation = 'read committed'"),
            "SET LOCAL transaction_isolation = 'read committed'"
        );
        assert_eq!(subject("SET lock_timeout = '50ms'"), subject("SET lock_timeout = '5s'"));
    }
}
