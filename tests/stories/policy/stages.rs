//! The whole journey of a stack as data: who runs what, after which edit or act of somebody else. Between them the
//! steps make every call that the commands can make but for a few, which are named with their reasons.

use std::fs;
use std::time::Duration;

use aws_sdk_s3::types::{ObjectOwnership, OwnershipControls, OwnershipControlsRule};
use fruitsinfra::cloud::promise::Promise;
use fruitsinfra::permissions::Command::{self, Destroy, Down, Guard, Plan, Up};
use serde_json::json;

use crate::support::oracle::Oracle;
use crate::support::{Aws, repository, tables};

pub(super) const FILE: &str = "stacks/demo.yaml";
pub(super) const REGION: &str = "eu-west-3";

/// Calls that a whole journey does not make, and why.
pub(super) const NOT_MADE: [(Command, &str, &str); 25] = [
    (Up, "iam DetachRolePolicy", "only where somebody attached one"),
    (Destroy, "iam DetachRolePolicy", "only where somebody attached one"),
    (Up, "ec2 RevokeSecurityGroupEgress", "only where somebody named a group in a rule outwards"),
    (Down, "ec2 RevokeSecurityGroupEgress", "only where somebody named a group in a rule outwards"),
    (Destroy, "ec2 RevokeSecurityGroupEgress", "only where somebody named a group in a rule outwards"),
    (Up, "ec2 DescribeNetworkInterfaces", "only where something holds on to a group"),
    (Down, "ec2 DescribeNetworkInterfaces", "only where something holds on to a group"),
    (Destroy, "ec2 DescribeNetworkInterfaces", "only where something holds on to a group"),
    (Down, "emr ListSteps", "only of two clusters at one address"),
    (Destroy, "emr ListSteps", "only of two clusters at one address"),
    (Down, "s3 GetObject", "only where somebody else holds the lease"),
    (Destroy, "s3 GetObject", "only where somebody else holds the lease"),
    (Guard, "cloudwatch GetMetricData", "only of clusters past their grace"),
    (Plan, "emr ListInstanceFleets", "only of a cluster of fleets, which has a story of its own"),
    (Up, "emr ListInstanceFleets", "only of a cluster of fleets, which has a story of its own"),
    (Up, "emr ModifyInstanceFleet", "only of a cluster of fleets, which has a story of its own"),
    (Down, "emr ListInstanceFleets", "only of a cluster of fleets, which has a story of its own"),
    (Destroy, "emr ListInstanceFleets", "only of a cluster of fleets, which has a story of its own"),
    (Guard, "emr ListInstanceFleets", "only of a cluster of fleets"),
    (Guard, "emr AddTags", "only to warn"),
    (Guard, "emr SetTerminationProtection", "only of one that is protected"),
    (Guard, "s3 GetBucketTagging", "only of homes past their term"),
    (Guard, "sns Publish", "only where a topic is to be told"),
    (Guard, "ec2 RevokeSecurityGroupEgress", "only where somebody named a group in a rule outwards"),
    (Guard, "ec2 DescribeNetworkInterfaces", "only where something holds on to a group"),
];

/// Where the journey takes place.
pub(super) struct Place<'a> {
    pub(super) aws: &'a Aws,
    pub(super) account: &'a str,
    pub(super) root: Oracle<'a>,
    /// With buckets behind keys of KMS.
    pub(super) rich: bool,
}

pub(super) struct Step {
    pub(super) by: Command,
    pub(super) args: &'static [&'static str],
    /// What happens before it.
    pub(super) before: fn(&Place),
}

const fn step(by: Command, args: &'static [&'static str]) -> Step {
    Step { by, args, before: |_| {} }
}

const fn after(before: fn(&Place), by: Command, args: &'static [&'static str]) -> Step {
    Step { by, args, before }
}

const UP: &[&str] = &["up", FILE, "--yes", "--weights", "weights.h5"];
const DOWN: &[&str] = &["down", FILE, "--yes"];
const DESTROY: &[&str] = &["destroy", FILE, "--yes"];
const PLAN: &[&str] = &["plan", FILE, "--weights", "weights.h5"];

/// Where in the journey the stack is made.
pub(super) const FIRST_UP: usize = 2;

/// Every command, every kind of change, every way in which something goes. Each ends with 0.
pub(super) const JOURNEY: [Step; 26] = [
    step(Plan, &["doctor", FILE]),
    step(Plan, PLAN),
    step(Up, UP),
    step(Plan, &["plan", FILE, "--weights", "weights.h5", "--detailed-exitcode"]),
    step(Plan, &["status", FILE]),
    after(report, Plan, &["results", FILE, "features"]),
    step(Plan, &["results", FILE, "features", "--output", "html"]),
    step(Plan, &["evidence", FILE, "--output", "json"]),
    after(another_image, Up, &["sync", FILE, "--delete", "--yes"]),
    step(Plan, &["logs", FILE]),
    // The end is moved.
    step(Up, &["up", FILE, "--yes", "--weights", "weights.h5", "--for", "40h"]),
    step(Up, &["run", FILE, "own", "--weights", "weights.h5"]),
    step(Plan, &["logs", FILE, "own"]),
    // Its bounds are moved, and then it goes.
    after(|place| place.write(6), Up, UP),
    after(|place| place.write(2), Up, UP),
    after(drift, Up, UP),
    after(|place| place.write(4), Up, UP),
    after(only_storage, Up, UP),
    after(|place| place.write(1), Up, UP),
    step(Down, DOWN),
    step(Down, DOWN),
    step(Up, UP),
    after(expire, Guard, &["guard", "--kill", "--hard"]),
    step(Up, UP),
    after(|place| place.unfinished("data"), Destroy, DESTROY),
    step(Destroy, DESTROY),
];

