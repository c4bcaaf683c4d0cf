//! Bad upgrades, each bad in one way: the rehearsal must say so, and what it is.

use serde_json::Value;

use super::{Rehearsal, evidence, expect_good};
use crate::support::{Output, Project, TestDatabase, on_every_database, on_every_server};

/// A table of notes; release two says `words` where release one says `body`.
fn project(expand: &str, data: &str, contract: &str) -> Project {
    let project = Project::new(&[("concertina.yaml", "releases: [one, two]\n")]);
    project.write(
        "migrations/V1__notes.sql",
        "CREATE TABLE notes (id VARCHAR(36) PRIMARY KEY, body VARCHAR(80), kind VARCHAR(20) NOT NULL);\n",
    );
    for (path, text) in [("expand/two/01.yaml", expand), ("data/two/01.yaml", data), ("contract/two/01.yaml", contract)]
    {
        if !text.is_empty() {
            project.write(&path.replace("01", "01_words"), text);
        }
    }
    for (release, column) in [("one", "body"), ("two", "words")] {
        project.write(
            &format!("tests/workloads/{release}.yaml"),
            &format!(
                "seed:\n  - {{ name: notes, rows: 60, with: {{ id: uuid }}, do: [\"INSERT INTO notes (id, {column}, kind) \
                 VALUES (:id, 'first', 'seed')\"] }}\n\
                 operations:\n  \
                   - {{ name: read, weight: 2, with: {{ note: {{ row: notes }} }}, do: [{{ sql: \"SELECT {column} FROM notes WHERE id = :note.id\", \
                      expect: {{ rows: 1 }} }}] }}\n  \
                   - {{ name: write, weight: 2, with: {{ id: uuid }}, do: [\"INSERT INTO notes (id, {column}, kind) VALUES (:id, 'new', '{release}')\"] }}\n  \
                   - {{ name: change, weight: 3, with: {{ note: {{ row: notes }}, text: {{ text: {{ length: [1, 20] }} }} }}, \
                      do: [\"UPDATE notes SET {column} = :text WHERE id = :note.id\"] }}\n"
            ),
        );
    }
    project
}

const EXPAND: &str = "steps:\n  \
    - add_column: { table: notes, column: { name: words, type: string(80) } }\n    \
      allow: { select-star: none, prepared-statements: none }\n  \
    - sync: { name: notes_words, table: notes, forward: { words: body }, backward: { body: words } }\n";
const DATA: &str = "backfill:\n  table: notes\n  set: { words: body }\n  where: words IS NULL AND body IS NOT NULL\n";
const CONTRACT: &str = "steps:\n  - drop_column: { table: notes, column: body }\n";

#[track_caller]
fn rehearse(project: &Project, db: Option<&TestDatabase>) -> Value {
    let output = Rehearsal::of(project, db).run(&["one", "two", "--rate", "150"]);
    output.expect_code(6);
    output.json()
}

#[track_caller]
fn expect_not(report: &Value, verdict: &str, what: &str, found: &str) {
    assert_eq!(report["verdict"], verdict, "{:#}", report["assertions"]);
    let evidence = evidence(report, what);
    assert_eq!(evidence["holds"], false, "{evidence}");
    assert!(evidence["found"].as_str().is_some_and(|text| text.contains(found)), "`{found}` is not in {evidence}");
}

on_every_database! {
    async fn the_good_one_is_good(db: TestDatabase) {
        let output = Rehearsal::of(&project(EXPAND, DATA, CONTRACT), Some(&db)).run(&["one", "two", "--rate", "150"]);
        expect_good(&output);
    }

    /// New nodes do not see what old ones write.
    async fn a_sync_that_is_missing(db: TestDatabase) {
        let expand = EXPAND.lines().filter(|line| !line.contains("sync:")).collect::<Vec<_>>().join("\n");
        let project = project(&expand, DATA, "");
        let workload = project.read("tests/workloads/two.yaml");
        project.write(
            "tests/workloads/two.yaml",
            &format!("{workload}invariants:\n  - {{ name: both say the same, sql: \"SELECT id FROM notes WHERE body <> words OR body IS NULL OR words IS NULL\", during: [mixed] }}\n"),
        );
        expect_not(&rehearse(&project, Some(&db)), "upgrade", "every invariant holds", "`both say the same` broke");
    }

    /// A part of the files that throws away what is written.
    async fn a_write_that_is_lost(db: TestDatabase) {
        let step = "  - sql:\n      run:\n        \
            postgres: |\n          CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.kind := 'lost'; RETURN NEW; END $$;\n          \
            CREATE TRIGGER lose BEFORE INSERT ON notes FOR EACH ROW EXECUTE FUNCTION lose();\n        \
            mysql: CREATE TRIGGER lose BEFORE INSERT ON notes FOR EACH ROW SET NEW.kind = 'lost'\n        \
            sqlite: CREATE TRIGGER lose AFTER INSERT ON notes BEGIN UPDATE notes SET kind = 'lost' WHERE id = NEW.id; END\n      \
            undo:\n        \
            postgres: DROP FUNCTION lose() CASCADE\n        \
            mysql: DROP TRIGGER lose\n        \
            sqlite: DROP TRIGGER lose\n    \
            allow: { unclassified-sql: that is the point, removal-in-expand: none, table-rewrite: none }\n";
        let report = rehearse(&project(&format!("{EXPAND}{step}"), DATA, CONTRACT), Some(&db));
        expect_not(&report, "failed", "no write is lost", "expected kind = ");
        let first = &report["ledger"]["checks"][0]["first"][0];
        assert_eq!((first["table"].as_str(), first["column"].as_str()), (Some("notes"), Some("kind")), "{first}");
    }
}

