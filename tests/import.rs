//! What others wrote of a cluster becomes a stack that validates and plans, with everything that it cannot say told; the
//! inputs are configurations that people really had, with neutral placeholders.

mod hostile;
mod lives;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Ran, clean, ended, repository};

/// Every source of `tests/import/cases` that becomes a stack.
const SOURCES: [&str; 8] =
    ["01.json", "03.json", "05.json", "08.json", "11.json", "create-cluster.sh", "cluster.tf", "mrjob.conf"];

pub(crate) fn case(name: &str) -> PathBuf {
    repository().join("tests/import/cases").join(name)
}

/// `fruitsinfra` in a folder of its own, without a connection.
fn run(folder: &Path, args: &[&str]) -> Ran {
    ended(clean(folder).args(args).stdin(Stdio::null()).output().expect("the binary starts"))
}

/// Imports a case, with the scripts that lie beside it, from `from/` to `to/stack.yaml`.
fn imported(name: &str, more: &[&str]) -> (TempDir, Ran) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("from")).expect("a folder");
    for entry in case("").read_dir().expect("a folder") {
        let path = entry.expect("an entry").path();
        fs::copy(&path, folder.path().join("from").join(path.file_name().expect("a name"))).expect("copied");
    }
    let source = format!("from/{name}");
    let args = [&["import", &source, "--out", STACK, "--owner", "data@fruits.example"], more].concat();
    let ran = run(folder.path(), &args);
    (folder, ran)
}

const STACK: &str = "to/stack.yaml";

fn text(folder: &TempDir) -> String {
    fs::read_to_string(folder.path().join(STACK)).expect("a stack")
}

/// What is told, a line each: code, place, message.
fn told(ran: &Ran) -> Vec<String> {
    let findings = ran.json()["findings"].as_array().expect("findings").clone();
    let line = |finding: &Value| {
        format!(
            "{} {}:{} {}",
            finding["code"].as_str().unwrap_or_default(),
            finding["line"],
            finding["column"],
            finding["message"].as_str().unwrap_or_default()
        )
    };
    findings.iter().map(line).collect()
}

#[test]
fn every_source_becomes_a_stack_that_validates_and_plans() {
    for name in SOURCES {
        let (folder, ran) = imported(name, &[]);
        ran.expect(0);
        run(folder.path(), &["validate", STACK]).expect(0);
        run(folder.path(), &["plan", STACK, "--offline"]).expect(0);
        for target in ["emr-json", "cli"] {
            run(folder.path(), &["render", STACK, target]).expect(0);
        }
    }
}

#[test]
fn a_region_outside_the_union_is_refused_unless_it_is_moved() {
    let folder = tempfile::tempdir().expect("a folder");
    let abroad = fs::read_to_string(case("01.json")).expect("a case").replace("eu-west-3", "us-east-1");
    fs::write(folder.path().join("abroad.json"), abroad).expect("written");
    let refused = run(folder.path(), &["import", "abroad.json", "--output", "json"]).expect(3);
    insta::assert_snapshot!(told(&refused).join("\n"), @r###"FI201 4:13 `us-east-1` is refused: it lies in the United States (Virginia), outside the EU"###);
    let moved =
        run(folder.path(), &["import", "abroad.json", "--region", "eu-central-1", "--output", "json"]).expect(0);
    let told = told(&moved).join("\n");
    assert!(told.contains("FI334 4:13 the source lies in us-east-1, the stack in eu-central-1 (Frankfurt)"), "{told}");
    assert!(moved.json()["text"].as_str().is_some_and(|text| text.contains("\nregion: eu-central-1\n")));
    run(folder.path(), &["import", "abroad.json", "--region", "eu-west-2"]).expect(3);
}

#[test]
fn without_a_place_to_write_to_stdout_holds_the_stack_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = clean(folder.path());
    command.args(["import", "-", "--stack", "mine"]).stdin(fs::File::open(case("05.json")).expect("a case"));
    let ran = ended(command.output().expect("the binary starts")).expect(0);
    fs::write(folder.path().join("mine.yaml"), &ran.out).expect("written");
    assert!(ran.out.starts_with("# Imported from stdin"), "{}", ran.out);
    // Its scripts were not at hand: they wait, and are told.
    assert!(ran.out.contains("# bootstrap:") && ran.err.contains("FI335"), "{}", ran.err);
    run(folder.path(), &["validate", "mine.yaml"]).expect(0);
}

#[test]
fn nothing_that_is_there_is_written_over() {
    let (folder, ran) = imported("01.json", &[]);
    ran.expect(0);
    let again = ["import", "from/01.json", "--out", STACK];
    assert!(run(folder.path(), &again).expect(2).err.contains("--force"));
    run(folder.path(), &[&again[..], &["--force"]].concat()).expect(0);
    fs::write(folder.path().join("to/bootstrap-emr.sh"), "another\n").expect("written");
    fs::remove_file(folder.path().join(STACK)).expect("removed");
    assert!(run(folder.path(), &again).expect(2).err.contains("another script"));
    assert!(!folder.path().join(STACK).exists(), "the stack comes last");
}

#[test]
fn a_script_comes_along_by_its_actions_name() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(case("05.json"), folder.path().join("05.json")).expect("copied");
    fs::write(folder.path().join("mine.sh"), "#!/bin/bash\nset -e\n").expect("written");
    let args = [
        "import",
        "05.json",
        "--out",
        "to/stack.yaml",
        "--script",
        "Install Python packages=mine.sh",
        "--script",
        "other=mine.sh",
    ];
    let ran = run(folder.path(), &args).expect(0);
    let text = fs::read_to_string(folder.path().join("to/stack.yaml")).expect("a stack");
    assert!(text.contains("- {name: Install Python packages, script: mine.sh}"), "{text}");
    assert!(folder.path().join("to/mine.sh").is_file(), "{}", ran.err);
    assert!(text.contains("# - {name: Install CloudWatch Agent, script: install-cloudwatch-agent.sh}"), "{text}");
}
