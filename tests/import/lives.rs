//! Imported stacks on the embedded AWS: brought up as they are, compared with their sources, and read back from the
//! cluster that runs.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use super::case;
use crate::support::Aws;
use crate::support::oracle::Oracle;

/// What the sources name as the account's own.
fn theirs(oracle: &Oracle, aws: &Aws, bucket: Option<&str>, suffix: &str) {
    oracle.role(&format!("EMR_DefaultRole{suffix}"), "/", "elasticmapreduce");
    let nodes = format!("EMR_EC2_DefaultRole{suffix}");
    oracle.role(&nodes, "/", "ec2");
    aws.wait(oracle.iam.create_instance_profile().instance_profile_name(&nodes).send()).expect("a profile");
    let add = oracle.iam.add_role_to_instance_profile().instance_profile_name(&nodes).role_name(&nodes);
    aws.wait(add.send()).expect("added");
    if let Some(bucket) = bucket {
        oracle.bucket(bucket, &[]);
    }
}

/// Imports a case, brings it up, and compares what is there with what the source said.
fn lives(name: &str, region: &str, bucket: Option<&str>, suffix: &str, edit: Option<(&str, &str)>) {
    let aws = Aws::start();
    theirs(&aws.oracle(region), &aws, bucket, suffix);
    let (file, source) = ("stacks/imported.yaml", case(name).display().to_string());
    let ran = aws.run(&[
        "import",
        &source,
        "--out",
        file,
        "--owner",
        "data@fruits.example",
        "--account",
        "000000000000",
        "--output",
        "json",
    ]);
    let told = ran.expect(0).json();
    let findings: Vec<String> =
        told["findings"].as_array().expect("findings").iter().map(|f| f["message"].to_string()).collect();
    if let Some((from, to)) = edit {
        aws.edit(file, from, to);
    }
    aws.up(file).expect(0);
    aws.plan(file).expect(0);
    // What a request of ours says is the source, but for what was told.
    let rendered: Value = serde_json::from_str(&aws.run(&["render", file, "emr-json"]).expect(0).out).expect("JSON");
    let mut source: Value = serde_json::from_str(&fs::read_to_string(&source).expect("a case")).expect("JSON");
    if let Some((from, to)) = edit {
        source = serde_json::from_str(&source.to_string().replace(from, to)).expect("JSON");
    }
    let lost: Vec<String> = leaves(&source)
        .difference(&leaves(&rendered))
        .filter(|leaf| !carried(leaf, &rendered, &findings))
        .cloned()
        .collect();
    assert!(lost.is_empty(), "{name}: {lost:#?}\n{findings:#?}\n{rendered:#}");
    // And the cluster that runs becomes a stack again.
    let id = aws.status(file)["cluster"]["id"].as_str().expect("a cluster").to_owned();
    let back = aws.run(&[
        "import",
        "--cluster",
        &id,
        "--region",
        region,
        "--out",
        "stacks/back.yaml",
        "--owner",
        "data@fruits.example",
    ]);
    back.expect(0);
    let ran = aws.run(&["import", "--cluster", "j-2ELSEWHERE00A", "--region", region]).expect(1);
    assert!(ran.err.contains(&format!("EMR was asked in {region} (")), "{}", ran.err);
    aws.run(&["validate", "stacks/back.yaml"]).expect(0);
    aws.destroy(file).expect(0);
}

/// Every value of a request by its name: `InstanceGroups TASK InstanceCount = 2`.
fn leaves(request: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(request, "", &mut found);
    found
}

fn walk(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Null => {}
        Value::Object(entries) => {
            let role = entries.get("InstanceRole").or_else(|| entries.get("Classification")).and_then(Value::as_str);
            for (key, inner) in entries {
                // Names that both sides have in one form.
                let key = if key == "ScriptBootstrapAction" { "" } else { key };
                let at = [path, role.unwrap_or_default(), key]
                    .iter()
                    .filter(|part| !part.is_empty())
                    .copied()
                    .collect::<Vec<_>>()
                    .join(" ");
                walk(inner, &at, found);
            }
        }
        Value::Array(items) => {
            for item in items {
                let item = if path == "Applications" && item["Name"].is_string() { &item["Name"] } else { item };
                walk(item, path, found);
            }
        }
        Value::String(text) => drop(found.insert(format!("{path} = {text}"))),
        other => drop(found.insert(format!("{path} = {other}"))),
    }
}

/// Whether a value that does not stand in the request is in it otherwise, or was told.
fn carried(leaf: &str, rendered: &Value, findings: &[String]) -> bool {
    let (path, value) = leaf.split_once(" = ").expect("a leaf");
    let name = rendered["Name"].as_str().unwrap_or_default();
    match path {
        // The region is the client's; the name begins with the stack's.
        "Region" => true,
        "Name" => name.ends_with(value) || name.starts_with(&format!("{}-main", value.to_lowercase())),
        // Roles by their names, tags by their keys, scripts in the stack's own home, addresses as EMR rewrites them.
        "ServiceRole" | "AutoScalingRole" => rendered[path].as_str().is_some_and(|role| value.ends_with(role)),
        "BootstrapActions Path" => {
            let base = value.rsplit('/').next().unwrap_or_default();
            let script = fs::read_to_string(case(base)).unwrap_or_default();
            !script.is_empty() && rendered["BootstrapActions"].to_string().contains("/fruitsinfra/objects/bootstrap-")
        }
        // A bucket that the source leaves open is told; what lies below it stays.
        "LogUri" if value.contains('<') => {
            let below = |address: &str| address.splitn(4, '/').nth(3).map(str::to_owned);
            let bucket = value.split('/').nth(2).unwrap_or_default();
            let open = bucket.split('<').next().unwrap_or_default();
            let said = rendered[path].as_str().unwrap_or_default();
            below(said) == below(value) && said.contains(&format!("//{open}"))
        }
        _ if path.starts_with("Tags") => {
            rendered["Tags"].to_string().contains(&format!("\"Key\":\"{}\"", path.trim_start_matches("Tags ")))
        }
        _ => {
            let last = path.rsplit(' ').next().unwrap_or(path);
            findings.iter().any(|finding| {
                finding.contains(&format!("`{last}`"))
                    || finding.contains(value) && value.len() > 3
                    || finding.contains(path.split(' ').next().unwrap_or(path))
            })
        }
    }
}

#[test]
fn the_interns_own_cluster_lives() {
    lives("01.json", "eu-west-3", Some("p8-data"), "", None);
}

#[test]
fn a_cluster_of_the_new_console_lives() {
    lives("03.json", "eu-west-3", None, "", None);
}

#[test]
fn a_cluster_with_two_bootstrap_actions_lives() {
    lives("05.json", "eu-west-3", None, "", None);
}

#[test]
fn a_cluster_of_graviton_and_spot_lives() {
    lives("08.json", "eu-west-1", None, "_P9", None);
}

/// The embedded AWS knows releases from 6.0 on.
#[test]
fn a_cluster_of_nested_configurations_lives() {
    lives("11.json", "eu-west-3", Some("aws-logs-000000000000-eu-west-3"), "", Some(("emr-5.11.0", "emr-6.15.0")));
}
