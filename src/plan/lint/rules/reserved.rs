//! The reserved words: those that no database's own grammar takes for a column's name without quotes.
//!
//! PostgreSQL 17, appendix C (reserved, and reserved but for functions and types); MySQL 8.4, section 11.3, and MariaDB
//! 11's list beside it; SQLite, `lang_keywords` (those that it does not fall back from).

use crate::dialect::Kind;

const POSTGRES: &str = "all analyse analyze and any array as asc asymmetric both case cast check collate column \
    constraint create current_catalog current_date current_role current_time current_timestamp current_user default \
    deferrable desc distinct do else end except false fetch for foreign from grant group having in initially intersect \
    into lateral leading limit localtime localtimestamp not null offset on only or order placing primary references \
    returning select session_user some symmetric system_user table then to trailing true union unique user using \
    variadic when where window with authorization binary collation concurrently cross current_schema freeze full ilike \
    inner is isnull join left like natural notnull outer overlaps right similar tablesample verbose";

const MYSQL: &str = "accessible add all alter analyze and as asc asensitive before between bigint binary blob both by call \
    cascade case change char character check collate column condition constraint continue convert create cross cube \
    cume_dist current_date current_time current_timestamp current_user cursor database databases day_hour \
    day_microsecond day_minute day_second dec decimal declare default delayed delete dense_rank desc describe \
    deterministic distinct distinctrow div double drop dual each else elseif empty enclosed escaped except exists exit \
    explain false fetch first_value float for force foreign from fulltext function generated get grant group grouping \
    groups having high_priority hour_microsecond hour_minute hour_second if ignore in index infile inner inout \
    insensitive insert int integer intersect interval into io_after_gtids io_before_gtids is iterate join json_table key \
    keys kill lag last_value lateral lead leading leave left like limit linear lines load localtime localtimestamp lock \
    long longblob longtext loop low_priority match maxvalue mediumblob mediumint mediumtext middleint mod modifies \
    natural not nth_value ntile null numeric of on optimize option optionally or order out outer outfile over partition \
    percent_rank precision primary procedure purge range rank read reads real recursive references regexp release rename \
    repeat replace require resignal restrict return revoke right rlike row rows row_number schema schemas select \
    sensitive separator set show signal smallint spatial specific sql sqlexception sqlstate sqlwarning sql_big_result \
    sql_calc_found_rows sql_small_result ssl starting stored straight_join system table terminated then tinyblob tinyint \
    tinytext to trailing trigger true undo union unique unlock unsigned update usage use using utc_date utc_time \
    utc_timestamp values varbinary varchar varcharacter varying virtual when where while window with write xor \
    year_month zerofill returning offset page_checksum parse_vcol_expr ref_system_id";

const SQLITE: &str = "add all alter and as autoincrement between case check collate commit constraint create default \
    deferrable delete distinct drop else escape except exists foreign from group having in index insert intersect into \
    is isnull join limit not nothing notnull null on or order primary references returning select set table then to \
    transaction union unique update using values when where";

/// Whether a name has to be quoted.
pub(super) fn is_reserved(name: &str, kind: Kind) -> bool {
    let words = match kind {
        Kind::Postgres => POSTGRES,
        Kind::MySql => MYSQL,
        Kind::Sqlite => SQLITE,
    };
    words.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case(name))
}
