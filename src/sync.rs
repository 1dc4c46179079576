//! The declared uploads: files of this machine, in a folder or in a zip, that belong in a bucket, sent once. A manifest in
//! home tells size, SHA-256 and time of what was sent, a listing whether it is still there as sent; a file is read again
//! only where neither knows it. It takes nothing away unless it is asked to, and never what a job writes.

mod choice;
mod fruits;
mod local;
mod look;
mod manifest;
mod send;
mod walk;
mod zip;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::PathBuf;

use md5::Md5;
use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};

use self::manifest::{Entries, Manifest, Sent};
use crate::blueprint::{bucket_of, home_name};
use crate::cloud::error::CloudError;
use crate::resource::{Address, Cx};
use crate::stack::{FeatureJob, Job, Place, Stack, Upload};

pub use self::fruits::{DataSet, data_sets};
pub use self::local::Local;
pub use self::look::{Look, look};
pub use self::send::send;

/// One declared upload, held against what is there.
#[derive(Debug, Serialize)]
pub struct Batch {
    pub from: PathBuf,
    /// `s3://bucket/prefix`.
    pub to: String,
    /// Files of this machine, and their size in all.
    pub files: usize,
    pub bytes: u64,
    /// How many of them are not there as they are here.
    pub send: usize,
    /// Keys below the prefix that no file here has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<String>,
    /// Whether those are to go.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub delete: bool,
    /// What they are, or are a part of, as far as their names tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_set: Option<DataSet>,
    /// What of it is sent, and what was asked for and is not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Whether less than all of it was asked for.
    #[serde(skip)]
    pub chosen: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    #[serde(skip)]
    missing: Vec<Local>,
    #[serde(skip)]
    manifest: Manifest,
    /// The bucket as a resource, if it is one of ours.
    #[serde(skip)]
    pub bucket_address: Option<Address>,
    #[serde(skip)]
    bucket: String,
}

impl Batch {
    /// Whether there is anything to do.
    pub fn moves(&self) -> bool {
        self.send > 0 || self.goes() > 0
    }

    /// With what else lies there to go, or to stay.
    #[must_use]
    pub fn deleting(self, delete: bool) -> Self {
        Self { delete, ..self }
    }

    /// How many objects are to go.
    pub fn goes(&self) -> usize {
        if self.delete { self.extra.len() } else { 0 }
    }
}

/// Counts and compares one declared upload. Sends nothing, and of the files reads those alone that may have changed.
pub async fn survey(
    cx: &Cx,
    home: &str,
    (bucket, bucket_address): (&str, Option<Address>),
    upload: &Upload,
    stack: &Stack,
) -> Result<Batch, CloudError> {
    let to = format!("s3://{bucket}/{}", upload.to.prefix);
    let (there, manifest) =
        futures::try_join!(cx.cloud.list_objects(bucket, &upload.to.prefix), Manifest::read(cx, home, &to))?;
    let there: BTreeMap<String, There> =
        there.unwrap_or_default().into_iter().map(|l| (l.key, There { size: l.size, etag: l.etag })).collect();
    let mut batch = Batch {
        from: upload.from.clone(),
        to,
        files: 0,
        bytes: 0,
        send: 0,
        extra: vec![],
        delete: false,
        data_set: None,
        notes: vec![],
        chosen: upload.chooses(),
        warning: None,
        missing: vec![],
        manifest,
        bucket_address,
        bucket: bucket.into(),
    };
    let Some(Look { files: local, data_set, notes }) = look(upload)? else {
        batch.warning = Some(format!("{} does not exist: nothing will be sent to {}", upload.from.display(), batch.to));
        return Ok(batch);
    };
    (batch.data_set, batch.notes) = (data_set, notes);
    (batch.files, batch.bytes) = (local.len(), local.iter().map(|local| local.size).sum());
    batch.extra = extra(&local, &there, upload, stack);
    let entries = std::mem::take(&mut batch.manifest.entries);
    let compared = tokio::task::spawn_blocking(move || {
        let compare =
            |local: Local| compare(&local, there.get(&local.key), entries.get(&local.key)).map(|is| (local, is));
        let compared = local.into_par_iter().map(compare).collect::<Result<Vec<_>, _>>();
        compared.map(|compared| (compared, entries))
    });
    let (compared, entries): (Vec<_>, Entries) = compared.await.map_err(|e| CloudError::bug(e.to_string()))??;
    batch.manifest.entries = entries;
    for (local, is) in compared {
        match is {
            Is::Known => {}
            Is::Learned(sent) => batch.manifest.insert(local.key, sent),
            Is::Missing => batch.missing.push(local),
        }
    }
    batch.send = batch.missing.len();
    Ok(batch)
}

