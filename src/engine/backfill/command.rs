//! A batch of an external program: rows go in as JSON lines, changed columns come back.
//!
//! Nothing is locked while the program works. Each row is written only where it is as it was read, so a concurrent writer is
//! never overwritten; the row comes again in the next walk.

use std::collections::HashMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::batch::{self, Batch, BatchError};
use crate::db::{Connection, Row, Value, failpoint};
use crate::engine::span::next_span;
use crate::plan::{BackfillPlan, CommandPlan};
use crate::store::StoreError;
use crate::store::ranges::RangeRecord;

/// How long a program may take for a batch.
const LIMIT: Duration = Duration::from_mins(5);

/// A row's new values: its values as they were read, and the changed columns by their places in `writes`.
type Change = (Vec<Value>, Vec<(usize, Value)>);

/// Does the next rows of a range.
pub(super) async fn run(
    connection: &mut Connection,
    plan: &BackfillPlan,
    command: &CommandPlan,
    range: &mut RangeRecord,
    size: u64,
) -> Result<Batch, BatchError> {
    let since = Instant::now();
    let span = next_span(connection, &plan.walk, range.start(), &range.upper, size).await?;
    let rows = connection.query(&command.read(&plan.walk, span.after), &span.values).await?;
    let rows: Vec<Vec<Value>> = rows.into_iter().map(Row::into_values).collect();
    let changes = if rows.is_empty() { Vec::new() } else { ask(command, rows).await.map_err(BatchError::Program)? };
    failpoint::pass("backfill.answered");
    let dialect = connection.shared_dialect();
    let mut moved = range.clone();
    let [on, off] = &plan.bypass;
    let done = connection
        .transaction(async |connection: &mut Connection| -> Result<Batch, StoreError> {
            for statement in on {
                connection.run(statement).await?;
            }
            let mut changed = 0;
            for (read, set) in &changes {
                let places: Vec<usize> = set.iter().map(|(place, _)| *place).collect();
                let values: Vec<Value> = set.iter().map(|(_, value)| value.clone()).chain(read.clone()).collect();
                changed += connection.execute(&command.write(dialect.as_ref(), &places), &values).await?;
            }
            for statement in off {
                connection.run(statement).await?;
            }
            let walked = batch::save(connection, plan, &mut moved, span, size, changed).await?;
            Ok(Batch { walked, changed, worked: since.elapsed() })
        })
        .await;
    match done {
        Ok(counted) => {
            *range = moved;
            Ok(counted)
        }
        Err(error) => {
            batch::leave_bypass(connection, plan).await;
            Err(error.into())
        }
    }
}

/// Runs the program over rows, and reads what it answers.
async fn ask(command: &CommandPlan, rows: Vec<Vec<Value>>) -> Result<Vec<Change>, String> {
    let name = command.run.first().cloned().unwrap_or_default();
    let mut input = String::new();
    let mut asked: HashMap<String, Vec<Value>> = HashMap::new();
    for row in rows {
        let line = object(command, &row);
        asked.insert(key(command, &line), row);
        input.push_str(&Json::Object(line).to_string());
        input.push('\n');
    }
    let mut child = Command::new(&name)
        .args(&command.run[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("start `{name}`: {error}"))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdin), Some(mut stdout), Some(mut stderr)) = (stdin, stdout, stderr) else {
        return Err(format!("talk to `{name}`: it has no pipes"));
    };
    // All at once: a program that answers while it reads would else fill a pipe that nobody empties.
    let feed = async move {
        // One that does not want every row says so by its answer.
        let written = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        written
    };
    let (mut output, mut complaint) = (Vec::new(), Vec::new());
    let talk = async {
        let (fed, told, complained, status) =
            tokio::join!(feed, stdout.read_to_end(&mut output), stderr.read_to_end(&mut complaint), child.wait());
        told.and(complained).and(status).map(|status| (status, fed.is_ok()))
    };
    let (status, fed) = match tokio::time::timeout(LIMIT, talk).await {
        Ok(ended) => ended.map_err(|error| format!("talk to `{name}`: {error}"))?,
        Err(_) => return Err(format!("`{name}` took longer than {} s for a batch, and was ended", LIMIT.as_secs())),
    };
    if !status.success() || !fed {
        let complaint = String::from_utf8_lossy(&complaint);
        let last: Vec<&str> = complaint.trim().lines().rev().take(3).collect();
        let words: Vec<&str> = last.into_iter().rev().collect();
        let end =
            if status.success() { "did not read all of its rows".to_owned() } else { format!("ended with {status}") };
        return Err(format!("`{name}` {end}: {}; nothing of the batch was written", words.join("; ")));
    }
    let output = String::from_utf8(output).map_err(|_utf8| format!("`{name}` answered with what is no UTF-8"))?;
    let mut changes = Vec::new();
    for (number, line) in output.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |what: String| format!("line {} of the answer of `{name}`: {what}", number + 1);
        let answer: Map<String, Json> = serde_json::from_str(line).map_err(|error| {
            wrong(format!("expected a JSON object with the row's key and changed columns: {error}"))
        })?;
        let row = asked
            .remove(&key(command, &answer))
            .ok_or_else(|| wrong("its key is of no row that was asked for, or is there twice".to_owned()))?;
        let set = changed(command, &row, answer).map_err(wrong)?;
        if !set.is_empty() {
            changes.push((row, set));
        }
    }
    Ok(changes)
}

