//! What a statement of an application writes, as far as its text tells.
//!
//! It reads the plain forms alone, `INSERT … VALUES`, `UPDATE … WHERE` and `DELETE … WHERE`, and says so where it cannot read: a
//! ledger with a wrong entry would be worse than one with a gap.

use super::Dialect;
use super::cursor::Cursor;
use super::lex::{Flavor, Token, TokenKind, significant};

/// A value that is written as itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Literal {
    /// NULL.
    Null,
    /// True or false.
    Boolean(bool),
    /// A number, as it is written.
    Number(String),
    /// A text.
    Text(String),
}

impl Literal {
    /// The value for people, and to tell two keys apart.
    pub fn shown(&self) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Boolean(value) => value.to_string(),
            Self::Number(text) | Self::Text(text) => text.clone(),
        }
    }

    /// The value in a statement.
    pub fn sql(&self, dialect: &dyn Dialect) -> String {
        match self {
            Self::Null => "NULL".to_owned(),
            Self::Boolean(value) => dialect.boolean(*value).to_owned(),
            // A minus in front of a number must not meet another: `--` is a comment.
            Self::Number(number) if number.starts_with('-') => format!("({number})"),
            Self::Number(number) => number.clone(),
            Self::Text(text) => dialect.literal(text),
        }
    }
}

/// What a statement gives to a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// The value of a placeholder, counted from 0.
    Parameter(usize),
    /// A literal.
    Literal(Literal),
    /// Something that only the database knows.
    Unknown,
}

/// How a statement writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// INSERT
    Insert,
    /// UPDATE
    Update,
    /// DELETE
    Delete,
}

/// What a statement writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writes {
    /// How.
    pub verb: Verb,
    /// The table, as it is written.
    pub table: String,
    /// What each row is given: of an UPDATE one list for all its rows.
    pub rows: Vec<Vec<(String, Given)>>,
    /// The columns that the condition holds equal to a value.
    pub key: Vec<(String, Given)>,
    /// Whether it asks for something back.
    pub returning: bool,
}

/// What a statement was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// It only reads, or sets something.
    NoWrite,
    /// It writes this.
    Writes(Writes),
    /// It writes, and what cannot be told; these are the names in it, tables and all.
    Unreadable(Vec<String>),
}

/// With which words a statement begins that writes nothing.
const READS: &[&str] = &["select", "values", "show", "set", "pragma", "explain", "table"];
/// Which words a query does not have that writes nothing.
const WRITES: &[&str] = &["insert", "update", "delete", "merge", "replace", "into", "call", "for"];

/// Reads a statement whose values are the driver's placeholders: `$1`, `$2` on PostgreSQL, `?` elsewhere.
pub fn read_writes(sql: &str, flavor: Flavor) -> Reading {
    let Ok(tokens) = significant(sql, flavor) else { return Reading::Unreadable(Vec::new()) };
    let mut cursor = Cursor::new(&tokens);
    let is_query = || {
        let words = tokens.iter().filter(|token| token.kind == TokenKind::Word);
        !words.into_iter().any(|token| WRITES.iter().any(|word| token.is_word(word)))
    };
    if cursor.at_any(READS) {
        return Reading::NoWrite;
    }
    let opens = cursor.peek().is_some_and(|token| token.is_symbol("("));
    if (opens || cursor.at(&["with"])) && is_query() {
        return Reading::NoWrite;
    }
    let mut reader = Reader { placeholders: 0 };
    let read = if cursor.eat(&["insert", "into"]) {
        reader.insert(cursor)
    } else if cursor.eat(&["update"]) {
        reader.update(cursor)
    } else if cursor.eat(&["delete", "from"]) {
        reader.delete(cursor)
    } else {
        None
    };
    let names = || tokens.iter().filter_map(Token::identifier).collect();
    read.map_or_else(|| Reading::Unreadable(names()), Reading::Writes)
}

struct Reader {
    /// How many placeholders without a number were met.
    placeholders: usize,
}

