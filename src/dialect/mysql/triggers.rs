//! The triggers of MySQL's and MariaDB's syncs: stored programs, and tables whose counters say when a side was seen.

use sha2::{Digest, Sha256};

use super::MySql;
use crate::dialect::schema::{Column, Schema};
use crate::dialect::statement::{ExpectedTrigger, Refusal, Script, Statement};
use crate::dialect::sync::{self, Procedural, Side, Sync, Timing, Upsert};
use crate::dialect::{Dialect, PREFIX, Triggers, object_name};

impl Triggers for MySql {
    fn install_sync(&self, sync: &Sync, schema: &Schema) -> Result<Script, Refusal> {
        let triggers = sync::triggers(sync, self, schema)?;
        let mut script = Script { statements: sync::trials(sync, self, schema)?, ..Script::default() };
        for side in Side::BOTH {
            script.run(format!(
                "CREATE TABLE IF NOT EXISTS {} (seen_at BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, session BIGINT UNSIGNED NOT NULL, \
                 PRIMARY KEY (seen_at, session)) ENGINE=InnoDB",
                self.seen_table(sync, side)
            ));
        }
        for trigger in triggers {
            let timing = if trigger.timing == Timing::Before { "BEFORE" } else { "AFTER" };
            let bypassed = self.bypassed(&sync.name, trigger.met_by_syncs);
            let rules = sync::procedure(&Language { dialect: self, sync }, &trigger.rules, 1);
            let body = if trigger.writes_elsewhere() {
                let variable = self.bypass_variable(&sync.name);
                format!("  SET {variable} = @@timestamp;\n{rules}  SET {variable} = NULL;\n")
            } else {
                rules
            };
            let name = self.trigger_name(&sync.name, &trigger.part);
            let head = format!("{timing} {} ON {} FOR EACH ROW", trigger.event.keyword(), self.table(&trigger.table));
            // What most updates fail comes first, and alone: a condition costs by all that it names, needed or not.
            let text = match &trigger.touched {
                Some(touched) => format!("IF {} THEN IF NOT {bypassed} THEN\n{body}END IF; END IF", touched.condition),
                None => format!("IF NOT {bypassed} THEN\n{body}END IF"),
            };
            // The catalog shows string literals without their escapes, so it is a mark that tells our text: a label, since
            // the `mariadb` client leaves comments out of what it restores.
            let mark = format!("{PREFIX}{}", &digest(&text)[..16]);
            script.statements.extend(self.trigger(&name, &head, &format!("{mark}: BEGIN\n{text};\nEND")));
            script.expects.push(ExpectedTrigger { table: trigger.table, name, text: mark });
        }
        Ok(script)
    }

    fn drop_sync(&self, sync: &Sync) -> Script {
        let mut script = Script::default();
        for (_, trigger) in self.sync_triggers(sync) {
            script.run(format!("DROP TRIGGER IF EXISTS {}", self.quote(&trigger)));
        }
        for side in Side::BOTH {
            script.run(format!("DROP TABLE IF EXISTS {}", self.seen_table(sync, side)));
        }
        script
    }

    fn last_writes(&self, sync: &Sync) -> String {
        let side = |side| {
            // A table that saw nothing counts from 1.
            format!(
                "(SELECT IF(AUTO_INCREMENT > 1, CAST((AUTO_INCREMENT - 1) * 1000 AS SIGNED), NULL) FROM information_schema.TABLES \
                 WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {})",
                self.literal(&Self::seen_name(sync, side))
            )
        };
        format!("SELECT {} AS last_old, {} AS last_new", side(Side::Old), side(Side::New))
    }

    fn sessions_remember(&self) -> bool {
        true
    }

    fn bypass_outlives_rollback(&self) -> bool {
        true
    }
    fn bypass(&self, syncs: &[&str]) -> [Vec<String>; 2] {
        let set =
            |value: &str| syncs.iter().map(|sync| format!("SET {} = {value}", self.bypass_variable(sync))).collect();
        [set("-1"), set("NULL")]
    }
}

impl MySql {
    /// The table whose `AUTO_INCREMENT` counter is the time at which a side was seen last, in seconds since the epoch. `InnoDB`
    /// raises it with a row, and never takes it back: <https://dev.mysql.com/doc/refman/8.4/en/innodb-auto-increment-handling.html>.
    fn seen_table(&self, sync: &Sync, side: Side) -> String {
        self.quote(&Self::seen_name(sync, side))
    }

    fn seen_name(sync: &Sync, side: Side) -> String {
        object_name(&format!("{PREFIX}{}_{}", sync.name, side.word()))
    }

    /// The session's variable that switches a sync off.
    fn bypass_variable(&self, sync: &str) -> String {
        format!("@{}", self.quote(&object_name(&format!("{PREFIX}bypass_{sync}"))))
    }

