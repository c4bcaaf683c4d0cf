//! The reference model of a column that moves to another table: the table of docs/project.md, "A column that moves to
//! another table", in code and without a database.
//!
//! Here is the table with the old columns, there the one with the new ones. What a write of one row brings about is said
//! for the one row of the other table that has its key; when it is done, and in what order, is `property/tables.rs`'s.

use super::expression::{Row, Value};
use super::model::{NewColumn, OldColumn, Side, View};

/// A sync over two tables: O with b each here, N with f each there.
#[derive(Clone, Debug)]
pub(crate) struct Moved {
    pub(crate) name: String,
    /// Columns there, each with the column here that it is equal to.
    pub(crate) key: Vec<(String, String)>,
    /// `required` has no meaning here: nobody can tell a new writer's INSERT from an old one's NULL.
    pub(crate) old: Vec<OldColumn>,
    pub(crate) new: Vec<NewColumn>,
}

/// What becomes of the row of the other table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Follows {
    Nothing,
    /// These columns are written, where there is a row.
    Change(Row),
    /// The same; and the row is made where there is none.
    Make(Row),
    Remove,
}

/// What a write brings about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reaction {
    pub(crate) follows: Follows,
    /// The side that is seen to write.
    pub(crate) side: Option<Side>,
}

/// What an UPDATE there comes to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ThereUpdated {
    /// A DELETE at the old key, an INSERT at the new one.
    ChangedHands,
    Stayed(Reaction),
}

impl Reaction {
    fn none() -> Self {
        Self { follows: Follows::Nothing, side: None }
    }

    fn of(follows: Follows, side: Side) -> Self {
        Self { follows, side: Some(side) }
    }
}

impl Moved {
    /// An INSERT here.
    pub(crate) fn inserted_here(&self, row: &Row, view: View<'_>) -> Reaction {
        if self.is_old_given(row) {
            // The row there follows; it is made where there is none and an O is given.
            return Reaction::of(Follows::Make(self.forward(row, view)), Side::Old);
        }
        Reaction::none()
    }

    /// An UPDATE here.
    pub(crate) fn updated_here(&self, before: &Row, row: &Row, view: View<'_>) -> Reaction {
        if !self.old.iter().any(|old| row[&old.name] != before[&old.name]) {
            return Reaction::none();
        }
        let values = self.forward(row, view);
        let follows = if self.is_old_given(row) { Follows::Make(values) } else { Follows::Change(values) };
        Reaction::of(follows, Side::Old)
    }

    /// A DELETE here: the row there goes first. That is no write of an old column.
    pub(crate) fn deleted_here() -> Reaction {
        Reaction { follows: Follows::Remove, side: None }
    }

    /// A row that comes to a key there, and to the row here: what says nothing of N takes nothing away, but takes f.
    pub(crate) fn taken(&self, mut row: Row, here: Option<&Row>, view: View<'_>) -> Row {
        if !self.is_new_set(&row) {
            let nothing = || self.new.iter().map(|new| (new.name.clone(), Value::Null)).collect();
            row.extend(here.map_or_else(nothing, |here| self.forward(here, view)));
        }
        row
    }

    /// An INSERT there, of a row that has taken what it did not say.
    pub(crate) fn inserted_there(&self, row: &Row, here: Option<&Row>, view: View<'_>) -> Reaction {
        if !self.is_new_set(row) {
            return Reaction::none();
        }
        // The row here follows, unless it says so already.
        let agrees = here.is_some_and(|here| self.is_forward(here, row, view));
        let follows = if agrees { Follows::Nothing } else { Follows::Change(self.backward(row, view)) };
        Reaction::of(follows, Side::New)
    }

    /// An UPDATE there.
    pub(crate) fn updated_there(&self, before: &Row, row: &Row, view: View<'_>) -> ThereUpdated {
        if self.is_key_changed(before, row) {
            return ThereUpdated::ChangedHands;
        }
        let changed = self.new.iter().any(|new| row[&new.name] != before[&new.name]);
        ThereUpdated::Stayed(if changed {
            Reaction::of(Follows::Change(self.backward(row, view)), Side::New)
        } else {
            Reaction::none()
        })
    }

    /// A DELETE there: O becomes what it is when it is left out.
    pub(crate) fn deleted_there(&self) -> Reaction {
        let left_out = self.old.iter().map(|old| (old.name.clone(), old.default.clone())).collect();
        Reaction::of(Follows::Change(left_out), Side::New)
    }

    pub(crate) fn is_key_changed(&self, before: &Row, row: &Row) -> bool {
        self.key.iter().any(|(there, _)| row[there] != before[there])
    }

    /// N is set when any of its columns is not NULL.
    pub(crate) fn is_new_set(&self, row: &Row) -> bool {
        self.new.iter().any(|new| row[&new.name] != Value::Null)
    }

    /// An O column that equals its default counts as not given.
    pub(crate) fn is_old_given(&self, row: &Row) -> bool {
        self.old.iter().any(|old| row[&old.name] != old.default)
    }

    pub(crate) fn forward(&self, here: &Row, view: View<'_>) -> Row {
        self.new.iter().map(|new| (new.name.clone(), view.value(&new.forward, here))).collect()
    }

    fn backward(&self, there: &Row, view: View<'_>) -> Row {
        self.old.iter().map(|old| (old.name.clone(), view.value(&old.backward, there))).collect()
    }

    fn is_forward(&self, here: &Row, there: &Row, view: View<'_>) -> bool {
        self.forward(here, view).iter().all(|(name, value)| there[name] == *value)
    }

