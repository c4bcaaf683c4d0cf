//! One lexer for the SQL text of PostgreSQL, MySQL/MariaDB and SQLite.
//!
//! It cuts text into tokens and a script into statements. It does not parse, and it does not judge: what the server
//! would refuse is cut as well as it can be, and the server says why. Two promises hold for every input:
//! - The tokens' texts, put together, are the input.
//! - Where the end of a string, a comment or a trigger's body cannot be found, the answer is an error, never a guess:
//!   a statement cut in the wrong place could still run.
//!
//! The file is long because it holds two things, the tokens and below them the statements; the second needs the first's
//! knowledge of executable comments.

use std::fmt;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// A keyword or an identifier without quotes; on MySQL also `@user_variable` and `@@system_variable`.
    Word,
    /// An identifier in `"…"`, `` `…` `` or `[…]`, whichever the flavor has.
    QuotedIdentifier,
    /// A string, with its prefix (`E'…'`, `x'…'`), or a dollar-quoted one.
    String,
    /// A number without its sign.
    Number,
    /// A placeholder: `$1`, `?`, `?1`, `:name`, whichever the flavor has.
    Parameter,
    /// An operator or a punctuation mark; on MySQL also the two ends of an executable comment, `/*!50003` and `*/`.
    Symbol,
    /// A comment; one that ends with its line does not contain the line break.
    Comment,
    /// White space.
    Space,
}

/// A piece of SQL text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// Its exact text.
    pub text: &'a str,
    /// The byte offset of its first byte.
    pub start: usize,
}

impl Token<'_> {
    /// Tells whether this is `word` without quotes, in any ASCII case.
    #[must_use]
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Tells whether this is the symbol `symbol`.
    #[must_use]
    pub fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == TokenKind::Symbol && self.text == symbol
    }

    /// Returns the byte offset just after its last byte.
    #[must_use]
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Returns the identifier that a `Word` or a `QuotedIdentifier` spells, without its quotes and escapes.
    ///
    /// The case stays as written: whether it folds is the database's matter. `U&"…"` has no value here, because a
    /// `UESCAPE` clause behind it may decide what it means.
    #[must_use]
    pub fn identifier(&self) -> Option<String> {
        let inner = || self.text.get(1..self.text.len().saturating_sub(1));
        match (self.kind, self.text.bytes().next()?) {
            (TokenKind::Word, _) => Some(self.text.to_owned()),
            (TokenKind::QuotedIdentifier, b'"') => Some(inner()?.replace("\"\"", "\"")),
            (TokenKind::QuotedIdentifier, b'`') => Some(inner()?.replace("``", "`")),
            (TokenKind::QuotedIdentifier, b'[') => Some(inner()?.to_owned()),
            _ => None,
        }
    }

    fn is_any_word(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.is_word(word))
    }

    /// Tells whether this opens or closes a MySQL executable comment: the server runs what is between.
    fn is_executable_mark(&self) -> bool {
        self.kind == TokenKind::Symbol && (self.text.starts_with("/*") || self.text == "*/")
    }
}

/// The databases whose SQL text differs for a lexer; MariaDB reads as `MySql`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavor {
    /// PostgreSQL, with `standard_conforming_strings` on.
    Postgres,
    /// MySQL and MariaDB, without `ANSI_QUOTES` and `NO_BACKSLASH_ESCAPES`.
    MySql,
    /// SQLite.
    Sqlite,
}

/// Where and why a text could not be cut.
#[derive(Debug, PartialEq, Eq)]
pub struct LexError {
    /// The byte offset at which the unfinished piece starts.
    pub offset: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

impl fmt::Display for LexError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at byte {}", self.what, self.offset)
    }
}

impl std::error::Error for LexError {}

/// Cuts `sql` into tokens whose texts, put together, are `sql`.
///
/// # Errors
/// A string, quoted identifier, comment or dollar quote has no end.
pub fn tokens(sql: &str, flavor: Flavor) -> Result<Vec<Token<'_>>, LexError> {
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let mut executable_comment = None;
    let mut start = 0;
    while start < sql.len() {
        let rest = &sql[start..];
        let scanner = Scanner {
            bytes: rest.as_bytes(),
            flavor,
            after_name: tokens
                .last()
                .is_some_and(|token| matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdentifier)),
        };
        let found = if start == 0 && rest.starts_with('\u{feff}') {
            Ok((TokenKind::Space, '\u{feff}'.len_utf8()))
        } else if executable_comment.is_some() && rest.starts_with("*/") {
            executable_comment = None;
            Ok((TokenKind::Symbol, 2))
        } else if let Some(length) = scanner.executable_comment() {
            executable_comment = Some(start);
            Ok((TokenKind::Symbol, length))
        } else {
            scanner.scan()
        };
        let (kind, length) = found.map_err(|what| LexError { offset: start, what })?;
        tokens.push(Token { kind, text: &rest[..length], start });
        start += length;
    }
    match executable_comment {
        Some(offset) => Err(LexError { offset, what: "unterminated comment" }),
        None => Ok(tokens),
    }
}

/// Cuts `sql` into tokens and leaves out white space and comments.
///
/// # Errors
/// As [`tokens`].
pub fn significant(sql: &str, flavor: Flavor) -> Result<Vec<Token<'_>>, LexError> {
    let mut tokens = tokens(sql, flavor)?;
    tokens.retain(|token| !matches!(token.kind, TokenKind::Space | TokenKind::Comment));
    Ok(tokens)
}

/// The operators of more than one character that are one symbol; longer ones come before their own beginnings.
const OPERATORS: [&str; 11] = ["<=>", "->>", "<=", ">=", "<>", "!=", "||", "->", ":=", "==", "&&"];