/// Release two still reads what its own contract takes away.
#[test]
fn a_column_that_new_nodes_still_read() {
    let project = project(EXPAND, DATA, CONTRACT);
    let workload = project.read("tests/workloads/two.yaml").replacen("SELECT words FROM", "SELECT words, body FROM", 1);
    project.write("tests/workloads/two.yaml", &workload);
    let report = rehearse(&project, None);
    expect_not(&report, "rolling", "no operation fails", "`read` of two");
    let failures = report["failures"].as_array().expect("failures");
    assert!(
        failures.iter().all(|failure| failure["stage"] == "contract" || failure["stage"] == "after"),
        "{failures:#?}"
    );
    assert!(failures.iter().all(|failure| failure["natural"] == false));
}

/// An answer that the workload does not expect is a failure as well: old nodes do not know what new ones write.
#[test]
fn an_answer_that_is_wrong_for_old_nodes() {
    let project = project(EXPAND, DATA, CONTRACT);
    let workload = project.read("tests/workloads/one.yaml");
    let expected = workload.replacen("expect: { rows: 1 }", "expect: { columns: { body: [first, new] } }", 1);
    project.write("tests/workloads/one.yaml", &expected.replace("weight: 3", "weight: 0"));
    // All look at the same few rows.
    for release in ["one", "two"] {
        let path = format!("tests/workloads/{release}.yaml");
        project.write(&path, &project.read(&path).replace("{ row: notes }", "{ row: { table: notes, skew: 9 } }"));
    }
    let report = rehearse(&project, None);
    expect_not(&report, "rolling", "no operation fails", "`body` must not be ");
    assert_eq!(report["failures"][0]["stage"], "mixed", "{:#}", report["failures"]);
}

/// Where old nodes write nothing that a sync sees, contract would rightly go through, and is not tried.
#[test]
fn an_early_contract_is_not_tried_where_nothing_could_refuse_it() {
    let project = project(EXPAND, DATA, CONTRACT);
    let workload = project.read("tests/workloads/one.yaml");
    let reads = workload
        .replace("weight: 2, with: { id: uuid }", "weight: 0, with: { id: uuid }")
        .replace("weight: 3", "weight: 0");
    project.write("tests/workloads/one.yaml", &reads);
    let report = expect_good(&Rehearsal::of(&project, None).run(&["one", "two", "--rate", "150"]));
    let injections = report["injections"].as_array().expect("injections");
    let early = injections.iter().find(|injection| injection["kind"] == "early-contract").expect("it is told");
    assert_eq!(early["holds"], Value::Null, "{early}");
}

