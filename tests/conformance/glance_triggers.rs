//! What Glance's real triggers made of every kind of write, and what ours make of it.

use serde_json::Value;

use super::facts;
use super::glance::{Access, Node, at_newton};
use crate::support::{Kind, TestDatabase, on_every_database};

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Refused,
    Row(Access),
}

impl Outcome {
    fn text(&self) -> String {
        match self {
            Self::Refused => "refused".to_owned(),
            Self::Row(access) => access.to_string(),
        }
    }
}

/// One recorded write: to an image that has the two values of `before`, or a new one.
struct Case {
    before: Option<Access>,
    /// `Some(None)` is NULL, `None` is a column that the write does not name.
    is_public: Option<Option<bool>>,
    visibility: Option<Option<String>>,
    recorded: Outcome,
}

impl Case {
    /// Says it in one line, which also names the case in `INTENDED`.
    fn name(&self) -> String {
        let written = |value: Option<Option<String>>| {
            value.map_or_else(|| "-".to_owned(), |value| value.unwrap_or_else(|| "NULL".to_owned()))
        };
        let before = self.before.as_ref().map_or_else(
            || "insert".to_owned(),
            |before| format!("update {}", pair(before.is_public, before.visibility.as_deref())),
        );
        let is_public = written(self.is_public.map(|value| value.map(|value| u8::from(value).to_string())));
        format!("{before} set {is_public} {}", written(self.visibility.clone()))
    }