/// What a scan found: the kind of the token at the start of the text and its length, or what is wrong with it.
type Scanned = Result<(TokenKind, usize), &'static str>;

/// Reads the one token at the start of `bytes`.
///
/// It may go byte by byte: all that ends a token is ASCII, and a byte of a longer UTF-8 sequence is never ASCII.
struct Scanner<'a> {
    bytes: &'a [u8],
    flavor: Flavor,
    /// Whether an identifier stands directly before, as `t` in MySQL's `t.2fa`.
    after_name: bool,
}

impl Scanner<'_> {
    /// Returns the byte at `index`, and NUL behind the end: no rule looks for a NUL.
    fn byte(&self, index: usize) -> u8 {
        self.bytes.get(index).copied().unwrap_or(0)
    }

    /// Returns the first index from `from` on whose byte is not as `wanted`.
    fn run(&self, from: usize, wanted: impl Fn(u8) -> bool) -> usize {
        let rest = self.bytes.get(from..).unwrap_or_default();
        from + rest.iter().take_while(|byte| wanted(**byte)).count()
    }

    /// Returns the length of the mark that opens a comment whose content MySQL or MariaDB executes.
    ///
    /// <https://dev.mysql.com/doc/refman/8.4/en/comments.html>
    fn executable_comment(&self) -> Option<usize> {
        let mark = ["/*!", "/*M!"].into_iter().find(|mark| self.bytes.starts_with(mark.as_bytes()))?;
        (self.flavor == Flavor::MySql).then(|| self.run(mark.len(), |byte| byte.is_ascii_digit()))
    }

    fn scan(&self) -> Scanned {
        let mysql = self.flavor == Flavor::MySql;
        let sqlite = self.flavor == Flavor::Sqlite;
        if let Some(string) = self.prefixed_string() {
            return string;
        }
        match (self.byte(0), self.byte(1)) {
            (first, _) if is_space(first) => Ok((TokenKind::Space, self.run(0, is_space))),
            (b'\'', _) => self.quoted(TokenKind::String, 0, mysql),
            (b'"', _) if mysql => self.quoted(TokenKind::String, 0, true),
            (b'"', _) => self.quoted(TokenKind::QuotedIdentifier, 0, false),
            (b'`', _) if mysql || sqlite => self.quoted(TokenKind::QuotedIdentifier, 0, false),
            (b'[', _) if sqlite => {
                let end = self.run(1, |byte| byte != b']');
                let closed = end < self.bytes.len();
                let token = (TokenKind::QuotedIdentifier, end + 1);
                closed.then_some(token).ok_or(UNTERMINATED_IDENTIFIER)
            }
            (b'$', _) if !mysql => self.dollar(),
            // MySQL reads `5--1` as a subtraction: its comments need a space there.
            (b'-', b'-') if !mysql || self.byte(2) <= b' ' => Ok(self.line_comment()),
            (b'#', _) if mysql => Ok(self.line_comment()),
            (b'/', b'*') => self.block_comment(),
            (b'.', b'0'..=b'9') if !(mysql && self.after_name) => Ok((TokenKind::Number, self.number())),
            (b'0'..=b'9', _) => Ok(self.number_or_word()),
            (b'?', _) if sqlite => {
                let length = self.run(1, |byte| byte.is_ascii_digit());
                Ok((TokenKind::Parameter, length))
            }
            (b'?', _) if mysql => Ok((TokenKind::Parameter, 1)),
            (b':' | b'@', second) if sqlite && continues_word(second) => {
                Ok((TokenKind::Parameter, self.run(1, continues_word)))
            }
            // A dot belongs to a user variable, and to the host in `root@10.0.0.1`.
            (b'@', second) if mysql && continues_word(second) => {
                let length = self.run(1, |byte| continues_word(byte) || byte == b'.');
                Ok((TokenKind::Word, length))
            }
            (b'@', b'@') if mysql && continues_word(self.byte(2)) => Ok((TokenKind::Word, self.run(2, continues_word))),
            (first, _) if continues_word(first) => Ok((TokenKind::Word, self.run(0, continues_word))),
            _ => Ok((TokenKind::Symbol, self.symbol())),
        }
    }

    /// Reads a string or an identifier that has letters before its quote.
    fn prefixed_string(&self) -> Option<Scanned> {
        use Flavor::{MySql, Postgres, Sqlite};
        let prefix = self.byte(0).to_ascii_lowercase();
        match (self.flavor, prefix, self.byte(1), self.byte(2)) {
            (Postgres, b'e', b'\'', _) | (MySql, b'n', b'\'', _) => Some(self.quoted(TokenKind::String, 1, true)),
            (Postgres, b'b' | b'n' | b'x', b'\'', _) | (MySql, b'b' | b'x', b'\'', _) | (Sqlite, b'x', b'\'', _) => {
                Some(self.quoted(TokenKind::String, 1, false))
            }
            (Postgres, b'u', b'&', b'\'') => Some(self.quoted(TokenKind::String, 2, false)),
            (Postgres, b'u', b'&', b'"') => Some(self.quoted(TokenKind::QuotedIdentifier, 2, false)),
            _ => None,
        }
    }

    /// Reads up to the quote that closes the one at `open`; a doubled one does not.
    fn quoted(&self, kind: TokenKind, open: usize, backslash: bool) -> Scanned {
        let quote = self.byte(open);
        let mut at = open + 1;
        while let Some(&byte) = self.bytes.get(at) {
            if byte == quote && self.byte(at + 1) != quote {
                return Ok((kind, at + 1));
            }
            at += if byte == quote || (backslash && byte == b'\\') { 2 } else { 1 };
        }
        Err(match kind {
            TokenKind::QuotedIdentifier => UNTERMINATED_IDENTIFIER,
            _ => "unterminated string",
        })
    }

    /// Reads what starts with `$`: a dollar-quoted string or a parameter.
    fn dollar(&self) -> Scanned {
        if self.flavor == Flavor::Sqlite {
            let length = self.run(1, continues_word);
            let kind = if length > 1 { TokenKind::Parameter } else { TokenKind::Symbol };
            return Ok((kind, length));
        }
        if self.byte(1).is_ascii_digit() {
            let length = self.run(1, |byte| byte.is_ascii_digit());
            return Ok((TokenKind::Parameter, length));
        }
        let tag_end = self.run(1, |byte| continues_word(byte) && byte != b'$');
        if self.byte(tag_end) != b'$' {
            return Ok((TokenKind::Symbol, 1));
        }
        let (tag, body) = self.bytes.split_at(tag_end + 1);
        let closing = body.windows(tag.len()).position(|window| window == tag);
        match closing {
            Some(length) => Ok((TokenKind::String, length + 2 * tag.len())),
            None => Err("unterminated dollar quote"),
        }
    }

    fn line_comment(&self) -> (TokenKind, usize) {
        let postgres = self.flavor == Flavor::Postgres;
        let length = self.run(0, |byte| byte != b'\n' && !(postgres && byte == b'\r'));
        (TokenKind::Comment, length)
    }

    fn block_comment(&self) -> Scanned {
        let mut depth = 1;
        let mut at = 2;
        while depth > 0 {
            match (self.byte(at), self.byte(at + 1)) {
                (b'*', b'/') => depth -= 1,
                (b'/', b'*') if self.flavor == Flavor::Postgres => depth += 1,
                _ if at >= self.bytes.len() => return Err("unterminated comment"),
                _ => {
                    at += 1;
                    continue;
                }
            }
            at += 2;
        }
        Ok((TokenKind::Comment, at))
    }

    /// Reads what starts with a digit: a number, or on MySQL perhaps an identifier such as `2fa_secret`.
    fn number_or_word(&self) -> (TokenKind, usize) {
        let number = self.number();
        let word = self.run(0, continues_word);
        let exponent = self.bytes[..number].iter().any(|byte| matches!(byte, b'e' | b'E' | b'.'));
        if self.flavor == Flavor::MySql && word > number && !exponent {
            (TokenKind::Word, word)
        } else {
            (TokenKind::Number, number)
        }
    }

    fn number(&self) -> usize {
        let radix: fn(u8) -> bool = match (self.byte(0), self.byte(1).to_ascii_lowercase()) {
            (b'0', b'x') => |byte| byte.is_ascii_hexdigit(),
            (b'0', b'b') if self.flavor != Flavor::Sqlite => |byte| matches!(byte, b'0' | b'1'),
            (b'0', b'o') if self.flavor == Flavor::Postgres => |byte| matches!(byte, b'0'..=b'7'),
            _ => |_| false,
        };
        let end = self.digits(2, radix);
        if end > 2 {
            return end;
        }
        let decimal = |byte: u8| byte.is_ascii_digit();
        let mut end = self.digits(0, decimal);
        // PL/pgSQL's `1..10` is a range and not two numbers.
        if self.byte(end) == b'.' && self.byte(end + 1) != b'.' {
            end = self.digits(end + 1, decimal);
        }
        if matches!(self.byte(end), b'e' | b'E') {
            let sign = usize::from(matches!(self.byte(end + 1), b'+' | b'-'));
            let exponent = self.digits(end + 1 + sign, decimal);
            if exponent > end + 1 + sign {
                end = exponent;
            }
        }
        end
    }

    /// Returns the end of the digits from `from` on; PostgreSQL and SQLite allow `_` between two of them.
    fn digits(&self, from: usize, digit: impl Fn(u8) -> bool) -> usize {
        let mut end = self.run(from, &digit);
        while self.flavor != Flavor::MySql && self.byte(end) == b'_' && digit(self.byte(end + 1)) {
            end = self.run(end + 1, &digit);
        }
        end
    }

    fn symbol(&self) -> usize {
        if self.flavor == Flavor::Postgres && self.bytes.starts_with(b"::") {
            return 2;
        }
        OPERATORS
            .iter()
            .find(|operator| self.bytes.starts_with(operator.as_bytes()))
            .map_or(1, |operator| operator.len())
    }
}

