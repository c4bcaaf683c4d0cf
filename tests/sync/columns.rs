//! Several columns a side: text that differs in case or trailing spaces alone, and names that SQL has a use for.

use super::{expand, expect_refused, on, options};
use crate::support::{Session, TestDatabase, Train, on_every_database};

/// A full name, and the two names that replace it; a difference that the collation does not see is a change.
async fn people(db: &TestDatabase) -> Session {
    let mut owner = db.owner().await;
    let collation = on(db.kind(), "", "COLLATE utf8mb4_general_ci", "COLLATE NOCASE");
    owner
        .run(format!(
            "CREATE TABLE people (id INTEGER NOT NULL PRIMARY KEY, full_name VARCHAR(80) {collation} NOT NULL) {}",
            options(db.kind())
        ))
        .await;
    expand(
        db,
        r"
  - add_column: { table: people, column: { name: given, type: string(40) } }
  - add_column: { table: people, column: { name: family, type: string(40) } }
  - drop_not_null: { table: people, column: full_name }
  - sync:
      name: people_names
      table: people
      forward:
        given:
          postgres: split_part(full_name, ' ', 1)
          mysql: SUBSTRING_INDEX(full_name, ' ', 1)
          sqlite: substr(full_name, 1, instr(full_name, ' ') - 1)
        family:
          postgres: substr(full_name, strpos(full_name, ' ') + 1)
          mysql: SUBSTR(full_name, LOCATE(' ', full_name) + 1)
          sqlite: substr(full_name, instr(full_name, ' ') + 1)
      backward:
        full_name:
          postgres: given || ' ' || family
          mysql: CONCAT(given, ' ', family)
          sqlite: given || ' ' || family
      conflict: reject",
    );
    db.grant_application(&["people"]).await;
    db.application().await
}

async fn person(session: &mut Session) -> String {
    session.lines("SELECT full_name, given, family FROM people WHERE id = 1").await.join(" and ")
}

/// The columns that are keywords, quoted.
fn quoted(db: &TestDatabase, sql: &str) -> String {
    sql.replace('"', on(db.kind(), "\"", "`", "\""))
}

