//! Writers go on while a step works on a large table: a write is done between two sightings of the same statement.

use super::on;
use crate::support::{Kind, Session, TestDatabase, Train, on_every_server, run};

const ROWS: usize = 200_000;

/// A table that takes a moment to read.
async fn large(db: &TestDatabase) -> Session {
    let mut session = db.owner().await;
    session
        .run(on(
            db.kind(),
            "CREATE TABLE large (id INTEGER NOT NULL PRIMARY KEY, word VARCHAR(60), number INTEGER)",
            "CREATE TABLE large (id INTEGER NOT NULL PRIMARY KEY, word VARCHAR(60), number INTEGER) ENGINE=InnoDB",
            "",
        ))
        .await;
    session
        .run(on(
            db.kind(),
            "INSERT INTO large SELECT n, md5(n::text), n % 100 FROM generate_series(1, 200000) n",
            "INSERT INTO large SELECT seq, md5(seq), seq % 100 FROM seq_1_to_200000",
            "",
        ))
        .await;
    session
}

/// The statement of this beginning that works now, as against waiting for a lock; with what tells it from another.
async fn working(kind: Kind, session: &mut Session, beginning: &str) -> Option<String> {
    session
        .value(match kind {
            Kind::Postgres => format!(
                "SELECT pid || ' ' || query_start FROM pg_stat_activity WHERE application_name = 'concertina' \
                 AND state = 'active' AND query LIKE '{beginning}%'"
            ),
            _ => format!(
                "SELECT CONCAT(id, ' ', info) FROM information_schema.processlist WHERE info LIKE '{beginning}%' \
                 AND state NOT LIKE 'Waiting%'"
            ),
        })
        .await
}

/// Adds a release with a step and runs it; gives how many writes were done while its statement went on.
async fn writes_during(db: &TestDatabase, train: &mut Train, folder: &str, step: &str, beginning: &str) -> usize {
    let mut session = db.owner().await;
    train.add(&[(&format!("{folder}/01_step.yaml"), &format!("steps:\n{step}\n"))]);
    let finished =
        format!("SELECT release_name FROM concertina_phase WHERE phase = '{folder}' AND finished_at IS NOT NULL");
    let before = session.try_lines(&finished).await.map_or(0, |lines| lines.len());
    let running = train.concertina().spawn(&["upgrade"]);
    let mut writes = 0;
    for tries in 0.. {
        assert!(tries < 200_000, "the step ends");
        if let Some(sighted) = working(db.kind(), &mut session, beginning).await {
            session.run(format!("UPDATE large SET word = md5('again {tries}') WHERE id = {}", tries % ROWS + 1)).await;
            if working(db.kind(), &mut session, beginning).await == Some(sighted) {
                writes += 1;
            }
        } else if session.try_lines(&finished).await.is_ok_and(|lines| lines.len() > before) {
            break;
        }
    }
    running.finish().expect_code(0);
    writes
}

on_every_server! {
    async fn writers_write_while_an_index_is_built(db: TestDatabase) {
        large(&db).await;
        let mut train = Train::new(&db);
        let step = "  - create_index: { table: large, name: ix_word, columns: [word] }";
        let statement = on(db.kind(), "CREATE INDEX CONCURRENTLY", "ALTER TABLE `large` ADD INDEX", "");
        assert!(writes_during(&db, &mut train, "expand", step, statement).await > 0);
    }

    async fn writers_write_while_a_unique_constraint_is_built(db: TestDatabase) {
        large(&db).await;
        let mut train = Train::new(&db);
        let step = "  - add_unique: { table: large, name: uq_word, columns: [word, id] }";
        let statement = on(db.kind(), "CREATE UNIQUE INDEX CONCURRENTLY", "ALTER TABLE `large` ADD CONSTRAINT", "");
        assert!(writes_during(&db, &mut train, "contract", step, statement).await > 0);
    }

    async fn writers_write_while_a_column_becomes_mandatory(db: TestDatabase) {
        large(&db).await;
        let statement = on(db.kind(), "ALTER TABLE \"large\" VALIDATE", "ALTER TABLE `large` MODIFY", "");
        // PostgreSQL looks so fast that a busy machine may see it once only; there are two columns.
        let mut train = Train::new(&db);
        let mut writes =
            writes_during(&db, &mut train, "contract", "  - set_not_null: { table: large, column: word }", statement).await;
        if writes == 0 {
            let step = "  - set_not_null: { table: large, column: number }";
            writes = writes_during(&db, &mut train, "contract", step, statement).await;
        }
        assert!(writes > 0);
    }
}

/// So that the tests above can fail.
#[test]
fn a_copy_that_was_allowed_stops_writers() {
    run(Kind::MySql, "a_copy_that_was_allowed", async |db: TestDatabase| {
        large(&db).await;
        let mut train = Train::new(&db);
        let step = "  - add_check: { table: large, name: ck, check: number >= 0, allow_rewrite: true }";
        let writes = writes_during(&db, &mut train, "expand", step, "ALTER TABLE `large` ADD CONSTRAINT").await;
        // Some may slip in before the copy has its lock; beside one that lets them, there are hundreds.
        assert!(writes < 20, "{writes}");
    });
}
