//! Files that cannot be read as a stack, and every place that says why.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

const DEMO: &str = include_str!("../../../stacks/demo.yaml");

/// Code, line, column and message of all that is found.
fn found(text: &str) -> Vec<(&'static str, usize, usize, String)> {
    let started = Instant::now();
    let findings = match load_text("own.yaml", text.to_owned(), Path::new("")) {
        Ok(loaded) => loaded.findings,
        Err(broken) => broken.findings,
    };
    assert!(started.elapsed() < Duration::from_secs(1), "took {:?}", started.elapsed());
    findings.into_iter().map(|finding| (finding.code, finding.line, finding.column, finding.message)).collect()
}

fn only(text: &str) -> (&'static str, usize, usize, String) {
    let mut found = found(text);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn what_is_not_a_stack_is_told_clearly() {
    let nested = format!("stack: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    let block = (0..1_000).map(|depth| format!("{}a:", " ".repeat(depth))).collect::<Vec<_>>().join("\n");
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb = format!("{bomb}a{level}: &a{level} [{aliases}]\n");
    }
    let cases = [
        ("", "FI101", 1, "the file is empty"),
        ("# a remark\n", "FI101", 1, "the file is empty"),
        ("stack: a\n\tregion: b\n", "FI102", 2, "a tab indents this line"),
        ("stack: a\nbuckets:\n\tdata: {}\n", "FI102", 3, "a tab indents this line"),
        ("stack: a\nstack: b\n", "FI103", 2, "`stack` is said twice"),
        ("buckets:\n  data: {}\n  data: {}\n", "FI103", 3, "`data` is said twice"),
        ("stack: a\n---\nstack: b\n", "FI104", 3, "a second document begins here"),
        (&nested, "FI105", 1, "nested too deep"),
        (&block, "FI105", 33, "nested too deep"),
        (&bomb, "FI105", 1, "aliases (`*name`) unfold to more than a stack can hold"),
        ("stack: *nothing\n", "FI100", 1, "not YAML: alias references unknown anchor"),
        ("stack: [a\nregion: b\n", "FI100", 2, "not YAML: illegal placement of ':' indicator"),
        ("words\n", "FI110", 1, "expected fields with their values, found `words`"),
    ];
    for (text, code, line, message) in cases {
        let (found_code, found_line, _, found_message) = only(text);
        let start: String = text.chars().take(40).collect();
        assert_eq!((found_code, found_line, found_message.as_str()), (code, line, message), "{start}");
    }
}

#[test]
fn files_that_are_no_text_are_told_clearly() {
    let folder = tempfile::tempdir().expect("a folder");
    let message = |bytes: &[u8]| {
        let path = folder.path().join("own.yaml");
        std::fs::write(&path, bytes).expect("is written");
        load(&path).expect_err("is no stack").findings.remove(0).message
    };
    assert_eq!(message(b"\xEF\xBB\xBFstack: a\n"), "the file begins with a byte order mark");
    assert_eq!(message(b"stack: caf\xE9\n"), "the file is not UTF-8 text: byte 10 belongs to no character");
    assert_eq!(message(&vec![b'a'; 2 << 20]), "the file is longer than 1 MiB");
    let folder = load(folder.path()).expect_err("is a folder").findings.remove(0);
    assert_eq!((folder.message.as_str(), folder.code), ("this is a folder, not a file", "FI101"));
    let absent = load(Path::new("absent.yaml")).expect_err("is absent");
    assert_eq!(absent.to_string(), "absent.yaml: 1 error");
}

#[test]
fn one_run_tells_every_mistake_with_its_place() {
    let text = "\
stack: fruits
regoin: eu-west-3
owner: a@fruits.example
buckets:
  data: {expire: 3 days, versionning: true}
  logs: {versioning: yes}
  old: {existing: other, versioning: true}
cluster:
  release: '7.12'
  primary: {type: m5.xlarge, count: two}
  core: m5.xlarge
  access: [{from: everywhere, port: 99999}]
  scale_down: at-task-complete
bootstrap:
  - {name: both, script: a.sh, template: b.j2}
  - {name: none}
limits: {hourly: 2 EUR}
jobs:
  mixed: {script: a.py, input: data/images/}
account:
";
    let found = found(text);
    let places: Vec<_> = found.iter().map(|(_, line, column, message)| format!("{line}:{column} {message}")).collect();
    insta::assert_snapshot!(places.join("\n"), @"
    2:1 unknown field `regoin`
    5:18 `3 days` is not a length of time
    5:26 unknown field `versionning`
    6:22 expected true or false, found `yes`
    7:3 an existing bucket is only named
    9:12 `7.12` is not a release label
    10:37 expected a whole number, found the text `two`
    11:9 expected fields with their values, found `m5.xlarge`
    12:19 `everywhere` is not a range of addresses
    12:37 expected a whole number up to 65535, found `99999`
    13:15 `at-task-complete` is not among the choices
    15:6 exactly one of `template` and `script` is wanted
    16:6 exactly one of `template` and `script` is wanted
    17:18 `2 EUR` is not an amount of money
    19:3 `input` belongs to a template, not to a script of one's own
    20:8 expected a value, found nothing
    ");
}

#[test]
fn regions_outside_the_union_are_refused_at_their_place() {
    let refused = |region: &str| only(&DEMO.replace("eu-west-3", region));
    let (code, line, column, message) = refused("eu-west-2");
    assert_eq!((code, line, column), ("FI201", 4, 9));
    assert!(message.contains("London"), "{message}");
    assert!(refused("eu-central-2").3.contains("Zurich"));
    assert!(refused("eu-isoe-west-1").3.contains("isolated cloud"));
    assert!(refused("eu-west-9").3.contains("no such region"));
}

#[test]
fn numbers_that_are_versions_keep_their_digits() {
    let text = DEMO.replace("pyarrow: 21.0.0", "pyarrow: 21.10");
    let stack = load_text("own.yaml", text, Path::new("")).expect("is a stack").stack;
    let BootstrapWork::Template { packages, .. } = &stack.bootstrap[0].work else { panic!("is a template") };
    assert_eq!(packages["pyarrow"], "21.10");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        found(&text);
    }

    #[test]
    fn no_spoilt_stack_makes_it_panic(at in 0..DEMO.len(), length in 0..40_usize, patch in "[ \\t\\n:\\[\\]{}&*!|>'\"%@`a-z0-9é-]{0,6}") {
        let start = DEMO.floor_char_boundary(at);
        let end = DEMO.floor_char_boundary((start + length).min(DEMO.len()));
        let text = format!("{}{patch}{}", &DEMO[..start], &DEMO[end..]);
        let lines = text.lines().count().max(1);
        for (_, line, column, _) in found(&text) {
            prop_assert!((1..=lines + 1).contains(&line) && column >= 1);
        }
    }
}