on_every_database! {
    async fn a_full_name_and_two_names(db: TestDatabase) {
        let mut session = people(&db).await;
        session.run("INSERT INTO people (id, full_name) VALUES (1, 'ada king')").await;
        assert_eq!(person(&mut session).await, "ada king|ada|king");
        // Case alone, by an old writer, and by a new one.
        session.run("UPDATE people SET full_name = 'Ada King' WHERE id = 1").await;
        assert_eq!(person(&mut session).await, "Ada King|Ada|King");
        session.run("UPDATE people SET family = 'KING' WHERE id = 1").await;
        assert_eq!(person(&mut session).await, "Ada KING|Ada|KING");
        session.run("UPDATE people SET given = 'ADA', family = 'King' WHERE id = 1").await;
        assert_eq!(person(&mut session).await, "ADA King|ADA|King");
        // A trailing space alone.
        session.run("UPDATE people SET full_name = 'ADA King ' WHERE id = 1").await;
        assert_eq!(person(&mut session).await, "ADA King |ADA|King ");
        session.run("UPDATE people SET family = 'King' WHERE id = 1").await;
        assert_eq!(person(&mut session).await, "ADA King|ADA|King");
        session.run("UPDATE people SET family = 'King  ' WHERE id = 1").await;
        assert_eq!(person(&mut session).await, "ADA King  |ADA|King  ");
        // Such a difference is a disagreement as well.
        let refused = "concertina sync people_names";
        for row in ["'Ada King', 'ada', 'King'", "'Ada King', 'Ada', 'King '", "'Ada King ', 'Ada', 'King'"] {
            let insert = format!("INSERT INTO people (id, full_name, given, family) VALUES (2, {row})");
            expect_refused(session.execute(insert).await, refused);
        }
        let update = "UPDATE people SET full_name = 'Ada Byron', given = 'Ada', family = 'byron' WHERE id = 1";
        expect_refused(session.execute(update).await, refused);
        session.run("UPDATE people SET full_name = 'Ada Byron', given = 'Ada', family = 'Byron' WHERE id = 1").await;
        assert_eq!(person(&mut session).await, "Ada Byron|Ada|Byron");
    }

    async fn two_columns_a_side_named_like_keywords(db: TestDatabase) {
        let mut owner = db.owner().await;
        owner
            .run(quoted(&db, &format!(
                r#"CREATE TABLE "order" (id INTEGER NOT NULL PRIMARY KEY, "from" INTEGER NOT NULL, "to" INTEGER) {}"#,
                options(db.kind())
            )))
            .await;
        expand(&db, r#"
  - add_column: { table: order, column: { name: select, type: integer } }
  - add_column: { table: order, column: { name: group, type: integer } }
  - drop_not_null: { table: order, column: from }
  - sync:
      name: order_group
      table: order
      forward:
        select: { postgres: '"from" * 10', mysql: '`from` * 10', sqlite: '"from" * 10' }
        group: { postgres: '"to" * 10', mysql: '`to` * 10', sqlite: '"to" * 10' }
      backward:
        from: { postgres: '"select" / 10', mysql: '`select` DIV 10', sqlite: '"select" / 10' }
        to: { postgres: '"group" / 10', mysql: '`group` DIV 10', sqlite: '"group" / 10' }"#,
        );
        db.grant_application(&["order"]).await;
        let mut session = db.application().await;
        let all = quoted(&db, r#"SELECT id, "from", "to", "select", "group" FROM "order" ORDER BY id"#);
        session.run(quoted(&db, r#"INSERT INTO "order" (id, "from", "to") VALUES (1, 1, 2), (2, 3, NULL)"#)).await;
        session.run(quoted(&db, r#"INSERT INTO "order" (id, "select", "group") VALUES (3, 55, 66), (4, 77, NULL)"#)).await;
        assert_eq!(session.lines(&all).await, ["1|1|2|10|20", "2|3|-|30|-", "3|5|6|55|66", "4|7|-|77|-"]);
        // One column of a side takes the whole other side along.
        session.run(quoted(&db, r#"UPDATE "order" SET "to" = 9 WHERE id IN (1, 3)"#)).await;
        session.run(quoted(&db, r#"UPDATE "order" SET "group" = 81 WHERE id IN (2, 4)"#)).await;
        assert_eq!(session.lines(&all).await, ["1|1|9|10|90", "2|3|8|30|81", "3|5|9|50|90", "4|7|8|77|81"]);
        // One of each disagrees.
        let one_of_each = quoted(&db, r#"UPDATE "order" SET "from" = 8, "group" = 42 WHERE id = 1"#);
        expect_refused(session.execute(one_of_each).await, "concertina sync order_group");
        let null = quoted(&db, r#"UPDATE "order" SET "from" = NULL, "to" = 1 WHERE id = 1"#);
        expect_refused(session.execute(null).await, "from");
        // An old column that was nullable may be NULL.
        session.run(quoted(&db, r#"UPDATE "order" SET "to" = NULL WHERE id = 1"#)).await;
        assert_eq!(session.lines(&all).await[0], "1|1|-|10|-");
    }

    async fn each_value_reads_the_row_as_it_was(db: TestDatabase) {
        let mut owner = db.owner().await;
        let end = options(db.kind());
        owner.run(format!("CREATE TABLE items (id INTEGER NOT NULL PRIMARY KEY, o INTEGER) {end}")).await;
        owner.run(format!("CREATE TABLE parts (id INTEGER NOT NULL PRIMARY KEY, item INTEGER) {end}")).await;
        owner.run("INSERT INTO items (id, o) VALUES (1, 7), (2, 7)").await;
        let mut train = Train::new(&db);
        // The second value reads the first column: MySQL assigns one after the other.
        let values = "{ n1: o, n2: 'coalesce(n2, coalesce(n1, 0) + 1)' }";
        train.add(&[
            ("expand/01_items.yaml", &format!("steps:
  - add_column: {{ table: items, column: {{ name: n1, type: integer }} }}
  - add_column: {{ table: items, column: {{ name: n2, type: integer }} }}
  - sync:
      name: items_numbers
      table: items
      forward: {values}
      backward: {{ o: n1 }}
      related: [{{ table: parts, key: {{ item: id }}, when: id = 2 }}]
")),
            ("data/01_items.yaml", &format!("backfill: {{ table: items, set: {values}, where: n1 IS NULL }}\n")),
        ]);
        train.concertina().run(&["expand"]).expect_code(0);
        owner.run("INSERT INTO parts (id, item) VALUES (1, 2)").await;
        owner.run("INSERT INTO items (id, o) VALUES (3, 7)").await;
        train.concertina().run(&["migrate"]).expect_code(0);
        let found = owner.lines("SELECT id, o, n1, n2 FROM items ORDER BY id").await;
        assert_eq!(found, ["1|7|7|1", "2|7|7|1", "3|7|7|1"]);
    }
}
