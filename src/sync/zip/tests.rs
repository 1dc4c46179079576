//! Archives that are whole, foreign, hostile or cut short.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use rawzip::ZipArchiveWriter;
use rawzip::path::EntryPath;

use super::super::look::{self, Look};
use super::*;
use crate::cloud::error::Class;
use crate::stack::{Links, Place, Sample, Split, Upload};

/// A zip of these names, each holding its own name a few times, so that it can be deflated.
fn zip(names: &[&str]) -> Vec<u8> {
    let contents: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (*name, name.repeat(20).into_bytes())).collect();
    zip_of(&contents)
}

fn zip_of(contents: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipArchiveWriter::new(Vec::new());
    for (number, (name, content)) in contents.iter().enumerate() {
        if let Some(folder) = name.strip_suffix('/') {
            zip.new_dir(&*format!("{folder}/")).create().expect("a folder");
            continue;
        }
        let method = if number % 2 == 0 { CompressionMethod::DEFLATE } else { CompressionMethod::STORE };
        let named = EntryPath::verbatim(name.as_bytes().to_vec());
        let (mut entry, config) = zip.new_file(named).compression_method(method).start().expect("an entry");
        let told = if method == CompressionMethod::DEFLATE {
            let mut data = config.wrap(DeflateEncoder::new(&mut entry, Compression::default()));
            data.write_all(content).expect("written");
            let (encoder, told) = data.finish().expect("counted");
            encoder.finish().expect("deflated");
            told
        } else {
            let mut data = config.wrap(&mut entry);
            data.write_all(content).expect("written");
            data.finish().expect("counted").1
        };
        entry.finish(told).expect("finished");
    }
    zip.finish().expect("a directory")
}

/// Where a name stands for the second time: in the directory at the end.
fn listed(zip: &[u8], name: &str) -> usize {
    let found = zip.windows(name.len()).rposition(|window| window == name.as_bytes());
    found.expect("is listed")
}

/// Begins of the directory's header of an entry, by its name.
fn header(zip: &[u8], name: &str) -> usize {
    listed(zip, name) - 46
}

struct Archive {
    folder: tempfile::TempDir,
}

impl Archive {
    fn of(data: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("fruits.zip"), data).expect("written");
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("fruits.zip")
    }

    fn upload(&self, within: &str) -> Upload {
        let from = if within.is_empty() { self.path() } else { self.path().join(within) };
        Upload { from, to: Place::new("data", "images/"), links: Links::Within, split: None, sample: None }
    }

    fn look(&self) -> Result<Look, CloudError> {
        Ok(look::look(&self.upload(""))?.expect("is there"))
    }

    /// What is told of it, without where it is.
    #[track_caller]
    fn refused(&self) -> String {
        let error = self.look().and_then(|look| read(&look)).expect_err("is refused");
        error.to_string().replace(&self.path().display().to_string(), "ZIP")
    }
}

fn read(look: &Look) -> Result<Vec<(String, String)>, CloudError> {
    let text = |local: &Local| {
        let mut text = String::new();
        local.open()?.read_to_string(&mut text).map_err(|error| local.unreadable(&error))?;
        Ok((local.key().to_owned(), text))
    };
    look.files().iter().map(text).collect()
}

const FRUITS: [&str; 7] = [
    "fruits-360/",
    "fruits-360/Test/Pomme Été/1.jpg",
    "fruits-360/Test/Fig/2.jpg",
    "fruits-360/Training/Fig/a b+c%41.jpg",
    "fruits-360/LICENSE",
    "__MACOSX/fruits-360/Test/Fig/._2.jpg",
    "papers/one.pdf",
];

#[test]
fn a_zip_is_read_as_it_lies() {
    let archive = Archive::of(&zip(&FRUITS));
    let found = archive.look().expect("a zip");
    let told: Vec<(String, String)> = read(&found).expect("read");
    let keys: Vec<&str> = told.iter().map(|(key, _)| key.as_str()).collect();
    let wanted = ["LICENSE", "Test/Fig/2.jpg", "Test/Pomme Été/1.jpg", "Training/Fig/a b+c%41.jpg"];
    assert_eq!(keys, wanted.map(|key| format!("images/{key}")));
    for (key, text) in &told {
        assert_eq!(*text, format!("fruits-360/{}", key.strip_prefix("images/").expect("below")).repeat(20));
    }
    assert_eq!(found.notes, ["1 file beside fruits-360/ in the zip: not sent"]);
    assert_eq!((found.images(), found.data_set.expect("recognised").classes), (3, 2));

    // A folder of it is named as if it were one of the disk.
    for (within, split, keys) in [
        ("fruits-360", Some(Split::Test), vec!["images/Fig/2.jpg", "images/Pomme Été/1.jpg"]),
        ("fruits-360/Training", None, vec!["images/Fig/a b+c%41.jpg"]),
        ("papers", None, vec!["images/one.pdf"]),
    ] {
        let found = look::look(&Upload { split, ..archive.upload(within) }).expect("a zip").expect("is there");
        assert_eq!(found.files().iter().map(Local::key).collect::<Vec<_>>(), keys, "{within}");
    }
    let nothing = look::look(&archive.upload("papers/two")).expect_err("is empty");
    assert!(nothing.message.ends_with("has nothing below papers/two/"), "{nothing}");
    let absent = Upload { from: archive.folder.path().join("absent.zip"), ..archive.upload("") };
    assert!(look::look(&absent).expect("nothing").is_none());
}

