//! The two sides of a comparison: where stacks are kept, which of them belong together, and what each of them says. It
//! reads files alone, and never asks AWS or an index of packages.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::civil::Date;
use rayon::prelude::*;

use crate::blueprint::{self, Materials};
use crate::check::{self, Checked};
use crate::cloud::mark::sha256_hex;
use crate::price::Table;
use crate::python;
use crate::resources::object::Body;
use crate::script::ScriptError;
use crate::stack::finding::{Lines, Problem};
use crate::stack::node::Node;
use crate::stack::{self, Broken, Files, Folder, Kind, Loaded, Weights, profile};
use crate::{weights, wheels};

/// No file of weights that a stack names is larger.
const HEAVIEST: u64 = 1 << 30;

/// How a pointer of git's large file storage begins, in place of the file's content.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\noid sha256:";

/// One side of a comparison.
pub struct Side {
    /// As a person reads it: `main`, `the work tree`, `old/demo.yaml`.
    pub label: String,
    /// The id of its commit, if it is one.
    pub commit: Option<String>,
    pub files: Box<dyn Files>,
    /// Where its stacks are, in order.
    pub stacks: Vec<PathBuf>,
    /// What is no part of their names: the folder that a person named.
    pub folder: PathBuf,
    /// Hashes of weights, by file.
    weights: Mutex<BTreeMap<PathBuf, Option<String>>>,
}

/// Paths that were asked for and are on neither side.
#[derive(Debug, thiserror::Error)]
#[error("there is no `{}` in {from} or in {to}", path.display())]
pub struct Nowhere {
    pub path: PathBuf,
    pub from: String,
    pub to: String,
}

/// What a stack's file says.
pub struct Read {
    /// Where it is.
    pub path: PathBuf,
    /// Its name among the stacks of its side.
    pub key: String,
    pub told: Result<Loaded, Broken>,
}

/// Stacks that belong together.
pub struct Pair {
    pub old: Option<Read>,
    pub new: Option<Read>,
}

impl Side {
    pub fn new(label: &str, commit: Option<&str>, files: Box<dyn Files>) -> Self {
        Self {
            label: label.to_owned(),
            commit: commit.map(str::to_owned),
            files,
            stacks: Vec::new(),
            folder: PathBuf::new(),
            weights: Mutex::default(),
        }
    }

    /// With a single stack.
    #[must_use]
    pub fn with_stack(self, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Self { stacks: vec![path], folder, ..self }
    }

    /// With every stack directly within a folder.
    #[must_use]
    pub fn with_folder(self, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        Self { stacks: within(&*self.files, &folder), folder, ..self }
    }

    fn is(&self, path: &Path, kind: Kind) -> bool {
        self.files.kind(path).is_ok_and(|found| found == kind)
    }

    /// The stacks at a path: itself, or those directly within; none where there is nothing.
    fn at(&self, path: &Path) -> Option<Vec<PathBuf>> {
        match self.files.kind(path).ok()? {
            Kind::Folder => Some(within(&*self.files, path)),
            Kind::File | Kind::Other => Some(vec![path.to_owned()]),
        }
    }

    /// Whether a file says that it is a stack: a repository's root holds YAML of all sorts.
    fn calls_itself_a_stack(&self, path: &Path) -> bool {
        let text = self.files.read(path, 1 << 20).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().any(|line| line.starts_with("stack:"))
    }

    fn read(&self, path: &Path) -> Read {
        let key = path.strip_prefix(&self.folder).unwrap_or(path).display().to_string();
        Read { path: path.to_owned(), key, told: stack::load_from(&*self.files, path) }
    }

