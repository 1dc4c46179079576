//! The job on real Spark, as a person runs it: through `up` and `run`, `s3://` to `s3://`, with images that are
//! none among them; and a job of one's own that fails.

use std::process::Command;
use std::time::Duration;

use fruitsinfra::python;
use serde_json::{Value, json};

use crate::support::control::until;
use crate::support::{Aws, repository};

const STACK: &str = "stacks/minimal.yaml";

/// An AWS whose steps run: Spark is installed unless it is, which takes a while the first time.
fn with_spark() -> (Aws, python::Installed) {
    let mut aws = Aws::start();
    aws.weights = "untrained";
    let spark = aws.wait(python::install("spark", &python::cache(), |_| {})).expect("Spark");
    (aws, spark)
}

#[test]
fn images_become_features_and_the_broken_ones_are_named() {
    let (aws, spark) = with_spark();
    let images = aws.folder().join("samples");
    let made = Command::new(&spark.python)
        .arg(repository().join("scripts/sample-images"))
        .arg(&images)
        .args(["--classes", "4", "--per-class", "6", "--spoil"])
        .status();
    assert!(made.is_ok_and(|made| made.success()));
    aws.edit(STACK, "\nbootstrap:", "\nuploads: [{from: ../samples, to: data/images/}]\n\nbootstrap:");
    aws.up(STACK).expect(0);

    let typo = aws.run(&["run", STACK, "featurs", "--weights", "untrained"]).expect(2);
    insta::assert_snapshot!(typo.err, @"
    error: stack `fruits-minimal` has no job `featurs`
    help: did you mean `features`?
    ");

    let run = aws.run(&["run", STACK, "features", "--weights", "untrained", "--output", "json"]).expect(0);
    assert_eq!(run.lines().last().map(|event| event["ok"].clone()), Some(json!(true)));
    let waits = |event: &Value| event["message"].as_str().is_some_and(|told| told.starts_with("RUNNING for "));
    assert!(run.lines().iter().any(waits), "what is waited for, and since when: {}", run.out);
    let results = aws.run(&["results", STACK, "features", "--output", "json"]).expect(0).json();
    let mut failed: Vec<&str> = array(&results["failed_rows"]).filter_map(|row| row["path"].as_str()).collect();
    failed.sort_unstable();
    insta::assert_json_snapshot!(failed, @r#"
    [
      "s3://fruits-minimal-data-000000000000/images/Apple Red/spoilt_empty.jpg",
      "s3://fruits-minimal-data-000000000000/images/Apple Red/spoilt_text.jpg",
      "s3://fruits-minimal-data-000000000000/images/Apple Red/spoilt_truncated.jpg"
    ]
    "#);
    let told = ["rows", "labels", "feature_length", "weights", "paths"].map(|key| (key, &results[key]));
    insta::assert_json_snapshot!(std::collections::BTreeMap::from(told), @r#"
    {
      "feature_length": 1280,
      "labels": {
        "Apple Golden": 6,
        "Apple Red": 6,
        "Apricot": 6,
        "Avocado": 6
      },
      "paths": {
        "features": "s3://fruits-minimal-data-000000000000/features",
        "model": "s3://fruits-minimal-data-000000000000/model",
        "pca": "s3://fruits-minimal-data-000000000000/pca/parquet",
        "pca_csv": "s3://fruits-minimal-data-000000000000/pca/csv",
        "report": "s3://fruits-minimal-data-000000000000/report"
      },
      "rows": 27,
      "weights": "untrained"
    }
    "#);
    assert!(results["variance"].as_f64().is_some_and(|variance| variance >= 0.9), "{results}");

    let text = aws.run(&["results", STACK, "features"]).expect(0).out;
    assert!(text.contains("untrained: seeded, for tests") && text.contains("spoilt_text.jpg"), "{text}");
    super::evidence::of_a_run(&aws, STACK, 27);
    let logs = aws.run(&["logs", STACK, "features"]).expect(0).out;
    assert!(logs.contains("/stderr.gz") && logs.contains("Step succeeded with exitCode 0"), "{logs}");
    aws.destroy(STACK).expect(0);
}

#[test]
fn a_job_of_ones_own_that_fails_ends_with_6_and_its_own_words() {
    let (aws, _) = with_spark();
    let job =
        "import sys\n\nprint('so far so good')\nprint('no grapes in', sys.argv[1], file=sys.stderr)\nsys.exit(3)\n";
    std::fs::write(aws.folder().join("stacks/own.py"), job).expect("a job");
    let edit = "jobs:\n  own: {script: own.py, args: [\"the basket\"]}\n";
    aws.edit(STACK, "jobs:\n", edit);
    let run = |key| aws.run(&["run", STACK, key, "--weights", "untrained"]);
    let early = run("own").expect(1);
    insta::assert_snapshot!(early.err, @"
    error: stack `fruits-minimal` has no cluster that is ready
    help: `fruitsinfra --local up stacks/minimal.yaml` makes one
    ");

    aws.up(STACK).expect(0);
    // The reply to the one call that adds the step is lost: it is found by its nonce, not asked for again.
    aws.fault(&json!({"operation": "AddJobFlowSteps", "kind": "reset", "when": "after"}));
    let failed = run("own").expect(6);
    assert!(aws.struck());
    insta::assert_snapshot!(format!("{}{}", failed.out, failed.err), @"
    submitted [step]  on [cluster]
      failed [step]  Unknown Error.
             s3://fruits-minimal-logs-000000000000/emr/[cluster]/steps/[step]/stdout.gz ends:
    so far so good
    no grapes in the basket
         ... job/own: no answer from 127.0.0.1: Connection reset by peer (os error 104); looking whether it was done
    error: job `own` failed: Unknown Error.
    help: `fruitsinfra --local logs stacks/minimal.yaml own` shows all of its logs
    ");
    let cluster = aws.status(STACK)["cluster"]["id"].as_str().expect("a cluster").to_owned();
    let oracle = aws.oracle("eu-west-1");
    let steps = aws.wait(oracle.emr.list_steps().cluster_id(cluster).send()).expect("steps");
    assert_eq!((aws.count("AddJobFlowSteps"), steps.steps().len()), (1, 1));
    assert!(aws.run(&["logs", STACK, "own"]).expect(0).out.contains("so far so good"));

    // An edited script goes up with the run, not before.
    std::fs::write(aws.folder().join("stacks/own.py"), "print('mended')\n").expect("mended");
    run("own").expect(0);
}

#[test]
fn a_run_that_was_left_is_followed_on_and_the_next_one_is_another() {
    let (aws, _) = with_spark();
    std::fs::write(aws.folder().join("stacks/own.py"), "import time\n\ntime.sleep(4)\nprint('done')\n").expect("a job");
    aws.edit(STACK, "jobs:\n", "jobs:\n  own: {script: own.py}\n");
    aws.up(STACK).expect(0);
    let run = || aws.run(&["run", STACK, "own", "--weights", "untrained"]);
    let submitted = || aws.count("AddJobFlowSteps");
    let leave = || {
        let mut left = aws.spawn(&["run", STACK, "own", "--weights", "untrained"]);
        let before = submitted();
        assert!(until(Duration::from_mins(1), || submitted() > before));
        left.kill().expect("killed");
        left.wait().expect("gone");
    };
    leave();
    let followed = run().expect(0);
    assert!(followed.out.contains("is what an interrupted `run` submitted"), "{}", followed.out);
    assert_eq!(submitted(), 1);

    // One that ended while nobody looked is told, and not run again; the one after it is.
    leave();
    let oracle = aws.oracle("eu-west-1");
    let cluster = aws.status(STACK)["cluster"]["id"].as_str().expect("a cluster").to_owned();
    let over = || {
        let steps = aws.wait(oracle.emr.list_steps().cluster_id(&cluster).send()).expect("steps");
        let state = |step: &aws_sdk_emr::types::StepSummary| step.status.as_ref()?.state.clone();
        steps.steps().iter().all(|step| state(step).is_some_and(|state| state.as_str() == "COMPLETED"))
    };
    assert!(until(Duration::from_mins(1), over));
    run().expect(0);
    assert_eq!(submitted(), 2);
    run().expect(0);
    assert_eq!(submitted(), 3);
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
