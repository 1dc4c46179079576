//! The one integration binary: stories from the outside, properties and layers from the inside.

mod stories;
mod support;
