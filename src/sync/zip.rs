//! A zip as it lies: its list of entries, and the content of each, inflated while it is read. Nothing is unpacked to the
//! disk, one open file serves all who read, and nothing that the archive tells of itself is trusted: names that lead
//! elsewhere, entries that overlap or hold more than was said are told by archive and entry, and end the upload.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::read::DeflateDecoder;
use rawzip::{
    CompressionMethod, FileReader, MAX_CENTRAL_DIRECTORY_RECORD_SIZE, RECOMMENDED_BUFFER_SIZE, ZipArchive,
    ZipArchiveEntryWayfinder,
};

use super::local::{At, Local, modified, shown};
use crate::cloud::error::CloudError;
use crate::text::bytes;

/// A larger entry is no image of a data set: such are sent out of a folder, where they can be read twice.
pub(super) const LARGEST: u64 = 32 << 20;

/// What macOS adds beside each file when it makes a zip; neither a file of the data set nor an image.
const OF_MACOS: &str = "__MACOSX/";

/// An archive that is open.
#[derive(Debug)]
pub(super) struct Zip {
    pub(super) path: PathBuf,
    archive: ZipArchive<FileReader>,
    pub(super) size: u64,
    pub(super) modified: Option<u64>,
}

/// One file in it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// As the archive has it; empty until it is chosen.
    pub(super) name: Box<str>,
    pub(super) crc: u32,
    at: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    encrypted: bool,
    link: bool,
}

impl Zip {
    pub(super) fn open(path: &Path) -> Result<Arc<Self>, CloudError> {
        let unreadable = |e: io::Error| CloudError::failed(format!("{} cannot be read: {e}", path.display()));
        let file = File::open(path).map_err(unreadable)?;
        let told = file.metadata().map_err(unreadable)?;
        let archive = ZipArchive::from_file(file, &mut vec![0; RECOMMENDED_BUFFER_SIZE])
            .map_err(|error| CloudError::failed(format!("{} is no zip, or is cut short: {error}", path.display())))?;
        Ok(Arc::new(Self { path: path.to_owned(), archive, size: told.len(), modified: modified(&told) }))
    }

    /// The files below a folder of it, which ends with a slash or is empty; their keys are the paths from there.
    pub(super) fn entries(self: &Arc<Self>, within: &str, most: usize) -> Result<Vec<Local>, CloudError> {
        let mut piece = vec![0; MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
        let mut entries = self.archive.entries(&mut piece);
        let (mut found, mut read, mut packed) = (Vec::new(), 0, 0_u64);
        while let Some(entry) = entries.next_entry().map_err(|error| self.broken(&error))? {
            read += 1;
            if read > most {
                return Err(self.wrong(&format!("holds more than {most} files and folders")));
            }
            packed = packed.saturating_add(entry.compressed_size_hint());
            let raw = entry.file_path();
            let name = std::str::from_utf8(raw.as_bytes()).map_err(|_| {
                let name = String::from_utf8_lossy(raw.as_bytes());
                self.wrong(&format!("holds {}, a name that is not UTF-8, which S3 cannot hold", shown(&name)))
            })?;
            self.proper(name)?;
            if entry.is_dir() || name.starts_with(OF_MACOS) {
                continue;
            }
            let Some(key) = name.strip_prefix(within) else { continue };
            let of = Entry {
                name: Box::default(),
                crc: entry.crc32(),
                at: entry.wayfinder(),
                method: entry.compression_method(),
                encrypted: entry.flags().is_encrypted() || entry.flags().has_strong_encryption(),
                link: entry.mode().is_symlink(),
            };
            let (key, size) = (key.to_owned(), entry.uncompressed_size_hint());
            found.push(Local { at: At::Zip(self.clone(), of), key, size, modified: self.modified });
        }
        // Archives without the large form count to 65,535 and begin anew.
        if (read as u64) % (1 << 16) != self.archive.entries_hint() % (1 << 16) {
            let told = self.archive.entries_hint();
            return Err(self.wrong(&format!("tells of {told} entries and lists {read}: it is damaged or cut short")));
        }
        if packed > self.size {
            return Err(self.wrong("has entries that overlap: together they are larger than the archive"));
        }
        Ok(found)
    }

    /// The content of an entry. It ends in an error where its length or its CRC-32 is not the one that was told.
    pub(super) fn read<'a>(&'a self, entry: &Entry) -> Result<impl Read + 'a, rawzip::Error> {
        let found = self.archive.get_entry(entry.at)?;
        let packed = found.reader();
        let plain: Box<dyn Read + 'a> = match entry.method {
            CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(packed)),
            _ => Box::new(packed),
        };
        Ok(found.verifying_reader(plain))
    }

    /// Whether a name is a plain path below the archive's root, whoever reads it.
    fn proper(&self, name: &str) -> Result<(), CloudError> {
        let parts = name.strip_suffix('/').unwrap_or(name).split('/');
        let drive = matches!(name.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
        let why = if name.starts_with('/') || drive {
            "which is an absolute path"
        } else if parts.clone().any(|part| part == "..") {
            "which leads out of the archive"
        } else if name.contains('\\') {
            "with a backslash, which Windows takes for a slash and S3 does not"
        } else if parts.clone().any(|part| part.is_empty() || part == ".") {
            "with a part that names nothing"
        } else {
            return Ok(());
        };
        let message = format!("{} holds {}, {why}: nothing is sent", self.path.display(), shown(name));
        Err(CloudError::refused(message))
    }

    fn broken(&self, error: &dyn fmt::Display) -> CloudError {
        self.wrong(&format!("is damaged or cut short: {error}"))
    }

    fn wrong(&self, what: &str) -> CloudError {
        CloudError::failed(format!("{} {what}", self.path.display()))
    }
}

impl Entry {
    /// Why it cannot be sent, if it cannot.
    pub(super) fn unfit(&self) -> Option<String> {
        const INSTEAD: &str = "unpack the zip, and name the folder";
        let size = self.at.uncompressed_size_hint();
        if self.encrypted {
            Some(format!("is encrypted, and nobody is asked for a password: {INSTEAD}"))
        } else if self.link {
            Some(format!("is a link, and those of a zip are not followed: {INSTEAD}"))
        } else if ![CompressionMethod::STORE, CompressionMethod::DEFLATE].contains(&self.method) {
            Some(format!("is compressed by {}, and deflate alone is read here: {INSTEAD}", self.method))
        } else if size > LARGEST {
            Some(format!(
                "tells of {}, more than the {} of an entry that are read: {INSTEAD}",
                bytes(size),
                bytes(LARGEST)
            ))
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests;
