//! `sync`: what is sent, what is not sent again, what stays and what goes; and a kill in the midst of many files.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use serde_json::json;

use crate::support::control::until;
use crate::support::{Aws, Ran};

const STACK: &str = "demo";
const BUCKET: &str = "fruits-demo-data-000000000000";

fn sync(aws: &Aws, more: &[&str]) -> Ran {
    aws.run(&[&["sync", STACK, "--yes"], more].concat())
}

#[test]
fn what_is_there_is_not_sent_again_and_what_else_is_there_goes_only_if_asked_to() {
    let aws = Aws::start();
    let oracle = aws.oracle("eu-west-3");
    let images = aws.folder().join("out/images");
    let before = sync(&aws, &[]).expect(1);
    insta::assert_snapshot!(before.err.lines().filter(|line| !line.starts_with("note")).collect::<Vec<_>>().join("\n"), @"
    error: bucket/home is not there yet, and holds what is sent
    help: `fruitsinfra --local up demo` makes it
    ");
    aws.up(STACK).expect(0);

    for name in ["a b+c%41.jpg", "Kaki/\u{e9}t\u{e9}.jpg", "new.jpg"] {
        fs::create_dir_all(images.join("Kaki")).expect("a folder");
        fs::write(images.join(name), name).expect("an image");
    }
    fs::remove_file(images.join("1.jpg")).expect("removed");
    oracle.put(BUCKET, "features/part-0.parquet", "what a job wrote");
    aws.forget_calls();
    let sent = sync(&aws, &[]).expect(0);
    insta::assert_snapshot!(sent.out, @"
    fruits-demo in eu-west-3 (Paris), account 000000000000

      > upload       stacks/../out/images -> s3://fruits-demo-data-000000000000/images/  (5 files, 41 B, 3 to send)
        upload       1 object of s3://fruits-demo-data-000000000000/images/ that stacks/../out/images lacks (images/1.jpg): stays; `sync --delete` takes it away

    Plan: 3 files to send, 2 kept.
        sent 3 files, 33 B -> s3://fruits-demo-data-000000000000/images/
    ");
    let bodies: BTreeSet<String> = oracle.objects(BUCKET, "images/").into_keys().collect();
    let wanted = [
        "images/1.jpg",
        "images/2.jpg",
        "images/Kaki/\u{e9}t\u{e9}.jpg",
        "images/Pomme \u{c9}t\u{e9}/3.jpg",
        "images/a b+c%41.jpg",
        "images/new.jpg",
    ];
    assert_eq!(bodies, wanted.map(str::to_owned).into());
    let puts = aws.calls().into_iter().filter(|call| call.operation == "PutObject" && call.path.contains("/images/"));
    assert_eq!(puts.count(), 3);

    // Its time changed, its content did not; and one whose content changed, its size not.
    fs::write(images.join("2.jpg"), "two").expect("written");
    fs::write(images.join("new.jpg"), "old.jpg").expect("written");
    let again = sync(&aws, &["--delete"]).expect(0);
    insta::assert_snapshot!(again.out, @"
    fruits-demo in eu-west-3 (Paris), account 000000000000

      > upload       stacks/../out/images -> s3://fruits-demo-data-000000000000/images/  (5 files, 41 B, 1 to send)
      - upload       1 object of s3://fruits-demo-data-000000000000/images/ that stacks/../out/images lacks (images/1.jpg)

    Plan: 1 file to send, 1 object to delete, 2 kept.
        sent 1 file, 7 B -> s3://fruits-demo-data-000000000000/images/
     deleted 1 object of s3://fruits-demo-data-000000000000/images/
    ");
    assert_eq!(oracle.objects(BUCKET, "images/").len(), 5);
    assert_eq!(oracle.objects(BUCKET, "features/").len(), 1);
    let settled = sync(&aws, &["--delete", "--output", "json"]).expect(0);
    let told: Vec<_> = settled.lines().into_iter().map(|line| line["event"].clone()).collect();
    assert_eq!(told, ["plan", "summary"]);
    aws.plan(STACK).expect(0);
}

#[test]
fn a_sync_of_many_files_that_is_killed_sends_no_more_than_what_was_under_way_again() {
    killed(2_500);
}

#[test]
#[ignore = "scripts/soak runs it"]
fn soak_sync() {
    killed(20_000);
}

/// Kills it when most files are sent; the next sends the rest, and reads nothing of what was sent and written down.
fn killed(files: usize) {
    let aws = Aws::start();
    let images = aws.folder().join("out/images");
    aws.up(STACK).expect(0);
    for number in 0..files {
        let folder = images.join(format!("Class {}", number % 100));
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join(format!("{number}.jpg")), format!("image {number}")).expect("an image");
    }
    aws.forget_calls();
    aws.fault(&json!({"operation": "PutObject", "kind": "hang", "when": "after", "nth": files * 9 / 10}));
    let mut child = aws.spawn(&["sync", STACK, "--yes"]);
    assert!(until(Duration::from_mins(4), || aws.hanging() > 0), "it never came so far");
    child.kill().expect("killed");
    child.wait().expect("gone");
    aws.heal();
    let sent = |aws: &Aws| {
        let puts = aws.calls().into_iter().filter(|call| call.operation == "PutObject" && call.path.contains("Class"));
        puts.count()
    };
    let first = sent(&aws);
    assert!(first < files, "it was killed too late");
    aws.forget_calls();
    let rest = sync(&aws, &["--output", "json"]).expect(0);
    let second = sent(&aws);
    let plan = rest.lines().into_iter().find(|line| line["event"] == "plan").expect("a plan");
    assert_eq!(plan["plan"]["uploads"][0]["send"], json!(second));
    // No more than were under way at once.
    assert!(first + second <= files + 32, "{first} and {second} of {files}");
    assert_eq!(aws.oracle("eu-west-3").objects(BUCKET, "images/Class").len(), files);
    aws.plan(STACK).expect(0);
}
