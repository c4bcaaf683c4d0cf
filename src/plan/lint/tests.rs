//! Every rule by its own examples, the page that is made of them, and raw SQL by what it becomes.

use std::fmt::Write as _;
use std::path::Path;

use super::effect::Effect;
use super::{Example, Finding, Rule, RuleText, Severity, lint, rules, silence, sql};

use crate::catalog::Project;
use crate::dialect::Kind;

fn every_rule() -> impl Iterator<Item = RuleText> {
    rules::ALL.iter().map(|rule| rule.text).chain(silence::RULES)
}

fn findings(files: &[(&str, &str)]) -> Vec<Finding> {
    let folder = tempfile::tempdir().unwrap();
    let manifest = [("concertina.yaml", "releases: [newton, ocata, pike]\n")];
    for (path, text) in manifest.iter().chain(files) {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let project = Project::load(folder.path()).unwrap_or_else(|errors| panic!("{errors:#?}"));
    lint(&project).standing(&Kind::ALL).cloned().collect()
}

fn in_words(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{}: {}", finding.rule, finding.diagnostic())).collect()
}

#[test]
fn every_bad_example_is_found_by_its_rule() {
    for rule in rules::ALL {
        let found = findings(rule.bad);
        let own = found.iter().filter(|finding| finding.rule == rule.text.name).count();
        assert!(own > 0, "`{}` finds nothing in its bad example: {:#?}", rule.text.name, in_words(&found));
    }
}

#[test]
fn no_good_example_has_a_finding() {
    for rule in rules::ALL {
        let found = findings(rule.good);
        assert!(found.is_empty(), "`{}`: {:#?}", rule.text.name, in_words(&found));
    }
}

#[test]
fn a_rule_has_a_name_of_its_own_and_sentences() {
    let mut names: Vec<&str> = every_rule().map(|rule| rule.name).collect();
    for rule in every_rule() {
        let plain = rule.name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '-');
        assert!(plain && rule.why.ends_with('.') && !rule.remedy.ends_with('.'), "{}", rule.name);
    }
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}

#[test]
fn an_allow_is_judged_itself() {
    let step = |allow: &str| {
        let text = format!("steps:\n  - drop_column: {{ table: images, column: owner }}\n    allow: {{ {allow} }}\n");
        in_words(&findings(&[("contract/ocata/01_owner.yaml", &text)]))
    };
    let unwatched = "unwatched-drop: contract/ocata/01_owner.yaml:2:43: nothing tells whether nodes of newton still use \
                     the column `owner` of `images`";
    assert_eq!(step("unwatched-drop: nobody reads it"), [""; 0]);
    assert_eq!(
        step("unwatched-dorp: nobody reads it"),
        [
            unwatched,
            "allow-unknown-rule: contract/ocata/01_owner.yaml:3:14: there is no rule `unwatched-dorp`; did you mean \
             `unwatched-drop`?",
        ]
    );
    assert_eq!(
        step("unwatched-drop: ''"),
        [
            unwatched,
            "allow-without-reason: contract/ocata/01_owner.yaml:3:14: `unwatched-drop` is allowed without a reason"
        ]
    );
    assert_eq!(
        step("unwatched-drop: nobody reads it, rename: because"),
        ["allow-unused: contract/ocata/01_owner.yaml:3:47: nothing here breaks `rename`"]
    );
}

#[test]
fn an_allow_in_sql_is_for_the_databases_of_its_file() {
    let files = [
        ("expand/ocata/01_a.sql", "-- concertina: allow rename: nothing uses it\nALTER TABLE a RENAME TO b;\n"),
        ("expand/ocata/01_a.mysql.sql", "ALTER TABLE a RENAME TO b;\n"),
    ];
    let found = findings(&files);
    assert_eq!(
        in_words(&found),
        ["rename: expand/ocata/01_a.mysql.sql:1:1: the table `a` becomes `b` under nodes that use it (MySQL/MariaDB)"]
    );
}

#[test]
fn a_statement_in_yaml_has_its_own_place() {
    let text = "steps:\n  - sql:\n      run:\n        postgres: |\n          COMMENT ON TABLE a IS 'b';\n\n          \
                CREATE INDEX c\n            ON a (d);\n        mysql: CREATE FULLTEXT INDEX c ON a (d)\n";
    let found = findings(&[("expand/ocata/01_a.yaml", text)]);
    let places: Vec<_> = found.iter().map(|finding| (finding.origin.line(), finding.origin.column())).collect();
    assert_eq!(places, [(7, 11), (9, 16)], "{:#?}", in_words(&found));
}

