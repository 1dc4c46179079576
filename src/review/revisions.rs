//! Stacks as git keeps them: commits and the index, read as files out of git's own store. It must never check out, write,
//! or fetch anything.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use git2::{ErrorCode, ObjectType, Oid};

use crate::stack::{Disk, Files, Kind, nearest};

/// As many links as Linux follows in one path.
const LINKS: usize = 40;

/// No link's target is longer.
const TARGET: usize = 4096;

const LINK: i32 = 0o120_000;

#[derive(Debug, thiserror::Error)]
pub enum RevisionError {
    #[error("`{}` is in no git repository", .0.display())]
    NoRepository(PathBuf),
    #[error("the repository's files belong to another user, and git trusts none of that: {0}")]
    NotTrusted(String),
    #[error("there is no revision `{word}`")]
    Unknown { word: String, near: Option<String>, shallow: bool },
    #[error("`{0}` names no commit")]
    NoCommit(String),
    #[error("`{from}` and `{to}` have no commit in common")]
    Apart { from: String, to: String, shallow: bool },
    #[error("this repository has no work tree")]
    NoWorkTree,
    #[error("git: {0}")]
    Git(String),
}

impl RevisionError {
    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        const DEEPER: &str = "this clone is shallow: `git fetch --unshallow` brings the rest (`fetch-depth: 0` on GitHub, `GIT_DEPTH: 0` on GitLab)";
        Some(match self {
            Self::NoRepository(_) => "name two files or two folders, or run it in a clone".into(),
            Self::NotTrusted(_) => "`git config --global --add safe.directory <folder>` trusts it".into(),
            Self::Unknown { near: Some(near), .. } => format!("did you mean `{near}`?"),
            Self::Unknown { shallow: true, .. } | Self::Apart { shallow: true, .. } => DEEPER.into(),
            Self::Unknown { .. } => {
                "name a file, a folder, a branch, a tag or a commit; `git fetch` brings new ones".into()
            }
            Self::NoWorkTree => "name the second revision too".into(),
            Self::NoCommit(_) | Self::Apart { .. } | Self::Git(_) => return None,
        })
    }
}

impl From<git2::Error> for RevisionError {
    fn from(error: git2::Error) -> Self {
        Self::Git(error.message().to_owned())
    }
}

/// Which state of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// A commit, as it was named.
    Commit {
        word: String,
        id: String,
    },
    Index,
    WorkTree,
}

impl At {
    /// `main`, `the index`, `the work tree`.
    pub fn label(&self) -> &str {
        match self {
            Self::Commit { word, .. } => word,
            Self::Index => "the index",
            Self::WorkTree => "the work tree",
        }
    }

    /// The commit's whole id.
    pub fn commit(&self) -> Option<&str> {
        match self {
            Self::Commit { id, .. } => Some(id),
            Self::Index | Self::WorkTree => None,
        }
    }
}

/// A repository, to ask for revisions.
pub struct Repository {
    git: git2::Repository,
    /// Where the program runs, below the root of the work tree.
    here: PathBuf,
}

impl Repository {
    /// The one that a folder is in.
    pub fn around(folder: &Path) -> Result<Self, RevisionError> {
        let git = git2::Repository::discover(folder).map_err(|error| match error.code() {
            ErrorCode::NotFound => RevisionError::NoRepository(folder.to_owned()),
            ErrorCode::Owner => RevisionError::NotTrusted(error.message().to_owned()),
            _ => error.into(),
        })?;
        let below =
            |root: &Path| Some(folder.canonicalize().ok()?.strip_prefix(root.canonicalize().ok()?).ok()?.to_owned());
        let here = git.workdir().and_then(below).unwrap_or_default();
        Ok(Self { git, here })
    }

    /// Where the program runs, below the repository's root.
    pub fn here(&self) -> &Path {
        &self.here
    }

    /// The repository's path of one that is relative to where the program runs.
    pub fn inside(&self, path: &Path) -> PathBuf {
        let path = match self.git.workdir().and_then(|root| path.strip_prefix(root).ok()) {
            Some(below) => below.to_owned(),
            None => self.here.join(path),
        };
        let mut plain = PathBuf::new();
        for part in path.components() {
            match part {
                Component::ParentDir => drop(plain.pop()),
                Component::Normal(name) => plain.push(name),
                _ => {}
            }
        }
        plain
    }

    /// The commit that a word names.
    pub fn commit(&self, word: &str) -> Result<At, RevisionError> {
        let object = match self.git.revparse_single(word) {
            Ok(object) => object,
            Err(error) if matches!(error.code(), ErrorCode::NotFound | ErrorCode::InvalidSpec) => {
                return Err(self.unknown(word));
            }
            Err(error) => return Err(error.into()),
        };
        let commit = object.peel_to_commit().map_err(|_| RevisionError::NoCommit(word.to_owned()))?;
        Ok(At::Commit { word: word.to_owned(), id: commit.id().to_string() })
    }

