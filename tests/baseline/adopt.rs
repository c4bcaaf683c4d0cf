//! `baseline --at V`: a database that has the baseline without any history is compared, and recorded.

use crate::support::{BaselineFile, Concertina, Dump, Kind, Output, TestDatabase, on_every_database};

/// Makes the database as its team did, by hand.
async fn made_by_hand(db: &TestDatabase) -> Concertina {
    let mut session = db.owner().await;
    for file in BaselineFile::bundled(db.kind()) {
        file.run(&mut session).await;
    }
    db.grant_scratch().await;
    Concertina::command(db)
}

/// Fails when the place in which the files were tried out is still there.
async fn expect_no_scratch(db: &TestDatabase, output: &Output) {
    let mut admin = db.admin().await;
    let found = match db.kind() {
        Kind::Postgres => {
            let mut owner = db.owner().await;
            owner.rows("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'concertina%'").await
        }
        // Those of other tests may be there, each with its process in its name.
        Kind::MySql => admin.rows(format!("SHOW DATABASES LIKE 'concertina\\_scratch\\_{}\\_%'", output.process)).await,
        Kind::Sqlite => {
            let folder = db.file().and_then(|file| file.parent()).expect("a folder");
            let files = std::fs::read_dir(folder).expect("the folder");
            let names = files.map(|file| file.expect("a file").file_name().to_string_lossy().into_owned());
            names.filter(|name| name != "test.db").map(|name| vec![Some(name)]).collect()
        }
    };
    assert!(found.is_empty(), "left behind: {found:?}");
}

/// Changes the database, and fails unless that is named, refused, and not recorded.
async fn expect_refused(db: &TestDatabase, concertina: &Concertina, difference: &str) {
    let before = Dump::of(db).await;
    let output = concertina.run(&["baseline", "--at", "V3"]);
    output
        .expect_code(6)
        .expect_stderr("error: the database is not what the baseline makes")
        .expect_stderr(&format!("  {difference}\n"))
        .expect_stderr(
            "hint: name the version that the database is at, or bring the database to it; nothing was recorded",
        );
    before.expect_same(&Dump::of(db).await);
    expect_no_scratch(db, &output).await;
}

async fn change(db: &TestDatabase, statement: &str) {
    db.owner()
        .await
        .execute(statement)
        .await
        .unwrap_or_else(|failure| panic!("failed to run `{statement}`: {failure:?}"));
}

