//! The triggers of PostgreSQL's syncs: functions in PL/pgSQL, and sequences that say when a side was seen.

use super::{OUR_TRIGGERS, Postgres};
use crate::dialect::schema::{self, Column, Comparison, Schema};
use crate::dialect::statement::{ExpectedTrigger, Refusal, Script};
use crate::dialect::sync::{self, Event, Procedural, Side, Sync, Timing, Upsert};
use crate::dialect::{Dialect, PREFIX, Triggers, object_name};

impl Triggers for Postgres {
    fn install_sync(&self, sync: &Sync, schema: &Schema) -> Result<Script, Refusal> {
        let triggers = sync::triggers(sync, self, schema)?;
        for trigger in triggers.iter().filter(|trigger| trigger.timing == Timing::Before) {
            let ours = self.trigger_name(&sync.name, &trigger.part);
            let mut others = schema.table(&trigger.table).into_iter().flat_map(|table| &table.triggers);
            let later = others.find(|other| {
                other.name > ours && !other.name.starts_with(OUR_TRIGGERS) && self.fires_before(other, trigger.event)
            });
            if let Some(other) = later {
                return Err(Refusal::new(format!(
                    "the trigger `{}` of `{}` fires after the sync's, since triggers fire in the order of their names, and what it \
                     changes would not be seen; rename it",
                    other.name, trigger.table
                )));
            }
        }
        let mut script = Script::default();
        // The trials find what the triggers' functions will find, and not what the session finds besides.
        script.run(format!("SET LOCAL search_path = {}", self.search_path(sync, schema)));
        script.statements.extend(sync::trials(sync, self, schema)?);
        script.run("SET LOCAL search_path = DEFAULT".to_owned());
        let major: u32 = self.server.version.split(['.', ' ']).next().and_then(|major| major.parse().ok()).unwrap_or(0);
        // Older servers cannot replace a trigger.
        let replaces = major >= 14;
        for side in Side::BOTH {
            script.run(format!("CREATE SEQUENCE IF NOT EXISTS {} AS bigint", self.seen_sequence(sync, side)));
        }
        for trigger in triggers {
            let name = self.trigger_name(&sync.name, &trigger.part);
            let body = self.function_body(sync, schema, &trigger);
            script.expects.push(ExpectedTrigger {
                table: trigger.table.clone(),
                name: name.clone(),
                text: body.clone(),
            });
            let (name, table) = (self.quote(&name), self.table(&trigger.table));
            script.run(self.create_function(sync, &trigger.part, &body));
            script.run(self.keep_to_ourselves(sync, &trigger.part));
            if !replaces {
                script.run(format!("DROP TRIGGER IF EXISTS {name} ON {table}"));
            }
            let timing = if trigger.timing == Timing::Before { "BEFORE" } else { "AFTER" };
            script.run(format!(
                "CREATE {}TRIGGER {name} {timing} {} ON {table} FOR EACH ROW EXECUTE FUNCTION {}()",
                if replaces { "OR REPLACE " } else { "" },
                trigger.event.keyword(),
                self.function(sync, &trigger.part)
            ));
        }
        Ok(script)
    }

    fn drop_sync(&self, sync: &Sync) -> Script {
        let mut script = Script::default();
        for (table, trigger) in self.sync_triggers(sync) {
            script.run(format!("DROP TRIGGER IF EXISTS {} ON {}", self.quote(&trigger), self.table(&table)));
        }
        for (_, part) in sync.parts() {
            script.run(format!("DROP FUNCTION IF EXISTS {}()", self.function(sync, &part)));
        }
        for side in Side::BOTH {
            script.run(format!("DROP SEQUENCE IF EXISTS {}", self.seen_sequence(sync, side)));
        }
        script
    }

    fn last_writes(&self, sync: &Sync) -> String {
        let side = |side| {
            format!("(SELECT CASE WHEN is_called THEN last_value * 1000 END FROM {})", self.seen_sequence(sync, side))
        };
        format!("SELECT {} AS last_old, {} AS last_new", side(Side::Old), side(Side::New))
    }

    fn bypass(&self, syncs: &[&str]) -> [Vec<String>; 2] {
        let words: String = syncs.iter().map(|sync| bypass_word(sync)).collect();
        [
            vec![format!("SET LOCAL concertina.bypass = {}", self.literal(&words))],
            // Not LOCAL, of which the server complains where the transaction is over.
            vec!["SET concertina.bypass = ''".to_owned()],
        ]
    }
}

