//! What is done to a stack between one state and the next: the flows that are killed. It knows commands and
//! states, never how a kill is made.

use serde::Serialize;

/// A way from one state of a stack to another, and the command that goes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Flow {
    /// `up` where nothing is.
    UpFromNothing,
    /// `up` with a change in every kind.
    UpWithChanges,
    /// `up` with a new release, which costs a new cluster.
    UpWithReplacement,
    /// `up` with nothing but many small files to send.
    Uploads,
    /// `sync --delete` with many small files to send, and one that lies there to go.
    Sync,
    Run,
    /// `extend`, which moves a cluster's end.
    Extend,
    /// A sweep that ends a cluster whose end has come.
    Guard,
    Down,
    /// `up` after `down`.
    UpAgain,
    Destroy,
}

/// What is there of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stand {
    Nothing,
    /// Buckets, objects, roles: what `down` leaves.
    Kept,
    Standing,
}

impl Flow {
    pub(super) const ALL: [Self; 11] = [
        Self::UpFromNothing,
        Self::UpWithChanges,
        Self::UpWithReplacement,
        Self::Uploads,
        Self::Sync,
        Self::Run,
        Self::Extend,
        Self::Guard,
        Self::Down,
        Self::UpAgain,
        Self::Destroy,
    ];

    pub(super) fn from(self) -> Stand {
        match self {
            Self::UpFromNothing => Stand::Nothing,
            Self::UpAgain => Stand::Kept,
            Self::UpWithChanges
            | Self::UpWithReplacement
            | Self::Uploads
            | Self::Sync
            | Self::Run
            | Self::Extend
            | Self::Guard
            | Self::Down
            | Self::Destroy => Stand::Standing,
        }
    }

    pub(super) fn to(self) -> Stand {
        match self {
            Self::Destroy => Stand::Nothing,
            Self::Down | Self::Guard => Stand::Kept,
            _ => Stand::Standing,
        }
    }

    pub(super) fn command(self, file: &str) -> Vec<&str> {
        match self {
            Self::Run => vec!["run", file, "own"],
            Self::Extend => vec!["extend", file, "10m", "--yes", "--allow", "FI911", "--because", "a crash is tried"],
            // It has no stack's file, and warns of nothing first.
            Self::Guard => vec!["guard", "--kill", "--hard"],
            Self::Sync => vec!["sync", file, "--delete", "--yes"],
            Self::Down => vec!["down", file, "--yes"],
            Self::Destroy => vec!["destroy", file, "--yes"],
            _ => vec!["up", file, "--yes"],
        }
    }

    /// Whether it makes a cluster.
    pub(super) fn gives_birth(self) -> bool {
        matches!(self, Self::UpFromNothing | Self::UpAgain | Self::UpWithReplacement)
    }
}
