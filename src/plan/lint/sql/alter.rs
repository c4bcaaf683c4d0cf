//! ALTER TABLE: a list of actions, each an effect.

use super::{Unclear, column, table};
use crate::dialect::Kind;
use crate::dialect::cursor::Cursor;
use crate::dialect::lex::TokenKind;
use crate::plan::lint::effect::{Constraint, Effect, NewColumn, NewIndex};

/// Reads what follows `ALTER TABLE`.
pub(super) fn read(mut cursor: Cursor<'_, '_>, kind: Kind) -> Result<Vec<Effect>, Unclear> {
    cursor.eat_if_exists();
    cursor.eat(&["only"]);
    let table = cursor.name().ok_or(Unclear::Words)?;
    cursor.eat_symbol("*");
    if cursor.eat(&["wait"]) {
        cursor.next();
    }
    cursor.eat(&["nowait"]);
    let mut effects = Vec::new();
    while let Some(mut action) = cursor.item() {
        read_action(&mut action, &table, kind, &mut effects)?;
        if !action.is_done() {
            return Err(Unclear::Words);
        }
    }
    if effects.is_empty() { Err(Unclear::Words) } else { Ok(effects) }
}

fn read_action(cursor: &mut Cursor<'_, '_>, table: &str, kind: Kind, effects: &mut Vec<Effect>) -> Result<(), Unclear> {
    let owned = || table.to_owned();
    if cursor.eat(&["add"]) {
        return add(cursor, table, kind, effects);
    }
    if cursor.eat(&["drop"]) {
        effects.push(drop(cursor, table)?);
    } else if cursor.eat(&["alter"]) {
        effects.push(alter_column(cursor, table)?);
    } else if cursor.eat(&["modify"]) {
        cursor.eat(&["column"]);
        cursor.eat_if_exists();
        let definition = column::read(cursor).ok_or(Unclear::Words)?;
        redefine(definition, table, effects);
    } else if cursor.eat(&["change"]) {
        cursor.eat(&["column"]);
        cursor.eat_if_exists();
        let from = cursor.name().ok_or(Unclear::Words)?;
        let definition = column::read(cursor).ok_or(Unclear::Words)?;
        if from.eq_ignore_ascii_case(&definition.name) {
            redefine(definition, table, effects);
        } else {
            let to = definition.name.clone();
            effects.push(Effect::RenameColumn { table: owned(), from, to });
            redefine(definition, table, effects);
        }
    } else if cursor.eat(&["rename"]) {
        effects.push(rename(cursor, table)?);
    } else if cursor.eat(&["validate", "constraint"]) {
        effects.push(Effect::Validate { table: owned(), name: cursor.name().ok_or(Unclear::Words)? });
    } else if cursor.eat(&["algorithm"]) {
        cursor.eat_symbol("=");
        let algorithm = cursor.next().ok_or(Unclear::Words)?;
        if algorithm.is_word("copy") {
            effects.push(Effect::Rewrite { table: owned(), how: "`ALGORITHM=COPY` copies the table".to_owned() });
        }
        effects.push(Effect::Harmless);
    } else if cursor.eat(&["lock"]) {
        cursor.eat_symbol("=");
        let lock = cursor.next().ok_or(Unclear::Words)?;
        if lock.is_word("shared") || lock.is_word("exclusive") {
            let how = format!("`LOCK={}` keeps writers out until it is done", lock.text.to_uppercase());
            effects.push(Effect::Rewrite { table: owned(), how });
        }
        effects.push(Effect::Harmless);
    } else {
        effects.push(option(cursor, table)?);
    }
    Ok(())
}

