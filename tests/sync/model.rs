//! The reference model: design.md's table of section 6, in code, for one row of one table and without a database.
//!
//! Read the two side by side: the methods [`Sync::insert`] and [`Sync::update`] are the rows of that table, in its order.
//! What a statement of several rows does, and where the databases differ by nature, is `property/tables.rs`'s.

use super::expression::{Expression, Row, Scope, Value};

/// A sync: old columns O with b each, new columns N with f each.
#[derive(Clone, Debug)]
pub(crate) struct Sync {
    pub(crate) name: String,
    pub(crate) old: Vec<OldColumn>,
    pub(crate) new: Vec<NewColumn>,
    pub(crate) conflict: Conflict,
    /// Columns of the key that an expression reads, and that the sync does not write.
    pub(crate) keys_read: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct OldColumn {
    pub(crate) name: String,
    /// b: what it becomes when a new writer wrote.
    pub(crate) backward: Expression,
    /// What an INSERT that leaves it out gives it; NULL without one.
    pub(crate) default: Value,
    /// Expand dropped its NOT NULL.
    pub(crate) required: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct NewColumn {
    pub(crate) name: String,
    /// f: what it becomes when an old writer wrote.
    pub(crate) forward: Expression,
}

/// What is done when one write gives both sides, and the row is not in step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conflict {
    Reject,
    New,
    Old,
}

/// Who wrote, as the sync remembers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    Old,
    New,
}

/// Why a write fails.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refused {
    /// Both sides were written and disagree; the error names this sync.
    Conflict(String),
    /// It would leave this column NULL, which the old schema did not allow.
    LeftNull(String),
    /// The key is there already.
    Duplicate,
    /// A foreign key would not hold.
    ForeignKey,
}

/// What a write comes to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Written {
    /// The row from now on.
    pub(crate) row: Row,
    /// The side that is seen to write; none where the sync has no part in it.
    pub(crate) side: Option<Side>,
}

/// What f and b can read besides the row.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    /// The flags of the related rows that point to the row.
    pub(crate) pointing: &'a [bool],
    /// Whether upper and lower know more than ASCII.
    pub(crate) unicode_case: bool,
}

impl View<'_> {
    pub(crate) fn value(&self, expression: &Expression, row: &Row) -> Value {
        self.value_beside(expression, row, None)
    }

    /// The value of a `when`, which sees the related row that was written.
    pub(crate) fn value_beside(&self, expression: &Expression, row: &Row, related_flag: Option<bool>) -> Value {
        let (pointing, unicode_case) = (self.pointing, self.unicode_case);
        expression.value(Scope { row, pointing, related_flag, unicode_case })
    }
}

impl Sync {
    /// An INSERT of a row; what it left out has its default.
    pub(crate) fn insert(&self, row: Row, view: View<'_>) -> Result<Written, Refused> {
        // An O column that equals its default counts as not given.
        let old_given = self.old.iter().any(|old| row[&old.name] != old.default);
        match (self.is_new_set(&row), old_given) {
            // N set: new writer; O := b(row).
            (true, false) => self.new_wrote(row, view),
            // Where an O is given as well: accepted if the row is in step, else `conflict`.
            (true, true) => self.both_wrote(row, view),
            // N not set: old writer; N := f(row).
            (false, _) => self.old_wrote(row, view),
        }
    }

    /// An UPDATE of a row.
    pub(crate) fn update(&self, before: &Row, row: Row, view: View<'_>) -> Result<Written, Refused> {
        // By bytes and NULL-safe: as the values here compare.
        let old_changed = self.old.iter().any(|old| row[&old.name] != before[&old.name]);
        let new_changed = self.new.iter().any(|new| row[&new.name] != before[&new.name]);
        match (old_changed, new_changed) {
            // Nothing of O or N changed, but of the key that f or b reads: the row follows where it would be out of step.
            (false, false) if self.key_changed(before, &row) && !self.holds(&row, view) => self.old_wrote(row, view),
            // Nothing of O or N changed: nothing; an unmigrated row stays for the backfill.
            (false, false) => Ok(Written { row, side: None }),
            // Only O changed: old writer; N := f(row).
            (true, false) => self.old_wrote(row, view),
            // Only N changed: new writer; O := b(row).
            (false, true) => self.new_wrote(row, view),
            (true, true) => self.both_wrote(row, view),
        }
    }

    fn key_changed(&self, before: &Row, row: &Row) -> bool {
        self.keys_read.iter().any(|key| row[key] != before[key])
    }

    fn both_wrote(&self, row: Row, view: View<'_>) -> Result<Written, Refused> {
        if self.is_in_step(&row, view) {
            // Accepted as written; whoever knows the new columns is a new writer.
            return self.finished(row, Side::New);
        }
        match self.conflict {
            Conflict::Reject => Err(Refused::Conflict(self.name.clone())),
            Conflict::New => self.new_wrote(row, view),
            Conflict::Old => self.old_wrote(row, view),
        }
    }