/// Conditions on what a sync changes, keys that foreign keys empty, and a query with WITH: none of them makes a write look lost.
#[test]
fn a_write_that_the_ledger_cannot_follow_is_not_lost() {
    let project = project(EXPAND, DATA, CONTRACT);
    project.write(
        "migrations/V2__remarks.sql",
        "CREATE TABLE writers (id VARCHAR(36) PRIMARY KEY);\n\
         CREATE TABLE remarks (id VARCHAR(36) PRIMARY KEY, writer VARCHAR(36) REFERENCES writers (id) ON DELETE SET NULL);\n",
    );
    for (release, column) in [("one", "body"), ("two", "words")] {
        let path = format!("tests/workloads/{release}.yaml");
        let more = format!(
            "  - {{ name: comes, weight: 3, with: {{ id: uuid }}, do: [INSERT INTO writers (id) VALUES (:id)] }}\n  \
               - {{ name: asks, weight: 3, do: [\"WITH few AS (SELECT id FROM notes LIMIT 1) SELECT id FROM few\"] }}\n  \
               - {{ name: goes, weight: 1, with: {{ writer: {{ row: writers }} }}, do: [DELETE FROM writers WHERE id = :writer.id] }}\n  \
               - {{ name: by its text, weight: 3, do: [\"UPDATE notes SET kind = 'first again' WHERE {column} = 'first'\"] }}\n"
        );
        let seed = "  - { name: writers, rows: 40, with: { id: uuid }, do: [INSERT INTO writers (id) VALUES (:id)] }\n  \
            - { name: remarks, rows: 80, with: { id: uuid, writer: { row: writers } }, do: [\"INSERT INTO remarks (id, writer) VALUES (:id, :writer.id)\"] }\n\
            operations:\n";
        let workload = project.read(&path).replacen("operations:\n", seed, 1);
        project.write(&path, &format!("{workload}{more}"));
    }
    let report = expect_good(&Rehearsal::of(&project, None).stage("500ms").run(&["one", "two", "--rate", "200"]));
    assert!(report["ledger"]["checks"][1]["values"].as_u64() > Some(100), "{:#}", report["ledger"]);
    assert_eq!(report["ledger"]["not_in_ledger"], serde_json::json!([]), "{:#}", report["ledger"]);
}

/// What fails without the upgrade as well does not count against it.
#[test]
fn what_fails_anyway_is_natural() {
    let project = project(EXPAND, DATA, CONTRACT);
    for release in ["one", "two"] {
        let path = format!("tests/workloads/{release}.yaml");
        let workload = project.read(&path);
        let broken = "  - { name: always wrong, weight: 1, do: [\"INSERT INTO notes (id) VALUES ('the same')\"] }\n";
        project.write(&path, &workload.replacen("operations:\n", &format!("operations:\n{broken}"), 1));
    }
    let output = Rehearsal::of(&project, None).run(&["one", "two", "--rate", "150"]);
    let report = expect_good(&output);
    let failures = report["failures"].as_array().expect("failures");
    assert!(!failures.is_empty() && failures.iter().all(|failure| failure["natural"] == true), "{failures:#?}");
    assert!(report["notes"].to_string().contains("`always wrong` of one never succeeded"), "{:#}", report["notes"]);
}

/// A change that cannot be made is a verdict as well, and the report says why.
#[test]
fn a_phase_that_fails() {
    let step = "  - add_check: { table: notes, name: short, check: length(kind) < 3 }\n";
    let validate =
        "steps:\n  - validate: { table: notes, name: short }\n  - drop_column: { table: notes, column: body }\n";
    let report = rehearse(&project(&format!("{EXPAND}{step}"), DATA, validate), None);
    assert_eq!(report["verdict"], "failed");
    assert_eq!(evidence(&report, "every phase ends well")["holds"], false);
}

/// A step that has the table for 1.5 s.
fn slow(db: &TestDatabase) -> (Project, Output) {
    let step = "  - sql:\n      run:\n        \
        postgres: LOCK TABLE notes IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(1.5)\n        \
        mysql: ALTER TABLE notes ADD COLUMN slow INT DEFAULT 1, ALGORITHM=COPY, LOCK=EXCLUSIVE\n      \
        undo: { postgres: SELECT 1, mysql: ALTER TABLE notes DROP COLUMN slow }\n    \
        allow: { unclassified-sql: none, lock-table: that is the point, table-rewrite: that is the point }\n";
    let project = project(&format!("{EXPAND}{step}"), DATA, CONTRACT);
    let rehearsal = Rehearsal::of(&project, Some(db)).stage("800ms");
    let output = rehearsal.run(&["one", "two", "--rate", "150", "--patience", "1s"]);
    (project, output)
}

on_every_server! {
    /// Who held the lock is told, and a client's patience has an end. MariaDB copies the table in no time: it is not slow enough.
    async fn a_lock_that_is_held(db: TestDatabase) {
        let (_project, output) = slow(&db);
        if db.kind() == crate::support::Kind::MySql {
            assert!(matches!(output.code, Some(0 | 6)), "{output}");
            return;
        }
        output.expect_code(6);
        let report = output.json();
        expect_not(&report, "rolling", "no operation takes longer than 1000 ms", "the longest took 1");
        assert_eq!(evidence(&report, "expand is as fast as quiet")["holds"], false);
        let expand = report["stages"].as_array().expect("stages").iter().find(|stage| stage["stage"] == "expand");
        let stall = &expand.expect("a stage")["stall"];
        assert!(stall["held_by"].as_str().is_some_and(|holder| holder.contains("pg_sleep(1.5)")), "{stall:#}");
        let during = stall["during"].as_array().expect("a list");
        assert!(during.iter().any(|what| what == "run SQL"), "{stall:#}");
    }
}
