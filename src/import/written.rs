//! A request as `aws emr create-cluster`: a command that a person can paste. Each option stands in a line of its own, in
//! quotes of the shell, and no line but the last ends without its backslash.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::tree;
use crate::residency::EuRegion;

/// The options of single texts and numbers, in the order in which people read them.
const PLAIN: [(&str, &str); 13] = [
    ("Name", "name"),
    ("ReleaseLabel", "release-label"),
    ("OSReleaseLabel", "os-release-label"),
    ("LogUri", "log-uri"),
    ("ServiceRole", "service-role"),
    ("AutoScalingRole", "auto-scaling-role"),
    ("ScaleDownBehavior", "scale-down-behavior"),
    ("SecurityConfiguration", "security-configuration"),
    ("CustomAmiId", "custom-ami-id"),
    ("EbsRootVolumeSize", "ebs-root-volume-size"),
    ("EbsRootVolumeIops", "ebs-root-volume-iops"),
    ("EbsRootVolumeThroughput", "ebs-root-volume-throughput"),
    ("StepConcurrencyLevel", "step-concurrency-level"),
];

/// Names within `Instances` that `--ec2-attributes` calls otherwise.
const ATTRIBUTES: [(&str, &str); 5] = [
    ("Ec2KeyName", "KeyName"),
    ("Ec2SubnetId", "SubnetId"),
    ("EmrManagedMasterSecurityGroup", "EmrManagedMasterSecurityGroup"),
    ("EmrManagedSlaveSecurityGroup", "EmrManagedSlaveSecurityGroup"),
    ("ServiceAccessSecurityGroup", "ServiceAccessSecurityGroup"),
];

/// The command that starts the cluster of a request.
#[must_use]
pub fn as_command(request: &Value, region: EuRegion) -> String {
    let mut options: Vec<String> = vec![format!("--region {region}")];
    let mut option = |name: &str, value: &str| options.push(format!("--{name} {}", shell_words::quote(value)));
    for (key, name) in PLAIN {
        match &request[key] {
            Value::Null => {}
            Value::String(text) => option(name, text),
            other => option(name, &other.to_string()),
        }
    }
    let names = request["Applications"].as_array().into_iter().flatten().filter_map(|of| of["Name"].as_str());
    let applications: Vec<Value> = names.map(|name| json!({"Name": name})).collect();
    let instances = &request["Instances"];
    let mut attributes = Map::new();
    for (key, name) in ATTRIBUTES {
        attributes.extend(instances[key].as_str().map(|value| (name.to_owned(), json!(value))));
    }
    attributes.extend(instances["Ec2SubnetIds"].as_array().map(|ids| ("SubnetIds".to_owned(), json!(ids))));
    attributes.extend(request["JobFlowRole"].as_str().map(|profile| ("InstanceProfile".to_owned(), json!(profile))));
    let groups: Vec<Value> = instances["InstanceGroups"].as_array().into_iter().flatten().map(group).collect();
    let actions: Vec<Value> = request["BootstrapActions"].as_array().into_iter().flatten().map(action).collect();
    for (name, value) in [
        ("applications", Value::from(applications)),
        ("ec2-attributes", Value::from(attributes)),
        ("instance-groups", Value::from(groups)),
        ("instance-fleets", instances["InstanceFleets"].clone()),
        ("bootstrap-actions", Value::from(actions)),
        ("configurations", request["Configurations"].clone()),
        ("auto-termination-policy", request["AutoTerminationPolicy"].clone()),
        ("managed-scaling-policy", request["ManagedScalingPolicy"].clone()),
    ] {
        let empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
        if !empty {
            option(name, &value.to_string());
        }
    }
    let tags = tags(request);
    if !tags.is_empty() {
        let pairs: Vec<String> =
            tags.iter().map(|(key, value)| shell_words::quote(&format!("{key}={value}")).into_owned()).collect();
        options.push(format!("--tags {}", pairs.join(" ")));
    }
    let protected = instances["TerminationProtected"] == json!(true);
    options.push(format!("--{}termination-protected", if protected { "" } else { "no-" }));
    let kept = instances["KeepJobFlowAliveWhenNoSteps"] == json!(true);
    options.push(format!("--{}auto-terminate", if kept { "no-" } else { "" }));
    let mut text: String =
        remarks(request).into_iter().flat_map(|line| ["# ".to_owned(), line, "\n".to_owned()]).collect();
    text.push_str("aws emr create-cluster \\\n  ");
    text.push_str(&options.join(" \\\n  "));
    text.push('\n');
    text
}

