//! Clusters that ended: by their own idle policy, which is a normal end and no drift; or because a bootstrap
//! failed, which `up` explains with the script's own words.

use std::time::Duration;

use crate::support::Aws;

#[test]
fn an_end_by_the_idle_policy_is_history_and_only_up_makes_a_new_cluster() {
    let aws = Aws::start();
    aws.up("demo").expect(0);
    aws.advance(Duration::from_hours(1));
    insta::assert_snapshot!(aws.plan("demo").expect(2).out, @"
    fruits-demo in eu-west-3 (Paris), account 000000000000

      + cluster/main             fruits-demo-main  (ended [time] by its idle policy)

    Cost: [amount] USD an hour (EC2 0.672, EMR's fee 0.144, EBS 0.030, public IPv4 0.015)
    Life: [amount] USD until its end, [amount] USD if forgotten for a night, [amount] USD for a weekend (estimates, prices of 2025-03)
    End: 3h after it is asked for, by AWS itself

    Plan: 1 to create, 0 to change, 0 to delete, 13 kept.
    ");
    let status = aws.run(&["status", "demo"]).expect(0);
    insta::assert_snapshot!(status.out.lines().last().unwrap_or_default(), @"The last cluster, [cluster], ended [time] by its idle policy; `up` makes a new one.");
    let facts = aws.status("demo");
    assert_eq!((&facts["cluster"], &facts["history"]["state"]), (&serde_json::Value::Null, &"TERMINATED".into()));

    let run = aws.run(&["run", "demo", "features", "--weights", aws.weights]).expect(1);
    insta::assert_snapshot!(run.err, @"
    error: stack `fruits-demo` has no cluster that is ready ([cluster] is TERMINATED)
    help: `fruitsinfra --local up demo` makes one
    ");
    aws.down("demo").expect(0);
    aws.up("demo").expect(0);
    aws.plan("demo").expect(0);
    assert_eq!(aws.oracle("eu-west-3").clusters("fruits-demo-").len(), 2);
}

#[test]
fn a_bootstrap_that_fails_is_explained_by_the_end_of_its_own_stderr() {
    let aws = Aws::start();
    aws.edit(
        "stacks/minimal.yaml",
        "    template: bootstrap/python_packages.sh.j2\n    packages: {tensorflow-cpu: 2.19.1, pyarrow: 21.0.0, pandas: 2.3.3, pillow: 11.3.0}\n",
        "    script: broken.sh\n",
    );
    let script = aws.folder().join("stacks/broken.sh");
    std::fs::write(&script, "#!/bin/bash\nset -euo pipefail\nif true; then\n  echo unfinished\n").expect("a script");
    let up = aws.up("minimal").expect(1);
    let failed = up.out.lines().skip_while(|line| !line.contains("failed"));
    insta::assert_snapshot!(failed.collect::<Vec<_>>().join("\n"), @"
      failed creating cluster/main: [cluster] ended before it could be used: On the master instance ([instance]), bootstrap action 1 returned a non-zero return code (BOOTSTRAP_FAILURE)
    s3://fruits-minimal-logs-000000000000/emr/[cluster]/node/[instance]/bootstrap-actions/1/stderr.gz ends:
    /emr/instance-controller/lib/bootstrap-actions/1/bootstrap-python.[hash].sh: line 5: syntax error: unexpected end of file
     skipped creating schedule/end: cluster/main failed
    ");
    assert!(aws.run(&["logs", "minimal"]).expect(0).out.contains("syntax error: unexpected end of file"));

    // Everything but the cluster is there and stays; the mended script is all that it takes.
    std::fs::write(&script, "#!/bin/bash\nset -euo pipefail\necho finished\n").expect("mended");
    aws.up("minimal").expect(0);
    aws.plan("minimal").expect(0);
    aws.destroy("minimal").expect(0);
}
