//! What is measured: two tables, each bare and with its sync, and how old and new writers write to them.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use super::session::{Kind, Session};

/// Rows of each table.
pub(crate) const ROWS: usize = 20_000;

/// A table with and without its sync.
pub(crate) struct Pair {
    pub(crate) name: &'static str,
    columns: &'static str,
    old: &'static str,
    new: &'static str,
    insert: &'static str,
}

/// The boolean becomes a word; the text becomes two.
pub(crate) const PAIRS: [Pair; 2] = [
    Pair {
        name: "items",
        columns: "is_public BOOLEAN, name VARCHAR(255), visibility VARCHAR(20)",
        old: "is_public = NOT is_public",
        new: "visibility = CASE visibility WHEN 'public' THEN 'shared' ELSE 'public' END",
        insert: "is_public, name, payload) VALUES ($K, TRUE, $V, 'inserted')",
    },
    Pair {
        name: "people",
        columns: "full_name VARCHAR(255), given VARCHAR(255), family VARCHAR(255)",
        old: "full_name = $V",
        new: "given = $V",
        insert: "full_name, payload) VALUES ($K, $V, 'inserted')",
    },
];

/// Which table of a pair.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Variant {
    Bare,
    Synced,
}

impl Variant {
    pub(crate) const BOTH: [Self; 2] = [Self::Bare, Self::Synced];

    pub(crate) fn table(self, pair: &Pair) -> String {
        format!("{}_{}", pair.name, if self == Self::Bare { "bare" } else { "synced" })
    }
}

/// A kind of write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write {
    Untouched,
    Old,
    New,
    Insert,
}

impl Write {
    pub(crate) const ALL: [Self; 4] = [Self::Untouched, Self::Old, Self::New, Self::Insert];

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Untouched => "update, untouched",
            Self::Old => "update, old writer",
            Self::New => "update, new writer",
            Self::Insert => "insert, old writer",
        }
    }

    /// The statement, with these texts for the value it writes and for the row's key.
    pub(crate) fn sql(self, pair: &Pair, variant: Variant, value: &str, key: &str) -> String {
        let table = variant.table(pair);
        let text = match self {
            Self::Untouched => format!("UPDATE {table} SET payload = $V WHERE id = $K"),
            Self::Old => format!("UPDATE {table} SET {} WHERE id = $K", pair.old),
            Self::New => format!("UPDATE {table} SET {} WHERE id = $K", pair.new),
            Self::Insert => format!("INSERT INTO {table} (id, {}", pair.insert),
        };
        text.replace("$V", value).replace("$K", key)
    }
}

/// A write as a prepared statement, with its values in the order of its placeholders.
pub(crate) struct Prepared {
    sql: Arc<str>,
    key_first: bool,
    has_value: bool,
}

impl Prepared {
    pub(crate) fn new(kind: Kind, write: Write, pair: &Pair, variant: Variant) -> Self {
        let template = write.sql(pair, variant, "$V", "$K");
        let key_first = template.find("$K") < template.find("$V");
        let has_value = template.contains("$V");
        let placeholders = match (kind, key_first || !has_value) {
            (Kind::Postgres, true) => ("$2", "$1"),
            (Kind::Postgres, false) => ("$1", "$2"),
            (Kind::MySql | Kind::Sqlite, _) => ("?", "?"),
        };
        Self { sql: write.sql(pair, variant, placeholders.0, placeholders.1).into(), key_first, has_value }
    }

    pub(crate) async fn execute(&self, session: &mut Session, value: &str, key: &str) -> Result<(), sqlx::Error> {
        match (self.has_value, self.key_first) {
            (false, _) => session.execute(&self.sql, &[key]).await,
            (true, true) => session.execute(&self.sql, &[key, value]).await,
            (true, false) => session.execute(&self.sql, &[value, key]).await,
        }
    }
}

/// A key such as applications choose: it has no order.
pub(crate) fn key(random: &mut fastrand::Rng) -> String {
    let text = format!("{:032x}", random.u128(..));
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

/// Makes the tables, the syncs and the loops, and gives the rows' keys.
pub(crate) async fn make(kind: Kind, session: &mut Session, url: &str) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(7);
    let keys: Vec<String> = (0..ROWS).map(|_| key(&mut random)).collect();
    // Vacuumed by hand between rounds, since it must not happen to one variant's slice.
    let (options, same) = match kind {
        Kind::Postgres => {
            (" WITH (autovacuum_enabled = off)", " (LIKE @ INCLUDING ALL) WITH (autovacuum_enabled = off)")
        }
        Kind::MySql => (" ENGINE=InnoDB", " LIKE @"),
        Kind::Sqlite => ("", ""),
    };
    session.run("CREATE TABLE bench_keys (n INTEGER PRIMARY KEY, id VARCHAR(36) NOT NULL)").await;
    for (chunk, part) in keys.chunks(500).enumerate() {
        let rows: Vec<_> = part.iter().enumerate().map(|(n, id)| format!("({}, '{id}')", chunk * 500 + n)).collect();
        session.run(format!("INSERT INTO bench_keys VALUES {}", rows.join(", "))).await;
    }
    for pair in &PAIRS {
        let (bare, synced) = (Variant::Bare.table(pair), Variant::Synced.table(pair));
        let create = format!("(id VARCHAR(36) NOT NULL PRIMARY KEY, payload TEXT NOT NULL, {})", pair.columns);
        session.run(format!("CREATE TABLE {bare} {create}{options}")).await;
        let copy = if same.is_empty() { create } else { same.replace('@', &bare) };
        session.run(format!("CREATE TABLE {synced} {copy}")).await;
        let payload = "x".repeat(100);
        let values = match pair.name {
            "items" => "TRUE, 'an item', 'public'",
            _ => "'Ada Lovelace', 'Ada', 'Lovelace'",
        };
        for table in [bare, synced] {
            session
                .run(format!("INSERT INTO {table} SELECT id, '{payload}', {values} FROM bench_keys ORDER BY id"))
                .await;
        }
    }
    expand(kind, url);
    // To try another text of a trigger, name a file of SQL that installs it.
    if let Ok(file) = std::env::var("CONCERTINA_BENCH_TRIGGERS") {
        session.run(fs::read_to_string(&file).unwrap_or_else(|error| panic!("failed to read `{file}`: {error}"))).await;
    }
    for pair in &PAIRS {
        for variant in Variant::BOTH {
            for write in [Write::Untouched, Write::Old, Write::New] {
                if let Some(text) = make_loop(kind, write, pair, variant) {
                    session.run(text).await;
                }
            }
        }
    }
    keys
}

