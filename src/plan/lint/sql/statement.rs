//! One statement, by its leading keywords.

use super::alter::{self, is_text};
use super::{Unclear, table};
use crate::dialect::Kind;
use crate::dialect::cursor::Cursor;
use crate::dialect::lex::Token;
use crate::plan::lint::effect::{Effect, NewIndex};

type Read = Result<Vec<Effect>, Unclear>;

/// Settings of a session that change how long it waits, and nothing else.
const TIMEOUTS: &[&str] = &[
    "lock_timeout",
    "statement_timeout",
    "idle_in_transaction_session_timeout",
    "lock_wait_timeout",
    "innodb_lock_wait_timeout",
    "max_statement_time",
    "maintenance_work_mem",
];

pub(super) fn read(mut cursor: Cursor<'_, '_>, kind: Kind) -> Read {
    if cursor.eat(&["create"]) {
        return create(cursor, kind);
    }
    if cursor.eat(&["alter"]) {
        let _ = cursor.eat(&["online"]) || cursor.eat(&["ignore"]);
        return if cursor.eat(&["table"]) { alter::read(cursor, kind) } else { alter_other(cursor) };
    }
    if cursor.eat(&["drop"]) {
        return drop(cursor, kind);
    }
    if cursor.eat(&["rename", "table"]) || cursor.eat(&["rename", "tables"]) {
        return rename_tables(cursor);
    }
    if cursor.eat(&["truncate"]) {
        cursor.eat(&["table"]);
        cursor.eat(&["only"]);
        return names(cursor, |table| Effect::Truncate { table });
    }
    if cursor.at_any(&["insert", "update", "delete", "replace", "merge", "copy", "load", "with", "select", "values"]) {
        return rows(cursor);
    }
    if cursor.at_any(&["begin", "start", "commit", "rollback", "end", "savepoint", "release", "abort"]) {
        let word = cursor.next().map_or_else(String::new, |token| token.text.to_uppercase());
        return Ok(vec![Effect::Transaction { word }]);
    }
    if cursor.eat(&["lock"]) {
        let _ = cursor.eat(&["table"]) || cursor.eat(&["tables"]);
        return Ok(vec![Effect::Lock { table: cursor.name().ok_or(Unclear::Words)? }]);
    }
    if cursor.eat(&["comment", "on"]) {
        let says_so = cursor.rest().last().is_some_and(|token| is_text(token) || token.is_word("null"));
        return if says_so { Ok(vec![Effect::Harmless]) } else { Err(Unclear::Words) };
    }
    if cursor.at_any(&["grant", "analyze"]) {
        return Ok(vec![Effect::Harmless]);
    }
    if cursor.eat(&["revoke"]) {
        let name = cursor.text();
        return Ok(vec![Effect::DropOther { what: "right".to_owned(), name }]);
    }
    if cursor.eat(&["set"]) {
        cursor.eat_any(&["session", "local"]);
        return if cursor.at_any(TIMEOUTS) {
            Ok(vec![Effect::Harmless])
        } else {
            Err(Unclear::because("a setting of the session stays in force for what runs after it"))
        };
    }
    maintenance(cursor, kind)
}

fn maintenance(mut cursor: Cursor<'_, '_>, kind: Kind) -> Read {
    let rewrite = |table: String, how: &str| Effect::Rewrite { table, how: how.to_owned() };
    if cursor.eat(&["vacuum"]) {
        let mut effects = Vec::new();
        if kind == Kind::Postgres {
            effects.push(Effect::OutsideTransaction { what: "VACUUM" });
        }
        if kind == Kind::Sqlite || is_full(&cursor) {
            effects.push(rewrite(String::new(), "`VACUUM` of this kind writes everything anew under a lock"));
        }
        return Ok(effects);
    }
    if cursor.eat(&["optimize"]) {
        cursor.eat_any(&["no_write_to_binlog", "local"]);
        cursor.eat_any(&["table", "tables"]);
        return names(cursor, |table| rewrite(table, "`OPTIMIZE TABLE` builds the table anew"));
    }
    if cursor.eat(&["cluster"]) {
        let table = cursor.name().unwrap_or_default();
        return Ok(vec![rewrite(table, "`CLUSTER` writes the table anew, with readers waiting")]);
    }
    if cursor.eat(&["reindex"]) {
        if kind == Kind::Postgres && cursor.has_word("concurrently") {
            return Ok(vec![Effect::OutsideTransaction { what: "REINDEX CONCURRENTLY" }]);
        }
        return Ok(vec![rewrite(
            String::new(),
            "`REINDEX` keeps writers out while it builds; use `REINDEX … CONCURRENTLY`",
        )]);
    }
    if cursor.eat(&["refresh", "materialized", "view"]) {
        if cursor.eat(&["concurrently"]) {
            return Ok(vec![Effect::Harmless]);
        }
        let view = cursor.name().unwrap_or_default();
        return Ok(vec![rewrite(view, "`REFRESH` keeps readers out; use `REFRESH MATERIALIZED VIEW CONCURRENTLY`")]);
    }
    let word = cursor.peek().map_or_else(String::new, |token| token.text.to_uppercase());
    Err(Unclear::Because { reason: format!("what `{word}` does is not judged"), anything: true })
}

