//! Properties over drawn stacks: nothing differs from itself, form is no meaning, and every field that a person can say
//! is told when it changes. Markdown stays as short as GitHub wants it, whatever is compared.

use fastrand::Rng;
use fruitsinfra::review::Report;
use fruitsinfra::stack::{Severity, load_text};
use fruitsinfra::ui::review::{html, markdown, text};
use serde_json::{Value, json};

use super::{Memory, compared};
use crate::roundtrip::draw;
use crate::roundtrip::fields::{self, Case, Theirs};

const SEEDS: u64 = 60;

fn theirs() -> Theirs {
    let id = |n: u8| format!("sg-{n:017x}");
    Theirs { primary: id(1), core: id(2), service: id(3), subnet: format!("subnet-{:017x}", 4) }
}

/// A folder with one stack and all that it names.
fn folder(text: &str) -> Memory {
    Memory::default()
        .with("stacks/drawn.yaml", text)
        .with("stacks/own.sh", "#!/bin/bash\nset -e\n")
        .with("stacks/other.sh", "#!/bin/bash\nset -eu\n")
        .with("stacks/job.py", "print(1)\n")
        .with("stacks/weights.h5", "weights")
}

/// As YAML takes JSON, over lines.
fn flow(stack: &Value) -> String {
    serde_json::to_string_pretty(stack).expect("JSON")
}

/// As a person may have written the same: other order, remarks, blocks.
fn otherwise(stack: &Value, rng: &mut Rng) -> String {
    let mut fields: Vec<(&String, &Value)> = stack.as_object().expect("fields").iter().collect();
    rng.shuffle(&mut fields);
    fields
        .into_iter()
        .map(|(key, value)| format!("# {key}: here\n\n{}: {value}  # and there\n", json!(key)))
        .collect::<Vec<_>>()
        .concat()
}

/// Whether a stack is allowed at all.
fn allowed(stack: &Value, at: &std::path::Path) -> bool {
    match load_text("drawn.yaml", flow(stack), at) {
        Ok(_) => true,
        Err(broken) => broken.findings.iter().all(|finding| finding.severity != Severity::Error),
    }
}

/// A folder of the disk, for the loader that draws.
fn disk() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["own.sh", "other.sh", "job.py", "weights.h5"] {
        std::fs::write(folder.path().join(name), "set -e\n").expect("written");
    }
    folder
}

fn assert_nothing(report: &Report, why: &str) {
    let review = &report.stacks[0];
    assert!(!report.changes(), "{why}: {}", text(report, 100));
    assert!(review.plan.is_empty() && review.declared.is_empty() && review.details.is_empty(), "{why}");
    assert!(review.lost.is_empty() && review.permissions.is_empty() && review.scripts.is_empty(), "{why}");
    assert!(review.findings.is_empty() && review.mended.is_empty(), "{why}");
    assert_eq!(review.cost_from, review.cost_to, "{why}");
}

#[test]
fn nothing_differs_from_itself_however_it_is_written() {
    let (disk, cases) = (disk(), fields::cases(&theirs()));
    for seed in 0..SEEDS {
        let mut rng = Rng::with_seed(seed);
        let drawn = draw::stack(&mut rng, "drawn", &|stack| allowed(stack, disk.path()), &cases, false);
        let text = flow(&drawn);
        assert_nothing(&compared(folder(&text), folder(&text)), &format!("seed {seed}, itself"));
        let other = otherwise(&drawn, &mut rng);
        assert_nothing(&compared(folder(&text), folder(&other)), &format!("seed {seed}, written otherwise\n{other}"));
    }
}

#[test]
fn every_field_that_changes_is_told() {
    let disk = disk();
    let rich = fields::rich("drawn");
    let mut tried = 0;
    for case in fields::cases(&theirs()) {
        let Case { path, set, .. } = &case;
        let Some(next) = crate::roundtrip::said(&rich, &case, Some(set)) else { continue };
        if !allowed(&next, disk.path()) {
            continue;
        }
        tried += 1;
        let report = compared(folder(&flow(&rich)), folder(&flow(&next)));
        // What is said as it would be anyway means the same.
        let same =
            case.default.as_ref() == Some(set) || *path == "jobs.fruits.template" || *path == "bootstrap.0.template";
        let review = &report.stacks[0];
        let told = !review.plan.is_empty() || !review.declared.is_empty() || !review.details.is_empty();
        assert!(told || same, "{path} = {set} is not told: {}", text(&report, 100));
        super::page::sound(&html::html(&report).expect("a page"));
    }
    assert!(tried > 60, "{tried}");
}

#[test]
fn a_comment_is_never_longer_than_it_may_be() {
    for (stacks, words) in [(1, 0), (1, 9_000), (30, 900), (400, 20), (2_000, 1)] {
        let stack = |n: usize, version: &str| {
            let args =
                (0..words).map(|word| format!("\"word {version} {word} `|<@all\", ")).collect::<Vec<_>>().concat();
            format!(
                "stack: s{n:04}\nregion: eu-west-3\nowner: data@fruits.example\nbuckets: {{data-{version}: {{}}, logs: {{}}}}\n\
                 bootstrap: [{{name: own, script: own.sh, args: [{args}]}}]\n\
                 cluster: {{release: emr-7.12.0, primary: {{type: m5.xlarge}}}}\n"
            )
        };
        let side = |version: &str| {
            let lines = (0..words * 3)
                .map(|line| format!("echo {version} {line} ```` <b> @all\n"))
                .collect::<Vec<_>>()
                .concat();
            let files = Memory::default().with("stacks/own.sh", &format!("#!/bin/bash\nset -e\n{lines}"));
            (0..stacks).fold(files, |files, n| files.with(&format!("stacks/s{n:04}.yaml"), &stack(n, version)))
        };
        let report = compared(side("a"), side("b"));
        let told = markdown::markdown(&report);
        let length = told.chars().count();
        assert!(length <= markdown::LONGEST, "{stacks} stacks, {words} words: {length}");
        assert!(told.starts_with(markdown::MARKER));
        let headline = told.lines().nth(1).expect("a headline");
        assert!(headline.contains(&format!("{stacks} ")) && headline.contains("DATA IS LOST"), "{headline}");
        assert!(told.contains("> [!CAUTION]"), "losses are told");
        assert!(length < 60_000 || told.contains(" cut"), "what is cut is said");
        let folds = (told.matches("<details").count(), told.matches("</details>").count());
        assert_eq!(folds.0, folds.1, "folds end");
    }
}