/// Lets the end of the cluster have come, as its tags tell.
fn expire(place: &Place) {
    let promise = Promise {
        home: place.bucket("home"),
        expires: jiff::Timestamp::UNIX_EPOCH,
        idle: Duration::from_hours(24),
        liftable: false,
    };
    for cluster in place.root.clusters("fruits-demo-").iter().filter(|cluster| cluster.alive()) {
        for (key, value) in promise.tags() {
            place.root.tag(&cluster.id, &key, &value);
        }
    }
}

impl<'a> Place<'a> {
    /// A fresh account, the stack written, a job of one's own beside it.
    pub(super) fn new(aws: &'a Aws, account: &'a str, rich: bool) -> Self {
        let place = Self { aws, account, root: aws.account(account, REGION), rich };
        place.root.bucket(&place.foreign(), &[]);
        place.root.put(&place.foreign(), "theirs.txt", "precious");
        fs::write(aws.folder().join("stacks/own.py"), JOB).expect("a job");
        place.write(1);
        place
    }

    /// A bucket of somebody else's in the account.
    pub(super) fn foreign(&self) -> String {
        format!("theirs-{}", self.account)
    }

    pub(super) fn bucket(&self, key: &str) -> String {
        format!("fruits-demo-{key}-{}", self.account)
    }

    /// Writes the stack as it is at a stage.
    fn write(&self, stage: usize) {
        fs::write(self.aws.folder().join(FILE), self.stage(stage)).expect("written");
    }

    fn stage(&self, stage: usize) -> String {
        match stage {
            1 => self.first(),
            2 => edited(self.first(), &TO_THE_SECOND),
            3 => edited(self.stage(2), &TO_THE_THIRD),
            4 => edited(self.stage(3), &TO_THE_FOURTH),
            6 => edited(self.first(), &[("maximum: 3}", "maximum: 4}")]),
            _ => {
                let fourth = self.stage(4);
                let storage = fourth.split_once("\nroles:").expect("roles").0.to_owned();
                edited(storage + "\n", &[("  spare: {}\n", "")])
            }
        }
    }

    fn first(&self) -> String {
        let demo = fs::read_to_string(repository().join(FILE)).expect("the stack");
        let (foreign, data) = (self.foreign(), self.bucket("data"));
        let job = format!("jobs:\n  own: {{script: own.py, args: [\"s3://{data}\", \"s3://{foreign}\"]}}\n");
        let buckets = format!("\nbuckets:\n  theirs: {{existing: {foreign}}}\n");
        // It must outlive the journey, whose clock is fast.
        let text = edited(
            demo,
            &[
                ("limits: {hourly: 2 USD, lifetime: 3h, idle: 45m}", "limits: {lifetime: 48h, idle: 24h}"),
                ("\nbuckets:\n", &buckets),
                ("\ncluster:\n", "\ncluster:\n  managed_scaling: {minimum: 1, maximum: 3}\n"),
                ("jobs:\n", &job),
            ],
        );
        if !self.rich {
            return text;
        }
        let key = |n: u32| {
            format!("arn:aws:kms:{REGION}:{}:key/{}-1111-2222-3333-444444444444", self.account, n.to_string().repeat(8))
        };
        let (of_the_stack, of_data) =
            (format!("\nkms_key: {}\nbuckets:\n", key(1)), format!("data: {{kms_key: {}, expire", key(2)));
        edited(text, &[("\nbuckets:\n", &of_the_stack), ("data: {expire", &of_data)])
    }

    /// Begins an upload that nobody ends.
    fn unfinished(&self, key: &str) {
        let begun = self.root.s3.create_multipart_upload().bucket(self.bucket(key)).key("never.bin").send();
        self.aws.wait(begun).expect("begun");
    }
}

/// A file to send, and one that lies there and is none here.
fn another_image(place: &Place) {
    std::fs::write(place.aws.folder().join("out/images/4.jpg"), "four").expect("an image");
    place.root.put(&place.bucket("data"), "images/gone.jpg", "no file any more");
}