    /// The invariant: a row there whose N is set is in step with its row here.
    pub(crate) fn holds(&self, here: &Row, there: &Row, view: View<'_>) -> bool {
        !self.is_new_set(there)
            || self.is_forward(here, there, view)
            || self.backward(there, view).iter().all(|(name, value)| here[name] == *value)
    }

    /// What contract refuses: an O is given here, and nothing is there.
    pub(crate) fn is_pending(&self, here: &Row, there: Option<&Row>) -> bool {
        there.is_none() && self.is_old_given(here)
    }
}

#[cfg(test)]
mod tests {
    use super::super::expression::{Expression, boxed, column};
    use super::*;

    const VIEW: View<'_> = View { pointing: &[], unicode_case: false };

    /// `n` is `o` in capitals, `o` is `n` in small letters: lossy both ways.
    fn moved() -> Moved {
        let backward = Expression::Lower(boxed(column("n")));
        let forward = Expression::Upper(boxed(column("o")));
        Moved {
            name: "case".to_owned(),
            key: vec![("to_id".to_owned(), "id".to_owned())],
            old: vec![OldColumn { name: "o".to_owned(), backward, default: "none".into(), required: false }],
            new: vec![NewColumn { name: "n".to_owned(), forward }],
        }
    }

    fn value(text: &str) -> Value {
        if text == "-" { Value::Null } else { text.into() }
    }

    fn only(name: &str, text: &str) -> Row {
        Row::from([(name.to_owned(), value(text))])
    }

    fn here(o: &str) -> Row {
        Row::from([("id".to_owned(), 1.into()), ("o".to_owned(), value(o))])
    }

    fn there(key: i64, n: &str) -> Row {
        Row::from([("to_id".to_owned(), key.into()), ("n".to_owned(), value(n))])
    }

    fn old(follows: Follows) -> Reaction {
        Reaction::of(follows, Side::Old)
    }

    fn new(follows: Follows) -> Reaction {
        Reaction::of(follows, Side::New)
    }

    #[test]
    fn insert_here() {
        let inserted = |o| moved().inserted_here(&here(o), VIEW);
        assert_eq!(inserted("Ada"), old(Follows::Make(only("n", "ADA"))));
        assert_eq!(inserted("none"), Reaction::none());
        // NULL is not the default: it is given.
        assert_eq!(inserted("-"), old(Follows::Make(only("n", "-"))));
    }

    #[test]
    fn update_here() {
        let updated = |before, after| moved().updated_here(&here(before), &here(after), VIEW);
        assert_eq!(updated("x", "Ada"), old(Follows::Make(only("n", "ADA"))));
        // What is given no longer makes no row.
        assert_eq!(updated("x", "none"), old(Follows::Change(only("n", "NONE"))));
        assert_eq!(updated("x", "x"), Reaction::none());
        assert_eq!(updated("x", "X"), old(Follows::Make(only("n", "X"))));
    }

    #[test]
    fn delete_here() {
        assert_eq!(Moved::deleted_here(), Reaction { follows: Follows::Remove, side: None });
    }

    #[test]
    fn insert_there_with_the_new_side_set() {
        let inserted = |o, n| {
            let row = moved().taken(there(1, n), Some(&here(o)), VIEW);
            assert_eq!(row, there(1, n), "it says what it is");
            moved().inserted_there(&row, Some(&here(o)), VIEW)
        };
        assert_eq!(inserted("bob", "Ada"), new(Follows::Change(only("o", "ada"))));
        // It says so already.
        assert_eq!(inserted("Ada", "ADA"), new(Follows::Nothing));
    }

    #[test]
    fn insert_there_without_the_new_side() {
        assert_eq!(moved().taken(there(1, "-"), Some(&here("Ada")), VIEW), there(1, "ADA"));
        assert_eq!(moved().taken(there(1, "-"), Some(&here("-")), VIEW), there(1, "-"));
        assert_eq!(moved().taken(there(1, "-"), None, VIEW), there(1, "-"));
        assert_eq!(moved().inserted_there(&there(1, "-"), Some(&here("-")), VIEW), Reaction::none());
    }

    #[test]
    fn update_there() {
        let updated = |before, after| moved().updated_there(&there(1, before), &there(1, after), VIEW);
        assert_eq!(updated("X", "Ada"), ThereUpdated::Stayed(new(Follows::Change(only("o", "ada")))));
        assert_eq!(updated("X", "-"), ThereUpdated::Stayed(new(Follows::Change(only("o", "-")))));
        assert_eq!(updated("X", "X"), ThereUpdated::Stayed(Reaction::none()));
    }

    #[test]
    fn update_of_the_key_there() {
        assert_eq!(moved().updated_there(&there(1, "X"), &there(2, "X"), VIEW), ThereUpdated::ChangedHands);
        assert_eq!(moved().updated_there(&there(1, "X"), &there(2, "Y"), VIEW), ThereUpdated::ChangedHands);
    }

    #[test]
    fn delete_there() {
        assert_eq!(moved().deleted_there(), new(Follows::Change(only("o", "none"))));
    }

    #[test]
    fn a_row_there_is_in_step_or_breaks_the_invariant() {
        let holds = |o, n| moved().holds(&here(o), &there(1, n), VIEW);
        assert!(holds("Ada", "-") && holds("Ada", "ADA") && holds("ada", "Ada"));
        assert!(!holds("ada", "Bob"));
    }

    #[test]
    fn a_row_here_is_pending_while_it_gives_what_is_not_there() {
        assert!(moved().is_pending(&here("Ada"), None));
        assert!(!moved().is_pending(&here("none"), None));
        assert!(!moved().is_pending(&here("Ada"), Some(&there(1, "-"))));
    }
}
