//! Workloads, `tests/workloads/<release>.yaml`: what nodes of a release do in a rehearsal.
//!
//! They are no part of [`Project`]: a deployment must not fail for what only a rehearsal reads.

mod generator;
mod template;

use std::collections::HashSet;
use std::fmt;
use std::path::Path;

use indexmap::IndexMap;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

pub use generator::{Choice, Generator, Letters, Numbers, RowPick, Scalar};
use template::is_parameter_name;
pub use template::{NOW, Parameter, Piece, Template};

use super::diagnostic::{Diagnostic, Diagnostics, Origin};
use super::document::{Document, Part};
use super::{Loader, Project};
use crate::dialect::{Kind, Sql, expression};

/// Where workloads are.
pub const WORKLOADS: &str = "tests/workloads";

/// The workloads of a project, by release.
#[derive(Debug, Default)]
pub struct Workloads(IndexMap<String, Workload>);

/// What nodes of a release do.
#[derive(Debug)]
pub struct Workload {
    /// The release whose file it is.
    pub release: String,
    /// What every session begins with.
    pub session: Vec<Sql>,
    /// What is there before the upgrade.
    pub seed: Vec<Operation>,
    /// What nodes do.
    pub operations: Vec<Operation>,
    /// What holds at every moment.
    pub invariants: Vec<Invariant>,
    /// A program that does the operations.
    pub command: Option<Vec<String>>,
}

/// Something that a node does.
#[derive(Debug, Clone)]
pub struct Operation {
    /// Its name.
    pub name: String,
    /// How often it is done: its weight among the others; of a seed, how many times.
    pub times: u32,
    /// Its parameters.
    pub with: IndexMap<String, Generator>,
    /// Its statements: one by itself, several in a transaction.
    pub statements: Vec<Statement>,
    /// Where it is.
    pub origin: Origin,
}

/// A statement of an operation.
#[derive(Debug, Clone)]
pub struct Statement {
    /// Its text, with parameters.
    pub sql: Sql,
    /// What the answer must be.
    pub expect: Expect,
}

/// What an answer must be.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// How many rows a query finds, or a statement writes.
    pub rows: Option<Count>,
    /// What each row has in these columns.
    pub columns: IndexMap<String, Choice>,
}

/// Between how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// The least.
    pub min: u64,
    /// The most.
    pub max: u64,
}

impl Count {
    /// Whether a number is one of those.
    pub fn holds(self, number: u64) -> bool {
        (self.min..=self.max).contains(&number)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { min, max } if min == max => write!(f, "{min}"),
            Self { min, max: u64::MAX } => write!(f, "{min} or more"),
            Self { min, max } => write!(f, "{min} to {max}"),
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Between {
            #[serde(default)]
            min: u64,
            max: Option<u64>,
        }
        struct CountVisitor;
        impl<'de> Visitor<'de> for CountVisitor {
            type Value = Count;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of rows, or { min: 1, max: 20 }")
            }
            fn visit_u64<E: Error>(self, number: u64) -> Result<Count, E> {
                Ok(Count { min: number, max: number })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Count, A::Error> {
                let between = Between::deserialize(serde::de::value::MapAccessDeserializer::new(map))?;
                let max = between.max.unwrap_or(u64::MAX);
                if max < between.min {
                    return Err(A::Error::custom(format!("`max` is less than `min`, {}", between.min)));
                }
                Ok(Count { min: between.min, max })
            }
        }
        deserializer.deserialize_any(CountVisitor)
    }
}

/// What holds at every moment.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invariant {
    /// Its name.
    pub name: String,
    /// A query that finds what breaks it.
    pub sql: Sql,
    /// When; left out, as long as nodes of its release may run.
    pub during: Option<Vec<Stage>>,
}