const UNTERMINATED_IDENTIFIER: &str = "unterminated quoted identifier";

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Tells whether a byte may stand in a word; no word starts with the digits and the `$` among them, because those are
/// looked at first. Everything beyond ASCII is a letter, as in all three databases.
fn continues_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii()
}

/// The identifiers a text names, unquoted, whatever they stand for; none where the text cannot be read.
pub fn identifiers(sql: &str, flavor: Flavor) -> Vec<String> {
    significant(sql, flavor).unwrap_or_default().iter().filter_map(Token::identifier).collect()
}

/// Splits `sql` at the `;` between statements.
///
/// Each statement goes from its first token to its last: without its `;`, and without the white space and the comments
/// around it. What holds no statement is left out. The body of a trigger, procedure, function or event stays whole, and
/// so does what stands in parentheses.
///
/// # Errors
/// As [`tokens`]; a body has no end; or the text needs the `DELIMITER` command of MySQL's client.
pub fn statements(sql: &str, flavor: Flavor) -> Result<Vec<&str>, LexError> {
    let tokens = significant(sql, flavor)?;
    let mut rest = tokens.as_slice();
    let mut statements = Vec::new();
    while let Some(first) = rest.first() {
        if flavor == Flavor::MySql && first.is_word("DELIMITER") {
            return Err(LexError {
                offset: first.start,
                what: "`DELIMITER`, a command of MySQL's client that is neither SQL nor needed here,",
            });
        }
        let end = statement_end(rest, flavor)?;
        if let Some(last) = rest[..end].last() {
            statements.push(&sql[first.start..last.end()]);
        }
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    Ok(statements)
}

/// Returns the index of the `;` that ends the first statement, or the number of tokens where none does.
fn statement_end(tokens: &[Token<'_>], flavor: Flavor) -> Result<usize, LexError> {
    let plain = plain_end(tokens);
    let end = match flavor {
        Flavor::Postgres => atomic_end(tokens),
        Flavor::MySql => match body_start(&tokens[..plain]) {
            Some(start) => compound_end(tokens, start),
            None => Some(plain),
        },
        Flavor::Sqlite => match routine(&tokens[..plain]) {
            Some(_) => trigger_end(tokens),
            None => Some(plain),
        },
    };
    end.ok_or(LexError { offset: tokens.first().map_or(0, |token| token.start), what: "a body without its `END`" })
}

/// Finds the end of a statement without a body.
fn plain_end(tokens: &[Token<'_>]) -> usize {
    outermost(tokens, 0, ";").unwrap_or(tokens.len())
}

/// Finds the first `symbol` from `from` on that nothing encloses, a bracket that closes what `from` opens included.
fn outermost(tokens: &[Token<'_>], from: usize, symbol: &str) -> Option<usize> {
    let mut depth = 0;
    let found = tokens.iter().skip(from).position(|token| {
        depth = nesting(depth, token);
        depth == 0 && token.is_symbol(symbol)
    });
    found.map(|length| from + length)
}

/// Returns the depth behind `token`. PostgreSQL's rules have `;` between parentheses, and MySQL's executable comments
/// may have it too.
fn nesting(depth: usize, token: &Token<'_>) -> usize {
    match (token.kind, token.text) {
        (TokenKind::Symbol, "(") => depth + 1,
        (TokenKind::Symbol, ")" | "*/") => depth.saturating_sub(1),
        _ => depth + usize::from(token.is_executable_mark()),
    }
}

/// Finds, in a statement that creates something which may have a body, the word that says what it creates.
fn routine(tokens: &[Token<'_>]) -> Option<usize> {
    let mut words = tokens.iter().enumerate().filter(|(_, token)| !token.is_executable_mark());
    let (_, verb) = words.next()?;
    let mut definer = false;
    for (index, token) in words {
        if token.is_any_word(&["TRIGGER", "PROCEDURE", "FUNCTION", "EVENT"]) {
            let body = verb.is_word("CREATE") || (verb.is_word("ALTER") && token.is_word("EVENT"));
            return body.then_some(index);
        }
        definer |= token.is_word("DEFINER");
        let modifier = ["OR", "REPLACE", "TEMP", "TEMPORARY", "AGGREGATE"];
        // Who the definer is takes several forms; in a view's definition the kind comes after it as well.
        if token.is_word("VIEW") || !(definer || token.is_any_word(&modifier)) {
            return None;
        }
    }
    None
}

/// Finds the end of a SQLite trigger as `sqlite3_complete` does: at the second `;` of `; END ;`, which no `CASE … END`
/// and no column of the name `end` looks like.
///
/// <https://sqlite.org/c3ref/complete.html>
fn trigger_end(tokens: &[Token<'_>]) -> Option<usize> {
    let closes = |pair: &[Token<'_>]| pair[0].is_symbol(";") && pair[1].is_word("END");
    let ends = tokens.windows(2).enumerate().filter(|(_, pair)| closes(pair));
    ends.map(|(start, _)| start + 2).find(|end| tokens.get(*end).is_none_or(|next| next.is_symbol(";")))
}

/// Finds the end of a PostgreSQL statement, past a `BEGIN ATOMIC … END`; every other body there is a string.
fn atomic_end(tokens: &[Token<'_>]) -> Option<usize> {
    let routine = routine(&tokens[..plain_end(tokens)]).is_some();
    let mut depth = 0_usize;
    let mut blocks = 0_usize;
    for (index, token) in tokens.iter().enumerate() {
        depth = nesting(depth, token);
        let before = index.checked_sub(1).and_then(|index| tokens.get(index));
        // `AS end` and `t.end` are names.
        let name = before.is_some_and(|before| before.is_symbol(".") || before.is_word("AS"));
        let next = tokens.get(index + 1);
        let begins = token.is_word("BEGIN") && next.is_some_and(|next| next.is_word("ATOMIC"));
        if blocks == 0 {
            if depth == 0 && token.is_symbol(";") {
                return Some(index);
            }
            blocks += usize::from(routine && begins);
        } else if !name {
            blocks += usize::from(token.is_word("CASE"));
            blocks -= usize::from(token.is_word("END"));
        }
    }
    (blocks == 0).then_some(tokens.len())
}

/// Returns where to look for the body in a MySQL statement that can have one.
///
/// `tokens` end with the first `;`: what comes before a body has none.
fn body_start(tokens: &[Token<'_>]) -> Option<usize> {
    let kind = match tokens {
        // MariaDB's compound statement outside of a routine.
        [begin, not, ..] if begin.is_word("BEGIN") && not.is_word("NOT") => return Some(0),
        _ => routine(tokens)?,
    };
    let position = |word: &str| tokens.iter().position(|token| token.is_word(word));
    let header_end = if tokens[kind].is_word("TRIGGER") {
        position("EACH").map(|each| each + 1)
    } else if tokens[kind].is_word("EVENT") {
        position("DO")
    } else {
        let mut symbols = tokens.iter().skip(kind);
        let open = symbols.position(|token| token.is_symbol("("));
        open.and_then(|length| outermost(tokens, kind + length, ")"))
    };
    header_end.map(|last| last + 1)
}

/// What `END` closes in a MySQL body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    /// A block of statements, each with its `;`.
    Statements,
    /// A `CASE` that gives a value.
    Expression,
}

/// Whether the next token of a MySQL body starts a statement.
///
/// `IF`, `REPEAT` and `CASE` open a block there, and are a function or an expression everywhere else; `begin` and `end`
/// may be columns everywhere else.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    /// It does.
    Start,
    /// It does, unless it is one of the clauses before a statement: a routine's characteristics, a handler's conditions.
    Clauses,
    /// It does not.
    Inside,
}

/// The words that start a statement without a body, where clauses may come before it.
const PLAIN_STATEMENTS: [&str; 18] = [
    "ALTER", "CALL", "COMMIT", "CREATE", "DELETE", "DO", "DROP", "EXECUTE", "INSERT", "PREPARE", "REPLACE", "RESIGNAL",
    "RETURN", "ROLLBACK", "SELECT", "SIGNAL", "UPDATE", "WITH",
];

/// Finds the end of a MySQL statement whose body starts at or after `start`.
///
/// <https://dev.mysql.com/doc/refman/8.4/en/sql-compound-statements.html>
fn compound_end(tokens: &[Token<'_>], start: usize) -> Option<usize> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut position = Position::Clauses;
    let mut depth = 0_usize;
    let mut at = start;
    while let Some(token) = tokens.get(at) {
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        let next = tokens.get(at + 1);
        let next_is = |words: &[&str]| next.is_some_and(|next| next.is_any_word(words));
        let starts = position != Position::Inside;
        let field = before.is_some_and(|before| before.is_symbol("."));
        let word = if token.kind == TokenKind::Word && !field { token.text } else { "" };
        at += 1;
        depth = nesting(depth, token);
        position = match word.to_ascii_uppercase().as_str() {
            "" if token.is_symbol(";") => {
                if blocks.is_empty() && depth == 0 {
                    return Some(at - 1);
                }
                Position::Start
            }
            // The colon is that of a label.
            "" if token.is_symbol(":") || token.is_executable_mark() => position,
            "END" if blocks.last() == Some(&Block::Expression) => {
                blocks.pop();
                Position::Inside
            }
            // `UNTIL … END REPEAT` is the one block whose end does not follow a `;`.
            "END" if !blocks.is_empty() && (starts || next_is(&["REPEAT"])) => {
                blocks.pop();
                at += usize::from(next_is(&["CASE", "FOR", "IF", "LOOP", "REPEAT", "WHILE"]));
                Position::Inside
            }
            "BEGIN" | "LOOP" | "REPEAT" if starts => {
                blocks.push(Block::Statements);
                // MariaDB's `BEGIN NOT ATOMIC`.
                at += if next_is(&["NOT"]) { 2 } else { 0 };
                Position::Start
            }
            "CASE" | "FOR" | "IF" | "WHILE" if starts => {
                blocks.push(Block::Statements);
                Position::Inside
            }
            "CASE" => {
                blocks.push(Block::Expression);
                Position::Inside
            }
            "ELSE" | "THEN" if blocks.last() == Some(&Block::Statements) => Position::Start,
            "DO" if !starts && blocks.last() == Some(&Block::Statements) => Position::Start,
            "HANDLER" if next_is(&["FOR"]) => {
                at += 1;
                Position::Clauses
            }
            _ if position == Position::Start && next.is_some_and(|next| next.is_symbol(":")) => position,
            // `CHARACTER SET utf8mb4` and `RETURNS SET('a', 'b')` are no assignments.
            "SET" if before.is_some_and(|before| before.is_any_word(&["CHARACTER", "RETURNS"])) => position,
            "SET" => Position::Inside,
            word if position == Position::Clauses && !PLAIN_STATEMENTS.contains(&word) => position,
            _ => Position::Inside,
        };
    }
    blocks.is_empty().then_some(tokens.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Flavor::{MySql, Postgres, Sqlite};
    use TokenKind::{Comment, Number, Parameter, QuotedIdentifier, Space, String, Symbol, Word};

    const FLAVORS: [Flavor; 3] = [Postgres, MySql, Sqlite];

    #[track_caller]
    fn assert_tokens(flavor: Flavor, sql: &str, expected: &[(TokenKind, &str)]) {
        let found: Vec<_> =
            significant(sql, flavor).unwrap().into_iter().map(|token| (token.kind, token.text)).collect();
        assert_eq!(found, expected, "{sql} on {flavor:?}");
    }

    #[track_caller]
    fn assert_error(flavor: Flavor, sql: &str, offset: usize, what: &'static str) {
        assert_eq!(tokens(sql, flavor), Err(LexError { offset, what }), "{sql}");
    }

    #[track_caller]
    fn assert_whole(flavor: Flavor, statement: &str) {
        let script = format!("SELECT 1;\n{statement};\nSELECT 2;");
        let expected = vec!["SELECT 1", statement, "SELECT 2"];
        assert_eq!(statements(&script, flavor), Ok(expected), "{flavor:?}");
        assert_eq!(statements(statement, flavor), Ok(vec![statement]));
    }

    #[test]
    fn every_token_has_its_kind_text_and_offset() {
        let found = tokens("SELECT a1$, 'é' -- x\n/*y*/;", Postgres).unwrap();
        let expected = [
            (Word, "SELECT", 0),
            (Space, " ", 6),
            (Word, "a1$", 7),
            (Symbol, ",", 10),
            (Space, " ", 11),
            (String, "'é'", 12),
            (Space, " ", 16),
            (Comment, "-- x", 17),
            (Space, "\n", 21),
            (Comment, "/*y*/", 22),
            (Symbol, ";", 27),
        ];
        let found: Vec<_> = found.iter().map(|t| (t.kind, t.text, t.start)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn backslash_escapes_only_where_the_database_says_so() {
        for (flavor, sql) in [
            (MySql, r"'it\'s'"),
            (MySql, r#""it\"s""#),
            (MySql, r"N'it\'s'"),
            (Postgres, r"E'it\'s'"),
            (Postgres, r"e'\\'"),
            (Postgres, r"'\'"),
            (Sqlite, r"'\'"),
            (Sqlite, "'it''s'"),
            (Postgres, "E'it''s\\''"),
        ] {
            assert_tokens(flavor, sql, &[(String, sql)]);
        }
        assert_error(MySql, r"'\'", 0, "unterminated string");
        assert_error(Sqlite, r"'it\'s'", 6, "unterminated string");
    }

    #[test]
    fn a_prefix_belongs_to_its_string() {
        assert_tokens(Sqlite, "x'0A'", &[(String, "x'0A'")]);
        assert_tokens(MySql, "B'01'", &[(String, "B'01'")]);
        assert_tokens(Postgres, "U&'d\\0061'", &[(String, "U&'d\\0061'")]);
        let quoted = significant("U&\"d\\0061\"", Postgres).unwrap();
        assert_eq!((quoted.len(), quoted[0].kind), (1, QuotedIdentifier));
        assert_eq!(quoted[0].identifier(), None);
        assert_tokens(Sqlite, "n'0A'", &[(Word, "n"), (String, "'0A'")]);
        assert_tokens(Postgres, "ae'0A'", &[(Word, "ae"), (String, "'0A'")]);
    }

    #[test]
    fn identifiers_lose_their_quotes_and_escapes() {
        for (flavor, sql, expected) in [
            (Postgres, "\"na\"\"me\"", "na\"me"),
            (Sqlite, "\"na\"\"me\"", "na\"me"),
            (Sqlite, "[na\"me]", "na\"me"),
            (Sqlite, "`na``me`", "na`me"),
            (MySql, "`na``me`", "na`me"),
            (MySql, "größe", "größe"),
            (Postgres, "Visibility", "Visibility"),
        ] {
            let found = significant(sql, flavor).unwrap();
            assert_eq!(found.len(), 1, "{sql}");
            assert_eq!(found[0].identifier().as_deref(), Some(expected));
        }
        assert_tokens(MySql, "\"a\"", &[(String, "\"a\"")]);
        assert_eq!(significant("'a'", Sqlite).unwrap()[0].identifier(), None);
        assert_tokens(Postgres, "a[1]", &[(Word, "a"), (Symbol, "["), (Number, "1"), (Symbol, "]")]);
    }

    #[test]
    fn dollar_quotes_end_at_their_own_tag() {
        for sql in ["$$a'b;$$", "$f$ $$ $g$ $f$", "$tête$;$tête$"] {
            assert_tokens(Postgres, sql, &[(String, sql)]);
        }
        assert_tokens(Postgres, "a$b$", &[(Word, "a$b$")]);
        assert_tokens(Postgres, "$1$2", &[(Parameter, "$1"), (Parameter, "$2")]);
        assert_error(Postgres, "x $f$ $g$", 2, "unterminated dollar quote");
    }

    #[test]
    fn comments_are_those_of_the_database() {
        assert_tokens(Postgres, "1 -- 2\n+ 3", &[(Number, "1"), (Symbol, "+"), (Number, "3")]);
        let minus = [(Number, "5"), (Symbol, "-"), (Symbol, "-"), (Number, "1")];
        assert_tokens(MySql, "5--1", &minus);
        assert_tokens(Sqlite, "5--1", &minus[..1]);
        assert_tokens(MySql, "5 --", &minus[..1]);
        assert_tokens(MySql, "5 # 1 '", &minus[..1]);
        assert_tokens(Postgres, "/* /* */ ' */ 5", &minus[..1]);
        assert_tokens(Sqlite, "/* /* */ 5", &minus[..1]);
        assert_error(Postgres, "5 /* /* */", 2, "unterminated comment");
        assert_error(MySql, "5 /*/", 2, "unterminated comment");
    }

    #[test]
    fn mysql_executable_comments_are_no_comments() {
        assert_tokens(
            MySql,
            "/*!50003 SET /* c */ a */ /*M! b*/ */",
            &[
                (Symbol, "/*!50003"),
                (Word, "SET"),
                (Word, "a"),
                (Symbol, "*/"),
                (Symbol, "/*M!"),
                (Word, "b"),
                (Symbol, "*/"),
                (Symbol, "*"),
                (Symbol, "/"),
            ],
        );
        assert_tokens(Postgres, "/*!50003 SET */", &[]);
        assert_error(MySql, "a /*!50003 SET", 2, "unterminated comment");
        assert_eq!(
            statements("/*!40101 SET NAMES utf8; */; SELECT 1", MySql),
            Ok(vec!["/*!40101 SET NAMES utf8; */", "SELECT 1"])
        );
    }

    #[test]
    fn numbers_are_one_token() {
        for flavor in FLAVORS {
            for sql in ["0", "42", "1.5", ".5", "1.", "1e10", "1.5E-3", "2e+7", "0x1F"] {
                assert_tokens(flavor, sql, &[(Number, sql)]);
            }
        }
        assert_tokens(Postgres, "1_000", &[(Number, "1_000")]);
        assert_tokens(Postgres, "0b01", &[(Number, "0b01")]);
        assert_tokens(Postgres, "1..2", &[(Number, "1"), (Symbol, "."), (Number, ".2")]);
        assert_tokens(Sqlite, "1e", &[(Number, "1"), (Word, "e")]);
        assert_tokens(MySql, "2fa_secret", &[(Word, "2fa_secret")]);
        assert_tokens(MySql, "t.2fa", &[(Word, "t"), (Symbol, "."), (Word, "2fa")]);
    }

    #[test]
    fn parameters_are_those_of_the_driver() {
        for (flavor, sql) in [
            (Postgres, "$12"),
            (Sqlite, "?"),
            (Sqlite, "?12"),
            (Sqlite, ":name"),
            (Sqlite, "@name"),
            (Sqlite, "$name"),
            (MySql, "?"),
        ] {
            assert_tokens(flavor, sql, &[(Parameter, sql)]);
        }
        assert_tokens(Postgres, "a ? b", &[(Word, "a"), (Symbol, "?"), (Word, "b")]);
        assert_tokens(MySql, "@a.b", &[(Word, "@a.b")]);
        assert_tokens(MySql, "@@sql_mode", &[(Word, "@@sql_mode")]);
        assert_tokens(MySql, "@'%'", &[(Symbol, "@"), (String, "'%'")]);
    }

    #[test]
    fn operators_of_several_characters_are_one_symbol() {
        for flavor in FLAVORS {
            for sql in OPERATORS {
                assert_tokens(flavor, sql, &[(Symbol, sql)]);
            }
        }
        assert_tokens(Postgres, "a::b", &[(Word, "a"), (Symbol, "::"), (Word, "b")]);
        assert_tokens(MySql, "::", &[(Symbol, ":"), (Symbol, ":")]);
        assert_tokens(Postgres, "@>", &[(Symbol, "@"), (Symbol, ">")]);
    }

    #[test]
    fn unfinished_quotes_are_errors_that_say_where() {
        assert_error(Sqlite, "a 'b", 2, "unterminated string");
        for (flavor, sql) in [(Postgres, "é \"b"), (MySql, "é `b"), (Sqlite, "é [b"), (Sqlite, "é \"")] {
            assert_error(flavor, sql, 3, "unterminated quoted identifier");
        }
        let error = tokens("a 'b", Sqlite).unwrap_err();
        assert_eq!(error.to_string(), "unterminated string at byte 2");
    }

    /// A generator of pseudo-random numbers that needs no crate: xorshift64.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
        }
    }

    #[test]
    fn any_text_is_cut_without_loss() {
        // Half of what matters to a lexer is punctuation that leaves something open.
        let mut pieces = vec!["|", "\n", "\r\n", " ", "\t", "\\", "\0", "\u{feff}", "\u{a0}"];
        pieces.extend(
            "'|\"|`|[|]|$|$$|$a$|--|-- |#|/*|*/|/*!50003|;|:|::|:=|@|@@|?|.|..|0|0x|0b1|1e|9|_|e|E'|U&|x'|é|日本|\
             (|)|<|=|>|-|a|CREATE|TRIGGER|BEGIN|END|IF|CASE|EACH ROW|DO|HANDLER FOR|PROCEDURE|ATOMIC|THEN"
                .split('|'),
        );
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let mut cut = 0;
        for _ in 0..20_000 {
            let length = random.below(14);
            let sql: std::string::String = (0..length).map(|_| pieces[random.below(pieces.len())]).collect();
            for flavor in FLAVORS {
                match tokens(&sql, flavor) {
                    Ok(found) => {
                        let texts: std::string::String = found.iter().map(|t| t.text).collect();
                        assert_eq!(texts, sql, "{flavor:?}");
                        assert!(found.iter().all(|t| &sql[t.start..t.end()] == t.text));
                        assert!(found.iter().all(|t| !t.text.is_empty()));
                        cut += 1;
                    }
                    Err(error) => assert!(sql.is_char_boundary(error.offset), "{sql}"),
                }
                // Statements leave out separators, white space and comments, and nothing else.
                if let Ok(parts) = statements(&sql, flavor) {
                    let offset = |text: &str| text.as_ptr().addr() - sql.as_ptr().addr();
                    let mut left_out = significant(&sql, flavor).unwrap();
                    left_out.retain(|token| {
                        let kept = |part: &&str| (offset(part)..offset(part) + part.len()).contains(&token.start);
                        !token.is_symbol(";") && !parts.iter().any(kept)
                    });
                    assert_eq!(left_out, [], "{sql:?} on {flavor:?}");
                }
            }
        }
        assert!(cut > 10_000, "most texts end in an error: {cut}");
    }

    #[test]
    fn statements_come_without_what_is_around_them() {
        for flavor in FLAVORS {
            let script = "-- first\n ;; BEGIN;\n/* second */ SELECT ';' -- third;\n ; COMMIT ; -- last";
            let expected = Ok(vec!["BEGIN", "SELECT ';'", "COMMIT"]);
            assert_eq!(statements(script, flavor), expected, "{flavor:?}");
            assert_eq!(statements("\u{feff} -- nothing", flavor), Ok(vec![]));
        }
    }

    #[test]
    fn only_what_creates_a_routine_has_a_body() {
        for flavor in FLAVORS {
            for script in [
                ["BEGIN", "CREATE TABLE t (a INT)", "END"],
                ["DROP TRIGGER IF EXISTS x", "BEGIN", "SELECT CASE WHEN a THEN b END FROM t"],
                ["CREATE VIEW x AS SELECT 1", "START TRANSACTION", "COMMIT"],
            ] {
                assert_eq!(statements(&script.join("; "), flavor), Ok(script.to_vec()));
            }
        }
        let script = "ALTER EVENT e ENABLE; DO SLEEP(1); CREATE FUNCTION f RETURNS INTEGER SONAME 'f.so'; BEGIN";
        assert_eq!(statements(script, MySql).unwrap().len(), 4);
        let script = "CREATE DEFINER=CURRENT_USER() SQL SECURITY INVOKER VIEW v AS SELECT event FROM t; BEGIN";
        assert_eq!(statements(script, MySql).unwrap().len(), 2);
    }

    #[test]
    fn sqlite_trigger_bodies_stay_whole() {
        for statement in [
            "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END",
            "create temp trigger if not exists x after update of a on t for each row when CASE new.a WHEN 1 THEN 0 END
             begin
               update t set b = CASE WHEN new.end THEN 'x;' ELSE begin END WHERE id = new.id;
               SELECT RAISE(ABORT, 'no'); -- ; END;
             end",
        ] {
            assert_whole(Sqlite, statement);
        }
    }

    #[test]
    fn postgres_bodies_stay_whole() {
        for statement in [
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END; $$",
            "CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql
             BEGIN ATOMIC SELECT CASE WHEN a > 1 THEN 1 ELSE t.end END FROM t; SELECT 1 AS end; END",
            "CREATE PROCEDURE p() BEGIN ATOMIC INSERT INTO t VALUES (1); END",
            "CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO u VALUES (1); DELETE FROM v)",
            "CREATE CONSTRAINT TRIGGER x AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        ] {
            assert_whole(Postgres, statement);
        }
    }

    #[test]
    fn mysql_bodies_stay_whole() {
        for statement in [
            "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET NEW.a = IF(NEW.b, REPEAT('x', 2), CASE 1 WHEN 1 THEN 2 END)",
            "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW FOLLOWS y IF NEW.a THEN SET NEW.b = 1; END IF",
            "CREATE DEFINER=`root`@`localhost` TRIGGER x BEFORE UPDATE ON t FOR EACH ROW
             BEGIN
               IF NOT (NEW.a <=> OLD.a) THEN
                 SET NEW.b = CASE WHEN NEW.a THEN 'public' ELSE IF(OLD.b = 1, 'x', 'y') END;
               ELSEIF NEW.c THEN
                 SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'a; b';
               ELSE IF NEW.d THEN SET NEW.e = 1; END IF;
               END IF;
             END",
            "/*!50003 CREATE*/ /*!50017 DEFINER=`root`@`%`*/ /*!50003 TRIGGER x BEFORE INSERT ON t FOR EACH ROW
             BEGIN SET NEW.a = 1; END */",
            "CREATE DEFINER = 'root'@'10.0.0.1' PROCEDURE p(IN a ENUM('x', 'y'))
             COMMENT 'begin;' MODIFIES SQL DATA SQL SECURITY INVOKER
             BEGIN
               DECLARE done INT DEFAULT 0;
               DECLARE c CURSOR FOR SELECT begin, end FROM spans WHERE end > 1;
               DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = IF(done, 1, 1);
               DECLARE EXIT HANDLER FOR 1051, SQLEXCEPTION BEGIN ROLLBACK; RESIGNAL; END;
               DROP TABLE IF EXISTS u;
               outermost: LOOP
                 FETCH c INTO x, y;
                 IF done THEN LEAVE outermost; END IF;
                 WHILE x < y DO SET x = x + 1; DO IF(x, 1, 2); END WHILE;
                 REPEAT SET x = x - 1; UNTIL x < CASE y WHEN 1 THEN 2 END END REPEAT;
                 CASE x WHEN 1 THEN BEGIN END; ELSE SET y = CASE WHEN x THEN IF(x, 1, 2) END; END CASE;
                 BEGIN UPDATE spans SET end = 1, begin = 2; END;
               END LOOP outermost;
             END",
            "CREATE PROCEDURE p() IF EXISTS (SELECT 1 FROM t) THEN DELETE FROM t; END IF",
            "CREATE FUNCTION f(a INT) RETURNS VARCHAR(9) CHARACTER SET utf8mb4 DETERMINISTIC RETURN IF(a, 'x', 'y')",
            "CREATE FUNCTION f(a INT) RETURNS SET('a', 'b') READS SQL DATA work: BEGIN RETURN 'a'; END work",
            "CREATE EVENT IF NOT EXISTS e ON SCHEDULE EVERY 1 DAY DO BEGIN DELETE FROM t; DELETE FROM u; END",
            "ALTER EVENT e DO BEGIN DELETE FROM t; END",
            "CREATE OR REPLACE PROCEDURE p() FOR i IN 1..10 DO INSERT INTO t VALUES (i); END FOR",
            "BEGIN NOT ATOMIC IF @a THEN SELECT 1; END IF; END",
        ] {
            assert_whole(MySql, statement);
        }
    }

    #[test]
    fn what_cannot_be_split_is_an_error() {
        let what = "a body without its `END`";
        for (flavor, script) in [
            (MySql, "DROP TRIGGER x; CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW BEGIN SET @a = 1;"),
            (Sqlite, "DROP TRIGGER x; CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1;"),
            (Postgres, "DROP TRIGGER x; CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1;"),
        ] {
            assert_eq!(statements(script, flavor), Err(LexError { offset: 16, what }));
        }
        let error = statements("SELECT 1;\ndelimiter //\nSELECT 2 //", MySql).unwrap_err();
        assert_eq!(error.offset, 10);
        assert!(error.what.contains("`DELIMITER`"));
        assert!(statements("delimiter", Sqlite).is_ok());
    }
}
