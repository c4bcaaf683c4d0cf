//! Keys of dates and moments: to the microsecond, and in time zones where an hour comes twice.

use super::keys::{gapped, shuffled, walk};
use super::{ROWS, counting, expect_walks, make_items};
use crate::support::{Kind, TestDatabase, on_every_database, run};

on_every_database! {
    async fn dates(db: TestDatabase) {
        walk(db, "id DATE NOT NULL, n INTEGER NOT NULL", ", PRIMARY KEY (id, n)", |number| {
            let number = gapped(shuffled(number));
            format!("'{}-{:02}-{:02}', {number}", 1900 + number % 200, number % 12 + 1, number % 28 + 1)
        })
        .await;
    }

    async fn microseconds(db: TestDatabase) {
        let column = match db.kind() {
            Kind::Postgres => "id TIMESTAMP(6) NOT NULL PRIMARY KEY",
            Kind::MySql => "id DATETIME(6) NOT NULL PRIMARY KEY",
            Kind::Sqlite => "id DATETIME NOT NULL PRIMARY KEY",
        };
        // All within a hundredth of a second.
        walk(db, column, "", |number| format!("'2017-02-22 12:00:00.{:06}'", 990_000 + shuffled(number) * 3)).await;
    }

    async fn times_of_day(db: TestDatabase) {
        let column = if db.kind() == Kind::MySql { "id TIME(6) NOT NULL PRIMARY KEY" } else { "id TIME NOT NULL PRIMARY KEY" };
        walk(db, column, "", |number| {
            let number = shuffled(number);
            format!("'{:02}:{:02}:00.{:06}'", number % 24, number % 60, number)
        })
        .await;
    }
}

/// Seconds of the hours in which Berlin's clocks went back: what is called half past two was twice.
fn in_the_autumn_night(number: usize) -> usize {
    1_509_234_600 + shuffled(number) * 2
}

#[test]
fn a_time_zone_of_the_role_on_postgres() {
    run(Kind::Postgres, "a_time_zone_of_the_role", async |db: TestDatabase| {
        let mut session = make_items(&db, "id TIMESTAMPTZ NOT NULL PRIMARY KEY", "", |number| {
            format!("to_timestamp({}.{:06})", in_the_autumn_night(number), number)
        })
        .await;
        let role = session.value("SELECT current_user").await.expect("a role");
        let mut admin = db.admin().await;
        for setting in ["TimeZone = 'Europe/Berlin'", "DateStyle = 'SQL, DMY'", "IntervalStyle = 'sql_standard'"] {
            admin.run(format!("ALTER ROLE \"{role}\" SET {setting}")).await;
        }
        let train = counting(&db, 7);
        expect_walks(&mut session, &train.concertina(), ROWS).await;
    });
}

#[test]
fn a_time_zone_of_the_url_on_postgres() {
    run(Kind::Postgres, "a_time_zone_of_the_url", async |db: TestDatabase| {
        let mut session = make_items(&db, "id TIMESTAMPTZ NOT NULL PRIMARY KEY", "", |number| {
            format!("to_timestamp({}.{:06})", in_the_autumn_night(number), number)
        })
        .await;
        let train = counting(&db, 7);
        for (count, options) in
            ["-c%20TimeZone%3DEurope/Berlin", "-c%20DateStyle%3DSQL,DMY%20-c%20TimeZone%3DEurope/Berlin"]
                .iter()
                .enumerate()
        {
            let url = format!("{}?options={options}", db.owner_url());
            session.run("UPDATE items SET done = 0, counter = 0").await;
            train.concertina().database(&url).run(&["migrate", "--workers", "2"]).expect_code(0);
            super::expect_each_once(&mut session, ROWS).await;
            let changed = session.value("SELECT SUM(rows_changed) FROM concertina_range").await;
            assert_eq!(changed, Some(((count + 1) * ROWS).to_string()));
        }
    });
}

#[test]
fn a_time_zone_of_the_session_on_mysql() {
    run(Kind::MySql, "a_time_zone_of_the_session", async |db: TestDatabase| {
        // A test server knows no zones by name.
        let mut admin = db.admin().await;
        let zone = format!("Test/Berlin{}", std::process::id());
        admin.run("INSERT INTO mysql.time_zone (Use_leap_seconds) VALUES ('N')").await;
        let id = admin.value("SELECT MAX(Time_zone_id) FROM mysql.time_zone").await.expect("an id");
        admin.run(format!("INSERT INTO mysql.time_zone_name VALUES ('{zone}', {id})")).await;
        admin.run(format!("INSERT INTO mysql.time_zone_transition_type VALUES ({id}, 0, 7200, 1, 'CEST'), ({id}, 1, 3600, 0, 'CET')")).await;
        admin
            .run(format!("INSERT INTO mysql.time_zone_transition VALUES ({id}, 1490490000, 0), ({id}, 1509238800, 1)"))
            .await;
        // Of two moments with one name in the zone, each is a row.
        let mut session = make_items(&db, "id TIMESTAMP(6) NOT NULL PRIMARY KEY", "", |number| {
            format!("FROM_UNIXTIME({}.5)", in_the_autumn_night(number))
        })
        .await;
        let train = counting(&db, 7);
        let url = format!("{}?timezone={zone}", db.owner_url());
        expect_walks(&mut session, &train.concertina().database(&url), ROWS).await;
    });
}
