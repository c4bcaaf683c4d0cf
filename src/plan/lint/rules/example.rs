//! The fragments that the examples of several rules share: Glance's change of Ocata, as it should be.

use crate::plan::lint::Example;

/// A file, with its path.
type File = (&'static str, &'static str);

/// The table as it was.
pub(super) const BASELINE: File = (
    "migrations/V1__images.sql",
    r"CREATE TABLE images (
  id INTEGER PRIMARY KEY,
  name VARCHAR(200) NOT NULL,
  is_public BOOLEAN NOT NULL,
  owner VARCHAR(36)
);
",
);

/// The new column and the sync.
pub(super) const EXPAND: File = (
    "expand/ocata/01_visibility.yaml",
    r#"steps:
  - add_column:
      table: images
      column: { name: visibility, type: string(10) }
    allow: { select-star: every query names its columns, prepared-statements: every query names its columns }
  - drop_not_null: { table: images, column: is_public }
  - sync:
      name: images_visibility
      table: images
      forward: { visibility: "CASE WHEN is_public THEN 'public' ELSE 'private' END" }
      backward: { is_public: visibility = 'public' }
"#,
);

/// The backfill.
pub(super) const DATA: File = (
    "data/ocata/01_visibility.yaml",
    r#"backfill:
  table: images
  set: { visibility: "CASE WHEN is_public THEN 'public' ELSE 'private' END" }
  where: visibility IS NULL
"#,
);

/// The old column goes.
pub(super) const CONTRACT: File = (
    "contract/ocata/01_visibility.yaml",
    r"steps:
  - set_not_null: { table: images, column: visibility }
  - drop_column: { table: images, column: is_public }
",
);

/// All of it.
pub(super) const WHOLE: Example = &[BASELINE, EXPAND, DATA, CONTRACT];
