//! Runs a target in a process of its own: what it says of a text that kills the process can be told by the one beside it.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what the process says is what the test tells of it")]

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::mutation::Mutations;

/// Something that takes a text.
pub(super) struct Target {
    pub(super) name: &'static str,
    /// Panics where a property does not hold.
    pub(super) run: fn(&str),
    /// The words of its grammar.
    pub(super) words: &'static [&'static str],
}

/// How long a text may take, in milliseconds of the processor: the machine may be busy with something else.
const LIMIT: u64 = 1_000;
/// How much memory the process may have, in bytes of addresses.
const MEMORY: u64 = 2 << 30;
/// How long mutations are drawn, in seconds.
const SECONDS: u64 = 3;
const DEEP_SECONDS: u64 = 60;

fn corpus(name: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // The bundled project's files are part of it as they are.
    let bundled: &[&str] = match name {
        "sql" => &["migrations/mysql", "migrations/postgres", "migrations/sqlite"],
        "change" => &[
            "expand/ocata",
            "data/ocata",
            "contract/ocata",
            "contract/pike",
            "expand/rocky",
            "data/train",
            "expand/wallaby",
            "expand/2024.1",
        ],
        _ => &[],
    };
    let mut paths = Vec::new();
    for folder in
        [root.join("tests/fuzz/corpus").join(name)].into_iter().chain(bundled.iter().map(|path| root.join(path)))
    {
        let files = fs::read_dir(&folder).expect("a folder of the corpus");
        paths.extend(files.map(|entry| entry.expect("a file of the corpus").path()));
    }
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).expect("a file of the corpus");
        (path, String::from_utf8_lossy(&bytes).into_owned())
    };
    paths.into_iter().map(read).collect()
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// Runs a target's corpus and mutations of it.
pub(super) fn fuzz(name: &str) {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    let seed = number("CONCERTINA_FUZZ_SEED").unwrap_or(u64::from(clock.subsec_nanos()));
    let deep = crate::support::is_deep();
    let seconds = number("CONCERTINA_FUZZ_SECONDS").unwrap_or(if deep { DEEP_SECONDS } else { SECONDS });
    let current = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}-{}", std::process::id()));
    let output = Command::new("prlimit")
        .args([&format!("--as={MEMORY}"), "--"])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", "fuzz::process", "--ignored", "--nocapture", "--test-threads=1"])
        .env("CONCERTINA_FUZZ", format!("{name} {seed} {seconds}"))
        .env("CONCERTINA_FUZZ_CURRENT", &current)
        // What a text does must not depend on who runs it.
        .env_remove("DATABASE_URL")
        .output()
        .expect("prlimit is installed");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("seed {seed}: {}", said.lines().find(|line| line.contains(" texts")).unwrap_or_default());
    if output.status.success() {
        fs::remove_file(&current).ok();
        return;
    }
    let said: Vec<&str> = said.lines().rev().take(30).collect();
    let said: String = said.into_iter().rev().map(|line| format!("{line}\n")).collect();
    let text = fs::read_to_string(&current).unwrap_or_default();
    let shown: String = text.chars().take(2_000).collect();
    panic!(
        "{name} failed with seed {seed} ({}) on {} bytes, which are in {}:\n{shown}\n--- the process said\n{said}",
        output.status,
        text.len(),
        current.display()
    );
}

/// What the process does that [`fuzz`] starts.
pub(super) fn process(targets: &[Target]) {
    let Ok(order) = std::env::var("CONCERTINA_FUZZ") else { return };
    let current = PathBuf::from(std::env::var("CONCERTINA_FUZZ_CURRENT").expect("where to keep the text"));
    let [name, seed, seconds] = order.split(' ').collect::<Vec<_>>()[..] else { panic!("`{order}` is no order") };
    let target = targets.iter().find(|target| target.name == name).expect("a target of this name");
    let corpus = corpus(name);
    assert!(!corpus.is_empty(), "the corpus of {name} is empty");
    std::thread::spawn(watch);
    let mut tried = 0_u64;
    for (path, text) in &corpus {
        println!("{}", path.display());
        attempt(target, text, &current);
        tried += 1;
    }
    let until = Instant::now() + Duration::from_secs(seconds.parse().expect("seconds"));
    let texts = corpus.into_iter().map(|(_, text)| text).collect();
    let mut mutations = Mutations::new(texts, target.words, seed.parse().expect("a seed"));
    while Instant::now() < until {
        attempt(target, &mutations.draw(), &current);
        tried += 1;
    }
    println!("{tried} texts");
}

/// Since when a text is being run, in milliseconds of the processor; 0 while none is.
static SINCE: AtomicU64 = AtomicU64::new(0);

/// The processor's time that this process has used, in milliseconds.
fn used() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("the process's own figures");
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<u64>().expect("a number of ticks");
    1 + (ticks(11) + ticks(12)) * 10
}

/// Ends the process when a text takes too long.
fn watch() {
    loop {
        std::thread::sleep(Duration::from_millis(50));
        let since = SINCE.load(Ordering::Relaxed);
        if since > 0 && used() > since + LIMIT {
            eprintln!("a text takes longer than {LIMIT} ms");
            std::process::abort();
        }
    }
}

fn attempt(target: &Target, text: &str, current: &Path) {
    fs::write(current, text).expect("a file in the target folder");
    if !fails(target, text) {
        return;
    }
    let smallest = minimised(target, text);
    fs::write(current, &smallest).expect("a file in the target folder");
    (target.run)(&smallest);
    unreachable!("{} failed before on the same text", target.name);
}

fn fails(target: &Target, text: &str) -> bool {
    SINCE.store(used(), Ordering::Relaxed);
    let failed = catch_unwind(AssertUnwindSafe(|| (target.run)(text))).is_err();
    SINCE.store(0, Ordering::Relaxed);
    failed
}

/// A small text that fails as well: pieces are taken out for as long as it still does, for some seconds.
fn minimised(target: &Target, text: &str) -> String {
    std::panic::set_hook(Box::new(|_| {}));
    let until = Instant::now() + Duration::from_secs(5);
    let mut text: Vec<char> = text.chars().collect();
    let mut piece = text.len().div_ceil(2);
    while piece > 0 {
        let mut at = 0;
        while at < text.len() && Instant::now() < until {
            let end = (at + piece).min(text.len());
            let shorter: Vec<char> = text[..at].iter().chain(&text[end..]).copied().collect();
            if fails(target, &shorter.iter().collect::<String>()) {
                text = shorter;
            } else {
                at = end;
            }
        }
        piece /= 2;
    }
    drop(std::panic::take_hook());
    text.into_iter().collect()
}