    /// A message without the folder that both sides call differently.
    pub(super) fn plain<'a>(&self, message: &'a str) -> std::borrow::Cow<'a, str> {
        if self.folder.as_os_str().is_empty() {
            return message.into();
        }
        message.replace(&format!("{}/", self.folder.display()), "").into()
    }

    /// Renders what a stack runs, or tells what is wrong with that. Nothing is fetched: packages stand as they are asked
    /// for, and of weights only those that are files here have a hash.
    pub(super) fn whole(&self, read: &Read, loaded: &Loaded, account: &str) -> Result<Materials, Broken> {
        let stack = &loaded.stack;
        let path = read.path.parent().unwrap_or(Path::new(""));
        let folder = Folder { files: &*self.files, path };
        let cannot = |message: String| Broken {
            sources: vec![loaded.source.clone()],
            findings: vec![
                Problem::new("FI703", 0..0, message)
                    .hint("see `fruitsinfra validate`")
                    .found_in(&loaded.source.file, &Lines::of("")),
            ],
        };
        let requests = blueprint::requests(stack).map_err(|error| cannot(error.to_string()))?;
        let cache = python::cache();
        let asked = requests.into_iter().map(|(name, request)| (name, wheels::asked(&request, &cache))).collect();
        let home = blueprint::home_name(stack, account);
        let materials = Materials::scripts(stack, folder, &home, asked);
        let mut materials = materials.map_err(|error: ScriptError| cannot(error.to_string()))?;
        for features in stack.jobs.values().filter_map(stack::Job::features) {
            let wanted = &features.model.weights;
            let content = match wanted {
                Weights::File(file) => self.weights_of(file),
                Weights::Imagenet | Weights::Registry | Weights::Untrained => None,
            };
            materials.weights.insert(weights::source(wanted), (Body::Stored, content));
        }
        Ok(materials)
    }

    /// The hash of a file of weights, read once; `None` where it cannot be read.
    fn weights_of(&self, file: &Path) -> Option<String> {
        let mut known = self.weights.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(file.to_owned()).or_insert_with(|| Some(hash(&self.files.read(file, HEAVIEST).ok()?))).clone()
    }
}

/// As an object's content is named; a pointer stands for the file that it points to.
fn hash(bytes: &[u8]) -> String {
    let pointed = bytes.strip_prefix(POINTER).and_then(|rest| std::str::from_utf8(rest.get(..12)?).ok());
    pointed.map_or_else(|| sha256_hex(bytes)[..12].to_owned(), str::to_owned)
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")
}

/// The YAML files directly within a folder; none where there is no folder.
fn within(files: &dyn Files, folder: &Path) -> Vec<PathBuf> {
    let names = files.names(folder).unwrap_or_default();
    let hidden = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let paths = names.into_iter().map(|name| folder.join(name)).filter(|path| is_yaml(path) && !hidden(path));
    paths.filter(|path| files.kind(path).is_ok_and(|kind| kind != Kind::Folder)).collect()
}

/// Fills in which stacks of two states of one repository are compared: those at `paths`; without any, those in `stacks/`
/// here, else in the repository's own, else those at its root.
pub fn choose(from: &mut Side, to: &mut Side, here: &Path, paths: &[PathBuf]) -> Result<(), Nowhere> {
    let mut wanted = paths.to_vec();
    if wanted.is_empty() {
        let folders = [here.join("stacks"), PathBuf::from("stacks")];
        wanted.extend(folders.into_iter().find(|at| from.is(at, Kind::Folder) || to.is(at, Kind::Folder)));
    }
    if wanted.is_empty() {
        for side in [from, to] {
            let found = within(&*side.files, Path::new(""));
            side.stacks = found.into_iter().filter(|path| side.calls_itself_a_stack(path)).collect();
        }
        return Ok(());
    }
    for path in wanted {
        let (old, new) = (from.at(&path), to.at(&path));
        if old.is_none() && new.is_none() {
            return Err(Nowhere { path, from: from.label.clone(), to: to.label.clone() });
        }
        from.stacks.extend(old.into_iter().flatten());
        to.stacks.extend(new.into_iter().flatten());
    }
    for side in [from, to] {
        side.stacks.sort();
        side.stacks.dedup();
    }
    Ok(())
}

