//! Train's data: in `image_locations.meta_data` the key `"backend":` becomes `"store":`, while nodes of Stein go on writing it.

use super::facts;
use crate::support::{Concertina, Kind, Session, TestDatabase, on_every_database};

const LOCATIONS: &str = "SELECT id, image_id, deleted, meta_data FROM image_locations WHERE id < 1000 ORDER BY id";
const ELSE: &str = "SELECT id, value, created_at, updated_at, deleted_at, status FROM image_locations ORDER BY id";

/// A text as this database writes it in SQL.
fn literal(kind: Kind, text: Option<&str>) -> String {
    match text {
        None => "NULL".to_owned(),
        Some(text) if kind == Kind::MySql => format!("'{}'", text.replace('\\', "\\\\")),
        Some(text) => format!("'{text}'"),
    }
}

/// Adds a location as every release of Glance does.
async fn add(session: &mut Session, kind: Kind, id: &str, image: &str, deleted: bool, meta_data: Option<&str>) {
    let (deleted, meta_data) = (kind.boolean(deleted), literal(kind, meta_data));
    session
        .run(format!(
            "INSERT INTO image_locations (id, image_id, value, created_at, updated_at, deleted, meta_data, status) VALUES \
             ({id}, '{image}', 'file:///{id}', '2019-10-16 12:00:00', '2019-10-16 12:00:00', {deleted}, {meta_data}, 'active')"
        ))
        .await;
}

/// Brings a database to Stein, with the recorded locations and their images.
async fn at_stein(db: &TestDatabase) -> (Concertina, Session) {
    let concertina = Concertina::command(db);
    concertina.run(&["upgrade", "--to", "stein"]).expect_code(0);
    let kind = db.kind();
    let mut session = db.owner().await;
    let rows = facts::quoted_rows("train/locations-before.csv");
    assert!(rows.len() > 100, "the file has its rows");
    let no = kind.boolean(false);
    let images: Vec<String> = rows
        .iter()
        .map(|row| {
            let image = row[1].as_ref().expect("a location is of an image");
            format!("('{image}', 'active', '2019-10-16 12:00:00', {no}, 0, 0, {no}, 'shared')")
        })
        .collect();
    session
        .run(format!(
            "INSERT INTO images (id, status, created_at, deleted, min_disk, min_ram, protected, visibility) VALUES {}",
            images.join(", ")
        ))
        .await;
    for row in &rows {
        let field = |at: usize| row[at].as_deref().expect("a field that is never NULL");
        add(&mut session, kind, field(0), field(1), field(2) == "1", row[3].as_deref()).await;
    }
    (concertina, session)
}

/// The recorded rows, with booleans as the database gives them.
fn recorded(kind: Kind, when: &str) -> Vec<Vec<Option<String>>> {
    let mut rows = facts::quoted_rows(&format!("train/locations-{when}.csv"));
    for row in &mut rows {
        let deleted = kind.boolean(row[2].as_deref() == Some("1"));
        row[2] = Some(if kind == Kind::Postgres { deleted[..1].to_owned() } else { deleted.to_owned() });
    }
    rows
}

on_every_database! {
    async fn the_recorded_locations_get_the_metadata_that_glance_gave_them(db: TestDatabase) {
        let (concertina, mut session) = at_stein(&db).await;
        assert_eq!(session.rows(LOCATIONS).await, recorded(db.kind(), "before"));
        let everything_else = session.rows(ELSE).await;

        concertina.run(&["expand"]).expect_code(0).expect_stdout("done: train/expand");
        concertina.run(&["check"]).expect_code(4);
        assert_eq!(session.rows(LOCATIONS).await, recorded(db.kind(), "before"), "expand is for the schema");
        concertina.run(&["migrate"]).expect_code(0);
        concertina.run(&["check"]).expect_code(5);
        assert_eq!(session.rows(LOCATIONS).await, recorded(db.kind(), "after"));
        assert_eq!(session.rows(ELSE).await, everything_else, "migrate changed more than the metadata");

        concertina.run(&["migrate"]).expect_code(0).expect_stdout("nothing to do");
        concertina.run(&["contract"]).expect_code(0).expect_stdout("done: train/contract");
        assert_eq!(session.rows(LOCATIONS).await, recorded(db.kind(), "after"));
    }

    async fn what_stein_writes_behind_migrate_is_migrated_before_contract(db: TestDatabase) {
        let (concertina, mut session) = at_stein(&db).await;
        let image = "00000000-0000-4000-8000-000000000000";
        concertina.run(&["expand"]).expect_code(0);
        concertina.run(&["migrate"]).expect_code(0);
        // An old node, and texts that a database could take for the key, or find twice.
        let late = [
            (r#"{"backend": "late"}"#, r#"{"store": "late"}"#),
            (r#"{"backend": "a", "b": {"backend":"c"}}  "#, r#"{"store": "a", "b": {"store":"c"}}  "#),
            (r#"{"Backend": "fast"}"#, r#"{"Backend": "fast"}"#),
            (r#"{"BACKEND": "fast", "backend": "ü"}"#, r#"{"BACKEND": "fast", "store": "ü"}"#),
            ("", ""),
        ];
        for (id, (written, _)) in (1000..).zip(late) {
            add(&mut session, db.kind(), &id.to_string(), image, false, Some(written)).await;
        }
        concertina.run(&["contract"]).expect_code(6)
            .expect_stderr("rows of `image_locations` are not migrated (among them 1000; 1001; 1003)");
        concertina.run(&["migrate"]).expect_code(0);
        let found = session.rows("SELECT meta_data FROM image_locations WHERE id >= 1000 ORDER BY id").await;
        let expected: Vec<_> = late.iter().map(|(_, migrated)| vec![Some((*migrated).to_owned())]).collect();
        assert_eq!(found, expected);
        assert_eq!(session.rows(LOCATIONS).await, recorded(db.kind(), "after"));
        concertina.run(&["contract"]).expect_code(0);
    }
}
