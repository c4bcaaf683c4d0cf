//! `--help`, as it is read.

use insta::assert_snapshot;

use crate::support::{Concertina, Project};

fn help(arguments: &[&str]) -> String {
    let output = Concertina::in_project(Project::bundled().path()).run(&[arguments, &["--help"]].concat());
    output.expect_code(0);
    assert!(output.stderr.is_empty(), "{output}");
    // clap pads an empty line, and editors cut that off.
    output.stdout.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn of_the_program() {
    assert_snapshot!(help(&[]), @"
    Zero-downtime database migrations: expand, migrate, contract

    Exit codes: 0 done, nothing to do, or yes; 1 error; 2 usage; 3 expand needed; 4 migrate needed; 5
    contract needed; 6 refused; 7 another runner holds the lease; 8 drift; 9 a person must decide; 130
    or 143 interrupted, run again.

    Usage: concertina [OPTIONS] <COMMAND>

    Commands:
      upgrade    Run the baseline and every phase of every release, in one go: the offline form
      expand     Run the expand phase: additive schema changes and syncs, while the old release runs
      migrate    Run the migrate phase: backfills, in batches, while both releases write
      contract   Run the contract phase: prove the data, remove the syncs and what the old release used
      rollback   Undo the expand of the open release, and forget its migrate; what new nodes wrote to
                 new columns is lost
      baseline   Adopt a database that already has the baseline: compare it with what the baseline
                 makes, then record
      check      Say by exit code what is needed next (0, 3, 4, 5), or whether nodes of a release may
                 run now (0, 6)
      status     Show where everything stands, and what to do next
      history    Show what happened: every command, step, backfill, gate and failure, who did it, when,
                 and how long it took
      plan       Print the exact SQL of a phase, the locks it takes and the rows it looks at, and run
                 nothing
      lint       Judge the files of every release, or of one, without a database; exit code 6 where
                 there is an error
      rehearse   Rehearse an upgrade: carry it out on a database of its own, with nodes of both releases
                 at work; exit code 6 where it is not as good as asked for
      matrix     List the upgrades to rehearse: each release with files from the one before it, and the
                 pairs that the manifest names, on every database
      verify     Prove the data, row by row, and change nothing: no row is left to migrate, every sync's
                 two sides agree, every copy is there
      pause      Hold every backfill of this database, within a batch, whoever runs it and wherever;
                 they wait until resume
      resume     Let the backfills that pause holds go on
      tune       Change the pace and throttles of backfills while they run; what is tuned counts from
                 the next batch, and stays
      resolve    Say what only a person can know: that a step took effect, that it did not, or that a
                 changed file is as good
      uninstall  List all that Concertina made for itself in the database, and with --yes remove it
      help       Print this message or the help of the given subcommand(s)

    Options:
          --project <DIR>
              The project's folder

              [default: .]

          --database <URL>
              The database, `postgres://…`, `mysql://…` or `sqlite://FILE`; wins over the manifest

              [env: CONCERTINA_DATABASE]

          --password-file <FILE>
              A file with the database's password, and nothing else; wins over the URL's

              [env: CONCERTINA_PASSWORD_FILE]

          --output <OUTPUT>
              How results are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

          --log-format <LOG_FORMAT>
              How progress and logs are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

      -q, --quiet
              Print results and errors only

      -v, --verbose...
              Log what is sent to the database as well; twice, every query

      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version
    ");
}

#[test]
fn of_upgrade() {
    assert_snapshot!(help(&["upgrade"]), @"
    Run the baseline and every phase of every release, in one go: the offline form

    Usage: concertina upgrade [OPTIONS]

    Options:
          --project <DIR>
              The project's folder

              [default: .]

          --to <RELEASE>
              The last release to bring the database to; left out, the newest

          --database <URL>
              The database, `postgres://…`, `mysql://…` or `sqlite://FILE`; wins over the manifest

              [env: CONCERTINA_DATABASE]

          --force <GATE>
              Override a gate, `lint`; the history keeps it

          --password-file <FILE>
              A file with the database's password, and nothing else; wins over the URL's

              [env: CONCERTINA_PASSWORD_FILE]

          --output <OUTPUT>
              How results are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

          --log-format <LOG_FORMAT>
              How progress and logs are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

      -q, --quiet
              Print results and errors only

      -v, --verbose...
              Log what is sent to the database as well; twice, every query

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_expand() {
    assert_snapshot!(help(&["expand"]), @"
    Run the expand phase: additive schema changes and syncs, while the old release runs

    Usage: concertina expand [OPTIONS]

    Options:
          --project <DIR>
              The project's folder

              [default: .]

          --release <RELEASE>
              The release; left out, the open one, or else the next

          --cancel-blockers-after <DURATION>
              End sessions that keep a step from its lock for longer than this; left out, they are named
              and left alone

          --database <URL>
              The database, `postgres://…`, `mysql://…` or `sqlite://FILE`; wins over the manifest

              [env: CONCERTINA_DATABASE]

          --force <GATE>
              Override a gate, `lint` or `cluster`; the history keeps it

          --password-file <FILE>
              A file with the database's password, and nothing else; wins over the URL's

              [env: CONCERTINA_PASSWORD_FILE]

          --output <OUTPUT>
              How results are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

          --log-format <LOG_FORMAT>
              How progress and logs are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

      -q, --quiet
              Print results and errors only

      -v, --verbose...
              Log what is sent to the database as well; twice, every query

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_migrate() {
    assert_snapshot!(help(&["migrate"]), @"
    Run the migrate phase: backfills, in batches, while both releases write

    Usage: concertina migrate [OPTIONS]

    Options:
          --project <DIR>
              The project's folder

              [default: .]

          --release <RELEASE>
              The release; left out, the open one

          --database <URL>
              The database, `postgres://…`, `mysql://…` or `sqlite://FILE`; wins over the manifest

              [env: CONCERTINA_DATABASE]

          --max-rows <N>
              Stop, with exit code 4, once this many rows were changed

          --max-time <TIME>
              Stop, with exit code 4, after this time (`30s`, `5m`)

          --password-file <FILE>
              A file with the database's password, and nothing else; wins over the URL's

              [env: CONCERTINA_PASSWORD_FILE]

          --output <OUTPUT>
              How results are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

          --workers <N>
              How many batches run side by side; the same command on other hosts shares the work too.
              SQLite has one writer

              [default: 1]

          --force <GATE>
              Override a gate, `lint`; the history keeps it

          --log-format <LOG_FORMAT>
              How progress and logs are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

      -q, --quiet
              Print results and errors only

      -v, --verbose...
              Log what is sent to the database as well; twice, every query

      -h, --help
              Print help (see a summary with '-h')

    Pace and throttles:
          --pace <PACE>
              `polite`: batches of 50 ms, with pauses; `full`: batches of 200 ms, without, for quiet
              windows

              [possible values: polite, full]

          --batch-rows <N>
              Rows of the first batch; later ones follow the target

          --batch-max-rows <N>
              The most rows of a batch

          --batch-target <DURATION>
              How long a batch should take

          --max-replica-lag <DURATION>
              Wait while a replica lags more than this; `off` to not look

          --max-running-sessions <N>
              Wait while more sessions than this run a statement; `off` to not look

          --throttle-query <SQL>
              Wait while this SELECT of one number says more than --throttle-max; may be given again;
              `off` to not ask

          --throttle-max <N>
              The most that the throttle query may say

          --duty <PERCENT>
              The percent of the time that batches run

          --hours <HOURS>
              Run within these hours alone, UTC by the database's clock: `22:00-06:00`, `22:00-06:00
              +02:00`; `off` for always

          --max-latency <FACTOR>
              Back off while small commits take this many times as long as when all was quiet; `off` to
              not look

          --replica <URL>
              A replica to ask for its lag, `mysql://…`; may be given again (PostgreSQL knows its own)
    ");
}

#[test]
fn of_contract() {
    assert_snapshot!(help(&["contract"]), @"
    Run the contract phase: prove the data, remove the syncs and what the old release used

    Usage: concertina contract [OPTIONS]

    Options:
          --project <DIR>
              The project's folder

              [default: .]

          --release <RELEASE>
              The release; left out, the open one

          --database <URL>
              The database, `postgres://…`, `mysql://…` or `sqlite://FILE`; wins over the manifest

              [env: CONCERTINA_DATABASE]

          --quiet-period <DURATION>
              How long no old-style write may have been seen; 0s turns it off [default: the manifest's,
              or 5m]

          --force <GATE>
              Override a gate, `quiet`, `sessions`, `verified`, `lint` or `cluster`; the history keeps
              it

          --password-file <FILE>
              A file with the database's password, and nothing else; wins over the URL's

              [env: CONCERTINA_PASSWORD_FILE]

          --cancel-blockers-after <DURATION>
              End sessions that keep a step from its lock for longer than this; left out, they are named
              and left alone

          --output <OUTPUT>
              How results are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

          --log-format <LOG_FORMAT>
              How progress and logs are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

      -q, --quiet
              Print results and errors only

      -v, --verbose...
              Log what is sent to the database as well; twice, every query

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_baseline() {
    assert_snapshot!(help(&["baseline"]), @"
    Adopt a database that already has the baseline: compare it with what the baseline makes, then record

    Usage: concertina baseline [OPTIONS] --at <VERSION>

    Options:
          --at <VERSION>
              The version the database is at: a number, or a file's name such as `V3__mitaka02`

          --project <DIR>
              The project's folder

              [default: .]

          --database <URL>
              The database, `postgres://…`, `mysql://…` or `sqlite://FILE`; wins over the manifest

              [env: CONCERTINA_DATABASE]

          --password-file <FILE>
              A file with the database's password, and nothing else; wins over the URL's

              [env: CONCERTINA_PASSWORD_FILE]

          --output <OUTPUT>
              How results are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

          --log-format <LOG_FORMAT>
              How progress and logs are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

      -q, --quiet
              Print results and errors only

      -v, --verbose...
              Log what is sent to the database as well; twice, every query

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_check() {
    assert_snapshot!(help(&["check"]), @"
    Say by exit code what is needed next (0, 3, 4, 5), or whether nodes of a release may run now (0, 6)

    Usage: concertina check [OPTIONS]

    Options:
          --project <DIR>
              The project's folder

              [default: .]

          --release <RELEASE>
              Ask whether nodes of this release may run on the database now

          --database <URL>
              The database, `postgres://…`, `mysql://…` or `sqlite://FILE`; wins over the manifest

              [env: CONCERTINA_DATABASE]

          --wait <DURATION>
              Ask again until the answer is yes (exit code 0), for so long at most; a server that is not
              up yet is waited for too

          --password-file <FILE>
              A file with the database's password, and nothing else; wins over the URL's

              [env: CONCERTINA_PASSWORD_FILE]

          --output <OUTPUT>
              How results are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

          --log-format <LOG_FORMAT>
              How progress and logs are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

      -q, --quiet
              Print results and errors only

      -v, --verbose...
              Log what is sent to the database as well; twice, every query

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_status() {
    assert_snapshot!(help(&["status"]), @"
    Show where everything stands, and what to do next

    Usage: concertina status [OPTIONS]

    Options:
          --project <DIR>
              The project's folder

              [default: .]

          --watch
              Look again and again, and redraw in place, until interrupted; with --output json a
              document a line

          --database <URL>
              The database, `postgres://…`, `mysql://…` or `sqlite://FILE`; wins over the manifest

              [env: CONCERTINA_DATABASE]

          --every <DURATION>
              How often to look

              [default: 1s]

          --password-file <FILE>
              A file with the database's password, and nothing else; wins over the URL's

              [env: CONCERTINA_PASSWORD_FILE]

          --output <OUTPUT>
              How results are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

          --log-format <LOG_FORMAT>
              How progress and logs are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

      -q, --quiet
              Print results and errors only

      -v, --verbose...
              Log what is sent to the database as well; twice, every query

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_plan() {
    assert_snapshot!(help(&["plan"]), @"
    Print the exact SQL of a phase, the locks it takes and the rows it looks at, and run nothing

    Usage: concertina plan [OPTIONS] [PHASE]

    Arguments:
      [PHASE]
              The phase of the open or next release, or the rollback of the open one; left out, the
              phase that is needed next

              [possible values: expand, migrate, contract, rollback]

    Options:
          --project <DIR>
              The project's folder

              [default: .]

          --database <URL>
              The database, `postgres://…`, `mysql://…` or `sqlite://FILE`; wins over the manifest

              [env: CONCERTINA_DATABASE]

          --password-file <FILE>
              A file with the database's password, and nothing else; wins over the URL's

              [env: CONCERTINA_PASSWORD_FILE]

          --output <OUTPUT>
              How results are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

          --log-format <LOG_FORMAT>
              How progress and logs are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

      -q, --quiet
              Print results and errors only

      -v, --verbose...
              Log what is sent to the database as well; twice, every query

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_resolve() {
    assert_snapshot!(help(&["resolve"]), @"
    Say what only a person can know: that a step took effect, that it did not, or that a changed file is
    as good

    Usage: concertina resolve [OPTIONS] <--applied|--not-applied|--accept> <SUBJECT>

    Arguments:
      <SUBJECT>
              The id of a step, or the path of a file

    Options:
          --applied
              The step took effect before the run died

          --project <DIR>
              The project's folder

              [default: .]

          --database <URL>
              The database, `postgres://…`, `mysql://…` or `sqlite://FILE`; wins over the manifest

              [env: CONCERTINA_DATABASE]

          --not-applied
              The step did not take effect, and may run again

          --accept
              The file's new text is as good as the one that was applied

          --password-file <FILE>
              A file with the database's password, and nothing else; wins over the URL's

              [env: CONCERTINA_PASSWORD_FILE]

          --output <OUTPUT>
              How results are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

          --log-format <LOG_FORMAT>
              How progress and logs are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

      -q, --quiet
              Print results and errors only

      -v, --verbose...
              Log what is sent to the database as well; twice, every query

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_rollback() {
    assert_snapshot!(help(&["rollback"]), @"
    Undo the expand of the open release, and forget its migrate; what new nodes wrote to new columns is
    lost

    It refuses where a contract step has ever started, where a step has no undo (see plan rollback),
    and, unless told otherwise, where new nodes have written.

    Usage: concertina rollback [OPTIONS]

    Options:
          --project <DIR>
              The project's folder

              [default: .]

          --release <RELEASE>
              The release; left out, the open one

          --database <URL>
              The database, `postgres://…`, `mysql://…` or `sqlite://FILE`; wins over the manifest

              [env: CONCERTINA_DATABASE]

          --yes
              Lose what new nodes wrote: the same as --force `new_writes`

          --force <GATE>
              Override a gate, `new_writes` or `cluster`; the history keeps it

          --password-file <FILE>
              A file with the database's password, and nothing else; wins over the URL's

              [env: CONCERTINA_PASSWORD_FILE]

          --cancel-blockers-after <DURATION>
              End sessions that keep a step from its lock for longer than this; left out, they are named
              and left alone

          --output <OUTPUT>
              How results are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

          --log-format <LOG_FORMAT>
              How progress and logs are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

      -q, --quiet
              Print results and errors only

      -v, --verbose...
              Log what is sent to the database as well; twice, every query

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn of_matrix() {
    assert_snapshot!(help(&["matrix"]), @"
    List the upgrades to rehearse: each release with files from the one before it, and the pairs that
    the manifest names, on every database

    It opens no database. docs/matrix.md has the CI set-ups.

    Usage: concertina matrix [OPTIONS]

    Options:
          --changed-since <REV>
              Leave out what no changed file is part of: committed since the work on REV began, changed
              in the working tree, or untracked

          --project <DIR>
              The project's folder

              [default: .]

          --database <URL>
              The database, `postgres://…`, `mysql://…` or `sqlite://FILE`; wins over the manifest

              [env: CONCERTINA_DATABASE]

          --format <FORMAT>
              How it is printed; --output json has a document of its own

              Possible values:
              - table:  For people: a line a pair
              - github: For GitHub Actions: a line of JSON for strategy.matrix
              - gitlab: For GitLab: a child pipeline, a job a cell

              [default: table]

          --password-file <FILE>
              A file with the database's password, and nothing else; wins over the URL's

              [env: CONCERTINA_PASSWORD_FILE]

          --output <OUTPUT>
              How results are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

          --log-format <LOG_FORMAT>
              How progress and logs are printed

              Possible values:
              - text: For people
              - json: For programs

              [default: text]

      -q, --quiet
              Print results and errors only

      -v, --verbose...
              Log what is sent to the database as well; twice, every query

      -h, --help
              Print help (see a summary with '-h')
    ");
}
