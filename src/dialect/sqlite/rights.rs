//! SQLite has no privileges; who may write the file may do everything.

use super::Sqlite;
use crate::dialect::{Dialect, Kind, Rights};

impl Rights for Sqlite {
    fn too_old(&self) -> Option<String> {
        self.server().older_than(Kind::Sqlite, [3, 35])
    }
}
