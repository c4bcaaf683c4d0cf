//! A YAML file, read strictly: values through serde, positions through a second parse that keeps them.
//!
//! serde stops at its first error. To report all of a file's errors in one run, each step is read by itself, and a key
//! that is unknown is reported, taken out, and the rest read again.

use std::ops::Range;
use std::sync::Arc;

use saphyr::{LoadableYamlNode, MarkedYaml, YamlData};
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use serde_yaml::Value;

use super::bounds;
use super::diagnostic::{Diagnostic, Origin, Source};
use super::disk::NUL;
use crate::step::ReadValue;

/// A parsed file.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) source: Arc<Source>,
    pub(super) value: Value,
    root: Spanned,
}

/// A node of the file, with its place and that of its key.
#[derive(Debug, Clone)]
struct Spanned {
    span: Range<usize>,
    key: Option<Range<usize>>,
    children: Vec<(String, Spanned)>,
}

/// How many unknown keys are told of one part: each takes another look at all of it.
const UNKNOWN_KEYS: usize = 20;

/// A step of a path into a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Key(String),
    Index(usize),
}

impl Document {
    pub(super) fn parse(source: &Arc<Source>) -> Result<Self, Diagnostic> {
        bounds::check(source)?;
        let text = &source.text;
        let at = |index: usize| text.char_indices().nth(index).map_or(text.len(), |(at, _)| at);
        let nodes = MarkedYaml::load_from_str(text).map_err(|error| {
            let start = at(error.marker().index());
            let end = start + text[start..].find(['\n', ':']).unwrap_or(0);
            let place = Origin { source: Arc::clone(source), span: start..end.max(start) };
            let message = match error.info() {
                "duplicated key in mapping" => {
                    format!("the key `{}` is there twice", text[start..end].trim())
                }
                // The parser's own limit, where it looks further ahead than we do.
                "recursion limit exceeded" => "it is nested too deep".to_owned(),
                other => format!("this is no YAML: {other}"),
            };
            place.diagnostic(message)
        })?;
        let [root] = nodes.as_slice() else {
            let message = if nodes.is_empty() { "the file is empty" } else { "expected one YAML document" };
            return Err(Origin::file(source).diagnostic(message));
        };
        // Character to byte positions, once for the file.
        let offsets: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let root = spanned(root, &offsets, None);
        let value = serde_yaml::from_str(text).map_err(|error| {
            let at = error.location().map_or(0, |place| place.index());
            let start = if text.is_char_boundary(at) { at } else { 0 };
            Origin { source: Arc::clone(source), span: start..start }.diagnostic(error.to_string())
        })?;
        let document = Self { source: Arc::clone(source), value, root };
        // Written as an escape, `"\0"`.
        match text_with_nul(&document.value) {
            Some(path) => Err(document.origin(&path).diagnostic(NUL)),
            None => Ok(document),
        }
    }

    fn node(&self, path: &[Part]) -> &Spanned {
        let mut node = &self.root;
        for part in path {
            let found = match part {
                // A list's children are in its order.
                Part::Index(index) => node.children.get(*index),
                Part::Key(name) => node.children.iter().find(|(key, _)| key == name),
            };
            match found {
                Some((_, child)) => node = child,
                None => break,
            }
        }
        node
    }

    /// Where a value is.
    pub(super) fn origin(&self, path: &[Part]) -> Origin {
        Origin { source: Arc::clone(&self.source), span: self.node(path).span.clone() }
    }

    /// Where the key of a value is.
    pub(super) fn key_origin(&self, path: &[Part]) -> Origin {
        let node = self.node(path);
        let span = node.key.clone().unwrap_or_else(|| node.span.clone());
        Origin { source: Arc::clone(&self.source), span }
    }

    /// Reads a part of the document as a type, with every unknown key reported.
    pub(super) fn read<T: DeserializeOwned>(&self, value: &Value, path: &[Part]) -> Result<T, Vec<Diagnostic>> {
        let mut value = value.clone();
        let mut errors = Vec::new();
        loop {
            let error = match serde_path_to_error::deserialize::<_, T>(value.clone()) {
                Ok(read) if errors.is_empty() => return Ok(read),
                Ok(_) => return Err(errors),
                Err(error) => error,
            };
            let mut place = path.to_vec();
            for segment in error.path() {
                match segment {
                    Segment::Seq { index } => place.push(Part::Index(*index)),
                    Segment::Map { key } => place.push(Part::Key(key.clone())),
                    Segment::Enum { .. } | Segment::Unknown => {}
                }
            }
            let message = error.inner().to_string();
            let shown = in_our_words(&message);
            let unknown = message
                .strip_prefix("unknown field `")
                .and_then(|rest| rest.split_once('`'))
                .map(|(name, _)| name.to_owned());
            let Some(name) = unknown else {
                let origin =
                    if message.starts_with("missing field") { self.key_origin(&place) } else { self.origin(&place) };
                errors.push(origin.diagnostic(shown));
                return Err(errors);
            };
            // Some deserializers put the unknown key into the path, some do not.
            if place.last() != Some(&Part::Key(name.clone())) || place.len() == path.len() {
                place.push(Part::Key(name.clone()));
            }
            errors.push(self.key_origin(&place).diagnostic(shown));
            if errors.len() >= UNKNOWN_KEYS || !remove(&mut value, &place[path.len()..]) {
                return Err(errors);
            }
        }
    }
}

