//! What a row of the table is made of: a call, who makes it, and what AWS asks for it. Data alone; what it comes to for a
//! stack is written where policies are rendered.

use super::Command;

/// What a permission is about; [`super`] knows the ARNs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum On {
    Everything,
    /// Those whose name is the stack's: a listing by that prefix has to tell ours from others.
    Buckets,
    BucketsOfOthers,
    /// All objects of those buckets.
    Objects,
    /// Our own objects: lease, intents, manifests, scripts, weights.
    Home,
    Logs,
    Results,
    Uploads,
    KeyOfHome,
    /// Those of buckets that have others than home.
    KeysBeside,
    Roles,
    /// Asked for by name alone: one that is not there, or is somebody else's, has no path of ours.
    RolesByName,
    RolesOfOthers,
    Profiles,
    ProfilesByName,
    ProfileOfOthers,
    NodesRole,
    ServiceRole,
    EndRole,
    ScalingRole,
    CleanupRole,
    /// Those that AWS makes for a service: whether they are there yet.
    LinkedRoles,
    Networks,
    Groups,
    Clusters,
    /// Homes of all stacks, by the ending of their names, and our own objects in them.
    Homes,
    InHomes,
    /// Of all stacks, in all regions of the EU.
    GroupsOfAll,
    ClustersOfAll,
    SchedulesOfAll,
    Topics,
    /// The stack's own.
    Schedule,
}

/// On which condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Given {
    Always,
    InItsRegion,
    InTheEu,
    OfThisStack,
    /// Of any stack: whose mark it bears is not asked.
    Marked,
    BornMarked,
    AtCreationOf(&'static str),
    PassedTo(&'static str),
    LinkedTo(&'static str),
    ByWayOfS3,
}

impl Given {
    /// The end of a statement's name, which may hold letters and digits alone.
    pub(super) fn words(self) -> String {
        match self {
            Self::Always => String::new(),
            Self::AtCreationOf(_) => "AtBirth".into(),
            Self::PassedTo(service) | Self::LinkedTo(service) => {
                format!("To{}", service.chars().filter(char::is_ascii_alphanumeric).collect::<String>())
            }
            other => format!("{other:?}"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Need {
    pub action: &'static str,
    pub on: On,
    pub given: Given,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    Ever,
    /// A stack that is storage only never makes the call.
    WithCluster,
    /// Nor does one whose cluster has groups.
    WithFleets,
}

#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// As it is named where it is made.
    pub call: &'static str,
    pub by: &'static [Command],
    pub only: Only,
    pub needs: &'static [Need],
}
