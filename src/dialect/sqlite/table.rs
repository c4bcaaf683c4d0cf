//! Edits the text of a `CREATE TABLE` as `sqlite_master` keeps it.
//!
//! SQLite's `ALTER TABLE` can do little, so a table is rebuilt from a changed copy of its own text. Building that text
//! anew from the catalog would lose what the catalog does not tell: comments, unnamed checks, collations, conflict
//! clauses. So this room changes only the bytes that a change is about, and may know no more of the grammar
//! (<https://sqlite.org/lang_createtable.html>) than where a definition or a clause starts and ends. Its invariants:
//! - What no edit touched is byte for byte what it was.
//! - Every stretch of white space and comments that is kept as one string contains the line break of each `--` comment
//!   in it, so nothing put behind it lands in the comment.
//! - What cannot be told apart is refused.
//!
//! The file is long because reading and editing share one idea of where a clause ends, and no one else needs it.

use std::fmt;
use std::ops::Range;

use super::lex::{self, Flavor, Token, TokenKind};

/// The definition of one table.
#[derive(Debug, Clone)]
pub(in crate::dialect) struct CreateTable {
    /// Everything up to the `(` and with it.
    head: String,
    name: String,
    /// Where the name stands in `head`.
    name_range: Range<usize>,
    items: Vec<Item>,
    /// Everything from the `)` on.
    tail: String,
}

/// A `CHECK` of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::dialect) struct CheckText {
    /// The name that `CONSTRAINT` gives it.
    pub(in crate::dialect) name: Option<String>,
    /// The text between its parentheses.
    pub(in crate::dialect) expression: String,
    /// The columns of the table that it names, as they are declared, each once.
    pub(in crate::dialect) columns: Vec<String>,
}

/// What could not be done, and why.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::dialect) struct EditError(pub(in crate::dialect) String);

impl fmt::Display for EditError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for EditError {}

impl CreateTable {
    /// Reads a definition.
    ///
    /// # Errors
    /// The text is not a `CREATE TABLE` with a list of columns.
    pub(in crate::dialect) fn parse(sql: &str) -> Result<Self, EditError> {
        let unreadable = |why: &str| EditError(format!("read a table definition: {why}"));
        let tokens = lex::significant(sql, Flavor::Sqlite).map_err(|error| unreadable(&error.to_string()))?;
        let (name_token, open) = header(&tokens).map_err(unreadable)?;
        let close = group_end(&tokens, open).ok_or_else(|| unreadable("a `(` is not closed"))?;
        let mut items: Vec<Item> = Vec::new();
        let mut trivia = tokens[open].end();
        let mut first = open + 1;
        while first <= close {
            let end = item_end(&tokens, first);
            let pieces = if starts_table_constraint(&tokens[first]) {
                // SQLite lets the commas between table constraints be left out.
                clauses(&tokens[first..end]).iter().map(Clause::range).collect()
            } else {
                span(&tokens[first..end]).into_iter().collect::<Vec<_>>()
            };
            if pieces.is_empty() {
                return Err(unreadable("a definition is missing beside a comma"));
            }
            for piece in pieces {
                let mut lead = &sql[trivia..piece.start];
                if let (Some(previous), (same_line, rest)) = (items.last_mut(), split_line(lead))
                    && !same_line.is_empty()
                {
                    previous.after = format!("{same_line}\n");
                    lead = &rest[1..];
                }
                trivia = piece.end;
                items.push(Item { lead: lead.to_owned(), text: sql[piece].to_owned(), ..Item::default() });
            }
            if let Some(last) = items.last_mut() {
                sql[trivia..tokens[end].start].clone_into(&mut last.trail);
                last.comma = end < close;
            }
            trivia = tokens[end].end();
            first = end + 1;
        }
        Ok(Self {
            head: sql[..tokens[open].end()].to_owned(),
            name: name_of(&tokens[name_token]).ok_or_else(|| unreadable("it has no name"))?,
            name_range: tokens[name_token].start..tokens[name_token].end(),
            items,
            tail: sql[tokens[close].start..].to_owned(),
        })
    }

    /// Returns the table's name.
    #[cfg(test)]
    pub(in crate::dialect) fn name(&self) -> String {
        self.name.clone()
    }

    /// Returns the names of the columns, in order.
    #[must_use]
    pub(in crate::dialect) fn columns(&self) -> Vec<String> {
        self.items.iter().filter_map(Item::column).collect()
    }

    /// Returns the `CHECK`s of columns and of the table, in the order of the text.
    #[must_use]
    pub(in crate::dialect) fn checks(&self) -> Vec<CheckText> {
        let columns = self.columns();
        self.each_clause(|item, clause| {
            let expression = (clause.kind == Kind::Check).then(|| group(clause.body))?;
            Some(CheckText {
                name: clause.name.clone(),
                expression: span(expression).map_or(String::new(), |range| item.text[range].to_owned()),
                columns: columns_named(expression, &columns),
            })
        })
    }

    /// Returns the names of the foreign keys of columns and of the table, in the order of the text.
    #[must_use]
    pub(in crate::dialect) fn foreign_key_names(&self) -> Vec<Option<String>> {
        self.each_clause(|_, clause| (clause.kind == Kind::ForeignKey).then(|| clause.name.clone()))
    }

    /// Tells whether a key is `AUTOINCREMENT`.
    #[must_use]
    pub(in crate::dialect) fn autoincrement(&self) -> bool {
        let words = self.each_clause(|_, clause| {
            (clause.kind == Kind::PrimaryKey).then(|| clause.body.iter().any(|token| token.is_word("AUTOINCREMENT")))
        });
        words.contains(&true)
    }

    /// Tells whether the table is `WITHOUT ROWID`.
    #[must_use]
    pub(in crate::dialect) fn without_rowid(&self) -> bool {
        let options = lex::significant(&self.tail, Flavor::Sqlite).unwrap_or_default();
        options.windows(2).any(|pair| pair[0].is_word("WITHOUT") && pair[1].is_word("ROWID"))
    }

    /// Gives the table another name. Where a check or a generated column qualifies a column with the old one, the column stands
    /// alone from then on: a rebuilt table takes the old name again, and that rename leaves such expressions as they are.
    ///
    /// Foreign keys from the table to itself keep the old name: a rebuilt table takes it again.
    pub(in crate::dialect) fn rename(&mut self, new_name: &str) {
        let quoted = quote(new_name);
        for item in &mut self.items {
            let tokens = item.tokens();
            let qualified: Vec<_> = clauses(&tokens)
                .iter()
                .filter(|clause| matches!(clause.kind, Kind::Check | Kind::Generated))
                .flat_map(|clause| qualified(clause.body, &self.name))
                .collect();
            for (range, column) in qualified.into_iter().rev() {
                item.text.replace_range(range, &column);
            }
        }
        self.head.replace_range(self.name_range.clone(), &quoted);
        self.name_range.end = self.name_range.start + quoted.len();
        new_name.clone_into(&mut self.name);
    }

