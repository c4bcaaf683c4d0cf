//! A small project with every kind of step, in every phase it may stand in, and the nodes of its two releases.

use std::collections::BTreeSet;
use std::path::Path;

use super::facts::Facts;
use crate::conformance::introspect;
use crate::support::{Concertina, Kind, Output, Project, Session, TestDatabase};

pub(super) const BASELINE: &[&str] = &["upgrade", "--to", "r0"];
pub(super) const EXPAND: &[&str] = &["expand"];
pub(super) const MIGRATE: &[&str] = &["migrate"];
pub(super) const CONTRACT: &[&str] = &["contract", "--quiet-period", "0s"];
pub(super) const PHASES: [&[&str]; 3] = [EXPAND, MIGRATE, CONTRACT];
/// The three phases in one go.
pub(super) const UPGRADE: &[&str] = &["upgrade"];

/// Raw SQL stands behind the sync in expand, so that new nodes write while nobody knows whether it took effect.
const FILES: &[(&str, &str)] = &[
    ("concertina.yaml", "releases: [r0, r1]   # r0 changes nothing\nbatch: { rows: 3 }\n"),
    (
        "expand/r1/01_goods.yaml",
        "\
steps:
  - create_table:
      name: labels
      columns:
        - { name: id, type: integer, nullable: false }
        - { name: size, type: { enum: [small, large], name: label_size } }
      primary_key: [id]
  - add_column:
      table: goods
      column: { name: visibility, type: { enum: [private, shared, community, public], name: goods_visibility } }
  - create_index: { table: goods, name: ix_visibility, columns: [visibility] }
  - add_foreign_key: { table: goods, name: fk_maker, columns: [maker], references: { table: makers, columns: [id] } }
  - add_check: { table: goods, name: ck_price, check: price >= 0, allow_rewrite: true }
  - widen_column: { table: goods, column: name, type: string(30) }
  - add_enum_value: { table: goods, column: state, value: old }
  - drop_not_null: { table: goods, column: is_public }
  - drop_default: { table: goods, column: note }
  - drop_constraint: { table: parts, name: fk_goods }
  - sync:
      name: goods_visibility
      table: goods
      forward:
        visibility: >-
          CASE WHEN is_public THEN 'public'
               WHEN EXISTS (SELECT 1 FROM parts p WHERE p.goods_id = goods.id) THEN 'shared' ELSE 'private' END
      backward: { is_public: visibility = 'public' }
      conflict: reject
      related:
        - { table: parts, key: { goods_id: id }, when: visibility = 'private' }
  - sql: { run: CREATE TABLE notes (id INTEGER NOT NULL PRIMARY KEY), undo: DROP TABLE notes }
",
    ),
    (
        "expand/r1/02_note.postgres.sql",
        "CREATE INDEX CONCURRENTLY ix_note ON goods (note);\n-- concertina: undo\nDROP INDEX CONCURRENTLY ix_note;\n",
    ),
    (
        "expand/r1/02_note.mysql.sql",
        "CREATE INDEX ix_note ON goods (note);\n-- concertina: undo\nDROP INDEX ix_note ON goods;\n",
    ),
    ("expand/r1/02_note.sql", "CREATE INDEX ix_note ON goods (note);\n-- concertina: undo\nDROP INDEX ix_note;\n"),
    (
        "data/r1/01_goods.yaml",
        "\
backfill:
  table: goods
  set:
    visibility: >-
      CASE WHEN is_public THEN 'public'
           WHEN EXISTS (SELECT 1 FROM parts p WHERE p.goods_id = goods.id) THEN 'shared' ELSE 'private' END
  where: visibility IS NULL
",
    ),
    (
        "contract/r1/01_goods.yaml",
        "\
steps:
  - set_default: { table: goods, column: visibility, value: private }
  - set_not_null: { table: goods, column: visibility }
  - validate: { table: goods, name: fk_maker }
  - validate: { table: goods, name: ck_price }
  - set_not_null: { table: goods, column: tag }
  - add_unique: { table: goods, name: uq_code, columns: [code] }
  - drop_index: { table: goods, name: ix_free }
  - drop_constraint: { table: goods, name: ck_code }
  - drop_column: { table: goods, column: is_public }
  - drop_table: { table: retired }
  - sql: { run: CREATE TABLE archive (id INTEGER NOT NULL PRIMARY KEY) }
",
    ),
];

/// How many rows there are before the change begins.
const SEEDS: usize = 7;

pub(super) fn project(kind: Kind) -> Project {
    let project = Project::new(FILES);
    for (path, text) in baseline(kind) {
        project.write(path, &text);
    }
    project
}

