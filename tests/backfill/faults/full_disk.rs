//! There is no room for what a backfill writes; then there is.

use super::{Counting, got_over};
use crate::support::{Kind, PrivateServer, TestDatabase, alone, run};

/// So many rows grow by a kilobyte each.
const ROWS: usize = 6_000;

const GROW: &str = "backfill:
  table: items
  set:
    counter: counter + 1
    done: 1
    payload: { postgres: \"repeat('x', 1000)\", mysql: \"repeat('x', 1000)\", sqlite: hex(zeroblob(500)) }
  where: done = 0
";

/// Enough of them to a batch that the room is soon used up.
const LARGE: &str = "batch: { rows: 200 }";

/// Runs into the full disk, twice, with the words that must tell of it.
async fn fill(counting: &mut Counting, words: &str, limit: Option<u64>) {
    for _ in 0..2 {
        let mut concertina = counting.concertina();
        if let Some(bytes) = limit {
            concertina = concertina.limit_files(bytes);
        }
        let output = concertina.run(counting.migrate());
        assert!(!got_over(&output), "the disk is not full:\n{output}");
        output.expect_stderr(words);
        output.expect_stderr("hint: make room");
        let counted = counting.session.value("SELECT SUM(counter) FROM items").await;
        assert_eq!(counted, Some(counting.done().await.to_string()), "half a batch is there");
    }
    let done = counting.done().await;
    assert!(0 < done && done < ROWS, "{done} rows are done: it stopped in the middle");
}

/// Its sessions may write no file beyond a size, which the table's soon has.
#[test]
fn a_full_disk_is_named_and_nothing_is_lost_on_postgres() {
    alone(async || {
        let server = PrivateServer::start(Kind::Postgres, &[]).await;
        let db = TestDatabase::create_on(Kind::Postgres, &server.admin_url(), "full_disk").await;
        let mut counting = Counting::of(&db, ROWS, LARGE, GROW).await;
        server.limit_files(Some(4 << 20));
        fill(&mut counting, "could not extend file", None).await;
        server.limit_files(None);
        counting.finish().await;
    });
}

/// Every table is in one file, which may not grow; a second one is the new disk.
#[test]
fn a_full_disk_is_named_and_nothing_is_lost_on_mysql() {
    alone(async || {
        let small = &["--innodb-file-per-table=0", "--innodb-data-file-path=ibdata1:16M"];
        let large = &["--innodb-file-per-table=0", "--innodb-data-file-path=ibdata1:16M;ibdata2:32M"];
        let mut server = PrivateServer::start(Kind::MySql, small).await;
        let db = TestDatabase::create_on(Kind::MySql, &server.admin_url(), "full_disk").await;
        let mut counting = Counting::of(&db, ROWS, LARGE, GROW).await;
        fill(&mut counting, "is full", None).await;
        server.stop();
        server.start_again(large).await;
        counting.session = db.owner().await;
        counting.finish().await;
    });
}

/// The command itself may write no more than a little of what is still to come.
#[test]
fn a_full_disk_is_named_and_nothing_is_lost_on_sqlite() {
    run(Kind::Sqlite, "full_disk", async |db: TestDatabase| {
        let mut counting = Counting::of(&db, ROWS, LARGE, GROW).await;
        let size = std::fs::metadata(db.file().expect("a file")).expect("its size").len();
        fill(&mut counting, "disk", Some(size + (2 << 20))).await;
        counting.finish().await;
        assert_eq!(counting.session.lines("PRAGMA integrity_check").await, ["ok"]);
    });
}
