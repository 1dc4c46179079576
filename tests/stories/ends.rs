//! The end of a cluster: said at its start, moved within the limit, kept by AWS whoever dies; and what a stack may
//! cost, refused before anything is made.

use std::time::Duration;

use serde_json::Value;

use crate::support::Aws;

const FILE: &str = "stacks/minimal.yaml";

/// A cluster that never idles: only its end ends it.
fn tireless(aws: &Aws, lifetime: &str) {
    let limits = format!("owner: data@fruits.example\nlimits: {{lifetime: {lifetime}, idle: 7d}}\n");
    aws.edit(FILE, "owner: data@fruits.example\n", &limits);
}

/// When the schedule ends the cluster, and when the cluster's tag says so.
fn moments(aws: &Aws) -> (String, String) {
    let oracle = aws.oracle("eu-west-1");
    let tag = aws.status(FILE)["cluster"]["expires"].as_str().expect("a tag").to_owned();
    (oracle.schedule("fruits-minimal-end").expect("a schedule"), tag)
}

fn moment(text: &str) -> jiff::Timestamp {
    text.parse().expect(text)
}

#[test]
fn an_end_is_said_moved_within_the_limit_and_passed_only_with_a_reason() {
    let aws = Aws::with(&["--rate", "60"]);
    tireless(&aws, "3h");
    let before = aws.now();
    let up = aws.run(&["up", FILE, "--yes", "--weights", aws.weights, "--for", "2h"]).expect(0);
    assert!(up.out.contains("End: [time]") || up.out.contains("End: 20"), "{}", up.out);
    let (at, tag) = moments(&aws);
    assert_eq!(at, tag);
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970")]
    let lasts = moment(&at).as_second() as f64 - before;
    assert!((7190.0..7320.0).contains(&lasts), "{lasts} s");
    aws.plan(FILE).expect(0);

    aws.run(&["extend", FILE, "30m", "--yes"]).expect(0);
    let (later, tag) = moments(&aws);
    assert_eq!(later, tag);
    assert_eq!(moment(&later).duration_since(moment(&at)).as_mins(), 30);
    aws.plan(FILE).expect(0);

    aws.forget_calls();
    let refused = aws.run(&["extend", FILE, "3h", "--yes"]).expect(3);
    assert!(refused.out.contains("refused FI911: it would end on"), "{}", refused.out);
    aws.run(&["up", FILE, "--yes", "--weights", aws.weights, "--for", "9h"]).expect(3);
    assert_eq!(aws.mutations(), Vec::<String>::new(), "a refusal changes nothing");
    let wrong = aws.run(&["extend", FILE, "3h", "--yes", "--allow", "FI901", "--because", "x"]).expect(2);
    assert!(wrong.err.contains("only a limit can be passed, FI910 or FI911"), "{}", wrong.err);
    let passed = ["extend", FILE, "3h", "--yes", "--allow", "FI911", "--because", "the jury is late"];
    let passed = aws.run(&passed).expect(0);
    assert!(passed.out.contains("allowed FI911"), "{}", passed.out);

    let actual = aws.run(&["cost", FILE, "--actual", "--output", "json"]).expect(0).json();
    let deeds = actual["entries"].as_array().expect("entries").iter().map(|entry| entry["deed"]["did"].as_str());
    assert_eq!(deeds.collect::<Vec<_>>(), ["up", "extend", "override", "extend"].map(Some));
    assert_eq!(actual["entries"][2]["deed"]["because"], "the jury is late");
    let life = &actual["clusters"][0];
    let (spent, lived, hourly) = (&life["spent"], &life["lived"], &life["hourly"]);
    let hand = lived.as_f64().expect("a length") / 3600.0 * hourly.as_f64().expect("a price");
    assert!((spent.as_f64().expect("a sum") - hand).abs() < 0.001, "{life}");

    aws.down(FILE).expect(0);
    let copy = aws.folder().join("ledger.jsonl");
    let destroyed = aws.run(&["destroy", FILE, "--yes", "--ledger", "ledger.jsonl"]).expect(0);
    assert!(destroyed.err.contains("Ledger: 1 cluster, "), "{}", destroyed.err);
    let kept = std::fs::read_to_string(copy).expect("a copy");
    let last: Value = serde_json::from_str(kept.lines().last().expect("a line")).expect("JSON");
    assert_eq!((kept.lines().count(), &last["deed"]["did"]), (5, &"down".into()));
}

/// Nobody is left who would end it: `up` was killed while the cluster started, and no cron runs.
#[test]
fn a_cluster_whose_up_died_ends_by_its_schedule() {
    let aws = Aws::with(&["--rate", "20"]);
    tireless(&aws, "2h");
    let mut up = aws.spawn(&["up", FILE, "--yes", "--weights", aws.weights]);
    assert!(crate::support::control::until(Duration::from_mins(2), || {
        aws.calls().iter().any(|call| call.operation == "CreateSchedule" && call.status == 200)
    }));
    up.kill().expect("killed");
    up.wait().expect("gone");
    let oracle = aws.oracle("eu-west-1");
    assert!(oracle.clusters("fruits-minimal-")[0].alive());

    aws.advance(Duration::from_mins(110));
    assert!(oracle.clusters("fruits-minimal-")[0].alive(), "not before its end");
    aws.advance(Duration::from_mins(20));
    assert!(!oracle.clusters("fruits-minimal-")[0].alive(), "its end has come");
    assert!(aws.wait(oracle.scheduler.list_schedules().send()).expect("a list").schedules.is_empty());
    let plan = aws.plan(FILE).expect(2);
    assert!(plan.out.contains("+ cluster/main") && plan.out.contains("on request"), "{}", plan.out);
    aws.destroy(FILE).expect(0);
}

