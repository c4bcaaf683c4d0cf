//! The statements of docs/rights.md, read from there, and roles that have what they grant and nothing else.

use url::Url;

use crate::support::{Concertina, Kind, Project, Session, TestDatabase};

/// The part of the page that is about a database, and there about one thing.
fn section(kind: Kind, name: &str) -> String {
    let page = Project::bundled().read("docs/rights.md");
    let database = if kind == Kind::Postgres { "PostgreSQL" } else { "MariaDB and MySQL" };
    let about = page.split("\n## ").find_map(|part| part.strip_prefix(database)).expect("the database's part");
    let part = about.split("\n### ").find_map(|part| part.strip_prefix(name));
    part.unwrap_or_else(|| panic!("docs/rights.md has no `{name}` for {database}")).to_owned()
}

/// The statements that the page names for something.
fn documented(kind: Kind, name: &str) -> Vec<String> {
    let text = section(kind, name);
    let blocks = text.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next());
    let statements: Vec<String> = blocks
        .flat_map(|block| block.split(';'))
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .collect();
    assert!(!statements.is_empty(), "docs/rights.md grants nothing for `{name}`");
    statements
}

/// The statements that the page names for something, for an account in the place of the page's.
pub(crate) fn granted_to(kind: Kind, name: &str, account: &str) -> Vec<String> {
    let of_page = if kind == Kind::Postgres { "TO concertina" } else { "TO 'concertina'@'%'" };
    documented(kind, name).iter().map(|text| text.replace(of_page, &format!("TO {account}"))).collect()
}

/// The rights that the page's table has, in order, for one of its columns.
pub(super) fn in_table(kind: Kind, column: &str) -> Vec<String> {
    let text = section(kind, "Upgrades");
    let cells =
        |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect();
    let mut rows =
        text.lines().filter(|line| line.starts_with('|')).map(cells).collect::<Vec<Vec<String>>>().into_iter();
    let head = rows.next().expect("a table");
    let at = head.iter().position(|cell| cell == column).expect("a column of the table");
    let rights: Vec<String> = rows.filter(|row| row[at] == "x").map(|row| row[0].clone()).collect();
    assert!(!rights.is_empty(), "nothing is needed for `{column}`");
    rights
}

/// Roles of one test, each with a name that stands for one of the page's.
pub(crate) struct Roles {
    kind: Kind,
    database: String,
    owner: Url,
    admin: Session,
    made: Vec<String>,
}

impl Roles {
    /// Takes away what everybody may do, and makes roles that may do nothing.
    pub(crate) async fn new(db: &TestDatabase, names: &[&str]) -> Self {
        let owner = Url::parse(db.owner_url()).expect("a URL");
        let database = owner.path().trim_start_matches('/').to_owned();
        let mut admin = Session::open(db.kind(), &db.admin_url()).await;
        if db.kind() == Kind::Postgres {
            admin.run(format!("REVOKE ALL ON DATABASE \"{database}\" FROM PUBLIC")).await;
            admin.run("REVOKE ALL ON SCHEMA public FROM PUBLIC").await;
        }
        let mut roles = Self { kind: db.kind(), database, owner, admin, made: Vec::new() };
        let password = roles.owner.password().expect("a password").to_owned();
        for name in names {
            for account in roles.accounts(name) {
                let create = if roles.kind == Kind::Postgres {
                    format!("CREATE ROLE {account} LOGIN PASSWORD '{password}'")
                } else {
                    format!("CREATE USER {account} IDENTIFIED BY '{password}'")
                };
                roles.admin.run(create).await;
            }
            roles.made.push((*name).to_owned());
        }
        roles
    }

    /// What stands for a name of the page: no other test's role, and what its database's name begins with.
    pub(crate) fn name(&self, name: &str) -> String {
        let unique = self.database.split('_').next().expect("the first part of a name");
        match name {
            "glance" => self.database.clone(),
            "concertina" => format!("{unique}_upgrades"),
            "glance_owner" => format!("{unique}_tables"),
            // `_app` is the test's application.
            other => format!("{unique}_{}", other.rsplit('_').next().expect("the last part of a name")),
        }
    }