/// serde speaks of fields and Rust's types; whoever wrote the file knows of keys and YAML's.
fn in_our_words(message: &str) -> String {
    let mut words = message.to_owned();
    for (theirs, ours) in [
        ("unknown field", "unknown key"),
        ("missing field", "missing key"),
        ("duplicate field", "duplicate key"),
        ("invalid type: sequence", "invalid type: a list"),
        ("invalid type: map", "invalid type: a mapping"),
        ("invalid type: unit value", "invalid type: nothing"),
        ("expected a sequence", "expected a list"),
        ("expected a map", "expected a mapping"),
        ("expected u32", "expected a whole number"),
        ("expected i64", "expected a whole number"),
        ("expected f64", "expected a number"),
        ("expected a boolean", "expected true or false"),
        ("expected a string", "expected a text"),
    ] {
        words = words.replacen(theirs, ours, 1);
    }
    match words.split_once("expected struct ") {
        Some((before, _)) => format!("{before}expected a mapping"),
        None => words,
    }
}

/// Where a text with a NUL character is.
fn text_with_nul(value: &Value) -> Option<Vec<Part>> {
    let inside = |part: Part, value: &Value| {
        let mut path = text_with_nul(value)?;
        path.insert(0, part);
        Some(path)
    };
    match value {
        Value::String(text) => text.contains('\0').then(Vec::new),
        Value::Sequence(items) => items.iter().enumerate().find_map(|(index, item)| inside(Part::Index(index), item)),
        Value::Mapping(map) => map.iter().find_map(|(key, value)| {
            let name = key.as_str().unwrap_or_default();
            if name.contains('\0') { Some(Vec::new()) } else { inside(Part::Key(name.to_owned()), value) }
        }),
        _ => None,
    }
}

fn remove(value: &mut Value, path: &[Part]) -> bool {
    let Some((last, parents)) = path.split_last() else { return false };
    let mut node = value;
    for part in parents {
        let next = match part {
            Part::Key(key) => node.get_mut(key.as_str()),
            Part::Index(index) => node.get_mut(*index),
        };
        match next {
            Some(next) => node = next,
            None => return false,
        }
    }
    match (node, last) {
        (Value::Mapping(map), Part::Key(key)) => map.remove(key.as_str()).is_some(),
        _ => false,
    }
}

fn spanned(node: &MarkedYaml<'_>, offsets: &[usize], key: Option<Range<usize>>) -> Spanned {
    let place = |node: &MarkedYaml<'_>| -> Range<usize> {
        let at = |index: usize| offsets.get(index).or(offsets.last()).copied().unwrap_or(0);
        at(node.span.start.index())..at(node.span.end.index())
    };
    let children = match &node.data {
        YamlData::Mapping(map) => map
            .iter()
            .map(|(key, value)| {
                let name = match &key.data {
                    YamlData::Value(scalar) => match scalar.as_str() {
                        Some(text) => text.to_owned(),
                        None => format!("{scalar:?}"),
                    },
                    _ => String::new(),
                };
                (name, spanned(value, offsets, Some(place(key))))
            })
            .collect(),
        YamlData::Sequence(items) => {
            items.iter().enumerate().map(|(index, item)| (index.to_string(), spanned(item, offsets, None))).collect()
        }
        _ => Vec::new(),
    };
    Spanned { span: place(node), key, children }
}

/// Reads the value of a step for [`crate::step::Step::read`].
#[derive(Debug)]
pub(super) struct StepReader<'a> {
    pub(super) document: &'a Document,
    pub(super) value: &'a Value,
    pub(super) path: &'a [Part],
}

impl ReadValue<Vec<Diagnostic>> for StepReader<'_> {
    fn read<T: DeserializeOwned>(&mut self) -> Result<T, Vec<Diagnostic>> {
        self.document.read(self.value, self.path)
    }
}
