//! `sync`: what is sent, what is not sent again, what stays and what goes; a sample out of a zip; and a kill in the midst
//! of many files.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use rawzip::{CompressionMethod, ZipArchiveWriter};
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

/// A zip as Kaggle serves it: three classes in two parts, and what lies beside them.
fn kaggle(path: &Path) {
    let mut zip = ZipArchiveWriter::new(fs::File::create(path).expect("a zip"));
    let mut names = vec!["fruits-360/LICENSE".to_owned(), "fruits-360/test-multiple_fruits/0.jpg".to_owned()];
    for (split, images) in [("Training", 5), ("Test", 2)] {
        for class in ["Kiwi", "Fig", "Apple"] {
            names.extend((0..images).map(|number| format!("fruits-360/{split}/{class}/{number}_100.jpg")));
        }
    }
    for name in names {
        let begun = zip.new_file(&name).compression_method(CompressionMethod::DEFLATE).start();
        let (mut entry, config) = begun.expect("an entry");
        let mut data = config.wrap(DeflateEncoder::new(&mut entry, Compression::default()));
        data.write_all(name.rsplit('/').next().expect("a name").repeat(9).as_bytes()).expect("written");
        let (encoder, told) = data.finish().expect("counted");
        encoder.finish().expect("deflated");
        entry.finish(told).expect("finished");
    }
    zip.finish().expect("a directory");
}

#[test]
fn a_sample_of_a_zip_is_sent_once_grows_and_shrinks() {
    let aws = Aws::start();
    let oracle = aws.oracle("eu-west-3");
    let zip = aws.folder().join("out/fruits.zip");
    kaggle(&zip);
    aws.up(STACK).expect(0);
    let wants = |from: &str, to: &str| aws.edit("stacks/demo.yaml", from, to);
    let sample = "{from: ../out/fruits.zip, to: data/fruits/, split: Training, sample: {classes: 2, images: 2}}";
    wants("{from: ../out/images, to: data/images/}", sample);
    let plan = aws.plan(STACK).expect(2).out;
    assert!(plan.contains("sent of it: Training, 2 of 3 classes x 2 images"), "{plan}");
    let sent = sync(&aws, &[]).expect(0);
    insta::assert_snapshot!(sent.out, @"
    fruits-demo in eu-west-3 (Paris), account 000000000000

      > upload       stacks/../out/fruits.zip -> s3://fruits-demo-data-000000000000/fruits/  (4 files, 324 B, all to send)
        upload       laid out as Fruits-360, 3 classes, 15 Training and 6 Test images, in fruits-360/: a version that is not known here
        upload       sent of it: Training, 2 of 3 classes x 2 images

    Plan: 4 files to send, 2 kept.
        sent 4 files, 324 B -> s3://fruits-demo-data-000000000000/fruits/
    ");
    let there = || -> Vec<String> { oracle.objects(BUCKET, "fruits/").into_keys().collect() };
    let first = there();
    assert_eq!(first, SAMPLE);

    // What the zip tells of its entries is as it was: what they hold is not even looked at.
    let (whole, time) =
        (fs::read(&zip).expect("a zip"), fs::metadata(&zip).expect("there").modified().expect("a time"));
    let mut broken = whole.clone();
    broken[..whole.len() / 2].fill(0);
    let put = |data: &[u8], time| {
        fs::write(&zip, data).expect("written");
        fs::File::options().write(true).open(&zip).expect("a zip").set_modified(time).expect("a time");
    };
    put(&broken, time);
    let settled = sync(&aws, &["--output", "json"]).expect(0);
    let told: Vec<_> = settled.lines().into_iter().map(|line| line["event"].clone()).collect();
    assert_eq!(told, ["plan", "summary"]);
    let upload = &settled.lines()[0]["plan"]["uploads"][0];
    assert_eq!((&upload["send"], &upload["files"]), (&json!(0), &json!(4)));
    let counted = json!({"root": "fruits-360/", "classes": 3, "training": 15, "test": 6});
    assert_eq!(upload["data_set"], counted);
    // Written since, it is looked at.
    let later = time + Duration::from_mins(1);
    put(&broken, later);
    let error = sync(&aws, &[]).expect(1).err;
    assert!(error.contains("stacks/../out/fruits.zip: fruits-360/Training/"), "{error}");
    put(&whole, later);
    aws.forget_calls();
    sync(&aws, &[]).expect(0);
    assert!(!aws.calls().iter().any(|call| call.operation == "PutObject" && call.path.contains("fruits/")));

    // A larger sample holds the smaller.
    wants("images: 2}", "images: 3}");
    let more = sync(&aws, &[]).expect(0).out;
    assert!(more.contains("(6 files, 486 B, 2 to send)"), "{more}");
    assert!(first.iter().all(|key| there().contains(key)) && there().len() == 6);
    wants("classes: 2, images: 3}", "classes: 1, images: 1}");
    let less = sync(&aws, &[]).expect(0);
    insta::assert_snapshot!(less.out, @"
    fruits-demo in eu-west-3 (Paris), account 000000000000

        upload       laid out as Fruits-360, 3 classes, 15 Training and 6 Test images, in fruits-360/: a version that is not known here
        upload       sent of it: Training, 1 of 3 classes x 1 image
        upload       5 objects of s3://fruits-demo-data-000000000000/fruits/ not chosen of stacks/../out/fruits.zip (fruits/Apple/1_100.jpg, ...): stays; `sync --delete` takes it away
    Nothing to do: 2 resources as declared.
    ");
    assert_eq!(there().len(), 6);
    // What was taken away is no longer told as sent: `results` holds a job's rows against that.
    let told =
        || -> usize { oracle.objects("fruits-demo-home-000000000000", "fruitsinfra/uploads/").into_values().sum() };
    let before = told();
    sync(&aws, &["--delete"]).expect(0);
    assert_eq!(there(), [SAMPLE[2]]);
    assert!(told() + 500 < before, "{} of {before}", told());
    aws.plan(STACK).expect(0);

    wants("split: Training, sample: {classes: 1, images: 1}", "split: Training, sample: {classes: 9}");
    let all = sync(&aws, &[]).expect(0).out;
    assert!(all.contains("9 classes were asked for: there are 3"), "{all}");
    wants("../out/fruits.zip,", "../out/fruits.zip/fruits-360/Test,");
    let error = sync(&aws, &[]).expect(1).err;
    assert!(error.contains("fruits.zip/fruits-360/Test has no Training/<Class>/<image>.jpg"), "{error}");
}

/// What two images of two classes are, for good.
const SAMPLE: [&str; 4] =
    ["fruits/Apple/3_100.jpg", "fruits/Apple/4_100.jpg", "fruits/Fig/2_100.jpg", "fruits/Fig/4_100.jpg"];

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
    let to_send = |ran: Ran| {
        let plan = ran.lines().into_iter().find(|line| line["event"] == "plan").expect("a plan");
        plan["plan"]["uploads"][0]["send"].clone()
    };
    let rest = to_send(sync(&aws, &["--output", "json"]).expect(0));
    let second = sent(&aws);
    assert_eq!(rest, json!(second));
    // No more than were under way at once.
    assert!(first + second <= files + 32, "{first} and {second} of {files}");
    assert_eq!(aws.oracle("eu-west-3").objects(BUCKET, "images/Class").len(), files);
    // Nothing is left to send. (The cluster may have ended meanwhile: its hours are minutes here.)
    assert_eq!(to_send(sync(&aws, &["--output", "json"]).expect(0)), json!(0));
}