/// A stage of a rehearsal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The old nodes alone, before anything begins.
    Quiet,
    /// The old nodes, while expand runs and after it.
    Expand,
    /// The old nodes, while migrate runs and after it.
    Migrate,
    /// Nodes of both releases.
    Mixed,
    /// The new nodes alone, while contract runs.
    Contract,
    /// The new nodes alone, when all is done.
    After,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Self; 6] = [Self::Quiet, Self::Expand, Self::Migrate, Self::Mixed, Self::Contract, Self::After];
    /// Those in which old nodes may run.
    pub const OLD: [Self; 4] = [Self::Quiet, Self::Expand, Self::Migrate, Self::Mixed];
    /// Those in which new nodes may run.
    pub const NEW: [Self; 3] = [Self::Mixed, Self::Contract, Self::After];

    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Expand => "expand",
            Self::Migrate => "migrate",
            Self::Mixed => "mixed",
            Self::Contract => "contract",
            Self::After => "after",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkloadText {
    #[serde(default)]
    #[expect(dead_code, reason = "for people; read so that a wrong type is an error")]
    description: Option<String>,
    #[serde(default)]
    session: Vec<Sql>,
    #[serde(default)]
    seed: Vec<SeedText>,
    #[serde(default)]
    operations: Vec<OperationText>,
    #[serde(default)]
    invariants: Vec<Invariant>,
    command: Option<CommandText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperationText {
    name: String,
    weight: Option<u32>,
    #[serde(default)]
    with: IndexMap<String, Generator>,
    r#do: Vec<StatementText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedText {
    name: String,
    rows: u32,
    #[serde(default)]
    with: IndexMap<String, Generator>,
    r#do: Vec<StatementText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommandText {
    run: Vec<String>,
}

struct StatementText(Statement);

impl<'de> Deserialize<'de> for StatementText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StatementVisitor;
        impl<'de> Visitor<'de> for StatementVisitor {
            type Value = StatementText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("SQL text, or { sql: …, expect: … }")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<StatementText, E> {
                Ok(StatementText(Statement { sql: Sql::Same(text.to_owned()), expect: Expect::default() }))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<StatementText, A::Error> {
                // One text for each database is a mapping too.
                let mut map = map;
                let mut each = Vec::new();
                let (mut sql, mut expect) = (None, None);
                while let Some(key) = map.next_key::<String>()? {
                    match (key.as_str(), Kind::from_key(&key)) {
                        ("sql", _) => sql = Some(map.next_value()?),
                        ("expect", _) => expect = Some(map.next_value()?),
                        (_, Some(kind)) => each.push((kind, map.next_value()?)),
                        _ => {
                            return Err(A::Error::unknown_field(
                                &key,
                                &["sql", "expect", "postgres", "mysql", "sqlite"],
                            ));
                        }
                    }
                }
                let sql = match (sql, each.is_empty()) {
                    (Some(sql), true) => sql,
                    (None, false) => Sql::Each(each),
                    (None, true) => return Err(A::Error::missing_field("sql")),
                    (Some(_), false) => {
                        return Err(A::Error::custom(
                            "expected `sql`, or a text for each database, and both are there",
                        ));
                    }
                };
                Ok(StatementText(Statement { sql, expect: expect.unwrap_or_default() }))
            }
        }
        deserializer.deserialize_any(StatementVisitor)
    }
}