    /// Adds a `NOT NULL`, or removes every one with its name and its conflict clause.
    ///
    /// # Errors
    /// There is no such column.
    pub(in crate::dialect) fn set_not_null(&mut self, column: &str, not_null: bool) -> Result<(), EditError> {
        let index = self.position(column)?;
        let item = &mut self.items[index];
        let present = item.ranges(Kind::NotNull);
        if !not_null {
            item.cut(present);
        } else if present.is_empty() {
            // An explicit `NULL` has no effect in SQLite, and would contradict.
            let place = item.ranges(Kind::Null).pop().unwrap_or_else(|| item.type_end()..item.type_end());
            item.put(place, "NOT NULL");
        }
        Ok(())
    }

    /// Replaces, adds or removes a column's default. The text is SQL, in parentheses where SQLite asks for them.
    ///
    /// # Errors
    /// There is no such column, it is generated, or the text has an open end.
    pub(in crate::dialect) fn set_default(&mut self, column: &str, default: Option<&str>) -> Result<(), EditError> {
        let index = self.position(column)?;
        let refuse = |why: String| EditError(format!("set the default of `{column}` in table `{}`: {why}", self.name));
        let default = default.map(trimmed).transpose().map_err(|error| refuse(error.to_string()))?;
        let item = &mut self.items[index];
        if default.is_some() && !item.ranges(Kind::Generated).is_empty() {
            return Err(refuse("the column is generated".to_owned()));
        }
        let present = item.ranges(Kind::Default);
        match (default, present.last()) {
            (None, _) => item.cut(present),
            // Of several, SQLite takes the last.
            (Some(text), Some(last)) => {
                let value = item.default_value().unwrap_or_else(|| last.clone());
                item.put(value, text);
            }
            (Some(text), None) => {
                let place = item.ranges(Kind::NotNull).last().map_or(item.type_end(), |range| range.end);
                item.put(place..place, &format!("DEFAULT {text}"));
            }
        }
        Ok(())
    }

    /// Replaces a column's type.
    ///
    /// # Errors
    /// There is no such column.
    pub(in crate::dialect) fn set_type(&mut self, column: &str, type_name: &str) -> Result<(), EditError> {
        let index = self.position(column)?;
        let item = &mut self.items[index];
        let tokens = item.tokens();
        let place = span(&tokens[1..type_length(&tokens)]).unwrap_or(tokens[0].end()..tokens[0].end());
        item.put(place, type_name);
        Ok(())
    }

    /// Returns the labels that a check keeps a column's values to: `status IN ('queued', 'active')`; `None` without one.
    ///
    /// # Errors
    /// Several checks do, or one in another way.
    pub(in crate::dialect) fn labels(&self, column: &str) -> Result<Option<Vec<String>>, EditError> {
        Ok(self.list_of_labels(column)?.map(|list| list.values))
    }

    /// Adds a label behind the last that a check keeps a column's values to; the text is SQL.
    ///
    /// # Errors
    /// There is no such check.
    pub(in crate::dialect) fn add_label(&mut self, column: &str, label: &str) -> Result<(), EditError> {
        let missing =
            || EditError(format!("find the check that lists the values of `{column}` in table `{}`", self.name));
        let list = self.list_of_labels(column)?.ok_or_else(missing)?;
        self.items[list.item].text.insert_str(list.end, &format!(", {label}"));
        Ok(())
    }

    fn list_of_labels(&self, column: &str) -> Result<Option<Labels>, EditError> {
        let mut lists = Vec::new();
        for (index, item) in self.items.iter().enumerate() {
            let tokens = item.tokens();
            for clause in clauses(&tokens).iter().filter(|clause| clause.kind == Kind::Check) {
                lists.extend(Labels::all(index, group(clause.body), column));
            }
        }
        let list = lists.pop();
        if !lists.is_empty() {
            return Err(EditError(format!(
                "several checks of table `{}` list values of `{column}`; drop_constraint and add_check",
                self.name
            )));
        }
        let unclear = |check: &CheckText| {
            let words = lex::significant(&check.expression, Flavor::Sqlite).unwrap_or_default();
            check.columns.iter().any(|name| name.eq_ignore_ascii_case(column))
                && words.iter().any(|word| word.is_word("IN"))
        };
        if list.is_none()
            && let Some(check) = self.checks().iter().find(|check| unclear(check))
        {
            return Err(EditError(format!(
                "`CHECK ({})` of table `{}` lists no plain values of `{column}`; drop_constraint and add_check",
                one_line(&check.expression),
                self.name
            )));
        }
        Ok(list)
    }

    /// Drops a column, with the constraints that name it alone.
    ///
    /// # Errors
    /// There is no such column; it is the only one; or it belongs to the primary key, to a constraint with other
    /// columns, or to a generated column.
    pub(in crate::dialect) fn drop_column(&mut self, column: &str) -> Result<(), EditError> {
        let target = self.position(column)?;
        let refuse = |why: &str| EditError(format!("drop column `{column}` of table `{}`: {why}", self.name));
        let columns = self.columns();
        if columns.len() == 1 {
            return Err(refuse("it is the only one"));
        }
        let mut dropped = vec![target];
        for (index, item) in self.items.iter().enumerate() {
            let tokens = item.tokens();
            for clause in clauses(&tokens) {
                let named = self.columns_of(item, &clause);
                let others: Vec<_> = named.iter().filter(|name| !name.eq_ignore_ascii_case(column)).collect();
                if named.len() == others.len() {
                    continue;
                }
                if clause.kind == Kind::PrimaryKey {
                    return Err(refuse("it is part of the primary key"));
                }
                // A generated column may go, and one that refers to its own table; what they are made from may not.
                let goes_along = match clause.kind {
                    Kind::Generated => index == target,
                    Kind::ForeignKey => referring(item, &clause).iter().all(|name| name.eq_ignore_ascii_case(column)),
                    _ => false,
                };
                if let Some(other) = others.first()
                    && !goes_along
                {
                    let text = one_line(&item.text[clause.range()]);
                    return Err(refuse(&format!("`{text}` ties it to `{other}`")));
                }
                if index != target {
                    dropped.push(index);
                }
            }
        }
        let is_stored = |item: &Item| item.column().is_some() && item.ranges(Kind::Generated).is_empty();
        if !self.items.iter().enumerate().any(|(index, item)| index != target && is_stored(item)) {
            return Err(refuse("it is the only one that is not generated"));
        }
        dropped.sort_unstable();
        dropped.dedup();
        for index in dropped.into_iter().rev() {
            self.remove(index);
        }
        Ok(())
    }

