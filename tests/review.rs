//! The review of a change: pairs of stacks in every form of output, git revisions through the real binary, pages that
//! are parsed, and properties over drawn stacks. Nothing here needs an AWS or a network.

mod git;
mod page;
mod pairs;
mod properties;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Component, Path, PathBuf};

use fruitsinfra::price::Table;
use fruitsinfra::review::{Report, Side, Terms};
use fruitsinfra::stack::{Files, Kind};

/// Files that are nowhere but in a test.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(BTreeMap<PathBuf, Vec<u8>>);

impl Memory {
    pub(crate) fn with(mut self, path: &str, text: &str) -> Self {
        self.0.insert(path.into(), text.into());
        self
    }
}

fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

impl Files for Memory {
    fn kind(&self, path: &Path) -> io::Result<Kind> {
        let path = plain(path);
        if self.0.contains_key(&path) {
            return Ok(Kind::File);
        }
        let folder = self.0.keys().any(|other| other.starts_with(&path));
        if folder { Ok(Kind::Folder) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn read(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let bytes = self.0.get(&plain(path)).ok_or(io::ErrorKind::NotFound)?;
        Ok(bytes.iter().copied().take(usize::try_from(most).expect("fits")).collect())
    }

    fn settled(&self, path: &Path) -> io::Result<PathBuf> {
        self.kind(path).map(|_| plain(path))
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let below = self.0.keys().filter_map(|path| path.strip_prefix(plain(folder)).ok()?.iter().next());
        let names: BTreeSet<String> = below.map(|name| name.to_string_lossy().into_owned()).collect();
        Ok(names.into_iter().collect())
    }
}

/// Compares two folders of stacks.
pub(crate) fn compared(old: Memory, new: Memory) -> Report {
    let side = |label: &str, files: Memory| Side::new(label, None, Box::new(files)).with_folder("stacks");
    let prices = Table::built_in();
    Report::of(
        &side("old", old),
        &side("new", new),
        Terms { prices: &prices, today: jiff::civil::date(2026, 11, 28), account: None },
    )
}
