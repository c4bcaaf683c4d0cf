//! SQLite: pragmas, and the text of CREATE TABLE for what they do not tell.

use super::{is_application_table, present};
use crate::conformance::schema::{Column, Schema};
use crate::conformance::sqlite_ddl;
use crate::support::Session;

pub(super) async fn schema(session: &mut Session) -> Schema {
    let mut schema = Schema::default();
    let tables = session.rows("SELECT name, sql FROM sqlite_schema WHERE type = 'table' ORDER BY name").await;
    for row in tables.iter().filter(|row| is_application_table(present(&row[0]))) {
        add_table(session, &mut schema, present(&row[0]), present(&row[1])).await;
    }
    schema
}

async fn add_table(session: &mut Session, schema: &mut Schema, table: &str, sql: &str) {
    let written = sqlite_ddl::constraints(sql);

    let rows = session
        .rows(format!("SELECT name, type, \"notnull\", dflt_value, pk FROM pragma_table_xinfo('{table}') ORDER BY cid"))
        .await;
    let columns: Vec<Column> = rows
        .iter()
        .map(|row| Column {
            name: present(&row[0]).to_owned(),
            type_name: present(&row[1]).to_uppercase(),
            nullable: present(&row[2]) == "0",
            default: row[3].clone(),
            autoincrement: written.autoincrement && present(&row[4]) != "0",
        })
        .collect();
    let mut key: Vec<(u32, String)> = rows
        .iter()
        .map(|row| (present(&row[4]).parse().expect("a position in the key"), present(&row[0]).to_owned()))
        .filter(|(position, _)| *position > 0)
        .collect();
    key.sort();
    let key: Vec<String> = key.into_iter().map(|(_, name)| name).collect();
    schema.add_table(table, &columns, &key, "");

    for (name, columns) in &written.uniques {
        schema.add_unique(table, columns, name.as_deref());
    }
    for (name, check) in &written.checks {
        schema.add_check(table, check, name.as_deref());
    }

    // Only those that a CREATE INDEX made; the others belong to constraints.
    let indexes = session
        .rows(format!(
            "SELECT name, \"unique\", partial FROM pragma_index_list('{table}') WHERE origin = 'c' ORDER BY name"
        ))
        .await;
    for row in &indexes {
        let name = present(&row[0]);
        let columns = session.rows(format!("SELECT name FROM pragma_index_info('{name}') ORDER BY seqno")).await;
        // An expression has no name.
        let columns: Vec<String> =
            columns.into_iter().map(|mut row| row.remove(0).unwrap_or_else(|| "(expression)".to_owned())).collect();
        let partial = if present(&row[2]) == "1" { "partial" } else { "" };
        schema.add_index(table, name, &columns, present(&row[1]) == "1", partial);
    }

    let mut rows = session
        .rows(format!(
            "SELECT id, \"table\", \"from\", \"to\", on_update, on_delete FROM pragma_foreign_key_list('{table}') \
             ORDER BY id, seq"
        ))
        .await
        .into_iter()
        .peekable();
    while let Some(first) = rows.next() {
        let (mut from, mut to) = (vec![present(&first[2]).to_owned()], vec![first[3].clone().unwrap_or_default()]);
        while let Some(next) = rows.next_if(|row| row[0] == first[0]) {
            from.push(present(&next[2]).to_owned());
            to.push(next[3].clone().unwrap_or_default());
        }
        let options = [("ON DELETE", &first[5]), ("ON UPDATE", &first[4])]
            .into_iter()
            .filter(|(_, rule)| present(rule) != "NO ACTION")
            .map(|(event, rule)| format!("{event} {}", present(rule)))
            .collect::<Vec<_>>()
            .join(" ");
        let name =
            written.foreign_keys.iter().find(|(_, columns)| *columns == from).and_then(|(name, _)| name.as_deref());
        schema.add_foreign_key(table, &from, (present(&first[1]), &to), name, &options);
    }
}
