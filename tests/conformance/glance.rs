//! What Glance's nodes write, before Ocata and from Ocata on, and how to bring a database to where the story begins.
//!
//! Neither release names the other's column: Newton's nodes write `is_public`, Ocata's write `visibility`.

use std::fmt;

use crate::support::{Concertina, DbFailure, Kind, Session, TestDatabase};

/// The bundled train, oldest first.
pub(crate) const RELEASES: [&str; 16] = [
    "newton", "ocata", "pike", "queens", "rocky", "stein", "train", "ussuri", "victoria", "wallaby", "xena", "yoga",
    "zed", "2023.1", "2023.2", "2024.1",
];

/// Those of them that have files.
pub(crate) const CHANGING: [&str; 6] = ["ocata", "pike", "rocky", "train", "wallaby", "2024.1"];

/// The tables that the application's role may write.
pub(crate) const TABLES: [&str; 13] = [
    "images",
    "image_locations",
    "image_members",
    "image_properties",
    "image_tags",
    "metadef_namespace_resource_types",
    "metadef_namespaces",
    "metadef_objects",
    "metadef_properties",
    "metadef_resource_types",
    "metadef_tags",
    "tasks",
    "task_info",
];

/// Brings an empty database to Newton, with the application's rights, and gives the command to go on with.
pub(crate) async fn at_newton(db: &TestDatabase) -> Concertina {
    let concertina = Concertina::command(db);
    concertina.run(&["upgrade", "--to", "newton"]).expect_code(0);
    db.grant_application(&TABLES).await;
    concertina
}

/// The two columns that a sync keeps in step, of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub(crate) is_public: Option<bool>,
    pub(crate) visibility: Option<String>,
}

impl Access {
    pub(crate) fn new(is_public: impl Into<Option<bool>>, visibility: Option<&str>) -> Self {
        Self { is_public: is_public.into(), visibility: visibility.map(ToOwned::to_owned) }
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_public = self.is_public.map_or_else(|| "NULL".to_owned(), |value| value.to_string());
        write!(f, "(is_public {is_public}, visibility {})", self.visibility.as_deref().unwrap_or("NULL"))
    }
}

/// A session of one of the application's nodes.
pub(crate) struct Node {
    kind: Kind,
    session: Session,
}

impl Node {
    pub(crate) async fn start(db: &TestDatabase) -> Self {
        Self { kind: db.kind(), session: db.application().await }
    }

    /// A node with a session of its own making, on another thread say.
    pub(crate) fn on(kind: Kind, session: Session) -> Self {
        Self { kind, session }
    }

    pub(crate) fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Creates an image as Newton does.
    pub(crate) async fn create_old(&mut self, id: &str, is_public: bool) -> Result<u64, DbFailure> {
        self.create(id, &[("is_public", self.kind.boolean(is_public))]).await
    }

    /// Creates an image as Ocata does.
    pub(crate) async fn create_new(&mut self, id: &str, visibility: &str) -> Result<u64, DbFailure> {
        self.create(id, &[("visibility", &format!("'{visibility}'"))]).await
    }

    /// Creates an image that names these columns, with these SQL texts, besides what every release names.
    pub(crate) async fn create(&mut self, id: &str, given: &[(&str, &str)]) -> Result<u64, DbFailure> {
        let names: String = given.iter().map(|(name, _)| format!(", {name}")).collect();
        let values: String = given.iter().map(|(_, value)| format!(", {value}")).collect();
        let no = self.kind.boolean(false);
        self.session
            .execute(format!(
                "INSERT INTO images (created_at, updated_at, deleted_at, deleted, id, name, disk_format, \
                 container_format, size, virtual_size, status, checksum, min_disk, min_ram, owner, protected{names}) \
                 VALUES ('2017-02-22 12:00:00', '2017-02-22 12:00:00', NULL, {no}, '{id}', 'cirros', 'qcow2', \
                 'bare', 13287936, NULL, 'active', NULL, 0, 0, 'tenant-00', {no}{values})"
            ))
            .await
    }

    /// Changes an image's `is_public` as Newton does.
    pub(crate) async fn update_old(&mut self, id: &str, is_public: bool) -> Result<u64, DbFailure> {
        self.update(id, &[("is_public", self.kind.boolean(is_public))]).await
    }

    /// Changes an image's `visibility` as Ocata does.
    pub(crate) async fn update_new(&mut self, id: &str, visibility: &str) -> Result<u64, DbFailure> {
        self.update(id, &[("visibility", &format!("'{visibility}'"))]).await
    }

    /// Changes these columns of an image, and `updated_at` as every update does.
    pub(crate) async fn update(&mut self, id: &str, changed: &[(&str, &str)]) -> Result<u64, DbFailure> {
        let assignments: String = changed.iter().map(|(name, value)| format!(", {name} = {value}")).collect();
        self.session
            .execute(format!("UPDATE images SET updated_at = '2017-02-22 13:00:00'{assignments} WHERE id = '{id}'"))
            .await
    }

    /// Shares an image with a tenant.
    pub(crate) async fn add_member(&mut self, id: &str, member: &str, deleted: bool) -> Result<u64, DbFailure> {
        let (no, deleted) = (self.kind.boolean(false), self.kind.boolean(deleted));
        self.session
            .execute(format!(
                "INSERT INTO image_members (image_id, member, can_share, created_at, updated_at, deleted_at, deleted, \
                 status) VALUES ('{id}', '{member}', {no}, '2017-02-22 12:00:00', '2017-02-22 12:00:00', NULL, \
                 {deleted}, 'pending')"
            ))
            .await
    }

    /// Marks a member deleted, or not.
    pub(crate) async fn mark_member(&mut self, id: &str, member: &str, deleted: bool) -> Result<u64, DbFailure> {
        let deleted = self.kind.boolean(deleted);
        self.session
            .execute(format!(
                "UPDATE image_members SET updated_at = '2017-02-22 13:00:00', deleted = {deleted} \
                 WHERE image_id = '{id}' AND member = '{member}'"
            ))
            .await
    }

    /// Gives an image's two columns; `None` when there is no such image.
    pub(crate) async fn access(&mut self, id: &str) -> Option<Access> {
        let rows = self.session.rows(format!("SELECT is_public, visibility FROM images WHERE id = '{id}'")).await;
        let mut row = rows.into_iter().next()?.into_iter();
        let is_public = row.next()?.map(|text| match text.as_str() {
            "t" | "1" => true,
            "f" | "0" => false,
            other => panic!("`is_public` of `{id}` is {other}"),
        });
        Some(Access { is_public, visibility: row.next()? })
    }

    /// Fails unless an image has these two values.
    #[track_caller]
    pub(crate) fn expect_access<'a>(
        &'a mut self,
        id: &'a str,
        is_public: impl Into<Option<bool>>,
        visibility: Option<&str>,
    ) -> impl Future<Output = ()> {
        // An async function would report its own line, not the test's.
        let caller = std::panic::Location::caller();
        let expected = Access::new(is_public.into(), visibility);
        async move {
            match self.access(id).await {
                Some(found) if found == expected => {}
                Some(found) => {
                    panic!("`{id}` is {found}, and should be {expected} (asked at {caller})")
                }
                None => panic!("there is no image `{id}` (asked at {caller})"),
            }
        }
    }
}
