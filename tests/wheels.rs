//! `packages_from: s3` from the outside: the first machine chooses wheels and stages them, every other one reads what
//! was chosen, and a node installs it without a network. Small packages stand for large ones.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::support::{Aws, Ran, clean, ended};

const STACK: &str = "stacks/wheels.yaml";
const HOME: &str = "fruits-wheels-home-000000000000";
const OBJECTS: &str = "fruitsinfra/objects/";

const TEXT: &str = r#"
stack: fruits-wheels
region: eu-west-3
account: "000000000000"
owner: data@fruits.example
limits: {lifetime: 24h, idle: 24h}
buckets: {logs: {}}
bootstrap:
  - name: python
    template: bootstrap/python_packages.sh.j2
    packages: {python-dateutil: 2.9.0.post0}
    packages_from: s3
cluster:
  release: emr-7.12.0
  primary: {type: m5.xlarge}
  core: {type: m5.xlarge}
  configurations:
    - classification: spark-env
      configurations:
        - {classification: export, properties: {PYSPARK_PYTHON: /usr/bin/python3.11}}
"#;

/// A person's machine: a cache of its own, and an index that it can reach or not.
struct Machine<'a> {
    folder: &'a Path,
    cache: TempDir,
    online: bool,
}

impl<'a> Machine<'a> {
    fn new(folder: &'a Path, online: bool) -> Self {
        Self { folder, cache: tempfile::tempdir().expect("a cache"), online }
    }

    fn run(&self, args: &[&str]) -> Ran {
        let mut command = clean(self.folder);
        command.args(args).env("FRUITSINFRA_CACHE", self.cache.path()).env("PIP_RETRIES", "1");
        if self.online {
            command.env_remove("HTTP_PROXY").env_remove("HTTPS_PROXY");
            // How this machine reaches its index is its own affair.
            let theirs = |name: &str| {
                name.starts_with("PIP_") || name.to_lowercase().ends_with("_proxy") || name.contains("CA_BUNDLE")
            };
            command.envs(std::env::vars().filter(|(name, _)| theirs(name)));
        }
        ended(command.output().expect("the binary starts"))
    }

    fn up(&self) -> Ran {
        self.run(&["--local", "up", STACK, "--yes"])
    }

    fn plan(&self) -> Ran {
        self.run(&["--local", "plan", STACK, "--detailed-exitcode"])
    }
}

/// Keys below our prefix in home, by what they begin with.
fn keys(aws: &Aws, prefix: &str) -> Vec<String> {
    let oracle = aws.oracle("eu-west-3");
    let listed = aws.wait(oracle.s3.list_objects_v2().bucket(HOME).prefix(format!("{OBJECTS}{prefix}")).send());
    listed.expect("a listing").contents().iter().map(|o| o.key().expect("a key").to_owned()).collect()
}

fn fetch(aws: &Aws, key: &str, to: &Path) {
    let oracle = aws.oracle("eu-west-3");
    let object = aws.wait(oracle.s3.get_object().bucket(HOME).key(key).send()).expect("an object");
    fs::write(to, aws.wait(object.body.collect()).expect("a body").into_bytes()).expect("written");
}

#[test]
fn wheels_chosen_once_are_everybodys() {
    let aws = Aws::start();
    fs::write(aws.folder().join(STACK), TEXT).expect("a stack");

    let first = Machine::new(aws.folder(), true);
    first.up().expect(0);
    let staged = keys(&aws, "wheels-");
    let [list, dateutil, six] = &staged[..] else { panic!("a list and two wheels: {staged:?}") };
    let beside = list.strip_suffix(".txt").expect("a text");
    assert!(list.starts_with(&format!("{OBJECTS}wheels-python-")), "{list}");
    assert_eq!(*dateutil, format!("{beside}/python_dateutil-2.9.0.post0-py2.py3-none-any.whl"));
    assert_eq!(*six, format!("{beside}/six-1.17.0-py2.py3-none-any.whl"));

    aws.forget_calls();
    first.plan().expect(0);
    assert_eq!(aws.count("GetObject"), 0, "what this machine has, it does not ask for");

    // Another machine cannot reach the index, and need not.
    let second = Machine::new(aws.folder(), false);
    for asked in [1, 0] {
        aws.forget_calls();
        second.plan().expect(0);
        assert_eq!(aws.count("GetObject"), asked);
    }
    second.run(&["--local", "status", STACK]).expect(0);

    // What was lost, or never sent because a machine died, is seen and sent.
    let oracle = aws.oracle("eu-west-3");
    aws.wait(oracle.s3.delete_object().bucket(HOME).key(six).send()).expect("deleted");
    let plan = second.plan().expect(2);
    assert!(plan.out.contains("~ files: 1 -> 2"), "{}", plan.out);
    first.up().expect(0);
    assert_eq!(keys(&aws, "wheels-"), staged);

    nodes_may_fetch_them(&first, list);
    a_node_installs_them(&aws, &staged);

    // Other packages are another list; the old one goes, and its wheels with it.
    aws.edit(STACK, "python-dateutil: 2.9.0.post0", "six: 1.17.0");
    first.up().expect(0);
    let now = keys(&aws, "wheels-");
    assert!(now.len() == 2 && now.iter().all(|key| !staged.contains(key)), "{now:?}");
    first.plan().expect(0);

    second.run(&["--local", "destroy", STACK, "--yes"]).expect(0);
    let left: Vec<String> = oracle.inventory().into_keys().collect();
    assert!(left.iter().all(|name| !name.contains("fruits-wheels")), "{left:?}");
}

