//! Change files: `expand/<release>/<NN>_<slug>`, and the like in `data/` and `contract/`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_yaml::Value;
use sha2::{Digest, Sha256};

use super::allow::{self, Allow};
use super::diagnostic::{Diagnostic, Origin, Source};
use super::document::{Document, Part, StepReader};
use super::{Backfill, Loader, Release, StepLocks, manifest};
use crate::dialect::{Kind, Sql, expression};
use crate::step::{DropNotNull, Phase, SqlStep, Step, SyncStep, safe_form};

/// A schema step of a file.
#[derive(Debug, Clone)]
pub struct FileStep {
    /// `<release>/<phase>/<NN>_<slug>/<position>`.
    pub id: String,
    /// What it does.
    pub step: Step,
    /// Where it is.
    pub origin: Origin,
    /// The tables that its text names.
    pub tables: Vec<String>,
    /// How it asks for its locks.
    pub locks: StepLocks,
    /// The files of plain SQL, by database; empty for a step of a YAML file.
    pub sources: Vec<(Kind, Arc<Source>)>,
    /// The rules of lint that it silences.
    pub allows: Vec<Allow>,
    /// Its text without comments and layout, which is what its checksum is over.
    body: Sql,
}

pub(super) fn checksum(body: &Sql, kind: Kind) -> String {
    let digest = Sha256::digest(body.on(kind).unwrap_or_default().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl FileStep {
    /// The text that is recorded when the step is applied, to show a difference by.
    pub fn body(&self, kind: Kind) -> &str {
        self.body.on(kind).unwrap_or_default()
    }
    /// The checksum over [`FileStep::body`].
    pub fn checksum(&self, kind: Kind) -> String {
        checksum(&self.body, kind)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepsFile {
    #[serde(default)]
    #[expect(dead_code, reason = "for people; read so that a wrong type is an error")]
    description: Option<String>,
    steps: Vec<Value>,
}

/// The files of one number: a YAML file, or SQL for every database, or SQL for some.
#[derive(Default)]
struct Change {
    slug: String,
    files: Vec<(Ending, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Yaml,
    Sql(Option<Kind>),
}

/// Our tables keep ids in 190 characters, a step's position and the engine's own words with them.
const LONGEST: usize = 100;

fn parse_name(file: &str) -> Option<(u32, String, Ending)> {
    let (stem, ending) = match file.rsplit_once('.')? {
        (stem, "yaml" | "yml") => (stem, Ending::Yaml),
        (stem, "sql") => match stem.rsplit_once('.') {
            Some((stem, key)) => (stem, Ending::Sql(Some(Kind::from_key(key)?))),
            None => (stem, Ending::Sql(None)),
        },
        _ => return None,
    };
    let (number, slug) = stem.split_once('_')?;
    (number.len() >= 2 && manifest::is_name(slug)).then_some(())?;
    Some((number.parse().ok()?, slug.to_owned(), ending))
}

impl Loader {
    pub(super) fn release(&mut self, name: &str) -> Release {
        let mut release = Release { name: name.to_owned(), ..Release::default() };
        for phase in Phase::ALL {
            let folder = format!("{}/{name}", phase.folder());
            for (number, change) in self.changes(&folder) {
                release.has_files = true;
                let id = format!("{name}/{phase}/{number:02}_{}", change.slug);
                match phase {
                    Phase::Migrate => release.backfills.extend(self.data_file(&id, &change)),
                    Phase::Expand => release.expand.extend(self.steps_file(&id, phase, &change)),
                    Phase::Contract => release.contract.extend(self.steps_file(&id, phase, &change)),
                }
            }
        }
        require_what_was_not_null(&mut release);
        release
    }

    fn changes(&mut self, folder: &str) -> BTreeMap<u32, Change> {
        let mut changes: BTreeMap<u32, Change> = BTreeMap::new();
        for (file, is_folder) in self.entries(folder) {
            let path = format!("{folder}/{file}");
            let Some((number, slug, ending)) = parse_name(&file).filter(|_| !is_folder) else {
                self.errors.push(Diagnostic::of_path(path, "the name is not one of a change file").help(
                    "expected <NN>_<slug>.yaml, .sql, .postgres.sql, .mysql.sql or .sqlite.sql, such as 01_visibility.yaml",
                ));
                continue;
            };
            if path.len() > LONGEST {
                self.errors.push(Diagnostic::of_path(path, format!("the path is longer than {LONGEST} bytes")));
                continue;
            }
            let change = changes.entry(number).or_default();
            if let Some((_, other)) = change.files.first() {
                let parts_of_one = change.slug == slug
                    && !change
                        .files
                        .iter()
                        .any(|(taken, _)| *taken == ending || matches!(taken, Ending::Yaml) || ending == Ending::Yaml);
                if !parts_of_one {
                    let message = format!("the number {number:02} is there twice: {other} has it too");
                    self.errors.push(Diagnostic::of_path(path, message).help("give one of them the next free number"));
                    continue;
                }
            }
            change.slug = slug;
            change.files.push((ending, path));
        }
        changes
    }

    fn document(&mut self, change: &Change) -> Option<Document> {
        let source = self.read(&change.files.first()?.1)?;
        match Document::parse(&source) {
            Ok(document) => Some(document),
            Err(error) => {
                self.errors.push(error);
                None
            }
        }
    }

    fn steps_file(&mut self, id: &str, phase: Phase, change: &Change) -> Vec<FileStep> {
        if change.files.first().is_some_and(|(ending, _)| *ending != Ending::Yaml) {
            return self.sql_file(id, change).into_iter().collect();
        }
        let Some(document) = self.document(change) else { return Vec::new() };
        let key = [Part::Key("backfill".to_owned())];
        if document.value.get("backfill").is_some() {
            self.errors.push(
                document
                    .key_origin(&key)
                    .diagnostic(format!("a backfill belongs to the migrate phase, not to {phase}"))
                    .help(format!("move it to {}", in_folder(&document, phase, Phase::Migrate))),
            );
            return Vec::new();
        }
        let file: StepsFile = match document.read(&document.value, &[]) {
            Ok(file) => file,
            Err(errors) => {
                self.errors.extend(errors);
                return Vec::new();
            }
        };
        let mut steps = Vec::new();
        for (index, mut value) in file.steps.into_iter().enumerate() {
            let place = [Part::Key("steps".to_owned()), Part::Index(index)];
            let allows = self.take_allows(&document, &mut value, &place);
            if let Some((step, locks, inner)) = self.step(&document, index, &value, phase) {
                let origin = document.origin(&place);
                self.check_expressions(&step, &origin);
                steps.push(FileStep {
                    id: format!("{id}/{}", index + 1),
                    step,
                    origin,
                    tables: named_tables(&inner),
                    locks,
                    sources: Vec::new(),
                    allows,
                    body: Sql::Same(canonical(&inner)),
                });
            }
        }
        steps
    }

    /// Reads a step, what stands beside its kind, and the kind's part alone, which is what it does.
    fn step(
        &mut self,
        document: &Document,
        index: usize,
        value: &Value,
        phase: Phase,
    ) -> Option<(Step, StepLocks, Value)> {
        let place = vec![Part::Key("steps".to_owned()), Part::Index(index)];
        let mut locks = StepLocks::default();
        let mut kind = value.clone();
        if let Value::Mapping(map) = &mut kind
            && let Some(beside) = map.remove("locks")
        {
            let path: Vec<_> = place.iter().cloned().chain([Part::Key("locks".to_owned())]).collect();
            match document.read(&beside, &path) {
                Ok(read) => locks = read,
                Err(errors) => self.errors.extend(errors),
            }
        }
        let single = match &kind {
            Value::Mapping(map) if map.len() == 1 => map.iter().next(),
            _ => None,
        };
        let Some((Value::String(word), inner)) = single else {
            self.errors.push(
                document
                    .origin(&place)
                    .diagnostic("expected a step: one key that names its kind, such as `add_column`"),
            );
            return None;
        };
        let mut inside = place.clone();
        inside.push(Part::Key(word.clone()));
        let key = document.key_origin(&inside);
        let Some((_, phases)) = Step::KINDS.iter().find(|(kind, _)| kind == word) else {
            let known: Vec<_> = Step::KINDS
                .iter()
                .filter(|(_, phases)| phases.contains(&phase))
                .map(|(kind, _)| format!("`{kind}`"))
                .collect();
            let near = expression::nearest(word, Step::KINDS.iter().map(|(kind, _)| *kind));
            let error = match (safe_form(word), near) {
                (Some(advice), _) => {
                    key.diagnostic(format!("`{word}` is not safe while two releases run")).help(advice)
                }
                (None, Some(near)) => key
                    .diagnostic(format!("unknown step `{word}`; did you mean `{near}`?"))
                    .help(format!("the steps of {phase} are {}", known.join(", "))),
                (None, None) => key
                    .diagnostic(format!("unknown step `{word}`"))
                    .help(format!("the steps of {phase} are {}", known.join(", "))),
            };
            self.errors.push(error);
            return None;
        };
        if !phases.contains(&phase) {
            let right = phases.iter().map(|phase| phase.word()).collect::<Vec<_>>().join(" or ");
            let there = in_folder(document, phase, phases[0]);
            self.errors.push(
                key.diagnostic(format!("`{word}` is a step of {right}, not of {phase}"))
                    .help(format!("move it to {there}")),
            );
            return None;
        }
        let reader = StepReader { document, value: inner, path: &inside };
        match Step::read(word, reader)? {
            Ok(step) => Some((step, locks, kind)),
            Err(errors) => {
                self.errors.extend(errors);
                None
            }
        }
    }

    fn sql_file(&mut self, id: &str, change: &Change) -> Option<FileStep> {
        let mut runs = Vec::new();
        let mut undos = Vec::new();
        let mut bodies = Vec::new();
        let mut sources = Vec::new();
        let mut allows = Vec::new();
        let mut first: Option<Arc<Source>> = None;
        for (ending, path) in &change.files {
            let source = self.read(path)?;
            let (run, undo) = split_undo(&source.text);
            let kinds = match ending {
                Ending::Sql(Some(kind)) => vec![*kind],
                // A text for every database stands for those without one of their own.
                _ => Kind::ALL
                    .into_iter()
                    .filter(|kind| !change.files.iter().any(|(other, _)| *other == Ending::Sql(Some(*kind))))
                    .collect(),
            };
            allows.extend(self.sql_allows(&source, &kinds));
            for kind in kinds {
                sources.push((kind, Arc::clone(&source)));
                runs.push((kind, run.to_owned()));
                bodies.push((kind, allow::without_marks(&source.text)));
                undos.extend(undo.map(|undo| (kind, undo.to_owned())));
            }
            first.get_or_insert(source);
        }
        let undo = (!undos.is_empty()).then_some(Sql::Each(undos));
        Some(FileStep {
            id: format!("{id}/1"),
            step: Step::Sql(SqlStep { run: Sql::Each(runs), undo }),
            origin: Origin::file(&first?),
            tables: Vec::new(),
            locks: StepLocks::default(),
            sources,
            allows,
            body: Sql::Each(bodies),
        })
    }

    fn data_file(&mut self, id: &str, change: &Change) -> Option<Backfill> {
        if let Some((Ending::Sql(_), path)) = change.files.first() {
            self.errors.push(
                Diagnostic::of_path(
                    path,
                    "the data phase takes YAML: a backfill runs in batches, and plain SQL cannot",
                )
                .help("write a `backfill:`; its expressions may be given per database"),
            );
            return None;
        }
        let document = self.document(change)?;
        if document.value.get("steps").is_some() {
            self.errors.push(
                document
                    .key_origin(&[Part::Key("steps".to_owned())])
                    .diagnostic("schema steps belong to expand or to contract, not to the migrate phase")
                    .help(format!(
                        "move what adds or loosens to {}, what removes or tightens to {}",
                        in_folder(&document, Phase::Migrate, Phase::Expand),
                        in_folder(&document, Phase::Migrate, Phase::Contract)
                    )),
            );
            return None;
        }
        self.backfill(id, document)
    }

    fn check_expressions(&mut self, step: &Step, origin: &Origin) {
        let Step::Sync(sync) = step else { return };
        let related = sync.related.iter().map(|related| &related.when);
        for sql in sync.forward.values().chain(sync.backward.values()).chain(related) {
            self.check_expression(sql, origin);
        }
        let expressions = || sync.forward.values().chain(sync.backward.values());
        for sql in expressions().chain(sync.related.iter().map(|related| &related.when)) {
            self.check_tables_read(sql, sync, origin);
        }
        if let Some(to) = &sync.to {
            // One statement writes one table, so nothing is there to settle.
            let unknown = [(sync.conflict.is_some(), "conflict"), (!sync.related.is_empty(), "related")];
            for (_, word) in unknown.into_iter().filter(|(given, _)| *given) {
                let message =
                    format!("a sync with `to` has no `{word}`: one write gives one side, and the last one stands");
                self.errors.push(origin.narrowed(word).diagnostic(message));
            }
            if to.key.is_empty() {
                self.errors.push(origin.narrowed("to").diagnostic("`key` names no column"));
            }
            if to.table == sync.table {
                let message = "`to` names the sync's own table; leave it out where both columns are in one row";
                self.errors.push(origin.narrowed("to").diagnostic(message));
            }
        }
        if sync.forward.is_empty() || sync.backward.is_empty() {
            self.errors.push(
                origin
                    .narrowed("sync")
                    .diagnostic("a sync needs at least one column in `forward` and one in `backward`"),
            );
        }
        if !manifest::is_name(&sync.name) {
            let message = format!("`{}` is no name for a sync; expected letters, digits, `.`, `_` and `-`", sync.name);
            self.errors.push(origin.narrowed("name").diagnostic(message));
        }
    }

    /// A subquery may read related tables alone: what is written elsewhere would not be seen.
    fn check_tables_read(&mut self, sql: &Sql, sync: &SyncStep, origin: &Origin) {
        let declared = |name: &str| {
            sync.related.iter().any(|related| {
                let bare = related.table.rsplit('.').next().unwrap_or_default();
                [related.table.as_str(), bare].iter().any(|known| known.eq_ignore_ascii_case(name))
            })
        };
        let read = Kind::ALL.into_iter().filter_map(|kind| Some(expression::tables_read(sql.on(kind)?, kind.flavor())));
        if let Some(table) = read.flatten().find(|table| !declared(table)) {
            let message = format!("the expression reads the table `{table}`, and a write there would not be seen");
            self.errors.push(
                origin
                    .narrowed(&table)
                    .diagnostic(message)
                    .help("a table that `related` names may be read, and no other"),
            );
        }
    }

    /// Says what is wrong with an expression on every database that it has a text for; what is wrong on one alone is said
    /// when it is planned for that one.
    pub(super) fn check_expression(&mut self, sql: &Sql, origin: &Origin) {
        let mut first = None;
        for kind in Kind::ALL {
            let Some(text) = sql.on(kind) else { continue };
            match (expression::check_text(text, kind.flavor()), sql) {
                (Ok(()), Sql::Same(_)) => return,
                (Ok(()), Sql::Each(_)) => {}
                (Err(error), _) => first = first.or(Some(error)),
            }
        }
        if let Some(error) = first {
            let place = error.word.as_deref().map_or_else(|| origin.clone(), |word| origin.narrowed(word));
            self.errors.push(place.diagnostic(error.message));
        }
    }
}

/// Old columns whose NOT NULL this release's expand drops stay required for whoever writes them.
fn require_what_was_not_null(release: &mut Release) {
    let dropped: Vec<DropNotNull> = release
        .expand
        .iter()
        .filter_map(|step| match &step.step {
            Step::DropNotNull(step) => Some(step.clone()),
            _ => None,
        })
        .collect();
    for step in &mut release.expand {
        if let Step::Sync(sync) = &mut step.step {
            sync.required = dropped
                .iter()
                .filter(|step| step.table == sync.table && sync.backward.contains_key(&step.column))
                .map(|step| step.column.clone())
                .collect();
        }
    }
}

/// The path that a file would have in another phase.
fn in_folder(document: &Document, phase: Phase, other: Phase) -> String {
    document.source.path.replacen(phase.folder(), other.folder(), 1)
}

/// The tables that a step names: what is changed, and what it refers to.
fn named_tables(step: &Value) -> Vec<String> {
    let mut tables = Vec::new();
    let mut rest = vec![step];
    while let Some(value) = rest.pop() {
        match value {
            Value::Mapping(map) => {
                for (key, value) in map {
                    match (key.as_str(), value) {
                        (Some("table"), Value::String(table)) => tables.push(table.clone()),
                        (Some("create_table"), table) => {
                            tables.extend(table.get("name").and_then(Value::as_str).map(str::to_owned));
                            rest.push(table);
                        }
                        (_, value) => rest.push(value),
                    }
                }
            }
            Value::Sequence(values) => rest.extend(values),
            _ => {}
        }
    }
    tables
}

/// A value's text with comments and layout gone, so that neither changes a checksum.
pub(super) fn canonical(value: &Value) -> String {
    serde_yaml::to_string(value).unwrap_or_default()
}

fn split_undo(text: &str) -> (&str, Option<&str>) {
    const MARK: &str = "-- concertina: undo";
    match text.lines().find(|line| line.trim() == MARK) {
        Some(line) => {
            let at = line.as_ptr() as usize - text.as_ptr() as usize;
            (&text[..at], Some(&text[at + line.len()..]))
        }
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_number_a_slug_and_an_ending() {
        let (number, slug, ending) = parse_name("01_add.postgres.sql").unwrap();
        assert_eq!((number, slug.as_str()), (1, "add"));
        assert!(ending == Ending::Sql(Some(Kind::Postgres)));
        for bad in ["1_a.yaml", "01.yaml", "01_.yaml", "01_a.oracle.sql", "01_a.txt", "x_a.yaml"] {
            assert!(parse_name(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_undo_part_is_cut_off() {
        assert_eq!(split_undo("a;\n-- concertina: undo\nb;"), ("a;\n", Some("\nb;")));
        assert_eq!(split_undo("a;"), ("a;", None));
    }
}