impl Workloads {
    /// Reads the workloads of a project.
    pub fn load(project: &Project) -> Result<Self, Diagnostics> {
        let mut loader = Loader { root: project.root.clone(), real: None, errors: Vec::new() };
        let mut workloads = IndexMap::new();
        let mut names: Vec<(usize, String, String)> = Vec::new();
        for (file, is_folder) in loader.entries(WORKLOADS) {
            let path = format!("{WORKLOADS}/{file}");
            let stem = Path::new(&file)
                .extension()
                .filter(|ending| *ending == "yaml")
                .map(|_| file.strip_suffix(".yaml").unwrap_or(&file).to_owned());
            let Some(release) = stem.filter(|_| !is_folder) else {
                let diagnostic = Diagnostic::of_path(path, "the name is not one of a workload");
                loader.errors.push(diagnostic.help("expected <release>.yaml; programs of workloads live elsewhere"));
                continue;
            };
            match project.release(&release) {
                Some((index, _)) => names.push((index, release, path)),
                None => {
                    let train = project.train();
                    let near = expression::nearest(&release, train.iter().copied());
                    let advice = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                    let message = format!("there is no release `{release}` in the train{advice}");
                    loader.errors.push(Diagnostic::of_path(path, message));
                }
            }
        }
        names.sort();
        for (_, release, path) in names {
            if let Some(workload) = loader.workload(project, &release, &path) {
                workloads.insert(release, workload);
            }
        }
        if loader.errors.is_empty() { Ok(Self(workloads)) } else { Err(Diagnostics(loader.errors)) }
    }

    /// The programs of workloads, each with the release whose file names it.
    pub fn programs(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.0
            .values()
            .filter_map(|workload| Some((workload.release.as_str(), Path::new(workload.command.as_ref()?.first()?))))
    }

    /// What nodes of a release do: by its own file, or by that of the newest release before it that has one.
    pub fn of<'w>(&'w self, project: &Project, release: &str) -> Option<&'w Workload> {
        let (index, _) = project.release(release)?;
        project.releases[..=index].iter().rev().find_map(|release| self.0.get(&release.name))
    }
}

impl Loader {
    fn workload(&mut self, project: &Project, release: &str, path: &str) -> Option<Workload> {
        let source = self.read(path)?;
        let document = Document::parse(&source).map_err(|error| self.errors.push(error)).ok()?;
        let text: WorkloadText =
            document.read(&document.value, &[]).map_err(|errors| self.errors.extend(errors)).ok()?;
        let place = |list: &str, index: usize| document.origin(&[Part::Key(list.to_owned()), Part::Index(index)]);
        let seed: Vec<Operation> = text
            .seed
            .into_iter()
            .enumerate()
            .map(|(index, seed)| Operation {
                name: seed.name,
                times: seed.rows,
                with: seed.with,
                statements: seed.r#do.into_iter().map(|statement| statement.0).collect(),
                origin: place("seed", index),
            })
            .collect();
        let operations: Vec<Operation> = text
            .operations
            .into_iter()
            .enumerate()
            .map(|(index, text)| Operation {
                name: text.name,
                times: text.weight.unwrap_or(1),
                with: text.with,
                statements: text.r#do.into_iter().map(|statement| statement.0).collect(),
                origin: place("operations", index),
            })
            .collect();
        let workload = Workload {
            release: release.to_owned(),
            session: text.session,
            seed,
            operations,
            invariants: text.invariants,
            command: text.command.map(|command| self.program_in_project(command.run)),
        };
        self.check_workload(project, &workload, &document);
        Some(workload)
    }

    fn check_workload(&mut self, project: &Project, workload: &Workload, document: &Document) {
        let whole = Origin::file(&document.source);
        match (&workload.command, workload.operations.is_empty()) {
            (None, true) => {
                self.errors.push(whole.diagnostic("its nodes do nothing: expected `operations` or `command`"));
            }
            (Some(_), false) => {
                let place = document.key_origin(&[Part::Key("command".to_owned())]);
                self.errors.push(place.diagnostic("expected `operations` or `command`, and both are there"));
            }
            _ => {}
        }
        if let Some(command) = &workload.command {
            let place = || document.key_origin(&[Part::Key("command".to_owned())]);
            match command.first() {
                None => self.errors.push(place().diagnostic("`run` names no program")),
                Some(name) if name.contains('/') && !Path::new(name).is_file() => {
                    let own = std::path::absolute(&self.root).unwrap_or_else(|_| self.root.clone());
                    let name = Path::new(name).strip_prefix(own).unwrap_or(Path::new(name)).display();
                    self.errors.push(place().diagnostic(format!("there is no program `{name}` in the project")));
                }
                Some(_) => {}
            }
        }
        let mut seen = HashSet::new();
        for operation in workload.seed.iter().chain(&workload.operations) {
            if !seen.insert(&operation.name) {
                let message = format!("the name `{}` is there twice", operation.name);
                self.errors.push(operation.origin.diagnostic(message));
            }
            self.check_operation(project, operation);
        }
        if !workload.operations.is_empty() && workload.operations.iter().all(|operation| operation.times == 0) {
            let place = document.key_origin(&[Part::Key("operations".to_owned())]);
            self.errors.push(place.diagnostic("the weight of every operation is 0"));
        }
        let mut names = HashSet::new();
        for (index, invariant) in workload.invariants.iter().enumerate() {
            if !names.insert(&invariant.name) {
                let place = document.origin(&[Part::Key("invariants".to_owned()), Part::Index(index)]);
                self.errors.push(place.diagnostic(format!("the name `{}` is there twice", invariant.name)));
            }
        }
    }

