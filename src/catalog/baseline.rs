//! `migrations/`: plain versioned SQL from before the first release with phases, under refinery's names.

use std::collections::BTreeMap;

use super::Loader;
use super::diagnostic::Diagnostic;
use crate::dialect::Kind;

/// One file of the baseline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineFile {
    /// Its path, relative to the project.
    pub path: String,
    /// Its name without the ending, such as `V1__liberty`.
    pub label: String,
    /// Its version.
    pub version: i64,
    /// The words after the version.
    pub name: String,
    /// Its text.
    pub sql: String,
}

impl Loader {
    pub(super) fn baseline(&mut self) -> BTreeMap<Option<Kind>, Vec<BaselineFile>> {
        const FOLDER: &str = "migrations";
        let mut folders = vec![(None, FOLDER.to_owned())];
        let mut shared = Vec::new();
        for (name, is_folder) in self.entries(FOLDER) {
            match (is_folder, Kind::from_key(&name)) {
                (true, Some(kind)) => folders.push((Some(kind), format!("{FOLDER}/{name}"))),
                (true, None) => self.errors.push(
                    Diagnostic::of_path(format!("{FOLDER}/{name}"), "unknown folder")
                        .help("expected files, or the folders postgres, mysql and sqlite"),
                ),
                (false, _) => shared.push(name),
            }
        }
        let mut baseline = BTreeMap::new();
        for (kind, folder) in folders {
            let names: Vec<String> = match kind {
                None => shared.clone(),
                Some(_) => self.entries(&folder).into_iter().map(|(name, _)| name).collect(),
            };
            let mut files: Vec<BaselineFile> = Vec::new();
            for name in names {
                let path = format!("{folder}/{name}");
                let Some((label, version, words)) = parse_name(&name) else {
                    self.errors.push(
                        Diagnostic::of_path(path, "the file's name is not one that refinery reads")
                            .help("expected V<number>__<words>.sql, such as V1__initial.sql"),
                    );
                    continue;
                };
                if let Some(other) = files.iter().find(|file| file.version == version) {
                    let message = format!("version {version} is there twice: {} has it too", other.path);
                    self.errors.push(Diagnostic::of_path(path, message));
                    continue;
                }
                // Read byte for byte: refinery's checksum is over the very bytes.
                let text = self.bytes(&path).and_then(|bytes| {
                    String::from_utf8(bytes)
                        .map_err(|error| Diagnostic::of_path(&path, format!("it is no text: {error}")))
                });
                match text {
                    Ok(sql) if sql.contains('\0') => self.errors.push(Diagnostic::of_path(path, super::disk::NUL)),
                    Ok(sql) => files.push(BaselineFile { path, label, version, name: words, sql }),
                    Err(error) => self.errors.push(error),
                }
            }
            files.sort_by_key(|file| file.version);
            if !files.is_empty() {
                baseline.insert(kind, files);
            }
        }
        baseline
    }
}

fn parse_name(file: &str) -> Option<(String, i64, String)> {
    let label = file.strip_suffix(".sql")?;
    let (version, words) = label.strip_prefix('V')?.split_once("__")?;
    let plain = !words.is_empty() && words.chars().all(|character| character.is_alphanumeric() || character == '_');
    plain.then_some(())?;
    Some((label.to_owned(), version.parse().ok().filter(|version| *version >= 0)?, words.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::parse_name;

    #[test]
    fn names_are_refinerys() {
        assert_eq!(parse_name("V20260101120000__a_b.sql").unwrap().1, 20_260_101_120_000);
        for bad in ["V1.1__a.sql", "V1_a.sql", "1__a.sql", "V1__.sql", "V1__a-b.sql", "V1__a.txt"] {
            assert!(parse_name(bad).is_none(), "{bad}");
        }
    }
}
