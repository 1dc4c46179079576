//! `validate` from the outside: mistakes that people really made, each found with its code and at its place; mends;
//! waivers; and the forms in which findings leave.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

mod mistakes;

/// A stack with a cluster, a bootstrap script of its own and a job of its own.
const STACK: &str = "\
stack: fruits
region: eu-west-3
owner: data@fruits.example
buckets: {data: {}, logs: {}}
bootstrap:
  - {name: own, script: own.sh}
cluster:
  release: emr-7.12.0
  applications: [Spark, TensorFlow]
  primary: {type: m5.xlarge}
  core: {type: m5.xlarge, count: 2}
jobs:
  own: {script: own.py, args: [s3://fruits-data/images/]}
";
const SCRIPT: &str = "#!/bin/bash\nset -euo pipefail\nsudo python3 -m pip install 'pandas==2.3.3'\n";
const JOB: &str = "from pyspark.sql import SparkSession\nspark = SparkSession.builder.getOrCreate()\n";

/// A folder with that stack, whose three texts may be others.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(stack: &str, script: &str, job: &str) -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        for (name, text) in [("stack.yaml", stack), ("own.sh", script), ("own.py", job)] {
            fs::write(folder.path(name), text).expect("is written");
        }
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).expect("is there")
    }

    fn run(&self, args: &[&str]) -> Output {
        fruitsinfra(self.0.path(), args)
    }

    /// Code, severity, file, line, column of each finding.
    fn findings(&self) -> Vec<String> {
        let output = self.run(&["--output", "json", "validate", "stack.yaml"]);
        let report: Value = serde_json::from_slice(&output.stdout).expect("JSON alone");
        let word = |finding: &Value, key: &str| finding[key].as_str().unwrap_or("?").to_owned();
        let line = |finding: &Value| {
            let (code, severity, file) = (word(finding, "code"), word(finding, "severity"), word(finding, "file"));
            format!("{code} {severity} {file}:{}:{}", finding["line"], finding["column"])
        };
        report["findings"].as_array().expect("findings").iter().map(line).collect()
    }
}

fn fruitsinfra(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fruitsinfra"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", folder)
        .env("NO_COLOR", "1");
    command.current_dir(folder).args(args).output().expect("the binary starts")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_sound_stack_with_scripts_of_its_own_has_no_finding() {
    assert_eq!(Folder::with(STACK, SCRIPT, JOB).findings(), [""; 0]);
}

#[test]
fn the_stacks_of_the_repository_have_no_finding() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let stacks: Vec<_> =
        fs::read_dir(root.join("stacks")).expect("is there").map(|entry| entry.expect("is read").path()).collect();
    let names = stacks.iter().filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    for name in names {
        let path = name.display().to_string();
        let output = fruitsinfra(root, &["--output", "json", "validate", &path]);
        assert_eq!(text(&output).trim(), r#"{"findings":[],"ok":true,"waived":[]}"#, "{path}");
    }
}

