//! Texts that are nearly right: what is wrong from its first byte on is refused there, and tries nothing behind it.

/// The longest text that is drawn, in bytes.
const LONGEST: usize = 24 << 10;

#[rustfmt::skip]
pub(super) const MANIFEST: &[&str] = &[
    "database:", "releases:", "requires:", "gates:", "quiet_period:", "sessions:", "batch:", "rows:", "max_rows:",
    "target:", "pace:", "polite", "full", "throttle:", "replicas:", "replica_lag:", "query:", "sql:", "max:", "duty:",
    "latency:", "hours:", "patience:", "locks:", "retry_for:", "timeout:", "running_sessions:", "${", "}", "${A:-",
    "$$", "5m", "250ms", "-1", "0", "1e400", "18446744073709551616", ".nan", "null", "~", "true", "[", "]", "{", "}",
    "- ", "\n  ", "? ", ": ", "&a ", "*a", "<<: ", "!!str ", "!x ", "|\n", ">-\n", "\"\\u00", "'", "\"", "---\n",
    "...\n", "# ", "%YAML 1.2\n", "postgres://u:p@h/d", "mysql://", "\u{feff}", "\t", "\r\n", "\u{85}", "\u{2028}",
    "ü", "\0", "{a: 1, a: 2}", "22:00-06:00", "release", "application",
];

#[rustfmt::skip]
pub(super) const CHANGE: &[&str] = &[
    "description:", "steps:", "backfill:", "create_table:", "add_column:", "create_index:", "add_foreign_key:",
    "add_check:", "widen_column:", "add_enum_value:", "drop_not_null:", "drop_default:", "drop_constraint:", "sync:",
    "sql:", "drop_column:", "drop_table:", "drop_index:", "set_default:", "set_not_null:", "add_unique:", "validate:",
    "rename_column:", "table:", "column:", "columns:", "name:", "type:", "nullable:", "default:", "identity:",
    "primary_key:", "uniques:", "foreign_keys:", "references:", "on_delete:", "unique:", "forward:", "backward:",
    "conflict:", "related:", "key:", "when:", "to:", "value:", "check:", "run:", "undo:", "set:", "where:", "delete:",
    "allow:", "locks:", "allow_rewrite:", "command:", "copy:", "postgres:", "mysql:", "sqlite:", "string(20)",
    "decimal(10, 2)", "string(0)", "string(99999999999)", "{ enum: [a, b] }", "bigint", "timestamp", "images", "id",
    "is_public", "visibility", "image_members", "image_id", "deleted", "related.deleted", "[", "]", "{", "}", "- ",
    "\n  ", ": ", ", ", "&a ", "*a", "|\n", ">-\n", "'", "\"", "---\n", "# ", "-- concertina: undo\n",
    "-- concertina: allow ", "\u{feff}", "\t", "\r\n", "ü", "null", "1.5", "0x10", "true", "2024-01-01", "CASE WHEN",
    "THEN", "END", "(SELECT 1 FROM", ")", "images.", "related.", "::",
];

#[rustfmt::skip]
pub(super) const SQL: &[&str] = &[
    "SELECT", "FROM", "WHERE", "CASE", "WHEN", "THEN", "ELSE", "END", "END CASE", "END IF", "IF", "LOOP", "REPEAT",
    "UNTIL", "WHILE", "DO", "BEGIN", "BEGIN NOT ATOMIC", "BEGIN ATOMIC", "ATOMIC", "CREATE", "ALTER", "DROP",
    "OR REPLACE", "TRIGGER", "FUNCTION", "PROCEDURE", "EVENT", "VIEW", "TABLE", "INDEX", "UNIQUE", "CONCURRENTLY",
    "DEFINER", "=", "CURRENT_USER", "FOR EACH ROW", "RETURN", "DECLARE", "HANDLER", "CURSOR", "AS", "AS end",
    "DELIMITER", "ADD COLUMN", "ADD CONSTRAINT", "NOT NULL", "DEFAULT", "CHECK", "REFERENCES", "PRIMARY KEY",
    "FOREIGN KEY", "USING", "INSERT INTO", "UPDATE", "DELETE FROM", "SET", "VALUES", "WITH", "LOCK TABLE",
    "RENAME TO", "MODIFY", "CHANGE", "ALGORITHM", "INSTANT", "NOT VALID", "VALIDATE", "TRUNCATE", "VACUUM", "GRANT",
    ";", "(", ")", ",", ".", "::", ":", ":=", "||", "->>", "--", "-- ", "#", "/*", "*/", "/*!50003 ", "/*M! ", "'",
    "''", "\"", "`", "[", "]", "\\", "$$", "$a$", "$1", "$", "?", "?1", ":name", "@x", "@@y", "E'", "x'", "U&'",
    "U&\"", "N'", "0x", "0b1", "1e", "1..2", ".5", "1_000", "2fa", "\u{feff}", "\0", "\r", "\n", "\t", "ü",
    "is_public", "visibility", "images.id", "related.deleted", "first", "COLLATE", "CAST(", "EXTRACT(day FROM",
    "INTERVAL 1 day", "EXISTS (", "IS DISTINCT FROM", "-- concertina: undo\n",
];

