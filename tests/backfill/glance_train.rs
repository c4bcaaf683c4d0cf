//! Glance's Train release: in `image_locations.meta_data` the text `"backend":` becomes `"store":`, byte for byte as the real
//! migration left it; once as SQL, and once by a program.

use super::options;
use crate::conformance::facts;
use crate::support::{Kind, Session, TestDatabase, Train, on_every_database};

/// The words in the key's place alone; each database's own search that tells case.
const SQL: &str = r#"backfill:
  table: image_locations
  set: { meta_data: 'REPLACE(meta_data, ''"backend":'', ''"store":'')' }
  where:
    postgres: meta_data LIKE '%"backend":%'
    mysql: LOCATE(BINARY '"backend":', meta_data) > 0
    sqlite: instr(meta_data, '"backend":') > 0
"#;

/// The same by a program, which sees a text inside of JSON.
const COMMAND: &str = r#"backfill:
  table: image_locations
  command:
    run: [sed, 's/\\"backend\\":/\\"store\\":/g']
    reads: []
    writes: [meta_data]
  where:
    postgres: meta_data LIKE '%"backend":%'
    mysql: LOCATE(BINARY '"backend":', meta_data) > 0
    sqlite: instr(meta_data, '"backend":') > 0
"#;

/// Rows before the change, or after it.
fn rows(when: &str) -> Vec<Vec<Option<String>>> {
    facts::quoted_rows(&format!("train/locations-{when}.csv"))
}

async fn locations(db: &TestDatabase) -> Session {
    let mut session = db.owner().await;
    session
        .run(format!(
            "CREATE TABLE image_locations (id INTEGER NOT NULL PRIMARY KEY, image_id VARCHAR(36) NOT NULL, deleted INTEGER NOT NULL, \
             meta_data TEXT) {}",
            options(db.kind())
        ))
        .await;
    let literal = |value: Option<String>| match value {
        None => "NULL".to_owned(),
        Some(text) if db.kind() == Kind::MySql => format!("'{}'", text.replace('\\', "\\\\")),
        Some(text) => format!("'{text}'"),
    };
    for row in rows("before") {
        let values: Vec<String> = row.into_iter().map(literal).collect();
        session.run(format!("INSERT INTO image_locations VALUES ({})", values.join(", "))).await;
    }
    session
}

async fn expect_train(db: TestDatabase, backfill: &str) {
    let mut session = locations(&db).await;
    let all = "SELECT id, image_id, deleted, meta_data FROM image_locations ORDER BY id";
    assert_eq!(session.rows(all).await, rows("before"));
    let mut train = Train::with_settings(&db, "batch: { rows: 10 }");
    train.add(&[("data/01_stores.yaml", backfill)]);
    train.concertina().run(&["expand"]).expect_code(0);
    train.concertina().run(&["migrate", "--workers", "2"]).expect_code(0);
    assert_eq!(session.rows(all).await, rows("after"));
    train.concertina().run(&["migrate"]).expect_code(0);
    // The same once more, as a release of its own: nothing is left to change.
    train.concertina().run(&["contract", "--quiet-period", "0s"]).expect_code(0);
    train.add(&[("data/01_stores.yaml", backfill)]);
    train.concertina().run(&["expand"]).expect_code(0);
    train.concertina().run(&["migrate"]).expect_code(0);
    assert_eq!(session.rows(all).await, rows("after"));
    let changed = session.value("SELECT SUM(rows_changed) FROM concertina_range WHERE backfill_id LIKE 'r2/%'").await;
    assert_eq!(changed.as_deref(), Some("0"));
}

on_every_database! {
    async fn by_sql(db: TestDatabase) {
        expect_train(db, SQL).await;
    }

    async fn by_a_program(db: TestDatabase) {
        expect_train(db, COMMAND).await;
    }
}
