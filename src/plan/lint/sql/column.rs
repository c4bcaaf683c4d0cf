//! The definition of a column, as CREATE TABLE and ALTER TABLE have it.

use crate::dialect::cursor::Cursor;
use crate::dialect::lex::TokenKind;
use crate::plan::lint::effect::{DefaultValue, NewColumn};

/// What may follow a column's type.
const AFTER_TYPE: &[&str] = &[
    "not",
    "null",
    "default",
    "primary",
    "unique",
    "check",
    "references",
    "generated",
    "as",
    "collate",
    "constraint",
    "comment",
    "auto_increment",
    "autoincrement",
    "first",
    "after",
    "on",
    "invisible",
    "visible",
    "stored",
    "virtual",
    "persistent",
    "key",
    "storage",
    "compression",
    "compressed",
    "using",
    "deferrable",
    "initially",
    "column_format",
];

/// Functions that give one value for a whole statement: such a default is the same for every row that is there.
const STABLE: &[&str] = &[
    "now",
    "transaction_timestamp",
    "statement_timestamp",
    "current_timestamp",
    "current_date",
    "current_time",
    "localtime",
    "localtimestamp",
    "current_user",
    "session_user",
    "current_setting",
    "lower",
    "upper",
    "coalesce",
    "concat",
    "md5",
    "jsonb_build_object",
    "json_build_object",
    "jsonb_build_array",
    "to_jsonb",
    "make_interval",
    "cast",
    "numeric",
    "decimal",
    "varchar",
    "char",
    "timestamp",
    "timestamptz",
    "time",
    "interval",
    "bit",
    "json_object",
    "json_array",
];

/// Reads one; `None` where it is not understood.
pub(super) fn read(cursor: &mut Cursor<'_, '_>) -> Option<NewColumn> {
    let mut column = NewColumn { name: cursor.name()?, ..NewColumn::default() };
    column.type_name = type_name(cursor);
    if ["serial", "bigserial", "smallserial", "serial4", "serial8"].contains(&column.type_name.as_str()) {
        column.numbered = true;
        column.not_null = true;
    }
    while !cursor.is_done() {
        if cursor.eat(&["not", "null"]) {
            column.not_null = true;
        } else if cursor.eat(&["default"]) {
            column.default = Some(default_value(cursor)?);
        } else if cursor.eat(&["primary", "key"]) {
            column.key = true;
            column.not_null = true;
            cursor.eat_any(&["asc", "desc"]);
        } else if cursor.eat(&["unique"]) {
            column.key = true;
            cursor.eat(&["key"]);
        } else if cursor.eat(&["key"]) {
            column.key = true;
        } else if cursor.eat(&["check"]) {
            column.check = true;
            cursor.parenthesized()?;
            cursor.eat(&["no", "inherit"]);
        } else if cursor.eat(&["constraint"]) {
            cursor.name()?;
        } else if cursor.eat(&["references"]) {
            column.references = true;
            references(cursor)?;
        } else if cursor.eat(&["on", "update"]) {
            default_value(cursor)?;
        } else if cursor.eat_any(&["auto_increment", "autoincrement"]) {
            column.numbered = true;
        } else if cursor.eat(&["generated"]) || cursor.at(&["as"]) {
            generated(cursor, &mut column)?;
        } else if cursor.eat_any(&["collate", "storage", "compression", "column_format"]) {
            cursor.name().or_else(|| cursor.next().map(|_| String::new()))?;
        } else if cursor.eat(&["comment"]) {
            cursor.next().filter(|token| token.kind == TokenKind::String)?;
        } else if cursor.eat(&["first"]) {
            column.placed = true;
        } else if cursor.eat(&["after"]) {
            column.placed = true;
            cursor.name()?;
        } else if !eat_harmless(cursor) {
            return None;
        }
    }
    Some(column)
}

