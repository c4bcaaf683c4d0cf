//! SQLite has no privileges; who may write the file may do everything.

use super::Sqlite;
use crate::dialect::Rights;

impl Rights for Sqlite {}
