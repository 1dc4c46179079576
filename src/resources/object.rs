//! Kind `object`: a file of ours in home: a bootstrap, a job's script, the model's weights, a list of wheels and,
//! beside it, the wheels. Its key carries its content's hash, so one listing tells what is there, and a changed
//! file is another file.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use md5::{Digest, Md5};

use crate::cloud::error::CloudError;
use crate::cloud::mark::sha256_hex;
use crate::cloud::objects::{If, Listed};
use crate::resource::{Address, Change, Cx, Field, Id, Kind, Live, Need, OnDown, Resource};
use crate::resources::{home, home_name};
use crate::text::bytes;

const NAME: &str = "object";

pub const KIND: Kind = Kind {
    name: NAME,
    on_down: OnDown::Stays,
    in_home: true,
    list: |cx: &Cx| -> BoxFuture<'_, _> { Box::pin(list(cx)) },
};

/// Where in home our files are.
pub const PREFIX: &str = "fruitsinfra/objects/";

/// What it is made of.
#[derive(Clone, Debug)]
pub enum Body {
    /// Rendered text.
    Text(Arc<str>),
    /// A file of this machine.
    File(PathBuf),
    /// Not on this machine yet: fetched or made when it is first needed.
    Later(Arc<dyn Maker>),
    /// What is in S3 already.
    Stored,
}

/// Files that an object is nothing without, in a folder of its name: they are sent after it and go before it, so
/// that a listing finds all of them through it, and its count of them tells whether all are there.
#[derive(Clone, Debug, Default)]
pub enum Beside {
    #[default]
    Nothing,
    /// So many files of this machine, in the folder that a maker brings.
    Folder { maker: Arc<dyn Maker>, files: usize },
    /// So many in S3 already.
    Stored { files: usize },
}

/// Brings a file, or a folder of files, onto this machine.
#[async_trait]
pub trait Maker: Debug + Send + Sync {
    /// Where it is, now that it is there.
    async fn make(&self, cx: &Cx, address: &Address) -> Result<PathBuf, CloudError>;
}

#[derive(Clone, Debug)]
pub struct Object {
    pub key: String,
    pub bucket: String,
    /// First twelve hex digits of its SHA-256; `None` while it is not on this machine.
    pub content: Option<String>,
    pub extension: String,
    pub body: Body,
    pub beside: Beside,
    /// MD5 of its content, as S3 tells it in a listing; `None` where it is not known beforehand, or not told by S3
    /// (of what a KMS key encrypts).
    pub etag: Option<String>,
    /// Orders twins: the newest stays.
    pub modified: i64,
}

impl Object {
    pub fn text(key: &str, bucket: &str, extension: &str, text: &str) -> Self {
        Self {
            key: key.into(),
            bucket: bucket.into(),
            content: Some(crate::cloud::mark::fingerprint(text)),
            extension: extension.into(),
            body: Body::Text(text.into()),
            beside: Beside::Nothing,
            etag: Some(hex::encode(Md5::digest(text))),
            modified: 0,
        }
    }

    pub fn at(key: &str) -> Address {
        Address::new(NAME, key)
    }

    /// Its key in the bucket: `fruitsinfra/objects/weights-imagenet.cbcc2e374b53.h5`.
    pub fn path(&self) -> Option<String> {
        let Self { key, content, extension, .. } = self;
        Some(format!("{PREFIX}{key}.{}.{extension}", content.as_deref()?))
    }

    /// Its address as Spark and EMR take it.
    pub fn url(&self) -> Option<String> {
        Some(format!("s3://{}/{}", self.bucket, self.path()?))
    }

    /// Where the files beside it are, as Spark and EMR take it.
    pub fn beside_url(&self) -> Option<String> {
        Some(format!("s3://{}/{}", self.bucket, folder(&self.path()?)))
    }

    /// Reads key, hash and extension out of a listing's key.
    pub fn parse(bucket: &str, listed: &Listed) -> Option<Self> {
        let mut parts = listed.key.strip_prefix(PREFIX)?.splitn(3, '.');
        let (key, content, extension) = (parts.next()?, parts.next()?, parts.next()?);
        is_hash(content).then(|| Self {
            key: key.into(),
            bucket: bucket.into(),
            content: Some(content.into()),
            extension: extension.into(),
            body: Body::Stored,
            beside: Beside::Nothing,
            etag: Some(listed.etag.clone()),
            modified: listed.modified.map_or(0, jiff::Timestamp::as_millisecond),
        })
    }
}