    /// Adds a column behind the last one, as `ALTER TABLE … ADD COLUMN` does.
    pub(in crate::dialect) fn add_column(&mut self, definition: &str) {
        match self.items.iter().position(|item| item.column().is_none()) {
            Some(constraint) => {
                let lead = self.items[constraint].lead.clone();
                let column = Item { lead, text: definition.to_owned(), comma: true, ..Item::default() };
                self.items.insert(constraint, column);
            }
            None => self.add_constraint(definition),
        }
    }

    /// Appends a table constraint, such as `CONSTRAINT "x" FOREIGN KEY (…) REFERENCES …`.
    pub(in crate::dialect) fn add_constraint(&mut self, definition: &str) {
        let definition = trimmed(definition).unwrap_or(definition);
        let mut added = Item { lead: " ".to_owned(), text: definition.to_owned(), ..Item::default() };
        let before_last = self.items.len().checked_sub(2).and_then(|index| self.items.get(index));
        let own_line = before_last.is_some_and(|item| item.after.ends_with('\n'));
        if let Some(last) = self.items.last_mut() {
            last.comma = true;
            // A comment beside the last definition stays beside it.
            let trail = std::mem::take(&mut last.trail);
            let (same_line, rest) = split_line(&trail);
            if !same_line.is_empty() {
                last.after = format!("{same_line}\n");
            }
            rest.clone_into(&mut added.trail);
            if own_line || last.lead.contains('\n') {
                let line = last.lead.rsplit('\n').next().unwrap_or_default();
                let indent = &line[..line.len() - line.trim_start().len()];
                let line_break = if last.after.is_empty() { "\n" } else { "" };
                added.lead = format!("{line_break}{indent}");
            }
        }
        self.items.push(added);
    }

    /// Drops the constraint of this name, the table's or a column's.
    ///
    /// # Errors
    /// No constraint has the name, or several have.
    pub(in crate::dialect) fn drop_constraint(&mut self, name: &str) -> Result<(), EditError> {
        let mut found = Vec::new();
        for (index, item) in self.items.iter().enumerate() {
            let tokens = item.tokens();
            let named = clauses(&tokens).into_iter().filter(|clause| same(clause.name.as_deref(), name));
            found.extend(named.map(|clause| (index, clause.range(), clause.tokens.len() == tokens.len())));
        }
        match found.pop() {
            None => Err(EditError(format!("find constraint `{name}` in table `{}`", self.name))),
            Some(_) if !found.is_empty() => {
                Err(EditError(format!("drop constraint `{name}` of table `{}`: several have this name", self.name)))
            }
            Some((index, _, true)) => {
                self.remove(index);
                Ok(())
            }
            Some((index, range, false)) => {
                self.items[index].cut(vec![range]);
                Ok(())
            }
        }
    }

    /// Returns the definition.
    #[must_use]
    pub(in crate::dialect) fn to_sql(&self) -> String {
        let mut sql = self.head.clone();
        for item in &self.items {
            let comma = if item.comma { "," } else { "" };
            sql.extend([&item.lead, &item.text, &item.trail, comma, &item.after]);
        }
        sql + &self.tail
    }

    fn each_clause<T>(&self, mut read: impl FnMut(&Item, &Clause<'_>) -> Option<T>) -> Vec<T> {
        let mut found = Vec::new();
        for item in &self.items {
            found.extend(clauses(&item.tokens()).iter().filter_map(|clause| read(item, clause)));
        }
        found
    }

    fn position(&self, column: &str) -> Result<usize, EditError> {
        let found = self.items.iter().position(|item| same(item.column().as_deref(), column));
        found.ok_or_else(|| EditError(format!("find column `{column}` in table `{}`", self.name)))
    }

    /// Returns the columns of this table that a clause is about; one that stands in a column is about that column too.
    fn columns_of(&self, item: &Item, clause: &Clause<'_>) -> Vec<String> {
        let mut named: Vec<_> = item.column().into_iter().collect();
        match clause.kind {
            Kind::Check | Kind::Generated => named.extend(columns_named(group(clause.body), &self.columns())),
            Kind::PrimaryKey | Kind::Unique => named.extend(list(group(clause.body))),
            Kind::ForeignKey => {
                let references = clause.tokens.iter().position(|token| token.is_word("REFERENCES"));
                let (local, parent) = clause.tokens.split_at(references.unwrap_or(clause.tokens.len()));
                named.extend(list(group(local)));
                if same(parent.get(1).and_then(name_of).as_deref(), &self.name) {
                    named.extend(list(group(parent)));
                }
            }
            _ => {}
        }
        named
    }

    fn remove(&mut self, index: usize) {
        let removed = self.items.remove(index);
        let blank = |text: &str| text.trim().is_empty();
        if let Some(next) = self.items.get_mut(index) {
            if blank(&next.lead) && blank(&removed.lead) {
                next.lead = removed.lead;
            }
        } else if let Some(last) = self.items.last_mut() {
            // Its comment goes with the removed one; the line break before the `)` stays.
            let rest = split_line(&removed.trail).1;
            let after = std::mem::take(&mut last.after);
            let rest = if after.is_empty() { rest } else { rest.strip_prefix('\n').unwrap_or(rest) };
            last.trail.push_str(&after);
            last.trail.push_str(rest);
            last.comma = false;
        }
    }
}

/// A column definition or a table constraint, with what stands around it.
#[derive(Debug, Clone, Default)]
struct Item {
    /// White space and comments before it.
    lead: String,
    /// From its first token to its last.
    text: String,
    /// White space and comments behind it.
    trail: String,
    /// Whether a comma follows.
    comma: bool,
    /// The comment behind the comma that shares the line with it, with its line break.
    after: String,
}

impl Item {
    /// Cuts the text into tokens. It was cut once before, so only what [`CreateTable::add_constraint`] was given can be
    /// broken; that has no clauses, then, and SQLite will say what is wrong with it.
    fn tokens(&self) -> Vec<Token<'_>> {
        lex::significant(&self.text, Flavor::Sqlite).unwrap_or_default()
    }

    /// Returns the name of the column that this defines.
    fn column(&self) -> Option<String> {
        self.tokens().first().filter(|first| !starts_table_constraint(first)).and_then(name_of)
    }

    /// Returns the offset behind the column's type.
    fn type_end(&self) -> usize {
        let tokens = self.tokens();
        span(&tokens[..type_length(&tokens)]).map_or(0, |range| range.end)
    }

    fn ranges(&self, kind: Kind) -> Vec<Range<usize>> {
        let tokens = self.tokens();
        clauses(&tokens).iter().filter(|clause| clause.kind == kind).map(Clause::range).collect()
    }

    fn default_value(&self) -> Option<Range<usize>> {
        let tokens = self.tokens();
        span(clauses(&tokens).iter().rfind(|clause| clause.kind == Kind::Default)?.body)
    }