/// Options of the table itself.
fn option(cursor: &mut Cursor<'_, '_>, table: &str) -> Result<Effect, Unclear> {
    let rewrite = |how: &str| Ok(Effect::Rewrite { table: table.to_owned(), how: how.to_owned() });
    let value = |cursor: &mut Cursor<'_, '_>| {
        cursor.eat_symbol("=");
        cursor.next().map(|_| ()).ok_or(Unclear::Words)
    };
    if cursor.eat(&["set", "schema"]) {
        let schema = cursor.name().ok_or(Unclear::Words)?;
        let bare = table.rsplit('.').next().unwrap_or(table);
        return Ok(Effect::RenameTable { from: table.to_owned(), to: format!("{schema}.{bare}") });
    }
    if cursor.eat(&["set", "tablespace"]) {
        cursor.name();
        return rewrite("`SET TABLESPACE` moves every page of the table");
    }
    if cursor.eat(&["set", "logged"]) || cursor.eat(&["set", "unlogged"]) {
        return rewrite("`SET LOGGED` and `SET UNLOGGED` write the table anew");
    }
    if cursor.eat(&["set", "access", "method"]) {
        cursor.name();
        return rewrite("`SET ACCESS METHOD` writes the table anew");
    }
    if (cursor.eat(&["set"]) || cursor.eat(&["reset"])) && cursor.parenthesized().is_some() {
        return Ok(Effect::Harmless);
    }
    if cursor.eat(&["engine"]) {
        value(cursor)?;
        return rewrite("`ENGINE` copies the table");
    }
    if cursor.eat(&["convert", "to"]) {
        *cursor = Cursor::new(&[]);
        return rewrite("`CONVERT TO CHARACTER SET` copies the table, with writers waiting");
    }
    if cursor.eat(&["force"]) {
        return rewrite("`FORCE` builds the table anew");
    }
    if cursor.eat(&["order", "by"]) {
        *cursor = Cursor::new(&[]);
        return rewrite("`ORDER BY` copies the table");
    }
    if cursor.eat_any(&["row_format", "key_block_size", "page_compressed"]) {
        value(cursor)?;
        return rewrite("the format of its rows is changed, which builds the table anew");
    }
    if cursor.eat(&["partition", "by"]) || cursor.eat(&["remove", "partitioning"]) {
        *cursor = Cursor::new(&[]);
        return rewrite("partitioning copies the table");
    }
    if cursor.eat_any(&["comment", "auto_increment"]) {
        value(cursor)?;
        return Ok(Effect::Harmless);
    }
    if cursor.eat(&["replica", "identity"]) {
        *cursor = Cursor::new(&[]);
        return Ok(Effect::Harmless);
    }
    Err(Unclear::Words)
}

fn add(cursor: &mut Cursor<'_, '_>, table: &str, kind: Kind, effects: &mut Vec<Effect>) -> Result<(), Unclear> {
    if table::is_constraint(cursor) {
        let constraint = table::constraint(cursor)?;
        let validated = !cursor.eat(&["not", "valid"]);
        effects.push(Effect::AddConstraint { table: table.to_owned(), constraint, validated });
        return Ok(());
    }
    let mut look = *cursor;
    let slow = look.at_any(&["fulltext", "spatial"]);
    look.eat_any(&["fulltext", "spatial"]);
    // A column may be called `index` or `key` on the others.
    if kind == Kind::MySql && look.eat_any(&["index", "key"]) {
        look.eat_if_exists();
        let name = look.name().unwrap_or_default();
        table::method(&mut look);
        let columns = look.parenthesized().ok_or(Unclear::Words)?.column_list();
        table::method(&mut look);
        *cursor = look;
        effects.push(Effect::CreateIndex(NewIndex {
            table: table.to_owned(),
            name,
            columns,
            online: !slow,
            ..NewIndex::default()
        }));
        return Ok(());
    }
    cursor.eat(&["column"]);
    cursor.eat_if_exists();
    if let Some(mut list) = cursor.parenthesized() {
        while let Some(mut item) = list.item() {
            let column = column::read(&mut item).ok_or(Unclear::Words)?;
            effects.push(Effect::AddColumn { table: table.to_owned(), column });
        }
        return Ok(());
    }
    let column = column::read(cursor).ok_or(Unclear::Words)?;
    if column.placed {
        effects.push(Effect::Position { table: table.to_owned(), column: column.name.clone() });
    }
    effects.push(Effect::AddColumn { table: table.to_owned(), column });
    Ok(())
}

fn drop(cursor: &mut Cursor<'_, '_>, table: &str) -> Result<Effect, Unclear> {
    let table = table.to_owned();
    let behaviour = |cursor: &mut Cursor<'_, '_>| cursor.eat_any(&["cascade", "restrict"]);
    if cursor.eat(&["primary", "key"]) {
        return Ok(Effect::DropConstraint { table, name: "PRIMARY KEY".to_owned() });
    }
    if cursor.eat(&["foreign", "key"]) || cursor.eat_any(&["constraint", "check"]) {
        cursor.eat_if_exists();
        let name = cursor.name().ok_or(Unclear::Words)?;
        behaviour(cursor);
        return Ok(Effect::DropConstraint { table, name });
    }
    if cursor.eat_any(&["index", "key"]) {
        cursor.eat_if_exists();
        return Ok(Effect::DropIndex { name: cursor.name().ok_or(Unclear::Words)?, concurrent: true });
    }
    if cursor.at(&["partition"]) {
        return Err(Unclear::because("a partition is dropped, with its rows"));
    }
    cursor.eat(&["column"]);
    cursor.eat_if_exists();
    let column = cursor.name().ok_or(Unclear::Words)?;
    behaviour(cursor);
    Ok(Effect::DropColumn { table, column })
}

