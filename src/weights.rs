//! Where a job's weights come from, and how they come onto this machine: once, and only when they are first
//! needed. Nothing here decides which ones a job uses: the stack says it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::cloud::error::CloudError;
use crate::cloud::http::Http;
use crate::cloud::mark::sha256_hex;
use crate::python;
use crate::resource::{Address, Cx};
use crate::resources::object::{Body, Maker};
use crate::stack::Weights;

/// Keras's own address of MobileNetV2 1.0/224 without its top (`keras.applications.mobilenet_v2`).
const IMAGENET: &str = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5";

/// Bytes of that file, as its server announces them.
const PUBLISHED: u64 = 9_406_464;

/// Numbers that MobileNetV2 has without its top, of four bytes each (`count_params()` of Keras's own).
const PARAMETERS: u64 = 2_257_984;

/// How large weights are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub bytes: u64,
    pub known: Known,
}

/// How the size of weights is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Known {
    /// By the file, which is on this machine.
    Here,
    /// By what the server says that publishes it.
    Published,
    /// By the numbers that the network has: the least that a file can be.
    Counted,
}

/// The size of the file that a job would read, as far as this machine knows it.
pub fn size(weights: &Weights, cache: &Path) -> Size {
    let here = body(weights, cache).ok().and_then(|(body, _)| match body {
        Body::File(path) => path.metadata().ok(),
        _ => None,
    });
    match (here, weights) {
        (Some(file), _) => Size { bytes: file.len(), known: Known::Here },
        (None, Weights::Imagenet) => Size { bytes: PUBLISHED, known: Known::Published },
        (None, _) => Size { bytes: PARAMETERS * 4, known: Known::Counted },
    }
}

/// The word by which every output names where the weights come from.
pub fn source(weights: &Weights) -> &'static str {
    match weights {
        Weights::Imagenet => "imagenet",
        Weights::Registry => "registry",
        Weights::Untrained => "untrained",
        Weights::File(_) => "given",
    }
}

/// What the object `weights-<source>` is made of, and its hash if the file is on this machine.
pub fn body(weights: &Weights, cache: &Path) -> Result<(Body, Option<String>), std::io::Error> {
    let (file, later): (PathBuf, Option<Arc<dyn Maker>>) = match weights {
        Weights::File(path) => (path.clone(), None),
        Weights::Imagenet => {
            let file = cache.join("weights/mobilenet_v2-imagenet.h5");
            (file.clone(), Some(Arc::new(Published { file })))
        }
        Weights::Registry => made("weights", "registry", cache),
        Weights::Untrained => made("seeded", "untrained", cache),
    };
    match (std::fs::read(&file), later) {
        (Ok(bytes), _) => Ok((Body::File(file), Some(sha256_hex(bytes)[..12].to_owned()))),
        (Err(_), Some(maker)) => Ok((Body::Later(maker), None)),
        (Err(error), None) => Err(std::io::Error::new(error.kind(), format!("{}: {error}", file.display()))),
    }
}

/// The file of an installed set, whose name only the installer knows; absent until it ran.
fn made(set: &'static str, source: &str, cache: &Path) -> (PathBuf, Option<Arc<dyn Maker>>) {
    let prefix = format!("mobilenet_v2-{source}-");
    let mut found: Vec<PathBuf> = std::fs::read_dir(cache.join("weights"))
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "h5"))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)))
        .collect();
    found.sort();
    let file = found.pop().unwrap_or_else(|| cache.join("weights").join(format!("{prefix}none")));
    (file, Some(Arc::new(Installable { set, cache: cache.to_owned() })))
}

/// Weights that Keras publishes.
#[derive(Debug)]
struct Published {
    file: PathBuf,
}

#[async_trait]
impl Maker for Published {
    async fn make(&self, cx: &Cx, address: &Address) -> Result<PathBuf, CloudError> {
        cx.say(address, format!("fetching {IMAGENET} (9 MB, once)"));
        let http = Http::new(&cx.cloud.contacts, Duration::from_mins(5));
        let body = http.get(IMAGENET).await.map_err(|error| {
            CloudError::failed(format!("{error}; name a file with `--weights FILE`, or take those of a registry package with `--weights registry`"))
        })?;
        // Keras pins no checksum for this file: the first one seen is the one the stack keeps.
        cx.say(address, format!("sha256 {} recorded, and checked from now on", sha256_hex(&body)));
        python::write(&self.file, &body).map_err(|error| CloudError::failed(error.to_string()))?;
        Ok(self.file.clone())
    }
}

/// Weights that the installer makes out of a registry's package, or by a seed.
#[derive(Debug)]
struct Installable {
    set: &'static str,
    cache: PathBuf,
}

#[async_trait]
impl Maker for Installable {
    async fn make(&self, cx: &Cx, address: &Address) -> Result<PathBuf, CloudError> {
        let installed = python::install(self.set, &self.cache, |line| cx.say(address, line)).await;
        let installed = installed.map_err(|e| CloudError::failed(e.to_string()))?;
        installed.path.ok_or_else(|| CloudError::bug(format!("set {} is no file", self.set)))
    }
}
