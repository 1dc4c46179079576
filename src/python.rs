//! The Python files that the binary carries (the embedded AWS, its installer) and the installer that is run
//! for what they need. Everything lands in the user's cache; the machine's own Python is never changed.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use include_dir::{Dir, include_dir};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::cloud::mark::fingerprint;

static LOCAL_AWS: Dir = include_dir!("$CARGO_MANIFEST_DIR/scripts/local_aws");

#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    #[error("{path} cannot be written: {cause}")]
    Write { path: String, cause: std::io::Error },
    #[error("python3.11 is needed and cannot be started: {0}")]
    Missing(std::io::Error),
    #[error("{0} could not be installed; its last words are above")]
    Install(String),
    #[error("the installer answered something else than expected: {0}")]
    Answer(String),
}

/// What an installed set is reached by.
#[derive(Clone, Debug, Deserialize)]
pub struct Installed {
    pub python: PathBuf,
    /// The file made, for sets that are a file.
    pub path: Option<PathBuf>,
    pub sha256: Option<String>,
}

/// Where everything that is kept between runs is: `FRUITSINFRA_CACHE`, else the user's cache folder.
pub fn cache() -> PathBuf {
    let of = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    of("FRUITSINFRA_CACHE").unwrap_or_else(|| {
        let user = of("XDG_CACHE_HOME").or_else(|| of("HOME").map(|home| home.join(".cache")));
        user.unwrap_or_else(std::env::temp_dir).join("fruitsinfra")
    })
}

/// Writes the carried files into the cache, once for each version of them, and returns the folder that holds
/// the package `local_aws`.
pub fn extract(cache: &Path) -> Result<PathBuf, PythonError> {
    let mut all: Vec<_> = files(&LOCAL_AWS);
    all.sort_by_key(|(path, _)| path.clone());
    let text: Vec<u8> =
        all.iter().flat_map(|(path, body)| [path.as_os_str().as_encoded_bytes(), b"\0", body].concat()).collect();
    let folder = cache.join("python").join(fingerprint(text));
    let done = folder.join(".ready");
    if done.exists() {
        return Ok(folder);
    }
    for (path, body) in all {
        write(&folder.join("local_aws").join(path), body)?;
    }
    write(&done, b"")?;
    Ok(folder)
}

fn files(dir: &'static Dir) -> Vec<(PathBuf, &'static [u8])> {
    let here = dir.files().map(|file| (file.path().to_owned(), file.contents()));
    let here = here.filter(|(path, _)| path.extension().is_none_or(|e| e != "pyc"));
    here.chain(dir.dirs().flat_map(files)).collect()
}

/// Puts a file into the cache: whole or not at all.
pub(crate) fn write(path: &Path, body: &[u8]) -> Result<(), PythonError> {
    let failed = |cause| PythonError::Write { path: path.display().to_string(), cause };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    // Two at once write the same bytes; a rename never shows half of them.
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    std::fs::write(&partial, body).map_err(failed)?;
    std::fs::rename(&partial, path).map_err(failed)
}

/// Installs a set (`aws`, `spark`, `weights`, `seeded`) unless it is there, telling progress line by line.
pub async fn install(set: &str, cache: &Path, mut say: impl FnMut(&str)) -> Result<Installed, PythonError> {
    let folder = extract(cache)?;
    let mut child = Command::new("python3.11")
        .arg(folder.join("local_aws/install.py"))
        .args([set, "--cache"])
        .arg(cache)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(PythonError::Missing)?;
    if let Some(pipe) = child.stderr.take() {
        let (mut pipe, mut line) = (BufReader::new(pipe), Vec::new());
        // Whatever it writes is read: a pipe that is full would hold it for ever.
        while pipe.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
            say(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
    }
    let output = child.wait_with_output().await.map_err(PythonError::Missing)?;
    if !output.status.success() {
        return Err(PythonError::Install(set.into()));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).map_err(|e| PythonError::Answer(format!("{e}: {last}")))
}
