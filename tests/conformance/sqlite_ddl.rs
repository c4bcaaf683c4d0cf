//! Reads the text of a CREATE TABLE, which is the only place where SQLite keeps checks and the names of constraints.

/// The constraints that no pragma tells, or tells without their names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Constraints {
    pub(crate) checks: Vec<(Option<String>, String)>,
    pub(crate) uniques: Vec<(Option<String>, Vec<String>)>,
    pub(crate) foreign_keys: Vec<(Option<String>, Vec<String>)>,
    pub(crate) autoincrement: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// A keyword, a number, or a name that is not quoted.
    Word(String),
    /// A quoted name, without its quotes.
    Name(String),
    /// A string or a blob, as it is written.
    Literal(String),
    Mark(char),
}

impl Token {
    fn is(&self, keyword: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(keyword))
    }

    fn name(&self) -> String {
        match self {
            Self::Word(text) | Self::Name(text) | Self::Literal(text) => text.clone(),
            Self::Mark(mark) => mark.to_string(),
        }
    }
}

/// Writes an expression so that two which differ in spaces, quoted names or capitals alone are the same text.
pub(crate) fn normalised(sql: &str) -> String {
    write(&tokens(sql))
}

/// Finds the constraints in a CREATE TABLE statement.
pub(crate) fn constraints(create_table: &str) -> Constraints {
    let tokens = tokens(create_table);
    let Some(open) = tokens.iter().position(|token| *token == Token::Mark('(')) else {
        return Constraints::default();
    };
    let body = &tokens[open + 1..closing(&tokens, open)];
    let mut found = Constraints::default();
    for item in split(body) {
        read_item(item, &mut found);
    }
    found
}

/// Reads one column definition or one constraint of the table.
fn read_item(item: &[Token], found: &mut Constraints) {
    let Some(first) = item.first() else { return };
    let of_table = ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"].iter().any(|word| first.is(word));
    let column = (!of_table).then(|| first.name());
    let mut name = None;
    let mut at = usize::from(column.is_some());
    while let Some(token) = item.get(at) {
        // The columns in the parentheses that follow, or the one that the constraint is written on.
        let columns = |at: usize| match &column {
            Some(column) => vec![column.clone()],
            None => split(inside(item, at)).iter().filter_map(|part| part.first()).map(Token::name).collect(),
        };
        if token.is("CONSTRAINT") {
            name = item.get(at + 1).map(Token::name);
            at += 2;
            continue;
        } else if token.is("CHECK") {
            found.checks.push((name.take(), write(inside(item, at + 1))));
        } else if token.is("UNIQUE") {
            found.uniques.push((name.take(), columns(at + 1)));
        } else if token.is("FOREIGN") {
            found.foreign_keys.push((name.take(), columns(at + 2)));
        } else if token.is("REFERENCES") && column.is_some() {
            found.foreign_keys.push((name.take(), columns(at)));
        } else if token.is("PRIMARY") || token.is("NOT") || token.is("NULL") || token.is("DEFAULT") {
            name = None;
        } else if token.is("AUTOINCREMENT") {
            found.autoincrement = true;
        }
        at = if *token == Token::Mark('(') { closing(item, at) + 1 } else { at + 1 };
    }
}

/// What stands between the parenthesis at `open` and its partner; nothing when there is none.
fn inside(tokens: &[Token], open: usize) -> &[Token] {
    if tokens.get(open) == Some(&Token::Mark('(')) { &tokens[open + 1..closing(tokens, open)] } else { &[] }
}

/// The position of the parenthesis that closes the one at `open`.
fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Mark('(') => depth += 1,
            Token::Mark(')') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len()
}

/// Splits at the commas that are in no parentheses.
fn split(tokens: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0;
    tokens
        .split(|token| {
            match token {
                Token::Mark('(') => depth += 1,
                Token::Mark(')') => depth -= 1,
                _ => {}
            }
            depth == 0 && *token == Token::Mark(',')
        })
        .collect()
}

fn write(tokens: &[Token]) -> String {
    let mut text = String::new();
    for (at, token) in tokens.iter().enumerate() {
        let glued = at == 0 || matches!(tokens[at - 1], Token::Mark('(')) || matches!(token, Token::Mark(')' | ','));
        if !glued {
            text.push(' ');
        }
        match token {
            Token::Literal(literal) => text.push_str(literal),
            other => text.push_str(&other.name().to_lowercase()),
        }
    }
    text
}

fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("--") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(close) = match first {
            '"' | '`' | '\'' => Some(first),
            '[' => Some(']'),
            _ => None,
        } {
            let (text, length) = quoted(rest, close);
            tokens.push(if first == '\'' { Token::Literal(rest[..length].to_owned()) } else { Token::Name(text) });
            length
        } else if first.is_alphanumeric() || first == '_' {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$' | '.'))).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            end
        } else {
            if !first.is_whitespace() {
                tokens.push(Token::Mark(first));
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// Reads a quoted text, in which the closing quote is written twice: what it says, and how long it is with its quotes.
fn quoted(sql: &str, close: char) -> (String, usize) {
    let mut text = String::new();
    let mut characters = sql.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character != close {
            text.push(character);
        } else if characters.peek().is_some_and(|(_, next)| *next == close) {
            text.push(close);
            characters.next();
        } else {
            return (text, at + close.len_utf8());
        }
    }
    (text, sql.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_constraint_and_its_name() {
        let found = constraints(
            r#"CREATE TABLE "images" (
                id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
                is_public BOOLEAN NOT NULL CHECK (is_public IN (0, 1)), -- CHECK (no)
                size DECIMAL(10, 0) CONSTRAINT positive CHECK ("size" > 0) UNIQUE,
                owner VARCHAR(255) DEFAULT 'CHECK (''no'')' REFERENCES owners (id),
                CONSTRAINT uq_a UNIQUE (owner, [size]),
                UNIQUE (owner),
                CONSTRAINT fk_b FOREIGN KEY(`owner`, size) REFERENCES b (x, y) ON DELETE CASCADE,
                CHECK (owner <> 'A')
            )"#,
        );
        let name = |name: &str| Some(name.to_owned());
        let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            found,
            Constraints {
                checks: vec![
                    (None, "is_public in (0, 1)".to_owned()),
                    (name("positive"), "size > 0".to_owned()),
                    (None, "owner < > 'A'".to_owned()),
                ],
                uniques: vec![
                    (None, columns(&["size"])),
                    (name("uq_a"), columns(&["owner", "size"])),
                    (None, columns(&["owner"])),
                ],
                foreign_keys: vec![(None, columns(&["owner"])), (name("fk_b"), columns(&["owner", "size"]))],
                autoincrement: true,
            }
        );
    }

    #[test]
    fn spaces_quotes_and_capitals_of_names_do_not_count() {
        assert_eq!(normalised("`is_public` in (0,1)"), normalised("is_public  IN (0, 1)"));
        assert_ne!(normalised("a = 'X'"), normalised("a = 'x'"));
    }
}
