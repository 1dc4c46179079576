//! What stories stand on: an embedded AWS of one's own, the real binary in a clean environment behind a fence,
//! copies of the repository's stacks to edit, and an independent client. It must never reach a network, a
//! credential or a cache entry that the binary itself would not.

pub(crate) mod control;
pub(crate) mod oracle;
pub(crate) mod sources;
pub(crate) mod tables;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// No command of a story takes longer; one that does hangs.
const AT_MOST: Duration = Duration::from_mins(4);

/// Every request that leaves loopback would go there, where nobody listens.
const FENCE: &str = "http://127.0.0.1:9";

/// An account of its own in an AWS of its own, and a folder to work in.
pub(crate) struct Aws {
    pub(crate) endpoint: String,
    /// What each command is told after its stack, where it takes weights: no story but the job's reads them.
    pub(crate) weights: &'static str,
    folder: TempDir,
    runtime: tokio::runtime::Runtime,
    _settings: insta::internals::SettingsBindDropGuard,
}

/// How a command ended and what it said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Aws {
    /// One whose clusters are up in two seconds.
    pub(crate) fn start() -> Self {
        Self::with(&["--rate", "120"])
    }

    pub(crate) fn with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let copied = |name: &str| copy(&repository().join(name), &folder.path().join(name));
        copied("stacks");
        for (name, text) in [("1.jpg", "one"), ("2.jpg", "two"), ("Pomme Été/3.jpg", "three")] {
            let path = folder.path().join("out/images").join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder of images");
            fs::write(path, text).expect("an image");
        }
        fs::write(folder.path().join("weights.h5"), "weights").expect("weights");
        // The first start on a machine installs what the embedded AWS needs: the one command without a fence.
        let mut start = Command::new(env!("CARGO_BIN_EXE_fruitsinfra"));
        start.args(["local", "start", "--port", "0", "--output", "json"]).args(options);
        start.current_dir(folder.path()).env("FRUITSINFRA_LOCAL", folder.path().join("aws"));
        start.env("FRUITSINFRA_CACHE", fruitsinfra::python::cache());
        let status: Value = ended(start.output().expect("the binary starts")).expect(0).json();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self {
            endpoint: status["endpoint"].as_str().expect("an endpoint").to_owned(),
            weights: "weights.h5",
            folder,
            runtime,
            _settings: settings(),
        }
    }

    /// Where the commands run: `stacks/` is there, `out/images` too.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs `fruitsinfra --local ...` to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let mut command = assert_cmd::Command::from_std(self.command(args));
        ended(command.timeout(AT_MOST).output().expect("the binary starts"))
    }

    /// Starts `fruitsinfra --local ...`, to be signalled.
    pub(crate) fn spawn(&self, args: &[&str]) -> Child {
        let mut command = self.command(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts")
    }

    /// `fruitsinfra --local ...`, to be started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = clean(self.folder());
        command.arg("--local").args(args);
        command
    }

    pub(crate) fn up(&self, stack: &str) -> Ran {
        self.run(&["up", stack, "--yes", "--weights", self.weights])
    }

    pub(crate) fn plan(&self, stack: &str) -> Ran {
        self.run(&["plan", stack, "--detailed-exitcode", "--weights", self.weights])
    }

    pub(crate) fn status(&self, stack: &str) -> Value {
        self.run(&["status", stack, "--output", "json"]).expect(0).json()
    }

    pub(crate) fn down(&self, stack: &str) -> Ran {
        self.run(&["down", stack, "--yes"])
    }

    pub(crate) fn destroy(&self, stack: &str) -> Ran {
        self.run(&["destroy", stack, "--yes"])
    }

    /// Replaces a passage, which must be there once, in a file of the folder.
    pub(crate) fn edit(&self, file: &str, from: &str, to: &str) {
        let path = self.folder().join(file);
        let text = fs::read_to_string(&path).expect("a file to edit");
        assert_eq!(text.matches(from).count(), 1, "{from:?} in {file}");
        fs::write(path, text.replace(from, to)).expect("edited");
    }

    /// Waits for what only an asynchronous client can tell.
    pub(crate) fn wait<T>(&self, asked: impl Future<Output = T>) -> T {
        self.runtime.block_on(asked)
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        let stopped = clean(self.folder()).args(["local", "stop"]).output();
        if !std::thread::panicking() {
            assert!(stopped.is_ok_and(|stopped| stopped.status.success()), "the embedded AWS does not stop");
        }
    }
}

/// The binary as a cron job would start it: nothing of the caller's environment but where programs are.
pub(crate) fn clean(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fruitsinfra"));
    command.env_clear().current_dir(folder).env("HOME", folder).env("NO_COLOR", "1").env("COLUMNS", "120");
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("FRUITSINFRA_LOCAL", folder.join("aws")).env("FRUITSINFRA_CACHE", fruitsinfra::python::cache());
    command.env("HTTP_PROXY", FENCE).env("HTTPS_PROXY", FENCE).env("NO_PROXY", "127.0.0.1,localhost");
    command
}

impl Ran {
    /// Passes it on if it ended like this; shows all of it if not.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        let Self { code: found, out, err } = &self;
        assert_eq!(*found, Some(code), "\n--- stdout\n{out}\n--- stderr\n{err}");
        self
    }

    /// The one JSON value on stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The JSON lines on stdout.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }
}

pub(crate) fn ended(output: std::process::Output) -> Ran {
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

pub(crate) fn repository() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder to copy") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// What differs from run to run, in snapshots.
fn settings() -> insta::internals::SettingsBindDropGuard {
    let mut settings = insta::Settings::clone_current();
    for (pattern, shown) in [
        (r"\bj-[A-Z0-9]{13}\b", "[cluster]"),
        (r"\bs-[A-Z0-9]{13}\b", "[step]"),
        (r"\bi-[0-9a-f]{17}\b", "[instance]"),
        (r"\bsg-[0-9a-f]{17}\b", "[group]"),
        (r"\b(subnet|vpc)-[0-9a-f]{8,17}\b", "[$1]"),
        (r"([.@])[0-9a-f]{12}\b", "$1[hash]"),
        (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)? UTC", "[time]"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]"),
        (r"on \S+ \(process \d+\)", "on [host] (process [pid])"),
        (r"\d+\.\d\d USD", "[amount] USD"),
        (r"(\d+ h )?(\d+ min )?\d+ s\b", "[while]"),
    ] {
        settings.add_filter(pattern, shown);
    }
    settings.bind_to_scope()
}
