//! The proof for a jury: what it shows of a stack that is there, what it does not, that it names no account and no person,
//! and that a change of it is known.

use serde_json::{Value, json};

use crate::support::Aws;
use crate::support::oracle::ACCOUNT;

/// Lines in a state, by criterion.
pub(super) fn lines(document: &Value, state: &str) -> Vec<(u64, String)> {
    let criteria = document["criteria"].as_array().expect("criteria").iter();
    let all = criteria.flat_map(|of| {
        let number = of["number"].as_u64().expect("a number");
        of["lines"].as_array().expect("lines").iter().map(move |line| (number, line))
    });
    let told = all.filter(|(_, line)| line["state"] == state);
    told.map(|(number, line)| (number, line["text"].as_str().expect("a text").to_owned())).collect()
}

fn evidence(aws: &Aws, more: &[&str], exit: i32) -> String {
    aws.run(&[&["evidence", "demo"], more].concat()).expect(exit).out
}

fn document(aws: &Aws, exit: i32) -> Value {
    serde_json::from_str(&evidence(aws, &["--output", "json"], exit)).expect("JSON")
}

#[test]
fn a_stack_that_has_not_run_shows_where_it_lies_and_says_that_the_rest_is_not_shown() {
    let aws = Aws::start();
    let nothing = document(&aws, 0);
    assert_eq!(nothing["criteria"].as_array().map(Vec::len), Some(9));
    assert_eq!(lines(&nothing, "against"), []);
    let shown: Vec<u64> = lines(&nothing, "shown").into_iter().map(|(number, _)| number).collect();
    // What the stack itself says of its downloads, and that only the embedded AWS was called.
    assert_eq!(shown, [2, 2], "{:?}", lines(&nothing, "shown"));

    aws.up("demo").expect(0);
    aws.forget_calls();
    let up = document(&aws, 0);
    assert_eq!(aws.mutations(), Vec::<String>::new(), "a proof changes nothing");
    assert_eq!(lines(&up, "against"), []);
    let shown = lines(&up, "shown");
    let of = |number: u64, words: &str| shown.iter().filter(|(n, text)| *n == number && text.contains(words)).count();
    assert_eq!(of(1, "EMR emr-7.12.0 with Spark"), 1, "{shown:?}");
    for role in up["facts"]["roles"].as_array().expect("roles") {
        assert!(!role["grants"][0]["actions"].is_null(), "{role}");
    }
    for words in ["encrypts all that it holds", "is closed to the public", "replication is off"] {
        assert_eq!(of(2, words), 3, "{words}: {shown:?}");
    }
    assert_eq!((of(7, "S3 answers eu-west-3 (Paris)"), of(7, "EMR answers the zone eu-west-3")), (3, 1), "{shown:?}");
    assert_eq!((of(9, "went all the way"), of(9, "Cost: ")), (0, 1), "nothing has run: {shown:?}");

    // Nobody is named unless that is asked for.
    let text = up.to_string();
    assert!(!text.contains(ACCOUNT) && !text.contains("data@fruits.example") && text.contains("<account>"), "{text}");
    assert!(evidence(&aws, &["--output", "json", "--with-account"], 0).contains(ACCOUNT));

    // What somebody opened is a contradiction, and the command ends so.
    aws.wait(
        aws.oracle("eu-west-3").s3.delete_public_access_block().bucket(format!("fruits-demo-data-{ACCOUNT}")).send(),
    )
    .expect("opened");
    let opened = document(&aws, 1);
    let against = lines(&opened, "against");
    assert!(matches!(&against[..], [(2, text)] if text.contains("not all of the four switches")), "{against:?}");
    aws.destroy("demo").expect(0);
}

#[test]
fn a_page_that_was_changed_is_known() {
    let aws = Aws::start();
    let written = |name: &str, text: &str| {
        std::fs::write(aws.folder().join(name), text).expect("written");
        aws.run(&["evidence", "--check", name])
    };
    for (name, args) in [
        ("proof.json", ["--output", "json", "--lang", "en"]),
        ("preuve.html", ["--output", "html", "--lang", "fr"]),
        ("proof.md", ["--output", "markdown", "--lang", "en"]),
    ] {
        let page = evidence(&aws, &args, 0);
        let told = written(name, &page).expect(0).out;
        assert!(told.contains("unchanged") && told.contains("fruits-demo"), "{told}");
        let (before, after) = if name.ends_with("json") { ("\"shown\"", "\"open\"") } else { ("<account>", "others") };
        let visible = if name.ends_with("html") { "&lt;account&gt;" } else { before };
        assert!(page.contains(visible), "{name}: {page}");
        let error = written(name, &page.replacen(visible, after, 1)).expect(1).err;
        assert!(error.contains("was changed"), "{error}");
        // What the page carries, changed.
        let error = written(name, &page.replace("eu-west-3", "eu-west-1")).expect(1).err;
        assert!(error.contains("do not have the hash"), "{error}");
    }
    let error = written("other.html", "<html></html>").expect(2).err;
    insta::assert_snapshot!(error, @r"
    error: other.html is no evidence: there is no document in it
    help: `fruitsinfra --output html evidence STACK > FILE` writes one
    ");
    aws.run(&["evidence"]).expect(2);
    aws.run(&["evidence", "--check", "nowhere.html"]).expect(2);
}

/// What a job of the template has to show, once it ran to its end.
pub(super) fn of_a_run(aws: &Aws, stack: &str, images: u64) {
    let told: Value = aws.run(&["evidence", stack, "--output", "json"]).expect(0).json();
    let shown = lines(&told, "shown");
    let of = |number: u64, words: &str| shown.iter().any(|(n, text)| *n == number && text.contains(words));
    for (number, words) in [
        (3, format!("{images} images lie in")),
        (3, "Read back, every one of the".into()),
        (4, "ran on cluster j-".into()),
        (5, "wrote to s3://".into()),
        (6, "Broadcast: the driver read the weights once".into()),
        (6, "no image went through the network twice".into()),
        (8, "ran as PySpark: ".into()),
        (9, "`features` went all the way".into()),
    ] {
        assert!(of(number, &words), "{number} {words}: {:#?}", lines(&told, "open"));
    }
    assert_eq!(lines(&told, "against"), []);
    assert_eq!(told["facts"]["jobs"][0]["report"]["rows"], json!(images));
    let french = aws.run(&["evidence", stack, "--lang", "fr"]).expect(0).out;
    assert!(french.contains("La chaîne complète fonctionne dans le cloud") && french.contains("Établi."), "{french}");
}
