//! An SQL expression of a change file: checked once, then rendered for each place that it is used in.
//!
//! The same text is a bare expression in an UPDATE and a `NEW.column` expression in a trigger. A word is taken for a
//! column unless it is a keyword, a function, a qualified name, a type after `AS` or `::`, or stands inside a subquery,
//! where the subquery's own tables come first; there, a column of the row is written `table.column`.

use super::keywords::{is_free, is_keyword, is_structure};
use super::lex::{self, Flavor, Token, TokenKind};
use super::schema::{Column, Table};
use super::statement::Refusal;

/// What is wrong with an expression; a lower-case fragment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// The message.
    pub message: String,
    /// The word or symbol that is wrong, to underline in the source.
    pub word: Option<String>,
}

impl ExpressionError {
    fn new(message: impl Into<String>, word: Option<&str>) -> Self {
        Self { message: message.into(), word: word.map(str::to_owned) }
    }
}

impl From<ExpressionError> for Refusal {
    fn from(error: ExpressionError) -> Self {
        Self { reason: error.message, word: error.word }
    }
}

/// Where an expression is used: what a column of the row is called there.
#[derive(Clone, Copy)]
#[expect(missing_debug_implementations, reason = "it holds a function")]
pub struct Scope<'a> {
    /// The table whose columns the expression reads.
    pub table: &'a Table,
    /// What to put before one of its columns: `NEW.`, or the table's quoted name and a dot.
    pub row: &'a str,
    /// What `related.` stands for: the row of the related table, and the table itself.
    pub related: Option<(&'a str, &'a Table)>,
    /// Quotes an identifier.
    pub quote: &'a dyn Fn(&str) -> String,
    /// What stands at the end of each subquery; empty, or a locking clause.
    pub subquery_end: &'a str,
}

/// Checks what can be checked without a database: one expression, closed quotes and parentheses, nothing hidden.
pub fn check_text(text: &str, flavor: Flavor) -> Result<(), ExpressionError> {
    // What is never closed goes on to the end; its first line is enough to find it by.
    let tokens = lex::tokens(text, flavor).map_err(|error| {
        let word = text.get(error.offset..).and_then(|rest| rest.lines().next());
        ExpressionError::new(error.to_string(), word)
    })?;
    let mut open = 0_usize;
    let mut any = false;
    for token in &tokens {
        match token.kind {
            TokenKind::Comment => {
                return Err(ExpressionError::new(
                    "a comment inside an expression could hide part of it; put it in YAML instead",
                    Some(token.text),
                ));
            }
            // An executable comment: which servers run what is in it is not for an expression to decide.
            TokenKind::Symbol if token.text.starts_with("/*") => {
                return Err(ExpressionError::new(
                    "a comment that only some servers run; give the text per database instead",
                    Some(token.text),
                ));
            }
            TokenKind::Parameter => {
                return Err(ExpressionError::new("an expression cannot have parameters", Some(token.text)));
            }
            // Before a word each is one; alone none is SQL, and the column that is put behind it makes it one.
            TokenKind::Symbol if flavor == Flavor::Sqlite && [":", "@", "$", "#"].contains(&token.text) => {
                return Err(ExpressionError::new("an expression cannot have parameters", Some(token.text)));
            }
            TokenKind::Symbol if token.text == ";" => {
                return Err(ExpressionError::new("expected one expression, found `;`", Some(";")));
            }
            TokenKind::Symbol if token.text == "(" => open += 1,
            TokenKind::Symbol if token.text == ")" => {
                open = open.checked_sub(1).ok_or_else(|| ExpressionError::new("a `)` closes nothing", Some(")")))?;
            }
            TokenKind::Space => continue,
            _ => {}
        }
        any = true;
    }
    if open > 0 {
        return Err(ExpressionError::new("a `(` is never closed", Some("(")));
    }
    if !any {
        return Err(ExpressionError::new("the expression is empty", None));
    }
    Ok(())
}

/// Renders an expression for a place, or names the first column that does not exist.
pub fn render(text: &str, flavor: Flavor, scope: &Scope<'_>) -> Result<String, ExpressionError> {
    let mut output = String::with_capacity(text.len() + 32);
    visit(text, flavor, scope, |piece| output.push_str(piece))?;
    Ok(output)
}

