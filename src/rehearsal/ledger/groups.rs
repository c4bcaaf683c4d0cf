//! What a release's files say of columns and rows: which are kept in step, and which a backfill changes.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::catalog::{Child, Release, Work};
use crate::dialect::Schema;

/// What a release's files say.
#[derive(Debug, Default)]
pub(in crate::rehearsal) struct Groups {
    members: HashMap<(String, String), Member>,
    pub(super) related: Vec<Relation>,
    /// Columns that a backfill writes: what was there before is not compared.
    pub(super) rewritten: HashSet<(String, String)>,
    /// Tables from which a backfill deletes.
    pub(super) purged: HashSet<String>,
    /// Tables in which a sync or a backfill makes rows.
    pub(super) destinations: HashSet<String>,
    /// By sync: the table of its new columns, and these.
    pub(super) new: BTreeMap<String, (String, Vec<String>)>,
}

/// A column of a sync.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) sync: String,
    /// The table that the sync is on, and the columns here, each with its own that they are equal to; `None`: it is this table.
    pub(super) home: Option<(String, Vec<(String, String)>)>,
}

/// A table whose rows change what a sync makes of others.
#[derive(Debug)]
pub(super) struct Relation {
    pub(super) table: String,
    pub(super) sync: String,
    pub(super) target: String,
    pub(super) key: Vec<(String, String)>,
}

impl Groups {
    /// What the files of a release say.
    pub(in crate::rehearsal) fn of(release: &Release, schema: &Schema) -> Self {
        let mut groups = Self::default();
        for (_, sync) in release.syncs() {
            let table = schema.key(&sync.table).to_owned();
            let new_table = schema.key(sync.new_table()).to_owned();
            for (column, _) in &sync.backward {
                groups.members.insert((table.clone(), column.clone()), Member { sync: sync.name.clone(), home: None });
            }
            let home = sync.to.as_ref().map(|to| (table.clone(), to.key.clone()));
            for (column, _) in &sync.forward {
                let member = Member { sync: sync.name.clone(), home: home.clone() };
                groups.members.insert((new_table.clone(), column.clone()), member);
            }
            let new = sync.forward.iter().map(|(column, _)| column.clone()).collect();
            groups.new.insert(sync.name.clone(), (new_table.clone(), new));
            if sync.to.is_some() {
                groups.destinations.insert(new_table);
            }
            for related in &sync.related {
                groups.related.push(Relation {
                    table: schema.key(&related.table).to_owned(),
                    sync: sync.name.clone(),
                    target: table.clone(),
                    key: related.key.clone(),
                });
            }
        }
        for backfill in &release.backfills {
            let table = schema.key(&backfill.table).to_owned();
            match &backfill.work {
                Work::Update(set) => {
                    groups.rewritten.extend(set.iter().map(|(column, _)| (table.clone(), column.clone())));
                }
                Work::Command(program) => {
                    groups.rewritten.extend(program.writes.iter().map(|column| (table.clone(), column.clone())));
                }
                Work::Delete(children) => {
                    groups.purged.insert(table);
                    let below = children.iter().flat_map(Child::tree);
                    groups.purged.extend(below.map(|child| schema.key(&child.table).to_owned()));
                }
                Work::Copy(copy) => {
                    groups.destinations.insert(schema.key(&copy.into).to_owned());
                }
            }
        }
        groups
    }

    /// The sync of a column.
    pub(super) fn member(&self, table: &str, column: &str) -> Option<&Member> {
        self.members.get(&(table.to_owned(), column.to_owned()))
    }

    /// The sync of a column that is on the column's own table.
    pub(super) fn own_sync(&self, table: &str, column: &str) -> Option<&str> {
        self.member(table, column).filter(|member| member.home.is_none()).map(|member| member.sync.as_str())
    }

    /// Whether a column is the new side of a sync.
    pub(super) fn is_new(&self, table: &str, column: &str) -> bool {
        self.new.values().any(|(new_table, columns)| new_table == table && columns.iter().any(|new| new == column))
    }

    /// Whether a sync or a backfill may write a column.
    pub(super) fn changes(&self, table: &str, column: &str) -> bool {
        let place = (table.to_owned(), column.to_owned());
        self.members.contains_key(&place) || self.rewritten.contains(&place)
    }

    /// Forgets the syncs, which are about to be removed, and that tables are being filled.
    pub(super) fn end_syncs(&mut self) {
        self.destinations.clear();
        self.members.clear();
        self.related.clear();
        self.new.clear();
    }
}