/// What the text of the page is, for the part of it that is made of the rules.
fn page() -> String {
    let mut page = String::from("| rule | severity | finds |\n| --- | --- | --- |\n");
    for rule in every_rule() {
        writeln!(page, "| [`{0}`](#{0}) | {1} | {2} |", rule.name, rule.severity, rule.judges).unwrap();
    }
    for Rule { text, bad, good, .. } in rules::ALL {
        section(&mut page, *text);
        example(&mut page, "Bad", bad);
        example(&mut page, "Good", good);
    }
    for rule in silence::RULES {
        section(&mut page, rule);
    }
    page
}

fn section(page: &mut String, rule: RuleText) {
    let kind = match rule.severity {
        Severity::Error => "An error",
        Severity::Warning => "A warning",
        Severity::Note => "A note",
    };
    writeln!(page, "\n### `{}`\n\n{kind}: {}. {}\n\nRemedy: {}.", rule.name, rule.judges, rule.why, rule.remedy)
        .unwrap();
}

fn example(page: &mut String, word: &str, files: Example) {
    writeln!(page, "\n{word}:").unwrap();
    for (path, text) in files {
        let (language, mark) = if path.rsplit('.').next() == Some("yaml") { ("yaml", "#") } else { ("sql", "--") };
        writeln!(page, "\n```{language}\n{mark} {path}\n{text}```").unwrap();
    }
}

#[test]
fn the_page_says_what_the_rules_say() {
    const BEGIN: &str = "<!-- what follows is made of the rules: CONCERTINA_WRITE_DOCS=1 cargo test the_page -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/lint.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, written) = text.split_once(BEGIN).expect("the mark is in the page");
    if std::env::var_os("CONCERTINA_WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{head}{BEGIN}\n{}", page())).unwrap();
    } else {
        assert!(
            written.trim() == page().trim(),
            "docs/lint.md is not what the rules say: write it anew, as its mark says"
        );
    }
}

/// What a statement becomes, in short words.
fn judged(kind: Kind, text: &str) -> String {
    let statements = sql::read(text, kind).unwrap();
    let effects = statements.iter().flat_map(|statement| &statement.effects);
    let words = |effect: &Effect| {
        let text = format!("{effect:?}");
        text.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
    };
    effects.map(words).collect::<Vec<_>>().join(" ")
}

