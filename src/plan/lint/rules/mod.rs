//! One file a rule. To add one: a file here, and its line in [`ALL`].

mod backfill_differs;
mod backfill_never_done;
mod backfill_overwrites;
mod blocking_index;
mod column_order;
mod contract_drops_new;
mod contract_loses_data;
mod data_in_schema_file;
mod example;
mod foreign_key_without_index;
mod lock_table;
mod long_name;
mod mixed_transaction;
mod not_null_without_default;
mod old_column_required;
mod prepared_statements;
mod related_write;
mod removal_in_expand;
mod rename;
mod required_until_dropped;
mod reserved;
mod reserved_word;
mod select_star;
mod sync_without_backfill;
mod sync_without_contract;
mod synced_column;
mod table_rewrite;
mod tightening_below_drop;
mod tightening_in_expand;
mod type_change;
mod unclassified_sql;
mod unwatched_drop;
mod validating_constraint;

use super::Rule;

/// All of them, in the order in which they are documented.
pub(super) const ALL: &[Rule] = &[
    removal_in_expand::RULE,
    rename::RULE,
    type_change::RULE,
    tightening_in_expand::RULE,
    table_rewrite::RULE,
    not_null_without_default::RULE,
    blocking_index::RULE,
    validating_constraint::RULE,
    foreign_key_without_index::RULE,
    synced_column::RULE,
    old_column_required::RULE,
    sync_without_backfill::RULE,
    sync_without_contract::RULE,
    contract_loses_data::RULE,
    tightening_below_drop::RULE,
    backfill_never_done::RULE,
    backfill_overwrites::RULE,
    backfill_differs::RULE,
    related_write::RULE,
    contract_drops_new::RULE,
    unwatched_drop::RULE,
    required_until_dropped::RULE,
    data_in_schema_file::RULE,
    column_order::RULE,
    select_star::RULE,
    prepared_statements::RULE,
    long_name::RULE,
    reserved_word::RULE,
    mixed_transaction::RULE,
    lock_table::RULE,
    unclassified_sql::RULE,
];