/// Whether a VACUUM is FULL, and not `FULL FALSE`.
fn is_full(cursor: &Cursor<'_, '_>) -> bool {
    let off = |token: Option<&Token<'_>>| {
        token.is_some_and(|token| ["false", "off", "0"].iter().any(|word| token.text.eq_ignore_ascii_case(word)))
    };
    let tokens = cursor.rest();
    tokens.iter().enumerate().any(|(at, token)| token.is_word("full") && !off(tokens.get(at + 1)))
}

fn create(mut cursor: Cursor<'_, '_>, kind: Kind) -> Read {
    let replaces = cursor.eat(&["or", "replace"]);
    // MySQL names who it runs as.
    while cursor.eat_any(&["definer", "algorithm"]) {
        cursor.eat_symbol("=");
        cursor.next();
        if cursor.eat_symbol("@") || cursor.peek().is_some_and(|token| token.text.starts_with('@')) {
            cursor.next();
        }
    }
    if cursor.eat(&["sql", "security"]) {
        cursor.next();
    }
    while cursor.eat_any(&["temp", "temporary", "unlogged", "global", "local", "recursive", "force"]) {}
    let replaced = |what: &str| Unclear::because(format!("it replaces a {what} that nodes may use"));
    if cursor.eat(&["table"]) {
        return if replaces { Err(replaced("table")) } else { table::create(cursor) };
    }
    if cursor.at_any(&["index", "unique", "fulltext", "spatial"]) {
        return index(cursor, kind);
    }
    if cursor.eat(&["materialized", "view"]) || cursor.eat(&["view"]) {
        return if replaces { Err(replaced("view")) } else { Ok(vec![Effect::Harmless]) };
    }
    if cursor.at_any(&["function", "procedure", "aggregate"]) {
        return if replaces { Err(replaced("function")) } else { Ok(vec![Effect::Harmless]) };
    }
    if cursor.at_any(&["type", "domain", "sequence", "schema", "extension", "collation", "statistics"]) {
        return Ok(vec![Effect::Harmless]);
    }
    if cursor.at_any(&["trigger", "constraint", "rule", "policy", "event"]) {
        return Err(Unclear::because(
            "what a trigger, rule, policy or event does to the writes of nodes is not judged",
        ));
    }
    Err(Unclear::Words)
}

fn index(mut cursor: Cursor<'_, '_>, kind: Kind) -> Read {
    let unique = cursor.eat(&["unique"]);
    let slow = cursor.eat_any(&["fulltext", "spatial"]);
    if !cursor.eat(&["index"]) {
        return Err(Unclear::Words);
    }
    let concurrent = cursor.eat(&["concurrently"]);
    cursor.eat_if_exists();
    let name = if cursor.at(&["on"]) { String::new() } else { cursor.name().ok_or(Unclear::Words)? };
    table::method(&mut cursor);
    if !cursor.eat(&["on"]) {
        return Err(Unclear::Words);
    }
    let only = cursor.eat(&["only"]);
    let table = cursor.name().ok_or(Unclear::Words)?;
    table::method(&mut cursor);
    let columns = cursor.parenthesized().ok_or(Unclear::Words)?.column_list();
    let partial = cursor.has_word("where");
    let copies = cursor.has_word("copy") || cursor.has_word("shared") || cursor.has_word("exclusive");
    let online = match kind {
        // ONLY the parent: the partitions' own indexes are built and attached by themselves.
        Kind::Postgres => concurrent || only,
        Kind::MySql => !slow && !copies,
        // It has one writer, and no other way.
        Kind::Sqlite => true,
    };
    let mut effects = Vec::new();
    if concurrent {
        effects.push(Effect::OutsideTransaction { what: "CREATE INDEX CONCURRENTLY" });
    }
    effects.push(Effect::CreateIndex(NewIndex { table, name, columns, unique, online, partial }));
    Ok(effects)
}

fn alter_other(mut cursor: Cursor<'_, '_>) -> Read {
    if cursor.eat(&["type"]) {
        let name = cursor.name().ok_or(Unclear::Words)?;
        if cursor.eat(&["add", "value"]) {
            return Ok(vec![Effect::AddEnumValue]);
        }
        if cursor.at(&["rename"]) {
            return Ok(vec![Effect::DropOther { what: "name of a type or of its value".to_owned(), name }]);
        }
        return Err(Unclear::Words);
    }
    if cursor.eat(&["index"]) {
        cursor.eat_if_exists();
        cursor.name();
        return if cursor.at(&["rename"]) { Ok(vec![Effect::Harmless]) } else { Err(Unclear::Words) };
    }
    Err(Unclear::Words)
}

