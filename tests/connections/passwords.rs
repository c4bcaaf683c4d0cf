//! Where a password may come from, in the same way on both servers.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use tempfile::TempDir;
use url::Url;

use crate::support::{Concertina, Kind, PASSWORD, Project, TestDatabase, on_every_server};

/// The bundled project on a URL without a password.
fn without(db: &TestDatabase) -> Concertina {
    let mut url = Url::parse(db.owner_url()).expect("a URL");
    url.set_password(None).expect("a URL with a host");
    Concertina::command(db).database(url.as_str())
}

fn file(text: &str, mode: u32) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("secret");
    std::fs::write(&path, text).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("its permissions");
    (directory, path)
}

on_every_server! {
    async fn a_password_comes_from_a_file(db: TestDatabase) {
        let (_directory, path) = file(&format!("{PASSWORD}\n"), 0o600);
        let path = path.to_str().expect("a path of text");
        let quiet = without(&db).run(&["upgrade", "--password-file", path]);
        quiet.expect_code(0);
        assert!(!quiet.stderr.contains("WARN"), "{quiet}");
        without(&db).env("CONCERTINA_PASSWORD_FILE", path).run(&["check"]).expect_code(0);
        // It wins over the URL's.
        let wrong = db.owner_url().replace(PASSWORD, "wr0ng");
        Concertina::command(&db).database(&wrong).run(&["check", "--password-file", path]).expect_code(0);

        let (_directory, open) = file(PASSWORD, 0o644);
        let open = open.to_str().expect("a path of text");
        let warned = without(&db).run(&["check", "--password-file", open]);
        warned.expect_code(0).expect_stderr("every user of this host may read the password file");

        for (text, says) in [("", "it is empty"), ("one\ntwo\n", "it has several lines")] {
            let (_directory, path) = file(text, 0o600);
            let path = path.to_str().expect("a path of text");
            without(&db).run(&["check", "--password-file", path]).expect_code(1).expect_stderr(says);
        }
        without(&db)
            .run(&["check", "--password-file", "/nowhere/secret"])
            .expect_code(1)
            .expect_stderr("the password file `/nowhere/secret`: No such file");
        without(&db).run(&["check"]).expect_code(1);
    }

    async fn a_password_comes_from_the_servers_own_variable(db: TestDatabase) {
        let variable = if db.kind() == Kind::Postgres { "PGPASSWORD" } else { "MYSQL_PWD" };
        without(&db).env(variable, PASSWORD).run(&["status"]).expect_code(0);
        // The URL's wins, as with the servers' own programs.
        Concertina::command(&db).env(variable, "wr0ng").run(&["status"]).expect_code(0);
        if db.kind() == Kind::Postgres {
            let (_directory, path) = file(&format!("{PASSWORD}\n*:*:*:*:{PASSWORD}\n"), 0o600);
            let path = path.to_str().expect("a path of text");
            // Of the first line, which is none, the driver would log the whole; the harness looks for it.
            let concertina = without(&db).env("PGPASSFILE", path).env("CONCERTINA_LOG", "trace,sqlx_postgres=trace");
            concertina.run(&["status"]).expect_code(0);
        }
    }

    async fn a_password_comes_from_a_variable_in_the_manifest(db: TestDatabase) {
        let url = db.owner_url().replace(PASSWORD, "${GLANCE_PASSWORD}");
        let manifest = format!("database: {url}\nreleases: [r1]\n");
        let project = Project::new(&[("concertina.yaml", manifest.as_str())]);
        let concertina = Concertina::in_project(project.path());
        concertina.clone().env("GLANCE_PASSWORD", PASSWORD).run(&["status"]).expect_code(0);
        concertina.env("GLANCE_PASSWORD", "wr0ng").run(&["status"]).expect_code(1);
    }

    async fn a_password_on_the_command_line_is_warned_of(db: TestDatabase) {
        let concertina = Concertina::in_project(Project::bundled().path());
        let seen = "every user of this host can see the password on the command line";
        concertina.run(&["--database", db.owner_url(), "status"]).expect_code(0).expect_stderr(seen);
        let unseen = Concertina::command(&db).run(&["status"]);
        assert!(!unseen.stderr.contains(seen), "{unseen}");
    }
}
