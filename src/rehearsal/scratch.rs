//! Databases that a rehearsal makes for itself, and takes away again.

use std::path::{Path, PathBuf};

use crate::db::{Connection, DbError, Target};
use crate::dialect::{Kind, Patience};

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
    Server { name: String, drop: String, home: Box<Target> },
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
        let place = Place::Server { name: name.clone(), drop, home: Box::new(home.clone()) };
        let scratch = Self { target: home.beside_as(&name)?, place };
        // Whatever a URL's parameters or a pooler make of it: nothing is done in a database that is not ours.
        match scratch.whereabouts().await {
            Ok(found) if found == name => Ok(scratch),
            other => {
                scratch.remove().await?;
                let found = other?;
                Err(DbError::Url {
                    reason: format!("it leads to the database `{found}`, and not to `{name}`, which was made for this"),
                })
            }
        }
    }

    /// The database that its URL leads to.
    async fn whereabouts(&self) -> Result<String, DbError> {
        let mut connection = Connection::open(&self.target, false).await?;
        let found = match connection.shared_dialect().whereabouts("") {
            [Some(query), _] => connection.query(&query, &[]).await?.first().and_then(|row| row.text(0)),
            [None, _] => None,
        };
        connection.close().await;
        Ok(found.unwrap_or_default())
    }

    /// Its name, for whoever has to remove it by hand.
    pub(super) fn name(&self) -> String {
        match &self.place {
            Place::File(folder) => folder.display().to_string(),
            Place::Server { name, .. } => name.clone(),
        }
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
            Place::Server { name, drop, home } => {
                let mut connection = Connection::open(&home, false).await?;
                // MySQL would wait for whoever is in it, for a day.
                connection.set_patience(Patience::Seconds, None).await?;
                let dialect = connection.shared_dialect();
                if let [_, Some(inside)] = dialect.whereabouts(&name) {
                    for row in connection.query(&inside, &[]).await? {
                        let end = dialect.end_session(row.integer(0).unwrap_or_default());
                        // One that has just gone by itself is no error.
                        if let Err(error) = connection.run(&end).await {
                            tracing::debug!(%error, "end a session of the rehearsal's");
                        }
                    }
                }
                let dropped = connection.run(&drop).await;
                connection.close().await;
                dropped
            }
        }
    }
}
