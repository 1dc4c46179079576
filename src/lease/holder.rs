//! Who is at work: owner, machine and process, as the lease's body names them. It tells the living from the
//! dead on its own machine, and claims to know nothing of others.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Who is at work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub owner: String,
    pub command: String,
    pub since: Timestamp,
    pub host: String,
    /// Identifies a run of the machine and its table of processes: a process id means nothing beyond it.
    pub boot: String,
    pub pid: u32,
    /// When the process started, in the kernel's ticks since boot: process ids are used again.
    pub started: u64,
    /// Tells two leases of one process apart.
    pub nonce: String,
    /// Counts up, so that every heartbeat has another ETag.
    pub beat: u64,
}

impl Holder {
    pub fn me(owner: &str, command: &str, since: Timestamp) -> Self {
        let pid = std::process::id();
        Self {
            owner: owner.into(),
            command: command.into(),
            since,
            host: read("/proc/sys/kernel/hostname"),
            boot: boot(),
            pid,
            started: started(pid).unwrap_or_default(),
            nonce: format!("{:016x}", fastrand::u64(..)),
            beat: 0,
        }
    }

    /// Reads a lease's body. One that cannot be read is somebody's all the same: it is waited out as any other.
    pub fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_else(|_| Self {
            owner: "somebody whose lease cannot be read".into(),
            command: "?".into(),
            since: Timestamp::UNIX_EPOCH,
            host: "?".into(),
            boot: String::new(),
            pid: 0,
            started: 0,
            nonce: String::new(),
            beat: 0,
        })
    }

    /// Whether its process is known to be dead, which only its own machine knows.
    pub fn is_dead(&self) -> bool {
        self.is_near() && started(self.pid) != Some(self.started)
    }

    /// Whether its process is known to live.
    pub fn is_alive(&self) -> bool {
        self.is_near() && started(self.pid) == Some(self.started)
    }

    fn is_near(&self) -> bool {
        !self.boot.is_empty() && self.boot == boot()
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { owner, command, since, host, pid, .. } = self;
        let since = since.strftime("%Y-%m-%d %H:%M:%S UTC");
        write!(f, "{owner} runs `{command}` on {host} (process {pid}) since {since}")
    }
}

/// This run of this machine, as far as process ids reach: containers of one machine share its boot alone.
fn boot() -> String {
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let boot = read("/proc/sys/kernel/random/boot_id");
    if boot.is_empty() { boot } else { format!("{boot} {}", namespace.display()) }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// Field 22 of `/proc/<pid>/stat`; the command before it may hold spaces and parentheses. A zombie is dead.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    if *fields.first()? == "Z" { None } else { fields.get(19)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_knows_the_living_from_the_dead() {
        let me = Holder::me("o", "up", Timestamp::UNIX_EPOCH);
        assert!(me.is_alive() && !me.is_dead());
        let reused = Holder { started: me.started + 1, ..me.clone() };
        assert!(reused.is_dead() && !reused.is_alive());
        let elsewhere = Holder { boot: "another machine".into(), ..me };
        assert!(!elsewhere.is_dead() && !elsewhere.is_alive());
    }

    #[test]
    fn a_body_that_cannot_be_read_is_somebodys_and_not_known_to_be_dead() {
        for body in [&b""[..], b"{}", b"\xff", b"[1]"] {
            let holder = Holder::read(body);
            assert!(!holder.is_dead() && !holder.is_alive(), "{holder}");
        }
    }
}