/// A group in the CLI's words, which has none for the market: a bid says it, and `OnDemandPrice` bids that.
fn group(group: &Value) -> Value {
    let mut said = group.as_object().cloned().unwrap_or_default();
    let role = said.remove("InstanceRole").map(|role| ("InstanceGroupType".to_owned(), role));
    said.extend(role);
    if said.remove("Market") == Some(json!("SPOT")) {
        said.entry("BidPrice").or_insert_with(|| json!("OnDemandPrice"));
    }
    Value::Object(said)
}

fn action(action: &Value) -> Value {
    let script = &action["ScriptBootstrapAction"];
    let mut said = json!({"Name": action["Name"], "Path": script["Path"]});
    if script["Args"].as_array().is_some_and(|args| !args.is_empty()) {
        said["Args"] = script["Args"].clone();
    }
    said
}

fn tags(request: &Value) -> BTreeMap<&str, &str> {
    let tags = request["Tags"].as_array().into_iter().flatten();
    tags.filter_map(|tag| Some((tag["Key"].as_str()?, tag["Value"].as_str().unwrap_or_default()))).collect()
}

/// What a person has to know before pasting it.
fn remarks(request: &Value) -> Vec<String> {
    let mut open: Vec<String> = Vec::new();
    gather(request, &mut open);
    open.sort();
    open.dedup();
    let mut remarks = vec![
        "Starts a cluster that no stack owns: it bears no mark of fruitsinfra, and `down` does not end it.".to_owned(),
    ];
    if !open.is_empty() {
        remarks.push(format!("Fill in first: {}", open.join(" ")));
    }
    // The CLI takes everything up to the first = for the name.
    for (key, _) in tags(request).iter().filter(|(key, _)| key.contains('=')) {
        remarks.push(format!(
            "The tag `{}` cannot be said to the CLI: its name holds =",
            key.replace(char::is_control, " ")
        ));
    }
    remarks
}

/// Every placeholder in it, but for those among settings, which are the stack's own words.
fn gather(value: &Value, open: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            let ours = ["<account>", "<subnet>", "<security_group/"];
            open.extend(
                tree::placeholder(text)
                    .filter(|found| ours.iter().any(|known| found.starts_with(known)))
                    .map(str::to_owned),
            );
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, open)),
        Value::Object(entries) => entries.values().for_each(|item| gather(item, open)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_word_a_value_and_no_line_is_left_open() {
        let request = json!({
            "Name": "demo-main it's \"all\"", "ReleaseLabel": "emr-7.12.0", "JobFlowRole": "demo-nodes", "LogUri": "s3://demo-logs-<account>/emr/",
            "Instances": {"InstanceGroups": [{"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1, "Market": "SPOT"}],
                "Ec2SubnetId": "<subnet>", "KeepJobFlowAliveWhenNoSteps": true, "TerminationProtected": false},
            "Tags": [{"Key": "a", "Value": "b c"}],
            "BootstrapActions": [{"Name": "own", "ScriptBootstrapAction": {"Path": "s3://b/own.sh", "Args": ["it's $HOME", ""]}}],
        });
        let text = as_command(&request, EuRegion::EuWest3);
        insta::assert_snapshot!(text, @r#"
        # Starts a cluster that no stack owns: it bears no mark of fruitsinfra, and `down` does not end it.
        # Fill in first: <account> <subnet>
        aws emr create-cluster \
          --region eu-west-3 \
          --name 'demo-main it'\''s "all"' \
          --release-label emr-7.12.0 \
          --log-uri 's3://demo-logs-<account>/emr/' \
          --ec2-attributes '{"InstanceProfile":"demo-nodes","SubnetId":"<subnet>"}' \
          --instance-groups '[{"BidPrice":"OnDemandPrice","InstanceCount":1,"InstanceGroupType":"MASTER","InstanceType":"m5.xlarge"}]' \
          --bootstrap-actions '[{"Args":["it'\''s $HOME",""],"Name":"own","Path":"s3://b/own.sh"}]' \
          --tags 'a=b c' \
          --no-termination-protected \
          --no-auto-terminate
        "#);
    }
}