/// The folder beside an object: `weights.cbcc2e374b53.h5` -> `weights.cbcc2e374b53/`.
fn folder(path: &str) -> String {
    path.splitn(3, '.').take(2).collect::<Vec<_>>().join(".") + "/"
}

fn is_hash(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[async_trait]
impl Resource for Object {
    fn address(&self) -> Address {
        Self::at(&self.key)
    }

    fn name(&self) -> String {
        self.url().unwrap_or_else(|| format!("s3://{}/{PREFIX}{}", self.bucket, self.key))
    }

    fn needs(&self) -> Vec<Need> {
        vec![Need::orders(home())]
    }

    fn fields(&self) -> Vec<Field> {
        let Self { key: _, bucket: _, content, extension: _, body: _, beside, etag, modified: _ } = self;
        let content = content.as_deref().map(|content| Field::updates("content", content));
        let files = match beside {
            Beside::Nothing => None,
            Beside::Folder { files, .. } | Beside::Stored { files } => Some(Field::updates("files", *files)),
        };
        // Its key tells what was put there; this, what is there now.
        let etag = etag.as_deref().map(|etag| Field::updates("etag", etag));
        content.into_iter().chain(etag).chain(files).collect()
    }

    fn standing(&self) -> (bool, i64) {
        (false, self.modified)
    }

    async fn create(&self, cx: &Cx) -> Result<Id, CloudError> {
        let (body, content) = match &self.body {
            Body::Text(text) => (text.as_bytes().to_vec(), self.content.clone()),
            Body::File(path) => (read(path).await?, self.content.clone()),
            Body::Later(maker) => {
                let body = read(&maker.make(cx, &self.address()).await?).await?;
                let content = sha256_hex(&body)[..12].to_owned();
                (body, Some(content))
            }
            Body::Stored => return Err(CloudError::bug(format!("`{}` has nothing to upload", self.address()))),
        };
        let path =
            Self { content, ..self.clone() }.path().ok_or_else(|| CloudError::bug("an object without a hash"))?;
        let beside = match &self.beside {
            Beside::Folder { maker, .. } => Some(maker.make(cx, &self.address()).await?),
            Beside::Nothing | Beside::Stored { .. } => None,
        };
        let tags = cx.mark(&self.address()).tags();
        cx.cloud.put_object(&self.bucket, &path, body, If::Always, &tags).await?;
        if let Some(files) = beside {
            self.send(cx, &files, &folder(&path)).await?;
        }
        Ok(Id(path))
    }

    async fn update(&self, cx: &Cx, id: &Id, _changes: &[Change]) -> Result<(), CloudError> {
        let made = self.create(cx).await?;
        if made != *id {
            self.delete(cx, id).await?;
        }
        cx.learn(self.address(), made);
        Ok(())
    }

    async fn delete(&self, cx: &Cx, id: &Id) -> Result<(), CloudError> {
        if !matches!(self.beside, Beside::Nothing) {
            for file in cx.cloud.list_objects(&self.bucket, &folder(&id.0)).await?.unwrap_or_default() {
                cx.cloud.delete_object(&self.bucket, &file.key, If::Always).await?;
            }
        }
        cx.cloud.delete_object(&self.bucket, &id.0, If::Always).await
    }
}

impl Object {
    /// Sends what is not there yet of a folder's files.
    async fn send(&self, cx: &Cx, from: &Path, to: &str) -> Result<(), CloudError> {
        let address = self.address();
        let there = cx.cloud.list_objects(&self.bucket, to).await?.unwrap_or_default();
        let tags = cx.mark(&address).tags();
        for (name, size) in files(from).await? {
            let key = format!("{to}{name}");
            if there.iter().any(|listed| listed.key == key && listed.size == size) {
                continue;
            }
            if cx.cancel.requested() {
                return Err(CloudError::interrupted());
            }
            cx.say(&address, format!("sending {name} ({})", bytes(size)));
            cx.cloud.put_object(&self.bucket, &key, read(&from.join(&name)).await?, If::Always, &tags).await?;
        }
        Ok(())
    }
}

/// Names and sizes of a folder's files, in order.
async fn files(folder: &Path) -> Result<Vec<(String, u64)>, CloudError> {
    let failed = |e: std::io::Error| CloudError::failed(format!("{} cannot be read: {e}", folder.display()));
    let mut entries = tokio::fs::read_dir(folder).await.map_err(failed)?;
    let mut found = Vec::new();
    while let Some(entry) = entries.next_entry().await.map_err(failed)? {
        let size = entry.metadata().await.map_err(failed)?.len();
        found.push((entry.file_name().to_string_lossy().into_owned(), size));
    }
    found.sort();
    Ok(found)
}

async fn read(path: &Path) -> Result<Vec<u8>, CloudError> {
    tokio::fs::read(path).await.map_err(|e| CloudError::failed(format!("{} cannot be read: {e}", path.display())))
}

async fn list(cx: &Cx) -> Result<Vec<Live>, CloudError> {
    let home = home_name(&cx.stack, cx.cloud.account().await?);
    // What lies in our own home below our own prefix is ours by its place.
    let listed = cx.cloud.list_objects(&home, PREFIX).await?.unwrap_or_default();
    let found = found(&home, &listed).into_iter();
    Ok(found.map(|(id, object)| Live { id, mark: cx.mark(&object.address()), resource: Arc::new(object) }).collect())
}

/// The objects in a listing, each with the number of files beside it.
fn found(home: &str, listed: &[Listed]) -> Vec<(Id, Object)> {
    let objects = listed.iter().filter_map(|l| Some((l, Object::parse(home, l)?)));
    let beside = |key: &str| match listed.iter().filter(|l| l.key.starts_with(&folder(key))).count() {
        0 => Beside::Nothing,
        files => Beside::Stored { files },
    };
    objects.map(|(l, object)| (Id(l.key.clone()), Object { beside: beside(&l.key), ..object })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(key: &str) -> Listed {
        Listed { key: key.into(), size: 1, etag: String::new(), modified: None }
    }

    #[test]
    fn a_key_tells_address_source_and_content() {
        let object = Object::text("bootstrap-python", "home", "sh", "echo");
        let read = Object::parse("home", &listed(&object.path().expect("hashed"))).expect("ours");
        assert_eq!(read.fields()[0], object.fields()[0]);
        assert_eq!(read.address().to_string(), "object/bootstrap-python");

        let weights = Object { key: "weights-imagenet".into(), extension: "weights.h5".into(), ..object };
        let read = Object::parse("home", &listed(&weights.path().expect("hashed"))).expect("ours");
        assert_eq!((read.path(), read.extension.as_str()), (weights.path(), "weights.h5"));
    }

    #[test]
    fn what_is_not_on_this_machine_yet_is_not_compared() {
        let unknown = Object { content: None, etag: None, ..Object::text("weights-imagenet", "home", "h5", "w") };
        assert_eq!((unknown.fields(), unknown.path()), (vec![], None));
    }

    #[test]
    fn files_beside_an_object_are_counted_and_never_taken_for_objects() {
        let list = Object::text("wheels-python", "home", "txt", "three wheels");
        let path = list.path().expect("hashed");
        let wheel = |version: &str| listed(&format!("{}six-{version}-py3-none-any.whl", folder(&path)));
        let there = [listed(&path), wheel("1.0123456789ab.2"), wheel("1.17.0"), listed("fruitsinfra/objects/x")];
        let found = found("home", &there);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].1.fields().last(), Some(&Field::updates("files", 2)));
        assert_eq!(list.beside_url(), Some(format!("s3://home/{}", folder(&path))));
    }

    #[test]
    fn other_keys_are_not_ours() {
        for key in [
            "fruitsinfra/objects/x",
            "fruitsinfra/objects/a.b.c",
            "elsewhere/a.0123456789ab.sh",
            "fruitsinfra/objects/a.0123456789xy.sh",
        ] {
            assert!(Object::parse("home", &listed(key)).is_none(), "{key}");
        }
    }
}
