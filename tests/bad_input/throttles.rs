//! The throttles of the manifest: what is read, and what is said of what is not.

use insta::assert_snapshot;

use crate::support::{Concertina, Project};

/// What `status` says of a manifest with these lines, in a project without a database.
fn said(lines: &str) -> String {
    let project = Project::new(&[("concertina.yaml", &format!("releases: [liberty]\n{lines}\n"))]);
    let url = format!("sqlite://{}", project.path().join("untouched.db").display());
    let output =
        Concertina::in_project(project.path()).database(&url).env("REPLICA_SECRET", "hunter2").run(&["status"]);
    assert!(!output.stderr.contains("hunter2"), "a password was printed:\n{output}");
    let end = output.stderr.find("\nerror: 1 error").unwrap_or(output.stderr.len());
    output.stderr[..end].to_owned()
}

#[test]
fn every_key_is_read() {
    let everything = "
batch: { rows: 500, max_rows: 20000, target: 40ms, pace: full }
throttle:
  replica_lag: 10s
  replicas: ['mysql://me:${REPLICA_SECRET}@db2:3307/glance', '${NOBODY_SETS_THIS:-mariadb://db3/glance}']
  running_sessions: 20
  query:
    - { sql: SELECT count(*) FROM jobs, max: 10 }
    - sql: { postgres: SELECT 1, mysql: SELECT 2 }
      max: 0.5
  duty: 30
  hours: 22:00-06:00 +02:00
  latency: 0
  patience: 1h";
    // The database is not there, which is what is said of a project that is sound.
    assert_snapshot!(said(everything).lines().next().unwrap_or_default().split(" sqlite").next().unwrap(), @"error: connect to");
    assert!(said("throttle: { query: { sql: SELECT 1, max: 10 } }").starts_with("error: connect to"));
}

#[test]
fn an_unknown_key_of_a_throttle() {
    assert_snapshot!(said("throttle: { replicalag: 5s }"), @"
    error: unknown key `replicalag`, expected one of `replica_lag`, `replicas`, `running_sessions`, `query`, `duty`, `hours`, `latency`, `patience`
     --> concertina.yaml:2:13
      |
    2 | throttle: { replicalag: 5s }
      |             ^^^^^^^^^^
    ");
    assert_snapshot!(said("throttle:\n  query:\n    - { sql: SELECT 1, maximum: 10 }"), @"
    error: unknown key `maximum`, expected `sql` or `max`
     --> concertina.yaml:4:24
      |
    4 |     - { sql: SELECT 1, maximum: 10 }
      |                        ^^^^^^^

    error: missing key `max`
     --> concertina.yaml:4:7
      |
    4 |     - { sql: SELECT 1, maximum: 10 }
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

    error: 2 errors in the project
    hint: nothing was changed
    ");
}

#[test]
fn a_throttle_query_without_a_bound() {
    assert_snapshot!(said("throttle:\n  query: { sql: SELECT 1 }"), @"
    error: missing key `max`
     --> concertina.yaml:3:3
      |
    3 |   query: { sql: SELECT 1 }
      |   ^^^^^
    ");
}

#[test]
fn a_throttle_query_that_is_no_mapping() {
    assert_snapshot!(said("throttle:\n  query: SELECT 1"), @r#"
    error: invalid type: string "SELECT 1", expected `{ sql: SELECT …, max: 10 }`, or a list of them
     --> concertina.yaml:3:10
      |
    3 |   query: SELECT 1
      |          ^^^^^^^^
    "#);
}

#[test]
fn hours_that_are_none() {
    assert_snapshot!(said("throttle:\n  hours: 10pm-6am"), @"
    error: `10pm-6am` is no window of hours; expected one such as 22:00-06:00, or 22:00-06:00 +02:00
     --> concertina.yaml:3:10
      |
    3 |   hours: 10pm-6am
      |          ^^^^^^^^
    ");
}

#[test]
fn numbers_out_of_their_bounds() {
    assert_snapshot!(said("throttle:\n  duty: 0"), @"
    error: 0 is no duty; expected 1 to 100, the percent of the time that batches run
     --> concertina.yaml:3:9
      |
    3 |   duty: 0
      |         ^
    ");
    assert_snapshot!(said("throttle:\n  latency: 0.5"), @"
    error: 0.5 is no latency factor; expected more than 1, such as 4, or 0 for no guard
     --> concertina.yaml:3:12
      |
    3 |   latency: 0.5
      |            ^^^
    ");
    assert_snapshot!(said("throttle:\n  latency: much"), @r#"
    error: invalid type: string "much", expected a number
     --> concertina.yaml:3:12
      |
    3 |   latency: much
      |            ^^^^
    "#);
    assert_snapshot!(said("batch: { rows: 200000 }"), @"
    error: the first batch has 200000 rows, and none may have more than 50000
     --> concertina.yaml:2:16
      |
    2 | batch: { rows: 200000 }
      |                ^^^^^^
    ");
    assert_snapshot!(said("batch:\n  target: 0ms"), @"
    error: a batch takes longer than that; expected a duration such as 50ms
     --> concertina.yaml:3:11
      |
    3 |   target: 0ms
      |           ^^^
    ");
    assert_snapshot!(said("batch:\n  pace: fast"), @"
    error: unknown variant `fast`, expected `polite` or `full`
     --> concertina.yaml:3:9
      |
    3 |   pace: fast
      |         ^^^^
    ");
}

#[test]
fn a_replica_that_is_no_url() {
    let replicas =
        "throttle:\n  replicas:\n    - mysql://me:hunter2@db2/glance\n    - postgres://me:hunter2@db2/glance";
    assert_snapshot!(said(replicas), @"
    error: expected a replica's URL, mysql://… or mariadb://…; PostgreSQL knows its own replicas
     --> concertina.yaml:5:7
      |
    5 |     - postgres://me:*******@db2/glance
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    ");
    let replicas = "throttle:\n  replicas: ['mysql://me:${NOBODY_SETS_THIS}@db2/glance']";
    assert_snapshot!(said(replicas), @"
    error: the environment variable `NOBODY_SETS_THIS` is not set, and there is no `:-default`
     --> concertina.yaml:3:28
      |
    3 |   replicas: ['mysql://me:${NOBODY_SETS_THIS}@db2/glance']
      |                            ^^^^^^^^^^^^^^^^
    ");
}
