//! MariaDB: information_schema. (MySQL 8 differs in two places: its CHECK_CONSTRAINTS has no TABLE_NAME and no LEVEL,
//! and its COLUMN_DEFAULT is not quoted.)

use std::collections::BTreeMap;

use super::{is_application_table, list, present};
use crate::conformance::schema::{Column, Schema};
use crate::support::Session;

#[derive(Default)]
struct Table {
    options: String,
    collation: String,
    columns: Vec<Column>,
    primary_key: Vec<String>,
}

pub(super) async fn schema(session: &mut Session) -> Schema {
    let mut schema = Schema::default();

    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    let found = session
        .rows(
            "SELECT table_name, engine, table_collation FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'",
        )
        .await;
    for row in found.iter().filter(|row| is_application_table(present(&row[0]))) {
        let collation = present(&row[2]).to_owned();
        let options = format!("{} {collation}", present(&row[1]));
        tables.insert(present(&row[0]).to_owned(), Table { options, collation, ..Table::default() });
    }

    let columns = session
        .rows(
            "SELECT table_name, column_name, column_type, is_nullable, column_default, extra, collation_name \
             FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY table_name, ordinal_position",
        )
        .await;
    for row in &columns {
        let Some(table) = tables.get_mut(present(&row[0])) else {
            continue;
        };
        let mut type_name = type_name(present(&row[2]));
        // A column in another character set than its table does not join with the table's other columns.
        if let Some(collation) = row[6].as_ref().filter(|collation| **collation != table.collation) {
            type_name.push_str(" COLLATE ");
            type_name.push_str(collation);
        }
        table.columns.push(Column {
            name: present(&row[1]).to_owned(),
            type_name,
            nullable: present(&row[3]) == "YES",
            // A nullable column without a default has the default NULL.
            default: row[4].clone().filter(|default| default != "NULL"),
            autoincrement: present(&row[5]).contains("auto_increment"),
        });
    }

    let indexes = session
        .rows(
            "SELECT table_name, index_name, non_unique, \
                    GROUP_CONCAT(CONCAT(column_name, IF(sub_part IS NULL, '', CONCAT('(', sub_part, ')'))) \
                                 ORDER BY seq_in_index SEPARATOR '|') \
             FROM information_schema.statistics WHERE table_schema = DATABASE() \
             GROUP BY table_name, index_name, non_unique",
        )
        .await;
    for row in &indexes {
        let (name, index, columns) = (present(&row[0]), present(&row[1]), list(&row[3]));
        let Some(table) = tables.get_mut(name) else {
            continue;
        };
        if index == "PRIMARY" {
            table.primary_key = columns;
            continue;
        }
        let unique = present(&row[2]) == "0";
        // A unique constraint is a unique index here, and the facts have it as both.
        if unique {
            schema.add_unique(name, &columns, Some(index));
        }
        schema.add_index(name, index, &columns, unique, "");
    }

    let foreign_keys = session
        .rows(
            "SELECT k.table_name, k.constraint_name, k.referenced_table_name, \
                    GROUP_CONCAT(k.column_name ORDER BY k.ordinal_position SEPARATOR '|'), \
                    GROUP_CONCAT(k.referenced_column_name ORDER BY k.ordinal_position SEPARATOR '|'), \
                    r.delete_rule, r.update_rule \
             FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r \
               ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name \
               AND r.table_name = k.table_name \
             WHERE k.table_schema = DATABASE() AND k.referenced_table_name IS NOT NULL \
             GROUP BY k.table_name, k.constraint_name, k.referenced_table_name, r.delete_rule, r.update_rule",
        )
        .await;
    for row in foreign_keys.iter().filter(|row| tables.contains_key(present(&row[0]))) {
        let options = [("ON DELETE", &row[5]), ("ON UPDATE", &row[6])]
            .into_iter()
            .filter(|(_, rule)| !["RESTRICT", "NO ACTION"].contains(&present(rule)))
            .map(|(event, rule)| format!("{event} {}", present(rule)))
            .collect::<Vec<_>>()
            .join(" ");
        schema.add_foreign_key(
            present(&row[0]),
            &list(&row[3]),
            (present(&row[2]), &list(&row[4])),
            Some(present(&row[1])),
            &options,
        );
    }

    let checks = session
        .rows(
            "SELECT table_name, constraint_name, check_clause, level FROM information_schema.check_constraints \
             WHERE constraint_schema = DATABASE()",
        )
        .await;
    for row in checks.iter().filter(|row| tables.contains_key(present(&row[0]))) {
        // A check written on a column has the column's name, and goes only with it: not what the facts have.
        let of_column = if present(&row[3]).eq_ignore_ascii_case("column") { " (of the column)" } else { "" };
        schema.add_check(present(&row[0]), present(&row[2]), Some(&format!("{}{of_column}", present(&row[1]))));
    }

    for (name, table) in &tables {
        schema.add_table(name, &table.columns, &table.primary_key, &table.options);
    }
    schema
}

/// Writes a type as the facts do: `int(11)` is INTEGER(11), and an enum keeps its values as they are.
fn type_name(column_type: &str) -> String {
    let (name, arguments) = column_type.split_at(column_type.find(['(', ' ']).unwrap_or(column_type.len()));
    match name {
        "int" => format!("INTEGER{arguments}"),
        "decimal" => format!("DECIMAL{}", arguments.replace(',', ", ")),
        _ => format!("{}{arguments}", name.to_uppercase()),
    }
}