/// The columns of the row that an expression reads.
pub fn columns_read<'t>(text: &str, flavor: Flavor, table: &'t Table) -> Vec<&'t Column> {
    // A piece that is a column of the row is the only one that starts with this.
    const MARK: char = '\u{1}';
    let quote = |name: &str| name.to_owned();
    let scope = Scope { table, row: "\u{1}", related: None, quote: &quote, subquery_end: "" };
    let mut columns = Vec::new();
    let visited = visit(text, flavor, &scope, |piece| {
        columns.extend(piece.strip_prefix(MARK).and_then(|name| table.column(name)));
    });
    if visited.is_err() {
        columns.clear();
    }
    columns
}

/// The tables that an expression's subqueries read, as they are written there; those that it defines itself are left out.
pub fn tables_read(text: &str, flavor: Flavor) -> Vec<String> {
    const ENDS: [&str; 10] =
        ["where", "group", "having", "order", "limit", "union", "except", "intersect", "on", "using"];
    let tokens = lex::significant(text, flavor).unwrap_or_default();
    let mut found: Vec<String> = Vec::new();
    let mut own: Vec<String> = Vec::new();
    // For each open parenthesis: whether it is a subquery, and whether it is in its FROM.
    let mut open: Vec<(bool, bool)> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1);
        if token.is_symbol("(") {
            let is_query = next.is_some_and(|next| next.is_word("select") || next.is_word("with"));
            open.push((is_query, false));
            continue;
        }
        if token.is_symbol(")") {
            open.pop();
            continue;
        }
        if token.is_word("as") && next.is_some_and(|next| next.is_symbol("(")) {
            own.extend(at.checked_sub(1).and_then(|before| tokens[before].identifier()));
        }
        let Some((true, in_from)) = open.last_mut() else { continue };
        // `IS DISTINCT FROM` is no FROM.
        let starts = token.is_word("from") && !(at > 0 && tokens[at - 1].is_word("distinct"));
        if starts || token.is_word("join") {
            *in_from = true;
        } else if ENDS.iter().any(|word| token.is_word(word)) {
            *in_from = false;
        }
        if !(starts || token.is_word("join") || (token.is_symbol(",") && *in_from)) {
            continue;
        }
        let Some(name) = next.and_then(Token::identifier) else { continue };
        let qualified = tokens.get(at + 2).is_some_and(|dot| dot.is_symbol("."));
        let rest = tokens.get(at + 3).filter(|_| qualified).and_then(Token::identifier);
        found.push(rest.map_or_else(|| name.clone(), |rest| format!("{name}.{rest}")));
    }
    found.retain(|name| !own.iter().any(|own| own.eq_ignore_ascii_case(name)));
    found
}

fn visit(text: &str, flavor: Flavor, scope: &Scope<'_>, mut emit: impl FnMut(&str)) -> Result<(), ExpressionError> {
    check_text(text, flavor)?;
    let tokens = lex::tokens(text, flavor).map_err(|error| ExpressionError::new(error.to_string(), None))?;
    let significant: Vec<usize> = (0..tokens.len()).filter(|at| tokens[*at].kind != TokenKind::Space).collect();
    let mut replaced_until = 0;
    let mut parentheses: Vec<bool> = Vec::new();
    let mut type_name_depth = None;
    let mut order = 0;
    for (at, token) in tokens.iter().enumerate() {
        if at < replaced_until {
            order += usize::from(token.kind != TokenKind::Space);
            continue;
        }
        if token.kind == TokenKind::Space {
            emit(token.text);
            continue;
        }
        let previous = order.checked_sub(1).map(|before| &tokens[significant[before]]);
        let next = significant.get(order + 1).map(|after| &tokens[*after]);
        let second = significant.get(order + 2).map(|after| &tokens[*after]);
        order += 1;
        if token.is_symbol("(") {
            parentheses.push(
                next.is_some_and(|next| next.is_word("select") || next.is_word("with") || next.is_word("values")),
            );
        } else if token.is_symbol(")") {
            if parentheses.pop() == Some(true) {
                emit(scope.subquery_end);
            }
            if type_name_depth.is_some_and(|depth| parentheses.len() < depth) {
                type_name_depth = None;
            }
        } else if token.is_symbol(",") && type_name_depth == Some(parentheses.len()) {
            type_name_depth = None;
        } else if token.is_word("as") && !parentheses.contains(&true) {
            type_name_depth = Some(parentheses.len());
        }
        let Some(name) = identifier(token) else {
            emit(token.text);
            continue;
        };
        let subquery = parentheses.contains(&true);
        let after_dot = previous.is_some_and(|previous| previous.is_symbol("."));
        if after_dot || type_name_depth.is_some() {
            emit(token.text);
            continue;
        }
        if let (Some(next), Some(column)) = (next, second)
            && next.is_symbol(".")
        {
            let column_name = column.identifier().unwrap_or_default();
            let (row, table) = match scope.related {
                Some((row, table)) if name.eq_ignore_ascii_case("related") => (row, table),
                _ if name.eq_ignore_ascii_case(bare(&scope.table.name)) => (scope.row, scope.table),
                _ => {
                    emit(token.text);
                    continue;
                }
            };
            let found = find(table, &column_name).ok_or_else(|| unknown(&column_name, table, column.text))?;
            emit(&format!("{row}{}", (scope.quote)(&found)));
            replaced_until = significant[order + 1] + 1;
            continue;
        }
        let called = next.is_some_and(|next| next.is_symbol("("));
        let literal_prefix = next.is_some_and(|next| next.kind == TokenKind::String);
        let after_type_mark = previous.is_some_and(|previous| previous.is_symbol("::") || previous.is_word("collate"));
        let before_previous = order.checked_sub(3).map(|before| &tokens[significant[before]]);
        let keyword = token.kind == TokenKind::Word
            && is_keyword(token.text)
            && !names_column(token, [before_previous, previous, next], scope.table);
        if keyword && !(called || literal_prefix || subquery || is_free(token.text) || is_structure(token.text)) {
            // `user` in a table with a column `user`: silently something else.
            if let Some(column) = find(scope.table, &name) {
                let message = format!("`{column}` is a column of `{}` and an SQL keyword: quote it", scope.table.name);
                return Err(ExpressionError::new(message, Some(token.text)));
            }
        }
        if called || literal_prefix || after_type_mark || keyword || subquery {
            emit(token.text);
            continue;
        }
        let found = find(scope.table, &name).ok_or_else(|| unknown(&name, scope.table, token.text))?;
        emit(&format!("{}{}", scope.row, (scope.quote)(&found)));
    }
    Ok(())
}

