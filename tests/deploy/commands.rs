//! Every command line in the documentation is one that the program takes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_yaml::Value;

use crate::support::{Concertina, Project};

/// Where command lines stand, and how many there are at least: a reader that finds none proves nothing.
const FILES: [(&str, usize); 10] = [
    ("README.md", 10),
    ("docs", 10),
    ("docs/deploy/README.md", 5),
    ("docs/deploy/kubernetes.yaml", 4),
    ("docs/deploy/ansible.yaml", 4),
    ("docs/deploy/github-actions.yaml", 5),
    ("docs/deploy/glance-api.service", 1),
    ("docs/deploy/concertina-migrate.service", 1),
    ("docs/deploy/concertina-migrate.timer", 0),
    ("docs/deploy/deploy.sh", 4),
];

/// A command line, by its words behind the program's name.
type Words = Vec<String>;

/// Splits what a shell would run first of a text into words; the shell's own words end it.
fn words(text: &str) -> Words {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for character in text.chars().chain([' ']) {
        match (quote, character) {
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            (None, ';' | '|' | '&' | '>' | ')') => {
                words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
                return words;
            }
            (None, ' ') => {
                if word == "#" {
                    return words;
                }
                words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
            }
            (_, other) => word.push(other),
        }
    }
    words
}

/// The command lines of a shell's text, where one of these begins them.
fn in_shell(text: &str, beginnings: &[&str]) -> Vec<Words> {
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        for beginning in beginnings {
            for (place, _) in line.match_indices(beginning) {
                let before = line[..place].trim_end();
                let begins = before.is_empty() || before.ends_with(['$', ';', '&', '|', '(', ')']);
                found.extend(begins.then(|| words(&line[place + beginning.len()..])));
            }
        }
    }
    found
}

/// Those of a page: in its code blocks, and between backticks.
fn in_markdown(text: &str) -> Vec<Words> {
    let mut found = Vec::new();
    for (number, part) in text.split("\n```").enumerate() {
        if number % 2 == 1 {
            found.extend(in_shell(part, &["concertina ", "cargo run --release -- "]));
        } else {
            let code = part.split('`').skip(1).step_by(2);
            found.extend(code.filter_map(|code| Some(words(code.strip_prefix("concertina ")?))));
        }
    }
    found
}

/// Those of a document: a list that begins with the program, or a text for a shell.
fn in_yaml(value: &Value) -> Vec<Words> {
    match value {
        Value::Sequence(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            match texts.as_deref() {
                Some(["concertina", arguments @ ..]) => vec![arguments.iter().map(|word| (*word).to_owned()).collect()],
                _ => items.iter().flat_map(in_yaml).collect(),
            }
        }
        Value::Mapping(entries) => entries.iter().flat_map(|(_, value)| in_yaml(value)).collect(),
        Value::String(text) => in_shell(text, &["concertina "]),
        _ => Vec::new(),
    }
}

fn in_file(path: &Path) -> Vec<Words> {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("failed to read `{}`: {error}", path.display()));
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("md") => in_markdown(&text),
        Some("yaml") => documents(&text).iter().flat_map(in_yaml).collect(),
        Some("sh") => in_shell(&text, &["step "]),
        _ => {
            let commands = text.lines().filter_map(|line| line.strip_prefix("Exec")?.split_once('='));
            commands.filter_map(|(_, command)| Some(words(command.strip_prefix("/usr/bin/concertina ")?))).collect()
        }
    }
}

/// The documents of a YAML file; one that does not parse fails the test.
pub(super) fn documents(text: &str) -> Vec<Value> {
    let read = |document| serde::Deserialize::deserialize(document).unwrap_or_else(|error| panic!("{error}\n{text}"));
    serde_yaml::Deserializer::from_str(text).map(read).collect()
}

/// A line without what the place that it was written for is called, and without the signs of what may be left out.
fn plain(line: &Words) -> Words {
    let mut plain = Words::new();
    let mut words = line.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--project" | "--database" => drop(words.next()),
            // Options of the reader's own.
            word if word.starts_with("$MIGRATE_") || word.starts_with("$CONTRACT_") => {}
            // `[--release R]`
            word => plain.push(word.trim_matches(['[', ']']).to_owned()),
        }
    }
    plain
}

fn files(name: &str) -> Vec<PathBuf> {
    let path = Project::bundled().path().join(name);
    if path.is_file() {
        return vec![path];
    }
    let entries = std::fs::read_dir(path).expect("a folder of the documentation");
    let files = entries.map(|entry| entry.expect("a file of it").path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

#[test]
fn every_command_line_in_the_documentation_is_taken() {
    let mut found: BTreeMap<Words, PathBuf> = BTreeMap::new();
    for (name, least) in FILES {
        let paths = files(name);
        let lines: Vec<(Words, &PathBuf)> =
            paths.iter().flat_map(|path| in_file(path).into_iter().map(move |line| (line, path))).collect();
        assert!(lines.len() >= least, "{} command lines are found in {name}, of {least} at least", lines.len());
        for (line, path) in lines {
            found.insert(plain(&line), path.clone());
        }
    }
    // Nothing is there, so it goes no further than to look for it; what is wrong with the line itself it says before.
    let nowhere = Concertina::in_project(Path::new("/there/is/no/project"));
    for (line, path) in &found {
        let mut words: Vec<&str> = line.iter().map(String::as_str).collect();
        // A command that is only named.
        if words.len() == 1 {
            words.push("--help");
        }
        let output = nowhere.run(&words);
        let expected = i32::from(!words.contains(&"--help"));
        assert_eq!(output.code, Some(expected), "of `{}`:\n{output}", path.display());
    }
}

#[test]
fn every_file_of_the_folder_is_looked_at() {
    let entries = std::fs::read_dir(Project::bundled().path().join("docs/deploy")).expect("the folder");
    let names: BTreeSet<String> =
        entries.map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned()).collect();
    let known: BTreeSet<String> =
        FILES.iter().filter_map(|(name, _)| name.strip_prefix("docs/deploy/")).map(ToOwned::to_owned).collect();
    assert_eq!(names, known);
    let page = Project::bundled().read("docs/deploy/README.md");
    for name in names.iter().filter(|name| *name != "README.md") {
        assert!(page.contains(&format!("({name})")), "docs/deploy/README.md does not name {name}");
    }
}

#[test]
fn a_line_that_is_wrong_is_found() {
    let page = "Run `concertina expand --realease R`, or\n\n```sh\nA=b; $ concertina check --wait; concertina dance --now | cat\n```\n";
    let found = in_markdown(page);
    assert_eq!(found, [vec!["expand", "--realease", "R"], vec!["check", "--wait"], vec!["dance", "--now"]]);
    for line in found {
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        Concertina::in_project(Path::new("/there/is/no/project")).run(&line).expect_code(2);
    }
}