    fn unknown(&self, word: &str) -> RevisionError {
        let names = self.git.references().into_iter().flatten().flatten();
        let names: Vec<String> = names.filter_map(|name| name.shorthand().ok().map(str::to_owned)).collect();
        // `mian~2` is probably `main~2`.
        let (name, rest) = word.split_at(word.find(['~', '^', '@', ':']).unwrap_or(word.len()));
        let near = nearest(name, names.iter().map(String::as_str)).filter(|near| *near != name);
        let near = near.map(|near| format!("{near}{rest}"));
        RevisionError::Unknown { word: word.to_owned(), near, shallow: self.git.is_shallow() }
    }

    /// Both ends of `from..to`, or of `from...to`, which begins where the two parted.
    pub fn range(&self, range: &str) -> Result<(At, At), RevisionError> {
        let (from, to, parted) = match (range.split_once("..."), range.split_once("..")) {
            (Some((from, to)), _) => (from, to, true),
            (None, Some((from, to))) => (from, to, false),
            (None, None) => return Ok((self.commit(range)?, At::WorkTree)),
        };
        let named = |word: &str| self.commit(if word.is_empty() { "HEAD" } else { word });
        let (old, new) = (named(from)?, named(to)?);
        match (old.commit(), new.commit()) {
            (Some(one), Some(other)) if parted => {
                let base = self.git.merge_base(Oid::from_str(one)?, Oid::from_str(other)?);
                let base = base.map_err(|_| RevisionError::Apart {
                    from: old.label().to_owned(),
                    to: new.label().to_owned(),
                    shallow: self.git.is_shallow(),
                })?;
                let word = format!("{} (where {} left it)", old.label(), new.label());
                Ok((At::Commit { word, id: base.to_string() }, new))
            }
            _ => Ok((old, new)),
        }
    }

    /// Its files in that state.
    pub fn files(&self, at: &At) -> Result<Box<dyn Files>, RevisionError> {
        let root = self.git.workdir();
        let kept = |tree: Option<Oid>| -> Result<Box<dyn Files>, RevisionError> {
            // A handle of its own: handles are not shared between threads.
            let git = git2::Repository::open(root.unwrap_or(self.git.path()))?;
            Ok(Box::new(Kept { git: Mutex::new(git), tree, disk: root.map(Disk::at) }))
        };
        match at {
            At::Commit { id, .. } => kept(Some(self.git.find_commit(Oid::from_str(id)?)?.tree_id())),
            At::Index => kept(None),
            At::WorkTree => Ok(Box::new(Disk::at(root.ok_or(RevisionError::NoWorkTree)?))),
        }
    }
}

/// The files of a tree, or of the index.
struct Kept {
    git: Mutex<git2::Repository>,
    /// `None`: the index.
    tree: Option<Oid>,
    /// Where files are that git is told to ignore: no revision has them, and each means the same ones.
    disk: Option<Disk>,
}

/// What is at a path, links not followed.
enum Entry {
    File(Oid),
    Folder,
    Link(Oid),
    Other,
}

/// Where a path leads.
enum Found {
    Here(PathBuf, Entry),
    /// On the disk: git ignores it.
    Ignored(PathBuf),
}

fn absent(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("the revision has no {}", path.display()))
}

fn failed(error: &git2::Error, path: &Path) -> io::Error {
    match error.code() {
        ErrorCode::NotFound if error.class() == git2::ErrorClass::Tree => absent(path),
        // A partial clone has left it out.
        ErrorCode::NotFound => io::Error::other(format!("this clone does not hold {}", path.display())),
        _ => io::Error::other(error.message().to_owned()),
    }
}

