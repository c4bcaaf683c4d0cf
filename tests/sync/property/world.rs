//! A world: tables with random syncs, as files for `concertina expand` and as the model's tables.

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};

use super::super::expression::{Expression, Names, Row, Type, Value, boxed, column, literal};
use super::super::model::{Conflict, NewColumn, OldColumn, Sync};
use super::super::{on, options};
use super::draw::Draw;
use super::moved::Pair;
use super::tables::{Column, Nature, Rule, Table, Tables};
use crate::support::Kind;

/// What a table and its sync are made from; 0 is the simplest everywhere.
#[derive(Clone, Debug)]
pub(super) struct TableSeed {
    pair: u8,
    pub(super) mapping: u8,
    old_types: Vec<u8>,
    new_types: Vec<u8>,
    forward: Vec<u8>,
    backward: Vec<u8>,
    pub(super) shapes: Vec<u8>,
    conflict: u8,
    key: u8,
    pub(super) ignores_case: bool,
    related: u8,
    rows: Vec<u8>,
}

pub(super) fn table_seed() -> impl Strategy<Value = TableSeed> {
    let bytes = |most: usize| vec(any::<u8>(), 0..most);
    let sides = (vec(any::<u8>(), 1..=3), vec(any::<u8>(), 1..=3), bytes(24), bytes(24), vec(any::<u8>(), 3));
    let kind = (any::<u8>(), any::<u8>());
    (kind, sides, any::<u8>(), any::<u8>(), any::<bool>(), any::<u8>(), bytes(60)).prop_map(
        |(
            (pair, mapping),
            (old_types, new_types, forward, backward, shapes),
            conflict,
            key,
            ignores_case,
            related,
            rows,
        )| {
            TableSeed {
                pair,
                mapping,
                old_types,
                new_types,
                forward,
                backward,
                shapes,
                conflict,
                key,
                ignores_case,
                related,
                rows,
            }
        },
    )
}

/// One column a side of a mapping.
pub(super) struct Mapped {
    pub(super) name: String,
    pub(super) kind: Type,
    pub(super) expression: Expression,
}

pub(super) fn mapped(name: &str, kind: Type, expression: Expression) -> Mapped {
    Mapped { name: name.to_owned(), kind, expression }
}

/// A table of the application with its sync; and the related table if it has one, or that with the new columns.
pub(super) struct Made {
    pub(super) table: Table,
    pub(super) second: Option<Table>,
    /// Rows from before the expand, with nothing in their new columns.
    pub(super) rows: Vec<Row>,
}

impl TableSeed {
    /// Whether its columns move to another table.
    fn is_pair(&self) -> bool {
        self.pair % 5 >= 3
    }

    pub(super) fn pair_cascades(&self) -> bool {
        self.pair / 5 % 2 == 1
    }

    /// Old and new columns with their expressions.
    pub(super) fn mapping(&self, key: &[(String, Type)]) -> (Vec<Mapped>, Vec<Mapped>) {
        let public = || boxed(column("o1"));
        match self.mapping % 10 {
            // What a column of one release becomes in the next, several of them one in the other.
            1 => (
                vec![mapped("o1", Type::Boolean, Expression::Is(boxed(column("n1")), "public"))],
                vec![mapped(
                    "n1",
                    Type::Word,
                    Expression::Case(public(), boxed(literal("public")), boxed(literal("shared"))),
                )],
            ),
            // The same, looked up in the related table.
            2 => {
                let shared = Expression::Case(
                    boxed(Expression::Exists(Some(false))),
                    boxed(literal("shared")),
                    boxed(literal("private")),
                );
                (
                    vec![mapped("o1", Type::Boolean, Expression::Is(boxed(column("n1")), "public"))],
                    vec![mapped("n1", Type::Word, Expression::Case(public(), boxed(literal("public")), boxed(shared)))],
                )
            }
            // b keeps what is there if it will do: it reads O.
            3 => {
                let kept = |keep: Expression, otherwise: i64| {
                    boxed(Expression::Case(boxed(keep), boxed(column("o1")), boxed(literal(otherwise))))
                };
                let low = || Expression::Less(boxed(column("o1")), 5);
                let backward =
                    Expression::Case(boxed(column("n1")), kept(low(), 0), kept(Expression::Not(boxed(low())), 5));
                (
                    vec![mapped("o1", Type::Integer, backward)],
                    vec![mapped("n1", Type::Boolean, Expression::Coalesce(boxed(low()), boxed(literal(false))))],
                )
            }
            // f keeps what is there if it will do: it reads N, one column that of the other.
            4 => {
                let second = Expression::Add(boxed(Expression::Coalesce(boxed(column("n1")), boxed(literal(0)))), 1);
                (
                    vec![mapped("o1", Type::Integer, column("n1"))],
                    vec![
                        mapped("n1", Type::Integer, column("o1")),
                        mapped("n2", Type::Integer, Expression::Coalesce(boxed(column("n2")), boxed(second))),
                    ],
                )
            }
            // An instant, of which the new release keeps the year.
            5 => (
                vec![mapped("o1", Type::Timestamp, Expression::NewYear(boxed(column("n1"))))],
                vec![mapped("n1", Type::Integer, Expression::Year(boxed(column("o1"))))],
            ),
            // Anything.
            _ => self.grown(key, key),
        }
    }