impl Postgres {
    fn seen_sequence(&self, sync: &Sync, side: Side) -> String {
        let name = object_name(&format!("{PREFIX}{}_{}", sync.name, side.word()));
        format!("{}{}", self.beside(&sync.table), self.quote(&name))
    }

    fn function(&self, sync: &Sync, part: &str) -> String {
        let name = object_name(&format!("{PREFIX}{}_{part}", sync.name));
        format!("{}{}", self.beside(&sync.table), self.quote(&name))
    }

    /// A trigger fires without the right to execute its function; without this, anyone could make a table of their own,
    /// attach the function to it, and write to ours with the rights of its owner.
    fn keep_to_ourselves(&self, sync: &Sync, part: &str) -> String {
        format!("REVOKE ALL ON FUNCTION {}() FROM PUBLIC", self.function(sync, part))
    }

    /// Whether a trigger comes before a row is written: `CREATE TRIGGER name BEFORE INSERT OR DELETE OR UPDATE OF … ON …`.
    fn fires_before(&self, trigger: &schema::Trigger, event: Event) -> bool {
        let quoted = self.quote(&trigger.name);
        let head = trigger.definition.strip_prefix("CREATE TRIGGER ").unwrap_or_default();
        let head = head.strip_prefix(&quoted).or_else(|| head.strip_prefix(&trigger.name)).unwrap_or_default();
        let events = head.strip_prefix(" BEFORE ").and_then(|events| events.split(" ON ").next()).unwrap_or_default();
        events.split(" OR ").any(|of| of.starts_with(event.keyword()))
    }

    /// The schema that a table is in.
    fn namespace<'n>(table: &'n str, schema: &'n Schema) -> &'n str {
        table.split_once('.').map_or(schema.namespace.as_str(), |(own, _)| own)
    }

    /// What a trigger's function finds by its bare name: what is beside the table, and nothing of the session's.
    fn search_path(&self, sync: &Sync, schema: &Schema) -> String {
        format!("{}, pg_temp", self.quote(Self::namespace(&sync.table, schema)))
    }

    fn create_function(&self, sync: &Sync, part: &str, body: &str) -> String {
        // An expression, or a column's name, may hold any quote: this one must not be in it.
        let mut quote = "$concertina$".to_owned();
        while body.contains(&quote) {
            quote.insert(quote.len() - 1, '_');
        }
        format!(
            "CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS {quote}{body}{quote}",
            self.function(sync, part)
        )
    }

    /// The program of a trigger.
    ///
    /// What most writes fail comes first, and inside the function: a trigger's WHEN is planned anew for every statement,
    /// which costs a single-row UPDATE three times what the same test costs here (`benches/sync_cost.rs`). The function has no
    /// SET clause either, which every call would pay for. So until it has set the search path itself it runs with the rights
    /// of its owner and the path of its caller: every name in there is qualified, and `record_image_ne` asks no operator.
    fn function_body(&self, sync: &Sync, schema: &Schema, trigger: &sync::Trigger) -> String {
        let path = self.literal(&self.search_path(sync, schema));
        let row = if trigger.event == Event::Delete { "OLD" } else { "NEW" };
        let own_name = self.literal(&bypass_word(&sync.name));
        let live = schema.table(&trigger.table);
        let language = Language { dialect: self, sync };
        let (gate, rules) = match &trigger.touched {
            None => (String::new(), sync::procedure(&language, &trigger.rules, 2)),
            Some(touched) => {
                let columns = |of: &str| {
                    let columns: Vec<_> =
                        touched.columns.iter().map(|name| format!("{of}.{}", self.quote(name))).collect();
                    columns.join(", ")
                };
                let gate = format!("pg_catalog.record_image_ne(ROW({}), ROW({}))", columns("OLD"), columns("NEW"));
                // The same image is the same value. Of some types another image may be the same value still: 1.0 and 1.00.
                let column = |name: &String| live.and_then(|table| table.column(name));
                let exact = touched.columns.iter().all(|name| column(name).is_some_and(one_image_a_value));
                let rules = if exact {
                    sync::procedure(&language, &trigger.rules, 2)
                } else {
                    let rules = sync::procedure(&language, &trigger.rules, 3);
                    format!("    IF {} THEN\n{rules}    END IF;\n", touched.condition)
                };
                (format!("  IF NOT {gate} THEN\n    RETURN {row};\n  END IF;\n"), rules)
            }
        };
        let bypassed = "COALESCE(pg_catalog.current_setting('concertina.bypass', true), '')";
        let set =
            |name: &str, to: &str| format!("    concertina_set := pg_catalog.set_config('{name}', {to}, true);\n");
        let (mut enter, mut leave) = (String::new(), String::new());
        if trigger.writes_elsewhere() {
            enter.push_str(&format!("    concertina_bypass := {bypassed};\n"));
            enter.push_str(&set("concertina.bypass", &format!("pg_catalog.concat(concertina_bypass, {own_name})")));
            leave.push_str(&set("concertina.bypass", "concertina_bypass"));
        }
        enter.push_str("    concertina_path := pg_catalog.current_setting('search_path');\n");
        enter.push_str(&set("search_path", &path));
        leave.push_str(&set("search_path", "concertina_path"));
        format!(
            "\nDECLARE\n  concertina_path pg_catalog.text;\n  concertina_bypass pg_catalog.text;\n  \
             concertina_set pg_catalog.text;\nBEGIN\n{gate}  \
             IF pg_catalog.strpos({bypassed}, {own_name}) OPERATOR(pg_catalog.=) 0 THEN\n{enter}{rules}{leave}  END IF;\n  \
             RETURN {row};\nEND\n"
        )
    }
}

