//! Kind `object`: a file of ours in home: a bootstrap, a job's script, the model's weights. Its key carries
//! its content's hash, so one listing tells what is there, and a changed file is another file.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;

use crate::cloud::error::CloudError;
use crate::cloud::mark::sha256_hex;
use crate::cloud::objects::{If, Listed};
use crate::resource::{Address, Change, Cx, Field, Id, Kind, Live, Need, Resource};
use crate::resources::{HOME, home};

const NAME: &str = "object";

pub const KIND: Kind =
    Kind { name: NAME, stays_on_down: true, list: |cx: &Cx| -> BoxFuture<'_, _> { Box::pin(list(cx)) } };

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

/// Brings a file onto this machine.
#[async_trait]
pub trait Maker: Debug + Send + Sync {
    /// Where the file is, now that it is there.
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

    /// Reads key, hash and extension out of a listing's key.
    fn parse(bucket: &str, listed: &Listed) -> Option<Self> {
        let mut parts = listed.key.strip_prefix(PREFIX)?.splitn(3, '.');
        let (key, content, extension) = (parts.next()?, parts.next()?, parts.next()?);
        is_hash(content).then(|| Self {
            key: key.into(),
            bucket: bucket.into(),
            content: Some(content.into()),
            extension: extension.into(),
            body: Body::Stored,
            modified: listed.modified.map_or(0, jiff::Timestamp::as_millisecond),
        })
    }
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
        let Self { key: _, bucket: _, content, extension: _, body: _, modified: _ } = self;
        content.as_deref().map(|content| Field::updates("content", content)).into_iter().collect()
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
        let tags = cx.mark(&self.address()).tags();
        cx.cloud.put_object(&self.bucket, &path, body, If::Always, &tags).await?;
        Ok(Id(path))
    }

    async fn update(&self, cx: &Cx, id: &Id, _changes: &[Change]) -> Result<(), CloudError> {
        let made = self.create(cx).await?;
        if made != *id {
            cx.cloud.delete_object(&self.bucket, &id.0, If::Always).await?;
        }
        cx.learn(self.address(), made);
        Ok(())
    }

    async fn delete(&self, cx: &Cx, id: &Id) -> Result<(), CloudError> {
        cx.cloud.delete_object(&self.bucket, &id.0, If::Always).await
    }
}

async fn read(path: &std::path::Path) -> Result<Vec<u8>, CloudError> {
    tokio::fs::read(path).await.map_err(|e| CloudError::failed(format!("{} cannot be read: {e}", path.display())))
}

async fn list(cx: &Cx) -> Result<Vec<Live>, CloudError> {
    let home = format!("{}-{HOME}-{}", cx.stack, cx.cloud.account().await?);
    // What lies in our own home below our own prefix is ours by its place.
    let listed = cx.cloud.list_objects(&home, PREFIX).await?.unwrap_or_default();
    let found = listed.iter().filter_map(|l| Object::parse(&home, l).map(|object| (Id(l.key.clone()), object)));
    Ok(found.map(|(id, object)| Live { id, mark: cx.mark(&object.address()), resource: Arc::new(object) }).collect())
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
        assert_eq!(read.fields(), object.fields());
        assert_eq!(read.address().to_string(), "object/bootstrap-python");

        let weights = Object { key: "weights-imagenet".into(), extension: "weights.h5".into(), ..object };
        let read = Object::parse("home", &listed(&weights.path().expect("hashed"))).expect("ours");
        assert_eq!((read.path(), read.extension.as_str()), (weights.path(), "weights.h5"));
    }

    #[test]
    fn what_is_not_on_this_machine_yet_is_not_compared() {
        let unknown = Object { content: None, ..Object::text("weights-imagenet", "home", "h5", "w") };
        assert_eq!((unknown.fields(), unknown.path()), (vec![], None));
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
