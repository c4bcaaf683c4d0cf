//! A reading head over the tokens of one statement.

use super::lex::{Token, TokenKind};

/// The tokens that are left to read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'t, 's> {
    tokens: &'t [Token<'s>],
}

impl<'t, 's> Cursor<'t, 's> {
    pub(crate) fn new(tokens: &'t [Token<'s>]) -> Self {
        Self { tokens }
    }

    pub(crate) fn rest(&self) -> &'t [Token<'s>] {
        self.tokens
    }

    pub(crate) fn is_done(&self) -> bool {
        self.tokens.is_empty()
    }

    pub(crate) fn peek(&self) -> Option<&'t Token<'s>> {
        self.tokens.first()
    }

    pub(crate) fn next(&mut self) -> Option<&'t Token<'s>> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    /// Whether these words come next.
    pub(crate) fn at(&self, words: &[&str]) -> bool {
        self.tokens.len() >= words.len() && words.iter().zip(self.tokens).all(|(word, token)| token.is_word(word))
    }

    /// Whether one of these words comes next.
    pub(crate) fn at_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.at(&[word]))
    }

    /// Takes these words, where they come next.
    pub(crate) fn eat(&mut self, words: &[&str]) -> bool {
        let found = self.at(words);
        if found {
            self.tokens = &self.tokens[words.len()..];
        }
        found
    }

    /// Takes one of these words, where it comes next.
    pub(crate) fn eat_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.eat(&[word]))
    }

    pub(crate) fn eat_symbol(&mut self, symbol: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is_symbol(symbol));
        if found {
            self.next();
        }
        found
    }

    /// Takes `IF EXISTS` or `IF NOT EXISTS`.
    pub(crate) fn eat_if_exists(&mut self) {
        let _ = self.eat(&["if", "not", "exists"]) || self.eat(&["if", "exists"]);
    }

    /// Takes a name, with its schema where it has one.
    pub(crate) fn name(&mut self) -> Option<String> {
        let mut name = self.peek().filter(|token| is_name(token))?.identifier()?;
        self.next();
        while self.tokens.len() > 1 && self.tokens[0].is_symbol(".") && is_name(&self.tokens[1]) {
            name = format!("{name}.{}", self.tokens[1].identifier()?);
            self.tokens = &self.tokens[2..];
        }
        Some(name)
    }

    /// Takes what stands in parentheses, where they come next.
    pub(crate) fn parenthesized(&mut self) -> Option<Cursor<'t, 's>> {
        if !self.peek()?.is_symbol("(") {
            return None;
        }
        let mut depth = 0_usize;
        for (at, token) in self.tokens.iter().enumerate() {
            if token.is_symbol("(") {
                depth += 1;
            } else if token.is_symbol(")") {
                depth -= 1;
                if depth == 0 {
                    let inner = &self.tokens[1..at];
                    self.tokens = &self.tokens[at + 1..];
                    return Some(Cursor::new(inner));
                }
            }
        }
        None
    }

    /// Takes what is left up to the next comma that nothing encloses, and the comma.
    pub(crate) fn item(&mut self) -> Option<Cursor<'t, 's>> {
        if self.is_done() {
            return None;
        }
        let mut depth = 0_i32;
        let end = self.tokens.iter().position(|token| {
            let opens = token.is_symbol("(") || token.is_symbol("[");
            let closes = token.is_symbol(")") || token.is_symbol("]");
            depth += i32::from(opens) - i32::from(closes);
            depth == 0 && token.is_symbol(",")
        });
        let end = end.unwrap_or(self.tokens.len());
        let item = Cursor::new(&self.tokens[..end]);
        self.tokens = self.tokens.get(end + 1..).unwrap_or_default();
        Some(item)
    }

    /// The names in a list of columns; empty where one of them is an expression.
    pub(crate) fn column_list(mut self) -> Vec<String> {
        let mut columns = Vec::new();
        while let Some(mut item) = self.item() {
            // `name(10)` is a prefix on MySQL; `lower(name)` is an expression, and so is anything else in parentheses.
            let Some(name) = item.name() else { return Vec::new() };
            if let Some(mut inside) = item.parenthesized() {
                let prefix = inside.next().is_some_and(|token| token.kind == TokenKind::Number);
                if !prefix || !inside.is_done() {
                    return Vec::new();
                }
            }
            if item.peek().is_some_and(|token| token.kind == TokenKind::Symbol) {
                return Vec::new();
            }
            columns.push(name);
        }
        columns
    }

    /// Whether a word stands anywhere in what is left.
    pub(crate) fn has_word(&self, word: &str) -> bool {
        self.tokens.iter().any(|token| token.is_word(word))
    }

    /// The function that is called somewhere in what is left, other than those named.
    pub(crate) fn calls(&self, besides: &[&str]) -> Option<String> {
        self.tokens.windows(2).find_map(|pair| {
            let called = is_name(&pair[0]) && pair[1].is_symbol("(");
            let name = pair[0].identifier().filter(|_| called)?.to_lowercase();
            (!besides.contains(&name.as_str())).then_some(name)
        })
    }

    /// What is left, as text with single spaces, in lower case.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for token in self.tokens {
            let glued = matches!(token.text, "(" | ")" | "," | ".") || text.ends_with(['(', '.']) || text.is_empty();
            if !glued {
                text.push(' ');
            }
            text.push_str(&token.text.to_lowercase());
        }
        text
    }
}

fn is_name(token: &Token<'_>) -> bool {
    matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdentifier)
}
