//! Which changes of a column's type MySQL and MariaDB carry out without copying the table
//! (<https://mariadb.com/kb/en/innodb-online-ddl-operations-with-the-instant-alter-algorithm/>,
//! <https://dev.mysql.com/doc/refman/8.4/en/innodb-online-ddl-operations.html>); MariaDB's were tried on 10.11.

use super::super::lex::{Flavor, TokenKind, significant};
use super::super::schema::{Column, Schema, Table};
use super::super::type_name::{TypeName, Widening};

/// What giving a column another type means.
pub(super) fn of(schema: &Schema, table: &Table, column: &Column, to: &str, is_mariadb: bool) -> Widening {
    let (from, mut to) = (TypeName::parse(&column.type_name), TypeName::parse(to));
    if to.base == "decimal" && to.arguments.is_empty() {
        to.arguments = vec![10, 0];
    }
    if from == to {
        return Widening::Same;
    }
    if !from.fits_in(&to) {
        return Widening::NotWider;
    }
    if let Some(key) = foreign_key(schema, table, column) {
        return Widening::Refused(format!(
            "the foreign key {key} is on this column, and the server changes no type under one; drop_constraint above, widen both \
             sides, and add_foreign_key below"
        ));
    }
    let (Some(characters), Some(wider)) = (from.arguments.first(), to.arguments.first()) else {
        return Widening::Rewrite(COPIES.to_owned());
    };
    let each = bytes_of_a_character(column.collation.as_deref().unwrap_or_default());
    let (before, after) = (characters * each, wider * each);
    match (from.base.as_str(), to.base.as_str()) {
        ("varchar", "varchar") => {
            // How many bytes a length takes: one up to 255 bytes, else two; MariaDB's rows have one for a length up to 127.
            if after <= 255 || before > 255 || (is_mariadb && before <= 127) {
                return Widening::Free;
            }
            Widening::Rewrite(format!(
                "{COPIES}: {characters} characters are up to {before} bytes, with a length of one byte, and {wider} are up to \
                 {after}, with a length of two"
            ))
        }
        _ => Widening::Rewrite(COPIES.to_owned()),
    }
}

const COPIES: &str = "the server copies the whole table while every writer waits";

/// A foreign key that a column is on either side of.
fn foreign_key(schema: &Schema, table: &Table, column: &Column) -> Option<String> {
    schema.tables.values().flat_map(|of| of.foreign_keys.iter().map(move |key| (of, key))).find_map(|(of, key)| {
        let here = of.name == table.name && key.columns.contains(&column.name);
        let there = key.references == table.name && key.referenced_columns.contains(&column.name);
        (here || there).then(|| format!("`{}` of `{}`", key.name.as_deref().unwrap_or_default(), of.name))
    })
}

/// The most bytes that a character has in a collation's character set.
fn bytes_of_a_character(collation: &str) -> u32 {
    match collation.split('_').next().unwrap_or_default() {
        "utf8mb4" | "utf16" | "utf16le" | "utf32" | "gb18030" => 4,
        "utf8" | "utf8mb3" | "ujis" | "eucjpms" => 3,
        "ucs2" | "big5" | "gbk" | "gb2312" | "euckr" | "sjis" | "cp932" => 2,
        _ => 1,
    }
}

/// The labels of an enum; `None` for another type.
pub(super) fn labels(column: &Column) -> Option<Vec<String>> {
    let text = column.type_name.strip_prefix("enum(")?.strip_suffix(')')?;
    let tokens = significant(text, Flavor::MySql).ok()?;
    let strings = tokens.iter().filter(|token| token.kind == TokenKind::String);
    let inner = strings.filter_map(|token| token.text.strip_prefix('\'')?.strip_suffix('\''));
    Some(inner.map(|label| label.replace("''", "'").replace("\\\\", "\\")).collect())
}