    /// Holds while a backfill writes (-1), or the sync itself does. The second ends with its statement: `@@timestamp` is the
    /// time at which the statement began, throughout its triggers, and no handler runs for a deadlock or a KILL. (A session
    /// that stops its clock by `SET timestamp` and meets a deadlock in a related trigger keeps it until it ends.)
    fn bypassed(&self, sync: &str, met_by_syncs: bool) -> String {
        let variable = self.bypass_variable(sync);
        if met_by_syncs {
            format!("COALESCE({variable}, 0) IN (-1, @@timestamp)")
        } else {
            format!("COALESCE({variable}, 0) = -1")
        }
    }

    fn trigger(&self, name: &str, head: &str, body: &str) -> Vec<Statement> {
        let name = self.quote(name);
        if self.server.is_mariadb() {
            return vec![Statement::Run(format!("CREATE OR REPLACE TRIGGER {name} {head}\n{body}"))];
        }
        vec![
            Statement::Run(format!("DROP TRIGGER IF EXISTS {name}")),
            Statement::Run(format!("CREATE TRIGGER {name} {head}\n{body}")),
        ]
    }
}

/// The language of MySQL's stored programs, in the triggers of one sync.
struct Language<'a> {
    dialect: &'a MySql,
    sync: &'a Sync,
}

impl Procedural for Language<'_> {
    fn assign(&self, writes: &[(Column, String)], pad: &str) -> String {
        let columns: Vec<String> =
            writes.iter().map(|(column, _)| format!("NEW.{}", self.dialect.quote(&column.name))).collect();
        if sync::assigned_in_turn(&columns, writes) {
            let assign = |(column, (_, value)): (&String, &(Column, String))| format!("{pad}SET {column} = {value};\n");
            return columns.iter().zip(writes).map(assign).collect();
        }
        let mut declared = String::new();
        let mut computed = String::new();
        let mut assigned = String::new();
        for (position, (column, value)) in writes.iter().enumerate() {
            let variable = format!("concertina_value{position}");
            let collation = column.collation.as_ref().map_or_else(String::new, |name| format!(" COLLATE {name}"));
            declared.push_str(&format!("{pad}  DECLARE {variable} {}{collation};\n", column.type_name));
            computed.push_str(&format!("{pad}  SET {variable} = {value};\n"));
            assigned.push_str(&format!("{pad}  SET NEW.{} = {variable};\n", self.dialect.quote(&column.name)));
        }
        format!("{pad}BEGIN\n{declared}{computed}{assigned}{pad}END;\n")
    }

    fn reject(&self, message: &str, pad: &str) -> String {
        format!("{pad}SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = {};\n", self.dialect.literal(&cut(message)))
    }

    fn seen(&self, side: Side, pad: &str) -> String {
        // The counter stands outside transactions, as the session's variable does: what is said once in a minute stays said,
        // whatever is rolled back. The row itself is of no use, and no two sessions' rows are the same.
        let variable = self.dialect.quote(&object_name(&format!("{PREFIX}seen_{}_{}", self.sync.name, side.word())));
        let table = self.dialect.seen_table(self.sync, side);
        format!(
            "{pad}IF ABS(@@timestamp - COALESCE(@{variable}, 0)) > 59 THEN BEGIN\n\
             {pad}  DECLARE concertina_now BIGINT UNSIGNED DEFAULT UNIX_TIMESTAMP(SYSDATE());\n\
             {pad}  INSERT INTO {table} (seen_at, session) VALUES (concertina_now, CONNECTION_ID());\n\
             {pad}  DELETE FROM {table} WHERE seen_at = concertina_now AND session = CONNECTION_ID();\n\
             {pad}  SET @{variable} = @@timestamp;\n{pad}END; END IF;\n"
        )
    }

    fn require(&self, column: &str, pad: &str) -> String {
        format!(
            "{pad}IF NEW.{} IS NULL THEN\n{pad}  SIGNAL SQLSTATE '23000' SET MYSQL_ERRNO = 1048, MESSAGE_TEXT = {};\n{pad}END IF;\n",
            self.dialect.quote(column),
            self.dialect.literal(&cut(&format!("Column '{column}' cannot be null")))
        )
    }

    fn upsert(&self, upsert: &Upsert) -> String {
        let (insert, _, set) = upsert.insert(self.dialect);
        let set: Vec<_> = set.iter().map(|name| format!("{name} = VALUES({name})")).collect();
        format!("{insert} ON DUPLICATE KEY UPDATE {}", set.join(", "))
    }
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `MESSAGE_TEXT` holds 128 characters; a longer one is an error of its own.
fn cut(message: &str) -> String {
    message.chars().take(128).collect()
}
