//! The process dies in the middle of a rollback, and an expand goes on from there; `tests/crash` has the rollback that does.

use super::Before;
use crate::conformance::glance::at_newton;
use crate::support::{TestDatabase, on_every_database};

on_every_database! {
    async fn an_expand_may_go_on_where_a_rollback_died(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        let before = Before::of(&db).await;
        concertina.run(&["expand"]).expect_code(0);
        let expanded = Before::of(&db).await;
        for name in ["step.statement.before:2", "step.finish.commit.before:2", "step.finish.commit.after:3"] {
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
