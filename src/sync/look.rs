//! A look at what an upload means, on this machine alone: what `from` leads to, which of its files are chosen, and under
//! which keys they will lie. It reads names and sizes, no content, and finds what S3 could not hold before any is sent.

use std::path::{Component, Path, PathBuf};

use super::choice::{Chosen, choose};
use super::fruits::DataSet;
use super::local::{At, Local};
use super::walk::walk;
use super::zip::Zip;
use crate::cloud::error::CloudError;
use crate::stack::{FeatureJob, Upload};

/// More entries than these no data set of images has; links among folders can make any number of a few.
const MOST_ENTRIES: usize = 1_000_000;

/// The longest key S3 takes, in bytes.
const LONGEST_KEY: usize = 1_024;

/// The files that an upload sends.
#[derive(Debug)]
pub struct Look {
    pub(super) files: Vec<Local>,
    /// What they are, or are a part of.
    pub data_set: Option<DataSet>,
    /// What of it is sent, and what was asked for and is not there.
    pub notes: Vec<String>,
}

impl Look {
    /// In the order of their keys.
    pub fn files(&self) -> &[Local] {
        &self.files
    }

    /// How many of them a job takes for images, by their names.
    pub fn images(&self) -> usize {
        self.files.iter().filter(|local| FeatureJob::is_image(&local.key)).count()
    }
}

/// Looks at the files of an upload; `None` where there is nothing at `from`.
pub fn look(upload: &Upload) -> Result<Option<Look>, CloudError> {
    among(upload, MOST_ENTRIES)
}

/// The same, where it may have so many files and folders.
pub(super) fn among(upload: &Upload, most: usize) -> Result<Option<Look>, CloudError> {
    let (within, found) = match origin(&upload.from) {
        Origin::Nothing => return Ok(None),
        Origin::Disk => (None, walk(upload, most)?),
        Origin::Zip { archive, within } => {
            let zip = Zip::open(&archive)?;
            let found = zip.entries(&within, most)?;
            if found.is_empty() && !within.is_empty() {
                let message = format!("{} has nothing below {within}", archive.display());
                return Err(CloudError::failed(message));
            }
            (Some(within), found)
        }
    };
    let Chosen { mut files, base, data_set, notes } = choose(upload, within.is_some(), found)?;
    let within = within.unwrap_or_default();
    for local in &mut files {
        // Kept of what is chosen alone: a zip may hold ten times as much.
        if let At::Zip(_, entry) = &mut local.at {
            entry.name = format!("{within}{base}{}", local.key).into();
        }
        fits(local, &upload.to.prefix)?;
        local.key.insert_str(0, &upload.to.prefix);
    }
    files.sort_by(|one, other| one.key.cmp(&other.key));
    if let Some([first, second]) = files.windows(2).find(|pair| pair[0].key == pair[1].key) {
        return Err(first.cannot(&format!("and {second} are both called {}", second.key)));
    }
    Ok(Some(Look { files, data_set, notes }))
}

/// Where a path leads.
enum Origin {
    Disk,
    /// A folder in it, which ends with a slash, or all of it.
    Zip {
        archive: PathBuf,
        within: String,
    },
    Nothing,
}

fn origin(from: &Path) -> Origin {
    let is_zip = |path: &&Path| {
        path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("zip")) && path.is_file()
    };
    // Without a slash at its end, which only a folder may have.
    let from = &*from.components().collect::<PathBuf>();
    if !is_zip(&from) && from.exists() {
        return Origin::Disk;
    }
    let Some(archive) = from.ancestors().find(is_zip) else { return Origin::Nothing };
    let mut within = String::new();
    for part in from.strip_prefix(archive).into_iter().flat_map(Path::components) {
        let Component::Normal(part) = part else { return Origin::Nothing };
        let Some(part) = part.to_str() else { return Origin::Nothing };
        within.push_str(part);
        within.push('/');
    }
    Origin::Zip { archive: archive.to_owned(), within }
}

/// Tells what S3 cannot hold, or a zip cannot give.
fn fits(local: &Local, prefix: &str) -> Result<(), CloudError> {
    // S3 would take them, and no listing of it could be read: XML has no such characters.
    if local.key.contains(|c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')) {
        return Err(local.cannot("has a control character in its name, which no listing of S3 can show"));
    }
    if prefix.len() + local.key.len() > LONGEST_KEY {
        return Err(local.cannot(&format!("makes a key of more than {LONGEST_KEY} bytes, which S3 does not take")));
    }
    match &local.at {
        At::Zip(_, entry) => entry.unfit().map_or(Ok(()), |why| Err(local.cannot(&why))),
        At::Disk(_) => Ok(()),
    }
}
