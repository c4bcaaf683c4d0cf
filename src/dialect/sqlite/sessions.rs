//! SQLite's sessions have no names.

use super::Sqlite;
use crate::dialect::Sessions;

impl Sessions for Sqlite {}
