//! The second opinion: the control plane's main lines on another model of AWS, so that no habit of ours is
//! proven by our own model alone.

use super::{foreign, journey};
use crate::support::Aws;

fn moto() -> Aws {
    Aws::with(&["--rate", "120", "--model", "moto"])
}

#[test]
fn demo_goes_the_whole_way_on_moto_too() {
    journey::whole_way(&moto(), "demo", "fruits-demo", "eu-west-3");
}

#[test]
fn minimal_goes_the_whole_way_on_moto_too() {
    journey::whole_way(&moto(), "minimal", "fruits-minimal", "eu-west-1");
}

#[test]
fn taken_names_are_told_on_moto_too() {
    foreign::taken(&moto());
}
