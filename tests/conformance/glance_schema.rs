//! After each phase, Glance's schema is what Glance's own programs made of it.

use super::glance::RELEASES;
use super::schema::{Difference, Schema};
use super::{facts, introspect, leftovers};
use crate::support::{BaselineFile, Concertina, Kind, Project, TestDatabase, on_every_database};

/// Where ours differs on purpose from what was measured, from a revision on, and before another.
struct Intended {
    kind: Kind,
    from: &'static str,
    before: Option<&'static str>,
    path: &'static str,
    measured: Option<&'static str>,
    ours: Option<&'static str>,
    reason: &'static str,
}

impl Intended {
    fn holds_at(&self, kind: Kind, revision: &str) -> bool {
        let revisions = facts::revisions();
        let place =
            |name: &str| revisions.iter().position(|revision| revision == name).expect("a revision of Glance's");
        let at = place(revision);
        kind == self.kind && place(self.from) <= at && self.before.is_none_or(|before| at < place(before))
    }
}

const LOST_CHECKS: &str =
    "rebuilding the table silently lost its unnamed checks; ours keeps every one whose column stays";

const INTENDED: &[Intended] = &[
    Intended {
        kind: Kind::Sqlite,
        from: "ocata_expand01",
        before: Some("ocata_contract01"),
        path: "images, check is_public in (0, 1)",
        measured: None,
        ours: Some("unnamed"),
        reason: LOST_CHECKS,
    },
    Intended {
        kind: Kind::Sqlite,
        from: "ocata_expand01",
        before: None,
        path: "images, check deleted in (0, 1)",
        measured: None,
        ours: Some("unnamed"),
        reason: LOST_CHECKS,
    },
    Intended {
        kind: Kind::Sqlite,
        from: "ocata_expand01",
        before: None,
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
        if !intended.holds_at(db.kind(), revision) {
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

/// Glance's revisions of one phase of a release, in order: `2024_1_expand01` is one of 2024.1's expand.
fn revisions(release: &str, phase: &str) -> Vec<String> {
    let prefix = format!("{}_{phase}", release.replace('.', "_"));
    facts::revisions().into_iter().filter(|revision| revision.starts_with(&prefix)).collect()
}

/// Whether a release of the bundled project changes anything.
fn has_files(release: &str) -> bool {
    ["expand", "data", "contract"].iter().any(|folder| Project::bundled().path().join(folder).join(release).exists())
}

/// The releases behind newton.
fn later_releases() -> impl Iterator<Item = &'static str> {
    let behind = RELEASES.iter().skip_while(|release| **release != "newton").skip(1);
    behind.copied()
}

/// The name of a release's file of this number, without its ending.
fn change_file(folder: &str, release: &str, number: usize) -> String {
    let entries =
        std::fs::read_dir(Project::bundled().path().join(folder).join(release)).expect("the release's folder");
    let names = entries.map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned());
    let name = names.into_iter().find(|name| name.starts_with(&format!("{number:02}_")));
    let name =
        name.unwrap_or_else(|| panic!("{folder}/{release} has no file {number:02}, and Glance has a revision for it"));
    name.trim_end_matches(".yaml").to_owned()
}

on_every_database! {
    async fn each_file_of_the_baseline_gives_the_schema_that_glance_gave(db: TestDatabase) {
        let mut session = db.owner().await;
        for file in BaselineFile::bundled(db.kind()) {
            file.run(&mut session).await;
            expect_schema(&db, &file.name).await;
        }
    }

    async fn each_phase_gives_the_schema_that_glance_gave(db: TestDatabase) {
        let concertina = Concertina::command(&db);
        concertina.run(&["upgrade", "--to", "newton"]).expect_code(0);
        let mut at = "mitaka02".to_owned();
        expect_schema(&db, &at).await;
        let state = leftovers::ours(&db).await;
        let mut compared = 0;

        for release in later_releases() {
            let (expanded, contracted) = (revisions(release, "expand"), revisions(release, "contract"));
            compared += expanded.len() + contracted.len();
            if !has_files(release) {
                for revision in expanded.iter().chain(&contracted) {
                    expect_schema(&db, revision).await;
                    at.clone_from(revision);
                }
                continue;
            }
            // What Glance did in several revisions is as many files here, and each is looked at.
            for (number, revision) in (2..=expanded.len()).zip(&expanded) {
                let next = format!("step.start.before@{release}/expand/{}/1#1", change_file("expand", release, number));
                let died = concertina.clone().env("CONCERTINA_FAILPOINT", &next).run(&["expand"]);
                assert_eq!(died.code, None, "it was to die between two files, at {next}: {died}");
                expect_schema(&db, revision).await;
            }
            concertina.run(&["expand"]).expect_code(0).expect_stdout(&format!("done: {release}/expand"));
            at = expanded.last().cloned().unwrap_or(at);
            expect_schema(&db, &at).await;
            if release == "ocata" {
                let installed = leftovers::ours(&db).await;
                assert!(
                    installed.iter().any(|object| object.kind == "trigger"),
                    "the sync has no trigger whose name says that it is ours: {installed:?}"
                );
            }

            concertina.run(&["migrate"]).expect_code(0);
            expect_schema(&db, &at).await;

            concertina.run(&["contract", "--quiet-period", "0s"]).expect_code(0);
            for revision in contracted {
                expect_schema(&db, &revision).await;
                at = revision;
            }
            leftovers::expect_none(&db, Some(&state)).await;
        }
        let baseline = BaselineFile::bundled(db.kind()).len();
        assert_eq!(compared + baseline, facts::revisions().len(), "a revision of Glance's was never compared");
        concertina.run(&["check"]).expect_code(0);
    }

    async fn upgrade_to_each_release_gives_the_schema_that_glance_gave(db: TestDatabase) {
        let concertina = Concertina::command(&db);
        let mut at = "mitaka02".to_owned();
        for release in RELEASES {
            concertina.run(&["upgrade", "--to", release]).expect_code(0);
            at = revisions(release, "contract").pop().unwrap_or(at);
            expect_schema(&db, &at).await;
            leftovers::expect_none(&db, None).await;
        }
        assert_eq!(Some(at), facts::revisions().pop(), "the train does not reach Glance's newest revision");
        concertina.run(&["check"]).expect_code(0);
    }

    async fn upgrade_of_an_empty_database_gives_the_same_as_phase_by_phase(db: TestDatabase) {
        Concertina::command(&db).run(&["upgrade"]).expect_code(0);
        expect_schema(&db, &facts::revisions().pop().expect("revisions")).await;
        leftovers::expect_none(&db, None).await;
        Concertina::command(&db).run(&["check"]).expect_code(0);

        let other = TestDatabase::create(db.kind(), "phase_by_phase").await;
        let concertina = Concertina::command(&other);
        concertina.run(&["upgrade", "--to", "newton"]).expect_code(0);
        for _release in later_releases().filter(|release| has_files(release)) {
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
        expect_schema(&db, &facts::revisions().pop().expect("revisions")).await;
        leftovers::expect_none(&db, None).await;
    }
}