/// Whether a word of SQL that is free to be a name (`first`, `day`) names a column here: the table has such a column, and
/// the word stands where a value is expected.
fn names_column(token: &Token<'_>, around: [Option<&Token<'_>>; 3], table: &Table) -> bool {
    let has = |word: &str| is_free(word) && find(table, word).is_some();
    if !has(token.text) {
        return false;
    }
    let [before_previous, previous, next] = around;
    // EXTRACT(day FROM …), TIMESTAMPDIFF(day, …)
    let unit = next.is_some_and(|next| next.is_word("from"))
        || before_previous.is_some_and(|call| call.is_word("timestampdiff") || call.is_word("timestampadd"));
    let expected = match previous {
        None => true,
        Some(previous) => match previous.kind {
            // NULLS FIRST, AT TIME ZONE; behind a value comes an operator or a unit.
            TokenKind::Word => {
                is_keyword(previous.text)
                    && !has(previous.text)
                    && !["at", "end", "nulls", "time", "with", "without"].iter().any(|word| previous.is_word(word))
            }
            TokenKind::Symbol => !(previous.is_symbol(")") || previous.is_symbol("]")),
            _ => false,
        },
    };
    expected && !unit
}

fn identifier(token: &Token<'_>) -> Option<String> {
    match token.kind {
        TokenKind::Word | TokenKind::QuotedIdentifier => token.identifier(),
        _ => None,
    }
}

fn bare(table: &str) -> &str {
    table.rsplit('.').next().unwrap_or(table)
}

fn find(table: &Table, name: &str) -> Option<String> {
    let exact = table.column(name);
    exact
        .or_else(|| table.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name)))
        .map(|column| column.name.clone())
}

fn unknown(name: &str, table: &Table, word: &str) -> ExpressionError {
    let near = nearest(name, table.columns.iter().map(|column| column.name.as_str()));
    let advice = match near {
        Some(near) => format!("; did you mean `{near}`?"),
        None => {
            let names: Vec<_> = table.columns.iter().map(|column| format!("`{}`", column.name)).collect();
            format!("; its columns are {}", names.join(", "))
        }
    };
    ExpressionError::new(format!("no column `{name}` in table `{}`{advice}", table.name), Some(word))
}

