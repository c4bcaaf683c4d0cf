//! PostgreSQL: the catalogs, since information_schema hides what belongs to others and knows no indexes.

use std::collections::BTreeMap;

use super::{is_application_table, list, present};
use crate::conformance::schema::{Column, Schema};
use crate::support::Session;

pub(super) async fn schema(session: &mut Session) -> Schema {
    let mut schema = Schema::default();

    let enums = session
        .rows(
            "SELECT t.typname, string_agg(e.enumlabel, '|' ORDER BY e.enumsortorder) \
             FROM pg_type t JOIN pg_enum e ON e.enumtypid = t.oid \
             WHERE t.typnamespace = 'public'::regnamespace GROUP BY t.typname",
        )
        .await;
    for row in &enums {
        schema.add_enum(present(&row[0]), &list(&row[1]));
    }

    let mut tables: BTreeMap<String, (Vec<Column>, Vec<String>)> = BTreeMap::new();
    let columns = session
        .rows(
            "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), t.typtype, a.attnotnull, \
                    pg_get_expr(d.adbin, d.adrelid), a.attidentity, \
                    CASE WHEN a.attcollation <> t.typcollation THEN l.collname END \
             FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid \
             LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum \
             LEFT JOIN pg_collation l ON l.oid = a.attcollation \
             WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') \
               AND a.attnum > 0 AND NOT a.attisdropped \
             ORDER BY c.relname, a.attnum",
        )
        .await;
    for row in columns.iter().filter(|row| is_application_table(present(&row[0]))) {
        let default = row[5].clone();
        // An enum type is written as its name, the others in capitals and with their short names.
        let mut type_name = present(&row[2]).to_owned();
        if present(&row[3]) != "e" {
            type_name = type_name.to_uppercase().replace("CHARACTER VARYING", "VARCHAR");
        }
        if let Some(collation) = &row[7] {
            type_name.push_str(" COLLATE ");
            type_name.push_str(collation);
        }
        tables.entry(present(&row[0]).to_owned()).or_default().0.push(Column {
            name: present(&row[1]).to_owned(),
            type_name,
            nullable: present(&row[4]) == "f",
            autoincrement: row[6].as_deref().is_some_and(|identity| !identity.is_empty())
                || default.as_deref().is_some_and(|default| default.starts_with("nextval(")),
            default,
        });
    }

    let constraints = session
        .rows(
            "SELECT c.relname, k.contype, k.conname, \
                    (SELECT string_agg(a.attname, '|' ORDER BY u.place) FROM unnest(k.conkey) WITH ORDINALITY u(number, place) \
                       JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.number), \
                    r.relname, \
                    (SELECT string_agg(a.attname, '|' ORDER BY u.place) FROM unnest(k.confkey) WITH ORDINALITY u(number, place) \
                       JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.number), \
                    pg_get_constraintdef(k.oid), pg_get_expr(k.conbin, k.conrelid), k.convalidated \
             FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_class r ON r.oid = k.confrelid \
             WHERE c.relnamespace = 'public'::regnamespace ORDER BY c.relname, k.conname",
        )
        .await;
    for row in constraints.iter().filter(|row| is_application_table(present(&row[0]))) {
        let (table, name, columns) = (present(&row[0]), present(&row[2]), list(&row[3]));
        match present(&row[1]) {
            "p" => {
                tables.get_mut(table).expect("a constraint's table has columns").1 = columns;
            }
            "u" => schema.add_unique(table, &columns, Some(name)),
            "f" => {
                // What follows the referenced columns: actions, deferral, and whether it is still unvalidated.
                let (_, options) = present(&row[6]).rsplit_once(')').expect("a foreign key's definition");
                schema.add_foreign_key(table, &columns, (present(&row[4]), &list(&row[5])), Some(name), options.trim());
            }
            "c" => {
                let unvalidated = if present(&row[8]) == "f" { " (not valid)" } else { "" };
                schema.add_check(table, present(&row[7]), Some(&format!("{name}{unvalidated}")));
            }
            other => panic!("`{table}` has a constraint `{name}` of kind `{other}`, which nobody expected"),
        }
    }

    let indexes = session
        .rows(
            "SELECT c.relname, i.relname, \
                    (SELECT string_agg(pg_get_indexdef(x.indexrelid, n, true), '|' ORDER BY n) \
                       FROM generate_series(1, x.indnkeyatts) n), \
                    x.indisunique, x.indisvalid, pg_get_expr(x.indpred, x.indrelid), m.amname \
             FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid \
             JOIN pg_am m ON m.oid = i.relam \
             WHERE c.relnamespace = 'public'::regnamespace AND NOT x.indisprimary ORDER BY c.relname, i.relname",
        )
        .await;
    for row in indexes.iter().filter(|row| is_application_table(present(&row[0]))) {
        let mut extra = Vec::new();
        if present(&row[4]) == "f" {
            extra.push("invalid".to_owned());
        }
        if let Some(predicate) = &row[5] {
            extra.push(format!("where {predicate}"));
        }
        if present(&row[6]) != "btree" {
            extra.push(format!("using {}", present(&row[6])));
        }
        let unique = present(&row[3]) == "t";
        schema.add_index(present(&row[0]), present(&row[1]), &list(&row[2]), unique, &extra.join(" "));
    }

    for (table, (columns, primary_key)) in &tables {
        schema.add_table(table, columns, primary_key, "");
    }
    schema
}