/// Whether equal values of a column always have the same bytes.
fn one_image_a_value(column: &Column) -> bool {
    const TYPES: [&str; 10] = [
        "boolean",
        "smallint",
        "integer",
        "bigint",
        "date",
        "timestamp without time zone",
        "timestamp with time zone",
        "uuid",
        "bytea",
        "text",
    ];
    column.comparison == Comparison::Bytes || TYPES.contains(&column.base_type.as_str())
}

/// PL/pgSQL, in the triggers of one sync.
struct Language<'a> {
    dialect: &'a Postgres,
    sync: &'a Sync,
}

impl Procedural for Language<'_> {
    fn assign(&self, writes: &[(Column, String)], pad: &str) -> String {
        let columns: Vec<String> =
            writes.iter().map(|(column, _)| format!("NEW.{}", self.dialect.quote(&column.name))).collect();
        if sync::assigned_in_turn(&columns, writes) {
            let assign = |(column, (_, value)): (&String, &(Column, String))| format!("{pad}{column} := {value};\n");
            return columns.iter().zip(writes).map(assign).collect();
        }
        // Not by variables: the names of their types would be looked up when the function is compiled, by the writer's path.
        let values: Vec<&str> = writes.iter().map(|(_, value)| value.as_str()).collect();
        format!("{pad}SELECT {} INTO {};\n", values.join(", "), columns.join(", "))
    }

    fn reject(&self, message: &str, pad: &str) -> String {
        format!(
            "{pad}RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = {}, TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;\n",
            self.dialect.literal(message)
        )
    }

    fn seen(&self, side: Side, pad: &str) -> String {
        // A sequence stands outside transactions: no row is locked, and no snapshot conflicts.
        let sequence = self.dialect.seen_sequence(self.sync, side);
        format!(
            "{pad}IF COALESCE(pg_sequence_last_value({name}::regclass), 0) < date_part('epoch', clock_timestamp()) - 59 THEN\n\
             {pad}  PERFORM setval({name}, date_part('epoch', clock_timestamp())::bigint);\n{pad}END IF;\n",
            name = self.dialect.literal(&sequence)
        )
    }

    fn require(&self, column: &str, pad: &str) -> String {
        let message = format!(
            "null value in column \"{column}\" of relation \"{}\" violates not-null constraint",
            self.sync.table
        );
        format!(
            "{pad}IF NEW.{} IS NULL THEN\n{pad}  RAISE EXCEPTION USING ERRCODE = 'not_null_violation', MESSAGE = {}, \
             COLUMN = {}, TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;\n{pad}END IF;\n",
            self.dialect.quote(column),
            self.dialect.literal(&message),
            self.dialect.literal(column)
        )
    }

    fn upsert(&self, upsert: &Upsert) -> String {
        let (insert, key, set) = upsert.insert(self.dialect);
        let set: Vec<_> = set.iter().map(|name| format!("{name} = EXCLUDED.{name}")).collect();
        format!("{insert} ON CONFLICT ({key}) DO UPDATE SET {}", set.join(", "))
    }
}

/// A sync in the list of those that are switched off in this transaction.
fn bypass_word(sync: &str) -> String {
    format!(",{sync},")
}
