//! What was sent of an upload, as home keeps it: one object, and parts of it that were written while an upload ran, so
//! that whatever ends one, the next knows what it sent. It costs time, never data, where it is lost: an entry counts only
//! as long as the object that it tells of is there as it was sent.

use std::borrow::Cow;
use std::collections::BTreeMap;

use futures::future::try_join_all;
use serde::{Deserialize, Serialize};

use crate::cloud::error::CloudError;
use crate::cloud::mark::fingerprint;
use crate::cloud::objects::If;
use crate::resource::Cx;

/// One file, as it was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Sent {
    pub(super) size: u64,
    pub(super) sha256: String,
    /// As S3 answered, and as its listing tells.
    pub(super) etag: String,
    /// When the file was last written, in nanoseconds since 1970: while that stays, it is not read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) modified: Option<u64>,
    /// Of an entry of a zip: the time is that of the zip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) packed: Option<Packed>,
}

/// What tells an entry of a zip from another of the same length, unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Packed {
    /// Bytes of the zip.
    pub(super) archive: u64,
    /// The entry's CRC-32, as the zip tells it.
    pub(super) crc: u32,
}

/// By key.
pub(super) type Entries = BTreeMap<String, Sent>;

/// As it is written.
#[derive(Default, Serialize, Deserialize)]
struct Whole<'a> {
    /// Whether there may be parts beside it.
    open: bool,
    files: Cow<'a, Entries>,
}

#[derive(Debug)]
pub(super) struct Manifest {
    home: String,
    /// Of its object, without `.json`.
    name: String,
    pub(super) entries: Entries,
    /// What is in no object of home yet.
    new: Entries,
    /// Whether its object tells of what is gone.
    gone: bool,
    /// Whether its object says that there may be parts.
    open: bool,
    /// Keys of the parts.
    parts: Vec<String>,
}

impl Manifest {
    /// Reads it, with the parts that an upload left behind which did not come to its end.
    pub(super) async fn read(cx: &Cx, home: &str, to: &str) -> Result<Self, CloudError> {
        let name = format!("fruitsinfra/uploads/{}", fingerprint(to));
        let (entries, new, parts) = (Entries::new(), Entries::new(), vec![]);
        let mut manifest = Self { home: home.into(), name, entries, new, gone: false, open: false, parts };
        // What cannot be read is written anew.
        let whole = cx.cloud.get_object(home, &manifest.key()).await?;
        let whole: Whole = whole.and_then(|(body, _)| serde_json::from_slice(&body).ok()).unwrap_or_default();
        (manifest.open, manifest.entries) = (whole.open, whole.files.into_owned());
        if manifest.open {
            let listed = cx.cloud.list_objects(home, &format!("{}/", manifest.name)).await?.unwrap_or_default();
            manifest.parts = listed.into_iter().map(|object| object.key).collect();
            let read = manifest.parts.iter().map(|key| cx.cloud.get_object(home, key));
            for (body, _) in try_join_all(read).await?.into_iter().flatten() {
                manifest.entries.extend(serde_json::from_slice::<Entries>(&body).unwrap_or_default());
            }
        }
        Ok(manifest)
    }

    fn key(&self) -> String {
        format!("{}.json", self.name)
    }

    /// Takes an entry in; it is in home after the next [`Self::keep`].
    pub(super) fn insert(&mut self, key: String, sent: Sent) {
        self.entries.insert(key.clone(), sent.clone());
        self.new.insert(key, sent);
    }

    /// Forgets what is taken away: the next fold leaves it out.
    pub(super) fn forget(&mut self, keys: &[String]) {
        for key in keys {
            self.new.remove(key);
            self.gone |= self.entries.remove(key).is_some();
        }
    }

    /// How many entries are in no object of home.
    pub(super) fn unkept(&self) -> usize {
        self.new.len()
    }

    /// Writes what is new, as a part once the whole says that there are parts: the cost is that of what was sent, not
    /// of what there is.
    pub(super) async fn keep(&mut self, cx: &Cx) -> Result<(), CloudError> {
        if self.open && !self.new.is_empty() {
            let key = format!("{}/{:020}-{:04}.json", self.name, cx.clock.now().as_nanosecond(), self.parts.len());
            self.put(cx, &key, &self.new).await?;
            self.parts.push(key);
            self.new.clear();
        } else if !self.new.is_empty() {
            self.open = true;
            self.whole(cx).await?;
        }
        Ok(())
    }

    /// Writes all of it as one object, in place of the parts.
    pub(super) async fn fold(&mut self, cx: &Cx) -> Result<(), CloudError> {
        if self.new.is_empty() && !self.open && !self.gone {
            return Ok(());
        }
        let parts = std::mem::take(&mut self.parts);
        // While there are parts it says so: the next would not look for those that a kill leaves here.
        self.open = !parts.is_empty();
        self.whole(cx).await?;
        if self.open {
            cx.cloud.delete_objects(&self.home, parts.into_iter().map(|key| (key, None))).await?;
            self.open = false;
            self.whole(cx).await?;
        }
        Ok(())
    }

    async fn whole(&mut self, cx: &Cx) -> Result<(), CloudError> {
        self.put(cx, &self.key(), &Whole { open: self.open, files: Cow::Borrowed(&self.entries) }).await?;
        self.new.clear();
        self.gone = false;
        Ok(())
    }

    async fn put(&self, cx: &Cx, key: &str, content: &impl Serialize) -> Result<(), CloudError> {
        let body = serde_json::to_vec(content).map_err(|e| CloudError::bug(e.to_string()))?;
        cx.cloud.put_object(&self.home, key, body, If::Always, &BTreeMap::new()).await.map(drop)
    }
}
