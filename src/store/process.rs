//! Who this process is, in words for people and in a form by which another can tell that it is gone.

use std::fs;
use std::os::unix::fs::MetadataExt;

/// A process, as the lease records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    /// `user@host pid 123 (0.1.0)`: who, and with which version of this program.
    pub(super) shown: String,
    /// Boot, pid namespace, pid and start time; empty where the system does not tell.
    pub(super) identity: String,
}

impl Process {
    pub(super) fn this() -> Self {
        let pid = std::process::id();
        let user = user().unwrap_or_else(|| "unknown".to_owned());
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        Self {
            shown: format!("{user}@{host} pid {pid} ({})", env!("CARGO_PKG_VERSION")),
            identity: identity(pid).unwrap_or_default(),
        }
    }
}

/// Who runs it. In a container nobody may have said so in the environment; then the process's owner is looked up.
fn user() -> Option<String> {
    let named =
        ["USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
    named.or_else(|| {
        let id = fs::metadata("/proc/self").ok()?.uid().to_string();
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let name = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let mut found = name.filter(|fields| fields.get(2) == Some(&id.as_str()));
        Some(found.next().map_or_else(|| format!("uid {id}"), |fields| fields[0].to_owned()))
    })
}

fn here() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{}/{}", boot.trim(), namespace.display()))
}

fn identity(pid: u32) -> Option<String> {
    // The start time is the 22nd field, counted behind the name, which may hold anything.
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let started = stat.rsplit(')').next()?.split_whitespace().nth(19)?.to_owned();
    Some(format!("{}/{pid}/{started}", here()?))
}

/// Whether a process is surely gone: it ran where this one runs, and there is no such process any more. A process of
/// another machine or container is never surely gone; its lease has to run out.
pub(super) fn is_gone(recorded: &str) -> bool {
    let Some(prefix) = here() else { return false };
    let Some((pid, _)) = recorded.strip_prefix(&format!("{prefix}/")).and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    pid.parse().is_ok_and(|pid| identity(pid).as_deref() != Some(recorded))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_process_is_not_gone_and_a_finished_one_is() {
        let this = Process::this().identity;
        assert!(!is_gone(&this));
        assert!(!is_gone("another-boot/pid:[1]/1/2"));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let gone = identity(child.id()).unwrap();
        child.wait().unwrap();
        assert!(is_gone(&gone));
    }
}
