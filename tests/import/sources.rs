//! What each kind of source becomes, whole, as a person reads it.

use std::fs;

use super::{STACK, case, imported, text, told};

#[test]
fn the_interns_own_cluster_reads_well() {
    let (folder, ran) = imported("01.json", &[]);
    insta::assert_snapshot!(ran.expect(0).err.lines().last().unwrap_or_default(), @r###"+ to/stack.yaml: 1 to fill in, 1 said otherwise. Next: fruitsinfra validate to/stack.yaml, then plan --offline to/stack.yaml"###);
    insta::assert_snapshot!(text(&folder), @r###"
    # Imported from from/01.json (JSON of a cluster) by `fruitsinfra import`. Nothing was adopted or changed: what
    # is `existing` is read and checked, and never changed or deleted.
    #
    # To fill in:
    # - `cluster.key_pair` is given as `<key>` (line 24); name a key pair of the region
    #
    # Said otherwise than by the source:
    # - the source ends no cluster that idles: the stack's ends after 45m without work; write `limits: {idle: 2h}`
    #   for another time, 7d at most
    #
    # Chosen here, for the source does not say it:
    # - no cluster lives longer than 3h, which AWS itself sees to; write another `limits.lifetime`, or `up --for
    #   5h` within it
    # - the stack is called `p8`, and its cluster `p8-main` in AWS (line 2); names of ours begin with the stack's;
    #   --stack NAME gives another
    stack: p8
    region: eu-west-3
    owner: data@fruits.example
    # The longest a cluster lives, and idles; `hourly: 2 USD` would bound its costs
    limits: {lifetime: 3h, idle: 45m}

    roles: {service: {existing: EMR_DefaultRole}}
    instance_profile: {existing: EMR_EC2_DefaultRole}

    bootstrap: [{name: Custom action, script: bootstrap-emr.sh}]

    cluster:
      release: emr-6.3.0
      applications: [Hadoop, Spark, TensorFlow, JupyterHub]
      primary: {type: m5.xlarge}
      core: {type: m5.xlarge, count: 2}
      configurations:
        - classification: jupyter-s3-conf
          properties: {s3.persistence.bucket: "p8-data", s3.persistence.enabled: "true"}
      # Without a place for logs a failed start leaves no trace: declare a bucket `logs`
      # logs: logs/emr/
      # key_pair: "<key>"
    "###);
    assert_eq!(fs::read(folder.path().join("to/bootstrap-emr.sh")).ok(), fs::read(case("bootstrap-emr.sh")).ok());
}

#[test]
fn a_cluster_of_the_new_console_tells_what_is_to_be_filled_in() {
    let (folder, ran) = imported("03.json", &[]);
    ran.expect(0);
    insta::assert_snapshot!(text(&folder), @r###"
    # Imported from from/03.json (JSON of a cluster) by `fruitsinfra import`. Nothing was adopted or changed: what
    # is `existing` is read and checked, and never changed or deleted.
    #
    # To fill in:
    # - `cluster.key_pair` is given as `<key>` (line 68); name a key pair of the region
    # - `cluster.subnet` is given as `subnet-A` (line 69); name it by its id; without one the stack takes one of
    #   the default network
    # - the source names a bucket only as `<bucket>`: the stack makes one of its own, `data` (line 83); if it is
    #   there, write `data: {existing: ITS-NAME}` under `buckets`
    # - `s3.persistence.bucket` of `jupyter-s3-conf` is the name of bucket `data`, which holds the account's
    #   number (line 83); write p8-data-ACCOUNT there and remove the # before `jupyter-s3-conf`, or import with
    #   --account
    #
    # Said otherwise than by the source:
    # - the source ends no cluster that idles: the stack's ends after 45m without work; write `limits: {idle: 2h}`
    #   for another time, 7d at most
    #
    # Chosen here, for the source does not say it:
    # - no cluster lives longer than 3h, which AWS itself sees to; write another `limits.lifetime`, or `up --for
    #   5h` within it
    # - the stack is called `p8`, and its cluster `p8-main P8` in AWS (line 2); names of ours begin with the
    #   stack's; --stack NAME gives another
    # - whether the cluster stays when it has no steps is not said: it stays, for the stack's cluster waits for
    #   `run`; write `keep_alive: false` for one that ends at once
    stack: p8
    region: eu-west-3
    owner: data@fruits.example
    # The longest a cluster lives, and idles; `hourly: 2 USD` would bound its costs
    limits: {lifetime: 3h, idle: 45m}

    buckets: {data: {}}

    roles: {service: {existing: EMR_DefaultRole}}
    instance_profile: {existing: EMR_EC2_DefaultRole}

    bootstrap: [{name: Installation des librairies, script: bootstrap-emr.sh}]

    cluster:
      name: P8
      release: emr-6.13.0
      os_release: "2.0.20230808.0"
      applications: [JupyterHub, Spark, TensorFlow]
      primary: {name: Primaire, type: m5.xlarge, volumes: [{type: gp2, size: 32, per_instance: 2}]}
      core: {name: Unité principale, type: m5.xlarge, volumes: [{type: gp2, size: 32, per_instance: 2}]}
      task:
        tche-1: {name: Tâche - 1, type: m5.xlarge, count: 2, volumes: [{type: gp2, size: 32, per_instance: 2}]}
      # configurations:
      #   - classification: jupyter-s3-conf
      #     properties: {s3.persistence.bucket: "p8-data-<account>", s3.persistence.enabled: "true"}
      logs: data/logs/
      auto_scaling_role: {existing: EMR_AutoScaling_DefaultRole}
      # subnet: subnet-A
      # key_pair: "<key>"
      tags: {for-use-with-amazon-emr-managed-policies: "true"}
    "###);
}

#[test]
fn what_a_stack_has_no_word_for_is_told() {
    let (_folder, ran) = imported("08.json", &["--output", "json"]);
    insta::assert_snapshot!(told(&ran.expect(0)).join("\n"), @r###"
    FI331 39:5 `Ingress` cannot be said in a stack: {port: 9443, source: my-ip}
    FI331 44:3 `Budget` cannot be said in a stack: {limit: 10, currency: USD, alerts: [5, 8, 10]}
    FI331 53:3 `Spark` cannot be said in a stack: {spark.sql.execution.arrow.maxRecordsPerBatch: 256, repartition: 12}
    FI332 32:19 `cluster.key_pair` is given as `<key>`
    FI332 35:13 the source names a bucket only as `<bucket>`: the stack makes one of its own, `data`
    FI333 1:1 no cluster lives longer than 3h, which AWS itself sees to
    FI333 2:11 the stack is called `fruits-classification-p9-cluster`, and its cluster `fruits-classification-p9-cluster-main Fruits-Classification-P9-Cluster` in AWS
    FI333 17:16 whether the cluster stays when it has no steps is not said: it stays, for the stack's cluster waits for `run`
    "###);
}

#[test]
fn a_pasted_command_becomes_a_stack() {
    let (folder, ran) = imported("create-cluster.sh", &[]);
    ran.expect(0);
    insta::assert_snapshot!(text(&folder), @r###"
    # Imported from from/create-cluster.sh (a command of the AWS CLI) by `fruitsinfra import`. Nothing was adopted
    # or changed: what is `existing` is read and checked, and never changed or deleted.
    #
    # Cannot be said in a stack, and is not in this one:
    # - `Applications.Args` cannot be said in a stack: [a, b] (line 7); do without it, or start that cluster
    #   without fruitsinfra
    # - `Instances.AdditionalMasterSecurityGroups` cannot be said in a stack: [sg-0123456789abcdef1] (line 8);
    #   allow what they allow by `access`, or name groups of your own under `security_groups`
    # - `--enable-debugging` cannot be said in a stack (line 22); logs in S3 tell the same: `fruitsinfra logs`
    #
    # Chosen here, for the source does not say it:
    # - no cluster lives longer than 3h, which AWS itself sees to; write another `limits.lifetime`, or `up --for
    #   5h` within it
    # - the stack is called `fruits-t`, and its cluster `fruits-t-main Fruits (été)` in AWS (line 4); names of
    #   ours begin with the stack's; --stack NAME gives another
    stack: fruits-t
    region: eu-west-3
    owner: data@fruits.example
    # The longest a cluster lives, and idles; `hourly: 2 USD` would bound its costs
    limits: {lifetime: 3h, idle: 2h}

    buckets: {p8-logs: {existing: p8-logs}}

    roles: {service: {existing: EMR_DefaultRole}}
    instance_profile: {existing: EMR_EC2_DefaultRole}

    bootstrap: [{name: packages, script: bootstrap-emr.sh, args: ["--with", "a b"]}]

    cluster:
      name: "Fruits (été)"
      release: emr-7.12.0
      applications: [Spark, JupyterHub, Hive]
      primary: {type: m5.xlarge}
      core: {type: m5.xlarge, count: 2, volumes: [{type: gp3, size: 64, per_instance: 2}]}
      task: {burst: {type: m5.xlarge, count: 2, market: spot, bid: "0.12 USD"}}
      managed_scaling: {minimum: 2, maximum: 6}
      configurations:
        - classification: spark-defaults
          properties: {spark.dynamicAllocation.enabled: "true", spark.executor.memory: "6g"}
        - classification: spark-env
          configurations: [{classification: export, properties: {PYSPARK_PYTHON: "/usr/bin/python3.11"}}]
      logs: p8-logs/emr/
      idle: 2h
      step_concurrency: 3
      subnet: subnet-0123456789abcdef0
      key_pair: p8-key
      root_volume: {size: 40}
      tags: {for-use-with-amazon-emr-managed-policies: "true", owner: "the jury", project: "p8"}
    "###);
}

#[test]
fn a_block_of_terraform_becomes_a_stack() {
    let (folder, ran) = imported("cluster.tf", &[]);
    ran.expect(0);
    insta::assert_snapshot!(text(&folder), @r###"
    # Imported from from/cluster.tf (Terraform) by `fruitsinfra import`. Nothing was adopted or changed: what is
    # `existing` is read and checked, and never changed or deleted.
    #
    # Cannot be said in a stack, and is not in this one:
    # - `placement_group_config` cannot be said in a stack: {instance_role: MASTER} (line 62); do without it, or
    #   start that cluster without fruitsinfra
    # - `ManagedScalingPolicy.cluster_id` cannot be said in a stack: ${aws_emr_cluster.fruits.id} (line 82); do
    #   without it, or start that cluster without fruitsinfra
    #
    # To fill in:
    # - `ServiceRole` is given as `${aws_iam_role.emr.arn}` (line 12); name it: `service: {existing: NAME}`;
    #   without it the stack makes its own
    # - `cluster.subnet` is given as `${aws_subnet.main.id}` (line 16); name it by its id; without one the stack
    #   takes one of the default network
    # - the source names a bucket only as `${var.bucket}`: the stack makes one of its own, `data` (line 53); if it
    #   is there, write `data: {existing: ITS-NAME}` under `buckets`
    # - `s3.persistence.bucket` of `jupyter-s3-conf` is the name of bucket `data`, which holds the account's
    #   number (line 53); write fruits-data-ACCOUNT there and remove the # before `jupyter-s3-conf`, or import
    #   with --account
    #
    # Chosen here, for the source does not say it:
    # - no cluster lives longer than 3h, which AWS itself sees to; write another `limits.lifetime`, or `up --for
    #   5h` within it
    # - the stack is called `fruits`, and its cluster `fruits-main` in AWS (line 8); names of ours begin with the
    #   stack's; --stack NAME gives another
    stack: fruits
    region: eu-central-1
    owner: data@fruits.example
    # The longest a cluster lives, and idles; `hourly: 2 USD` would bound its costs
    limits: {lifetime: 3h, idle: 1h30m}

    buckets: {data: {}}
    instance_profile: {existing: EMR_EC2_DefaultRole}
    security_groups: {primary: {existing: sg-0123456789abcdef0}, core: {existing: sg-0123456789abcdef1}}

    bootstrap: [{name: packages, script: bootstrap-emr.sh, args: ["--quiet"]}]

    cluster:
      release: emr-7.12.0
      applications: [Spark, JupyterHub]
      primary: {type: m5.xlarge}
      core: {name: Unité principale, type: m5.xlarge, count: 2, volumes: [{type: gp3, size: 64, per_instance: 2}]}
      task: {burst: {type: m5.xlarge, market: spot, bid: "0.12 USD"}}
      managed_scaling: {minimum: 2, maximum: 5}
      configurations:
        - {classification: spark, properties: {maximizeResourceAllocation: "true"}}
        # - classification: jupyter-s3-conf
        #   properties: {s3.persistence.bucket: "fruits-data-<account>", s3.persistence.enabled: "true"}
      logs: data/logs/
      idle: 1h30m
      # subnet: "${aws_subnet.main.id}"
      key_pair: p8-key
      tags: {project: "p8"}
    "###);
}

#[test]
fn a_configuration_of_mrjob_becomes_a_stack() {
    let (folder, ran) = imported("mrjob.conf", &[]);
    ran.expect(0);
    insta::assert_snapshot!(text(&folder), @r###"
    # Imported from from/mrjob.conf (a configuration of mrjob) by `fruitsinfra import`. Nothing was adopted or
    # changed: what is `existing` is read and checked, and never changed or deleted.
    #
    # Cannot be said in a stack, and is not in this one:
    # - `runners.emr.pool_clusters` cannot be said in a stack: true (line 26); do without it, or start that
    #   cluster without fruitsinfra
    #
    # Scripts that were not at hand:
    # - `bootstrap` holds commands that mrjob makes a script of: [sudo pip install pillow] (line 18); write them
    #   into a script of your own that begins with `set -e`, and name it: `bootstrap: [{name: setup, script:
    #   setup.sh}]`
    #
    # Chosen here, for the source does not say it:
    # - no cluster lives longer than 3h, which AWS itself sees to; write another `limits.lifetime`, or `up --for
    #   5h` within it
    # - the stack is called `fruits`, and its cluster `fruits-main` in AWS (line 5); names of ours begin with the
    #   stack's; --stack NAME gives another
    stack: fruits
    region: eu-west-1
    owner: data@fruits.example
    # The longest a cluster lives, and idles; `hourly: 2 USD` would bound its costs
    limits: {lifetime: 3h, idle: 45m}

    buckets: {p8-logs: {existing: p8-logs}}

    roles: {service: {existing: EMR_DefaultRole}}
    instance_profile: {existing: EMR_EC2_DefaultRole}

    bootstrap: [{name: bootstrap-emr.sh, script: bootstrap-emr.sh, args: ["--quiet", "a b"]}]

    cluster:
      release: emr-6.15.0
      applications: [Spark]
      primary: {type: m5.xlarge}
      core: {type: m5.xlarge, count: 3}
      task: {task: {type: m5.xlarge, count: 2, market: spot, bid: "0.10 USD"}}
      configurations:
        - classification: spark-env
          configurations: [{classification: export, properties: {PYSPARK_PYTHON: "/usr/bin/python3"}}]
      logs: p8-logs/mrjob/
      idle: 30m
      key_pair: p8-key
      tags: {project: "p8"}
    "###);
}

#[test]
fn serverless_is_refused_with_what_to_do() {
    let (folder, ran) = imported("14.json", &[]);
    insta::assert_snapshot!(ran.expect(3).err, @r###"
    error[FI330]: `initialCapacity` is of EMR Serverless, which has applications and no cluster: it becomes no stack
     --> from/14.json:7:3
      |
    7 |   "initialCapacity": {
      |   ^^^^^^^^^^^^^^^^^
      |
      = help: a stack is EMR on EC2, where the same script runs: begin with `fruitsinfra init`, take core nodes of the executors' size (8 vCPU and 24 GB fit m5.2xlarge), and put what autoStop says into `limits: {idle: 15m}`
    "###);
    assert!(!folder.path().join(STACK).exists());
}