    /// The columns that the write names, with their values in SQL.
    fn given(&self, kind: Kind) -> Vec<(&'static str, String)> {
        let is_public = self.is_public.map(|value| value.map_or("NULL", |value| kind.boolean(value)).to_owned());
        let visibility =
            self.visibility.clone().map(|value| value.map_or_else(|| "NULL".to_owned(), |value| format!("'{value}'")));
        [("is_public", is_public), ("visibility", visibility)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

fn pair(is_public: Option<bool>, visibility: Option<&str>) -> String {
    let is_public = is_public.map_or("NULL", |value| if value { "1" } else { "0" });
    format!("{is_public} {}", visibility.unwrap_or("NULL"))
}

/// Writes that ours treat otherwise, on purpose.
struct Intended {
    on: &'static [Kind],
    /// The case by its name, and what ours make of it.
    cases: &'static [(&'static str, Option<(bool, &'static str)>)],
    reason: &'static str,
}

const EVERYWHERE: &[Kind] = &[Kind::Postgres, Kind::MySql, Kind::Sqlite];

const INTENDED: &[Intended] = &[
    Intended {
        on: EVERYWHERE,
        cases: &[
            ("insert set 0 private", Some((false, "private"))),
            ("insert set 0 shared", Some((false, "shared"))),
            ("insert set 0 community", Some((false, "community"))),
            ("insert set 1 public", Some((true, "public"))),
        ],
        reason: "a writer that names both columns, and agrees with itself, is right: a dump being restored, say",
    },
    Intended {
        on: EVERYWHERE,
        cases: &[
            ("update 0 NULL set 1 public", Some((true, "public"))),
            ("update 1 NULL set 0 private", Some((false, "private"))),
            ("update 1 NULL set 0 shared", Some((false, "shared"))),
            ("update 1 NULL set 0 community", Some((false, "community"))),
            ("update 1 public set 0 private", Some((false, "private"))),
            ("update 1 public set 0 shared", Some((false, "shared"))),
            ("update 1 public set 0 community", Some((false, "community"))),
            ("update 0 private set 1 public", Some((true, "public"))),
            ("update 0 shared set 1 public", Some((true, "public"))),
            ("update 0 community set 1 public", Some((true, "public"))),
        ],
        reason: "an update that changes both columns to values in step is accepted as written",
    },
    Intended {
        on: &[Kind::Sqlite],
        cases: &[
            ("insert set - bogus", Some((false, "bogus"))),
            ("insert set NULL bogus", Some((false, "bogus"))),
            ("insert set 0 bogus", Some((false, "bogus"))),
        ],
        reason: "Glance's column is a plain VARCHAR(9) on SQLite, without a check: any text is a value, and not public",
    },
];

fn intended(kind: Kind, case: &str) -> Option<(Outcome, &'static str)> {
    INTENDED.iter().filter(|intended| intended.on.contains(&kind)).find_map(|intended| {
        let (_, outcome) = intended.cases.iter().find(|(name, _)| *name == case)?;
        let outcome = outcome
            .map_or(Outcome::Refused, |(is_public, visibility)| Outcome::Row(Access::new(is_public, Some(visibility))));
        Some((outcome, intended.reason))
    })
}

fn cases(document: &Value, which: &str, is_public: &str, visibility: &str) -> Vec<Case> {
    let boolean = |value: &Value| value.as_i64().map(|value| value == 1);
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let access =
        |value: &Value| Access { is_public: boolean(&value["is_public"]), visibility: text(&value["visibility"]) };
    let absent = |value: &Value| value.as_str() == Some("<absent>");
    document[which]
        .as_array()
        .expect("the recorded writes are a list")
        .iter()
        .map(|case| Case {
            before: case.get("before").map(access),
            is_public: (!absent(&case[is_public])).then(|| boolean(&case[is_public])),
            visibility: (!absent(&case[visibility])).then(|| text(&case[visibility])),
            recorded: case.get("result").map_or(Outcome::Refused, |row| Outcome::Row(access(row))),
        })
        .collect()
}

/// Tries a write, and says what is wrong with what became of it.
async fn problem(node: &mut Node, kind: Kind, case: &Case, id: &str) -> Option<String> {
    let given = case.given(kind);
    let given: Vec<(&str, &str)> = given.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let result = match case.before {
        Some(_) => node.update(id, &given).await,
        None => node.create(id, &given).await,
    };
    let found = match &result {
        Ok(_) => Outcome::Row(node.access(id).await.expect("the image was written")),
        Err(_) => Outcome::Refused,
    };
    if found == Outcome::Refused && node.access(id).await != case.before {
        return Some(format!("{}: refused, and written all the same", case.name()));
    }
    let (expected, why) = intended(kind, &case.name()).unwrap_or_else(|| (case.recorded.clone(), "as Glance's did"));
    let said = result.err().map(|failure| format!(" ({})", failure.message)).unwrap_or_default();
    (found != expected)
        .then(|| format!("{}: {}{said}, and should be {}: {why}", case.name(), found.text(), expected.text()))
}

on_every_database! {
    async fn every_recorded_write_ends_as_it_did_with_glances_own_triggers(db: TestDatabase) {
        let kind = db.kind();
        let document = facts::json("ocata/trigger-truth.json");
        let inserts = cases(&document, "insert", "is_public", "visibility");
        let updates = cases(&document, "update", "set_is_public", "set_visibility");
        assert_eq!((inserts.len(), updates.len()), (28, 138));

        let concertina = at_newton(&db).await;
        let mut node = Node::start(&db).await;
        let id = |at: usize| format!("update-{at}");
        let images = || updates.iter().enumerate().map(|(at, case)| (id(at), case.before.as_ref().expect("a row")));
        // An image without a visibility is one from before expand; the others are a new node's.
        for (id, before) in images().filter(|(_, before)| before.visibility.is_none()) {
            node.create_old(&id, before.is_public.expect("is_public was mandatory")).await.unwrap();
        }
        concertina.run(&["expand"]).expect_code(0);
        for (id, before) in images() {
            if let Some(visibility) = &before.visibility {
                node.create_new(&id, visibility).await.unwrap();
            }
            node.expect_access(&id, before.is_public, before.visibility.as_deref()).await;
        }

        let mut problems = Vec::new();
        for (at, case) in inserts.iter().enumerate() {
            problems.extend(problem(&mut node, kind, case, &format!("insert-{at}")).await);
        }
        for (at, case) in updates.iter().enumerate() {
            problems.extend(problem(&mut node, kind, case, &id(at)).await);
        }
        assert!(problems.is_empty(), "on {kind}, {} writes:\n{}", problems.len(), problems.join("\n"));
    }
}

/// A difference that is not one, or that names no recorded write, would hide what it was listed for.
#[test]
fn every_intended_difference_differs_from_a_recorded_write() {
    let document = facts::json("ocata/trigger-truth.json");
    let mut cases_by_name: Vec<Case> = cases(&document, "insert", "is_public", "visibility");
    cases_by_name.extend(cases(&document, "update", "set_is_public", "set_visibility"));
    for intended_here in INTENDED {
        for (name, _) in intended_here.cases {
            let case = cases_by_name.iter().find(|case| case.name() == *name);
            let case = case.unwrap_or_else(|| panic!("`{name}` is no recorded write"));
            let (outcome, _) = intended(intended_here.on[0], name).expect("it is listed");
            assert_ne!(outcome, case.recorded, "`{name}` is no difference");
        }
    }
}
