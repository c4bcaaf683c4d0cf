//! Lives: runs of a command that each die at a failpoint where no life has died before.
//!
//! A life comes a little further than the one before it, or sees another place; when one comes to its end, every place that
//! any of them has passed has been died at.

use std::collections::BTreeSet;

use crate::support::{Concertina, Output};

/// What tells one place to die at from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Each {
    /// A failpoint's name and the kind of step.
    Sort,
    /// A failpoint's name, the step, and how often a life has passed it: every single pass.
    Pass,
}

/// Where lives have died so far.
#[derive(Debug)]
pub(super) struct Lives {
    each: Each,
    died_at: BTreeSet<String>,
}

/// How a life ended.
pub(super) enum End {
    Died(String),
    Ended(Output),
}

impl Lives {
    pub(super) fn new(each: Each) -> Self {
        Self { each, died_at: BTreeSet::new() }
    }

    /// Where they died.
    pub(super) fn died_at(&self) -> &BTreeSet<String> {
        &self.died_at
    }

    /// Runs a command that dies at the first place where none has died.
    #[track_caller]
    pub(super) fn live(&mut self, concertina: &Concertina, command: &[&str]) -> End {
        let known: Vec<&str> = self.died_at.iter().map(String::as_str).collect();
        let mark = if self.each == Each::Sort { "!" } else { "!!" };
        let wanted = format!("{mark}{}", known.join(" "));
        let output = concertina.clone().env("CONCERTINA_FAILPOINT", &wanted).run(command);
        if output.code.is_some() {
            return End::Ended(output);
        }
        let (sort, pass) = place_of_death(&output);
        let place = if self.each == Each::Sort { sort } else { pass };
        assert!(self.died_at.insert(place.clone()), "it died at {place} once more:\n{output}");
        End::Died(place)
    }
}

/// Where a run died, by its own last words: the sort of the place, and the very pass.
#[track_caller]
pub(super) fn place_of_death(output: &Output) -> (String, String) {
    let words = output.stderr.lines().find_map(|line| line.split_once("dies at ")).map(|(_, words)| words);
    let places = words.and_then(|words| words.split_once(' '));
    let Some((sort, pass)) = places else { panic!("it died, and not at a failpoint:\n{output}") };
    (sort.to_owned(), pass.to_owned())
}

/// The sorts of places, or the very places, that runs have passed, by the file that they were told to tell it to.
pub(super) fn passed(trace: &std::path::Path, each: Each) -> Vec<String> {
    let text = std::fs::read_to_string(trace).expect("a trace");
    let place = |line: &str| {
        let (sort, pass) = line.split_once(' ').expect("both forms of a place");
        if each == Each::Sort { sort.to_owned() } else { pass.to_owned() }
    };
    text.lines().map(place).collect()
}
