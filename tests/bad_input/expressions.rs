//! Columns that do not exist, and text that is not one expression: found before any step of the phase has run.

use super::refused;
use crate::support::{Concertina, Kind, Project, TestDatabase, on_every_database};

const EXPAND: &str = "expand/ocata/01_visibility.yaml";
const DATA: &str = "data/ocata/01_visibility.yaml";
const CONTRACT: &str = "contract/ocata/01_visibility.yaml";

/// Brings a database to Newton with the bundled files, then goes on with a project in which a text is another.
fn with_edit(db: &TestDatabase, phases: &[&str], path: &str, from: &str, to: &str) -> (Project, Concertina) {
    Concertina::command(db).run(&["upgrade", "--to", "newton"]).expect_code(0);
    for phase in phases {
        Concertina::command(db).run(&[phase]).expect_code(0);
    }
    let project = Project::bundled_copy();
    project.edit(path, from, to);
    let concertina = Concertina::command(db).project(&project);
    (project, concertina)
}

on_every_database! {
    async fn an_unknown_column_in_forward(db: TestDatabase) {
        let (_project, concertina) = with_edit(&db, &[], EXPAND, "CASE WHEN is_public THEN", "CASE WHEN is_pubic THEN");
        let output = refused(&db, &concertina, &["expand"], 1).await;
        output
            .expect_stderr("no column `is_pubic` in table `images`; did you mean `is_public`?")
            .expect_stderr("--> expand/ocata/01_visibility.yaml:15:31")
            .expect_stderr("visibility: CASE WHEN is_pubic THEN 'public' ELSE 'shared' END")
            .expect_stderr("expand of ocata");
        refused(&db, &concertina, &["upgrade"], 1).await.expect_stderr("is_pubic");
        // The next one goes on with the file put right.
        Concertina::command(&db).run(&["expand"]).expect_code(0);
    }

    async fn an_unknown_column_in_backward(db: TestDatabase) {
        let (_project, concertina) =
            with_edit(&db, &[], EXPAND, "is_public: visibility = 'public'", "is_public: visibilty = 'public'");
        refused(&db, &concertina, &["expand"], 1).await
            .expect_stderr("no column `visibilty` in table `images`; did you mean `visibility`?")
            .expect_stderr("--> expand/ocata/01_visibility.yaml:17:20");
    }

    async fn an_unknown_column_as_a_target_of_a_sync(db: TestDatabase) {
        let (_project, concertina) =
            with_edit(&db, &[], EXPAND, "is_public: visibility = 'public'", "is_open: visibility = 'public'");
        refused(&db, &concertina, &["expand"], 1).await
            .expect_stderr("there is no column `is_open` in table `images`")
            .expect_stderr("--> expand/ocata/01_visibility.yaml:17:9");
    }

    async fn an_unknown_column_in_when(db: TestDatabase) {
        let (_project, concertina) =
            with_edit(&db, &[], EXPAND, "NOT related.deleted", "NOT related.delete_at");
        refused(&db, &concertina, &["expand"], 1).await
            .expect_stderr("no column `delete_at` in table `image_members`; did you mean `deleted_at`?")
            .expect_stderr("--> expand/ocata/01_visibility.yaml:20:");
    }

    async fn an_unknown_column_in_the_set_of_a_backfill(db: TestDatabase) {
        let (_project, concertina) =
            with_edit(&db, &["expand"], DATA, "CASE WHEN is_public THEN 'public'", "CASE WHEN is_pubic THEN 'public'");
        let output = refused(&db, &concertina, &["migrate"], 1).await;
        output
            .expect_stderr("no column `is_pubic` in table `images`; did you mean `is_public`?")
            .expect_stderr("--> data/ocata/01_visibility.yaml:6:17")
            .expect_stderr("migrate of ocata");
        // It is known before that, when expand could still be called off.
        Concertina::command(&db).run(&["migrate"]).expect_code(0);
    }

    async fn an_unknown_column_in_the_where_of_a_backfill(db: TestDatabase) {
        let (_project, concertina) = with_edit(&db, &["expand"], DATA, "where: visibility IS NULL", "where: visibilty IS NULL");
        refused(&db, &concertina, &["migrate"], 1).await
            .expect_stderr("no column `visibilty` in table `images`; did you mean `visibility`?")
            .expect_stderr("--> data/ocata/01_visibility.yaml:9:10");
    }

    async fn an_unknown_column_that_a_backfill_sets(db: TestDatabase) {
        let (_project, concertina) = with_edit(&db, &["expand"], DATA, "    visibility: >-", "    visibilty: >-");
        refused(&db, &concertina, &["migrate"], 1).await
            .expect_stderr("column `visibilty`")
            .expect_stderr("--> data/ocata/01_visibility.yaml:5:5");
    }

    async fn an_unknown_table_in_the_last_step_of_expand_stops_the_first(db: TestDatabase) {
        let (_project, concertina) =
            with_edit(&db, &[], EXPAND, "- { table: image_members,", "- { table: image_member,");
        refused(&db, &concertina, &["expand"], 1).await
            .expect_stderr("`image_member`")
            .expect_stderr("--> expand/ocata/01_visibility.yaml:20:");
    }

    async fn an_unknown_column_in_the_last_step_of_contract_stops_the_first(db: TestDatabase) {
        let (_project, concertina) = with_edit(
            &db,
            &["expand", "migrate"],
            CONTRACT,
            "drop_column: { table: images, column: is_public }",
            "drop_column: { table: images, column: is_pubic }",
        );
        refused(&db, &concertina, &["contract", "--quiet-period", "0s"], 1).await
            .expect_stderr("there is no column `is_pubic` in table `images`; did you mean `is_public`?")
            .expect_stderr("--> contract/ocata/01_visibility.yaml:6:");
        // Newton's nodes lose nothing: contract has not begun.
        Concertina::command(&db).run(&["check", "--release", "newton"]).expect_code(0);
    }

    async fn errors_of_several_steps_are_reported_in_one_run(db: TestDatabase) {
        let (project, concertina) =
            with_edit(&db, &[], EXPAND, "columns: [visibility] }", "columns: [visibilty] }");
        project.edit(EXPAND, "drop_not_null: { table: images, column: is_public }", "drop_not_null: { table: images, column: is_pubic }");
        refused(&db, &concertina, &["expand"], 1).await
            .expect_stderr("`visibilty`")
            .expect_stderr("`is_pubic`")
            .expect_stderr("errors in its files");
    }
}

