//! The fourteen failures of Glance's own rolling upgrade, measured on the real programs (the README of Glance's facts has
//! them): each is impossible here, and each is a test named for it.
//!
//! | | what went wrong in the real one | the test here | on |
//! | --- | --- | --- | --- |
//! | 1 | without the right to create triggers, expand stopped half-way and could never be run again; contract dropped the column, and then every write failed | `failure_01_expand_without_rights_changes_nothing`, `failure_01_contract_without_rights_drops_nothing` | PostgreSQL, MariaDB |
//! | 2 | contract dropped the column before the triggers that named it | `failure_02_no_new_writer_fails_while_contract_runs` | all |
//! | 3 | expand, then the offline upgrade: the triggers stayed, and broke every write | `failure_03_upgrade_behind_expand_leaves_no_trigger` | all |
//! | 4 | an upgrade over several releases skipped the first one's data migration | `failure_04_upgrade_over_releases_migrates_the_data_of_each` | all |
//! | 5 | the data migration, run again, took community images back | `failure_05_migrate_again_keeps_what_new_nodes_wrote` | all |
//! | 6 | an image that an old node shared after its row was migrated stayed private | `failure_06_an_image_shared_behind_migrate_is_shared_for_new_nodes` | all |
//! | 7 | on SQLite nothing was ever pending, and contract went ahead | `failure_07_contract_refuses_while_rows_are_pending` | all |
//! | 8 | rows counted once per rule; no progress, no batches, no resume | `failure_08_rows_are_counted_once_however_often_migrate_dies` | all |
//! | 9 | an old node's update waited for the whole data migration | `failure_09_a_transaction_of_migrate_holds_one_batch`, `failure_09_an_old_node_waits_for_no_row_but_its_own` | all; PostgreSQL, MariaDB |
//! | 10 | a rebuilt SQLite table lost its unnamed CHECK constraints | `failure_10_unnamed_checks_hold_through_every_phase` | SQLite |
//! | 11 | a database newer than the tool was told to expand, a legacy one failed in the middle | `failure_11_a_newer_database_is_refused_with_the_version_it_takes`, `failure_11_a_legacy_database_is_refused_untouched_or_adopted` | all |
//! | 12 | Galera: a DDL refused on one node and run on another evicted a node; a version read from a lagging node misled the next step | `failure_12_*` | MariaDB with Galera |
//! | 13 | half-applied DDL had to be forced | `failure_13_half_applied_steps_go_on_without_any_force` | all |
//! | 14 | soft-deleted rows that the backfill skipped blocked NOT NULL | `failure_14_rows_that_a_backfill_skips_stop_contract_before_it_begins`, `failure_14_soft_deleted_images_are_migrated_too` | all |

mod contract;
mod data;
mod galera;
mod rights;
mod schema;
mod walking;
mod writers;

use crate::conformance::glance::Node;
use crate::support::TestDatabase;

const CONTRACT: &[&str] = &["contract", "--quiet-period", "0s"];

/// Images as Newton made them: public, shared with a member, and neither; with the visibility that Ocata gives each.
const SEEDS: [(&str, bool, bool, &str); 3] =
    [("public", true, false, "public"), ("member", false, true, "shared"), ("alone", false, false, "private")];

/// Makes the images of [`SEEDS`].
async fn seed(db: &TestDatabase) {
    let mut node = Node::start(db).await;
    for (id, is_public, member, _) in SEEDS {
        node.create_old(id, is_public).await.unwrap();
        if member {
            node.add_member(id, "tenant-01", false).await.unwrap();
        }
    }
}

/// The visibility of every image, by id.
async fn visibilities(db: &TestDatabase) -> Vec<String> {
    db.owner().await.lines("SELECT id, visibility FROM images ORDER BY id").await
}

/// What [`visibilities`] are once the images of [`SEEDS`] are migrated.
const MIGRATED: [&str; 3] = ["alone|private", "member|shared", "public|public"];
