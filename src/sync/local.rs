//! A file to send, wherever it lies: on the disk or in a zip. It is read piece by piece, and only by those who ask.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::manifest::Packed;
use super::zip::{Entry, Zip};
use crate::cloud::error::CloudError;

/// A file of this machine.
#[derive(Clone, Debug)]
pub struct Local {
    pub(super) at: At,
    /// Until it is chosen, its path below what it was found in; then its key.
    pub(super) key: String,
    pub(super) size: u64,
    /// When it was last written, or the zip that it is in.
    pub(super) modified: Option<u64>,
}

/// Where it lies.
#[derive(Clone, Debug)]
pub(super) enum At {
    Disk(PathBuf),
    Zip(Arc<Zip>, Entry),
}

/// When a file was last written, in nanoseconds since 1970; `None` where its file system does not tell.
pub(super) fn modified(told: &Metadata) -> Option<u64> {
    u64::try_from(told.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()
}

impl Local {
    pub fn key(&self) -> &str {
        &self.key
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its content, from the beginning. That of a zip's entry ends in an error where it is not what the zip tells of it.
    pub fn open(&self) -> Result<Box<dyn Read + '_>, CloudError> {
        match &self.at {
            At::Disk(path) => Ok(Box::new(File::open(path).map_err(|e| self.unreadable(&e))?)),
            At::Zip(zip, entry) => Ok(Box::new(zip.read(entry).map_err(|e| self.unreadable(&e))?)),
        }
    }

    /// What tells an entry of a zip from another, unread.
    pub(super) fn packed(&self) -> Option<Packed> {
        match &self.at {
            At::Disk(_) => None,
            At::Zip(zip, entry) => Some(Packed { archive: zip.size, crc: entry.crc }),
        }
    }

    /// The file of the disk that it is, or is in.
    pub(super) fn file(&self) -> &Path {
        match &self.at {
            At::Disk(path) => path,
            At::Zip(zip, _) => &zip.path,
        }
    }

    pub(super) fn unreadable(&self, error: &dyn fmt::Display) -> CloudError {
        self.cannot(&format!("cannot be read: {error}"))
    }

    pub(super) fn cannot(&self, why: &str) -> CloudError {
        CloudError::failed(format!("{self} {why}"))
    }
}

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            At::Disk(path) => write!(f, "{}", path.display()),
            At::Zip(zip, entry) => write!(f, "{}: {}", zip.path.display(), shown(&entry.name)),
        }
    }
}

/// A name out of a zip, for people: nobody has looked at what is in it.
pub(super) fn shown(name: &str) -> String {
    const LONGEST: usize = 200;
    let mut whole = String::new();
    for c in name.chars().take(LONGEST) {
        if c.is_control() { whole.extend(c.escape_default()) } else { whole.push(c) }
    }
    if name.chars().nth(LONGEST).is_some() { format!("{whole}...") } else { whole }
}