fn rename(cursor: &mut Cursor<'_, '_>, table: &str) -> Result<Effect, Unclear> {
    if cursor.eat_any(&["index", "key", "constraint"]) {
        let words = [cursor.name(), cursor.eat(&["to"]).then(String::new), cursor.name()];
        return if words.iter().all(Option::is_some) { Ok(Effect::Harmless) } else { Err(Unclear::Words) };
    }
    if cursor.eat_any(&["to", "as"]) {
        return Ok(Effect::RenameTable { from: table.to_owned(), to: cursor.name().ok_or(Unclear::Words)? });
    }
    cursor.eat(&["column"]);
    cursor.eat_if_exists();
    let from = cursor.name().ok_or(Unclear::Words)?;
    if !cursor.eat(&["to"]) {
        return Err(Unclear::Words);
    }
    Ok(Effect::RenameColumn { table: table.to_owned(), from, to: cursor.name().ok_or(Unclear::Words)? })
}

/// `ALTER [COLUMN] name …`, and MySQL's `ALTER INDEX name VISIBLE`.
fn alter_column(cursor: &mut Cursor<'_, '_>, table: &str) -> Result<Effect, Unclear> {
    if cursor.eat(&["index"]) {
        cursor.name();
        cursor.eat(&["not"]);
        let seen = cursor.eat_any(&["visible", "invisible", "ignored"]);
        return if seen { Ok(Effect::Harmless) } else { Err(Unclear::Words) };
    }
    cursor.eat(&["column"]);
    cursor.eat_if_exists();
    let column = cursor.name().ok_or(Unclear::Words)?;
    let table = table.to_owned();
    if cursor.eat(&["set", "not", "null"]) {
        return Ok(Effect::SetNotNull { table, column });
    }
    if cursor.eat(&["drop", "not", "null"]) {
        return Ok(Effect::DropNotNull { table, column });
    }
    if cursor.eat(&["set", "default"]) {
        column::default_value(cursor).ok_or(Unclear::Words)?;
        return Ok(Effect::SetDefault { table, column });
    }
    if cursor.eat(&["drop", "default"]) || cursor.eat(&["drop", "identity"]) {
        cursor.eat(&["if", "exists"]);
        return Ok(Effect::DropDefault { table, column });
    }
    if cursor.eat(&["type"]) || cursor.eat(&["set", "data", "type"]) {
        let to = column::type_name(cursor);
        if cursor.eat(&["collate"]) {
            cursor.name();
        }
        if cursor.eat(&["using"]) {
            *cursor = Cursor::new(&[]);
        }
        return Ok(Effect::ChangeType { table, column, to, nullable: None });
    }
    if cursor.eat(&["set", "statistics"]) || cursor.eat(&["set", "storage"]) || cursor.eat(&["set", "compression"]) {
        cursor.eat_symbol("-");
        cursor.next();
        return Ok(Effect::Harmless);
    }
    if (cursor.eat(&["set"]) || cursor.eat(&["reset"])) && cursor.parenthesized().is_some() {
        return Ok(Effect::Harmless);
    }
    if cursor.eat(&["set", "visible"]) || cursor.eat(&["set", "invisible"]) {
        return Ok(Effect::Harmless);
    }
    Err(Unclear::Words)
}

/// MySQL says a whole column anew: what of it is another than before, the schema tells.
fn redefine(definition: NewColumn, table: &str, effects: &mut Vec<Effect>) {
    let table = table.to_owned();
    if definition.placed {
        effects.push(Effect::Position { table: table.clone(), column: definition.name.clone() });
    }
    if definition.key {
        let constraint = Constraint::Unique { columns: vec![definition.name.clone()], from_index: false };
        effects.push(Effect::AddConstraint { table: table.clone(), constraint, validated: true });
    }
    let nullable = Some(!definition.not_null);
    effects.push(Effect::ChangeType { table, column: definition.name, to: definition.type_name, nullable });
}

/// Whether a token is a text.
pub(super) fn is_text(token: &crate::dialect::lex::Token<'_>) -> bool {
    token.kind == TokenKind::String
}