/// The candidate that differs least from a name, if it is near enough to be a slip of the hand.
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(name.len()) / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_of_subqueries_are_found() {
        let read = |text: &str| tables_read(text, Flavor::Postgres).join(" ");
        assert_eq!(read("upper(a) IS DISTINCT FROM b"), "");
        assert_eq!(
            read("extract(day FROM at) + (SELECT count(*) FROM m, app.n JOIN \"O o\" ON a = b WHERE m.a = c)"),
            "m app.n O o"
        );
        assert_eq!(
            read("EXISTS (WITH x AS (SELECT 1 FROM deep) SELECT 1 FROM x WHERE a IN (SELECT z FROM y))"),
            "deep y"
        );
    }

    fn table(name: &str, columns: &[&str]) -> Table {
        Table {
            name: name.to_owned(),
            columns: columns.iter().map(|name| Column { name: (*name).to_owned(), ..Column::default() }).collect(),
            ..Table::default()
        }
    }

    fn rendered(text: &str) -> Result<String, ExpressionError> {
        let images = table("images", &["id", "is_public", "visibility", "deleted"]);
        let members = table("image_members", &["image_id", "deleted"]);
        let quote = |name: &str| format!("\"{name}\"");
        let scope =
            Scope { table: &images, row: "NEW.", related: Some(("OLD.", &members)), quote: &quote, subquery_end: "" };
        render(text, Flavor::Postgres, &scope)
    }

    #[test]
    fn a_word_of_sql_that_a_column_bears_is_the_column_where_a_value_is_expected() {
        let days = table("days", &["first", "day", "time", "at_zone"]);
        let quote = |name: &str| format!("\"{name}\"");
        let scope = Scope { table: &days, row: "NEW.", related: None, quote: &quote, subquery_end: "" };
        for (text, expected) in [
            ("first || ' ' || day", "NEW.\"first\" || ' ' || NEW.\"day\""),
            ("CASE WHEN first IS NULL THEN day END", "CASE WHEN NEW.\"first\" IS NULL THEN NEW.\"day\" END"),
            ("EXTRACT(day FROM day)", "EXTRACT(day FROM NEW.\"day\")"),
            ("timestampdiff(day, first, day)", "timestampdiff(day, NEW.\"first\", NEW.\"day\")"),
            ("first + INTERVAL 1 day", "NEW.\"first\" + INTERVAL 1 day"),
            ("first + INTERVAL day DAY", "NEW.\"first\" + INTERVAL NEW.\"day\" DAY"),
            ("time AT TIME ZONE 'UTC'", "NEW.\"time\" AT TIME ZONE 'UTC'"),
            ("coalesce(time, TIME '12:00')", "coalesce(NEW.\"time\", TIME '12:00')"),
            ("CAST(day AS time)::time", "CAST(NEW.\"day\" AS time)::time"),
            ("hour(time) + month", "hour(NEW.\"time\") + month"),
        ] {
            assert_eq!(render(text, Flavor::Postgres, &scope).unwrap(), expected);
        }
    }

    #[test]
    fn a_column_becomes_a_column_of_the_row() {
        assert_eq!(
            rendered("CASE WHEN is_public THEN 'is_public' ELSE lower(visibility) END").unwrap(),
            "CASE WHEN NEW.\"is_public\" THEN 'is_public' ELSE lower(NEW.\"visibility\") END"
        );
        assert_eq!(
            rendered("CAST(visibility AS varchar(9)) || Is_Public::text").unwrap(),
            "CAST(NEW.\"visibility\" AS varchar(9)) || NEW.\"is_public\"::text"
        );
    }

    #[test]
    fn a_subquery_keeps_its_own_columns() {
        assert_eq!(
            rendered("EXISTS (SELECT 1 FROM image_members m WHERE m.image_id = images.id AND NOT deleted)").unwrap(),
            "EXISTS (SELECT 1 FROM image_members m WHERE m.image_id = NEW.\"id\" AND NOT deleted)"
        );
    }

    #[test]
    fn related_is_the_row_of_the_other_table() {
        assert_eq!(
            rendered("visibility = 'private' AND NOT related.deleted").unwrap(),
            "NEW.\"visibility\" = 'private' AND NOT OLD.\"deleted\""
        );
    }

    #[test]
    fn an_unknown_column_is_named_with_the_nearest() {
        let error = rendered("visibilty = 'public'").unwrap_err();
        assert_eq!(error.message, "no column `visibilty` in table `images`; did you mean `visibility`?");
        assert_eq!(error.word.as_deref(), Some("visibilty"));
        assert!(rendered("images.nothing IS NULL").is_err());
    }

    #[test]
    fn what_could_hide_a_second_statement_is_refused() {
        for text in [
            "is_public; DROP TABLE images",
            "is_public -- ",
            "is_public /* x */",
            "(is_public",
            "is_public)",
            " ",
            "'x",
        ] {
            assert!(rendered(text).is_err(), "{text}");
        }
        assert!(check_text("id : is_public", Flavor::Sqlite).is_err());
        assert!(check_text("id[1 : 2]", Flavor::Postgres).is_ok());
    }
}