/// Every kind of step that the project has, by the folder of its phase.
pub(super) fn kinds() -> BTreeSet<(String, String)> {
    let mut kinds = BTreeSet::new();
    for (path, text) in FILES {
        let folder = path.split('/').next().expect("a folder").to_owned();
        if Path::new(path).extension().is_some_and(|extension| extension == "sql") {
            kinds.insert((folder, "sql".to_owned()));
            continue;
        }
        let steps = text.lines().filter_map(|line| line.strip_prefix("  - "));
        let words = steps.map(|step| step.split(':').next().expect("a step's word").to_owned());
        kinds.extend(words.map(|word| (folder.clone(), word)));
    }
    kinds
}

/// The tables of the old release: the baseline, in two files.
fn baseline(kind: Kind) -> [(&'static str, String); 2] {
    let (types, state) = match kind {
        Kind::Postgres => ("CREATE TYPE goods_state AS ENUM ('new', 'sold');\n", "goods_state DEFAULT 'new'"),
        Kind::MySql => ("", "ENUM('new', 'sold') DEFAULT 'new'"),
        Kind::Sqlite => ("", "VARCHAR(9) DEFAULT 'new' CHECK (state IN ('new', 'sold'))"),
    };
    let engine = if kind == Kind::MySql { "ENGINE=InnoDB" } else { "" };
    let goods = format!(
        "{types}CREATE TABLE makers (id INTEGER NOT NULL PRIMARY KEY) {engine};
CREATE TABLE goods (id INTEGER NOT NULL PRIMARY KEY, price INTEGER, maker INTEGER, name VARCHAR(20),
    state {state}, is_public BOOLEAN NOT NULL, note VARCHAR(20) DEFAULT 'none', code INTEGER, tag VARCHAR(9),
    CONSTRAINT ck_code CHECK (code > 0)) {engine};
CREATE INDEX ix_free ON goods (price, maker);
"
    );
    let parts = format!(
        "CREATE TABLE parts (id INTEGER NOT NULL PRIMARY KEY, goods_id INTEGER NOT NULL,
    CONSTRAINT fk_goods FOREIGN KEY (goods_id) REFERENCES goods (id)) {engine};
CREATE TABLE retired (id INTEGER NOT NULL PRIMARY KEY) {engine};
"
    );
    [("migrations/V1__goods.sql", goods), ("migrations/V2__parts.sql", parts)]
}

/// Writes the rows of the old release, of which two stand in the way of contract.
pub(super) async fn seed(db: &TestDatabase) {
    let (mut session, kind) = (db.owner().await, db.kind());
    session.run("INSERT INTO makers VALUES (0), (1), (2)").await;
    for id in 1..=SEEDS {
        let public = kind.boolean(id % 3 == 0);
        // The last one has the first one's code, and no tag.
        let (code, tag) = if id == SEEDS { (1, "NULL") } else { (id, "'t'") };
        session
            .run(format!(
                "INSERT INTO goods (id, price, maker, name, is_public, code, tag) \
                 VALUES ({id}, {id}, 1, 'seed', {public}, {code}, {tag})"
            ))
            .await;
        if id % 2 == 0 {
            session.run(format!("INSERT INTO parts VALUES ({id}, {id})")).await;
        }
    }
    db.grant_application(if kind == Kind::Sqlite { &[] } else { &["goods", "parts"] }).await;
}

/// Corrects the rows that stand in the way of contract.
pub(super) async fn correct(db: &TestDatabase) {
    let mut session = db.owner().await;
    session.run(format!("UPDATE goods SET code = id WHERE id = {SEEDS}")).await;
    session.run("UPDATE goods SET tag = 't' WHERE tag IS NULL").await;
}

/// Does what a person does about a run that did not come to its end: corrects the rows that are in the way, or looks into the
/// database and says whether raw SQL took effect. The answer is a command to run.
pub(super) async fn attend(db: &TestDatabase, output: &Output) -> Option<Vec<String>> {
    let mut session = db.owner().await;
    match output.code {
        Some(1) if output.stderr.contains("uq_code") => {
            session.run(format!("UPDATE goods SET code = id WHERE id = {SEEDS}")).await;
            None
        }
        Some(1) if output.stderr.contains("tag") => {
            session.run("UPDATE goods SET tag = 't' WHERE tag IS NULL").await;
            None
        }
        // The file had run, and died before it could be recorded: it cannot run again.
        Some(9) if output.stderr.contains("did not come to the end of V") => {
            db.grant_scratch().await;
            let file = if output.stderr.contains("V1__goods") { "V1__goods" } else { "V2__parts" };
            Some(["baseline", "--at", file].map(ToOwned::to_owned).to_vec())
        }
        Some(9) => {
            let schema = introspect::schema(db).await;
            let (step, made) = [
                ("r1/expand/01_goods/12", "table notes"),
                ("r1/expand/02_note/1", "goods, index ix_note"),
                ("r1/contract/01_goods/11", "table archive"),
            ]
            .into_iter()
            .find(|(step, _)| output.stderr.contains(step))
            .unwrap_or_else(|| panic!("nobody knows of this step:\n{output}"));
            let answer = if schema.fact(made).is_some() { "--applied" } else { "--not-applied" };
            Some(["resolve", step, answer].map(ToOwned::to_owned).to_vec())
        }
        // Whoever gave the answer died behind it.
        Some(2) if output.stderr.contains("does not wait for an answer") => None,
        _ => panic!("this is nothing that a person should have to do with:\n{output}"),
    }
}