fn drop(mut cursor: Cursor<'_, '_>, kind: Kind) -> Read {
    cursor.eat(&["temporary"]);
    if cursor.eat_any(&["table", "tables"]) {
        cursor.eat_if_exists();
        return names(cursor, |table| Effect::DropTable { table });
    }
    if cursor.eat(&["index"]) {
        let concurrent = cursor.eat(&["concurrently"]);
        cursor.eat_if_exists();
        let name = cursor.name().ok_or(Unclear::Words)?;
        let mut effects = Vec::new();
        if concurrent {
            effects.push(Effect::OutsideTransaction { what: "DROP INDEX CONCURRENTLY" });
        }
        effects.push(Effect::DropIndex { name, concurrent: concurrent || kind != Kind::Postgres });
        return Ok(effects);
    }
    let mut what = cursor.next().ok_or(Unclear::Words)?.text.to_lowercase();
    if what == "materialized" {
        cursor.eat(&["view"]);
        what.push_str(" view");
    }
    cursor.eat_if_exists();
    let name = cursor.name().ok_or(Unclear::Words)?;
    Ok(vec![Effect::DropOther { what, name }])
}

fn rename_tables(mut cursor: Cursor<'_, '_>) -> Read {
    let mut effects = Vec::new();
    while let Some(mut item) = cursor.item() {
        let from = item.name().ok_or(Unclear::Words)?;
        if !item.eat(&["to"]) {
            return Err(Unclear::Words);
        }
        effects.push(Effect::RenameTable { from, to: item.name().ok_or(Unclear::Words)? });
    }
    Ok(effects)
}

fn names(mut cursor: Cursor<'_, '_>, effect: impl Fn(String) -> Effect) -> Read {
    let mut effects = Vec::new();
    while let Some(mut item) = cursor.item() {
        effects.push(effect(item.name().ok_or(Unclear::Words)?));
        while item.eat_any(&["cascade", "restrict", "wait", "nowait", "restart", "continue", "identity"]) {}
        if !item.is_done() {
            return Err(Unclear::Words);
        }
    }
    if effects.is_empty() { Err(Unclear::Words) } else { Ok(effects) }
}

/// What reads and writes rows.
fn rows(mut cursor: Cursor<'_, '_>) -> Read {
    let all = cursor;
    if cursor.eat(&["with"]) {
        // The statement behind the common table expressions; one that writes inside them writes as well.
        while !cursor.is_done() && !cursor.at_any(&["insert", "update", "delete", "merge", "replace"]) {
            cursor.next();
        }
        if cursor.is_done() {
            return select(&all);
        }
    }
    let write = |verb, table, constant| Ok(vec![Effect::Write { verb, table, constant }]);
    if cursor.eat_any(&["insert", "replace"]) {
        while cursor.eat_any(&["or", "ignore", "replace", "abort", "into", "low_priority", "delayed", "overwrite"]) {}
        let table = cursor.name().ok_or(Unclear::Words)?;
        // Rows that the text itself gives are as few as somebody wrote down.
        let constant = !cursor.has_word("select") && !cursor.has_word("table") && !all.at(&["replace"]);
        return write("INSERT", table, constant);
    }
    if cursor.eat(&["update"]) {
        while cursor.eat_any(&["or", "ignore", "replace", "abort", "rollback", "fail", "only", "low_priority"]) {}
        return write("UPDATE", cursor.name().ok_or(Unclear::Words)?, false);
    }
    if cursor.eat(&["delete"]) {
        while cursor.eat_any(&["from", "only", "low_priority", "quick", "ignore"]) {}
        return write("DELETE", cursor.name().ok_or(Unclear::Words)?, false);
    }
    if cursor.eat(&["merge"]) {
        cursor.eat_any(&["into"]);
        return write("MERGE", cursor.name().ok_or(Unclear::Words)?, false);
    }
    if cursor.eat(&["copy"]) {
        return write("COPY", cursor.name().ok_or(Unclear::Words)?, false);
    }
    if cursor.eat(&["load"]) {
        while !cursor.is_done() && !cursor.eat(&["into", "table"]) {
            cursor.next();
        }
        return write("LOAD", cursor.name().ok_or(Unclear::Words)?, false);
    }
    select(&all)
}

/// A query is harmless unless it calls something, or makes a table.
fn select(cursor: &Cursor<'_, '_>) -> Read {
    const READING: &[&str] =
        &["count", "sum", "min", "max", "avg", "coalesce", "in", "exists", "lower", "upper", "and", "or", "as"];
    match cursor.calls(READING) {
        Some(function) => {
            Err(Unclear::Because { reason: format!("what `{function}` does is not judged"), anything: true })
        }
        None if cursor.has_word("into") => Err(Unclear::Words),
        None => Ok(vec![Effect::Harmless]),
    }
}
