//! The two streams.

use std::io::{IsTerminal, Write};

/// Prints a result.
pub(super) fn line(text: &str) {
    let mut stream = std::io::stdout().lock();
    // A reader that went away (`| head`) is no error of ours.
    drop(writeln!(stream, "{}", text.trim_end()));
}

/// Says something that is no result.
pub(super) fn talk(text: &str) {
    let mut stream = std::io::stderr().lock();
    drop(writeln!(stream, "{text}"));
}

/// Whether talk goes to a terminal.
pub(super) fn talk_is_watched() -> bool {
    std::io::stderr().is_terminal()
}

/// Whether a result may be coloured.
pub(super) fn line_has_colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Whether talk may be coloured.
pub(super) fn talk_has_colour() -> bool {
    talk_is_watched() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Prints a result in the place of the one before; below it, where nobody watches.
pub(super) fn screen(text: &str) {
    let mut stream = std::io::stdout().lock();
    if !stream.is_terminal() {
        drop(writeln!(stream, "{}\n", text.trim_end()));
        return;
    }
    // Home, each line to its end, and what is left below: nothing flickers as it does when all is cleared first.
    let lines: String = text.trim_end().lines().map(|line| format!("{line}\x1b[K\n")).collect();
    drop(write!(stream, "\x1b[H{lines}\x1b[J"));
    drop(stream.flush());
}