    /// Anything: f reads the old columns, and now and then the key beside them; b the new ones and theirs.
    pub(super) fn grown(&self, key: &[(String, Type)], key_of_new: &[(String, Type)]) -> (Vec<Mapped>, Vec<Mapped>) {
        const TYPES: [Type; 5] = [Type::Text, Type::Integer, Type::Boolean, Type::Text, Type::Timestamp];
        let typed = |side: &str, types: &[u8]| -> Vec<(String, Type)> {
            let of = |(at, byte): (usize, &u8)| (format!("{side}{}", at + 1), TYPES[usize::from(*byte) % TYPES.len()]);
            types.iter().enumerate().map(of).collect()
        };
        let (old, new) = (typed("o", &self.old_types), typed("n", &self.new_types));
        let grow = |columns: &[(String, Type)], from: &[(String, Type)], key: &[(String, Type)], bytes: &[u8]| {
            let mut draw = Draw::new(bytes);
            let mut from = from.to_vec();
            if draw.once_in(4) {
                from.extend_from_slice(key);
            }
            let shape = |(name, kind): &(String, Type)| {
                let mut expression = draw.expression(*kind, &from, 3);
                // Often never NULL: a required column that its new writers cannot fill in is no use to anybody.
                if draw.once_in(2) {
                    let value = Expression::Literal(draw.value(*kind));
                    expression = Expression::Coalesce(boxed(expression), boxed(value));
                }
                mapped(name, *kind, expression)
            };
            columns.iter().map(shape).collect::<Vec<Mapped>>()
        };
        (grow(&old, &new, key_of_new, &self.backward), grow(&new, &old, key, &self.forward))
    }

    pub(super) fn key_columns(&self) -> Vec<(String, Type)> {
        match self.key % 4 {
            0 | 3 => vec![("id".to_owned(), Type::Integer)],
            1 => vec![("id".to_owned(), Type::Text)],
            _ => vec![("id1".to_owned(), Type::Integer), ("id2".to_owned(), Type::Text)],
        }
    }

    /// The table number `number` of the model, whose related one follows it at `number + 1`.
    pub(super) fn make(&self, name: &str, number: usize) -> Made {
        if self.is_pair() {
            return self.make_pair(name, number);
        }
        let mut draw = Draw::new(&self.shapes);
        let key = self.key_columns();
        let (old, new) = self.mapping(&key);
        let looks_up = new.iter().any(|new| new.expression.any(&|part| matches!(part, Expression::Exists(_))));
        let mut columns: Vec<Column> = key
            .iter()
            .map(|(name, kind)| Column { name: name.clone(), kind: *kind, default: Value::Null, not_null: true })
            .collect();
        let mut synced = Vec::new();
        for Mapped { name, kind, expression } in &old {
            // Nullable, required, with a default; with a default and a NOT NULL that stays, or that expand drops.
            let shape = draw.below(6);
            let default = if shape >= 3 { Draw::new(&self.shapes).value(*kind) } else { Value::Null };
            let default = if is_beyond_the_catalog(&default) { "a".into() } else { default };
            columns.push(Column { name: name.clone(), kind: *kind, default: default.clone(), not_null: shape == 4 });
            let required = matches!(shape, 1 | 2 | 5);
            synced.push(OldColumn { name: name.clone(), backward: expression.clone(), default, required });
        }
        for Mapped { name, kind, .. } in &new {
            columns.push(Column { name: name.clone(), kind: *kind, default: Value::Null, not_null: false });
        }
        columns.push(Column { name: "other".to_owned(), kind: Type::Integer, default: Value::Null, not_null: false });
        let reads = |key: &str| {
            [&old, &new].into_iter().flatten().any(|mapped| {
                mapped.expression.any(&|part| match part {
                    Expression::Column(name) => name == key,
                    // It looks for the rows that point to the whole key.
                    Expression::Exists(_) => true,
                    _ => false,
                })
            })
        };
        let sync = Sync {
            name: format!("{name}_sync"),
            old: synced,
            new: new.iter().map(|new| NewColumn { name: new.name.clone(), forward: new.expression.clone() }).collect(),
            conflict: [Conflict::Reject, Conflict::New, Conflict::Old][usize::from(self.conflict) % 3],
            keys_read: key.iter().map(|(name, _)| name.clone()).filter(|name| reads(name)).collect(),
        };
        let key_names: Vec<String> = key.iter().map(|(name, _)| name.clone()).collect();
        let mut table = Table {
            name: name.to_owned(),
            key: key_names,
            columns,
            ignores_case: self.ignores_case,
            rules: Vec::new(),
            related: None,
            rows: Vec::new(),
        };
        let related =
            (looks_up || self.related % 3 == 1).then(|| self.related(&mut table, &key, &new, looks_up, number));
        let rows = self.rows(&table, &key, &sync.old, &sync.new);
        table.rules.push(Rule::Columns(sync));
        Made { table, second: related, rows }
    }

