//! The bundled train.

use super::{Rehearsal, evidence, expect_good, left_by};
use crate::support::{Dump, Kind, Project, TestDatabase, on_every_database};

on_every_database! {
    async fn the_upgrade_to_ocata_has_no_downtime(db: TestDatabase) {
        let before = Dump::of(&db).await;
        let rehearsal = Rehearsal::of(&Project::bundled(), Some(&db));
        let output = rehearsal.run(&["newton", "ocata"]);
        let report = expect_good(&output);
        assert_eq!(report["database"], db.kind().name());
        for what in [
            "every phase ends well",
            "no write is lost",
            "`upgrade` makes from nothing",
            "nothing is left over",
            "both releases are at work",
            "every invariant holds",
            "every sync is in step",
            "refused",
            "no operation fails",
        ] {
            assert_eq!(evidence(&report, what)["holds"], true, "{what}");
        }
        let stages: Vec<&str> =
            report["stages"].as_array().expect("stages").iter().map(|stage| stage["stage"].as_str().expect("a word")).collect();
        assert_eq!(stages, ["quiet", "expand", "migrate", "mixed", "contract", "after"]);
        let kinds: Vec<&str> = report["injections"]
            .as_array()
            .expect("injections")
            .iter()
            .map(|injection| injection["kind"].as_str().expect("a word"))
            .collect();
        for kind in ["second-runner", "rollback", "kill", "restart", "early-contract", "old-node-check"] {
            assert!(kinds.contains(&kind), "`{kind}` is not among {kinds:?}");
        }
        assert!(report["ledger"]["writes"].as_u64() > Some(50), "{:#}", report["ledger"]);
        assert!(report["ledger"]["checks"][1]["values"].as_u64() > Some(1_000), "{:#}", report["ledger"]);
        assert_eq!(report["ledger"]["checks"].as_array().map(Vec::len), Some(2));

        // The three files are there, and nothing else is anywhere.
        assert!(rehearsal.read("report.html").contains("</html>"));
        let written: serde_json::Value = serde_json::from_str(&rehearsal.read("report.json")).expect("a document");
        assert_eq!(written, report);
        let junit = rehearsal.read("junit.xml");
        assert!(junit.contains(&format!("<testsuite name=\"newton to ocata on {}\"", db.kind().name())), "{junit}");
        assert!(junit.contains("failures=\"0\"") && junit.contains("name=\"no write is lost\""), "{junit}");
        assert_eq!(left_by(&db, output.process).await, [""; 0]);
        if db.kind() != Kind::Sqlite {
            before.expect_same(&Dump::of(&db).await);
        }
    }
}

/// Ocata, pike and rocky have files, queens has none.
#[test]
fn an_upgrade_over_releases_runs_the_cycle_of_each_in_turn() {
    let report = expect_good(&Rehearsal::of(&Project::bundled(), None).stage("200ms").run(&["newton", "rocky"]));
    let stages = report["stages"].as_array().expect("stages");
    let mut hops: Vec<&str> = stages.iter().map(|stage| stage["hop"].as_str().expect("a hop")).collect();
    assert_eq!(hops.len(), 18);
    hops.dedup();
    assert_eq!(hops, ["newton → ocata", "ocata → pike", "pike → rocky"]);
}