/// Installs the syncs as a user does.
fn expand(kind: Kind, url: &str) {
    let project = tempfile::tempdir().expect("a temporary directory");
    let folder = project.path().join("expand/new");
    fs::create_dir_all(&folder).expect("the release's folder");
    fs::write(project.path().join("concertina.yaml"), "database: sqlite://unused.db\nreleases: [old, new]\n")
        .expect("the manifest");
    let (given, family, full_name) = match kind {
        Kind::Postgres => ("split_part(full_name, ' ', 1)", "split_part(full_name, ' ', 2)", "given || ' ' || family"),
        Kind::MySql => {
            ("SUBSTRING_INDEX(full_name, ' ', 1)", "SUBSTRING_INDEX(full_name, ' ', -1)", "CONCAT(given, ' ', family)")
        }
        Kind::Sqlite => (
            "substr(full_name, 1, instr(full_name, ' ') - 1)",
            "substr(full_name, instr(full_name, ' ') + 1)",
            "given || ' ' || family",
        ),
    };
    let steps = format!(
        "steps:\n  - sync:\n      name: items_visibility\n      table: items_synced\n      \
         forward: {{ visibility: CASE WHEN is_public THEN 'public' ELSE 'shared' END }}\n      \
         backward: {{ is_public: visibility = 'public' }}\n  - sync:\n      name: people_name\n      \
         table: people_synced\n      forward:\n        given: \"{given}\"\n        family: \"{family}\"\n      \
         backward:\n        full_name: \"{full_name}\"\n"
    );
    fs::write(folder.join("01_sync.yaml"), steps).expect("the change file");
    let output = Command::new(env!("CARGO_BIN_EXE_concertina"))
        .arg("--project")
        .arg(project.path())
        .args(["--database", url, "expand"])
        .output()
        .expect("the binary starts");
    assert!(output.status.success(), "`concertina expand` failed:\n{}", String::from_utf8_lossy(&output.stderr));
}

fn loop_name(write: Write, pair: &Pair, variant: Variant) -> String {
    let word = write.words().replace([',', ' '], "_");
    format!("loop_{}_{word}", variant.table(pair))
}

/// A procedure at the server that writes the rows from `first` to `last`, each in a transaction of its own.
fn make_loop(kind: Kind, write: Write, pair: &Pair, variant: Variant) -> Option<String> {
    let name = loop_name(write, pair, variant);
    match kind {
        Kind::Postgres => Some(format!(
            "CREATE PROCEDURE {name}(first int, last int, mark text) LANGUAGE plpgsql AS $$ DECLARE key varchar; BEGIN \
             FOR key IN SELECT id FROM bench_keys WHERE n BETWEEN first AND last LOOP {}; COMMIT; END LOOP; END $$",
            write.sql(pair, variant, "mark", "key")
        )),
        Kind::MySql => Some(format!(
            "CREATE PROCEDURE {name}(first int, last int, mark varchar(255) CHARSET utf8mb4) BEGIN \
             WHILE first <= last DO {}; SET first = first + 1; END WHILE; END",
            write.sql(pair, variant, "mark", "(SELECT k.id FROM bench_keys k WHERE k.n = first)")
        )),
        Kind::Sqlite => None,
    }
}

/// A call of such a procedure. SQLite has none: there it is one statement that writes all the rows.
pub(crate) fn call_loop(
    kind: Kind,
    write: Write,
    pair: &Pair,
    variant: Variant,
    rows: (usize, usize),
    mark: &str,
) -> String {
    let (first, last) = rows;
    match kind {
        Kind::Sqlite => {
            let sql = write.sql(pair, variant, &format!("'{mark}'"), "$K");
            let keys = format!("IN (SELECT id FROM bench_keys WHERE n BETWEEN {first} AND {last})");
            sql.replace("= $K", &keys)
        }
        _ => format!("CALL {}({first}, {last}, '{mark}')", loop_name(write, pair, variant)),
    }
}
