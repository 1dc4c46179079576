//! libFuzzer over one target of ../../targets/mod.rs, which `FUZZ_TARGET` names. It adds nothing to what the suite
//! replays but the search.

#![no_main]

#[path = "../../targets/mod.rs"]
mod targets;

use std::sync::LazyLock;

static TARGET: LazyLock<targets::Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let found = targets::TARGETS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("FUZZ_TARGET is `{name}`, and names none of the targets")).1
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));
