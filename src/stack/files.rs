//! Where a stack and what it names are read from: the disk, or whatever else keeps files, as a revision does. Reading
//! alone, bounded, links followed; it must never write, and never say what a file means.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What a path leads to, links followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    /// A device, a pipe: something that may have no end, or make its reader wait.
    Other,
}

/// Keeps files by path.
pub trait Files: Sync {
    /// What is there. Absent: an error of kind `NotFound`.
    fn kind(&self, path: &Path) -> io::Result<Kind>;

    /// The first bytes of a file, at most so many.
    fn read(&self, path: &Path, most: u64) -> io::Result<Vec<u8>>;

    /// Where a path leads when its links are followed; comparable with another one of the same files.
    fn settled(&self, path: &Path) -> io::Result<PathBuf>;

    /// The names of what is directly within a folder, in order.
    fn names(&self, folder: &Path) -> io::Result<Vec<String>>;
}

/// The disk of this machine.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// What relative paths are relative to; empty for where the program runs.
    root: PathBuf,
}

/// The disk, seen from where the program runs.
pub(super) static DISK: Disk = Disk { root: PathBuf::new() };

impl Disk {
    #[must_use]
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }
}

impl Files for Disk {
    fn kind(&self, path: &Path) -> io::Result<Kind> {
        let kind = std::fs::metadata(self.root.join(path))?;
        Ok(match (kind.is_file(), kind.is_dir()) {
            (true, _) => Kind::File,
            (_, true) => Kind::Folder,
            _ => Kind::Other,
        })
    }

    fn read(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(self.root.join(path))?.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn settled(&self, path: &Path) -> io::Result<PathBuf> {
        let path = self.root.join(path);
        if path.as_os_str().is_empty() { Path::new(".").canonicalize() } else { path.canonicalize() }
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let folder = self.root.join(folder);
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
        let names = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let mut names: Vec<String> = names.collect::<io::Result<_>>()?;
        names.sort();
        Ok(names)
    }
}

/// The folder of a stack, whose `templates/` come before ours.
#[derive(Clone, Copy)]
pub struct Folder<'a> {
    pub files: &'a dyn Files,
    pub path: &'a Path,
}

impl<'a> From<&'a Path> for Folder<'a> {
    /// A folder of the disk.
    fn from(path: &'a Path) -> Self {
        Self { files: &DISK, path }
    }
}

impl<'a> From<&'a PathBuf> for Folder<'a> {
    fn from(path: &'a PathBuf) -> Self {
        path.as_path().into()
    }
}