/// A project whose one sync has this expression, on a database that has its table.
fn with_expression(db: &TestDatabase, kind: Kind, expression: &str) -> (Project, Concertina) {
    // A block keeps every character as it is; the expression starts at line 9, column 13.
    let project = Project::new(&[
        ("concertina.yaml", "releases: [r1]\n"),
        (
            "expand/r1/01_sync.yaml",
            &format!(
                "steps:
  - add_column: {{ table: items, column: {{ name: n, type: string(40) }} }}
  - sync:
      name: items_case
      table: items
      forward:
        n:
          {kind}: |-
            {expression}
      backward:
        o: lower(n)
"
            ),
        ),
    ]);
    let concertina = Concertina::in_project(project.path()).database(db.owner_url());
    (project, concertina)
}

/// What could end an expression before its time, or hide what stands behind it, with the line and column that are told,
/// counted from where the expression starts, and words of the message.
fn not_one_expression(kind: Kind) -> Vec<(&'static str, usize, &'static str)> {
    let mut texts = vec![
        ("upper(o); DROP TABLE items", 9, "expected one expression, found `;`"),
        ("upper(o);", 9, "expected one expression, found `;`"),
        (";", 1, "expected one expression, found `;`"),
        ("upper(o) -- AND more", 10, "a comment inside an expression"),
        ("upper(o) --", 10, "a comment inside an expression"),
        ("upper(o) /* AND more */", 10, "a comment inside an expression"),
        ("upper(/**/ o)", 7, "a comment inside an expression"),
        ("upper(o) /* AND more", 10, "unterminated comment"),
        ("upper(o) || 'x", 13, "unterminated"),
        ("upper(o) || 'it''s", 13, "unterminated"),
        ("(upper(o)", 1, "a `(` is never closed"),
        // Its first `)` is shown, though the second is the one too many.
        ("upper(o))", 8, "a `)` closes nothing"),
        ("upper(o)) || (o", 8, "a `)` closes nothing"),
    ];
    texts.extend(match kind {
        Kind::Postgres => vec![
            ("upper(o) || $1", 13, "an expression cannot have parameters"),
            ("upper(o) || $$x", 13, "unterminated dollar quote"),
            ("upper(o) || $a$x$$", 13, "unterminated dollar quote"),
            (r"upper(o) || E'it\'", 13, "unterminated"),
            ("upper(o) || \"o", 13, "unterminated"),
            ("upper(o) /* /* */ AND more", 10, "unterminated comment"),
            ("upper(o) || U&'x", 13, "unterminated"),
        ],
        Kind::MySql => vec![
            ("upper(o) || ?", 13, "an expression cannot have parameters"),
            ("upper(o) /*! || 'x' */", 10, "a comment that only some servers run"),
            ("upper(o) /*!99999 || 'x' */", 10, "a comment that only some servers run"),
            ("upper(o) /*M! || 'x' */", 10, "a comment that only some servers run"),
            ("upper(o) # AND more", 10, "a comment inside an expression"),
            ("upper(o) || `o", 13, "unterminated"),
            ("upper(o) || \"x", 13, "unterminated"),
            (r"upper(o) || 'it\'", 13, "unterminated"),
        ],
        Kind::Sqlite => vec![
            ("upper(o) || ?", 13, "an expression cannot have parameters"),
            ("upper(o) || ?1", 13, "an expression cannot have parameters"),
            ("upper(o) || :name", 13, "an expression cannot have parameters"),
            ("upper(o) || @name", 13, "an expression cannot have parameters"),
            ("upper(o) || [o", 13, "unterminated"),
            ("upper(o) || `o", 13, "unterminated"),
        ],
    });
    texts
}

