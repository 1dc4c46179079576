//! The one integration binary: stories from the outside, properties and layers from the inside.

mod architecture;
mod cases;
mod properties;
mod roundtrip;
mod stories;
mod support;
mod wheels;