#[test]
fn a_script_shows_its_line_and_what_to_do() {
    let folder = Folder::with(STACK, "pip install pandas<1.3.0\nsudo apt-get install python-dev\n", JOB);
    let output = folder.run(&["validate", "stack.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(text(&output), @r###"
    warning[FI620]: no `#!` line says which shell reads this script
     --> own.sh:1:1
      |
    1 | pip install pandas<1.3.0
      | ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: begin with #!/bin/bash

    warning[FI621]: a command that fails here is passed over: EMR judges the script by its last one, and Spark starts without what was to be installed
     --> own.sh:1:1
      |
    1 | pip install pandas<1.3.0
      | ^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write `set -euo pipefail` below the first line

    error[FI622]: `<` is a redirection here: the shell looks for a file called `1.3.0`, and pip sees no version
     --> own.sh:1:13
      |
    1 | pip install pandas<1.3.0
      |             ^^^^^^^^^^^^
      |
      = help: quote it: 'pandas<1.3.0'

    error[FI624]: `apt-get` is not there: the nodes run Amazon Linux
     --> own.sh:2:6
      |
    2 | sudo apt-get install python-dev
      |      ^^^^^^^
      |
      = help: use `sudo dnf install -y` on EMR 7, `sudo yum install -y` before; names differ (python3-devel)

    stack.yaml: 2 errors, 2 warnings, 3 that `validate --fix` mends
    more: fruitsinfra explain FI620 (also FI621, FI622)
    "###);
}

#[test]
fn mends_are_made_in_the_files_and_told() {
    let script =
        "pip install pandas<1.3.0 numpy\nsudo python3 -m pip install --user 'pillow==11.3.0'\nsudo yum install git\n";
    let job = "model = lambda: 0\ndef model_fn(w):\n    m = MobileNetV2(weights='imagenet')\n    m.set_weights(w)\n    return m\n";
    let folder = Folder::with(&STACK.replace("owner", "ownr"), script, job);
    let output = folder.run(&["validate", "--fix", "stack.yaml"]);
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stderr), @r###"
    mended stack.yaml:3:1  FI110  unknown field `ownr`
    mended own.sh:1:1  FI620  no `#!` line says which shell reads this script
    mended own.sh:1:13  FI622  `<` is a redirection here: the shell looks for a file called `1.3.0`, and pip sees no version
    mended own.sh:2:29  FI623  the packages land in root's home, where Spark never looks
    mended own.sh:3:6  FI625  `yum` asks before it installs, and nobody answers: it gives up
    mended own.py:3:29  FI643  every worker downloads these weights, and then sets those that were broadcast: the broadcast saves nothing
    mended own.sh:1:1  FI621  a command that fails here is passed over: EMR judges the script by its last one, and Spark starts without what was to be installed
    "###);
    assert!(folder.read("stack.yaml").contains("owner: data@fruits.example"));
    insta::assert_snapshot!(folder.read("own.sh"), @r###"
    #!/bin/bash
    set -euo pipefail
    pip install 'pandas<1.3.0' numpy
    sudo python3 -m pip install 'pillow==11.3.0'
    sudo yum install -y git
    "###);
    assert!(folder.read("own.py").contains("MobileNetV2(weights=None)"));
    // Once more there is nothing to mend.
    let again = folder.run(&["validate", "--fix", "stack.yaml"]);
    assert_eq!(String::from_utf8_lossy(&again.stderr), "");
}

#[test]
fn what_is_found_in_a_profile_is_said_to_be_and_a_waiver_serves_any_of_them() {
    let profiles = "profiles:\n  many: {cluster: {core: {count: 30}}}\n  wrong: {cluster: {core: {type: m5.huge}}}\n";
    let stack = format!("{STACK}limits: {{hourly: 2 USD}}\n{profiles}");
    let found = Folder::with(&stack, SCRIPT, JOB).findings();
    assert_eq!(found, ["FI910 warning stack.yaml:14:18", "FI305 error stack.yaml:17:34"]);
    let waiver = "waivers:\n  - {code: FI910, because: known, until: 2999-12-31}\n";
    let found = Folder::with(&format!("{stack}{waiver}"), SCRIPT, JOB).findings();
    assert_eq!(found, ["FI305 error stack.yaml:17:34"]);
}

#[test]
fn a_waiver_hides_until_its_day_and_is_told_when_it_is_of_no_use() {
    let loose = "#!/bin/bash\nset -e\npip3 install pandas\n";
    let waived = |waiver: &str| format!("{STACK}waivers:\n  - {waiver}\n");
    let found = |waiver: &str| Folder::with(&waived(waiver), loose, JOB).findings();
    assert_eq!(found("{code: FI626, because: the image pins it, until: 2999-12-31}"), [""; 0]);
    assert_eq!(found("{code: FI626, file: own.sh, because: the image pins it, until: 2999-12-31}"), [""; 0]);
    insta::assert_snapshot!(found("{code: FI626, because: it was, until: 2020-01-01}").join("\n"), @r###"
    FI140 warning stack.yaml:15:12
    FI626 warning own.sh:3:1
    "###);
    insta::assert_snapshot!(found("{code: FI621, because: it is not, until: 2999-01-01}").join("\n"), @r###"
    FI140 warning stack.yaml:15:12
    FI626 warning own.sh:3:1
    "###);
    insta::assert_snapshot!(found("{code: FI201, because: please, until: 2999-01-01}").join("\n"), @r###"
    FI140 warning stack.yaml:15:12
    FI626 warning own.sh:3:1
    "###);
    let folder = Folder::with(&waived("{code: FI626, because: the image pins it, until: 2999-12-31}"), loose, JOB);
    insta::assert_snapshot!(text(&folder.run(&["validate", "stack.yaml"])), @r###"
    ok  stack.yaml  1 waived
    "###);
    let report: Value =
        serde_json::from_slice(&folder.run(&["--output", "json", "validate", "stack.yaml"]).stdout).expect("JSON");
    assert_eq!(
        (report["ok"].as_bool(), report["waived"][0]["because"].as_str()),
        (Some(true), Some("the image pins it"))
    );
}

/// No plan is shown of a stack whose script would fail on every node, after money was spent.
#[test]
fn what_fails_on_nodes_is_refused_before_anything_is_planned() {
    let folder = Folder::with(STACK, "#!/bin/bash\nset -e\nsudo apt-get install -y git\n", JOB);
    let output = folder.run(&["plan", "--offline", "stack.yaml"]);
    assert_eq!((output.status.code(), text(&output)), (Some(2), String::new()));
    assert!(String::from_utf8_lossy(&output.stderr).contains("FI624"));
}

#[test]
fn findings_annotate_a_change_on_github() {
    let folder = Folder::with(STACK, "#!/bin/bash\nset -e\npip3 install whell\n", JOB);
    insta::assert_snapshot!(text(&folder.run(&["--output", "github", "validate", "stack.yaml"])), @r###"
    ::warning file=own.sh,line=3,col=1,title=FI626::whell is unpinned: what is installed changes from day to day%0Ahelp: pin each, as in 'pandas==2.3.3', or declare them as `packages` of a template
    ::error file=own.sh,line=3,col=14,title=FI603::`whell` looks like a slip for `wheel`, and whoever owns that name runs code on your nodes%0Ahelp: did you mean `wheel`?
    "###);
}

#[test]
fn sarif_passes_its_own_schema() {
    let waiver = "waivers:\n  - {code: FI626, because: known, until: 2999-12-31}\n";
    let folder = Folder::with(&format!("{STACK}{waiver}"), "pip install pandas<1.3.0 whell\n", JOB);
    let output = folder.run(&["--output", "sarif", "validate", "stack.yaml"]);
    let log: Value = serde_json::from_slice(&output.stdout).expect("JSON alone");
    let results = log["runs"][0]["results"].as_array().expect("results");
    assert!(results.len() >= 4 && results.iter().any(|result| result.get("suppressions").is_some()), "{log:#}");
    assert!(results.iter().any(|result| result.get("fixes").is_some()));
    let schema = sarif_schema();
    let validator = jsonschema::validator_for(&schema).expect("is a schema");
    let errors: Vec<String> = validator.iter_errors(&log).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0]);
    // The validator does look.
    let mut wrong = log.clone();
    wrong["runs"][0]["results"][0]["level"] = "fatal".into();
    assert!(!validator.is_valid(&wrong));
}

/// The platform that this was built on: crates of others are not on this machine.
fn host() -> String {
    let told = Command::new("rustc").arg("-vV").output().expect("rustc answers");
    let told = String::from_utf8(told.stdout).expect("UTF-8");
    told.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host").to_owned()
}

/// OASIS's schema, as a crate of the registry carries it.
fn sarif_schema() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let metadata = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", &host()])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo answers");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let manifest = packages.iter().find(|package| package["name"] == "serde-sarif").expect("is a dependency");
    let manifest = Path::new(manifest["manifest_path"].as_str().expect("a path"));
    let schema = fs::read_to_string(manifest.with_file_name("src").join("schema.json")).expect("is there");
    let mut schema: Value = serde_json::from_str(&schema).expect("is JSON");
    // The pattern of languages is no regular expression: a bracket has no partner.
    for of in ["run", "toolComponent"] {
        schema["definitions"][of]["properties"]["language"].as_object_mut().expect("is there").remove("pattern");
    }
    schema
}

/// An editor's verdict and the loader's are one, as far as form goes.
#[test]
fn the_schema_takes_good_stacks_and_refuses_bad_ones() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schema: Value = serde_json::from_slice(&fruitsinfra(root, &["schema"]).stdout).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("is a schema");
    let document = |text: &str| serde_yaml::from_str::<Value>(text).expect("is YAML");
    for folder in ["stacks", "tests/cases"] {
        for entry in fs::read_dir(root.join(folder)).expect("is there") {
            let path = entry.expect("is read").path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let errors: Vec<String> = validator
                    .iter_errors(&document(&fs::read_to_string(&path).expect("is read")))
                    .map(|error| format!("{}: {error}", error.instance_path()))
                    .collect();
                assert_eq!(errors, [""; 0], "{}", path.display());
            }
        }
    }
    let bad = [
        ("region: eu-west-3", "region: eu-west-2"),
        ("region: eu-west-3", "regoin: eu-west-3"),
        ("count: 2", "count: two"),
        ("count: 2", "count: -1"),
        ("buckets: {data: {}, logs: {}}", "buckets: {data: {versioning: 'yes'}}"),
        ("name: own, script: own.sh", "name: own, script: [own.sh]"),
        ("applications: [Spark, TensorFlow]", "applications: Spark"),
        ("type: m5.xlarge, count: 2", "type: m5.xlarge, market: cheap"),
    ];
    assert!(validator.is_valid(&document(STACK)));
    for (sound, broken) in bad {
        let text = STACK.replacen(sound, broken, 1);
        assert_ne!(text, STACK, "{sound}");
        assert!(!validator.is_valid(&document(&text)), "{broken}");
        assert!(fruitsinfra_refuses(&text), "{broken}");
    }
}

fn fruitsinfra_refuses(stack: &str) -> bool {
    Folder::with(stack, SCRIPT, JOB).run(&["validate", "stack.yaml"]).status.code() == Some(2)
}
