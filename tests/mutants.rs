//! Planted bugs: each patch in `tests/mutants/` names what it breaks and the test that must fail for it. Here
//! they are only held against the sources; `scripts/soak mutants` plants them and runs the tests.

use std::collections::BTreeSet;
use std::fs;

use crate::support::repository;

/// Fewer prove too little.
const AT_LEAST: usize = 10;

#[test]
fn every_planted_bug_still_applies_and_its_test_is_there() {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(repository().join("tests/mutants")).expect("a folder of patches") {
        let file = entry.expect("an entry").path();
        let name = file.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        let patch = fs::read_to_string(&file).expect("a patch");
        let said = |word: &str| patch.lines().find_map(|line| line.strip_prefix(word)).map(str::to_owned);
        assert!(said("Bug: ").is_some(), "{name} says what it breaks");
        let test = said("Caught by: ").unwrap_or_else(|| panic!("{name} names the test that catches it"));
        assert!(is_there(&test), "{name}: there is no test {test}");
        applies(&name, &patch);
        names.insert(name);
    }
    assert!(names.len() >= AT_LEAST, "{names:?}");
}

/// A test by its path, `stories::once::something`.
fn is_there(test: &str) -> bool {
    let mut parts: Vec<&str> = test.split("::").collect();
    let function = parts.pop().expect("a test has a name");
    let folder = repository().join("tests");
    let file = folder.join(parts.join("/")).with_extension("rs");
    fs::read_to_string(file).is_ok_and(|text| text.contains(&format!("#[test]\nfn {function}()")))
}

/// Whether what each hunk takes out is there, once, in the file that it names.
fn applies(name: &str, patch: &str) {
    let (mut file, mut hunks) = (String::new(), 0);
    let mut parts = patch.split_inclusive('\n').peekable();
    while let Some(line) = parts.next() {
        if let Some(path) = line.strip_prefix("--- a/") {
            path.trim_end().clone_into(&mut file);
        }
        if !line.starts_with("@@ ") {
            continue;
        }
        let (mut old, mut changed) = (String::new(), false);
        while let Some(line) = parts.next_if(|line| line.starts_with([' ', '-', '+']) && !line.starts_with("--- ")) {
            changed |= !line.starts_with(' ');
            old.push_str(if line.starts_with('+') { "" } else { &line[1..] });
        }
        let text = fs::read_to_string(repository().join(&file)).expect("the file that it changes");
        assert_eq!(text.matches(&old).count(), 1, "{name} does not apply to {file} any more:\n{old}");
        assert!(changed, "{name} changes something");
        hunks += 1;
    }
    assert!(hunks > 0, "{name} changes something");
}
