//! What a foreign key does to rows: MySQL and MariaDB fire no trigger for it, the others do.

use super::{on, options};
use crate::support::{TestDatabase, Train, on_every_database};

/// Tenants, notes of theirs in states, and marks on notes; each table refers to others in every way that changes rows.
async fn notes(db: &TestDatabase) {
    let mut owner = db.owner().await;
    let end = options(db.kind());
    for table in [
        "tenants (id INTEGER NOT NULL PRIMARY KEY)",
        "states (id INTEGER NOT NULL PRIMARY KEY)",
        "notes (id INTEGER NOT NULL PRIMARY KEY, state INTEGER, n INTEGER, \
         CONSTRAINT notes_state FOREIGN KEY (state) REFERENCES states (id) ON DELETE SET NULL)",
        "plain (id INTEGER NOT NULL PRIMARY KEY, o INTEGER, n INTEGER)",
        "marks (id INTEGER NOT NULL PRIMARY KEY, plain INTEGER NOT NULL, tenant INTEGER, \
         CONSTRAINT marks_plain FOREIGN KEY (plain) REFERENCES plain (id) ON DELETE CASCADE, \
         CONSTRAINT marks_tenant FOREIGN KEY (tenant) REFERENCES tenants (id) ON DELETE CASCADE)",
        "own_marks (id INTEGER NOT NULL PRIMARY KEY, plain INTEGER NOT NULL, \
         CONSTRAINT own_marks_plain FOREIGN KEY (plain) REFERENCES plain (id) ON DELETE CASCADE ON UPDATE CASCADE)",
    ] {
        owner.run(format!("CREATE TABLE {table} {end}")).await;
    }
}

fn expand(db: &TestDatabase, sync: &str) -> crate::support::Output {
    let mut train = Train::new(db);
    train.add(&[("expand/01_steps.yaml", &format!("steps:\n  - sync: {sync}\n"))]);
    train.concertina().run(&["expand"])
}

const OF_A_COLUMN: &str =
    "{ name: notes_state, table: notes, forward: { n: state * 10 }, backward: { state: n / 10 } }";

fn of_related(table: &str) -> String {
    format!(
        "{{ name: plain_n, table: plain, forward: {{ n: 'o + (SELECT COUNT(*) FROM {table} m WHERE m.plain = plain.id) * 100' }}, \
         backward: {{ o: 'n - (SELECT COUNT(*) FROM {table} m WHERE m.plain = plain.id) * 100' }}, \
         related: [{{ table: {table}, key: {{ plain: id }}, when: n IS NOT NULL }}] }}"
    )
}

on_every_database! {
    async fn a_foreign_key_that_changes_a_synced_column(db: TestDatabase) {
        notes(&db).await;
        let mut owner = db.owner().await;
        let output = expand(&db, OF_A_COLUMN);
        if !on(db.kind(), "", "refused", "").is_empty() {
            output.expect_code(1).expect_stderr("the foreign key `notes_state` of `notes` says ON DELETE SET NULL");
            let columns = "SELECT COUNT(*) FROM information_schema.triggers WHERE trigger_schema = DATABASE()";
            assert_eq!(owner.value(columns).await.as_deref(), Some("0"));
            return;
        }
        output.expect_code(0);
        owner.run("INSERT INTO states (id) VALUES (1), (2)").await;
        owner.run("INSERT INTO notes (id, state) VALUES (1, 1), (2, 2)").await;
        owner.run("DELETE FROM states WHERE id = 1").await;
        assert_eq!(owner.lines("SELECT id, state, n FROM notes ORDER BY id").await, ["1|-|-", "2|2|20"]);
    }

    async fn a_foreign_key_that_removes_rows_of_a_related_table(db: TestDatabase) {
        notes(&db).await;
        let mut owner = db.owner().await;
        let output = expand(&db, &of_related("marks"));
        if !on(db.kind(), "", "refused", "").is_empty() {
            output.expect_code(1).expect_stderr("the foreign key `marks_tenant` of `marks` says ON DELETE CASCADE");
            // One that goes with the row it points to leaves nothing out of step.
            expand(&db, &of_related("own_marks")).expect_code(0);
            owner.run("INSERT INTO plain (id, o) VALUES (1, 1), (2, 2)").await;
            owner.run("INSERT INTO own_marks (id, plain) VALUES (1, 1), (2, 1), (3, 2)").await;
            owner.run("DELETE FROM plain WHERE id = 1").await;
            assert_eq!(owner.lines("SELECT id, o, n FROM plain").await, ["2|2|102"]);
            return;
        }
        output.expect_code(0);
        owner.run("INSERT INTO tenants (id) VALUES (1), (2)").await;
        owner.run("INSERT INTO plain (id, o) VALUES (1, 1), (2, 2)").await;
        owner.run("INSERT INTO marks (id, plain, tenant) VALUES (1, 1, 1), (2, 1, 2), (3, 2, 2)").await;
        assert_eq!(owner.lines("SELECT id, o, n FROM plain ORDER BY id").await, ["1|1|201", "2|2|102"]);
        owner.run("DELETE FROM tenants WHERE id = 2").await;
        assert_eq!(owner.lines("SELECT id, o, n FROM plain ORDER BY id").await, ["1|1|101", "2|2|2"]);
    }
}