/// Runs a command until it is done, attending to what only a person can do.
pub(super) async fn run_to_the_end(db: &TestDatabase, concertina: &Concertina, command: &[&str]) {
    for _ in 0..5 {
        let output = concertina.run(command);
        if output.code == Some(0) {
            return;
        }
        if let Some(answer) = attend(db, &output).await {
            concertina.run(&answer.iter().map(String::as_str).collect::<Vec<_>>()).expect_code(0);
        }
    }
    panic!("{command:?} never comes to its end");
}

/// What must be the same however a database came to it.
pub(super) async fn facts(db: &TestDatabase) -> Facts {
    Facts::of(db, &format!("SELECT id, visibility, note FROM goods WHERE id <= {SEEDS} ORDER BY id")).await
}

/// The application's nodes: those of the old release until contract begins, those of the new one from the sync on.
pub(super) struct Nodes<'d> {
    db: &'d TestDatabase,
    old: Session,
    new: Session,
    looking: Session,
    written: usize,
}

impl<'d> Nodes<'d> {
    pub(super) async fn start(db: &'d TestDatabase) -> Self {
        let mut sessions = Vec::new();
        for _ in 0..2 {
            let mut session = Session::open(db.kind(), db.application_url()).await;
            if db.kind() == Kind::Sqlite {
                // It is not the machine that dies.
                session.run("PRAGMA synchronous = OFF").await;
            }
            sessions.push(session);
        }
        let [old, new] = <[Session; 2]>::try_from(sessions).ok().expect("two");
        Self { db, old, new, looking: db.owner().await, written: 0 }
    }

    async fn is_recorded(&mut self, row: &str) -> bool {
        let found = self.looking.try_lines(&format!("SELECT COUNT(*) FROM {row}")).await;
        found.is_ok_and(|count| count != ["0"])
    }

    /// Writes whatever may be written now; all of it must succeed.
    pub(super) async fn write(&mut self, when: &str) {
        let (old, new) = (
            !self.is_recorded("concertina_phase WHERE phase = 'contract'").await,
            self.is_recorded("concertina_step WHERE kind = 'sync' AND finished_at IS NOT NULL").await,
        );
        self.write_as(old, new, when).await;
    }

    /// Writes as the nodes of a release do, or of both; all of it must succeed.
    pub(super) async fn write_as(&mut self, old: bool, new: bool, when: &str) {
        self.written += 1;
        let id = 100 + 10 * self.written;
        let yes = self.db.kind().boolean(true);
        let no = self.db.kind().boolean(false);
        let row = |id: usize| format!("{id}, 5, 1, 'a name', 'new', 'n', {id}, 't'");
        let columns = "id, price, maker, name, state, note, code, tag";
        let mut statements = Vec::new();
        if old {
            statements.extend([
                (true, format!("INSERT INTO goods ({columns}, is_public) VALUES ({}, {yes})", row(id))),
                (true, format!("INSERT INTO goods ({columns}, is_public) VALUES ({}, {no})", row(id + 1))),
                (true, format!("INSERT INTO goods ({columns}, is_public) VALUES ({}, {yes})", row(id + 2))),
                (true, format!("INSERT INTO parts VALUES ({0}, {0})", id + 1)),
                (true, format!("UPDATE goods SET is_public = {no} WHERE id = {}", id + 2)),
            ]);
        }
        if new {
            statements.extend([
                (false, format!("INSERT INTO goods ({columns}, visibility) VALUES ({}, 'community')", row(id + 3))),
                (false, format!("INSERT INTO goods ({columns}, visibility) VALUES ({}, 'private')", row(id + 4))),
                (false, format!("UPDATE goods SET visibility = 'public' WHERE id = {}", id + 4)),
            ]);
        }
        for (old, sql) in statements {
            let session = if old { &mut self.old } else { &mut self.new };
            if let Err(failure) = session.execute(&sql).await {
                panic!("`{sql}` failed {when}: {failure:?}");
            }
        }
    }

    /// Every row that was written is there, and means what was written.
    pub(super) async fn expect_kept(&mut self, when: &str) {
        let rows = self.looking.lines("SELECT id, visibility FROM goods WHERE id >= 100 ORDER BY id").await;
        assert!(!rows.is_empty(), "nobody wrote {when}");
        for row in &rows {
            let (id, visibility) = row.split_once('|').expect("two values");
            let expected = match id.chars().last() {
                Some('0' | '4') => "public",
                Some('1') => "shared",
                Some('2') => "private",
                _ => "community",
            };
            assert_eq!(visibility, expected, "row {id} {when}");
        }
    }
}
