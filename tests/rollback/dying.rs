//! The process dies in the middle of a rollback; the next one ends where an undisturbed one does, and so may an expand.

use super::Before;
use crate::conformance::glance::{Node, at_newton};
use crate::support::{Concertina, TestDatabase, on_every_database};

/// Runs rollbacks that die at a failpoint until one comes to its end; gives how many died.
async fn die_all_along(db: &TestDatabase, concertina: &Concertina, name: &str) -> usize {
    for deaths in 0..40 {
        let failpoint = format!("{name}:{}", deaths + 1);
        let output = concertina.clone().env("CONCERTINA_FAILPOINT", &failpoint).run(&["rollback"]);
        if output.code == Some(0) {
            return deaths;
        }
        assert_eq!(output.code, None, "at {failpoint} it dies, and nothing else is wrong:\n{output}");
        let id = format!("{}{deaths}", name.replace('.', "_"));
        if let Err(failure) = Node::start(db).await.create_old(&id, true).await {
            panic!("an old write failed after a death at {failpoint}: {failure:?}");
        }
    }
    panic!("it never comes to its end, dying at {name}");
}

on_every_database! {
    async fn a_rollback_that_dies_anywhere_is_gone_on_with(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        Node::start(&db).await.create_old("seed", true).await.expect("an old write");
        let before = Before::of(&db).await;
        let names = ["rollback.begin", "step.begin", "step.statement", "step.ran", "step.committed", "rollback.end"];
        for name in names {
            concertina.run(&["expand"]).expect_code(0);
            concertina.run(&["migrate"]).expect_code(0);
            assert!(die_all_along(&db, &concertina, name).await > 0, "is {name} still in src/?");
            before.expect(&db, "ocata", name).await;
        }
        concertina.run(&["upgrade", "--to", "ocata"]).expect_code(0);
    }

    async fn an_expand_may_go_on_where_a_rollback_died(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        let before = Before::of(&db).await;
        concertina.run(&["expand"]).expect_code(0);
        let expanded = Before::of(&db).await;
        for name in ["step.begin:2", "step.ran:2", "step.committed:3"] {
            let died = concertina.clone().env("CONCERTINA_FAILPOINT", name).run(&["rollback"]);
            assert_eq!(died.code, None, "{died}");
            concertina.run(&["check", "--release", "ocata"]).expect_code(6);
            concertina.run(&["expand"]).expect_code(0);
            let schema = crate::conformance::introspect::schema(&db).await;
            assert_eq!(crate::conformance::schema::Schema::differences(&expanded.schema, &schema), [], "{name}");
            concertina.run(&["migrate"]).expect_code(0);
        }
        concertina.run(&["rollback"]).expect_code(0);
        before.expect(&db, "ocata", "at the end").await;
    }
}
