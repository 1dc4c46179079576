//! Callers with exactly the policies that `render` prints, or with less, and what AWS refused them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command as Process;

use fruitsinfra::permissions::Command;
use serde_json::{Value, json};

use crate::support::oracle::Oracle;
use crate::support::{Aws, Ran, clean, ended};

/// One permission: a statement of a rendered policy, and one of its actions.
pub(super) type Permission = (String, String);

/// A rendered policy, whole.
pub(super) struct Rendered(Vec<Value>);

/// What `render STACK policy` prints for each command's caller.
pub(super) fn rendered(aws: &Aws, stack: &str, account: &str) -> BTreeMap<Command, Rendered> {
    let out = format!("policies-{account}");
    aws.run(&["render", stack, "policy", "--account", account, "--out", &out]).expect(0);
    let read = |command: Command| {
        let part = |n: usize| if n == 1 { String::new() } else { format!("-{n}") };
        let path = |n| aws.folder().join(&out).join(format!("caller-{}{}.json", command.name(), part(n)));
        let files = (1..).map(path).take_while(|path| path.exists());
        let documents = files.map(|path| serde_json::from_str(&fs::read_to_string(path).expect("a file")));
        (command, Rendered(documents.map(|document| document.expect("JSON")).collect()))
    };
    Command::ALL.into_iter().map(read).collect()
}

impl Rendered {
    pub(super) fn documents(&self) -> &[Value] {
        assert!(!self.0.is_empty());
        &self.0
    }

    fn allowing(&self) -> impl Iterator<Item = &Value> {
        let all = self.0.iter().flat_map(|document| document["Statement"].as_array().expect("statements"));
        all.filter(|statement| statement["Effect"] == "Allow")
    }

    pub(super) fn permissions(&self) -> BTreeSet<Permission> {
        let of = |statement: &Value| {
            let sid = statement["Sid"].as_str().expect("a name").to_owned();
            actions(statement).into_iter().map(move |action| (sid.clone(), action)).collect::<Vec<_>>()
        };
        self.allowing().flat_map(of).collect()
    }

    /// The same policy with these permissions alone.
    fn only(&self, granted: &BTreeSet<Permission>) -> Value {
        let kept = self.0.iter().flat_map(|document| document["Statement"].as_array().expect("statements"));
        let kept = kept.filter_map(|statement| {
            let mut statement = statement.clone();
            if statement["Effect"] == "Allow" {
                let sid = statement["Sid"].as_str().expect("a name").to_owned();
                let kept: Vec<String> =
                    actions(&statement).into_iter().filter(|a| granted.contains(&(sid.clone(), a.clone()))).collect();
                if kept.is_empty() {
                    return None;
                }
                statement["Action"] = json!(kept);
            }
            Some(statement)
        });
        json!({"Version": "2012-10-17", "Statement": kept.collect::<Vec<_>>()})
    }
}

fn actions(statement: &Value) -> Vec<String> {
    match &statement["Action"] {
        Value::String(one) => vec![one.clone()],
        all => serde_json::from_value(all.clone()).expect("actions"),
    }
}

/// A user of the account, with keys of its own.
pub(super) struct Caller {
    name: String,
    pub(super) key: String,
    pub(super) secret: String,
}

impl Caller {
    pub(super) fn new(aws: &Aws, root: &Oracle, name: &str) -> Self {
        aws.wait(root.iam.create_user().user_name(name).send()).expect("a user");
        let key = aws.wait(root.iam.create_access_key().user_name(name).send()).expect("a key");
        let key = key.access_key.expect("a key");
        Self { name: name.to_owned(), key: key.access_key_id, secret: key.secret_access_key }
    }

    /// Attaches policies as they are printed.
    pub(super) fn attach(&self, aws: &Aws, root: &Oracle, documents: &[Value]) {
        for (n, document) in documents.iter().enumerate() {
            let policy = root.iam.create_policy().policy_name(format!("{}-{n}", self.name));
            let made = aws.wait(policy.policy_document(document.to_string()).send()).expect("a policy");
            let arn = made.policy.and_then(|policy| policy.arn).expect("an ARN");
            aws.wait(root.iam.attach_user_policy().user_name(&self.name).policy_arn(arn).send()).expect("attached");
        }
    }

    /// Allows what is granted of a policy, and nothing else.
    pub(super) fn allow(&self, aws: &Aws, root: &Oracle, policy: &Rendered, granted: &BTreeSet<Permission>) {
        let put = root.iam.put_user_policy().user_name(&self.name).policy_name("granted");
        aws.wait(put.policy_document(policy.only(granted).to_string()).send()).expect("granted");
    }

    /// Runs `fruitsinfra ...` as this user: no `--local`, but the endpoint and the keys in the environment.
    pub(super) fn run(&self, aws: &Aws, args: &[&str]) -> Ran {
        run(aws, &[("AWS_ACCESS_KEY_ID", &self.key), ("AWS_SECRET_ACCESS_KEY", &self.secret)], args)
    }
}

pub(super) fn run(aws: &Aws, environment: &[(&str, &str)], args: &[&str]) -> Ran {
    let mut command: Process = clean(aws.folder());
    command.args(args).env("AWS_ENDPOINT_URL", &aws.endpoint).env("AWS_EC2_METADATA_DISABLED", "true");
    command.envs(environment.iter().copied());
    let mut command = assert_cmd::Command::from_std(command);
    ended(command.timeout(std::time::Duration::from_mins(4)).output().expect("the binary starts"))
}

/// The actions that AWS named in its refusals. EMR names the role that it lacks, and not the action.
pub(super) fn refused(ran: &Ran) -> BTreeSet<String> {
    // On one line: what is told in columns is wrapped.
    let said = format!("{} {}", ran.out, ran.err).split_whitespace().collect::<Vec<_>>().join(" ");
    let after = said.split("not authorized to perform: ").skip(1).filter_map(|rest| rest.split_whitespace().next());
    let mut named: BTreeSet<String> = after.map(str::to_owned).collect();
    if said.contains("lack s3:ListBucket") {
        named.insert("s3:ListBucket".into());
    }
    if said.contains("'AWSServiceRoleForEMRCleanup' for EMR is required") {
        named.insert("iam:CreateServiceLinkedRole".into());
    }
    named
}
