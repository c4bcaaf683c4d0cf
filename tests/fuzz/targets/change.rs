//! A change file in YAML: read, judged by lint, and planned for every database.

use concertina::catalog::{Diagnostic, Project};
use concertina::dialect::{Column, Kind, Schema, Table};
use concertina::plan::{Facts, check_release, lint};
use concertina::step::Phase;

use super::{dialects, expect_sound, expect_sound_errors, project};

const MANIFEST: (&str, &str) = ("concertina.yaml", "releases: [r]\n");
/// What only contract has.
const CONTRACT: [&str; 7] =
    ["drop_column:", "drop_table:", "drop_index:", "set_default:", "set_not_null:", "add_unique:", "validate:"];

pub(crate) fn run(text: &str) {
    let (phase, path) = if text.contains("backfill:") {
        (Phase::Migrate, "data/r/01_a.yaml")
    } else if CONTRACT.iter().any(|word| text.contains(word)) {
        (Phase::Contract, "contract/r/01_a.yaml")
    } else {
        (Phase::Expand, "expand/r/01_a.yaml")
    };
    let read = project(&[MANIFEST, (path, text)]);
    let sound = match &read {
        Ok(sound) => sound,
        Err(errors) => return expect_sound_errors(errors),
    };
    for finding in lint(sound).findings {
        expect_sound(&finding.origin);
        assert!(!finding.kinds.is_empty());
    }
    for dialect in dialects() {
        let live = schema(dialect.kind());
        for release in &sound.releases {
            if let Err(errors) = check_release(release, &[phase], &Facts::default(), dialect.as_ref(), &live) {
                expect_sound_errors(&errors);
            }
        }
    }
    if !text.contains('\r') {
        let other = project(&[MANIFEST, (path, &text.replace('\n', "\r\n"))]);
        assert_eq!(checksums(&read), checksums(&other), "the ends of lines change a checksum");
    }
}

fn checksums(read: &Result<Project, Vec<Diagnostic>>) -> Option<Vec<String>> {
    let releases = &read.as_ref().ok()?.releases;
    let steps = releases.iter().flat_map(|release| release.expand.iter().chain(&release.contract));
    let backfills = releases.iter().flat_map(|release| &release.backfills);
    let steps = steps.flat_map(|step| Kind::ALL.map(|kind| step.checksum(kind)));
    Some(steps.chain(backfills.flat_map(|backfill| Kind::ALL.map(|kind| backfill.checksum(kind)))).collect())
}

/// Two tables, as the corpus has them.
fn schema(kind: Kind) -> Schema {
    let table = |name: &str, columns: &[&str]| {
        let column = |column: &&str| Column {
            name: (*column).to_owned(),
            type_name: "varchar(20)".to_owned(),
            base_type: "varchar".to_owned(),
            nullable: *column != "id",
            ..Column::default()
        };
        let definitions: Vec<String> = columns.iter().map(|column| format!("{column} varchar(20)")).collect();
        let sql = format!("CREATE TABLE {name} ({}, PRIMARY KEY ({}))", definitions.join(", "), columns[0]);
        let table = Table {
            name: name.to_owned(),
            columns: columns.iter().map(column).collect(),
            primary_key: vec![columns[0].to_owned()],
            sql: (kind == Kind::Sqlite).then_some(sql),
            ..Table::default()
        };
        (name.to_owned(), table)
    };
    let tables = [
        table("images", &["id", "name", "owner", "is_public", "visibility", "status"]),
        table("image_members", &["id", "image_id", "deleted"]),
    ];
    Schema { tables: tables.into(), namespace: "public".to_owned(), ..Schema::default() }
}