/// The nodes' policy lets `aws s3 cp --recursive` list below that prefix, and get what is there.
fn nodes_may_fetch_them(machine: &Machine, list: &str) {
    machine.run(&["render", STACK, "policy", "--out", "policies"]).expect(0);
    let text = fs::read(machine.folder.join("policies/fruits-wheels-nodes-policy.json")).expect("a policy");
    let policy: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    let statement = |sid: &str| {
        let all = policy["Statement"].as_array().expect("statements");
        all.iter().find(|statement| statement["Sid"] == sid).expect("a statement").clone()
    };
    assert!(list.starts_with(OBJECTS));
    let (listing, reading) = (statement("ListOurFiles"), statement("Read"));
    assert_eq!(listing["Resource"], format!("arn:aws:s3:::{HOME}"));
    assert_eq!(listing["Condition"]["StringLike"]["s3:prefix"], format!("{OBJECTS}*"));
    let readable = format!("\"arn:aws:s3:::{HOME}/{OBJECTS}*\"");
    assert!(reading["Resource"].to_string().contains(&readable), "{reading}");
}

/// Runs the bootstrap as a node would, whose S3 is a folder and whose Python is a virtual environment, off the network.
fn a_node_installs_them(aws: &Aws, staged: &[String]) {
    let node = tempfile::tempdir().expect("a node");
    let at = |name: &str| node.path().join(name);
    for folder in ["s3", "programs"] {
        fs::create_dir(at(folder)).expect("a folder");
    }
    for key in &staged[1..] {
        fetch(aws, key, &at("s3").join(key.rsplit('/').next().expect("a name")));
    }
    fetch(aws, &keys(aws, "bootstrap-")[0], &at("bootstrap.sh"));
    let made = Command::new("python3.11").args(["-m", "venv"]).arg(at("python")).status().expect("python3.11");
    assert!(made.success());
    let (folder, _) = staged[1].rsplit_once('/').expect("a folder");
    let copy = format!(
        "[[ \"$*\" == *'--region eu-west-3'*'s3://{HOME}/{folder}/'* ]] && cp {}/* \"${{@: -1}}\"",
        at("s3").display()
    );
    let python = format!("exec {} \"$@\"", at("python/bin/python").display());
    for (name, body) in [("sudo", "exec \"$@\""), ("python3.11", &python), ("aws", &copy)] {
        let program = at("programs").join(name);
        fs::write(&program, format!("#!/bin/bash\n{body}\n")).expect("a program");
        fs::set_permissions(program, fs::Permissions::from_mode(0o755)).expect("may be run");
    }
    let path = format!("{}:{}", at("programs").display(), std::env::var("PATH").expect("a path"));
    let mut bash = Command::new("bash");
    bash.arg(at("bootstrap.sh")).env_clear().env("PATH", path).env("HOME", node.path());
    let ran = ended(bash.output().expect("bash")).expect(0);
    assert!(ran.out.contains("python-dateutil 2.9.0.post0") && ran.out.trim_end().ends_with("done"), "{ran:?}");
}

#[test]
fn what_cannot_be_chosen_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = |text: &str, online: bool, code: i32| {
        fs::write(folder.path().join("wheels.yaml"), text).expect("a stack");
        Machine::new(folder.path(), online).run(&["plan", "--offline", "wheels.yaml"]).expect(code).err
    };
    let never = said(&TEXT.replace("python-dateutil: 2.9.0.post0", "six: 9.9.9"), true, 2);
    assert!(never.contains("no wheel of six==9.9.9 for Python 3.11 on x86_64 Linux"), "{never}");
    assert!(never.contains("help: pin a version that has one"), "{never}");

    let mixed = said(&TEXT.replace("core: {type: m5.xlarge}", "core: {type: m6g.xlarge}"), false, 2);
    assert!(mixed.contains("`python` are for one processor, and the cluster has arm64 and x86_64"), "{mixed}");

    let alone = said(TEXT, false, 1);
    assert!(alone.contains("the package index cannot be reached") && alone.contains("PIP_INDEX_URL"), "{alone}");
}
