//! Databases that a rehearsal makes for itself, and takes away again.

use std::path::{Path, PathBuf};

use crate::db::{Connection, DbError, Target};
use crate::dialect::Kind;

/// The beginning of their names.
pub(super) const PREFIX: &str = "concertina_rehearsal_";

/// A database of a rehearsal's own.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) target: Target,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// A file in a folder of its own.
    File(PathBuf),
    /// A database of a server, and the database from which it is dropped.
    Server { drop: String, home: Box<Target> },
}

impl Scratch {
    /// Makes one: a file in the system's temporary folder, or a database on the server of `home`.
    pub(super) async fn create(home: Option<&Target>, purpose: &str) -> Result<Self, DbError> {
        let name = format!("{PREFIX}{}_{:06x}_{purpose}", std::process::id(), fastrand::u32(..1 << 24));
        let Some(home) = home.filter(|home| home.kind() != Kind::Sqlite) else {
            let folder = std::env::temp_dir().join(&name);
            std::fs::create_dir_all(&folder)
                .map_err(|error| DbError::Url { reason: format!("make the folder {}: {error}", folder.display()) })?;
            let target = Target::parse(&format!("sqlite://{}", folder.join("rehearsal.db").display()), Path::new("/"))?;
            return Ok(Self { target, place: Place::File(folder) });
        };
        let mut connection = Connection::open(home, false).await?;
        let Some([create, drop]) = connection.dialect().own_database(&name) else {
            return Err(DbError::Url { reason: "this database has no server to make another on".to_owned() });
        };
        connection.run(&create).await?;
        connection.close().await;
        Ok(Self { target: home.beside_as(&name)?, place: Place::Server { drop, home: Box::new(home.clone()) } })
    }

    /// Takes it away, with whoever is in it.
    pub(super) async fn remove(self) -> Result<(), DbError> {
        match self.place {
            Place::File(folder) => {
                if let Err(error) = std::fs::remove_dir_all(&folder) {
                    tracing::warn!(%error, "the rehearsal's files stay in {}", folder.display());
                }
                Ok(())
            }
            Place::Server { drop, home } => {
                let mut connection = Connection::open(&home, false).await?;
                let dropped = connection.run(&drop).await;
                connection.close().await;
                dropped
            }
        }
    }
}
