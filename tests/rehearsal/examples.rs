//! Every project in `examples/`, on every database.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Rehearsal, expect_good};
use crate::support::{Project, TestDatabase, on_every_database};

fn project(name: &str) -> Project {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    Project::at(&folder)
}

/// Rehearses an example over its whole train.
#[track_caller]
fn rehearse(name: &str, db: &TestDatabase) {
    let project = project(name);
    let manifest: serde_yaml::Value = serde_yaml::from_str(&project.read("concertina.yaml")).expect("a manifest");
    let releases = manifest["releases"].as_sequence().expect("a train");
    let text = |release: &serde_yaml::Value| match release {
        serde_yaml::Value::String(text) => text.clone(),
        other => panic!("{other:?} is no name"),
    };
    let (first, last) = (text(&releases[0]), text(&releases[releases.len() - 1]));
    expect_good(&Rehearsal::of(&project, Some(db)).run(&[&first, &last]));
}

macro_rules! examples {
    ($($test:ident: $name:literal,)+) => {
        on_every_database! {$(
            async fn $test(db: TestDatabase) {
                rehearse($name, &db);
            }
        )+}

        #[test]
        fn none_is_forgotten() {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
            let folders = std::fs::read_dir(folder).expect("the examples").filter_map(|entry| {
                let entry = entry.expect("an entry");
                entry.path().is_dir().then(|| entry.file_name().to_string_lossy().into_owned())
            });
            assert_eq!(folders.collect::<BTreeSet<_>>(), [$($name),+].map(str::to_owned).into());
        }
    };
}

examples! {
    an_epoch_column_beside_a_datetime: "epoch-column",
    an_int_key_becomes_a_bigint: "bigint-key",
    a_full_name_is_split: "full-name",
    a_column_moves_to_another_table: "moved-column",
    port_forwardings_become_ranges: "port-forwarding",
    an_enum_becomes_a_lookup_table: "lookup-table",
    a_column_becomes_not_null: "tightening",
    what_was_deleted_softly_is_purged: "purge",
}