#[rustfmt::skip]
pub(super) const TABLE: &[&str] = &[
    "CREATE TABLE", "IF NOT EXISTS", "TEMP", "t", "\"t\"", "[t]", "`t`", "main.", "(", ")", ",", "id", "INTEGER",
    "PRIMARY KEY", "DESC", "AUTOINCREMENT", "TEXT", "VARCHAR(20)", "NUMERIC(10, 2)", "NOT NULL", "NULL", "DEFAULT",
    "DEFAULT (1 + 1)", "DEFAULT -1", "DEFAULT 'x'", "DEFAULT CURRENT_TIMESTAMP", "UNIQUE", "CHECK (",
    "COLLATE NOCASE", "REFERENCES t (id)", "ON DELETE CASCADE", "DEFERRABLE INITIALLY DEFERRED", "NOT DEFERRABLE",
    "MATCH FULL", "GENERATED ALWAYS AS (", "AS (", "STORED", "VIRTUAL", "CONSTRAINT", "CONSTRAINT c",
    "ON CONFLICT REPLACE", "ON CONFLICT IGNORE", "FOREIGN KEY (id)", "WITHOUT ROWID", "STRICT", "IN ('a', 'b')",
    "AND", "OR", "IS NOT NULL", "/* c */", "-- c\n", "'", "\"", "[", "]", "`", "\n", "\t", "ü", "rowid", "t.id", "a",
    "b", "c", "GENERATED", "always", "\"check\"", "\"not null\"", "'quoted'", "length(a)", "1", "x'00'",
    "NULL DEFAULT NULL", "key", "if",
];

/// Mutations of some texts.
pub(super) struct Mutations {
    texts: Vec<String>,
    words: &'static [&'static str],
    random: fastrand::Rng,
}

impl Mutations {
    pub(super) fn new(texts: Vec<String>, words: &'static [&'static str], seed: u64) -> Self {
        Self { texts, words, random: fastrand::Rng::with_seed(seed) }
    }

    /// Draws the next text.
    pub(super) fn draw(&mut self) -> String {
        let mut text = self.random.choice(&self.texts).expect("a text at least").clone().into_bytes();
        for _ in 0..self.random.usize(1..=6) {
            self.mutate(&mut text);
            if text.len() > LONGEST {
                text.truncate(LONGEST);
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    fn place(&mut self, text: &[u8]) -> usize {
        self.random.usize(0..=text.len())
    }

    /// A piece of the text; short ones are likelier.
    fn piece(&mut self, text: &[u8]) -> (usize, usize) {
        let start = self.place(text);
        let most = if self.random.bool() { 8 } else { text.len() };
        (start, (start + self.random.usize(0..=most)).min(text.len()))
    }

    fn mutate(&mut self, text: &mut Vec<u8>) {
        match self.random.usize(0..12) {
            0 => {
                if let Some(byte) = (!text.is_empty()).then(|| self.random.usize(0..text.len())) {
                    text[byte] = self.random.u8(..);
                }
            }
            1 => {
                let (start, end) = self.piece(text);
                text.drain(start..end);
            }
            2 => {
                let (start, end) = self.piece(text);
                let times = if self.random.u8(..) < 16 { 500 } else { self.random.usize(1..4) };
                let piece = text[start..end].repeat(times);
                text.splice(end..end, piece.into_iter().take(LONGEST));
            }
            3 => {
                let other = self.random.choice(&self.texts).expect("a text at least").clone().into_bytes();
                let (start, end) = self.piece(&other);
                let at = self.place(text);
                text.splice(at..at, other[start..end].iter().copied());
            }
            4 => {
                let length = self.place(text);
                text.truncate(length);
            }
            5 => self.nest(text),
            6 => {
                let (start, end) = self.piece(text);
                let moved: Vec<u8> = text.drain(start..end).collect();
                let at = self.place(text);
                text.splice(at..at, moved);
            }
            7 => self.layout(text),
            8 => self.replace_word(text),
            _ => {
                let at = self.place(text);
                let word = *self.random.choice(self.words).expect("a word at least");
                let space: &[u8] = if self.random.bool() { b" " } else { b"" };
                text.splice(at..at, [space, word.as_bytes(), space].concat());
            }
        }
    }

    /// Puts a piece into brackets, often into many.
    fn nest(&mut self, text: &mut Vec<u8>) {
        let pairs = [
            ("(", ")"),
            ("[", "]"),
            ("{", "}"),
            ("{a: ", "}"),
            ("- ", ""),
            ("/*", "*/"),
            ("CASE WHEN ", " END"),
            ("(SELECT ", ")"),
        ];
        let (open, close) = *self.random.choice(&pairs).expect("a pair");
        let times = if self.random.u8(..) < 64 { self.random.usize(100..4_000) } else { self.random.usize(1..5) };
        let (start, end) = self.piece(text);
        text.splice(end..end, close.repeat(times).into_bytes());
        text.splice(start..start, open.repeat(times).into_bytes());
    }

    /// Changes how lines end or begin, all of them.
    fn layout(&mut self, text: &mut Vec<u8>) {
        let all = String::from_utf8_lossy(text);
        *text = match self.random.usize(0..4) {
            0 => all.replace('\n', "\r\n"),
            1 => all.replace("  ", "\t"),
            2 => all.replace('\n', " "),
            _ => format!("\u{feff}{all}"),
        }
        .into_bytes();
    }

    fn replace_word(&mut self, text: &mut Vec<u8>) {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let from = self.place(text);
        let Some(start) = text[from..].iter().position(is_word).map(|at| from + at) else { return };
        let end = text[start..].iter().position(|byte| !is_word(byte)).map_or(text.len(), |length| start + length);
        let word = self.random.choice(self.words).expect("a word at least");
        text.splice(start..end, word.bytes());
    }
}
