//! Raw SQL: cut into tokens and statements for each database, and judged by lint.

use concertina::dialect::lex::{Flavor, TokenKind, statements, tokens};
use concertina::plan::lint;

use super::{expect_sound, expect_sound_errors, project};

pub(crate) fn run(text: &str) {
    for flavor in [Flavor::Postgres, Flavor::MySql, Flavor::Sqlite] {
        cut_into_tokens(text, flavor);
        cut_into_statements(text, flavor);
    }
    match project(&[("concertina.yaml", "releases: [r]\n"), ("expand/r/01_a.sql", text)]) {
        Ok(project) => lint(&project).findings.iter().for_each(|finding| expect_sound(&finding.origin)),
        Err(errors) => expect_sound_errors(&errors),
    }
}

fn cut_into_tokens(text: &str, flavor: Flavor) {
    match tokens(text, flavor) {
        Ok(tokens) => {
            let mut end = 0;
            for token in &tokens {
                assert!(token.start == end && !token.text.is_empty(), "{flavor:?} {token:?} behind {end}");
                end = token.end();
                assert_eq!(&text[token.start..end], token.text);
            }
            assert_eq!(end, text.len(), "{flavor:?}");
        }
        Err(error) => assert!(text.get(error.offset..).is_some_and(|rest| !rest.is_empty()), "{flavor:?} {error:?}"),
    }
}

fn cut_into_statements(text: &str, flavor: Flavor) {
    let Ok(cut) = statements(text, flavor) else { return };
    // What is between two of them does nothing.
    let mut end = 0;
    let place = |statement: &str| statement.as_ptr() as usize - text.as_ptr() as usize;
    let nothing = |gap: &str| {
        let found = tokens(gap, flavor).expect("the whole could be cut");
        let nothing = |kind| matches!(kind, TokenKind::Space | TokenKind::Comment);
        // The first of a text alone may be a byte order mark.
        found.iter().all(|token| nothing(token.kind) || token.is_symbol(";") || token.text == "\u{feff}")
    };
    for statement in &cut {
        let start = place(statement);
        assert!(start >= end && nothing(&text[end..start]), "{flavor:?} loses {:?}", &text[end..start]);
        end = start + statement.len();
    }
    assert!(nothing(&text[end..]), "{flavor:?} loses {:?}", &text[end..]);
    let again = cut.join(";\n");
    if !again.starts_with('\u{feff}') {
        assert_eq!(statements(&again, flavor).as_deref(), Ok(cut.as_slice()), "{flavor:?}");
    }
}
