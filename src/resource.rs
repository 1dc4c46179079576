//! The vocabulary: what a resource is, as it should be or as it is in AWS. One trait, one type for both
//! sides, so that the diff is symmetric. This room knows no kind and makes no call of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::BoxFuture;
use serde::{Serialize, Serializer};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use crate::cloud::clock::Clock;
use crate::cloud::error::CloudError;
use crate::cloud::mark::Mark;
use crate::cloud::{Cancel, Cloud};

/// Names a resource within a stack: `bucket/data`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    pub kind: &'static str,
    pub key: String,
}

impl Address {
    pub fn new(kind: &'static str, key: impl Into<String>) -> Self {
        Self { kind, key: key.into() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.key)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What AWS calls it: `sg-0a1b`, `j-2AXX`, a role's or a bucket's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Id(pub String);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A resource's way of naming another: ours by address, somebody else's by AWS's id.
///
/// `list` may return ids everywhere; [`resolve`](crate::resources::resolve) turns those of ours into addresses.
/// An id that stays an id where an address is desired is drift.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ref {
    Ours(Address),
    Theirs(Id),
}

impl Ref {
    pub fn id(id: impl Into<String>) -> Self {
        Self::Theirs(Id(id.into()))
    }

    /// The address behind an id of ours, the id itself for all others.
    #[must_use]
    pub fn resolved(&self, kind: &'static str, known: &Known) -> Self {
        match self {
            Self::Theirs(id) => known.address(kind, id).map_or_else(|| self.clone(), Self::Ours),
            Self::Ours(_) => self.clone(),
        }
    }

    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Ours(address) => Some(address),
            Self::Theirs(_) => None,
        }
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(address) => address.fmt(f),
            Self::Theirs(id) => id.fmt(f),
        }
    }
}

impl From<&Ref> for Value {
    fn from(reference: &Ref) -> Self {
        Self::String(reference.to_string())
    }
}

/// The ids of everything of ours that was found. Two kinds may use one name (a role and its profile do).
#[derive(Debug, Default)]
pub struct Known(BTreeMap<(&'static str, Id), Address>);

impl Known {
    pub fn of(live: &[Live]) -> Self {
        let address = |live: &Live| live.resource.address();
        Self(live.iter().map(|live| ((address(live).kind, live.id.clone()), address(live))).collect())
    }

    fn address(&self, kind: &'static str, id: &Id) -> Option<Address> {
        self.0.get(&(kind, id.clone())).cloned()
    }
}

/// One comparable field. A field that `desired` leaves out is not compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub name: &'static str,
    pub value: Value,
    pub replaces: bool,
}

impl Field {
    /// A field that AWS changes in place.
    pub fn updates(name: &'static str, value: impl Into<Value>) -> Self {
        Self { name, value: value.into(), replaces: false }
    }

    /// A field fixed at birth: a new value needs a new resource.
    pub fn replaces(name: &'static str, value: impl Into<Value>) -> Self {
        Self { name, value: value.into(), replaces: true }
    }
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    pub field: &'static str,
    pub from: Value,
    pub to: Value,
    pub replaces: bool,
}

/// Something that exists before me and outlives me.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    pub address: Address,
    /// Its id is baked into me at birth: when it is made anew, so am I. Otherwise it only orders.
    pub binds: bool,
}

impl Need {
    pub fn orders(address: Address) -> Self {
        Self { address, binds: false }
    }

    pub fn binds(address: Address) -> Self {
        Self { address, binds: true }
    }
}

/// Where an existing resource stands in its life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Made, not usable yet: kept, and waited for.
    Starting,
    Standing,
    /// On its way out by somebody's hand: its end is waited for.
    Ending,
    /// Gone, and told as history: `(02:14 by its idle policy)`.
    Ended(String),
}

/// A thing in AWS, as it should be or as it is: both sides are this type.
#[async_trait]
pub trait Resource: fmt::Debug + Send + Sync {
    // What it is. Pure: no Cx in reach.

    fn address(&self) -> Address;

    /// The name a person sees in AWS; deterministic.
    fn name(&self) -> String;

    fn needs(&self) -> Vec<Need> {
        vec![]
    }

    /// All that is compared. Implementations destructure `Self` without `..`, so that nobody forgets a new one.
    fn fields(&self) -> Vec<Field>;

    fn phase(&self) -> Phase {
        Phase::Standing
    }

    /// Which of several at one address stays: the greatest. `(has work, older is greater)` for clusters.
    fn standing(&self) -> (bool, i64) {
        (false, 0)
    }

    /// Why it may not be removed, if it may not.
    fn guarded(&self) -> Option<String> {
        None
    }

    /// Ids of ours turned into addresses.
    fn resolved(&self, known: &Known) -> Option<Arc<dyn Resource>> {
        let _ = known;
        None
    }

