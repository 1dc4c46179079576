//! The embedded AWS as a process: installed, started, found again, stopped. Loopback only; it never outlives
//! a `local stop`, and never touches a real account.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::cloud::http::{Contacts, Http};
use crate::python::{self, PythonError};

/// From a cold disk it serves within this.
const READY: Duration = Duration::from_secs(90);

#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error(transparent)]
    Python(#[from] PythonError),
    #[error("the embedded AWS cannot be started: {0}")]
    Start(std::io::Error),
    #[error("the embedded AWS did not serve within {} s; its log is {log}", READY.as_secs())]
    Silent { log: String },
    #[error("the embedded AWS ended at once; its log, {log}, ends:\n{tail}")]
    Ended { log: String, tail: String },
    #[error("the embedded AWS (process {0}) does not stop; `kill -9 {0}` ends it")]
    Stubborn(u32),
}

/// What a running one says of itself in `status.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Status {
    pub endpoint: String,
    pub pid: u32,
    pub regions: Vec<String>,
    pub account: String,
    pub model: String,
}

/// How to start one.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub port: Option<u16>,
    /// Seconds of the served clock in a real second.
    pub rate: Option<f64>,
    /// `ministack`, or `moto` for a second opinion.
    pub model: Option<String>,
}

/// Where the embedded AWS of this user runs: `FRUITSINFRA_LOCAL`, else in the cache.
pub fn folder() -> PathBuf {
    let named = std::env::var_os("FRUITSINFRA_LOCAL").filter(|value| !value.is_empty());
    named.map_or_else(|| python::cache().join("local"), PathBuf::from)
}

fn http(timeout: Duration) -> Http {
    Http::new(&Contacts::default(), timeout)
}

/// The one that was started last, whether it still runs or not.
fn started() -> Option<Status> {
    serde_json::from_slice(&std::fs::read(folder().join("status.json")).ok()?).ok()
}

/// Whether a process is an embedded AWS: its number may have gone to another.
fn runs(pid: u32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains("local_aws"))
}

/// The one that runs, if one does and answers.
pub async fn status() -> Option<Status> {
    let status = started()?;
    let healthy = http(Duration::from_secs(5)).get(&format!("{}/_local/health", status.endpoint)).await;
    healthy.ok().map(|_| status)
}

/// Starts one unless it runs, and returns when it serves.
pub async fn start(options: &Options, mut say: impl FnMut(&str)) -> Result<Status, LocalError> {
    if let Some(status) = status().await {
        return Ok(status);
    }
    let cache = python::cache();
    let model = options.model.as_deref().unwrap_or("ministack");
    let set = if model == "moto" { "moto" } else { "aws" };
    let installed = python::install(set, &cache, &mut say).await?;
    let package = python::extract(&cache)?;
    let folder = folder();
    std::fs::create_dir_all(&folder).map_err(LocalError::Start)?;
    let log = folder.join("process.log");
    let mut child = launch(&installed.python, &package, &folder, &cache, model, options, &log)?;
    let begun = Instant::now();
    while begun.elapsed() < READY {
        if let Some(status) = status().await {
            return Ok(status);
        }
        if let Ok(Some(_)) = child.try_wait() {
            // Another one of the same folder may have been faster.
            if let Some(status) = status().await {
                return Ok(status);
            }
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<&str> = said.lines().collect();
            let tail = lines[lines.len().saturating_sub(8)..].join("\n");
            return Err(LocalError::Ended { log: log.display().to_string(), tail });
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let _ = child.kill();
    Err(LocalError::Silent { log: log.display().to_string() })
}

fn launch(
    python: &Path,
    package: &Path,
    folder: &Path,
    cache: &Path,
    model: &str,
    options: &Options,
    log: &Path,
) -> Result<std::process::Child, LocalError> {
    use std::os::unix::process::CommandExt;
    let output = std::fs::File::create(log).map_err(LocalError::Start)?;
    let errors = output.try_clone().map_err(LocalError::Start)?;
    let mut command = std::process::Command::new(python);
    command.args(["-m", "local_aws", "--model", model, "--dir"]).arg(folder).arg("--cache").arg(cache);
    if let Some(port) = options.port {
        command.args(["--port", &port.to_string()]);
    }
    if let Some(rate) = options.rate {
        command.args(["--rate", &rate.to_string()]);
    }
    command.env("PYTHONPATH", package).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(folder);
    // A group of its own: Ctrl-C at a demo ends the command, not the cloud under it.
    command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
    command.spawn().map_err(LocalError::Start)
}

/// Stops the one that runs, even if it does not answer; false if none did.
pub async fn stop() -> Result<bool, LocalError> {
    let Some(status) = started().filter(|status| runs(status.pid)) else { return Ok(false) };
    let url = format!("{}/_local/shutdown", status.endpoint);
    // Its answer may be cut off by its own end.
    let _ = http(Duration::from_secs(10)).post_json(&url, &serde_json::json!({})).await;
    let begun = Instant::now();
    while runs(status.pid) {
        if begun.elapsed() > Duration::from_secs(30) {
            return Err(LocalError::Stubborn(status.pid));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(true)
}
