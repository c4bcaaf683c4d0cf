//! CREATE TABLE, and the constraints that it shares with ALTER TABLE.

use super::Unclear;
use super::column;
use crate::dialect::cursor::Cursor;
use crate::plan::lint::effect::{Constraint, Effect, NewTable};

/// Reads what follows `CREATE … TABLE`.
pub(super) fn create(mut cursor: Cursor<'_, '_>) -> Result<Vec<Effect>, Unclear> {
    cursor.eat_if_exists();
    let name = cursor.name().ok_or(Unclear::Words)?;
    let mut table = NewTable { name, ..NewTable::default() };
    if cursor.at(&["partition", "of"]) {
        return Err(Unclear::because("a partition locks the table that it is a part of, and this lock is not judged"));
    }
    let Some(mut body) = cursor.parenthesized() else {
        // `AS SELECT`, `LIKE`: what the table has is not said here.
        return if cursor.at_any(&["as", "like"]) { Ok(vec![Effect::CreateTable(table)]) } else { Err(Unclear::Words) };
    };
    if body.at(&["like"]) || body.at(&["select"]) {
        return Ok(vec![Effect::CreateTable(table)]);
    }
    let mut columns = Vec::new();
    while let Some(mut item) = body.item() {
        if is_constraint(&item) {
            match constraint(&mut item)? {
                Constraint::PrimaryKey { columns: key } => {
                    for column in columns
                        .iter_mut()
                        .filter(|column: &&mut super::super::effect::NewColumn| key.contains(&column.name))
                    {
                        column.not_null = true;
                    }
                    table.keys.push(key);
                }
                Constraint::Unique { columns, .. } => table.keys.push(columns),
                Constraint::ForeignKey { columns } => table.foreign_keys.push(columns),
                Constraint::Check | Constraint::Exclude => {}
            }
        } else if let Some(index) = inline_index(&mut item)? {
            table.keys.push(index);
        } else {
            let column = column::read(&mut item).ok_or(Unclear::Words)?;
            if column.key {
                table.keys.push(vec![column.name.clone()]);
            }
            if column.references {
                table.foreign_keys.push(vec![column.name.clone()]);
            }
            columns.push(column);
        }
    }
    // What stands behind the list are options of a table that nobody uses yet, but for a query that fills it.
    table.columns = (!cursor.has_word("select") && !cursor.has_word("inherits")).then_some(columns);
    Ok(vec![Effect::CreateTable(table)])
}

/// Whether a constraint comes next, and no column.
pub(super) fn is_constraint(cursor: &Cursor<'_, '_>) -> bool {
    let mut look = *cursor;
    let called = |look: &mut Cursor<'_, '_>| look.peek().is_some_and(|token| token.is_symbol("("));
    cursor.at(&["constraint"])
        || cursor.at(&["primary", "key"])
        || cursor.at(&["foreign", "key"])
        || cursor.at(&["exclude", "using"])
        || (look.eat(&["check"]) && called(&mut look))
        // `UNIQUE name (…)` on MySQL.
        || (look.eat(&["unique"]) && (called(&mut look) || look.name().is_some()))
}

/// Reads a constraint to its end, or up to what only an ALTER TABLE has behind it.
pub(super) fn constraint(cursor: &mut Cursor<'_, '_>) -> Result<Constraint, Unclear> {
    if cursor.eat(&["constraint"]) && !cursor.at_any(&["check", "unique", "primary", "foreign", "exclude"]) {
        cursor.eat_if_exists();
        cursor.name().ok_or(Unclear::Words)?;
    }
    let list = |cursor: &mut Cursor<'_, '_>| cursor.parenthesized().map(Cursor::column_list).ok_or(Unclear::Words);
    let read = if cursor.eat(&["primary", "key"]) {
        if cursor.eat(&["using", "index"]) {
            cursor.name().ok_or(Unclear::Words)?;
            Constraint::Unique { columns: Vec::new(), from_index: true }
        } else {
            method(cursor);
            Constraint::PrimaryKey { columns: list(cursor)? }
        }
    } else if cursor.eat(&["unique"]) {
        if cursor.eat(&["using", "index"]) {
            cursor.name().ok_or(Unclear::Words)?;
            Constraint::Unique { columns: Vec::new(), from_index: true }
        } else {
            cursor.eat_any(&["key", "index"]);
            let _ = cursor.eat(&["nulls", "not", "distinct"]) || cursor.eat(&["nulls", "distinct"]);
            cursor.eat_if_exists();
            cursor.name();
            method(cursor);
            Constraint::Unique { columns: list(cursor)?, from_index: false }
        }
    } else if cursor.eat(&["foreign", "key"]) {
        cursor.eat_if_exists();
        cursor.name();
        let columns = list(cursor)?;
        if !cursor.eat(&["references"]) {
            return Err(Unclear::Words);
        }
        column::references(cursor).ok_or(Unclear::Words)?;
        Constraint::ForeignKey { columns }
    } else if cursor.eat(&["check"]) {
        cursor.parenthesized().ok_or(Unclear::Words)?;
        cursor.eat(&["no", "inherit"]);
        Constraint::Check
    } else if cursor.eat(&["exclude"]) {
        method(cursor);
        cursor.parenthesized().ok_or(Unclear::Words)?;
        if cursor.eat(&["where"]) {
            cursor.parenthesized().ok_or(Unclear::Words)?;
        }
        Constraint::Exclude
    } else {
        return Err(Unclear::Words);
    };
    method(cursor);
    loop {
        let more = cursor.eat_any(&["deferrable", "enforced"])
            || cursor.eat(&["not", "deferrable"])
            || cursor.eat(&["initially", "deferred"])
            || cursor.eat(&["initially", "immediate"])
            || (cursor.eat(&["on", "conflict"]) && cursor.next().is_some());
        if !more {
            return Ok(read);
        }
    }
}

/// Takes `USING btree`.
pub(super) fn method(cursor: &mut Cursor<'_, '_>) {
    if cursor.eat(&["using"]) {
        cursor.name();
    }
}

/// Reads an index inside a CREATE TABLE of MySQL; `None` where a column comes next.
fn inline_index(item: &mut Cursor<'_, '_>) -> Result<Option<Vec<String>>, Unclear> {
    let mut look = *item;
    look.eat_any(&["fulltext", "spatial"]);
    if !look.eat_any(&["key", "index"]) {
        return Ok(None);
    }
    look.eat_if_exists();
    if look.peek().is_some_and(|token| !token.is_symbol("(")) {
        look.name().ok_or(Unclear::Words)?;
        method(&mut look);
    }
    // A column may be called `key`: then a type follows, and no list.
    let Some(list) = look.parenthesized() else { return Ok(None) };
    method(&mut look);
    if !look.is_done() && !look.at(&["comment"]) {
        return Ok(None);
    }
    *item = look;
    Ok(Some(list.column_list()))
}