    fn check_operation(&mut self, project: &Project, operation: &Operation) {
        let origin = &operation.origin;
        if operation.statements.is_empty() {
            self.errors.push(origin.diagnostic("`do` has no statement"));
        }
        for (name, generator) in &operation.with {
            if !is_parameter_name(name) {
                let message = format!("`{name}` is no parameter's name; expected letters, digits and `_`");
                self.errors.push(origin.narrowed(name).diagnostic(message));
            }
            if name == NOW {
                self.errors.push(origin.narrowed(name).diagnostic("`now` is always there, and is not to be defined"));
            }
            if let Err(message) = generator.check() {
                self.errors.push(origin.narrowed(name).diagnostic(message));
            }
        }
        for statement in &operation.statements {
            for kind in project.kinds() {
                let Some(sql) = statement.sql.on(kind) else { continue };
                let template = match Template::read(sql, kind.flavor()) {
                    Ok(template) => template,
                    Err(message) => {
                        self.errors.push(origin.diagnostic(message));
                        break;
                    }
                };
                let wrong = template.parameters().find_map(|parameter| {
                    check_parameter(parameter, &operation.with).err().map(|message| (message, parameter))
                });
                if let Some((message, parameter)) = wrong {
                    self.errors.push(origin.narrowed(&parameter.name).diagnostic(message));
                    break;
                }
            }
            for choice in statement.expect.columns.values() {
                for parameter in choice.parameters() {
                    if let Err(message) = check_parameter(&parameter, &operation.with) {
                        self.errors.push(origin.narrowed(&parameter.name).diagnostic(message));
                    }
                }
            }
        }
    }

    fn program_in_project(&self, mut run: Vec<String>) -> Vec<String> {
        if let Some(name) = run.first_mut().filter(|name| name.contains('/') && !Path::new(name).is_absolute()) {
            let path = self.root.join(name.as_str());
            *name = std::path::absolute(&path).unwrap_or(path).to_string_lossy().into_owned();
        }
        run
    }
}

fn check_parameter(parameter: &Parameter, with: &IndexMap<String, Generator>) -> Result<(), String> {
    let Parameter { name, column } = parameter;
    if name == NOW && column.is_none() {
        return Ok(());
    }
    match (with.get(name), column) {
        (None, _) => {
            let near = expression::nearest(name, with.keys().map(String::as_str));
            let advice = near.map_or_else(String::new, |near| format!("; did you mean `:{near}`?"));
            Err(format!("`with` has no parameter `{name}`{advice}"))
        }
        (Some(Generator::Row(row)), None) => {
            Err(format!("`:{name}` is a row of `{}`; expected one of its columns, such as `:{name}.id`", row.table))
        }
        (Some(Generator::Row(_)), Some(_)) | (Some(_), None) => Ok(()),
        (Some(_), Some(column)) => Err(format!("`:{name}` is a value and has no column `{column}`")),
    }
}