    /// Puts `text` in place of `range`, apart from what stands beside it.
    fn put(&mut self, range: Range<usize>, text: &str) {
        let space = |beside: Option<&u8>| if beside.is_none_or(u8::is_ascii_whitespace) { "" } else { " " };
        let bytes = self.text.as_bytes();
        let before = space(range.start.checked_sub(1).and_then(|index| bytes.get(index)));
        let behind = space(bytes.get(range.end));
        self.text.replace_range(range, &format!("{before}{text}{behind}"));
    }

    /// Removes clauses, each with the white space on one side of it.
    fn cut(&mut self, ranges: Vec<Range<usize>>) {
        for Range { mut start, mut end } in ranges.into_iter().rev() {
            let tokens = lex::tokens(&self.text, Flavor::Sqlite).unwrap_or_default();
            let is_space = |token: &&Token<'_>| token.kind == TokenKind::Space;
            let space_behind = tokens.iter().find(|token| token.start == end).filter(is_space);
            let mut before = tokens.iter().rev().skip_while(|token| token.start >= start);
            let space_before = before.next().filter(is_space);
            // The line break before it may end a comment, and the space before it may be all that is between two words.
            let comment = before.next().is_some_and(|token| token.kind == TokenKind::Comment);
            match (space_before, space_behind) {
                (Some(space), _) if !comment && (space_behind.is_some() || end == self.text.len()) => {
                    start = space.start;
                }
                (_, Some(space)) => end = space.end(),
                _ => {}
            }
            self.text.replace_range(start..end, "");
        }
        // A comment that stood before the last clause is behind the text now.
        let end = span(&self.tokens()).map_or(0, |range| range.end);
        let trivia = self.text.split_off(end);
        self.trail.insert_str(0, &trivia);
    }
}

/// The values that a check lists for a column.
struct Labels {
    /// The definition it is in.
    item: usize,
    /// Where the last of them ends.
    end: usize,
    values: Vec<String>,
}

impl Labels {
    /// Every `column IN ('a', 'b')` of an expression.
    fn all(item: usize, tokens: &[Token<'_>], column: &str) -> Vec<Self> {
        let list = |at: usize| {
            let end = group_end(tokens, at + 2)?;
            let listed = &tokens[at + 3..end];
            let strings: Vec<_> = listed.iter().filter(|token| token.kind == TokenKind::String).collect();
            let only_strings = listed.iter().all(|token| token.kind == TokenKind::String || token.is_symbol(","));
            let value =
                |token: &&Token<'_>| Some(token.text.strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'"));
            let values = strings.iter().map(value).collect::<Option<Vec<_>>>()?;
            (only_strings && !values.is_empty()).then(|| Self { item, end: listed[listed.len() - 1].end(), values })
        };
        let named = |at: &usize| {
            same(tokens[*at].identifier().as_deref(), column)
                && tokens.get(at + 1).is_some_and(|next| next.is_word("IN"))
        };
        (0..tokens.len()).filter(named).filter_map(list).collect()
    }
}

/// What a clause of a column definition, or a table constraint, says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Check,
    Default,
    ForeignKey,
    Generated,
    NotNull,
    Null,
    PrimaryKey,
    Unique,
    Other,
}

/// The words that start a clause. SQLite reserves all but `GENERATED`: without quotes, no type and no name is one.
const CLAUSES: [(&str, Kind); 13] = [
    ("AS", Kind::Generated),
    ("CHECK", Kind::Check),
    ("COLLATE", Kind::Other),
    ("CONSTRAINT", Kind::Other),
    ("DEFAULT", Kind::Default),
    ("DEFERRABLE", Kind::Other),
    ("FOREIGN", Kind::ForeignKey),
    ("GENERATED", Kind::Generated),
    ("NOT", Kind::NotNull),
    ("NULL", Kind::Null),
    ("PRIMARY", Kind::PrimaryKey),
    ("REFERENCES", Kind::ForeignKey),
    ("UNIQUE", Kind::Unique),
];

/// A clause of a column definition, or a table constraint.
struct Clause<'a> {
    kind: Kind,
    name: Option<String>,
    /// All of it, the name included.
    tokens: &'a [Token<'a>],
    /// What is behind its first word.
    body: &'a [Token<'a>],
}

impl Clause<'_> {
    fn range(&self) -> Range<usize> {
        span(self.tokens).unwrap_or_default()
    }
}

