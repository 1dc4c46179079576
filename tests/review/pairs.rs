//! Each pair as people and machines read it: text, Markdown and the gist of the JSON in one snapshot.

use fruitsinfra::review::{Report, Status};
use fruitsinfra::ui::review::{html, json, markdown, text};
use serde_json::{Value, json};

use super::table::{PAIRS, files};
use super::{Memory, compared};

/// What a terminal without colours shows.
fn plain(report: &Report) -> String {
    anstream::adapter::strip_str(&text(report, 120)).to_string()
}

/// The JSON without what the text holds already: kept steps, parts of costs, texts of scripts.
fn gist(report: &Report) -> Value {
    let mut told = json::json(report);
    for stack in told["stacks"].as_array_mut().expect("stacks") {
        let steps = stack["steps"].as_array().expect("steps").iter().filter(|step| step["action"] != "keep");
        stack["steps"] =
            steps.map(|step| json!(format!("{} {}", text_of(step, "action"), text_of(step, "address")))).collect();
        for side in ["from", "to"] {
            stack["cost"][side] = stack["cost"][side]["hourly"]["total"].clone();
        }
        for script in stack["scripts"].as_array_mut().expect("scripts") {
            script.as_object_mut().expect("a script").remove("diff");
        }
        let counts = |list: &Value| list.as_array().map_or(0, Vec::len);
        let may = &stack["permissions"];
        stack["permissions"] = ["added", "removed", "widened"]
            .map(|what| (what.to_owned(), json!(counts(&may[what]))))
            .into_iter()
            .collect();
        for list in ["findings", "mended"] {
            let codes = stack[list].as_array().expect("findings").iter().map(|finding| finding["code"].clone());
            stack[list] = codes.collect();
        }
        stack.as_object_mut().expect("a stack").retain(|_, value| !value.is_null() && *value != json!([]));
    }
    told
}

fn text_of<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

fn shown(name: &str, report: &Report) {
    let gist = serde_json::to_string_pretty(&gist(report)).expect("JSON");
    let all =
        format!("{}\n\n======== Markdown\n{}\n======== JSON\n{gist}\n", plain(report), markdown::markdown(report));
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, all));
}

#[test]
fn every_change_reads_as_it_should() {
    assert!(PAIRS.len() >= 25);
    for pair in PAIRS {
        let (old, new) = files(pair);
        let report = compared(old, new);
        shown(pair.name, &report);
        assert_eq!(report.changes(), !pair.name.starts_with("nothing"), "{}", pair.name);
        let page = html::html(&report).expect("a page");
        super::page::sound(&page);
    }
}

#[test]
fn stacks_that_come_go_and_change_their_files_are_told() {
    let stack =
        |name: &str| format!("stack: {name}\nregion: eu-west-3\nowner: data@fruits.example\nbuckets: {{data: {{}}}}\n");
    let old = Memory::default().with("stacks/a.yaml", &stack("stays")).with("stacks/b.yaml", &stack("moves"));
    let old = old.with("stacks/c.yaml", &stack("goes")).with("stacks/notes.txt", "no stack");
    let new = Memory::default().with("stacks/a.yaml", &stack("stays")).with("stacks/d.yml", &stack("moves"));
    let new = new.with("stacks/e.yaml", &stack("comes")).with("stacks/deeper/f.yaml", "no stack of this folder");
    shown("folders", &compared(old, new));
}

#[test]
fn a_profile_is_told_where_it_says_something_else() {
    let stack = |count: u32, more: &str| {
        format!(
            "stack: fruits\nregion: eu-west-3\nowner: data@fruits.example\nbuckets: {{data: {{}}}}\ncluster:\n  release: emr-7.12.0\n  primary: {{type: m5.xlarge}}\n  core: {{type: m5.xlarge, count: {count}}}\nprofiles:\n  smoke: {{cluster: {{core: {{count: 1}}}}}}\n{more}"
        )
    };
    let told = |old: String, new: String| {
        let side = |text: &str| Memory::default().with("stacks/a.yaml", text);
        let report = compared(side(&old), side(&new));
        let told = report.stacks.iter().map(|review| (review.stack.clone(), review.file.clone(), review.status));
        told.collect::<Vec<_>>()
    };
    let of = |stack: &str, file: &str, status| (stack.to_owned(), file.to_owned(), status);
    let spot = "  spot: {cluster: {core: {market: spot}}}\n";
    // What changes in the stack changes in its profiles, and is told once.
    assert_eq!(told(stack(2, spot), stack(3, spot)), [of("fruits", "a.yaml", Status::Changed)]);
    let quicker = spot.replace("market: spot", "market: spot, count: 8");
    assert_eq!(
        told(stack(2, spot), stack(2, &quicker)),
        [of("fruits", "a.yaml", Status::Unchanged), of("fruits@spot", "a.yaml@spot", Status::Changed)]
    );
    assert_eq!(
        told(stack(2, ""), stack(2, spot)),
        [of("fruits", "a.yaml", Status::Unchanged), of("fruits@spot", "a.yaml@spot", Status::Added)]
    );
}

#[test]
fn a_number_that_one_side_leaves_out_renames_nothing() {
    let (old, new) = files(PAIRS.iter().find(|pair| pair.name == "account-said").expect("is there"));
    let report = compared(old, new);
    assert!(report.stacks[0].plan.is_empty());
    assert_eq!(report.stacks[0].declared[0].field, "account");
}