    fn related(
        &self,
        table: &mut Table,
        key: &[(String, Type)],
        new: &[Mapped],
        looks_up: bool,
        number: usize,
    ) -> Table {
        let name = format!("{}_related", table.name);
        let points: Vec<(String, String)> = key.iter().map(|(here, _)| (format!("to_{here}"), here.clone())).collect();
        let names = Names { table: table.name.clone(), related: name.clone(), key: points };
        let mut columns =
            vec![Column { name: "id".to_owned(), kind: Type::Integer, default: Value::Null, not_null: true }];
        for ((there, _), (_, kind)) in names.key.iter().zip(key) {
            columns.push(Column { name: there.clone(), kind: *kind, default: Value::Null, not_null: false });
        }
        columns.push(Column { name: "flag".to_owned(), kind: Type::Boolean, default: false.into(), not_null: true });
        table.related = Some((number + 1, names));
        // Where f looks into the related table, a row whose new side is set must follow every change there.
        let set = new.iter().map(|new| Expression::Not(boxed(Expression::IsNull(boxed(column(&new.name))))));
        let any_set = set.reduce(|left, right| Expression::Or(boxed(left), boxed(right))).expect("a new column");
        let when = match (looks_up, self.related / 3 % 2) {
            (true, 0) => any_set,
            (true, _) => Expression::Not(boxed(Expression::IsNull(boxed(column(&table.key[0]))))),
            (false, 0) => Expression::And(boxed(any_set), boxed(Expression::Not(boxed(Expression::RelatedFlag)))),
            (false, _) => {
                let columns: Vec<_> = table.columns.iter().map(|column| (column.name.clone(), column.kind)).collect();
                Draw::new(&self.backward).expression(Type::Boolean, &columns, 2)
            }
        };
        Table {
            name,
            key: vec!["id".to_owned()],
            columns,
            // It only matters to what points to the table.
            ignores_case: table.ignores_case,
            rules: vec![Rule::Related { target: number, when }],
            related: None,
            rows: Vec::new(),
        }
    }

    /// Rows from before the expand.
    pub(super) fn rows(&self, table: &Table, key: &[(String, Type)], old: &[OldColumn], new: &[NewColumn]) -> Vec<Row> {
        let mut draw = Draw::new(&self.rows);
        let count = self.rows.len() / 6;
        let is_new = |name: &str| new.iter().any(|new| new.name == name);
        (0..count)
            .map(|number| {
                let mut row: Row = Row::new();
                for column in &table.columns {
                    let at = key.iter().position(|(name, _)| *name == column.name);
                    let required = old.iter().any(|old| old.name == column.name && old.required);
                    let value = match at {
                        // Keys that surely differ, in every collation.
                        Some(0) if column.kind == Type::Text => Value::Text(format!("k{number}")),
                        Some(0) => i64::try_from(number).expect("small").into(),
                        Some(_) => draw.key(column.kind),
                        None if is_new(&column.name) => Value::Null,
                        None if required || column.not_null => draw.value(column.kind),
                        None => draw.value_or_null(column.kind),
                    };
                    row.insert(column.name.clone(), value);
                }
                row
            })
            .collect()
    }
}