impl Reader {
    fn insert(&mut self, mut cursor: Cursor<'_, '_>) -> Option<Writes> {
        let table = cursor.name()?;
        let columns = cursor.parenthesized()?.column_list();
        if columns.is_empty() || !cursor.eat(&["values"]) {
            return None;
        }
        let mut rows = Vec::new();
        loop {
            let mut values = cursor.parenthesized()?;
            let mut row = Vec::new();
            for column in &columns {
                row.push((column.clone(), self.given(values.item()?.rest())));
            }
            if !values.is_done() {
                return None;
            }
            rows.push(row);
            if !cursor.eat_symbol(",") {
                break;
            }
        }
        let returning = Self::end(cursor)?;
        Some(Writes { verb: Verb::Insert, table, rows, key: Vec::new(), returning })
    }

    fn update(&mut self, mut cursor: Cursor<'_, '_>) -> Option<Writes> {
        let table = cursor.name()?;
        if !cursor.eat(&["set"]) {
            return None;
        }
        let (set, condition, returning) = Self::parts(cursor)?;
        let mut row = Vec::new();
        let mut assignments = Cursor::new(set);
        while let Some(mut assignment) = assignments.item() {
            let column = assignment.name()?;
            if !assignment.eat_symbol("=") {
                return None;
            }
            row.push((column, self.given(assignment.rest())));
        }
        let key = self.condition(condition)?;
        Some(Writes { verb: Verb::Update, table, rows: vec![row], key, returning })
    }

    fn delete(&mut self, mut cursor: Cursor<'_, '_>) -> Option<Writes> {
        let table = cursor.name()?;
        let (rest, condition, returning) = Self::parts(cursor)?;
        if !rest.is_empty() {
            return None;
        }
        let key = self.condition(condition)?;
        Some(Writes { verb: Verb::Delete, table, rows: Vec::new(), key, returning })
    }

