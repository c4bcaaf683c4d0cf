//! Glance's Train release: in `image_locations.meta_data` the text `"backend":` becomes `"store":`, byte for byte as the real
//! migration left it; once as SQL, and once by a program.

use super::options;
use crate::support::{Kind, Session, TestDatabase, Train, on_every_database};

const BEFORE: &str = include_str!("glance_train/locations-before.csv");
const AFTER: &str = include_str!("glance_train/locations-after.csv");

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

/// The rows of a file, as `Session::lines` gives them; a field in quotes has two for one.
fn rows(file: &str) -> Vec<Vec<Option<String>>> {
    let mut rows = Vec::new();
    for line in file.lines().skip(1) {
        let mut fields: Vec<&str> = line.splitn(4, ',').collect();
        let last = fields.pop().expect("four fields");
        let text = match last.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(text) => Some(text.replace("\"\"", "\"")),
            None if last == "<NULL>" => None,
            None => Some(last.to_owned()),
        };
        rows.push(fields.into_iter().map(|field| Some(field.to_owned())).chain([text]).collect());
    }
    assert!(rows.len() > 100, "the file has its rows");
    rows
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
    for row in rows(BEFORE) {
        let values: Vec<String> = row.into_iter().map(literal).collect();
        session.run(format!("INSERT INTO image_locations VALUES ({})", values.join(", "))).await;
    }
    session
}

async fn expect_train(db: TestDatabase, backfill: &str) {
    let mut session = locations(&db).await;
    let all = "SELECT id, image_id, deleted, meta_data FROM image_locations ORDER BY id";
    assert_eq!(session.rows(all).await, rows(BEFORE));
    let mut train = Train::with_settings(&db, "batch: { rows: 10 }");
    train.add(&[("data/01_stores.yaml", backfill)]);
    train.concertina().run(&["expand"]).expect_code(0);
    train.concertina().run(&["migrate", "--workers", "2"]).expect_code(0);
    assert_eq!(session.rows(all).await, rows(AFTER));
    train.concertina().run(&["migrate"]).expect_code(0);
    // The same once more, as a release of its own: nothing is left to change.
    train.concertina().run(&["contract", "--quiet-period", "0s"]).expect_code(0);
    train.add(&[("data/01_stores.yaml", backfill)]);
    train.concertina().run(&["expand"]).expect_code(0);
    train.concertina().run(&["migrate"]).expect_code(0);
    assert_eq!(session.rows(all).await, rows(AFTER));
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