/// Reads both sides, and finds out which stacks belong together: by file, and where a file was renamed by the stack's
/// name. Two single stacks always do.
pub fn pairs(from: &Side, to: &Side) -> Vec<Pair> {
    let jobs: Vec<(&Side, &PathBuf)> =
        from.stacks.iter().map(|path| (from, path)).chain(to.stacks.iter().map(|path| (to, path))).collect();
    let mut read: Vec<Read> = jobs.par_iter().map(|(side, path)| side.read(path)).collect();
    let mut new = read.split_off(from.stacks.len());
    let mut old = read;
    if let ([_], [_]) = (old.as_slice(), new.as_slice()) {
        return with_profiles(from, to, vec![Pair { old: old.pop(), new: new.pop() }]);
    }
    let by_key: BTreeSet<String> = old.iter().map(|read| read.key.clone()).collect();
    let (same, rest): (Vec<Read>, Vec<Read>) = new.into_iter().partition(|read| by_key.contains(&read.key));
    let mut found: Vec<Pair> = Vec::new();
    let mut take = |wish: &dyn Fn(&Read) -> bool| old.iter().position(wish).map(|at| old.remove(at));
    for read in same {
        let twin = take(&|other: &Read| other.key == read.key);
        found.push(Pair { old: twin, new: Some(read) });
    }
    for read in rest {
        let name = named(&read);
        let twin = name.and_then(|name| take(&|other: &Read| named(other) == Some(name)));
        found.push(Pair { old: twin, new: Some(read) });
    }
    found.extend(old.into_iter().map(|read| Pair { old: Some(read), new: None }));
    found.sort_by(|a, b| a.key().cmp(b.key()));
    with_profiles(from, to, found)
}

/// The pairs, each followed by those of its profiles that say something else than before. What changes in a stack changes
/// in its profiles too, and is told once.
fn with_profiles(from: &Side, to: &Side, pairs: Vec<Pair>) -> Vec<Pair> {
    fn said(read: Option<&Read>) -> Option<&BTreeMap<String, Node>> {
        let loaded = read.and_then(|read| read.told.as_ref().ok())?;
        loaded.stack.profile.is_none().then_some(&loaded.profiles)
    }
    let mut all = Vec::new();
    for pair in pairs {
        let (old, new) = (said(pair.old.as_ref()), said(pair.new.as_ref()));
        let names: BTreeSet<&String> = old.into_iter().chain(new).flat_map(BTreeMap::keys).collect();
        let was = |name: &String| old.and_then(|old| old.get(name));
        let is = |name: &String| new.and_then(|new| new.get(name));
        let mut profiles = Vec::new();
        for name in names {
            let same = was(name).zip(is(name)).is_some_and(|(was, is)| profile::alike(was, is));
            // With a stack that comes or goes, its profiles do.
            if !same && old.is_some() && new.is_some() {
                let half = |side: &Side, read: &Option<Read>| {
                    read.as_ref().map(|read| side.read(&profile::joined(&read.path, name)))
                };
                let old = was(name).and_then(|_| half(from, &pair.old));
                let new = is(name).and_then(|_| half(to, &pair.new));
                profiles.push(Pair { old, new });
            }
        }
        all.push(pair);
        all.append(&mut profiles);
    }
    all
}

fn named(read: &Read) -> Option<&str> {
    read.told.as_ref().ok().map(|loaded| loaded.stack.name.as_str())
}

impl Pair {
    /// The file by which it is told.
    pub fn key(&self) -> &str {
        self.new.as_ref().or(self.old.as_ref()).map_or("", |read| &read.key)
    }
}

impl Read {
    /// Everything that is found about it and its scripts.
    pub(super) fn checked(&self, side: &Side, today: Date, prices: &Table) -> Checked {
        match &self.told {
            Ok(loaded) => {
                let path = self.path.parent().unwrap_or(Path::new(""));
                check::examine(loaded, Folder { files: &*side.files, path }, today, Some(prices))
            }
            Err(broken) => Checked {
                stack: None,
                sources: broken.sources.clone(),
                findings: broken.findings.clone(),
                waived: Vec::new(),
            },
        }
    }
}