    /// What stands before WHERE, the condition, and whether something is asked back.
    fn parts<'t, 's>(cursor: Cursor<'t, 's>) -> Option<(&'t [Token<'s>], &'t [Token<'s>], bool)> {
        let tokens = cursor.rest();
        let mut depth = 0_i32;
        let mut find = |from: usize, word: &str| {
            tokens.iter().enumerate().skip(from).find_map(|(at, token)| {
                depth += i32::from(token.is_symbol("(")) - i32::from(token.is_symbol(")"));
                (depth == 0 && token.is_word(word)).then_some(at)
            })
        };
        let at = find(0, "where")?;
        let end = find(at, "returning");
        // `UPDATE … FROM`, `ORDER BY … LIMIT` and the like choose rows by more than the condition.
        let odd = |part: &[Token<'_>]| {
            part.iter().any(|token| ["from", "limit", "using", "select"].iter().any(|word| token.is_word(word)))
        };
        let (set, condition) = (&tokens[..at], &tokens[at + 1..end.unwrap_or(tokens.len())]);
        (!odd(set) && !odd(condition)).then_some((set, condition, end.is_some()))
    }

    fn end(mut cursor: Cursor<'_, '_>) -> Option<bool> {
        cursor.eat_symbol(";");
        if cursor.is_done() {
            return Some(false);
        }
        // `ON CONFLICT`, `ON DUPLICATE KEY`: which row was written is the database's matter.
        cursor.at(&["returning"]).then_some(true)
    }

    /// The equalities of a condition that ANDs join.
    fn condition(&mut self, tokens: &[Token<'_>]) -> Option<Vec<(String, Given)>> {
        let mut depth = 0_i32;
        let top = |token: &Token<'_>, depth: &mut i32| {
            *depth += i32::from(token.is_symbol("(")) - i32::from(token.is_symbol(")"));
            *depth == 0
        };
        let tokens = match tokens.split_last() {
            Some((last, rest)) if last.is_symbol(";") => rest,
            _ => tokens,
        };
        if tokens.iter().any(|token| top(token, &mut depth) && token.is_word("or")) {
            return None;
        }
        let mut key = Vec::new();
        for part in tokens.split(|token| top(token, &mut depth) && token.is_word("and")) {
            let mut cursor = Cursor::new(part);
            let name = cursor.name();
            if let Some(name) = name.as_ref().filter(|_| cursor.eat_symbol("=")) {
                let column = name.rsplit('.').next().unwrap_or(name).to_owned();
                key.push((column, self.given(cursor.rest())));
            } else {
                self.count(part);
            }
        }
        Some(key)
    }

    fn given(&mut self, tokens: &[Token<'_>]) -> Given {
        let first = self.placeholders;
        self.count(tokens);
        match tokens {
            [token] if token.kind == TokenKind::Parameter => {
                let number = token.text.strip_prefix('$').and_then(|number| number.parse::<usize>().ok());
                Given::Parameter(number.map_or(first, |number| number.saturating_sub(1)))
            }
            [token] => literal(token).map_or(Given::Unknown, Given::Literal),
            [minus, token] if minus.is_symbol("-") && token.kind == TokenKind::Number => {
                Given::Literal(Literal::Number(format!("-{}", token.text)))
            }
            _ => Given::Unknown,
        }
    }

    fn count(&mut self, tokens: &[Token<'_>]) {
        self.placeholders += tokens.iter().filter(|token| token.kind == TokenKind::Parameter).count();
    }
}

fn literal(token: &Token<'_>) -> Option<Literal> {
    match token.kind {
        TokenKind::Word if token.is_word("null") => Some(Literal::Null),
        TokenKind::Word if token.is_word("true") => Some(Literal::Boolean(true)),
        TokenKind::Word if token.is_word("false") => Some(Literal::Boolean(false)),
        TokenKind::Number => Some(Literal::Number(token.text.to_owned())),
        // What a backslash means is a matter of settings.
        TokenKind::String if token.text.starts_with('\'') && !token.text.contains('\\') => {
            Some(Literal::Text(token.text[1..token.text.len() - 1].replace("''", "'")))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writes(sql: &str) -> Option<Writes> {
        match read_writes(sql, Flavor::Sqlite) {
            Reading::Writes(writes) => Some(writes),
            _ => None,
        }
    }

    fn text(text: &str) -> Given {
        Given::Literal(Literal::Text(text.to_owned()))
    }

    #[test]
    fn an_insert_is_read_row_by_row() {
        let read =
            writes("INSERT INTO t (a, \"b\", c) VALUES (?, 'it''s', -1), (NULL, lower(?), ?) RETURNING id").unwrap();
        assert_eq!((read.verb, read.table.as_str(), read.returning), (Verb::Insert, "t", true));
        let given: Vec<Vec<Given>> =
            read.rows.iter().map(|row| row.iter().map(|(_, given)| given.clone()).collect()).collect();
        let minus = Given::Literal(Literal::Number("-1".to_owned()));
        assert_eq!(given[0], [Given::Parameter(0), text("it's"), minus]);
        assert_eq!(given[1], [Given::Literal(Literal::Null), Given::Unknown, Given::Parameter(2)]);
    }

    #[test]
    fn an_update_and_a_delete_name_their_row() {
        let read =
            writes("UPDATE t SET a = ?, b = b + ?, c = TRUE WHERE id = ? AND deleted = FALSE AND d IN (?, ?)").unwrap();
        let names: Vec<&str> = read.rows[0].iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(read.rows[0][1].1, Given::Unknown);
        assert_eq!(read.key[0], ("id".to_owned(), Given::Parameter(2)));
        let read = writes("DELETE FROM t WHERE id = 7;").unwrap();
        assert_eq!(read.key, [("id".to_owned(), Given::Literal(Literal::Number("7".to_owned())))]);
        let numbered = read_writes("UPDATE t SET a = $2 WHERE id = $1", Flavor::Postgres);
        let Reading::Writes(read) = numbered else { panic!("{numbered:?}") };
        assert_eq!((&read.rows[0][0].1, &read.key[0].1), (&Given::Parameter(1), &Given::Parameter(0)));
    }

    #[test]
    fn what_cannot_be_told_is_not_guessed() {
        for sql in [
            "INSERT INTO t SELECT * FROM u",
            "INSERT INTO t (a) VALUES (1) ON CONFLICT DO NOTHING",
            "REPLACE INTO t (a) VALUES (1)",
            "UPDATE t SET a = 1",
            "UPDATE t SET a = 1 WHERE id = 1 OR id = 2",
            "UPDATE t SET a = u.a FROM u WHERE t.id = 1",
            "DELETE FROM t WHERE id IN (SELECT id FROM u)",
            "WITH x AS (SELECT 1) DELETE FROM t WHERE id = 1",
            "CALL f()",
        ] {
            assert!(matches!(read_writes(sql, Flavor::Sqlite), Reading::Unreadable(_)), "{sql}");
        }
        for sql in ["SELECT 1", "WITH a AS (SELECT 1) SELECT * FROM a", "(SELECT 1) UNION (SELECT 2)"] {
            assert_eq!(read_writes(sql, Flavor::MySql), Reading::NoWrite);
        }
    }
}
