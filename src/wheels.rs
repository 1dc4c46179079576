//! Python packages that nodes install from home: a bootstrap's `packages_from: s3`. Packages become exact wheels for
//! the nodes' Python and processor, by checksum, and home keeps that list, so that every machine and every day
//! means the same. It must never resolve anew what home holds.

mod pip;
mod target;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;

use crate::cloud::error::CloudError;
use crate::cloud::mark::fingerprint;
use crate::python::{self, PythonError};
use crate::residency::EuRegion;
use crate::resource::{Address, Cx, Live};
use crate::resources::object::{Beside, Maker, Object};
use crate::script::Staged;
pub use pip::requirements;
pub use target::Target;

#[derive(Debug, thiserror::Error)]
pub enum WheelsError {
    #[error("wheels for bootstrap `{action}` cannot be chosen: it is not known which {what} the nodes have")]
    Unknown { action: String, what: &'static str },
    #[error("wheels for bootstrap `{action}` are for one processor, and the cluster has {}", .found.join(" and "))]
    Mixed { action: String, found: Vec<&'static str> },
    #[error("there is no wheel of {wanted} for {target}{}", .newest.as_ref().map_or_else(String::new, |newest| format!("; the newest is {newest}")))]
    NoWheel { wanted: String, newest: Option<String>, target: Target },
    #[error("{0} cannot be installed together")]
    Conflict(String),
    #[error("the pip of python3.11 is missing or older than 22.2: {0}")]
    NoPip(String),
    #[error("the package index cannot be reached: {0}")]
    Unreachable(String),
    #[error("pip: {0}")]
    Pip(String),
    #[error("pip answered something else than expected: {0}")]
    Answer(String),
    #[error("{0} is not the list of wheels that was put there")]
    Changed(String),
    #[error(transparent)]
    Keep(#[from] PythonError),
    #[error(transparent)]
    Cloud(#[from] CloudError),
}

impl WheelsError {
    /// Whether the stack must be changed for it to go away.
    pub fn of_the_stack(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::Mixed { .. } | Self::NoWheel { .. } | Self::Conflict(_))
    }

    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Unknown { what: "Python", .. } => {
                "set PYSPARK_PYTHON in the classification spark-env, or take `packages_from: index`"
            }
            Self::Unknown { .. } => "take `packages_from: index`",
            Self::Mixed { .. } => "choose instance types of one architecture, or take `packages_from: index`",
            Self::NoWheel { newest: Some(_), .. } => "pin a version that has one, or run Spark on a newer Python",
            Self::NoWheel { newest: None, .. } => "check the name: wheels alone are installed, never a source archive",
            Self::Conflict(_) => "change one of the versions",
            Self::NoPip(_) => "`python3.11 -m ensurepip --user --upgrade` installs one",
            Self::Unreachable(_) => "check the network, or name another index in PIP_INDEX_URL, and run the same again",
            Self::Changed(_) => "delete it in S3: the next `up` makes it anew",
            Self::Cloud(error) => return error.hint(),
            Self::Pip(_) | Self::Answer(_) | Self::Keep(_) => return None,
        };
        Some(hint.into())
    }
}

/// Packages that nodes are to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The bootstrap action's name, fit for a key.
    pub action: String,
    /// Each with its version.
    pub packages: BTreeMap<String, String>,
    pub target: Target,
}

impl Request {
    /// The key of its list in home, `wheels-python-3f2a91`: another request has another one.
    pub fn key(&self) -> String {
        format!("wheels-{}-{}", self.action, &self.fingerprint()[..6])
    }

    fn fingerprint(&self) -> String {
        fingerprint(serde_json::json!({"packages": self.packages, "target": self.target}).to_string())
    }

    /// Where this machine keeps its answer.
    fn kept(&self, cache: &Path) -> PathBuf {
        cache.join("wheels").join(self.fingerprint() + ".txt")
    }

    fn answered(&self, requirements: String, cache: &Path) -> Wheels {
        let requirements: Arc<str> = requirements.into();
        let maker = Arc::new(Download {
            target: self.target.clone(),
            requirements: requirements.clone(),
            folder: cache.join("wheels"),
        });
        Wheels { key: self.key(), requirements, maker }
    }

    fn remembered(&self, cache: &Path) -> Option<Wheels> {
        Some(self.answered(std::fs::read_to_string(self.kept(cache)).ok()?, cache))
    }

    fn keep(&self, requirements: String, cache: &Path) -> Result<Wheels, WheelsError> {
        python::write(&self.kept(cache), requirements.as_bytes())?;
        Ok(self.answered(requirements, cache))
    }
}

/// A request's answer: exact files.
#[derive(Clone, Debug)]
pub struct Wheels {
    key: String,
    /// A line a wheel, with its checksum.
    requirements: Arc<str>,
    maker: Arc<Download>,
}

impl Wheels {
    /// The list as it lies in home, the wheels beside it.
    pub fn object(&self, home: &str) -> Object {
        let beside = Beside::Folder { maker: self.maker.clone(), files: self.requirements.lines().count() };
        Object { beside, ..Object::text(&self.key, home, "txt", &self.requirements) }
    }

    /// What the bootstrap's template is told.
    pub fn staged(&self, region: EuRegion, home: &str) -> Staged {
        Staged {
            region: region.to_string(),
            prefix: self.object(home).beside_url().unwrap_or_default(),
            requirements: self.requirements.trim_end().to_owned(),
        }
    }
}

