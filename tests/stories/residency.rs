//! Every region name of AWS but the seven is refused: at its place in the file, with the reason, before any call.

use std::fs;

use serde_json::Value;

use crate::support::{clean, ended, repository};

/// From AWS's list of regions and the partitions file of its SDKs, with names that only look European.
const OUTSIDE: [(&str, &str); 42] = [
    ("af-south-1", "South Africa"),
    ("ap-east-1", "Hong Kong"),
    ("ap-east-2", "Taiwan"),
    ("ap-northeast-1", "Japan"),
    ("ap-northeast-2", "South Korea"),
    ("ap-northeast-3", "Japan"),
    ("ap-south-1", "India"),
    ("ap-south-2", "India"),
    ("ap-southeast-1", "Singapore"),
    ("ap-southeast-2", "Australia"),
    ("ap-southeast-3", "Indonesia"),
    ("ap-southeast-4", "Australia"),
    ("ap-southeast-5", "Malaysia"),
    ("ap-southeast-6", "New Zealand"),
    ("ap-southeast-7", "Thailand"),
    ("ca-central-1", "Canada"),
    ("ca-west-1", "Canada"),
    ("cn-north-1", "China"),
    ("cn-northwest-1", "China"),
    ("eu-central-2", "Switzerland (Zurich), which is in Europe but not in the EU"),
    ("eu-isoe-west-1", "isolated cloud"),
    ("eu-west-2", "the United Kingdom (London), which is in Europe but no longer in the EU"),
    ("il-central-1", "Israel"),
    ("me-central-1", "Emirates"),
    ("me-south-1", "Bahrain"),
    ("mx-central-1", "Mexico"),
    ("sa-east-1", "Brazil"),
    ("us-east-1", "United States"),
    ("us-east-2", "United States"),
    ("us-gov-east-1", "United States"),
    ("us-gov-west-1", "United States"),
    ("us-iso-east-1", "United States"),
    ("us-iso-west-1", "United States"),
    ("us-isob-east-1", "United States"),
    ("us-isob-west-1", "United States"),
    ("us-isof-east-1", "United States"),
    ("us-isof-south-1", "United States"),
    ("us-west-1", "United States"),
    ("us-west-2", "United States"),
    ("eu-west-9", "AWS has no such region"),
    ("eu-paris-1", "AWS has no such region"),
    ("EU", "AWS has no such region"),
];

const SEVEN: [&str; 7] =
    ["eu-central-1", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-3", "eusc-de-east-1"];

#[test]
fn every_region_outside_the_eu_is_refused_with_reason_and_position() {
    let folder = tempfile::tempdir().expect("a folder");
    let names = OUTSIDE.map(|(name, _)| name);
    let files = stacks_in(folder.path(), &names);
    let validate = clean(folder.path()).args(["validate", "--output", "json"]).args(&files).output();
    let report = ended(validate.expect("the binary starts")).expect(2).json();
    assert_eq!(report["ok"], false);
    let findings = report["findings"].as_array().expect("findings");
    for (name, place) in OUTSIDE {
        let file = format!("{name}.yaml");
        let found: Vec<&Value> =
            findings.iter().filter(|f| f["file"] == file.as_str() && f["severity"] == "error").collect();
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        let finding = found[0];
        assert_eq!((&finding["code"], &finding["line"], &finding["column"]), (&"FI201".into(), &3.into(), &9.into()));
        let message = finding["message"].as_str().expect("a message");
        assert!(message.contains(&format!("`{name}` is refused")) && message.contains(place), "{name}: {message}");
        assert!(finding["hint"].as_str().is_some_and(|hint| hint.contains("eu-")), "{name}: {finding}");
    }
}

#[test]
fn the_seven_are_accepted() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = stacks_in(folder.path(), &SEVEN);
    let validate = clean(folder.path()).args(["validate", "--output", "json"]).args(&files).output();
    assert_eq!(ended(validate.expect("the binary starts")).expect(0).json()["ok"], true);
}

#[test]
fn a_refusal_shows_the_line_and_what_may_be_written_instead() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = stacks_in(folder.path(), &["eu-west-2"]);
    let plan = clean(folder.path()).args(["plan", "--offline", &files[0]]).output();
    let plan = ended(plan.expect("the binary starts")).expect(2);
    assert_eq!(plan.out, "");
    insta::assert_snapshot!(plan.err, @"
    error[FI201]: `eu-west-2` is refused: it lies in the United Kingdom (London), which is in Europe but no longer in the EU
     --> eu-west-2.yaml:3:9
      |
    3 | region: eu-west-2
      |         ^^^^^^^^^
      |
      = help: use one of eu-central-1, eu-north-1, eu-south-1, eu-south-2, eu-west-1, eu-west-3, eusc-de-east-1

    error: eu-west-2.yaml: 1 error
    ");
}

/// The smallest stack, once for each region.
fn stacks_in(folder: &std::path::Path, regions: &[&str]) -> Vec<String> {
    let minimal = fs::read_to_string(repository().join("stacks/minimal.yaml")).expect("the minimal stack");
    let file = |region: &&str| {
        let name = format!("{region}.yaml");
        fs::write(folder.join(&name), minimal.replace("region: eu-west-1", &format!("region: {region}")))
            .expect("made");
        name
    };
    regions.iter().map(file).collect()
}