/// The images of a place, as jobs name them: those of the manifest of what was sent there, else those that lie there.
pub async fn images(cx: &Cx, stack: &Stack, account: &str, place: &Place) -> Result<BTreeSet<String>, CloudError> {
    let (home, bucket) = (home_name(stack, account), bucket_of(stack, place, account)?);
    let mut keys = BTreeSet::new();
    for upload in stack.uploads.iter().filter(|upload| place.holds(&upload.to) || upload.to.holds(place)) {
        let to = format!("s3://{bucket}/{}", upload.to.prefix);
        keys.extend(Manifest::read(cx, &home, &to).await?.entries.into_keys());
    }
    if keys.is_empty() {
        let listed = cx.cloud.list_objects(&bucket, &place.prefix).await?.unwrap_or_default();
        keys.extend(listed.into_iter().map(|object| object.key));
    }
    let image = |key: &&String| key.starts_with(&place.prefix) && FeatureJob::is_image(key);
    Ok(keys.iter().filter(image).map(|key| format!("s3://{bucket}/{key}")).collect())
}

/// An object of a listing.
#[derive(Debug)]
struct There {
    size: u64,
    etag: String,
}

/// What is known of a file that is here.
enum Is {
    /// It is there, and so the manifest says.
    Known,
    /// It is there, which the manifest does not say yet.
    Learned(Sent),
    Missing,
}

/// Whether a file is there as it is here. Read is only what may be the same and was written since it was sent, or is
/// not in the manifest; an entry of a zip also where the zip is another, or tells another CRC-32 of it.
fn compare(local: &Local, there: Option<&There>, sent: Option<&Sent>) -> Result<Is, CloudError> {
    let Some(there) = there.filter(|there| there.size == local.size) else { return Ok(Is::Missing) };
    let sent = sent.filter(|sent| sent.size == local.size && sent.etag == there.etag);
    let (modified, packed) = (local.modified, local.packed());
    if sent.is_some_and(|sent| sent.modified.is_some() && (sent.modified, sent.packed) == (modified, packed)) {
        return Ok(Is::Known);
    }
    let cannot = |error: io::Error| local.unreadable(&error);
    // What S3 tells of an object that no KMS key encrypts and that came in one piece.
    if sent.is_none() && there.etag != hex::encode(hash::<Md5>(local.open()?).map_err(cannot)?) {
        return Ok(Is::Missing);
    }
    let sha256 = hex::encode(hash::<Sha256>(local.open()?).map_err(cannot)?);
    if sent.is_some_and(|sent| sent.sha256 != sha256) {
        return Ok(Is::Missing);
    }
    Ok(Is::Learned(Sent { size: local.size, sha256, etag: there.etag.clone(), modified, packed }))
}

/// What a file hashes to, read piece by piece.
fn hash<D: Digest>(mut file: impl Read) -> io::Result<md5::digest::Output<D>> {
    let (mut hash, mut piece) = (D::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hash.finalize()),
            read => hash.update(&piece[..read]),
        }
    }
}