#[test]
fn a_sample_is_the_same_out_of_a_zip_and_of_a_folder() {
    let archive = Archive::of(&zip(&FRUITS));
    let root = archive.folder.path().join("unpacked");
    for name in FRUITS.iter().filter(|name| !name.ends_with('/') && name.starts_with("fruits-360/Test")) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, name).expect("an image");
    }
    let sample = Some(Sample { classes: Some(1), images: Some(1) });
    let keys = |from: PathBuf| {
        let upload = Upload { from, split: Some(Split::Test), sample, ..archive.upload("") };
        let found = look::look(&upload).expect("read").expect("is there");
        found.files().iter().map(|local| local.key().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(keys(archive.path()), keys(root));
}

#[test]
fn names_that_lead_elsewhere_are_told_and_nothing_is_sent() {
    for (name, why) in [
        ("../../etc/passwd", "which leads out of the archive"),
        ("a/../../b.jpg", "which leads out of the archive"),
        ("a/..", "which leads out of the archive"),
        ("/etc/passwd", "which is an absolute path"),
        ("C:/b.jpg", "which is an absolute path"),
        ("a\\b.jpg", "with a backslash, which Windows takes for a slash and S3 does not"),
        ("a//b.jpg", "with a part that names nothing"),
        ("./b.jpg", "with a part that names nothing"),
    ] {
        let archive = Archive::of(&zip(&["fine.jpg", name]));
        assert_eq!(archive.refused(), format!("ZIP holds {name}, {why}: nothing is sent"));
        assert_eq!(archive.look().expect_err("is refused").class, Class::Refused);
    }
    let twice = Archive::of(&zip(&["a.jpg", "a.jpg"]));
    assert_eq!(twice.refused(), "ZIP: a.jpg and ZIP: a.jpg are both called images/a.jpg");
    let mut odd = zip(&["a\nb.jpg"]);
    let line = Archive::of(&odd).refused();
    assert_eq!(line, "ZIP: a\\nb.jpg has a control character in its name, which no listing of S3 can show");
    let at = listed(&odd, "a\nb.jpg");
    odd[at + 1] = 0xff;
    let told = Archive::of(&odd).refused();
    assert_eq!(told, "ZIP holds a\u{fffd}b.jpg, a name that is not UTF-8, which S3 cannot hold");
}

#[test]
fn what_cannot_be_read_is_told_before_anything_is_sent() {
    let fine = zip(&["a.jpg", "b.jpg"]);
    let with = |at: usize, bytes: &[u8]| {
        let mut data = fine.clone();
        let at = header(&fine, "b.jpg") + at;
        data[at..at + bytes.len()].copy_from_slice(bytes);
        Archive::of(&data).refused()
    };
    assert!(with(8, &[1, 0]).starts_with("ZIP: b.jpg is encrypted, "), "{}", with(8, &[1, 0]));
    assert!(with(10, &[14, 0]).starts_with("ZIP: b.jpg is compressed by 14 (LZMA), "), "{}", with(10, &[14, 0]));
    // Made by Unix, and a link there.
    let mut link = fine.clone();
    let at = header(&fine, "b.jpg");
    link[at + 5] = 3;
    link[at + 38..at + 42].copy_from_slice(&(0o120_777_u32 << 16).to_le_bytes());
    assert!(Archive::of(&link).refused().starts_with("ZIP: b.jpg is a link, "));
    let large = with(24, &(u32::try_from(LARGEST).expect("small") + 1).to_le_bytes());
    assert!(large.starts_with("ZIP: b.jpg tells of 33.6 MB, more than the 33.6 MB"), "{large}");
    let overlap = with(20, &9_000_000_u32.to_le_bytes());
    assert_eq!(overlap, "ZIP has entries that overlap: together they are larger than the archive");
}

#[test]
fn what_is_not_as_it_was_told_is_no_content() {
    let zeros = zip_of(&[("bomb.jpg", vec![0; 1 << 20]), ("b.jpg", b"stored".to_vec())]);
    let with = |name: &str, at: usize, bytes: &[u8]| {
        let mut data = zeros.clone();
        let at = header(&zeros, name) + at;
        data[at..at + bytes.len()].copy_from_slice(bytes);
        Archive::of(&data).refused()
    };
    // Inflates to more than it tells: reading ends there.
    let bomb = with("bomb.jpg", 24, &10_u32.to_le_bytes());
    assert!(bomb.starts_with("ZIP: bomb.jpg cannot be read: Invalid size: expected 10"), "{bomb}");
    let short = with("bomb.jpg", 24, &(2_u32 << 20).to_le_bytes());
    assert!(short.starts_with("ZIP: bomb.jpg cannot be read: Invalid size: expected 2097152"), "{short}");
    let crc = with("b.jpg", 16, &[1, 2, 3, 4]);
    assert!(crc.starts_with("ZIP: b.jpg cannot be read: Invalid checksum"), "{crc}");
    let elsewhere = with("b.jpg", 42, &5_u32.to_le_bytes());
    assert!(elsewhere.starts_with("ZIP: b.jpg cannot be read: Invalid signature"), "{elsewhere}");
}

#[test]
fn an_archive_that_is_cut_short_is_told_wherever_it_is_cut() {
    let whole = zip(&["Test/Apple/1.jpg", "Test/Apple/2.jpg"]);
    for end in 0..whole.len() {
        let told = Archive::of(&whole[..end]).refused();
        assert!(told.starts_with("ZIP is no zip, or is cut short: "), "at {end}: {told}");
    }
    let mut fewer = whole.clone();
    let at = whole.len() - 12;
    fewer[at - 2..at + 2].copy_from_slice(&[3, 0, 3, 0]);
    let told = Archive::of(&fewer).refused();
    assert_eq!(told, "ZIP tells of 3 entries and lists 2: it is damaged or cut short");
}
