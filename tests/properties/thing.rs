//! What exists in a drawn world, as plain data: nothing here happens by itself.

use std::collections::BTreeSet;
use std::fmt;

use fruitsinfra::resource::{Address, Id, Phase, Ref};

/// What a thing is like. Of needs there are three sorts, as in AWS.
#[derive(Clone, Default, PartialEq)]
pub(crate) struct Shape {
    /// Only a new thing can have another.
    pub(crate) fixed: u8,
    /// Changes in place.
    pub(crate) loose: u8,
    /// Baked in at birth: what is bound to cannot be removed (a cluster's groups).
    pub(crate) bound: BTreeSet<Ref>,
    /// Held on to likewise, but changed in place (a profile's role).
    pub(crate) attached: BTreeSet<Ref>,
    /// There before, and longer; not compared (a cluster's log bucket).
    pub(crate) after: BTreeSet<Address>,
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fixed, loose, bound, attached, after } = self;
        let words = |refs: &BTreeSet<Ref>| refs.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let after: Vec<_> = after.iter().map(ToString::to_string).collect();
        write!(f, "fixed {fixed} loose {loose} bound [{}] attached [{}]", words(bound), words(attached))?;
        write!(f, " after [{}]", after.join(" "))
    }
}

/// What exists.
#[derive(Clone, PartialEq)]
pub(crate) struct Thing {
    pub(crate) stack: String,
    pub(crate) address: Address,
    pub(crate) name: String,
    pub(crate) shape: Shape,
    pub(crate) phase: Phase,
    pub(crate) standing: (bool, i64),
}

impl fmt::Debug for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stack, address, name, shape, phase, standing } = self;
        write!(f, "{address} of {stack}, {name}: {phase:?} {standing:?} {shape:?}")
    }
}

impl Thing {
    pub(crate) fn lives(&self) -> bool {
        !matches!(self.phase, Phase::Ended(_))
    }

    pub(super) fn holds(&self, id: &Id) -> bool {
        let theirs = Ref::Theirs(id.clone());
        self.lives() && (self.shape.bound.contains(&theirs) || self.shape.attached.contains(&theirs))
    }
}
