//! As much of Rust's grammar as the layout needs: names, paths and `mod`, without comments and texts.

/// A file, as its tokens.
pub(super) struct Source {
    tokens: Vec<Token>,
}

struct Token {
    text: String,
    line: usize,
}

/// A path that begins at `crate`, `super` or `self`, made absolute; the root is the empty path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) line: usize,
    pub(super) path: Vec<String>,
}

impl Source {
    pub(super) fn read(text: &str) -> Self {
        Self { tokens: tokens(text) }
    }

    /// The lines where a run of tokens begins that `matches`.
    pub(super) fn lines_with(&self, matches: impl Fn(&[&str]) -> bool) -> Vec<usize> {
        (0..self.tokens.len())
            .filter(|at| matches(&[self.text(*at), self.text(at + 1), self.text(at + 2)]))
            .map(|at| self.tokens[at].line)
            .collect()
    }

    /// The paths that begin at `crate`, `super` or `self`, in the file that is `module`.
    pub(super) fn references(&self, module: &[String]) -> Vec<Reference> {
        let mut found = Vec::new();
        self.walk(module, |at, module| {
            let begins = at == 0 || self.text(at - 1) != "::";
            if begins && matches!(self.text(at), "crate" | "super" | "self") && self.text(at + 1) == "::" {
                self.path(at, module.to_vec(), &mut found)
            } else {
                if self.text(at) == "use" && self.text(at + 1) == "crate" && self.text(at + 2) == "as" {
                    found.push(Reference { line: self.tokens[at].line, path: Vec::new() });
                }
                at + 1
            }
        });
        found
    }

    /// The modules that live in other files, by their absolute paths.
    pub(super) fn declared_modules(&self, module: &[String]) -> Vec<Vec<String>> {
        let mut found = Vec::new();
        self.walk(module, |at, module| {
            if self.text(at) == "mod" && self.text(at + 2) == ";" {
                let mut declared = module.to_vec();
                declared.push(self.text(at + 1).to_owned());
                found.push(declared);
            }
            at + 1
        });
        found
    }

    /// Goes through the tokens with the module that each is in; `visit` says where to go on.
    fn walk(&self, file: &[String], mut visit: impl FnMut(usize, &[String]) -> usize) {
        let mut module = file.to_vec();
        // The brace depths at which inline modules were opened.
        let mut opened = Vec::new();
        let mut depth = 0_usize;
        let mut at = 0;
        while at < self.tokens.len() {
            match self.text(at) {
                "{" => {
                    if at >= 2 && self.text(at - 2) == "mod" {
                        module.push(self.text(at - 1).to_owned());
                        opened.push(depth);
                    }
                    depth += 1;
                }
                "}" => {
                    depth = depth.saturating_sub(1);
                    if opened.last() == Some(&depth) {
                        opened.pop();
                        module.pop();
                    }
                }
                _ => {}
            }
            at = visit(at, &module);
        }
    }

    /// Reads a path, or every path of a group, from `at` on; gives the position after it.
    fn path(&self, mut at: usize, mut path: Vec<String>, found: &mut Vec<Reference>) -> usize {
        let line = self.tokens[at].line;
        loop {
            match self.text(at) {
                "{" => {
                    at += 1;
                    while !matches!(self.text(at), "}" | "") {
                        at = self.path(at, path.clone(), found);
                        // `as` gives a leaf another name.
                        while !matches!(self.text(at), "," | "}" | "") {
                            at += 1;
                        }
                        if self.text(at) == "," {
                            at += 1;
                        }
                    }
                    return at + 1;
                }
                "crate" => path.clear(),
                "super" => drop(path.pop()),
                "self" => {}
                name => path.push(name.to_owned()),
            }
            at += 1;
            let goes_on = self.text(at) == "::" && is_segment(self.text(at + 1));
            if !goes_on {
                found.push(Reference { line, path });
                return at;
            }
            at += 1;
        }
    }

    /// The text of a token; empty past the end.
    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.text)
    }
}

/// Says whether a path goes on with this, and not with the arguments of a generic.
fn is_segment(text: &str) -> bool {
    text == "{" || text == "*" || text.starts_with(is_name_character)
}

fn is_name_character(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn tokens(source: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = source;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let (length, is_token) = if let Some(length) = skipped(rest) {
            (length, false)
        } else if is_name_character(first) {
            (rest.find(|character| !is_name_character(character)).unwrap_or(rest.len()), true)
        } else if rest.starts_with("::") {
            (2, true)
        } else {
            (first.len_utf8(), !first.is_whitespace())
        };
        if is_token {
            found.push(Token { text: rest[..length].to_owned(), line });
        }
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    found
}

/// The length of the comment, text, character or lifetime that `rest` begins with.
fn skipped(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    // The letters that may stand before a text; `r#name` is a name, and is read as `r`, `#` and the name.
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        rest.strip_prefix(prefix).is_some_and(|rest| {
            let raw = prefix.ends_with('r');
            rest.starts_with('"') || (raw && rest.trim_start_matches('#').starts_with('"') && rest.starts_with('#'))
        })
    });
    if let Some(prefix) = prefix {
        let text = &rest[prefix.len()..];
        let length = if prefix.ends_with('r') { raw_text(text) } else { text_until(text, '"') };
        return Some(prefix.len() + length);
    }
    if rest.starts_with("b'") {
        return Some(1 + text_until(&rest[1..], '\''));
    }
    if let Some(after) = rest.strip_prefix('\'') {
        let mut characters = after.chars();
        let (first, second) = (characters.next()?, characters.next());
        return Some(if first == '\\' || second == Some('\'') {
            text_until(rest, '\'')
        } else {
            1 + after.find(|character| !is_name_character(character)).unwrap_or(after.len())
        });
    }
    None
}

/// Comments nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn raw_text(text: &str) -> usize {
    let hashes = text.len() - text.trim_start_matches('#').len();
    let end = format!("\"{}", "#".repeat(hashes));
    text[hashes + 1..].find(&end).map_or(text.len(), |at| hashes + 1 + at + end.len())
}

/// The length of a text in which a backslash takes the next character's meaning away.
fn text_until(text: &str, quote: char) -> usize {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        if character == '\\' {
            characters.next();
        } else if character == quote {
            return at + quote.len_utf8();
        }
    }
    text.len()
}
