//! The text of a table as SQLite keeps it: SQLite itself says what a changed text means.

use std::cell::OnceCell;
use std::path::Path;

use concertina::db::{Connection, Target};
use concertina::dialect::lex::{Flavor, significant, statements};
use concertina::dialect::{Change, Column, Schema, Statement, Table};
use tokio::runtime::Runtime;

struct Memory {
    runtime: Runtime,
    connection: Connection,
}

pub(crate) fn run(text: &str) {
    thread_local! {
        static MEMORY: OnceCell<std::cell::RefCell<Memory>> = const { OnceCell::new() };
    }
    // One statement, so that the database stays what it is: a table alone.
    let cut = statements(text, Flavor::Sqlite).unwrap_or_default();
    let [statement] = cut[..] else { return };
    let made = significant(statement, Flavor::Sqlite).unwrap_or_default();
    if !made.first().is_some_and(|first| first.is_word("create")) {
        return;
    }
    MEMORY.with(|memory| {
        let memory = memory.get_or_init(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let target = Target::parse("sqlite::memory:", Path::new("")).expect("a URL");
            let connection = runtime.block_on(async {
                let mut connection = Connection::open(&target, true).await.expect("a database in memory");
                for setting in connection.shared_dialect().foreign_keys(false) {
                    connection.run(setting).await.expect("a setting");
                }
                connection
            });
            std::cell::RefCell::new(Memory { runtime, connection })
        });
        let Memory { runtime, connection } = &mut *memory.borrow_mut();
        runtime.block_on(async {
            // What the text before may have left, where it failed.
            connection.rollback().await;
            connection.run("BEGIN").await.expect("a transaction");
            if connection.run(statement).await.is_ok() {
                let schema = connection.inspect().await.expect("what SQLite has taken can be read");
                // `a.b` is table `b` of schema `a`, for us (docs/project.md).
                if let Some(table) = schema.tables.values().next().filter(|table| !table.name.contains('.')) {
                    change_it(connection, &schema, table).await;
                }
            }
            connection.rollback().await;
        });
    });
}

async fn change_it(connection: &mut Connection, schema: &Schema, table: &Table) {
    let dialect = connection.shared_dialect();
    let first = &table.columns.first().expect("a table has a column").name;
    let check = format!("{} IS NOT NULL", dialect.quote(first));
    let mut changes = vec![Change::AddCheck("added".to_owned(), check)];
    for Column { name, .. } in table.columns.iter().take(4) {
        changes.push(Change::SetNotNull(name.clone()));
        changes.push(Change::DropNotNull(name.clone()));
        changes.push(Change::SetDefault(name.clone(), "'it''s'".to_owned()));
        changes.push(Change::DropDefault(name.clone()));
        changes.push(Change::DropColumn(name.clone()));
        changes.push(Change::AddEnumValue(name.clone(), "it's".to_owned()));
    }
    for change in changes {
        // What it will not do, it says.
        let Ok(script) = dialect.alter(schema, table, &change, false) else { continue };
        connection.run("SAVEPOINT before").await.expect("a savepoint");
        for statement in &script.statements {
            let Statement::Run(sql) = statement else { continue };
            if let Err(error) = connection.run(sql).await {
                panic!("{change:?}: SQLite refuses what was made of {:?}: {error}", table.sql);
            }
        }
        let after = connection.inspect().await.expect("what SQLite has taken can be read");
        let changed = after.tables.get(&table.name).unwrap_or_else(|| panic!("{change:?} loses the table"));
        expect_only(&change, table, changed);
        for sql in ["ROLLBACK TO before", "RELEASE before"] {
            connection.run(sql).await.expect("a savepoint");
        }
    }
}

/// A change did what it says, and nothing else.
fn expect_only(change: &Change, before: &Table, after: &Table) {
    let mut expected = before.columns.clone();
    match change {
        Change::DropColumn(name) => expected.retain(|column| &column.name != name),
        _ => {
            for column in &mut expected {
                let found = after.column(&column.name).cloned().unwrap_or_default();
                match change {
                    Change::SetNotNull(name) if *name == column.name => column.nullable = false,
                    // A key of a table without a rowid takes no NULL, whatever it says.
                    Change::DropNotNull(name) if *name == column.name => {
                        assert!(found.nullable || before.primary_key.contains(name), "{change:?} {:?}", after.sql);
                        column.nullable = found.nullable;
                    }
                    Change::SetDefault(name, value) if *name == column.name => {
                        column.default = Some(value.clone());
                        column.constant_default = true;
                    }
                    Change::DropDefault(name) if *name == column.name => {
                        column.default = None;
                        column.constant_default = found.constant_default;
                    }
                    _ => {}
                }
            }
        }
    }
    assert_eq!(expected, after.columns, "{change:?} made {:?} of {:?}", after.sql, before.sql);
    if matches!(change, Change::DropColumn(_)) {
        return;
    }
    assert_eq!(before.primary_key, after.primary_key, "{change:?} {:?}", after.sql);
    assert_eq!(before.uniques, after.uniques, "{change:?} {:?}", after.sql);
    assert_eq!(before.foreign_keys, after.foreign_keys, "{change:?} {:?}", after.sql);
    let added = usize::from(matches!(change, Change::AddCheck(..)));
    assert_eq!(before.checks.len() + added, after.checks.len(), "{change:?} {:?}", after.sql);
}