/// The wheels of a request: what home says, else what this machine was told before, else what the index says now.
/// Calls AWS only where this machine does not have what home says.
pub async fn find(
    cx: &Cx,
    home: &str,
    live: &[Live],
    request: &Request,
    cache: &Path,
    say: impl Fn(String),
) -> Result<Wheels, WheelsError> {
    let at = Object::at(&request.key());
    let there = live.iter().filter(|live| live.resource.address() == at);
    let Some(there) = there.max_by_key(|live| live.resource.standing()) else {
        return choose(request, cache, say).await;
    };
    let is_there = |wheels: &Wheels| wheels.object(home).path().as_ref() == Some(&there.id.0);
    if let Some(wheels) = request.remembered(cache).filter(is_there) {
        return Ok(wheels);
    }
    let changed = || WheelsError::Changed(format!("s3://{home}/{}", there.id));
    let (body, _) = cx.cloud.get_object(home, &there.id.0).await?.ok_or_else(changed)?;
    let requirements = String::from_utf8(body).map_err(|_| changed())?;
    if !is_there(&request.answered(requirements.clone(), cache)) {
        return Err(changed());
    }
    request.keep(requirements, cache)
}

/// The wheels of a request without asking AWS.
pub async fn choose(request: &Request, cache: &Path, say: impl Fn(String)) -> Result<Wheels, WheelsError> {
    if let Some(wheels) = request.remembered(cache) {
        return Ok(wheels);
    }
    let names: Vec<&str> = request.packages.keys().map(String::as_str).collect();
    say(format!("choosing the wheels of {} for {} (once)", names.join(", "), request.target));
    let requirements = pip::resolve(&request.target, &request.packages).await?;
    request.keep(requirements, cache)
}

/// What a request asks for, as it stands before any index has answered: pins without checksums, the same on every
/// machine. It is compared, and never installed.
pub fn asked(request: &Request, cache: &Path) -> Wheels {
    let pins = request.packages.iter().map(|(name, version)| format!("{name}=={version}\n"));
    request.answered(pins.collect(), cache)
}

/// Fetches listed wheels from the index, once on this machine.
#[derive(Debug)]
struct Download {
    target: Target,
    requirements: Arc<str>,
    /// Holds a folder for each list.
    folder: PathBuf,
}

#[async_trait]
impl Maker for Download {
    async fn make(&self, cx: &Cx, address: &Address) -> Result<PathBuf, CloudError> {
        let say = |line| cx.say(address, line);
        tokio::select! {
            made = self.fetch(say) => made.map_err(|error| match error.hint() {
                Some(hint) => CloudError::failed(format!("{error}; {hint}")),
                None => CloudError::failed(error.to_string()),
            }),
            () = cx.cancel.wait() => Err(CloudError::interrupted()),
        }
    }
}

impl Download {
    /// The folder appears whole or not at all; what a broken download left is used by the next.
    async fn fetch(&self, say: impl Fn(String)) -> Result<PathBuf, WheelsError> {
        let folder = self.folder.join(fingerprint(&*self.requirements));
        if folder.is_dir() {
            return Ok(folder);
        }
        let partial = folder.with_extension("partial");
        let list = folder.with_extension("list");
        python::write(&list, self.requirements.as_bytes())?;
        pip::download(&self.target, &list, &partial, say).await?;
        match std::fs::rename(&partial, &folder) {
            Err(cause) if !folder.is_dir() => {
                Err(PythonError::Write { path: folder.display().to_string(), cause }.into())
            }
            _ => Ok(folder),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            action: "python".into(),
            packages: [("six".to_owned(), "1.17.0".to_owned())].into(),
            target: Target { python: "3.11".into(), arch: "x86_64", glibc: 34 },
        }
    }

    #[test]
    fn another_request_has_another_key() {
        let one = request();
        assert!(one.key().starts_with("wheels-python-") && one.key().len() == "wheels-python-".len() + 6);
        let mut newer = one.clone();
        newer.packages.insert("six".into(), "1.16.0".into());
        let mut elsewhere = one.clone();
        elsewhere.target.arch = "arm64";
        assert!(one.key() != newer.key() && one.key() != elsewhere.key());
    }

    #[test]
    fn what_is_kept_comes_back() {
        let cache = tempfile::tempdir().expect("a folder");
        assert!(request().remembered(cache.path()).is_none());
        let made = request().keep("six==1.17.0 --hash=sha256:47\n".into(), cache.path()).expect("kept");
        let back = request().remembered(cache.path()).expect("there");
        assert_eq!(made.object("home").path(), back.object("home").path());
    }

    #[test]
    fn nodes_are_told_where_the_wheels_are_and_which() {
        let wheels = request().answered("a==1 --hash=sha256:1\nb==2 --hash=sha256:2\n".into(), Path::new("cache"));
        let (object, staged) = (wheels.object("home"), wheels.staged(EuRegion::EuWest3, "home"));
        let url = object.url().expect("hashed");
        assert_eq!(staged.prefix, url.strip_suffix(".txt").expect("a text").to_owned() + "/");
        assert_eq!(staged.requirements, "a==1 --hash=sha256:1\nb==2 --hash=sha256:2");
        assert!(matches!(object.beside, Beside::Folder { files: 2, .. }));
    }
}