#[test]
fn raw_sql_becomes_effects() {
    use Kind::{MySql, Postgres, Sqlite};
    for (kind, text, effects) in [
        (
            Postgres,
            "CREATE TABLE a (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, b text DEFAULT 'x'::text NOT NULL, CONSTRAINT c CHECK (b <> ''))",
            "CreateTable",
        ),
        (
            Postgres,
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS a ON ONLY b.c USING btree (lower(d), e) WHERE f",
            "OutsideTransaction CreateIndex",
        ),
        (
            Postgres,
            "ALTER TABLE ONLY a ADD COLUMN b integer NOT NULL DEFAULT 0, DROP COLUMN IF EXISTS c CASCADE",
            "AddColumn DropColumn",
        ),
        (
            Postgres,
            "ALTER TABLE a ADD CONSTRAINT b FOREIGN KEY (c) REFERENCES d (e) ON DELETE SET NULL NOT VALID",
            "AddConstraint",
        ),
        (Postgres, "ALTER TABLE a ADD CONSTRAINT b UNIQUE USING INDEX c", "AddConstraint"),
        (
            Postgres,
            "ALTER TABLE a ALTER COLUMN b SET DATA TYPE varchar(20) USING b::varchar, ALTER c DROP DEFAULT",
            "ChangeType DropDefault",
        ),
        (Postgres, "ALTER TABLE a SET (fillfactor = 70); ALTER TABLE a VALIDATE CONSTRAINT b", "Harmless Validate"),
        (Postgres, "ALTER TYPE a ADD VALUE IF NOT EXISTS 'b' AFTER 'c'", "AddEnumValue"),
        (Postgres, "WITH a AS (SELECT 1) UPDATE b SET c = 1", "Write"),
        (Postgres, "WITH a AS (DELETE FROM b RETURNING *) SELECT * FROM a", "Write"),
        (Postgres, "SELECT setval('a', 1)", "Unclassified"),
        (Postgres, "SELECT count(*) FROM a", "Harmless"),
        (Postgres, "DO $$ BEGIN DROP TABLE a; END $$", "Unclassified"),
        (Postgres, "CREATE FUNCTION a() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$", "Harmless"),
        (Postgres, "CREATE OR REPLACE FUNCTION a() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$", "Unclassified"),
        (Postgres, "CREATE TRIGGER a BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION c()", "Unclassified"),
        (Postgres, "ALTER TABLE a DISABLE TRIGGER ALL", "Unclassified"),
        (Postgres, "ALTER TABLE a ATTACH PARTITION b FOR VALUES IN (1)", "Unclassified"),
        (Postgres, "DROP INDEX CONCURRENTLY IF EXISTS a", "OutsideTransaction DropIndex"),
        (Postgres, "VACUUM (FULL false) a", "OutsideTransaction"),
        (Postgres, "ALTER TABLE a ADD b text[] DEFAULT array['c', 'd']::text[]", "AddColumn"),
        (Postgres, "VACUUM (FULL) a", "OutsideTransaction Rewrite"),
        (Postgres, "SET LOCAL lock_timeout = '1s'; SET search_path = b", "Harmless Unclassified"),
        (
            MySql,
            "CREATE TABLE `a` (`id` int(11) NOT NULL AUTO_INCREMENT, `b` varchar(10) CHARACTER SET utf8mb4 DEFAULT NULL COMMENT 'x', PRIMARY KEY (`id`), KEY `c` (`b`(5))) ENGINE=InnoDB",
            "CreateTable",
        ),
        (
            MySql,
            "ALTER TABLE a ADD COLUMN b int AFTER c, ADD INDEX d (b), ALGORITHM=INPLACE, LOCK=NONE",
            "Position AddColumn CreateIndex Harmless Harmless",
        ),
        (MySql, "ALTER TABLE a MODIFY b bigint NOT NULL, CHANGE c d text", "ChangeType RenameColumn ChangeType"),
        (MySql, "ALTER TABLE a ADD b int, ALGORITHM=COPY", "AddColumn Rewrite Harmless"),
        (MySql, "ALTER TABLE a ENGINE=InnoDB; ALTER TABLE a CONVERT TO CHARACTER SET utf8mb4", "Rewrite Rewrite"),
        (MySql, "RENAME TABLE a TO b, c TO d", "RenameTable RenameTable"),
        (MySql, "CREATE DEFINER=`me`@`%` PROCEDURE a() BEGIN DELETE FROM b; END", "Harmless"),
        (MySql, "/*!50003 DROP TABLE a */", "Unclassified"),
        (MySql, "INSERT IGNORE INTO a (b) VALUES (1); REPLACE INTO a SELECT * FROM b", "Write Write"),
        (MySql, "CALL a()", "Unclassified"),
        (
            Sqlite,
            "CREATE TABLE a (id INTEGER PRIMARY KEY AUTOINCREMENT, b TEXT COLLATE NOCASE, \"c\" BOOLEAN DEFAULT (1), d) STRICT, WITHOUT ROWID",
            "CreateTable",
        ),
        (Sqlite, "ALTER TABLE a RENAME b TO c; ALTER TABLE a ADD d TEXT", "RenameColumn AddColumn"),
        (Sqlite, "PRAGMA foreign_keys = OFF", "Unclassified"),
        (Sqlite, "CREATE VIRTUAL TABLE a USING fts5(b)", "Unclassified"),
        (Sqlite, "VACUUM", "Rewrite"),
    ] {
        assert_eq!(judged(kind, text), effects, "{kind}: {text}");
    }
}

/// The baseline's text is understood to its last word, so that every rule which needs the schema has it.
#[test]
fn the_bundled_baseline_is_understood() {
    let project = Project::load(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    for kind in Kind::ALL {
        for file in project.baseline(kind) {
            // MySQL has no CREATE INDEX IF NOT EXISTS, so this one prepares its statement by what is there.
            if file.path.ends_with("mysql/V2__mitaka01.sql") {
                continue;
            }
            for statement in sql::read(&file.sql, kind).unwrap() {
                let unclear = statement.effects.iter().any(|effect| matches!(effect, Effect::Unclassified { .. }));
                assert!(!unclear, "{}: {}", file.path, statement.text);
            }
        }
    }
}
