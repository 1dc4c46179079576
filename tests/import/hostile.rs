//! Sources that are none, or mean harm: each is refused with a finding at its place, and none is a panic.

use std::fs;

use super::{run, told};

fn refused(name: &str, text: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join(name), text).expect("written");
    let ran = run(folder.path(), &["import", name, "--output", "json"]).expect(2);
    told(&ran).join("\n")
}

#[test]
fn what_cannot_be_read_is_told_at_its_place() {
    let deep = format!("{{\"Instances\": {}", "[".repeat(1 << 19));
    let hcl = format!("resource \"aws_emr_cluster\" \"a\" {{\n  name = {}", "[".repeat(1 << 17));
    let short = format!("aws emr create-cluster --instance-groups A={}", "[".repeat(1 << 19));
    let long = " ".repeat((1 << 20) + 10);
    let wrong = "{\n  \"ReleaseLabel\": \"emr-7.12.0\",\n  \"Instances\": {\"InstanceGroups\": [{\"InstanceRole\": \"BOSS\"}, {\"InstanceRole\": \"CORE\", \"InstanceCount\": \"two\", \"InstanceType\": \"m5.xlarge\"}]},\n  \"Configurations\": {\"a\": 1}\n}";
    let told: Vec<String> = [
        ("empty.json", ""),
        ("broken.json", "{\n  \"Name\": \"a\",\n  \"Instances\": {]\n}"),
        ("deep.json", &deep),
        ("deep.tf", &hcl),
        ("deep.sh", &short),
        ("long.json", &long),
        ("wrong.json", wrong),
        ("list.json", "[{\"Classification\": \"spark\"}]"),
        ("other.json", "{\"a\": 1}"),
        ("words.txt", "a cluster, please"),
        ("open.sh", "aws emr create-cluster --name 'fruits"),
        ("json.sh", "aws emr create-cluster --configurations '[{\"Classification\"}]'"),
        ("file.sh", "aws emr create-cluster --name a --configurations file://absent.json"),
        ("broken.tf", "resource \"aws_emr_cluster\" \"a\" {\n  name = \n}"),
        ("broken.conf", "runners:\n  emr: [\n"),
        ("none.conf", "runners: {hadoop: {}}\n"),
    ]
    .iter()
    .map(|(name, text)| format!("{name}: {}", refused(name, text)))
    .collect();
    insta::assert_snapshot!(told.join("\n"), @r###"
    empty.json: FI336 1:1 this is no description of a cluster that is known here
    broken.json: FI336 3:17 not JSON: a key in quotes is expected here
    deep.json: FI336 1:79 not JSON: nested too deep, or more than a cluster's description holds
    deep.tf: FI336 2:74 not Terraform: invalid nesting depth; expected at most 64 nested levels
    deep.sh: FI336 1:24 nested too deep after `A=[[[[[[[[[[[[[[[[[`
    long.json: FI336 1:1 the source is longer than 1 MiB
    wrong.json: FI336 3:53 `InstanceRole`: expected MASTER, CORE or TASK, found `BOSS`
    FI336 3:104 `InstanceCount`: expected a whole number, found `two`
    FI336 4:21 `Configurations`: expected a list, found something else
    list.json: FI336 1:1 this describes no cluster
    other.json: FI336 1:1 this describes no cluster
    words.txt: FI336 1:1 this is no description of a cluster that is known here
    open.sh: FI336 1:31 this quote is never closed
    json.sh: FI336 1:60 --configurations: not JSON: a colon is expected after a key
    file.sh: FI336 1:33 --configurations: the file `absent.json` is not at hand
    broken.tf: FI336 2:10 not Terraform: invalid expression; expected `"`, `[`, `{`, `-`, `!`, `(`, `_`, `<`, letter or digit
    broken.conf: FI336 2:8 not YAML: unclosed bracket '['
    none.conf: FI336 1:1 there is no `runners: emr:` here
    "###);
}

#[test]
fn a_secret_is_refused_and_not_shown() {
    let key = format!("AK{}7RK2VTX9MZ4BHC8Q", "IA");
    let cases = [
        (
            "a.json",
            format!(
                "{{\"Name\": \"a\", \"ReleaseLabel\": \"emr-7.12.0\", \"Tags\": [{{\"Key\": \"k\", \"Value\": \"{key}\"}}]}}"
            ),
        ),
        ("a.txt", format!("aws emr create-cluster --name a --tags key={key}")),
        ("a.tf", format!("resource \"aws_emr_cluster\" \"a\" {{\n  name = \"{key}\"\n}}")),
        ("a.conf", format!("runners: {{emr: {{label: {key}}}}}\n")),
    ];
    for (name, text) in cases {
        let told = refused(name, &text);
        assert!(told.starts_with("FI701 ") && !told.contains(&key), "{name}: {told}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(super::case("01.json"), folder.path().join("01.json")).expect("copied");
    fs::write(folder.path().join("bootstrap-emr.sh"), format!("set -e\nexport KEY={key}\n")).expect("written");
    let ran = run(folder.path(), &["import", "01.json", "--out", "stack.yaml"]).expect(2);
    assert!(ran.err.contains("FI701") && !ran.err.contains(&key), "{}", ran.err);
    assert!(!folder.path().join("stack.yaml").exists(), "nothing is written");
}

#[test]
fn names_of_files_lead_nowhere_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "{\"Name\": \"a\", \"Region\": \"eu-west-3\", \"ReleaseLabel\": \"emr-7.12.0\", \"BootstrapActions\": [\
        {\"Name\": \"up\", \"Path\": \"s3://b/..\"}, {\"Name\": \"\\u001b[31m\", \"Path\": \"s3://b/\\n- x: y\"}]}";
    fs::write(folder.path().join("a.json"), text).expect("written");
    let ran = run(folder.path(), &["import", "a.json", "--out", "to/stack.yaml"]).expect(0);
    assert!(!ran.err.contains('\u{1b}'), "{}", ran.err);
    run(folder.path(), &["validate", "to/stack.yaml"]).expect(0);
    assert_eq!(fs::read_dir(folder.path().join("to")).expect("a folder").count(), 1);
}

#[test]
fn buckets_whose_names_are_nearly_ours_have_keys_of_their_own() {
    for logs in ["demo-<account>", "demo--<account>", "demo-home-<account>", "demo-data-<account>", "<account>"] {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!(
            "{{\"Name\": \"demo\", \"Region\": \"eu-west-3\", \"ReleaseLabel\": \"emr-7.12.0\", \"LogUri\": \"s3://{logs}/emr/\", \
             \"BootstrapActions\": [{{\"Name\": \"a\", \"ScriptBootstrapAction\": {{\"Path\": \"s3://demo/a.sh\", \
             \"Args\": [\"s3://data/x\"]}}}}]}}"
        );
        fs::write(folder.path().join("a.json"), text).expect("written");
        run(folder.path(), &["import", "a.json", "--out", "stack.yaml"]).expect(0);
        let read = run(folder.path(), &["validate", "--output", "json", "stack.yaml"]);
        assert!(!told(&read).iter().any(|finding| finding.contains("is said twice")), "{logs}: {:?}", told(&read));
    }
}
