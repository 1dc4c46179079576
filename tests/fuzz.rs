//! The fuzz targets as ordinary tests: their corpus replayed, and thousands of cheap mutations of it that a seed
//! repeats. Each input has a second and the process its memory; what was ever found by the search stays in the corpus.

mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use self::targets::{TARGETS, Target};

/// Processor time that one input may take: that of a busy machine's other work does not count.
const AT_MOST: Duration = Duration::from_secs(1);

/// What the process may hold while one target runs, in bytes.
const MEMORY: u64 = 512 << 20;

const SEED: u64 = 0x5eed;

/// Tokens of the languages that are read, which random bytes never make.
const TOKENS: [&str; 32] = [
    "\n",
    "\n  ",
    ": ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "'",
    "&a ",
    "*a",
    "<<: ",
    "!!str ",
    "|\n",
    "\u{feff}",
    "\0",
    "é",
    "🍎",
    "null",
    "-1",
    "1e999",
    "18446744073709551616",
    "\\u0000",
    "</",
    "<a>",
    "&#0;",
    "%ff",
    "../",
    "s3://",
    "AKIA",
    "-----BEGIN ",
];

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let files = folder.read_dir().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("is readable").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{target} has no corpus");
    files.into_iter().map(|path| (path.clone(), std::fs::read(&path).expect("is readable"))).collect()
}

/// A few random edits, and at times a piece of another entry.
fn mutated(random: &mut fastrand::Rng, all: &[(PathBuf, Vec<u8>)]) -> Vec<u8> {
    let mut data = all[random.usize(..all.len())].1.clone();
    for _ in 0..random.usize(1..=6) {
        let at = random.usize(..=data.len());
        let end = (at + random.usize(..=16)).min(data.len());
        match random.u8(..6) {
            0 if at < data.len() => data[at] ^= 1 << random.u8(..8),
            1 => drop(data.splice(at..end, [])),
            2 => drop(data.splice(at..at, TOKENS[random.usize(..TOKENS.len())].bytes())),
            3 => {
                let piece = data[at..end].repeat(random.usize(1..=40));
                data.splice(at..at, piece);
            }
            4 => {
                let other = &all[random.usize(..all.len())].1;
                let from = random.usize(..=other.len());
                let piece = other[from..(from + random.usize(..=64)).min(other.len())].to_vec();
                data.splice(at..end, piece);
            }
            _ => data.truncate(at.max(data.len() / 2)),
        }
    }
    data
}

/// User and system time of this thread; what a server's threads take is none of the target's.
fn used() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanoseconds.expect("the kernel counts"))
}

/// The most memory this process ever held, in bytes.
fn peak() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").expect("the kernel tells");
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("is told");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

fn hold(name: &str, target: Target, data: &[u8], what: &dyn std::fmt::Display) {
    let begun = used();
    let ended = catch_unwind(AssertUnwindSafe(|| target(data)));
    let took = used().saturating_sub(begun);
    let shown = || String::from_utf8_lossy(&data[..data.len().min(2_000)]).into_owned();
    assert!(ended.is_ok(), "{name} panics on {what}:\n{}", shown());
    assert!(took <= AT_MOST, "{name} takes {took:?} on {what}:\n{}", shown());
}

fn replay(name: &str, mutations: u32) {
    let (_, target) = TARGETS.into_iter().find(|(known, _)| *known == name).expect("is a target");
    let (all, before, begun) = (corpus(name), peak(), Instant::now());
    for (path, data) in &all {
        hold(name, target, data, &path.display());
    }
    let mut random = fastrand::Rng::with_seed(SEED);
    for number in 0..mutations {
        let data = mutated(&mut random, &all);
        hold(name, target, &data, &format!("mutation {number}"));
        // A machine under load still ends the suite in time; the search itself is the soak's.
        if begun.elapsed() > Duration::from_secs(20) {
            break;
        }
    }
    let grown = peak().saturating_sub(before);
    assert!(grown <= MEMORY, "{name} took {} MiB", grown >> 20);
}

macro_rules! replays {
    ($($name:ident $mutations:literal)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name), $mutations);
        })*

        #[test]
        fn no_target_is_forgotten() {
            let replayed = [$(stringify!($name)),*];
            assert_eq!(replayed, TARGETS.map(|(name, _)| name));
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
            for entry in folder.read_dir().expect("is a folder") {
                let name = entry.expect("is readable").file_name();
                assert!(replayed.iter().any(|target| name == *target), "{} is of no target", name.display());
            }
        }
    };
}

replays! {
    stack 3000
    scripts 1000
    own 2000
    secrets 3000
    words 5000
    lease 3000
    report 3000
    objects 3000
    logs 1000
    tables 3000
    pip 3000
    ledger 3000
    answers 300
    import 2000
    zips 2000
}