/// All tables of a world, with what was left out (None) keeping its number, so that an operation means the same table.
pub(super) struct World {
    pub(super) tables: Tables,
    pub(super) rows: Vec<(usize, Row)>,
    /// Where the table of each seed is.
    pub(super) slots: Vec<Option<usize>>,
}

impl World {
    pub(super) fn new(seeds: &[Option<TableSeed>], nature: Nature) -> Self {
        let tables = Tables { tables: Vec::new(), nature, by_default: false };
        let mut world = Self { tables, rows: Vec::new(), slots: Vec::new() };
        for (at, seed) in seeds.iter().enumerate() {
            let number = world.tables.tables.len();
            world.slots.push(seed.as_ref().map(|_| number));
            let Some(seed) = seed else { continue };
            let made = seed.make(&format!("t{at}"), number);
            world.rows.extend(made.rows.into_iter().map(|row| (number, row)));
            world.tables.tables.push(made.table);
            world.tables.tables.extend(made.second);
        }
        world
    }

    /// The tables as the old release made them.
    pub(super) fn ddl(&self, kind: Kind) -> Vec<String> {
        let mut statements = Vec::new();
        let ignores_case = self.tables.tables.iter().any(|table| table.ignores_case);
        if kind == Kind::Postgres && ignores_case {
            let collation = "provider = icu, locale = 'und-u-ks-level2', deterministic = false";
            statements.push(format!("CREATE COLLATION without_case ({collation})"));
        }
        for table in &self.tables.tables {
            let texts = match (kind, table.ignores_case) {
                (Kind::Postgres, true) => "COLLATE without_case",
                (Kind::Sqlite, true) => "COLLATE NOCASE",
                _ => "",
            };
            let is_new = |name: &str| table.sync().is_some_and(|sync| sync.new.iter().any(|new| new.name == name));
            let mut lines: Vec<String> = Vec::new();
            for column in table.columns.iter().filter(|column| !is_new(&column.name)) {
                let required =
                    table.sync().is_some_and(|sync| sync.old.iter().any(|old| old.name == column.name && old.required));
                let key_text = table.key.contains(&column.name) || column.name.starts_with("to_");
                let type_name = match column.kind {
                    Type::Boolean => "BOOLEAN".to_owned(),
                    Type::Integer => "INTEGER".to_owned(),
                    Type::Text | Type::Word => format!("VARCHAR({}) {texts}", if key_text { 40 } else { 1000 }),
                    Type::Timestamp => on(kind, "TIMESTAMP", "DATETIME", "DATETIME").to_owned(),
                };
                let mut line = format!("{} {type_name}", column.name);
                if column.not_null || required {
                    line.push_str(" NOT NULL");
                }
                if column.default != Value::Null {
                    let default = match &column.default {
                        Value::Timestamp(text) => format!("'{text}'"),
                        Value::Integer(value) => value.to_string(),
                        other => other.sql(kind),
                    };
                    line.push_str(&format!(" DEFAULT {default}"));
                }
                lines.push(line);
            }
            lines.push(format!("PRIMARY KEY ({})", table.key.join(", ")));
            if let Some(pair) = table.as_there() {
                let here = &self.tables.tables[pair.here];
                let (there, key) = (table.key.join(", "), here.key.join(", "));
                let cascade = if pair.cascades { " ON DELETE CASCADE" } else { "" };
                lines.push(format!("FOREIGN KEY ({there}) REFERENCES {} ({key}){cascade}", here.name));
            }
            // The related table's keys are compared with the table's.
            let without_case = table.ignores_case;
            let collation = match kind {
                Kind::MySql if without_case => " DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
                Kind::MySql => " DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                _ => "",
            };
            statements.push(format!("CREATE TABLE {} ({}) {}{collation}", table.name, lines.join(", "), options(kind)));
        }
        statements
    }