/// What the job would have reported, and written of the images that were sent.
fn report(place: &Place) {
    let data = place.bucket("data");
    let row = |key| (format!("s3://{data}/{key}"), "Apple", Ok(vec![0.5; 1280]));
    let rows: Vec<tables::Row> = place.root.objects(&data, "images/").into_keys().map(row).collect();
    let table = tables::features(&rows);
    let put = place.root.s3.put_object().bucket(&data).key("features/part-0.parquet").body(table.into());
    place.aws.wait(put.send()).expect("put");
    place.root.put(
        &data,
        "model/variance.json",
        r#"{"components": 1, "variance": 1, "variance_target": 1, "explained": [1]}"#,
    );
    let report = json!({"job": "features", "rows": 3, "failed_rows": [], "labels": {"Apple": 3}, "feature_length": 1280,
        "components": 2, "variance": 0.93, "weights": "given", "paths": {}});
    place.root.put(&place.bucket("data"), "report/report.json", &report.to_string());
}

/// The third stage, and what somebody changed by hand.
fn drift(place: &Place) {
    place.write(3);
    let (aws, iam, s3, data) = (place.aws, &place.root.iam, &place.root.s3, place.bucket("data"));
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"Service": "ec2.amazonaws.com"}, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}]});
    let trusted = iam.update_assume_role_policy().role_name("fruits-demo-nodes").policy_document(trust.to_string());
    aws.wait(trusted.send()).expect("another trust");
    let rule = OwnershipControlsRule::builder().object_ownership(ObjectOwnership::ObjectWriter).build();
    let rules = OwnershipControls::builder().rules(rule.expect("a rule")).build().expect("rules");
    aws.wait(s3.put_bucket_ownership_controls().bucket(&data).ownership_controls(rules).send()).expect("opened");
}

/// The stack without its cluster, and one bucket fewer, which holds something.
fn only_storage(place: &Place) {
    place.write(5);
    place.root.put(&place.bucket("spare"), "left.txt", "over");
    place.unfinished("spare");
}

/// What to write instead of which passage.
type Edits<'a> = [(&'a str, &'a str)];

fn edited(mut text: String, edits: &Edits) -> String {
    for (from, to) in edits {
        assert_eq!(text.matches(from).count(), 1, "{from:?} in\n{text}");
        text = text.replace(from, to);
    }
    text
}

const TO_THE_SECOND: [(&str, &str); 7] = [
    ("  managed_scaling: {minimum: 1, maximum: 3}\n", ""),
    ("tags: {project: p8}", "tags: {project: p9, jury: \"true\"}"),
    ("expire: {features/: 30d}}", "versioning: true, expire: {features/: 60d}}"),
    ("  logs: {expire: 14d}\n", "  logs: {expire: 14d}\n  spare: {}\n"),
    ("read: [data]", "read: [data, logs]"),
    (
        "count: 2}",
        "count: 3, configurations: [{classification: yarn-site, properties: {yarn.nodemanager.vmem-check-enabled: \"false\"}}]}",
    ),
    (
        "  applications: [Spark]\n",
        "  applications: [Spark]\n  task: {burst: {type: m5.xlarge, count: 2}}\n  step_concurrency: 3\n\
         \x20 termination_protection: true\n  access: [{from: 203.0.113.7/32, port: 9443}]\n",
    ),
];

const TO_THE_THIRD: [(&str, &str); 4] = [
    (", jury: \"true\"", ""),
    ("versioning: true, expire: {features/: 60d}", "versioning: false"),
    ("  task: {burst: {type: m5.xlarge, count: 2}}\n", "  keep_alive: false\n  idle: 23h\n  tags: {team: data}\n"),
    ("  access: [{from: 203.0.113.7/32, port: 9443}]\n", ""),
];

const TO_THE_FOURTH: [(&str, &str); 2] = [
    ("  keep_alive: false\n  idle: 23h\n  tags: {team: data}\n", ""),
    ("termination_protection: true", "termination_protection: false"),
];

/// It counts what it may read, and says so if it may do what it may not.
pub(super) const JOB: &str = r#"import sys

from pyspark.sql import SparkSession

spark = SparkSession.builder.getOrCreate()
data, foreign = sys.argv[1:]


def refused(what, act):
    try:
        act()
    except Exception as problem:
        if not any(word in str(problem) for word in ("AccessDenied", "Access Denied", "not authorized")):
            raise
        print("refused:", what)
    else:
        sys.exit(f"not refused: {what}")


count = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(f"{data}/images/").count()
out = spark.createDataFrame([(str(count),)], ["count"]).coalesce(1).write.mode("overwrite")
refused("reading another bucket", lambda: spark.read.text(f"{foreign}/theirs.txt").count())
refused("writing into another bucket", lambda: out.text(f"{foreign}/mine/"))
refused("writing beside its prefixes", lambda: out.text(f"{data}/elsewhere/"))
# Without a rename: this S3A does not copy what KMS encrypted over plain HTTP.
path = spark._jvm.org.apache.hadoop.fs.Path(f"{data}/report/own.txt")
stream = path.getFileSystem(spark._jsc.hadoopConfiguration()).create(path)
stream.write(bytearray(str(count), "utf-8"))
stream.close()
print("images:", count)
"#;
