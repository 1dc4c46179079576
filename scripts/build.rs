//! Tells the program which commit it was built from: `FRUITSINFRA_COMMIT` of whoever packages it, else what git says here. That is
//! the last commit that changed what the program is made of, and so the same whenever and however often it is built.

use std::env;
use std::process::Command;

/// What the program is made of.
const SOURCES: [&str; 5] = ["src", "templates", "Cargo.toml", "Cargo.lock", "scripts/build.rs"];

fn main() {
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    println!("cargo::rerun-if-env-changed=FRUITSINFRA_COMMIT");
    let commit = env::var("FRUITSINFRA_COMMIT").ok().or_else(commit).unwrap_or_else(|| "an unknown commit".into());
    println!("cargo::rustc-env=FRUITSINFRA_COMMIT={commit}");
}

/// `a1b2c3d4e5f6`, and that the sources are not quite those, where they are not.
fn commit() -> Option<String> {
    let commit = git(&[&["log", "-1", "--abbrev=12", "--format=%h", "--"], &SOURCES[..]].concat())?;
    let changed = git(&[&["status", "--porcelain", "--"], &SOURCES[..]].concat())?;
    Some(if changed.is_empty() { commit } else { format!("{commit} with changes") })
}

fn git(args: &[&str]) -> Option<String> {
    let ran = Command::new("git").args(args).output().ok().filter(|ran| ran.status.success())?;
    Some(String::from_utf8(ran.stdout).ok()?.trim().to_owned())
}