    fn old_wrote(&self, row: Row, view: View<'_>) -> Result<Written, Refused> {
        self.finished(self.follow(row, view), Side::Old)
    }

    fn new_wrote(&self, mut row: Row, view: View<'_>) -> Result<Written, Refused> {
        let values: Vec<Value> = self.old.iter().map(|old| view.value(&old.backward, &row)).collect();
        row.extend(self.old.iter().map(|old| old.name.clone()).zip(values));
        self.finished(row, Side::New)
    }

    /// Any of these leaves an O NULL whose NOT NULL expand dropped: error, as the old schema would have given.
    fn finished(&self, row: Row, side: Side) -> Result<Written, Refused> {
        match self.old.iter().find(|old| old.required && row[&old.name] == Value::Null) {
            Some(old) => Err(Refused::LeftNull(old.name.clone())),
            None => Ok(Written { row, side: Some(side) }),
        }
    }

    /// N := f(row), and O untouched: also what a write in a related table does where its `when` holds, and a backfill.
    /// Every f reads the row as it was before any of them is written.
    pub(crate) fn follow(&self, mut row: Row, view: View<'_>) -> Row {
        let values: Vec<Value> = self.new.iter().map(|new| view.value(&new.forward, &row)).collect();
        row.extend(self.new.iter().map(|new| new.name.clone()).zip(values));
        row
    }

    /// The same without the old schema's NOT NULLs.
    pub(crate) fn requiring_nothing(&self) -> Self {
        let mut sync = self.clone();
        sync.old.iter_mut().for_each(|old| old.required = false);
        sync
    }

    /// N is set when any of its columns is not NULL.
    pub(crate) fn is_new_set(&self, row: &Row) -> bool {
        self.new.iter().any(|new| row[&new.name] != Value::Null)
    }

    /// N = f(row), or O = b(row).
    pub(crate) fn is_in_step(&self, row: &Row, view: View<'_>) -> bool {
        self.new.iter().all(|new| row[&new.name] == view.value(&new.forward, row))
            || self.old.iter().all(|old| row[&old.name] == view.value(&old.backward, row))
    }

    /// The invariant that `verify` proves: a row whose N is set is in step.
    pub(crate) fn holds(&self, row: &Row, view: View<'_>) -> bool {
        !self.is_new_set(row) || self.is_in_step(row, view)
    }
}

#[cfg(test)]
mod tests {
    use super::super::expression::{boxed, column};
    use super::*;

    const VIEW: View<'_> = View { pointing: &[], unicode_case: false };

    /// `n` is `o` in capitals, `o` is `n` in small letters: lossy both ways. `o` is required.
    fn sync(conflict: Conflict) -> Sync {
        let backward = Expression::Lower(boxed(column("n")));
        let forward = Expression::Upper(boxed(column("o")));
        Sync {
            name: "case".to_owned(),
            old: vec![OldColumn { name: "o".to_owned(), backward, default: "none".into(), required: true }],
            new: vec![NewColumn { name: "n".to_owned(), forward }],
            conflict,
            keys_read: Vec::new(),
        }
    }

    fn row(o: &str, n: &str) -> Row {
        let value = |text: &str| if text == "-" { Value::Null } else { text.into() };
        Row::from([("o".to_owned(), value(o)), ("n".to_owned(), value(n))])
    }

    #[expect(clippy::unnecessary_wraps, reason = "it stands beside what fails")]
    fn written(o: &str, n: &str, side: impl Into<Option<Side>>) -> Result<Written, Refused> {
        Ok(Written { row: row(o, n), side: side.into() })
    }

    fn inserted(conflict: Conflict, o: &str, n: &str) -> Result<Written, Refused> {
        sync(conflict).insert(row(o, n), VIEW)
    }

    fn updated(conflict: Conflict, before: (&str, &str), after: (&str, &str)) -> Result<Written, Refused> {
        sync(conflict).update(&row(before.0, before.1), row(after.0, after.1), VIEW)
    }

    fn refused() -> Result<Written, Refused> {
        Err(Refused::Conflict("case".to_owned()))
    }

    fn left_null() -> Result<Written, Refused> {
        Err(Refused::LeftNull("o".to_owned()))
    }

    #[test]
    fn insert_with_the_new_side_set() {
        assert_eq!(inserted(Conflict::Reject, "none", "Ada"), written("ada", "Ada", Side::New));
        // O given as well: in step by b, in step by f, and not.
        assert_eq!(inserted(Conflict::Reject, "ada", "Ada"), written("ada", "Ada", Side::New));
        assert_eq!(inserted(Conflict::Reject, "Ada", "ADA"), written("Ada", "ADA", Side::New));
        assert_eq!(inserted(Conflict::Reject, "bob", "Ada"), refused());
        assert_eq!(inserted(Conflict::New, "bob", "Ada"), written("ada", "Ada", Side::New));
        assert_eq!(inserted(Conflict::Old, "bob", "Ada"), written("bob", "BOB", Side::Old));
        // NULL is not the default: it is given.
        assert_eq!(inserted(Conflict::Reject, "-", "Ada"), refused());
    }

