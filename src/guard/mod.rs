//! The guard: what nobody uses is found and ended, without a stack's file.

pub mod install;
