//! The guard: what nobody uses is found, explained and ended, without a stack's file. [`sweep`] gathers [`facts`] in few
//! calls, [`decide`] judges them and is pure, [`act`] carries a verdict out. It keeps nothing: what it must remember
//! from one sweep to the next is in the tags of the cluster.

pub mod act;
pub mod activity;
pub mod decide;
pub mod facts;
pub mod install;
pub mod remains;
pub mod report;
pub mod sweep;