/// The columns of an answer that are not as they were.
fn changed(command: &CommandPlan, row: &[Value], answer: Map<String, Json>) -> Result<Vec<(usize, Value)>, String> {
    // As it is read back: two ways to write a number may be a hair apart.
    let given = object(command, row);
    let given: Map<String, Json> = serde_json::from_str(&Json::Object(given.clone()).to_string()).unwrap_or(given);
    let mut set = Vec::new();
    for (column, value) in answer {
        if given.get(&column) == Some(&value) {
            continue;
        }
        let place = command.writes.iter().position(|name| *name == column);
        let place = place.ok_or_else(|| format!("column `{column}` is not among `writes`"))?;
        let binary = command.columns.iter().any(|known| known.name == column && known.binary);
        set.push((
            place,
            from_json(value, binary, command.booleans)
                .ok_or_else(|| format!("column `{column}` is not in hexadecimal"))?,
        ));
    }
    Ok(set)
}

fn object(command: &CommandPlan, row: &[Value]) -> Map<String, Json> {
    command
        .columns
        .iter()
        .zip(row)
        .map(|(column, value)| (column.name.clone(), to_json(value, column.boolean, command.booleans)))
        .collect()
}

/// The key of a row as a text.
fn key(command: &CommandPlan, row: &Map<String, Json>) -> String {
    let columns = command.columns[..command.key].iter();
    let values: Vec<_> = columns.map(|column| row.get(&column.name).cloned().unwrap_or(Json::Null)).collect();
    Json::Array(values).to_string()
}

fn to_json(value: &Value, boolean: bool, booleans: [&str; 2]) -> Json {
    match value {
        Value::Text(text) if boolean => (text == booleans[1]).into(),
        Value::Null => Json::Null,
        Value::Integer(number) => (*number).into(),
        Value::Real(number) => (*number).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Bytes(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into(),
    }
}

fn from_json(value: Json, binary: bool, booleans: [&str; 2]) -> Option<Value> {
    Some(match value {
        Json::Null => Value::Null,
        Json::Bool(value) => booleans[usize::from(value)].into(),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            None if number.is_f64() => Value::Real(number.as_f64()?),
            // Beyond 64 bits with a sign.
            None => Value::Text(number.to_string()),
        },
        Json::String(text) if binary => Value::Bytes(from_hexadecimal(&text)?),
        Json::String(text) => Value::Text(text),
        // For a column of json.
        nested => Value::Text(nested.to_string()),
    })
}

fn from_hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u32> = text.chars().map(|digit| digit.to_digit(16)).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then(|| pairs.map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap_or(0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_as_they_went() {
        let bytes = Value::Bytes(vec![0, 255, 39]);
        assert_eq!(from_json(to_json(&bytes, false, ["0", "1"]), true, ["0", "1"]), Some(bytes));
        assert_eq!(from_json("abc".into(), true, ["0", "1"]), None);
    }
}