impl Kept {
    fn with<T>(&self, read: impl FnOnce(&git2::Repository) -> io::Result<T>) -> io::Result<T> {
        read(&self.git.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn entry(&self, git: &git2::Repository, path: &Path) -> io::Result<Entry> {
        if path.as_os_str().is_empty() {
            return Ok(Entry::Folder);
        }
        let told = |error: git2::Error| failed(&error, path);
        match self.tree {
            Some(tree) => {
                let entry = git.find_tree(tree).map_err(told)?.get_path(path).map_err(told)?;
                Ok(match entry.kind() {
                    Some(ObjectType::Blob) if entry.filemode() == LINK => Entry::Link(entry.id()),
                    Some(ObjectType::Blob) => Entry::File(entry.id()),
                    Some(ObjectType::Tree) => Entry::Folder,
                    _ => Entry::Other,
                })
            }
            None => {
                let index = git.index().map_err(told)?;
                if let Some(entry) = index.get_path(path, 0) {
                    let link = entry.mode == LINK.cast_unsigned();
                    return Ok(if link { Entry::Link(entry.id) } else { Entry::File(entry.id) });
                }
                let below = format!("{}/", path.display());
                index.find_prefix(below).map(|_| Entry::Folder).map_err(|_| absent(path))
            }
        }
    }

    fn blob(git: &git2::Repository, id: Oid, path: &Path, most: usize) -> io::Result<Vec<u8>> {
        let blob = git.find_blob(id).map_err(|error| failed(&error, path))?;
        let content = blob.content();
        Ok(content[..content.len().min(most)].to_owned())
    }

    /// Follows a path from the root on, links too.
    fn find(&self, git: &git2::Repository, path: &Path) -> io::Result<Found> {
        let mut at = PathBuf::new();
        let mut entry = Entry::Folder;
        let mut rest: Vec<String> = parts(path)?;
        rest.reverse();
        let mut links = 0;
        while let Some(part) = rest.pop() {
            if part == ".." {
                if !at.pop() {
                    return Err(absent(path));
                }
                entry = Entry::Folder;
                continue;
            }
            at.push(&part);
            match self.entry(git, &at) {
                Ok(Entry::Link(target)) => {
                    links += 1;
                    if links > LINKS {
                        return Err(io::Error::other("too many links"));
                    }
                    let target = Self::blob(git, target, &at, TARGET)?;
                    at.pop();
                    let target = String::from_utf8(target).map_err(|_| absent(path))?;
                    rest.extend(parts(Path::new(&target))?.into_iter().rev());
                    entry = Entry::Folder;
                }
                Ok(found) => entry = found,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let ignored = self.disk.is_some() && git.is_path_ignored(&at).unwrap_or(false);
                    let plain = rest.iter().all(|part| part != "..");
                    if !(ignored && plain) {
                        return Err(absent(path));
                    }
                    at.extend(rest.iter().rev());
                    return Ok(Found::Ignored(at));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Found::Here(at, entry))
    }

    fn on_disk<T>(&self, path: &Path, read: impl FnOnce(&Disk) -> io::Result<T>) -> io::Result<T> {
        read(self.disk.as_ref().ok_or_else(|| absent(path))?)
    }
}

/// The parts of a path below the root; one that begins elsewhere is in no revision.
fn parts(path: &Path) -> io::Result<Vec<String>> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => parts.push(name.to_str().ok_or_else(|| absent(path))?.to_owned()),
            Component::ParentDir => parts.push("..".to_owned()),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return Err(absent(path)),
        }
    }
    Ok(parts)
}

impl Files for Kept {
    fn kind(&self, path: &Path) -> io::Result<Kind> {
        match self.with(|git| self.find(git, path))? {
            Found::Here(_, Entry::File(_)) => Ok(Kind::File),
            Found::Here(_, Entry::Folder) => Ok(Kind::Folder),
            Found::Here(..) => Ok(Kind::Other),
            Found::Ignored(at) => self.on_disk(path, |disk| disk.kind(&at)),
        }
    }

    fn read(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let most_here = usize::try_from(most).unwrap_or(usize::MAX);
        let found = self.with(|git| match self.find(git, path)? {
            Found::Here(at, Entry::File(id)) => Self::blob(git, id, &at, most_here).map(Ok),
            Found::Here(..) => Err(io::Error::other("this is no file")),
            Found::Ignored(at) => Ok(Err(at)),
        })?;
        match found {
            Ok(bytes) => Ok(bytes),
            Err(ignored) => self.on_disk(path, |disk| disk.read(&ignored, most)),
        }
    }

    fn settled(&self, path: &Path) -> io::Result<PathBuf> {
        match self.with(|git| self.find(git, path))? {
            Found::Here(at, _) => Ok(at),
            Found::Ignored(at) => self.on_disk(path, |disk| disk.kind(&at)).map(|_| at),
        }
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.with(|git| {
            let Found::Here(at, Entry::Folder) = self.find(git, folder)? else { return Err(absent(folder)) };
            let told = |error: git2::Error| failed(&error, folder);
            let mut names: Vec<String> = match self.tree {
                Some(tree) => {
                    let mut tree = git.find_tree(tree).map_err(told)?;
                    if !at.as_os_str().is_empty() {
                        let id = tree.get_path(&at).map_err(told)?.id();
                        tree = git.find_tree(id).map_err(told)?;
                    }
                    tree.iter().filter_map(|entry| entry.name().ok().map(str::to_owned)).collect()
                }
                None => {
                    let index = git.index().map_err(told)?;
                    let paths = index.iter().filter_map(|entry| String::from_utf8(entry.path).ok());
                    let within = paths.filter_map(|path| {
                        let below = Path::new(&path).strip_prefix(&at).ok()?;
                        below.components().next()?.as_os_str().to_str().map(str::to_owned)
                    });
                    within.collect()
                }
            };
            names.sort();
            names.dedup();
            Ok(names)
        })
    }
}
