//! Stories: the real binary against the embedded AWS, from the outside, as a person or a script meets it. A
//! group of stories has its own AWS; none needs another's. Nothing here may look inside the binary.

mod changes;
mod doctor;
mod drift;
mod ended;
mod ending;
mod ends;
mod evidence;
mod foreign;
mod guard;
mod job;
pub(crate) mod journey;
mod moto;
mod once;
mod policy;
mod quiet;
mod residency;
mod sync;
mod unattended;
mod writers;