/// What lies below the prefix and is no file of this upload, nor another's, nor what a job writes.
fn extra(local: &[Local], there: &BTreeMap<String, There>, upload: &Upload, stack: &Stack) -> Vec<String> {
    let here: BTreeSet<&str> = local.iter().map(|local| local.key.as_str()).collect();
    let written = stack.jobs.values().filter_map(Job::features).flat_map(FeatureJob::outputs);
    let others = stack.uploads.iter().map(|other| other.to.clone()).filter(|to| *to != upload.to);
    let theirs: Vec<Place> = written.chain(others).filter(|place| place.bucket == upload.to.bucket).collect();
    let spared = |key: &str| theirs.iter().any(|place| key.starts_with(&place.prefix));
    there.keys().filter(|key| !here.contains(key.as_str()) && !spared(key)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::local::At;
    use super::*;

    #[test]
    fn a_file_is_read_only_where_nothing_knows_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.jpg");
        std::fs::write(&path, b"apple").expect("written");
        let local = |modified| Local { at: At::Disk(path.clone()), key: "images/a.jpg".into(), size: 5, modified };
        let there = |etag: &str| There { size: 5, etag: etag.into() };
        let sent =
            |sha256: &str, modified| Sent { size: 5, sha256: sha256.into(), etag: "e".into(), modified, packed: None };
        let of_apple = "3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b";
        let word = |local: &Local, there: Option<&There>, sent: Option<&Sent>| match compare(local, there, sent) {
            Ok(Is::Known) => "known",
            Ok(Is::Learned(_)) => "learned",
            Ok(Is::Missing) => "missing",
            Err(_) => "unreadable",
        };
        let at = local(Some(7));
        assert_eq!(word(&at, None, None), "missing");
        assert_eq!(word(&at, Some(&There { size: 4, etag: "e".into() }), None), "missing");
        // Neither is it read nor hashed: this entry says another hash.
        assert_eq!(word(&at, Some(&there("e")), Some(&sent("other", Some(7)))), "known");
        assert_eq!(word(&at, Some(&there("e")), Some(&sent("other", Some(6)))), "missing");
        assert_eq!(word(&at, Some(&there("e")), Some(&sent(of_apple, Some(6)))), "learned");
        assert_eq!(word(&at, Some(&there("f")), Some(&sent(of_apple, Some(7)))), "missing");
        // Sent, and killed before it was written down.
        assert_eq!(word(&at, Some(&there("1f3870be274f6c49b3e31a0c6728957f")), None), "learned");
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(word(&at, Some(&there("e")), None), "unreadable");
        assert_eq!(word(&local(Some(7)), Some(&there("e")), Some(&sent("other", Some(7)))), "known");
    }

    #[test]
    fn what_jobs_write_and_others_send_is_nobody_s_extra() {
        let text = "stack: s\nregion: eu-west-3\nowner: o@fruits.example\nbuckets: {data: {}}\n\
            uploads: [{from: a, to: data/a/}, {from: b, to: data/more/}]\n\
            cluster: {release: emr-7.12.0, primary: {type: m5.xlarge}}\n\
            bootstrap: [{name: python, template: bootstrap/python_packages.sh.j2, packages: {tensorflow: 2.19.1, pyarrow: 21.0.0, pandas: 2.3.3, pillow: 11.3.0}}]\n\
            jobs: {features: {template: jobs/fruit_features.py.j2, input: data/a/, output: data/out/}}\n";
        let mut stack = crate::stack::load_text("s.yaml", text.into(), Path::new("")).expect("a stack").stack;
        // Which is an error that may be waived.
        stack.uploads[0].to = Place::new("data", "");
        let key = |key: &str| (key.to_owned(), There { size: 1, etag: String::new() });
        let there = ["a/1.jpg", "a/2.jpg", "more/3.jpg", "out/features/x", "out/pca/y", "out/other"].map(key).into();
        let local = [Local { at: At::Disk("a/1.jpg".into()), key: "a/1.jpg".into(), size: 1, modified: None }];
        assert_eq!(extra(&local, &there, &stack.uploads[0], &stack), ["a/2.jpg", "out/other"]);
        assert_eq!(extra(&[], &BTreeMap::new(), &stack.uploads[1], &stack), Vec::<String>::new());
    }
}
