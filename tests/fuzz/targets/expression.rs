//! An expression: checked, and put into a trigger of each database.

use concertina::dialect::expression::{Scope, check_text, columns_read, render, tables_read};
use concertina::dialect::lex::{Flavor, Token, TokenKind, tokens};
use concertina::dialect::{Column, Table};

pub(crate) fn run(text: &str) {
    let images = table("images", &["id", "is_public", "visibility", "deleted", "first", "day", "Name"]);
    let members = table("image_members", &["image_id", "deleted"]);
    for flavor in [Flavor::Postgres, Flavor::MySql, Flavor::Sqlite] {
        let mark = if flavor == Flavor::MySql { '`' } else { '"' };
        let quote = |name: &str| format!("{mark}{name}{mark}");
        let scope =
            Scope { table: &images, row: "NEW.", related: Some(("OLD.", &members)), quote: &quote, subquery_end: "" };
        let checked = check_text(text, flavor);
        let rendered = render(text, flavor, &scope);
        assert_eq!(rendered, render(text, flavor, &scope), "{flavor:?}");
        for column in columns_read(text, flavor, &images) {
            assert!(images.columns.contains(column));
        }
        tables_read(text, flavor);
        for error in [checked.clone().err(), rendered.clone().err()].into_iter().flatten() {
            assert!(!error.message.is_empty());
            assert!(error.word.is_none_or(|word| text.contains(&word)), "{flavor:?}");
        }
        let Ok(rendered) = rendered else { continue };
        assert_eq!(checked, Ok(()), "{flavor:?}");
        assert_eq!(check_text(&rendered, flavor), Ok(()), "{flavor:?} {rendered}");
        assert_eq!(values(text, flavor), values(&rendered, flavor), "{flavor:?} {rendered}");
    }
}

fn table(name: &str, columns: &[&str]) -> Table {
    let column = |name: &&str| Column { name: (*name).to_owned(), ..Column::default() };
    Table { name: name.to_owned(), columns: columns.iter().map(column).collect(), ..Table::default() }
}

/// What no rendering may touch.
fn values(text: &str, flavor: Flavor) -> Vec<String> {
    let tokens = tokens(text, flavor).expect("it was cut before");
    let value = |token: &&Token<'_>| matches!(token.kind, TokenKind::String | TokenKind::Number);
    tokens.iter().filter(value).map(|token| token.text.to_owned()).collect()
}