    /// The accounts of a role: MySQL's are of a user and a host, and with the wildcard alone an anonymous local user comes first.
    fn accounts(&self, name: &str) -> Vec<String> {
        let name = self.name(name);
        match self.kind {
            Kind::Postgres => vec![name],
            _ => vec![format!("'{name}'@'%'"), format!("'{name}'@'localhost'")],
        }
    }

    /// Puts a statement of the page in this test's names; one for each host where there are several.
    fn own(&self, statement: &str) -> Vec<String> {
        let mut text = String::new();
        let mut rest = statement;
        while let Some(at) = rest.find(|character: char| character.is_ascii_alphanumeric()) {
            text.push_str(&rest[..at]);
            rest = &rest[at..];
            let end = rest
                .find(|character: char| !character.is_ascii_alphanumeric() && character != '_')
                .unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            let stands =
                ["glance", "concertina"].iter().any(|name| word == *name || word.starts_with(&format!("{name}_")));
            // `concertina\_scratch` is the program's own name for something.
            text.push_str(&if stands && !after.starts_with('\\') { self.name(word) } else { word.to_owned() });
            rest = after;
        }
        text.push_str(rest);
        if self.kind == Kind::MySql { vec![text.replace("@'%'", "@'localhost'"), text] } else { vec![text] }
    }

    /// Runs the page's statements for something.
    pub(crate) async fn grant(&mut self, section: &str) {
        for statement in documented(self.kind, section) {
            self.run(&statement).await;
        }
    }

    /// Runs a statement that is written in the page's names.
    pub(crate) async fn run(&mut self, statement: &str) {
        for own in self.own(statement) {
            self.admin.run(own).await;
        }
    }

    /// The statement by which a role has one right of the page's table, and the one that takes it away.
    fn change(&self, right: &str, role: &str) -> [String; 2] {
        let of = match (self.kind, right) {
            (Kind::Postgres, "CONNECT") => "CONNECT ON DATABASE glance".to_owned(),
            (Kind::Postgres, "USAGE" | "CREATE") => format!("{right} ON SCHEMA public"),
            (Kind::Postgres, role) => role.to_owned(),
            (_, right) => format!("{right} ON glance.*"),
        };
        let to = if self.kind == Kind::Postgres { role.to_owned() } else { format!("'{role}'@'%'") };
        [format!("GRANT {of} TO {to}"), format!("REVOKE {of} FROM {to}")]
    }

    /// Gives a role a right of the page's table.
    pub(super) async fn give(&mut self, right: &str, role: &str) {
        let [grant, _] = self.change(right, role);
        self.run(&grant).await;
    }

    /// Takes it away.
    pub(super) async fn take(&mut self, right: &str, role: &str) {
        let [_, revoke] = self.change(right, role);
        self.run(&revoke).await;
    }

    /// The URL of a role.
    pub(crate) fn url(&self, role: &str) -> String {
        let mut url = self.owner.clone();
        url.set_username(&self.name(role)).expect("a URL with a host");
        url.into()
    }

    /// The command on a project, as a role.
    pub(crate) fn concertina(&self, project: &Project, role: &str) -> Concertina {
        Concertina::in_project(project.path()).database(&self.url(role))
    }

    /// Removes the roles. Those of a test that failed go with the server.
    pub(crate) async fn drop(mut self) {
        for name in std::mem::take(&mut self.made) {
            for account in self.accounts(&name) {
                if self.kind == Kind::Postgres {
                    self.admin.run(format!("DROP OWNED BY {account}")).await;
                    self.admin.run(format!("DROP ROLE {account}")).await;
                } else {
                    self.admin.run(format!("DROP USER {account}")).await;
                }
            }
        }
    }
}