/// Takes a clause that no rule asks about.
fn eat_harmless(cursor: &mut Cursor<'_, '_>) -> bool {
    cursor.eat_any(&["null", "invisible", "visible", "deferrable", "compressed"])
        || cursor.eat(&["not", "deferrable"])
        || cursor.eat(&["initially", "deferred"])
        || cursor.eat(&["initially", "immediate"])
}

/// Takes a type: all up to what may follow one.
pub(super) fn type_name(cursor: &mut Cursor<'_, '_>) -> String {
    let start = cursor.rest();
    let mut taken = 0;
    while let Some(token) = cursor.peek() {
        let ends = cursor.at_any(AFTER_TYPE) || token.is_symbol(",");
        // `character varying`, `timestamp with time zone`, `varchar(10) character set x` are words of the type.
        if ends {
            break;
        }
        let before = cursor.rest().len();
        if token.is_symbol("(") {
            if cursor.parenthesized().is_none() {
                break;
            }
        } else {
            cursor.next();
        }
        taken += before - cursor.rest().len();
    }
    Cursor::new(&start[..taken]).text()
}

fn generated(cursor: &mut Cursor<'_, '_>, column: &mut NewColumn) -> Option<()> {
    let _ = cursor.eat(&["always"]) || cursor.eat(&["by", "default"]);
    cursor.eat(&["on", "null"]);
    if !cursor.eat(&["as"]) {
        return None;
    }
    if cursor.eat(&["identity"]) {
        column.numbered = true;
        column.not_null = true;
        cursor.parenthesized();
        return Some(());
    }
    cursor.parenthesized()?;
    column.generated = true;
    column.stored = cursor.eat_any(&["stored", "persistent"]);
    cursor.eat(&["virtual"]);
    Some(())
}

/// Takes the far side of a foreign key, and its actions.
pub(super) fn references(cursor: &mut Cursor<'_, '_>) -> Option<()> {
    cursor.name()?;
    cursor.parenthesized();
    loop {
        if cursor.eat(&["on", "delete"]) || cursor.eat(&["on", "update"]) {
            let known = cursor.eat(&["set", "null"])
                || cursor.eat(&["set", "default"])
                || cursor.eat(&["no", "action"])
                || cursor.eat_any(&["cascade", "restrict"]);
            if !known {
                return None;
            }
        } else if cursor.eat(&["match"]) {
            cursor.next();
        } else {
            return Some(());
        }
    }
}

/// Takes an expression up to the next part of the definition.
pub(super) fn default_value(cursor: &mut Cursor<'_, '_>) -> Option<DefaultValue> {
    let start = cursor.rest();
    // The first token belongs to it, whatever it is: `NULL` and `NOT` may be one.
    let first = cursor.peek()?;
    if first.is_symbol("(") {
        cursor.parenthesized()?;
    } else {
        cursor.next();
    }
    // `ARRAY[a, b]` has commas of its own.
    let mut brackets = 0_i32;
    while let Some(token) = cursor.peek() {
        brackets += i32::from(token.is_symbol("[")) - i32::from(token.is_symbol("]"));
        let part_of_it = token.is_symbol("(")
            || brackets > 0
            || token.kind == TokenKind::Symbol && token.text != ","
            || token.kind == TokenKind::Number
            || token.kind == TokenKind::String
            || (token.kind == TokenKind::Word && !cursor.at_any(AFTER_TYPE));
        if !part_of_it {
            break;
        }
        if token.is_symbol("(") {
            cursor.parenthesized()?;
        } else {
            cursor.next();
        }
    }
    let value = Cursor::new(&start[..start.len() - cursor.rest().len()]);
    if value.rest().len() == 1 && value.at(&["null"]) {
        return Some(DefaultValue::Null);
    }
    Some(value.calls(STABLE).map_or(DefaultValue::Constant, DefaultValue::Volatile))
}

/// Whether an expression of a change file gives another value for every row.
pub(super) fn volatility(cursor: &Cursor<'_, '_>) -> DefaultValue {
    cursor.calls(STABLE).map_or(DefaultValue::Constant, DefaultValue::Volatile)
}
