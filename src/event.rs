//! All that can happen while something is done: one closed, serialisable list. Renderers read it; nothing
//! here prints.

use serde::Serialize;

use crate::resource::Address;

/// What is done to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    Delete,
    Create,
    Update,
    /// Wait for one that is starting.
    Settle,
}

impl Verb {
    /// `deleting`, for the line of work in progress.
    pub fn doing(self) -> &'static str {
        match self {
            Self::Delete => "deleting",
            Self::Create => "creating",
            Self::Update => "updating",
            Self::Settle => "waiting for",
        }
    }

    /// `deleted`, for the line of work done.
    pub fn done(self) -> &'static str {
        match self {
            Self::Delete => "deleted",
            Self::Create => "created",
            Self::Update => "updated",
            Self::Settle => "ready",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    Started {
        address: Address,
        verb: Verb,
    },
    Progress {
        address: Address,
        message: String,
    },
    Finished {
        address: Address,
        verb: Verb,
        id: Option<String>,
        seconds: f64,
    },
    Failed {
        address: Address,
        verb: Verb,
        error: String,
        hint: Option<String>,
    },
    /// Not begun: something it depends on failed, or the walk was interrupted.
    Skipped {
        address: Address,
        verb: Verb,
        because: String,
    },
    /// Files on their way to a bucket.
    Upload {
        to: String,
        files: usize,
        of: usize,
        bytes: u64,
        /// Since the first of them was begun.
        seconds: f64,
    },
    /// Objects that no file of this machine stood for.
    Removed {
        from: String,
        objects: usize,
    },
    /// A step on a cluster.
    Step {
        id: String,
        state: String,
        message: Option<String>,
    },
    /// A line for a person that is no resource's.
    Note {
        message: String,
    },
    /// The last one.
    Summary(Summary),
}

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    pub ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done: Option<crate::plan::Counts>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
    /// What is still there, where the aim was that nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left: Option<Vec<String>>,
    /// What was in flight when it was interrupted: it may or may not have been done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// What was found or made before it was interrupted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub there: Vec<String>,
    pub interrupted: bool,
    pub seconds: f64,
    /// Every host that was called.
    pub contacts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}