    #[test]
    fn insert_with_the_new_side_not_set() {
        assert_eq!(inserted(Conflict::Reject, "Ada", "-"), written("Ada", "ADA", Side::Old));
        assert_eq!(inserted(Conflict::Reject, "none", "-"), written("none", "NONE", Side::Old));
    }

    #[test]
    fn update_where_nothing_changed() {
        assert_eq!(updated(Conflict::Reject, ("ada", "-"), ("ada", "-")), written("ada", "-", None));
        // Neither does it look whether the row was in step, or an O is NULL.
        assert_eq!(updated(Conflict::Reject, ("-", "Ada"), ("-", "Ada")), written("-", "Ada", None));
    }

    #[test]
    fn update_where_only_a_key_that_f_reads_changed() {
        // `n` is `k` and `o` in one, `o` is `n`: the key changes what N must be.
        let sync = Sync {
            name: "keyed".to_owned(),
            old: vec![OldColumn { name: "o".to_owned(), backward: column("n"), default: Value::Null, required: false }],
            new: vec![NewColumn {
                name: "n".to_owned(),
                forward: Expression::Join(boxed(column("k")), boxed(column("o"))),
            }],
            conflict: Conflict::Reject,
            keys_read: vec!["k".to_owned()],
        };
        let keyed = |k: &str, o: &str, n: &str| {
            let mut row = row(o, n);
            row.insert("k".to_owned(), k.into());
            row
        };
        let moved = |o, n| sync.update(&keyed("a", o, n), keyed("b", o, n), VIEW);
        let comes_to = |o, n, side| Ok(Written { row: keyed("b", o, n), side });
        assert_eq!(moved("x", "ax"), comes_to("x", "bx", Some(Side::Old)));
        // In step by b, and not migrated: nothing.
        assert_eq!(moved("ax", "ax"), comes_to("ax", "ax", None));
        assert_eq!(moved("x", "-"), comes_to("x", "-", None));
        // A key that the sync writes, or nobody reads, is no key here.
        let unread = Sync { keys_read: Vec::new(), ..sync.clone() };
        assert_eq!(unread.update(&keyed("a", "x", "ax"), keyed("b", "x", "ax"), VIEW), comes_to("x", "ax", None));
    }

    #[test]
    fn update_where_only_the_old_side_changed() {
        assert_eq!(updated(Conflict::Reject, ("ada", "Ada"), ("Ada", "Ada")), written("Ada", "ADA", Side::Old));
        assert_eq!(updated(Conflict::Reject, ("ada", "-"), ("ada ", "-")), written("ada ", "ADA ", Side::Old));
    }

    #[test]
    fn update_where_only_the_new_side_changed() {
        assert_eq!(updated(Conflict::Reject, ("Ada", "ADA"), ("Ada", "Ada")), written("ada", "Ada", Side::New));
        assert_eq!(updated(Conflict::Reject, ("Ada", "-"), ("Ada", "Bob")), written("bob", "Bob", Side::New));
    }

    #[test]
    fn update_where_both_changed_and_the_row_is_in_step() {
        assert_eq!(updated(Conflict::Reject, ("x", "X"), ("Ada", "ADA")), written("Ada", "ADA", Side::New));
        assert_eq!(updated(Conflict::Old, ("x", "X"), ("ada", "Ada")), written("ada", "Ada", Side::New));
    }

    #[test]
    fn update_where_both_changed_and_the_row_is_not_in_step() {
        assert_eq!(updated(Conflict::Reject, ("x", "X"), ("ada", "Bob")), refused());
        assert_eq!(updated(Conflict::New, ("x", "X"), ("ada", "Bob")), written("bob", "Bob", Side::New));
        assert_eq!(updated(Conflict::Old, ("x", "X"), ("ada", "Bob")), written("ada", "ADA", Side::Old));
    }

    #[test]
    fn a_write_that_leaves_a_required_old_column_null() {
        assert_eq!(inserted(Conflict::Reject, "-", "-"), left_null());
        assert_eq!(updated(Conflict::Reject, ("x", "X"), ("-", "X")), left_null());
        assert_eq!(updated(Conflict::Reject, ("x", "X"), ("x", "-")), left_null());
        assert_eq!(updated(Conflict::Reject, ("x", "X"), ("-", "-")), left_null());
    }

    #[test]
    fn a_backfill_and_a_write_in_a_related_table_leave_the_old_side_alone() {
        assert_eq!(sync(Conflict::Reject).follow(row("Ada  K", "-"), VIEW), row("Ada  K", "ADA  K"));
        assert_eq!(sync(Conflict::Reject).follow(row("-", "Ada"), VIEW), row("-", "-"));
    }

    #[test]
    fn a_row_whose_new_side_is_set_is_in_step_or_breaks_the_invariant() {
        let holds = |o, n| sync(Conflict::Reject).holds(&row(o, n), VIEW);
        assert!(holds("Ada", "-") && holds("Ada", "ADA") && holds("ada", "Ada"));
        assert!(!holds("ada", "Bob"));
    }
}