    /// The facts of `status` beyond id and name.
    fn facts(&self) -> Value {
        Value::Null
    }

    // What it does. Idempotent; marks at birth; deleting the absent is fine.

    /// Makes it, usable when this returns. Over a thing that is not ours: [`CloudError`] of class `Taken`.
    async fn create(&self, cx: &Cx) -> Result<Id, CloudError>;

    /// Makes `changes` in place; `self` is the desired side.
    async fn update(&self, cx: &Cx, id: &Id, changes: &[Change]) -> Result<(), CloudError>;

    /// Removes it and waits for its end; `self` is the live one.
    async fn delete(&self, cx: &Cx, id: &Id) -> Result<(), CloudError>;

    /// What a person loses with it (`200 objects, 1.2 MB`), asked before a deletion is approved.
    async fn holds(&self, cx: &Cx) -> Result<Option<String>, CloudError> {
        let _ = cx;
        Ok(None)
    }

    /// Waits until a [`Phase::Starting`] one can be used.
    async fn settle(&self, cx: &Cx, id: &Id) -> Result<(), CloudError> {
        let _ = (cx, id);
        Ok(())
    }
}

/// A resource found in AWS under this stack's mark. Only `list` makes one, so nothing unmarked can be
/// changed or deleted.
#[derive(Clone, Debug)]
pub struct Live {
    pub id: Id,
    pub resource: Arc<dyn Resource>,
    pub mark: Mark,
}

impl AsRef<dyn Resource> for Live {
    fn as_ref(&self) -> &(dyn Resource + 'static) {
        &*self.resource
    }
}

/// What `down` does with a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDown {
    /// It costs nothing by the hour, and may hold data.
    Stays,
    Goes,
    /// It costs by the hour: its end waits for no lease, so that no writer who hangs keeps it alive.
    GoesAtOnce,
}

/// A kind of resource, as the registry holds it.
#[derive(Clone, Copy)]
pub struct Kind {
    pub name: &'static str,
    pub on_down: OnDown,
    /// Ours by its place in home, and so only where home is ours by its mark.
    pub in_home: bool,
    /// Everything of this kind that bears the stack's mark.
    pub list: List,
}

/// Lists everything of one kind.
pub type List = for<'a> fn(&'a Cx) -> BoxFuture<'a, Result<Vec<Live>, CloudError>>;

/// A word from within a long operation, for a person who waits.
#[derive(Clone, Debug)]
pub struct Progress {
    pub address: Address,
    pub message: String,
}

/// The seam to the outside world: only what does I/O receives it.
pub struct Cx {
    pub cloud: Cloud,
    pub stack: String,
    pub owner: String,
    pub clock: Clock,
    pub cancel: Cancel,
    ids: watch::Sender<BTreeMap<Address, Id>>,
    progress: UnboundedSender<Progress>,
}

impl Cx {
    pub fn new(
        cloud: Cloud,
        stack: &str,
        owner: &str,
        clock: Clock,
        cancel: Cancel,
        progress: UnboundedSender<Progress>,
    ) -> Self {
        Self { cloud, stack: stack.into(), owner: owner.into(), clock, cancel, ids: watch::Sender::default(), progress }
    }

    /// The mark that everything of this stack is born with.
    pub fn mark(&self, address: &Address) -> Mark {
        Mark { stack: self.stack.clone(), address: address.to_string(), owner: self.owner.clone() }
    }

    /// Remembers an id found or made.
    pub fn learn(&self, address: Address, id: Id) {
        self.ids.send_modify(|ids| drop(ids.insert(address, id)));
    }

    /// Returns when this thing has been found or made; never if it never is.
    pub async fn made(&self, address: &Address) {
        // The sender is ours, so it cannot be gone.
        let _ = self.ids.subscribe().wait_for(|ids| ids.contains_key(address)).await;
    }

    /// Everything found or made so far: `cluster/main (j-2AXX)`.
    pub fn there(&self) -> Vec<String> {
        self.ids.borrow().iter().map(|(address, id)| format!("{address} ({id})")).collect()
    }

    /// The id behind a reference; absent while the thing it names is not made.
    pub fn id_of(&self, reference: &Ref) -> Result<String, CloudError> {
        match reference {
            Ref::Theirs(id) => Ok(id.0.clone()),
            Ref::Ours(address) => {
                let id = self.ids.borrow().get(address).map(|id| id.0.clone());
                id.ok_or_else(|| CloudError::absent(format!("`{address}` does not exist yet")))
            }
        }
    }

    /// Tells whoever watches what is being waited for. Nobody watching is no error.
    pub fn say(&self, address: &Address, message: impl Into<String>) {
        let _ = self.progress.send(Progress { address: address.clone(), message: message.into() });
    }
}