/// Tells the kind of the clause that starts at the first token, if one does.
fn clause_kind(tokens: &[Token<'_>]) -> Option<Kind> {
    let next_is = |word: &str| tokens.get(1).is_some_and(|next| next.is_word(word));
    let first = tokens.first()?;
    match CLAUSES.iter().find(|(word, _)| first.is_word(word))?.1 {
        // `NOT DEFERRABLE`.
        Kind::NotNull if !next_is("NULL") => Some(Kind::Other),
        Kind::Generated if first.is_word("GENERATED") && !next_is("ALWAYS") => None,
        kind => Some(kind),
    }
}

/// Cuts a column definition or table constraints into clauses; a column's name and type are left out.
fn clauses<'a>(tokens: &'a [Token<'a>]) -> Vec<Clause<'a>> {
    let mut rest = &tokens[type_length(tokens)..];
    let mut found = Vec::new();
    while !rest.is_empty() {
        let clause = first_clause(rest);
        rest = &rest[clause.tokens.len()..];
        found.push(clause);
    }
    found
}

fn first_clause<'a>(tokens: &'a [Token<'a>]) -> Clause<'a> {
    let named = tokens[0].is_word("CONSTRAINT");
    let keyword = if named { tokens.len().min(2) } else { 0 };
    let name = tokens.get(1).filter(|_| named).and_then(name_of);
    let rest = &tokens[keyword..];
    let kind = clause_kind(rest).unwrap_or(Kind::Other);
    // SQLite accepts a name without a constraint.
    if named && (clause_kind(rest).is_none() || rest[0].is_word("CONSTRAINT")) {
        return Clause { kind: Kind::Other, name, tokens: &tokens[..keyword], body: &[] };
    }
    let mut length = match kind {
        Kind::NotNull => 2,
        Kind::Generated if rest[0].is_word("GENERATED") => 3,
        // A signed value, and a word such as `NULL`, is not the next clause.
        Kind::Default if rest.get(1).is_some_and(|sign| sign.is_symbol("-") || sign.is_symbol("+")) => 2,
        _ => 1,
    };
    if kind == Kind::Default && !rest.get(length).is_some_and(|value| value.is_symbol("(")) {
        length += 1;
    }
    while length < rest.len() {
        let more = &rest[length..];
        let of_foreign_key = kind == Kind::ForeignKey
            && (rest[length - 1].is_word("SET")
                || more[0].is_word("DEFERRABLE")
                || more[0].is_word("NOT") && clause_kind(more) == Some(Kind::Other)
                || more[0].is_word("REFERENCES") && rest[0].is_word("FOREIGN"));
        if clause_kind(more).is_some() && !of_foreign_key {
            break;
        }
        length += group_end(more, 0).map_or(1, |end| end + 1);
    }
    let length = length.min(rest.len());
    Clause { kind, name, tokens: &tokens[..keyword + length], body: &rest[1..length] }
}

/// Counts the tokens of a column's name and type; a table constraint has none.
fn type_length(tokens: &[Token<'_>]) -> usize {
    if tokens.first().is_none_or(starts_table_constraint) {
        return 0;
    }
    let mut length = 1;
    while length < tokens.len() && clause_kind(&tokens[length..]).is_none() {
        length += group_end(&tokens[length..], 0).map_or(1, |end| end + 1);
    }
    length
}

fn starts_table_constraint(token: &Token<'_>) -> bool {
    ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"].iter().any(|word| token.is_word(word))
}

/// Returns the indices of the table's name and of the `(` behind it, or why there are none.
fn header(tokens: &[Token<'_>]) -> Result<(usize, usize), &'static str> {
    let is_word = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is_word(word));
    let is_symbol = |at: usize, symbol: &str| tokens.get(at).is_some_and(|token| token.is_symbol(symbol));
    let mut at = if is_word(1, "TEMP") || is_word(1, "TEMPORARY") { 2 } else { 1 };
    if is_word(at, "VIRTUAL") {
        return Err("the columns of a virtual table are its module's");
    }
    if !is_word(0, "CREATE") || !is_word(at, "TABLE") {
        return Err("it is not a `CREATE TABLE`");
    }
    at += if is_word(at + 1, "IF") && is_word(at + 2, "NOT") { 4 } else { 1 };
    at += if is_symbol(at + 1, ".") { 2 } else { 0 };
    if is_symbol(at + 1, "(") { Ok((at, at + 1)) } else { Err("it has no list of columns") }
}

/// Returns the index of the `)` for the `(` at `open`; `None` also where no `(` is.
fn group_end(tokens: &[Token<'_>], open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        depth += usize::from(token.is_symbol("("));
        depth -= usize::from(token.is_symbol(")") && depth > 0);
        if depth == 0 {
            return token.is_symbol(")").then_some(index);
        }
    }
    None
}

/// Returns the index of the comma or the `)` that ends the definition at `first`.
fn item_end(tokens: &[Token<'_>], first: usize) -> usize {
    let mut end = first;
    while tokens.get(end).is_some_and(|token| !token.is_symbol(",") && !token.is_symbol(")")) {
        end = group_end(tokens, end).unwrap_or(end) + 1;
    }
    end
}

/// Returns what is in the first parentheses.
fn group<'a>(tokens: &'a [Token<'a>]) -> &'a [Token<'a>] {
    let open = tokens.iter().position(|token| token.is_symbol("("));
    let end = open.and_then(|open| Some((open + 1)..group_end(tokens, open)?));
    end.map_or(&[], |inside| &tokens[inside])
}

/// Returns the names at the start of each part of a list such as `a COLLATE nocase, "b" DESC`.
fn list(tokens: &[Token<'_>]) -> Vec<String> {
    tokens.split(|token| token.is_symbol(",")).filter_map(|part| name_of(part.first()?)).collect()
}

/// The reserved words of expressions: a column of such a name needs quotes.
const RESERVED: [&str; 16] = [
    "AND", "BETWEEN", "CASE", "COLLATE", "ELSE", "ESCAPE", "EXISTS", "IN", "IS", "ISNULL", "NOT", "NOTNULL", "NULL",
    "OR", "THEN", "WHEN",
];

/// Returns where an expression qualifies a column with the table's name, and the column as it is without.
fn qualified(expression: &[Token<'_>], table: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    for (index, triple) in expression.windows(3).enumerate() {
        let dot = triple[1].is_symbol(".") && same(name_of(&triple[0]).as_deref(), table);
        let Some(column) = name_of(&triple[2]).filter(|_| dot) else { continue };
        // `main.t.a`
        let schema = index >= 2 && expression[index - 1].is_symbol(".");
        let first = if schema { &expression[index - 2] } else { &triple[0] };
        // A text is a name behind a dot alone.
        let text = if triple[2].kind == TokenKind::String { quote(&column) } else { triple[2].text.to_owned() };
        found.push((first.start..triple[2].end(), text));
    }
    // The column of the one may bear the table's name, and be followed by nothing.
    found.dedup_by(|next, before| next.0.start < before.0.end);
    found
}

/// Returns which of `columns` an expression names.
fn columns_named(expression: &[Token<'_>], columns: &[String]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (index, token) in expression.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| expression.get(index));
        let behind = expression.get(index + 1);
        // A collation; a function or the table's name.
        let other = before.is_some_and(|before| before.is_word("COLLATE"))
            || behind.is_some_and(|behind| behind.is_symbol("(") || behind.is_symbol("."))
            || RESERVED.iter().any(|word| token.is_word(word));
        let field = before.is_some_and(|before| before.is_symbol("."));
        let name = if field { name_of(token) } else { token.identifier().filter(|_| !other) };
        let column = columns.iter().find(|column| same(name.as_deref(), column));
        found.extend(column.filter(|column| !found.contains(column)).cloned());
    }
    found
}

/// Returns the name that a token is; SQLite takes a string for one where it can be nothing else.
fn name_of(token: &Token<'_>) -> Option<String> {
    let string = || token.text.strip_prefix('\'')?.strip_suffix('\'');
    token.identifier().or_else(|| Some(string()?.replace("''", "'")))
}

fn same(name: Option<&str>, other: &str) -> bool {
    name.is_some_and(|name| name.eq_ignore_ascii_case(other))
}

fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns where the tokens stand, from the first to the last.
fn span(tokens: &[Token<'_>]) -> Option<Range<usize>> {
    Some(tokens.first()?.start..tokens.last()?.end())
}

/// Returns SQL text without white space and comments around it: a `--` at its end would take in what follows.
fn trimmed(text: &str) -> Result<&str, lex::LexError> {
    let tokens = lex::significant(text, Flavor::Sqlite)?;
    Ok(span(&tokens).map_or("", |range| &text[range]))
}

/// Returns SQL text as a message shows it.
fn one_line(text: &str) -> String {
    let mut tokens = lex::tokens(text, Flavor::Sqlite).unwrap_or_default();
    tokens.retain(|token| token.kind != TokenKind::Comment);
    let words: String = tokens.iter().map(|token| token.text).collect();
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Splits white space and comments where a comment shares the line with what stands before: into that comment, and the
/// rest from the line break on. Without such a comment the first part is empty.
fn split_line(trivia: &str) -> (&str, &str) {
    let mut comment = false;
    for token in lex::tokens(trivia, Flavor::Sqlite).unwrap_or_default() {
        match (token.kind, token.text.find('\n')) {
            (TokenKind::Comment, _) => comment = true,
            (_, Some(line_break)) if comment => return trivia.split_at(token.start + line_break),
            (_, Some(_)) => break,
            _ => {}
        }
    }
    ("", trivia)
}

/// The columns of this table that a foreign key is on.
fn referring(item: &Item, clause: &Clause<'_>) -> Vec<String> {
    let references = clause.tokens.iter().position(|token| token.is_word("REFERENCES"));
    let local = &clause.tokens[..references.unwrap_or(clause.tokens.len())];
    item.column().into_iter().chain(list(group(local))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Glance's table as it was before Ocata, with most of what a rebuild could lose.
    const IMAGES: &str = r#"CREATE TABLE images (
    id VARCHAR(36) NOT NULL, -- a UUID, in text
    "name" VARCHAR(255) COLLATE nocase,
    size BIGINT CHECK (size >= 0), /* bytes */
    status VARCHAR(30) CONSTRAINT status_given NOT NULL ON CONFLICT ABORT DEFAULT 'queued',
    is_public BOOLEAN NOT NULL,
    owner REFERENCES owners ON DELETE SET NULL NOT DEFERRABLE,
    label AS (upper("name")) STORED,
    PRIMARY KEY (id),
    CHECK (is_public IN (0, 1)),
    CONSTRAINT named CHECK (length("name") > 0 OR status = 'queued') -- the last one
)"#;

    fn table(sql: &str) -> CreateTable {
        let table = CreateTable::parse(sql).unwrap();
        assert_eq!(table.to_sql(), sql);
        table
    }

    /// Edits `sql` and checks that what comes out reads as what is in memory.
    #[track_caller]
    fn assert_edit(sql: &str, edit: impl FnOnce(&mut CreateTable), expected: &str) {
        let mut table = table(sql);
        edit(&mut table);
        assert_eq!(table.to_sql(), expected);
        let again = CreateTable::parse(expected).unwrap();
        assert_eq!(again.columns(), table.columns());
        assert_eq!(again.checks(), table.checks());
        assert_eq!(again.foreign_key_names(), table.foreign_key_names());
    }

    #[track_caller]
    fn assert_refused(result: Result<(), EditError>, expected: &str) {
        assert_eq!(result.unwrap_err().to_string(), expected);
    }

    fn check(name: Option<&str>, expression: &str, columns: &[&str]) -> CheckText {
        CheckText {
            name: name.map(str::to_owned),
            expression: expression.to_owned(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
        }
    }

    #[test]
    fn a_definition_tells_what_it_defines() {
        let images = table(IMAGES);
        assert_eq!(images.name(), "images");
        assert_eq!(images.columns(), ["id", "name", "size", "status", "is_public", "owner", "label"]);
        assert_eq!(images.foreign_key_names(), [None]);
        assert!(!images.autoincrement() && !images.without_rowid());
        let expected = [
            check(None, "size >= 0", &["size"]),
            check(None, "is_public IN (0, 1)", &["is_public"]),
            check(Some("named"), "length(\"name\") > 0 OR status = 'queued'", &["name", "status"]),
        ];
        assert_eq!(images.checks(), expected);
    }

    #[test]
    fn every_form_of_a_name_is_read() {
        for (sql, name) in [
            ("CREATE TABLE t (a)", "t"),
            ("create temp table t(a)", "t"),
            ("CREATE TABLE \"na\"\"me\"(a)", "na\"me"),
            ("CREATE TABLE [x y] (a)", "x y"),
            ("CREATE TABLE `x``y` (a)", "x`y"),
            ("CREATE TABLE 'it''s' (a)", "it's"),
            ("CREATE TABLE main . \"t\" (a)", "t"),
            ("CREATE TABLE IF NOT EXISTS t -- (b)\n (a)", "t"),
            ("CREATE TABLE if (a)", "if"),
        ] {
            assert_eq!(table(sql).name(), name, "{sql}");
            assert_eq!(table(sql).columns(), ["a"], "{sql}");
        }
        let columns = table("CREATE TABLE t ('a''b', [c d] int, `e`, \"check\" text, key, größe)").columns();
        assert_eq!(columns, ["a'b", "c d", "e", "check", "key", "größe"]);
    }

    #[test]
    fn only_a_table_with_a_list_of_columns_is_read() {
        for (sql, why) in [
            ("CREATE VIRTUAL TABLE t USING fts5(a)", "the columns of a virtual table are its module's"),
            ("CREATE TABLE t AS SELECT 1", "it has no list of columns"),
            ("CREATE VIEW t AS SELECT 1", "it is not a `CREATE TABLE`"),
            ("DROP TABLE t", "it is not a `CREATE TABLE`"),
            ("", "it is not a `CREATE TABLE`"),
            ("CREATE TABLE t (a, b", "a `(` is not closed"),
            ("CREATE TABLE t (a, 'b)", "unterminated string at byte 19"),
            ("CREATE TABLE t (a, )", "a definition is missing beside a comma"),
        ] {
            let error = CreateTable::parse(sql).unwrap_err();
            assert_eq!(error.to_string(), format!("read a table definition: {why}"), "{sql}");
        }
    }

    #[test]
    fn options_are_words_and_not_text_in_comments() {
        assert!(table("CREATE TABLE t (a PRIMARY KEY) STRICT, without /* x */ rowid").without_rowid());
        assert!(!table("CREATE TABLE t (a) STRICT /* WITHOUT ROWID */").without_rowid());
        assert!(table("CREATE TABLE t (a INTEGER PRIMARY KEY ASC AUTOINCREMENT)").autoincrement());
        assert!(table("CREATE TABLE t (a INTEGER, PRIMARY KEY (a autoincrement))").autoincrement());
        assert!(
            !table("CREATE TABLE t (\"autoincrement\" INTEGER PRIMARY KEY DEFAULT 'AUTOINCREMENT')").autoincrement()
        );
    }

    #[test]
    fn constraints_of_columns_and_of_the_table_are_found_in_text_order() {
        let table = table(
            "CREATE TABLE t (a CONSTRAINT [f1] REFERENCES u, b REFERENCES v(x) ON UPDATE SET DEFAULT DEFERRABLE
             CONSTRAINT c1 CHECK (t.b <> a) REFERENCES w, CONSTRAINT f2 FOREIGN KEY (a, b) REFERENCES u (c, d)
             CHECK (a -- first
             > 0 -- last
             ) CONSTRAINT \"c\"\"2\" CHECK (\"b\" COLLATE b IS NOT NULL AND 'a' <> count(x'0a')))",
        );
        let named = |name: &str| Some(name.to_owned());
        assert_eq!(table.foreign_key_names(), [named("f1"), None, None, named("f2")]);
        let expected = [
            check(Some("c1"), "t.b <> a", &["b", "a"]),
            check(None, "a -- first\n             > 0", &["a"]),
            check(Some("c\"2"), "\"b\" COLLATE b IS NOT NULL AND 'a' <> count(x'0a')", &["b"]),
        ];
        assert_eq!(table.checks(), expected);
    }

    #[test]
    fn a_word_of_the_language_is_no_column() {
        let table = table(
            "CREATE TABLE t (\"when\", \"null\", lower, CHECK (CASE WHEN lower(\"WHEN\") THEN 1 END IS NOT NULL))",
        );
        assert_eq!(table.checks()[0].columns, ["when"]);
    }

    #[test]
    fn renaming_changes_the_name_and_what_depends_on_it() {
        let rename = |table: &mut CreateTable| table.rename("a\"b");
        assert_edit("CREATE TABLE t(a)", rename, "CREATE TABLE \"a\"\"b\"(a)");
        assert_edit("CREATE TABLE main.[t] (a)", rename, "CREATE TABLE main.\"a\"\"b\" (a)");
        // Without this, SQLite answers `no such column: t.a`.
        assert_edit(
            "CREATE TABLE t (t, a CHECK (T.a > t AND 't'.t > 0 OR main.t.'a'), c AS ([t].a + 1), b REFERENCES t (a))",
            |table| {
                table.rename("u");
                table.rename("v");
                assert_eq!(table.name(), "v");
            },
            "CREATE TABLE \"v\" (t, a CHECK (a > t AND t > 0 OR \"a\"), c AS (a + 1), b REFERENCES t (a))",
        );
    }

    #[test]
    fn not_null_comes_behind_the_type_and_goes_with_its_clauses() {
        let add = |column: &'static str| move |table: &mut CreateTable| table.set_not_null(column, true).unwrap();
        let remove = |column: &'static str| move |table: &mut CreateTable| table.set_not_null(column, false).unwrap();
        for (column, without, with) in [
            ("A", "a", "a NOT NULL"),
            ("a", "a DECIMAL(1, 2)", "a DECIMAL(1, 2) NOT NULL"),
            ("a", "a int -- x\n CHECK (a)", "a int NOT NULL -- x\n CHECK (a)"),
            ("a", "a DEFAULT NULL", "a NOT NULL DEFAULT NULL"),
            (
                "b",
                "a, [b] text REFERENCES u ON DELETE SET NULL",
                "a, [b] text NOT NULL REFERENCES u ON DELETE SET NULL",
            ),
            ("b", "a, b AS (a) STORED", "a, b NOT NULL AS (a) STORED"),
        ] {
            let (without, with) = (format!("CREATE TABLE t ({without})"), format!("CREATE TABLE t ({with})"));
            assert_edit(&without, add(column), &with);
            assert_edit(&with, add(column), &with);
            assert_edit(&with, remove(column), &without);
            assert_edit(&without, remove(column), &without);
        }
        assert_edit("CREATE TABLE t (a CHECK(a)NULL)", add("a"), "CREATE TABLE t (a CHECK(a) NOT NULL)");
        assert_edit("CREATE TABLE t (a int(1)CHECK(a))", add("a"), "CREATE TABLE t (a int(1) NOT NULL CHECK(a))");
        assert_edit("CREATE TABLE t (a CHECK(a)NOT NULL CHECK(1))", remove("a"), "CREATE TABLE t (a CHECK(a)CHECK(1))");
        assert_edit(
            "CREATE TABLE t (a REFERENCES u NOT DEFERRABLE CONSTRAINT n NOT NULL ON CONFLICT FAIL NOT/**/NULL, b NOT NULL)",
            remove("a"),
            "CREATE TABLE t (a REFERENCES u NOT DEFERRABLE, b NOT NULL)",
        );
        assert_refused(table(IMAGES).set_not_null("x", true), "find column `x` in table `images`");
    }

    #[test]
    fn a_removed_clause_never_leaves_its_neighbour_in_a_comment() {
        let remove = |table: &mut CreateTable| table.set_not_null("a", false).unwrap();
        let cases = [
            ("(a int -- x\n  NOT NULL DEFAULT 1)", "(a int -- x\n  DEFAULT 1)"),
            ("(a int -- x\n  NOT NULL)", "(a int -- x\n  )"),
            ("(a int -- x\n  NOT NULL, b)", "(a int -- x\n  , b)"),
            ("(a int NOT NULL-- x\n, b)", "(a int-- x\n, b)"),
        ];
        for (before, after) in cases {
            assert_edit(&format!("CREATE TABLE t {before}"), remove, &format!("CREATE TABLE t {after}"));
        }
        assert_edit(
            "CREATE TABLE t (a int -- x\n  NOT NULL)",
            |table| {
                remove(table);
                table.set_default("a", Some("1")).unwrap();
                table.add_constraint("CHECK (a)");
            },
            "CREATE TABLE t (a int DEFAULT 1, -- x\n CHECK (a)\n  )",
        );
    }

    #[test]
    fn a_default_is_added_replaced_and_removed() {
        let set = |text: &'static str| move |table: &mut CreateTable| table.set_default("a", Some(text)).unwrap();
        let remove = |table: &mut CreateTable| table.set_default("a", None).unwrap();
        let cases = [
            ("a text", "a text DEFAULT 'x'", "a text"),
            ("a text NOT NULL CHECK (a)", "a text NOT NULL DEFAULT 'x' CHECK (a)", "a text NOT NULL CHECK (a)"),
            ("a DEFAULT NULL NOT NULL", "a DEFAULT 'x' NOT NULL", "a NOT NULL"),
            ("a DEFAULT - 5 COLLATE nocase", "a DEFAULT 'x' COLLATE nocase", "a COLLATE nocase"),
            ("a DEFAULT(1)NOT NULL", "a DEFAULT 'x' NOT NULL", "a NOT NULL"),
            ("a DEFAULT (1 + (2)), b", "a DEFAULT 'x', b", "a, b"),
            ("a CONSTRAINT d DEFAULT 1 UNIQUE", "a CONSTRAINT d DEFAULT 'x' UNIQUE", "a UNIQUE"),
            ("a DEFAULT 1 DEFAULT 2", "a DEFAULT 1 DEFAULT 'x'", "a"),
            (
                "a REFERENCES u ON DELETE SET DEFAULT",
                "a DEFAULT 'x' REFERENCES u ON DELETE SET DEFAULT",
                "a REFERENCES u ON DELETE SET DEFAULT",
            ),
        ];
        for (before, with, without) in cases {
            let [before, with, without] = [before, with, without].map(|columns| format!("CREATE TABLE t ({columns})"));
            assert_edit(&before, set("'x'"), &with);
            assert_edit(&before, remove, &without);
        }
        let expected = "CREATE TABLE t (a DEFAULT (1) UNIQUE)";
        assert_edit("CREATE TABLE t (a UNIQUE)", set(" (1) -- one"), expected);
        let mut table = table("CREATE TABLE t (a, b AS (a))");
        assert_refused(
            table.set_default("a", Some("'x")),
            "set the default of `a` in table `t`: unterminated string at byte 0",
        );
        assert_refused(
            table.set_default("b", Some("1")),
            "set the default of `b` in table `t`: the column is generated",
        );
        assert_refused(table.set_default("c", None), "find column `c` in table `t`");
    }

    #[test]
    fn a_dropped_column_takes_along_what_names_it_alone() {
        let expected =
            IMAGES.replace("    is_public BOOLEAN NOT NULL,\n", "").replace("    CHECK (is_public IN (0, 1)),\n", "");
        assert_edit(IMAGES, |table| table.drop_column("IS_PUBLIC").unwrap(), &expected);
        let expected = IMAGES.replace("    size BIGINT CHECK (size >= 0), /* bytes */\n", "");
        assert_edit(IMAGES, |table| table.drop_column("size").unwrap(), &expected);
        assert_edit(
            "CREATE TABLE t (a, b UNIQUE REFERENCES t (b), UNIQUE (\"B\" COLLATE a DESC) CHECK (b), UNIQUE ('a'),
             CONSTRAINT a FOREIGN KEY (b) REFERENCES u (a))",
            |table| table.drop_column("b").unwrap(),
            "CREATE TABLE t (a, UNIQUE ('a'))",
        );
        for own in ["b REFERENCES t(a)", "b, FOREIGN KEY (b) REFERENCES t (a)"] {
            let sql = format!("CREATE TABLE t (a, {own})");
            assert_edit(&sql, |table| table.drop_column("b").unwrap(), "CREATE TABLE t (a)");
        }
        assert_edit("CREATE TABLE t (a, b AS (a))", |table| table.drop_column("b").unwrap(), "CREATE TABLE t (a)");
    }

    #[test]
    fn comments_of_the_columns_that_stay_stay() {
        let sql = "CREATE TABLE t (\n  a int, -- the a\n  b int, c int, -- the c\n  d int -- the d\n)";
        for (column, expected) in [
            ("a", "CREATE TABLE t (\n  b int, c int, -- the c\n  d int -- the d\n)"),
            ("b", "CREATE TABLE t (\n  a int, -- the a\n  c int, -- the c\n  d int -- the d\n)"),
            ("c", "CREATE TABLE t (\n  a int, -- the a\n  b int, d int -- the d\n)"),
            ("d", "CREATE TABLE t (\n  a int, -- the a\n  b int, c int -- the c\n)"),
        ] {
            assert_edit(sql, |table| table.drop_column(column).unwrap(), expected);
        }
    }

    #[test]
    fn a_column_that_others_depend_on_is_not_dropped() {
        for (sql, why) in [
            ("(a)", "it is the only one"),
            ("(a, b AS (1))", "it is the only one that is not generated"),
            ("(a PRIMARY KEY, b)", "it is part of the primary key"),
            ("(a, b, PRIMARY KEY (b, \"A\" DESC))", "it is part of the primary key"),
            ("(a, b, CHECK (a /* x */ <\n b))", "`CHECK (a < b)` ties it to `b`"),
            ("(a, b, CONSTRAINT u UNIQUE (b, [a]))", "`CONSTRAINT u UNIQUE (b, [a])` ties it to `b`"),
            ("(a, b, FOREIGN KEY (a, b) REFERENCES u)", "`FOREIGN KEY (a, b) REFERENCES u` ties it to `b`"),
            ("(a, b, FOREIGN KEY (b) REFERENCES T (a))", "`FOREIGN KEY (b) REFERENCES T (a)` ties it to `b`"),
            ("(a, b REFERENCES t(a))", "`REFERENCES t(a)` ties it to `b`"),
            ("(a, b CHECK (a > 0))", "`CHECK (a > 0)` ties it to `b`"),
            ("(a CHECK (b > 0), b)", "`CHECK (b > 0)` ties it to `b`"),
            ("(a, b GENERATED ALWAYS AS (a + 1))", "`GENERATED ALWAYS AS (a + 1)` ties it to `b`"),
        ] {
            let mut table = table(&format!("CREATE TABLE t {sql}"));
            let expected = format!("drop column `a` of table `t`: {why}");
            assert_refused(table.drop_column("a"), &expected);
            assert_eq!(table.to_sql(), format!("CREATE TABLE t {sql}"));
        }
    }

    #[test]
    fn an_added_constraint_comes_last_and_outside_of_comments() {
        let add = |table: &mut CreateTable| table.add_constraint("CONSTRAINT x CHECK (a) -- new");
        for (before, after) in [
            ("(a)", "(a, CONSTRAINT x CHECK (a))"),
            ("(a int -- the a\n)", "(a int, -- the a\n CONSTRAINT x CHECK (a)\n)"),
            ("(\n\ta int\n) STRICT", "(\n\ta int,\n\tCONSTRAINT x CHECK (a)\n) STRICT"),
            ("(\n  b, -- the b\n  a -- the a\n)", "(\n  b, -- the b\n  a, -- the a\n  CONSTRAINT x CHECK (a)\n)"),
            // As SQLite's own ADD COLUMN leaves it.
            ("(\n  b\n, a VARCHAR(9))", "(\n  b\n, a VARCHAR(9), CONSTRAINT x CHECK (a))"),
        ] {
            assert_edit(&format!("CREATE TABLE t {before}"), add, &format!("CREATE TABLE t {after}"));
        }
        assert_edit(
            "CREATE TABLE t (\n  a, -- the a\n  b -- the b\n)",
            |table| {
                table.drop_column("b").unwrap();
                add(table);
                table.add_constraint("UNIQUE (a)");
            },
            "CREATE TABLE t (\n  a, -- the a\n  CONSTRAINT x CHECK (a),\n  UNIQUE (a)\n)",
        );
    }

    #[test]
    fn a_constraint_is_dropped_by_its_name_wherever_it_stands() {
        for (name, before, after) in [
            ("X", "(a, CONSTRAINT x CHECK (a), UNIQUE (a))", "(a, UNIQUE (a))"),
            ("x", "(a, UNIQUE (a) CONSTRAINT \"x\" CHECK (a))", "(a, UNIQUE (a))"),
            ("x", "(a CONSTRAINT x CHECK (a > 0) NOT NULL, b)", "(a NOT NULL, b)"),
            ("x", "(a CONSTRAINT 'x' REFERENCES u ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED NULL)", "(a NULL)"),
            ("status_given", "(a CONSTRAINT status_given NOT NULL ON CONFLICT ABORT DEFAULT 1)", "(a DEFAULT 1)"),
        ] {
            let drop = |table: &mut CreateTable| table.drop_constraint(name).unwrap();
            assert_edit(&format!("CREATE TABLE t {before}"), drop, &format!("CREATE TABLE t {after}"));
        }
        let mut table = table("CREATE TABLE t (a CONSTRAINT x CHECK (a), b, CONSTRAINT x UNIQUE (b), CONSTRAINT y)");
        assert_refused(table.drop_constraint("x"), "drop constraint `x` of table `t`: several have this name");
        assert_refused(table.drop_constraint("a"), "find constraint `a` in table `t`");
        table.drop_constraint("y").unwrap();
    }
}