on_every_database! {
    async fn a_database_made_by_hand_is_adopted(db: TestDatabase) {
        let concertina = made_by_hand(&db).await;
        // Without it nothing runs, and the way out is named.
        concertina.run(&["expand"]).expect_code(6).expect_stderr("adopt this one with concertina baseline --at V");

        let output = concertina.run(&["baseline", "--at", "V3"]);
        output.expect_code(0).expect_stdout(
            "the database is what the baseline makes; recorded: V1__liberty, V2__mitaka01, V3__mitaka02",
        );
        expect_no_scratch(&db, &output).await;
        concertina.run(&["check"]).expect_code(3);

        // Twice is nothing to do.
        let before = Dump::of(&db).await;
        concertina.run(&["baseline", "--at", "V3"]).expect_code(0)
            .expect_stdout("nothing to do: the baseline is recorded already");
        before.expect_same(&Dump::of(&db).await);

        concertina.run(&["expand"]).expect_code(0);
        concertina.run(&["migrate"]).expect_code(0);
        concertina.run(&["contract", "--quiet-period", "0s"]).expect_code(0);
    }

    async fn a_version_has_three_names(db: TestDatabase) {
        let concertina = made_by_hand(&db).await;
        for version in ["3", "V3__mitaka02", "mitaka02"] {
            concertina.run(&["baseline", "--at", version]).expect_code(0);
            change(&db, "DELETE FROM refinery_schema_history").await;
        }
    }

    async fn an_earlier_version_is_adopted_and_the_rest_is_run(db: TestDatabase) {
        let mut session = db.owner().await;
        BaselineFile::bundled(db.kind())[0].run(&mut session).await;
        db.grant_scratch().await;
        let concertina = Concertina::command(&db);
        expect_refused(&db, &concertina, "index created_at_image_idx (created_at) of images is missing").await;
        concertina.run(&["baseline", "--at", "V1"]).expect_code(0).expect_stdout("recorded: V1__liberty");
        concertina.run(&["upgrade"]).expect_code(0)
            .expect_stdout("done: V2__mitaka01").expect_stdout("done: V3__mitaka02").expect_stdout("done: pike/contract");
    }

    async fn an_unknown_version(db: TestDatabase) {
        let concertina = made_by_hand(&db).await;
        let before = Dump::of(&db).await;
        for version in ["V9", "9", "newton", ""] {
            concertina.run(&["baseline", "--at", version]).expect_code(2).expect_stderr(&format!(
                "error: the baseline has no version `{version}`; it has V1__liberty, V2__mitaka01, V3__mitaka02"
            ));
        }
        before.expect_same(&Dump::of(&db).await);
    }

    async fn a_missing_index(db: TestDatabase) {
        let concertina = made_by_hand(&db).await;
        let table = if db.kind() == Kind::MySql { " ON images" } else { "" };
        change(&db, &format!("DROP INDEX owner_image_idx{table}")).await;
        expect_refused(&db, &concertina, "index owner_image_idx (owner) of images is missing").await;
    }

    async fn an_index_on_another_column(db: TestDatabase) {
        let concertina = made_by_hand(&db).await;
        let table = if db.kind() == Kind::MySql { " ON images" } else { "" };
        change(&db, &format!("DROP INDEX owner_image_idx{table}")).await;
        change(&db, "CREATE INDEX owner_image_idx ON images (name)").await;
        expect_refused(&db, &concertina, "index owner_image_idx (owner) of images is missing").await;
        expect_refused(&db, &concertina, "index owner_image_idx (name) of images is not the baseline's").await;
    }

    async fn an_index_that_is_unique_where_the_baselines_is_not(db: TestDatabase) {
        let concertina = made_by_hand(&db).await;
        let table = if db.kind() == Kind::MySql { " ON images" } else { "" };
        change(&db, &format!("DROP INDEX owner_image_idx{table}")).await;
        change(&db, "CREATE UNIQUE INDEX owner_image_idx ON images (owner)").await;
        let output = concertina.run(&["baseline", "--at", "V3"]);
        output
            .expect_code(6)
            .expect_stderr(if db.kind() == Kind::MySql {
                // There it is a constraint.
                "unique constraint (owner) of images is not the baseline's"
            } else {
                "index owner_image_idx (owner) of images is unique, not ordinary"
            });
    }

    async fn another_type(db: TestDatabase) {
        let concertina = made_by_hand(&db).await;
        match db.kind() {
            Kind::Postgres => change(&db, "ALTER TABLE images ALTER COLUMN checksum TYPE varchar(64)").await,
            Kind::MySql => change(&db, "ALTER TABLE images MODIFY checksum varchar(64)").await,
            Kind::Sqlite => {
                change(&db, "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'checksum VARCHAR(32)', 'checksum VARCHAR(64)') WHERE name = 'images'").await;
            }
        }
        let (is, not) = match db.kind() {
            Kind::Postgres => ("character varying(64) NULL", "character varying(32) NULL"),
            Kind::MySql => ("varchar(64) NULL", "varchar(32) NULL"),
            Kind::Sqlite => ("VARCHAR(64) NULL", "VARCHAR(32) NULL"),
        };
        expect_refused(&db, &concertina, &format!("column images.checksum is {is}, not {not}")).await;
    }

    async fn a_missing_column(db: TestDatabase) {
        let concertina = made_by_hand(&db).await;
        change(&db, "ALTER TABLE images DROP COLUMN virtual_size").await;
        expect_refused(&db, &concertina, "column images.virtual_size is missing").await;
    }

    async fn a_column_too_many(db: TestDatabase) {
        let concertina = made_by_hand(&db).await;
        change(&db, "ALTER TABLE images ADD COLUMN os_hidden INTEGER").await;
        expect_refused(&db, &concertina, "column images.os_hidden is not the baseline's").await;
    }

    async fn a_missing_table(db: TestDatabase) {
        let concertina = made_by_hand(&db).await;
        change(&db, "DROP TABLE task_info").await;
        expect_refused(&db, &concertina, "table task_info is missing").await;
    }

    async fn every_difference_is_named(db: TestDatabase) {
        let concertina = made_by_hand(&db).await;
        change(&db, "DROP TABLE task_info").await;
        change(&db, "ALTER TABLE images DROP COLUMN virtual_size").await;
        change(&db, "ALTER TABLE tasks ADD COLUMN progress INTEGER").await;
        for difference in
            ["table task_info is missing", "column images.virtual_size is missing", "column tasks.progress is not the baseline's"]
        {
            expect_refused(&db, &concertina, difference).await;
        }
    }

    async fn tables_of_others_do_not_matter(db: TestDatabase) {
        let concertina = made_by_hand(&db).await;
        change(&db, "CREATE TABLE customers (id INTEGER NOT NULL PRIMARY KEY)").await;
        concertina.run(&["baseline", "--at", "V3"]).expect_code(0);
    }

    async fn an_empty_database_has_no_baseline(db: TestDatabase) {
        db.grant_scratch().await;
        if db.file().is_some() {
            drop(db.owner().await);
        }
        expect_refused(&db, &Concertina::command(&db), "table images is missing").await;
    }

    async fn who_may_not_make_the_scratch_database_is_told_what_to_grant(db: TestDatabase) {
        if db.kind() != Kind::MySql {
            return;
        }
        let mut session = db.owner().await;
        for file in BaselineFile::bundled(db.kind()) {
            file.run(&mut session).await;
        }
        let before = Dump::of(&db).await;
        Concertina::command(&db).run(&["baseline", "--at", "V3"])
            .expect_code(1)
            .expect_stderr("error: run `CREATE DATABASE `concertina_scratch_")
            .expect_stderr("hint: the role lacks a privilege");
        before.expect_same(&Dump::of(&db).await);
    }
}
