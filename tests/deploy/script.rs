//! `docs/deploy/deploy.sh`, run for real, through a whole train.

use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::conformance::glance::{CHANGING, Node, at_newton};
use crate::support::{Project, TestDatabase, on_every_database};

/// The script on a project and a database, with nodes that are only recorded.
pub(super) struct Script {
    project: std::path::PathBuf,
    database: String,
    directory: TempDir,
}

/// What it said, and how it ended.
pub(super) struct Told {
    code: Option<i32>,
    text: String,
}

impl Told {
    #[track_caller]
    pub(super) fn expect(&self, code: i32, text: &str) -> &Self {
        assert!(
            self.code == Some(code) && self.text.contains(text),
            "not {code}, `{text}`: {:?}\n{}",
            self.code,
            self.text
        );
        self
    }
}

/// Replaces the nodes, once they may be replaced: the old ones may run meanwhile too.
const ROLL: &str = r#"
ask() { "$CONCERTINA" --project "$PROJECT" check --quiet --release "$1"; }
ask "$RELEASE" && ask "$OLD" && echo "$RELEASE" >>"$ROLLED""#;

impl Script {
    pub(super) fn new(project: &Project, db: &TestDatabase) -> Self {
        let directory = tempfile::tempdir().expect("a directory for the nodes");
        Self { project: project.path().to_owned(), database: db.owner_url().to_owned(), directory }
    }

    /// Starts it, with these variables besides its own.
    pub(super) fn spawn(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Child {
        let mut command = Command::new("bash");
        command.arg(Project::bundled().path().join("docs/deploy/deploy.sh")).args(arguments);
        command.env_clear();
        for name in ["PATH", "HOME", "TMPDIR"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.env("CONCERTINA", env!("CARGO_BIN_EXE_concertina"));
        command.env("CONCERTINA_DATABASE", &self.database);
        command.env("PROJECT", &self.project);
        command.env("ROLL", ROLL).env("ROLLED", self.directory.path().join("rolled"));
        command.envs([("PATIENCE", "0"), ("PAUSE", "0.1")]);
        command.envs(environment.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("bash is installed")
    }

    /// Runs it to its end.
    pub(super) fn run(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Told {
        Self::finish(self.spawn(arguments, environment))
    }

    pub(super) fn finish(child: Child) -> Told {
        let output = child.wait_with_output().expect("it ends");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Told { code: output.status.code(), text }
    }

    /// The releases whose nodes were started, in order.
    fn rolled(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.directory.path().join("rolled")).unwrap_or_default();
        text.lines().map(ToOwned::to_owned).collect()
    }
}

on_every_database! {
    async fn it_brings_a_database_and_its_nodes_through_the_train(db: TestDatabase) {
        let concertina = at_newton(&db).await;
        let script = Script::new(&Project::bundled(), &db);
        let mut node = Node::start(&db).await;
        for number in 0..4 {
            node.create_old(&format!("old{number}"), number % 2 == 0).await.expect("an old write");
        }
        let old = ("OLD", "newton");

        // It dies in the middle of expand, and goes on there.
        let died = script.run(&["ocata"], &[old, ("CONCERTINA_FAILPOINT", "step.finish.before@ocata/expand/01_visibility/2#1")]);
        died.expect(134, "expand of ocata stopped with exit code 134");
        // It stops at a limit, before the nodes; the next run goes on there too.
        script.run(&["ocata"], &[old, ("MIGRATE_OPTIONS", "--max-rows 1 --batch-rows 1")]).expect(4, "run this again to go on");
        assert_eq!(script.rolled(), [""; 0]);
        script.run(&["ocata"], &[old, ("ROLL", "exit 3")]).expect(1, "the nodes were not all replaced (exit code 3)");
        concertina.run(&["check", "--release", "newton"]).expect_code(0);

        node.create_old("late", true).await.expect("an old write");
        // An old node was heard of: contract waits, and then gives up; it is done once that is long enough ago.
        script.run(&["ocata", "roll", "contract"], &[old]).expect(6, "contract of ocata stopped with exit code 6");
        assert_eq!(script.rolled(), ["ocata"]);
        concertina.run(&["check", "--release", "newton"]).expect_code(0);
        script.run(&["ocata", "contract"], &[("CONTRACT_OPTIONS", "--quiet-period 0s")]).expect(0, "done: ocata/contract");
        concertina.run(&["check", "--release", "newton"]).expect_code(6);

        for (old, release) in CHANGING.into_iter().zip(CHANGING.into_iter().skip(1)) {
            script.run(&[release], &[("OLD", old)]).expect(0, &format!("done: {release}/contract"));
        }
        assert_eq!(script.rolled(), CHANGING);
        concertina.run(&["check"]).expect_code(0);

        // What is done is done, also where a later release is.
        for release in ["pike", "ocata"] {
            script.run(&[release, "expand", "migrate", "contract"], &[]).expect(0, "nothing to do");
        }
    }
}
