//! After each phase, Glance's schema is what Glance's own programs made of it.

use super::schema::{Difference, Schema};
use super::{facts, introspect, leftovers};
use crate::support::{Concertina, Kind, TestDatabase, on_every_database};

/// Where ours differs on purpose from what was measured.
struct Intended {
    kind: Kind,
    revisions: &'static [&'static str],
    path: &'static str,
    measured: Option<&'static str>,
    ours: Option<&'static str>,
    reason: &'static str,
}

const LOST_CHECKS: &str =
    "rebuilding the table silently lost its unnamed checks; ours keeps every one whose column stays";

const INTENDED: &[Intended] = &[
    Intended {
        kind: Kind::Sqlite,
        revisions: &["ocata_expand01"],
        path: "images, check is_public in (0, 1)",
        measured: None,
        ours: Some("unnamed"),
        reason: LOST_CHECKS,
    },
    Intended {
        kind: Kind::Sqlite,
        revisions: &["ocata_expand01", "ocata_contract01", "pike_contract01"],
        path: "images, check deleted in (0, 1)",
        measured: None,
        ours: Some("unnamed"),
        reason: LOST_CHECKS,
    },
    Intended {
        kind: Kind::Sqlite,
        revisions: &["ocata_expand01", "ocata_contract01", "pike_contract01"],
        path: "images, check protected in (0, 1)",
        measured: None,
        ours: Some("unnamed"),
        reason: LOST_CHECKS,
    },
];

/// Fails when the schema differs from what was measured at `revision`, unless on purpose.
async fn expect_schema(db: &TestDatabase, revision: &str) {
    let measured = facts::schema(db.kind(), revision);
    let mut differences = Schema::differences(&measured, &introspect::schema(db).await);
    let mut problems = Vec::new();
    for intended in INTENDED {
        if intended.kind != db.kind() || !intended.revisions.contains(&revision) {
            continue;
        }
        let difference = Difference {
            path: intended.path.to_owned(),
            expected: intended.measured.map(ToOwned::to_owned),
            found: intended.ours.map(ToOwned::to_owned),
        };
        match differences.iter().position(|found| *found == difference) {
            Some(at) => drop(differences.remove(at)),
            None => problems.push(format!(
                "this difference is listed as intended ({}) and is not there any more:\n{difference}",
                intended.reason
            )),
        }
    }
    problems.extend(differences.iter().map(ToString::to_string));
    assert!(
        problems.is_empty(),
        "the schema on {} is not that of `{revision}`, in {} places:\n\n{}\n",
        db.kind(),
        problems.len(),
        problems.join("\n\n")
    );
}

on_every_database! {
    async fn each_phase_gives_the_schema_that_glance_gave(db: TestDatabase) {
        let concertina = Concertina::command(&db);
        concertina.run(&["upgrade", "--to", "newton"]).expect_code(0);
        expect_schema(&db, "mitaka02").await;
        let state = leftovers::ours(&db).await;

        concertina.run(&["expand"]).expect_code(0);
        expect_schema(&db, "ocata_expand01").await;
        let installed = leftovers::ours(&db).await;
        assert!(
            installed.iter().any(|object| object.kind == "trigger"),
            "the sync has no trigger whose name says that it is ours: {installed:?}"
        );

        concertina.run(&["migrate"]).expect_code(0);
        expect_schema(&db, "ocata_expand01").await;

        concertina.run(&["contract", "--quiet-period", "0s"]).expect_code(0);
        expect_schema(&db, "ocata_contract01").await;
        leftovers::expect_none(&db, Some(&state)).await;

        concertina.run(&["expand"]).expect_code(0);
        concertina.run(&["migrate"]).expect_code(0);
        concertina.run(&["contract", "--quiet-period", "0s"]).expect_code(0);
        expect_schema(&db, "pike_contract01").await;
        leftovers::expect_none(&db, Some(&state)).await;

        concertina.run(&["check"]).expect_code(0);
    }

    async fn upgrade_of_an_empty_database_gives_the_same_as_phase_by_phase(db: TestDatabase) {
        Concertina::command(&db).run(&["upgrade"]).expect_code(0);
        expect_schema(&db, "pike_contract01").await;
        leftovers::expect_none(&db, None).await;
        Concertina::command(&db).run(&["check"]).expect_code(0);

        let other = TestDatabase::create(db.kind(), "phase_by_phase").await;
        let concertina = Concertina::command(&other);
        concertina.run(&["upgrade", "--to", "newton"]).expect_code(0);
        for _release in ["ocata", "pike"] {
            concertina.run(&["expand"]).expect_code(0);
            concertina.run(&["migrate"]).expect_code(0);
            concertina.run(&["contract", "--quiet-period", "0s"]).expect_code(0);
        }
        let differences = Schema::differences(&introspect::schema(&other).await, &introspect::schema(&db).await);
        let differences: Vec<String> = differences.iter().map(ToString::to_string).collect();
        assert!(differences.is_empty(), "phase by phase was expected, found is upgrade:\n\n{}\n", differences.join("\n\n"));
        assert_eq!(leftovers::ours(&db).await, leftovers::ours(&other).await, "upgrade left something else behind");
    }

    async fn upgrade_goes_on_from_where_the_phases_stopped(db: TestDatabase) {
        let concertina = Concertina::command(&db);
        concertina.run(&["upgrade", "--to", "newton"]).expect_code(0);
        concertina.run(&["expand"]).expect_code(0);
        // The real one reported success here, and left the triggers, which then broke every write.
        concertina.run(&["upgrade"]).expect_code(0);
        expect_schema(&db, "pike_contract01").await;
        leftovers::expect_none(&db, None).await;
    }
}