    /// The steps of expand.
    pub(super) fn steps(&self, kind: Kind) -> String {
        let mut text = "steps:\n".to_owned();
        for table in &self.tables.tables {
            if let Some(pair) = table.as_here() {
                text.push_str(&self.step_of_pair(kind, pair));
            }
            let (Some(sync), name) = (table.sync(), &table.name) else { continue };
            let says = |expression: &Expression| in_words(kind, table, expression);
            for new in &sync.new {
                let new = &new.name;
                let type_name = match table.column(new).kind {
                    Type::Boolean => "boolean".to_owned(),
                    Type::Integer => "integer".to_owned(),
                    Type::Text if kind == Kind::Sqlite && table.ignores_case => {
                        "{ postgres: text, mysql: text, sqlite: VARCHAR(1000) COLLATE NOCASE }".to_owned()
                    }
                    Type::Text => "string(1000)".to_owned(),
                    Type::Word => format!("{{ enum: [private, public, shared, community], name: {name}_{new} }}"),
                    Type::Timestamp => "timestamp".to_owned(),
                };
                text.push_str(&format!(
                    "  - add_column: {{ table: {name}, column: {{ name: {new}, type: {type_name} }} }}\n"
                ));
            }
            for old in sync.old.iter().filter(|old| old.required) {
                text.push_str(&format!("  - drop_not_null: {{ table: {name}, column: {} }}\n", old.name));
            }
            text.push_str(&format!("  - sync:\n      name: {}\n      table: {name}\n      forward:\n", sync.name));
            for new in &sync.new {
                text.push_str(&format!("        {}: {}\n", new.name, says(&new.forward)));
            }
            text.push_str("      backward:\n");
            for old in &sync.old {
                text.push_str(&format!("        {}: {}\n", old.name, says(&old.backward)));
            }
            let conflict = format!("{:?}", sync.conflict).to_lowercase();
            text.push_str(&format!("      conflict: {conflict}\n"));
            if let Some((related, names)) = &table.related {
                let rules = &self.tables.tables[*related].rules;
                let [Rule::Related { when, .. }] = rules.as_slice() else {
                    unreachable!("a related table has one rule")
                };
                let key: Vec<_> = names.key.iter().map(|(there, here)| format!("{there}: {here}")).collect();
                text.push_str(&format!(
                    "      related:\n        - table: {}\n          key: {{ {} }}\n          when: {}\n",
                    names.related,
                    key.join(", "),
                    says(when)
                ));
            }
        }
        text
    }

    fn step_of_pair(&self, kind: Kind, Pair { sync, here, there, .. }: &Pair) -> String {
        let (here, there) = (&self.tables.tables[*here], &self.tables.tables[*there]);
        let key: Vec<_> = sync.key.iter().map(|(there, here)| format!("{there}: {here}")).collect();
        let mut text = format!(
            "  - sync:\n      name: {}\n      table: {}\n      to: {{ table: {}, key: {{ {} }} }}\n      forward:\n",
            sync.name,
            here.name,
            there.name,
            key.join(", ")
        );
        for new in &sync.new {
            text.push_str(&format!("        {}: {}\n", new.name, in_words(kind, here, &new.forward)));
        }
        text.push_str("      backward:\n");
        for old in &sync.old {
            text.push_str(&format!("        {}: {}\n", old.name, in_words(kind, there, &old.backward)));
        }
        text
    }

    /// The backfill of a table: f for each row whose new side is not set, and will be.
    pub(super) fn backfill(kind: Kind, table: &Table) -> Option<String> {
        let sync = table.sync()?;
        let is_null = |of: &Expression| Expression::IsNull(boxed(of.clone()));
        let all = |tests: Vec<Expression>| {
            tests.into_iter().reduce(|left, right| Expression::And(boxed(left), boxed(right))).expect("a new column")
        };
        let unset = all(sync.new.iter().map(|new| is_null(&column(&new.name))).collect());
        let stays = all(sync.new.iter().map(|new| is_null(&new.forward)).collect());
        let pending = Expression::And(boxed(unset), boxed(Expression::Not(boxed(stays))));
        let mut text = format!("backfill:\n  table: {}\n  set:\n", table.name);
        for new in &sync.new {
            text.push_str(&format!("    {}: {}\n", new.name, in_words(kind, table, &new.forward)));
        }
        text.push_str(&format!("  where: {}\n", in_words(kind, table, &pending)));
        Some(text)
    }
}

/// MariaDB's catalog shows a default's characters of four bytes as `?`, in SHOW CREATE TABLE too: nobody can know what the
/// default is. `concertina` takes it for `?`, so that left out counts as given, and a `drop_not_null` makes it `?`.
pub(super) fn is_beyond_the_catalog(default: &Value) -> bool {
    matches!(default, Value::Text(text) if text.chars().any(|character| character > '\u{ffff}'))
}

/// An expression in a change file, in the words of the database at hand.
fn in_words(kind: Kind, table: &Table, expression: &Expression) -> String {
    let nothing = Names { table: table.name.clone(), related: String::new(), key: Vec::new() };
    let names = table.related.as_ref().map_or(&nothing, |(_, names)| names);
    serde_json::to_string(&expression.sql(kind, names)).expect("a text")
}
