//! The one integration binary: stories from the outside, properties and layers from the inside.

mod architecture;
mod bench;
mod cases;
mod codes;
mod crash;
mod fuzz;
mod hostile;
mod import;
mod mutants;
mod properties;
mod review;
mod roundtrip;
mod stories;
mod support;
mod tables;
mod talk;
mod traces;
mod validate;
mod wheels;
