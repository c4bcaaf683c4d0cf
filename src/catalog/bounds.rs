//! How far a file may go before it is read: how large it is, how deep it is nested, and how much its aliases make of it.
//!
//! A few lines of YAML can stand for more than fits in memory, and a line of brackets for more than fits on the stack. The
//! parser's events tell both, one at a time, before any of it is built.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser};

use super::diagnostic::{Diagnostic, Origin, Source};

/// The deepest nesting.
const DEEPEST: usize = 64;
/// The largest file, and the most that one stands for once its aliases are followed, in bytes.
pub(super) const LARGEST: u64 = 4 << 20;
/// What a node costs beside its text.
const NODE: u64 = 16;

/// Fails where a file is nested too deep, or its aliases make too much of it.
pub(super) fn check(source: &Arc<Source>) -> Result<(), Diagnostic> {
    if !may_go_far(&source.text) {
        return Ok(());
    }
    let mut open: Vec<(usize, u64)> = Vec::new();
    let mut anchors: HashMap<usize, u64> = HashMap::new();
    for event in Parser::new_from_str(&source.text) {
        // What is no YAML is said by whoever reads it.
        let Ok((event, span)) = event else { return Ok(()) };
        let (anchor, size) = match event {
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => {
                open.push((anchor, NODE));
                if open.len() > DEEPEST {
                    let message = format!("it is nested more than {DEEPEST} deep");
                    return Err(place(source, span.start.index()).diagnostic(message));
                }
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().unwrap_or_default(),
            Event::Scalar(text, _, anchor, _) => (anchor, NODE + text.len() as u64),
            Event::Alias(anchor) => (0, anchors.get(&anchor).copied().unwrap_or(NODE)),
            _ => continue,
        };
        if anchor > 0 {
            anchors.insert(anchor, size);
        }
        let Some((_, whole)) = open.last_mut() else { continue };
        *whole += size;
        if *whole > 4 * LARGEST {
            let message = format!("its aliases make more than {} MiB of it", (4 * LARGEST) >> 20);
            return Err(place(source, span.start.index()).diagnostic(message));
        }
    }
    Ok(())
}

/// Whether it is worth a look: most files are short. Each level takes one of these characters at least, and an alias an anchor.
fn may_go_far(text: &str) -> bool {
    text.contains('&') || text.bytes().filter(|byte| b"[{-?:".contains(byte)).count() > DEEPEST
}

/// A place by its characters.
fn place(source: &Arc<Source>, index: usize) -> Origin {
    let start = source.text.char_indices().nth(index).map_or(source.text.len(), |(at, _)| at);
    Origin { source: Arc::clone(source), span: start..start }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Result<(), String> {
        let source = Source { path: "a.yaml".to_owned(), text: text.to_owned() };
        check(&Arc::new(source)).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_nested_deep_is_refused_in_each_form() {
        for text in [
            "- ".repeat(50_000),
            "[".repeat(200),
            "{a: ".repeat(200),
            "? ".repeat(50_000),
            (0..100).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect(),
            (0..100).map(|depth| format!("{0}a:\n{0}-\n", "  ".repeat(depth))).collect(),
            format!("\u{feff}{}", "- ".repeat(50_000)),
        ] {
            let shown = text.chars().take(20).collect::<String>();
            assert!(checked(&text).is_err_and(|error| error.contains("nested more than 64 deep")), "{shown}");
        }
        assert_eq!(checked(&format!("{}{}", "[".repeat(60), "]".repeat(60))), Ok(()));
    }

    #[test]
    fn aliases_may_be_used_and_make_no_mountain() {
        assert_eq!(checked("a: &a { b: 1 }\nc: [*a, *a]\n"), Ok(()));
        let nine = |level: i32| vec![format!("*l{level}"); 9].join(", ");
        let lines = (1..12).map(|level| format!("l{level}: &l{level} [{}]\n", nine(level - 1)));
        let bomb: String = ["l0: &l0 laugh\n".to_owned()].into_iter().chain(lines).collect();
        assert_eq!(checked(&bomb).unwrap_err().split_once(": ").unwrap().1, "its aliases make more than 16 MiB of it");
        let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), ["*a"; 1_000].join(", "));
        assert!(checked(&long).is_err());
    }
}
