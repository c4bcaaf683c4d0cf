//! What `plan` prints is what the server is sent, by the server's own log.

use serde_json::Value;

use super::{prepare, run_phase, statements, steps_of, text};
use crate::support::{Kind, TestDatabase, run};

/// Whether a statement is one that a plan tells: it changes the schema, or takes a lock for that, and not of our own tables.
fn is_told(sql: &str) -> bool {
    let verb = sql.split_whitespace().next().unwrap_or_default().to_uppercase();
    let changes = ["CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE", "LOCK", "UNLOCK"].contains(&verb.as_str());
    let ours = ["concertina_lease", "concertina_session", "concertina_preflight"];
    changes && !ours.iter().any(|name| sql.contains(name))
}

/// The ways of a planned statement: the first one, and those in the comments above it.
fn ways(statement: &str) -> Vec<String> {
    const OTHER: &str = "-- or, where the server refuses what comes before: ";
    let others: Vec<String> =
        statement.lines().filter_map(|line| line.strip_prefix(OTHER)).map(ToOwned::to_owned).collect();
    let bare: Vec<&str> = statement.lines().filter(|line| !line.starts_with("--")).collect();
    [bare.join("\n")].into_iter().chain(others).collect()
}

/// The statements of a log that a plan tells, in order, against the plan's; each step's costs against the way that was taken.
fn compare(logged: &[String], steps: &[Value]) {
    let logged: Vec<&String> = logged.iter().filter(|sql| is_told(sql)).collect();
    let mut at = 0;
    for step in steps {
        for (position, statement) in statements(step).iter().enumerate() {
            let ways: Vec<String> = ways(statement).into_iter().filter(|way| is_told(way)).collect();
            if ways.is_empty() {
                continue;
            }
            let mut taken = None;
            for way in &ways {
                if logged.get(at).is_some_and(|sql| sql.trim_end_matches(';') == way.trim_end_matches(';')) {
                    taken = Some(way);
                    at += 1;
                } else {
                    break;
                }
            }
            let Some(taken) = taken else {
                panic!("planned was\n{}\nand sent was\n{:?}", ways.join("\n"), logged.get(at));
            };
            let costs = step["costs"].as_array().expect("a list").iter();
            if let Some(cost) = costs.into_iter().find(|cost| cost["statement"] == position) {
                fits(taken, cost);
            }
        }
    }
    assert_eq!(logged.get(at), None, "it was sent, and not planned");
}

/// Whether what was told of a statement is so of the way that the server accepted.
fn fits(taken: &str, cost: &Value) {
    let told = (text(cost, "held"), text(cost, "work"));
    let possible: &[(&str, &str)] = if taken.contains("ALGORITHM=INSTANT") {
        &[("instant", "none")]
    } else if taken.contains("ALGORITHM=NOCOPY") {
        &[("instant", "none"), ("ends", "reads")]
    } else if taken.contains("ALGORITHM=INPLACE") {
        &[("ends", "rewrites")]
    } else if taken.contains("ALGORITHM=COPY") {
        &[("throughout", "rewrites")]
    } else {
        return;
    };
    assert!(possible.contains(&told), "{told:?} was told of `{taken}`");
}

#[test]
fn what_is_planned_is_what_postgres_logs() {
    run(Kind::Postgres, "plan_log", async |db: TestDatabase| {
        let train = prepare(&db).await;
        let mut admin = db.admin().await;
        let owner = db.owner().await.value("SELECT current_user").await.expect("a role");
        admin.run(format!("ALTER ROLE \"{owner}\" SET log_statement = 'all'")).await;
        for phase in ["expand", "migrate", "contract"] {
            let steps = steps_of(&train.concertina(), phase);
            let log = "current_setting('data_directory') || '/../log'";
            let before = admin.value(format!("SELECT length(pg_read_binary_file({log}))")).await.expect("a length");
            run_phase(&db, &train.concertina(), phase).await;
            let query = format!("SELECT convert_from(substr(pg_read_binary_file({log}), {before} + 1), 'UTF8')");
            let text = admin.value(query).await.expect("a text");
            if phase != "migrate" {
                compare(&of_postgres(&text, &owner), &steps);
            }
        }
    });
}

/// The statements that a role sent: a line that begins with a time begins another entry.
fn of_postgres(log: &str, role: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    for line in log.lines() {
        match line.strip_prefix('\t') {
            Some(more) => entries.last_mut().into_iter().for_each(|entry| *entry += &format!("\n{more}")),
            None => entries.push(line.to_owned()),
        }
    }
    let of_role = format!(" {role} LOG:  ");
    let sent = entries.iter().filter_map(|entry| entry.split_once(&of_role)).map(|(_, what)| what);
    let statement = |what: &str| {
        let (how, sql) = what.split_once(": ")?;
        (how == "statement" || how.starts_with("execute")).then(|| sql.to_owned())
    };
    sent.filter_map(statement).collect()
}

#[test]
fn what_is_planned_is_what_mariadb_logs() {
    run(Kind::MySql, "plan_log", async |db: TestDatabase| {
        let train = prepare(&db).await;
        let mut admin = db.admin().await;
        let owner = db.owner().await.value("SELECT CURRENT_USER()").await.expect("an account");
        let owner = owner.split('@').next().expect("a user").to_owned();
        admin.run("SET GLOBAL log_output = 'TABLE'").await;
        admin.run("SET GLOBAL general_log = 1").await;
        let mut since = "2000-01-01".to_owned();
        for phase in ["expand", "migrate", "contract"] {
            let steps = steps_of(&train.concertina(), phase);
            since = admin.value("SELECT NOW(6)").await.unwrap_or(since);
            run_phase(&db, &train.concertina(), phase).await;
            let query = format!(
                "SELECT CONVERT(argument USING utf8mb4) FROM mysql.general_log WHERE user_host LIKE '{owner}[%' \
                 AND command_type IN ('Query', 'Execute') AND event_time >= '{since}'"
            );
            let logged: Vec<String> = admin.rows(query).await.into_iter().flatten().flatten().collect();
            if phase != "migrate" {
                compare(&logged, &steps);
            }
        }
        admin.run("SET GLOBAL general_log = 0").await;
        admin.run("TRUNCATE mysql.general_log").await;
    });
}
