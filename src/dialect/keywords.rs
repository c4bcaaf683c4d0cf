//! The words of SQL that an expression may hold, on any of the databases: which of them can be a column's name.

/// Words that an expression may hold without naming a column, on any of the databases.
const KEYWORDS: &[&str] = &[
    "all",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "at",
    "between",
    "binary",
    "both",
    "by",
    "case",
    "cast",
    "century",
    "char",
    "collate",
    "current_date",
    "current_time",
    "current_timestamp",
    "current_user",
    "date",
    "day",
    "dayofyear",
    "decade",
    "default",
    "desc",
    "distinct",
    "div",
    "dow",
    "doy",
    "else",
    "end",
    "epoch",
    "escape",
    "except",
    "exists",
    "false",
    "first",
    "for",
    "from",
    "glob",
    "having",
    "hour",
    "ilike",
    "in",
    "intersect",
    "interval",
    "is",
    "isnull",
    "isodow",
    "isoyear",
    "last",
    "leading",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "match",
    "microsecond",
    "microseconds",
    "millisecond",
    "milliseconds",
    "minute",
    "mod",
    "month",
    "not",
    "notnull",
    "null",
    "nulls",
    "of",
    "offset",
    "on",
    "or",
    "order",
    "over",
    "overlaps",
    "partition",
    "precision",
    "quarter",
    "regexp",
    "rlike",
    "row",
    "second",
    "select",
    "separator",
    "session_user",
    "similar",
    "some",
    "sounds",
    "symmetric",
    "then",
    "time",
    "timestamp",
    "timezone",
    "to",
    "trailing",
    "true",
    "union",
    "unknown",
    "user",
    "using",
    "utc",
    "values",
    "varying",
    "week",
    "when",
    "where",
    "with",
    "without",
    "xor",
    "year",
    "zone",
];

/// Keywords that hold an expression together, and cannot be meant as a column.
const STRUCTURE: &[&str] = &[
    "all", "and", "any", "as", "between", "by", "case", "distinct", "else", "end", "escape", "exists", "false", "from",
    "having", "in", "is", "like", "limit", "not", "null", "on", "or", "order", "select", "some", "then", "true",
    "union", "using", "when", "where",
];

pub(super) fn is_structure(word: &str) -> bool {
    STRUCTURE.binary_search(&word.to_ascii_lowercase().as_str()).is_ok()
}

/// Those of [`KEYWORDS`] that are a column's name just as well, without quotes, on at least one of the databases.
const FREE: &[&str] = &[
    "century",
    "date",
    "day",
    "dayofyear",
    "decade",
    "dow",
    "doy",
    "epoch",
    "first",
    "hour",
    "isodow",
    "isoyear",
    "last",
    "match",
    "microsecond",
    "microseconds",
    "millisecond",
    "milliseconds",
    "minute",
    "mod",
    "month",
    "precision",
    "quarter",
    "row",
    "second",
    "separator",
    "time",
    "timestamp",
    "timezone",
    "utc",
    "week",
    "year",
    "zone",
];

pub(super) fn is_free(word: &str) -> bool {
    FREE.binary_search(&word.to_ascii_lowercase().as_str()).is_ok()
}

pub(super) fn is_keyword(word: &str) -> bool {
    KEYWORDS.binary_search(&word.to_ascii_lowercase().as_str()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_sorted_so_that_they_are_found() {
        assert!(STRUCTURE.is_sorted());
        assert!(KEYWORDS.is_sorted() && FREE.is_sorted());
        assert!(FREE.iter().all(|word| is_keyword(word)));
    }
}