on_every_database! {
    async fn text_that_is_not_one_expression(db: TestDatabase) {
        let kind = db.kind();
        let mut owner = db.owner().await;
        owner.run("CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o VARCHAR(40))").await;
        for (expression, column, message) in not_one_expression(kind) {
            let (_project, concertina) = with_expression(&db, kind, expression);
            let output = refused(&db, &concertina, &["expand"], 1).await;
            output.expect_stderr(message).expect_stderr(&format!("--> expand/r1/01_sync.yaml:9:{}\n", column + 12));
        }
    }

    async fn text_that_looks_like_more_than_one_expression(db: TestDatabase) {
        let kind = db.kind();
        let mut owner = db.owner().await;
        owner.run("CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o VARCHAR(40))").await;
        let (expression, expected) = match kind {
            Kind::Postgres => (
                r"o || E'\'; -- ' || $a$ ';/* $$ ? $a$ || '$1' || (CASE WHEN o ~ '^\?$' THEN ':x' ELSE ')' END)",
                r"o'; --  ';/* $$ ? $1)",
            ),
            Kind::MySql => (
                r#"o || '\'; # ' || "/* '-- ?" || "\";" || (CASE WHEN o = '`' THEN '(' ELSE ')' END)"#,
                r#"o'; # /* '-- ?";)"#,
            ),
            Kind::Sqlite => (
                r"o || '''; -- \' || '/* ? :x @y $z' || (CASE WHEN o = '[`' THEN '(' ELSE ')' END)",
                r"o'; -- \/* ? :x @y $z)",
            ),
        };
        let (_project, concertina) = with_expression(&db, kind, expression);
        concertina.run(&["expand"]).expect_code(0);
        owner.run("INSERT INTO items (id, o) VALUES (1, 'o')").await;
        assert_eq!(owner.lines("SELECT n FROM items").await, [expected]);
    }
}