#[test]
fn a_time_that_is_none_is_told_with_how_it_is_written() {
    let aws = Aws::start();
    let wrong = aws.run(&["up", FILE, "--yes", "--until", "tea time"]).expect(2);
    insta::assert_snapshot!(wrong.err, @r#"
    error: `tea time` is no time of day and no date with one
    help: write it as in 18:00, or "2026-01-31 18:00", in local time
    "#);
    let both = aws.run(&["up", FILE, "--until", "18:00", "--for", "1h"]).expect(2);
    assert!(both.err.contains("cannot be used with"), "{}", both.err);
    let none = aws.run(&["extend", FILE, "1h", "--yes"]).expect(1);
    assert!(none.err.contains("no cluster runs, so none has an end to move"), "{}", none.err);
}

#[test]
fn a_stack_beyond_its_limits_is_refused_with_what_would_fit_and_nothing_is_made() {
    let aws = Aws::start();
    aws.edit(FILE, "core: {type: m5.xlarge}", "core: {type: m5.xlarge, count: 9}");
    aws.edit(FILE, "owner: data@fruits.example\n", "owner: data@fruits.example\nlimits: {hourly: 1 USD}\n");
    let refused = aws.up(FILE).expect(3);
    insta::assert_snapshot!(refused.err, @"error: an hour would cost [amount] USD, and `limits.hourly` allows 1 USD: `core: 2 x m5.xlarge` would fit, or raise it");
    assert_eq!(aws.mutations(), Vec::<String>::new(), "a refusal changes nothing");
    let plan = aws.run(&["plan", FILE, "--weights", aws.weights, "--output", "json"]).expect(3).json();
    assert_eq!(plan["refusals"][0]["code"], "FI910");
}

#[test]
fn a_type_without_a_price_is_unknown_and_told_and_no_sum_hides_it() {
    let aws = Aws::start();
    aws.edit(FILE, "core: {type: m5.xlarge}", "core: {type: r6i.8xlarge}");
    let plan = aws.run(&["plan", FILE, "--offline", "--weights", aws.weights]).expect(0);
    let told = plan.out.lines().filter(|line| ["Cost", "Life", "warn"].iter().any(|word| line.starts_with(word)));
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @"
    Cost: unknown an hour (EC2 unknown, EMR's fee unknown, EBS 0.073, public IPv4 0.010)
    Life: unknown until its end, unknown if forgotten for a night, unknown for a weekend (estimates, prices of 2025-03)
    warning: no price is known of EMR's fee of r6i.8xlarge, r6i.8xlarge in eu-west-1; `fruitsinfra prices update` may find it
    ");
    let cost = aws.run(&["cost", FILE, "--output", "json"]).expect(0).json();
    assert_eq!((&cost["hourly"]["total"], &cost["until_end"]), (&Value::Null, &Value::Null));
}

/// A table of one's own, beside which the carried one shows.
#[test]
fn prices_are_read_anew_and_told_from_then_on() {
    let aws = Aws::start();
    let cache = tempfile::tempdir().expect("a cache");
    let run = |args: &[&str]| {
        let mut command = crate::support::clean(aws.folder());
        command.args(args).env("FRUITSINFRA_CACHE", cache.path()).env("AWS_ENDPOINT_URL", &aws.endpoint);
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test");
        crate::support::ended(command.output().expect("the binary starts"))
    };
    let hour = |stack: &str| run(&["cost", stack, "--output", "json"]).expect(0).json();
    let carried = hour("demo");
    assert_eq!(carried["prices_as_of"], "2025-03");
    let updated = run(&["prices", "update", "--region", "eu-west-3"]).expect(0);
    assert!(updated.err.contains("eu-west-3: "), "{}", updated.err);
    let read = hour("demo");
    assert_ne!(read["prices_as_of"], "2025-03");
    // The embedded Price List asks a quarter more than the carried table.
    for part in ["ec2", "emr", "ebs"] {
        let amount = |cost: &Value| cost["hourly"][part].as_f64().expect("an amount");
        let ratio = amount(&read) / amount(&carried);
        assert!((1.2..1.3).contains(&ratio), "{part}: {ratio}");
    }
    assert_eq!(hour("minimal")["prices_as_of"], "2025-03", "another region");
    // What is no table is told, and does no harm.
    std::fs::write(cache.path().join("prices.json"), "[]").expect("written");
    let told = run(&["cost", "demo", "--output", "json"]).expect(0);
    assert!(told.err.contains("is no table of prices"), "{}", told.err);
    assert_eq!(told.json()["prices_as_of"], "2025-03");
}
