//! Stacks with one thing wrong in each, and the place where it is told.

use std::path::Path;

use crate::stack::{Finding, load_text};

const HEAD: &str = "stack: fruits\nregion: eu-west-3\nowner: data@fruits.example\n";
const LOGS: &str = "buckets: {data: {}, logs: {}}\n";
const CLUSTER: &str = "cluster:\n  release: emr-7.12.0\n  primary: {type: m5.xlarge}\n";
const PACKAGES: &str = "bootstrap:\n- {name: python, template: a.j2, packages: {tensorflow: 2.19.1}}\n";

fn findings(text: &str) -> Vec<Finding> {
    match load_text("own.yaml", text.to_owned(), Path::new("")) {
        Ok(loaded) => loaded.findings,
        Err(broken) => broken.findings,
    }
}

/// Expects exactly one finding, of a code, at the text that stands between `<<` and `>>`.
#[track_caller]
fn finds(code: &str, marked: &str) -> Finding {
    let start = marked.find("<<").expect("a place is marked");
    let end = marked.find(">>").expect("a place is marked") - 2;
    let text = marked.replace("<<", "").replace(">>", "");
    let mut found = findings(&text);
    assert_eq!(found.len(), 1, "{text}\n{found:#?}");
    let finding = found.remove(0);
    assert_eq!((finding.code, &text[finding.span.clone()]), (code, &text[start..end]), "{finding:#?}");
    assert!(finding.hint.is_some(), "{finding:#?}");
    finding
}

#[track_caller]
fn finds_in_cluster(code: &str, marked: &str) -> Finding {
    finds(code, &format!("{HEAD}{LOGS}{CLUSTER}{marked}"))
}

#[track_caller]
fn finds_in_buckets(code: &str, marked: &str) -> Finding {
    finds(code, &format!("{HEAD}buckets:\n{marked}"))
}

#[test]
fn a_plain_stack_is_without_findings() {
    assert_eq!(findings(&format!("{HEAD}{LOGS}{CLUSTER}")), []);
    assert_eq!(findings(HEAD), []);
}

#[test]
fn names_and_keys() {
    finds("FI120", "stack: <<Fruits>>\nregion: eu-west-3\nowner: a\n");
    finds("FI120", "stack: <<fruits-of-an-exceedingly-long-name>>\nregion: eu-west-3\nowner: a\n");
    finds("FI121", &format!("{HEAD}account: <<'1234'>>\n"));
    finds("FI122", "stack: fruits\nregion: eu-west-3\nowner: <<''>>\n");
    finds("FI122", "stack: fruits\nregion: eu-west-3\nowner: <<a;b>>\n");
    finds_in_buckets("FI123", "  <<Data>>: {}\n");
    assert!(finds_in_buckets("FI123", "  <<home>>: {}\n").message.contains("for itself"));
    finds_in_cluster("FI123", "  task: {<<core>>: {type: m5.xlarge}}\n  core: {type: m5.xlarge, name: x}\n");
    finds("FI124", &format!("{HEAD}tags: {{'aws:x': <<a>>}}\n"));
    finds("FI124", &format!("{HEAD}tags: {{x: <<a*b>>}}\n"));
    finds("FI124", &format!("{HEAD}tags: {{Project: a, project: <<b>>}}\n"));
    finds("FI124", &format!("{HEAD}tags: {{{}: <<b>>}}\n", "k".repeat(129)));
    finds("FI124", &format!("{HEAD}tags: {{k: <<{}>>}}\n", "v".repeat(257)));
    assert_eq!(findings(&format!("{HEAD}tags: {{{}: {}}}\n", "k".repeat(128), "v".repeat(256))), []);
    let tags = |from: usize, to: usize| (from..to).map(|n| format!("t{n}: a")).collect::<Vec<_>>().join(", ");
    finds("FI124", &format!("{HEAD}<<tags>>: {{{}}}\n", tags(0, 36)));
    let both = |own: &str, tags_of_stack: &str| {
        format!("{HEAD}{LOGS}tags: {{{tags_of_stack}}}\n{CLUSTER}  <<tags>>: {{{own}}}\n")
    };
    finds("FI124", &both(&tags(20, 40), &tags(0, 20)));
    assert_eq!(findings(&both(&tags(5, 35), &tags(0, 20)).replace("<<", "").replace(">>", "")), []);
    for kept in ["sthree-x", "amzn-s3-demo-x", "sg-x", "sg"] {
        let finding = finds("FI120", &format!("stack: <<{kept}>>\nregion: eu-west-3\nowner: a\n"));
        assert!(finding.message.contains("AWS refuses"), "{finding:?}");
    }
}

#[test]
fn names_that_iam_and_ec2_refuse() {
    let nodes = |name: &str| format!("roles: {{nodes: {{existing: <<{name}>>}}}}\n");
    for wrong in ["a role", "é", "path/role", &"r".repeat(65), "'arn:aws:iam::000000000000:user/x'"] {
        finds_in_cluster("FI409", &nodes(wrong));
    }
    finds_in_cluster("FI409", &nodes("'arn:aws:s3:::x'"));
    let profile = |name: &str| format!("instance_profile: {{existing: <<{name}>>}}\n");
    finds_in_cluster("FI409", &profile("'arn:aws:iam::000000000000:role/x'"));
    finds_in_cluster("FI409", &profile(&"p".repeat(129)));
    finds_in_cluster("FI409", "  auto_scaling_role: {existing: <<a b>>}\n");
    for name in ["'x_+=,.@-1'", "'arn:aws:iam::000000000000:role/a/path/x'", &"r".repeat(64)] {
        let text = format!("{HEAD}{LOGS}{CLUSTER}{}", nodes(name)).replace("<<", "").replace(">>", "");
        assert_eq!(findings(&text), [], "{name}");
    }
    finds_in_cluster("FI409", "  key_pair: <<clé>>\n");
    finds_in_cluster("FI409", &format!("  key_pair: <<{}>>\n", "k".repeat(256)));
}

#[test]
fn texts_that_emr_refuses() {
    finds_in_cluster("FI315", &format!("  name: <<{}>>\n", "n".repeat(245)));
    assert_eq!(findings(&format!("{HEAD}{LOGS}{CLUSTER}  name: {}\n", "é".repeat(244))), []);
    finds_in_cluster("FI315", "  name: <<\"a\\u0007b\">>\n");
    finds_in_cluster("FI315", "  os_release: <<newest>>\n");
    finds_in_cluster("FI315", &format!("bootstrap: [{{name: <<\"a\\nrm\">>, script: {}}}]\n", script()));
    finds_in_cluster("FI315", "  core: {type: m5.xlarge, name: <<\"a\\0\">>}\n");
    let configured = |value: &str| format!("  configurations: [{{classification: a, properties: {{b: {value}}}}}]\n");
    finds_in_cluster("FI315", &configured("<<\"\\x1b\">>"));
    finds_in_cluster("FI315", &configured(&format!("<<{}>>", "v".repeat(10_281))));
    let action = |arg: &str| format!("bootstrap: [{{name: a, script: {}, args: [{arg}]}}]\n", script());
    finds_in_cluster("FI315", &action(&format!("<<{}>>", "x".repeat(10_281))));
    assert_eq!(findings(&format!("{HEAD}{LOGS}{CLUSTER}{}", action(&"x".repeat(10_280)))), []);
    let many: Vec<String> = (0..17).map(|n| format!("{{name: a{n}, script: {}}}", script())).collect();
    finds_in_cluster("FI313", &format!("<<bootstrap>>: [{}]\n", many.join(", ")));
    // All of a step's arguments count, also those that we add.
    let own = |length: usize| format!("jobs: {{<<own>>: {{script: {}, args: [{}]}}}}\n", script(), "x".repeat(length));
    finds_in_cluster("FI314", &own(10_240 - 60));
    assert_eq!(findings(&format!("{HEAD}{LOGS}{CLUSTER}{}", own(10_000).replace("<<", "").replace(">>", ""))), []);
}

#[test]
fn limits() {
    finds_in_cluster("FI125", "  idle: <<30s>>\n");
    finds_in_cluster("FI126", "  idle: <<2h>>\n");
    finds_in_cluster("FI125", "limits: {lifetime: <<5m>>}\n");
    finds_in_cluster("FI125", "limits: {lifetime: <<999d>>}\n");
    finds_in_cluster("FI130", "eur_per_usd: <<0.0>>\n");
    finds_in_cluster("FI127", "  termination_protection: <<true>>\n");
    finds_in_cluster("FI127", "  keep_alive: <<false>>\n");
}

#[test]
fn nothing_leads_abroad() {
    finds("FI202", &format!("{HEAD}kms_key: <<arn:aws:kms:eu-west-2:000000000000:key/1>>\n"));
    finds("FI202", &format!("{HEAD}kms_key: <<arn:aws:kms:eu-central-1:000000000000:key/1>>\n"));
    finds_in_buckets("FI203", "  data: {kms_key: <<alias/mine>>}\n");
    finds("FI206", &format!("{HEAD}kms_key: <<arn:aws:kms:eu-west-3:000000000000:key/mrk-1>>\n"));
    finds_in_buckets("FI204", "  data: {existing: <<'arn:aws-eusc:s3:::theirs'>>}\n");
    finds(
        "FI205",
        &format!(
            "{HEAD}account: '000000000000'\nroles: {{service: {{existing: <<'arn:aws:iam::111111111111:role/x'>>}}}}\n"
        ),
    );
    finds_in_cluster(
        "FI207",
        "  configurations: [{classification: core-site, properties: {fs.s3a.endpoint: <<s3.us-east-1.amazonaws.com>>}}]\n",
    );
    finds_in_cluster(
        "FI207",
        "  configurations: [{classification: core-site, properties: {fs.s3a.endpoint: <<s3.amazonaws.com>>}}]\n",
    );
    let own = format!("jobs: {{own: {{script: {}, args: [a, <<us-west-2>>]}}}}\n", script());
    finds_in_cluster("FI208", &own);
}

/// A file that is there.
fn script() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("stacks/scripts/welcome.sh").display().to_string()
}

#[test]
fn releases_and_types() {
    let release = |marked: &str| format!("{HEAD}{LOGS}cluster:\n  release: {marked}\n  primary: {{type: m5.xlarge}}\n");
    finds("FI301", &release("<<emr-7.99.0>>"));
    let sovereign = release("<<emr-7.12.0>>").replace("eu-west-3", "eusc-de-east-1");
    finds("FI303", &sovereign);
    let spain = findings(&release("emr-6.6.0").replace("eu-west-3", "eu-south-2"));
    assert_eq!(spain.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["FI302", "FI304"]);

    let absent = finds_in_cluster("FI305", "  core: {type: <<m5.large>>}\n");
    assert_eq!(absent.hint.as_deref(), Some("did you mean m5.xlarge?"));
    finds_in_cluster("FI305", "  core: {type: <<t3.medium>>}\n");
    let spain = format!("{HEAD}{LOGS}{CLUSTER}  core: {{type: <<m6i.xlarge>>}}\n").replace("eu-west-3", "eu-south-2");
    assert_eq!(finds("FI305", &spain).message, "eu-south-2 does not offer m6i.xlarge");
    finds_in_cluster("FI306", "  core: {type: <<m6g.xlarge>>}\n");
}

#[test]
fn applications_and_settings() {
    let near = finds_in_cluster("FI307", "  applications: [Spark, <<Tensorflov>>]\n");
    assert_eq!(near.hint.as_deref(), Some("did you mean `TensorFlow`?"));
    finds_in_cluster("FI307", "  applications: [Spark, <<spark>>]\n");
    let spark_line = format!("{HEAD}{LOGS}{CLUSTER}  applications: [Spark, <<TensorFlow>>]\n")
        .replace("emr-7.12.0", "emr-spark-8.0.0");
    finds("FI308", &spark_line);
    let own = format!("jobs: {{own: {{script: {}}}}}\n", script());
    finds_in_cluster("FI309", &format!("  <<applications>>: [Hive]\n{own}"));
    finds_in_cluster(
        "FI310",
        "  <<configurations>>: [{classification: spark-env, configurations: [{classification: export, properties: {PYSPARK_PYTHON: /usr/bin/python3.14}}]}]\n",
    );
    finds_in_cluster(
        "FI311",
        "  configurations: [{classification: jupyter-s3-conf, properties: {s3.persistence.bucket: <<'s3://mine'>>}}]\n",
    );
    finds_in_cluster("FI312", "  configurations: [{classification: <<spark>>}]\n");
    finds_in_cluster("FI313", "  step_concurrency: <<0>>\n");
    let long = format!("jobs: {{<<own>>: {{script: {}, args: [{}]}}}}\n", script(), "x".repeat(10_241));
    finds_in_cluster("FI314", &long);
}

#[test]
fn groups_and_disks() {
    let primary = |marked: &str| {
        format!("{HEAD}{LOGS}cluster:\n  release: emr-7.12.0\n  primary: {{type: m5.xlarge, {marked}}}\n")
    };
    finds("FI320", &primary("count: <<2>>"));
    finds("FI321", &primary("bid: <<1 USD>>"));
    finds("FI322", &primary("market: <<spot>>"));
    finds("FI323", &primary("volumes: [{size: <<0>>}]"));
    finds("FI323", &primary("volumes: [{type: gp2, size: 32, iops: <<3000>>}]"));
    finds_in_cluster("FI320", "  core: {type: m5.xlarge, count: <<0>>}\n");
    assert_eq!(findings(&format!("{HEAD}{LOGS}{CLUSTER}  task: {{a: {{type: m5.xlarge, count: 0}}}}\n")), []);
    finds_in_cluster("FI323", "  root_volume: {size: <<8>>}\n");
    finds_in_cluster("FI324", "  core: {type: m5.xlarge, name: <<primary>>}\n");
    let scaled = |marked: &str| format!("  core: {{type: m5.xlarge}}\n  managed_scaling: {{{marked}}}\n");
    finds_in_cluster("FI326", &scaled("minimum: <<0>>, maximum: 2"));
    finds_in_cluster("FI326", &scaled("minimum: 3, maximum: <<2>>"));
    finds_in_cluster("FI326", &scaled("minimum: 1, maximum: <<1001>>"));
    finds_in_cluster("FI326", &scaled("minimum: 1, maximum: 2, maximum_core: <<3>>"));
    finds_in_cluster("FI326", &scaled("minimum: 1, maximum: 2, maximum_on_demand: <<3>>"));
    finds_in_cluster("FI326", &scaled("minimum: 1, maximum: 2, maximum_core: <<0>>"));
    finds_in_cluster("FI326", "  <<managed_scaling>>: {minimum: 1, maximum: 2}\n");
    assert_eq!(findings(&format!("{HEAD}{LOGS}{CLUSTER}{}", scaled("minimum: 1, maximum: 8, unit: vcpu"))), []);
    let twice = format!("bootstrap:\n- {{name: a, script: {0}}}\n- {{name: <<a>>, script: {0}}}\n", script());
    finds("FI325", &format!("{HEAD}{LOGS}{CLUSTER}{twice}"));
}

#[test]
fn access() {
    let world = finds_in_cluster("FI401", "  key_pair: mine\n  access: [{from: <<0.0.0.0/0>>, port: 22}]\n");
    assert_eq!(world.message, "port 22 would be open to the whole world");
    finds_in_cluster("FI401", "  access: [{from: <<'::/0'>>, port: 9443}]\n");
    finds_in_cluster("FI402", "  access: [{from: <<10.0.0.0/8>>, port: 9443}]\n");
    finds_in_cluster("FI403", "  access: [{from: 203.0.113.7, port: <<0>>}]\n");
    finds_in_cluster("FI404", "  access: [{from: 203.0.113.7, port: <<22>>}]\n");
    let groups = "security_groups: {primary: {existing: sg-00000000}, core: {existing: sg-00000001}}\n";
    finds_in_cluster("FI405", &format!("  <<access>>: [{{from: 203.0.113.7, port: 9443}}]\n{groups}"));
    finds_in_cluster("FI406", "  subnet: <<mine>>\n");
    finds_in_cluster("FI406", "  custom_ami: <<mine>>\n");
    finds_in_cluster("FI407", "instance_profile: {existing: theirs}\nroles: {<<nodes>>: {read: [data]}}\n");
    let job = "jobs: {f: {template: a.j2, input: data/images/, output: <<data/>>}}\n";
    let roles = "roles: {nodes: {read: [data], write: [data/features/, data/pca/, data/model/]}}\n";
    finds("FI408", &format!("{HEAD}{LOGS}{CLUSTER}{PACKAGES}{roles}{job}"));
}

#[test]
fn storage() {
    finds_in_buckets("FI501", "  data: {name: <<fruits-Data>>}\n");
    finds_in_buckets("FI501", "  data: {name: <<fruits-a.b>>}\n");
    for wrong in [
        "fr",
        "192.168.5.4",
        "xn--fruits",
        "sthree-fruits",
        "amzn-s3-demo-fruits",
        "fruits-",
        "-fruits",
        "fruits_x",
        "fruits-s3alias",
        "fruits--ol-s3",
        "fruits--x-s3",
        "fruits--table-s3",
    ] {
        finds_in_buckets("FI501", &format!("  data: {{existing: <<{wrong}>>}}\n"));
    }
    finds_in_buckets("FI501", &format!("  data: {{existing: <<{}>>}}\n", "b".repeat(64)));
    assert_eq!(findings(&format!("{HEAD}buckets:\n  data: {{existing: {}}}\n", "b".repeat(63))), []);
    finds_in_buckets("FI502", "  data: {name: <<mine>>}\n");
    finds_in_buckets("FI503", "  a: {name: fruits-x}\n  b: {name: <<fruits-x>>}\n");
    finds_in_buckets("FI504", "  data: {expire: <<36h>>}\n");
    let upload = |to: &str| format!("{HEAD}{LOGS}uploads: [{{from: images, to: {to}}}]\n");
    let undeclared = finds("FI505", &upload("<<date/images/>>"));
    assert_eq!(undeclared.hint.as_deref(), Some("did you mean `data`?"));
    finds("FI506", &upload("<<data//images/>>"));
    finds("FI506", &upload("<<data/../images/>>"));
    finds("FI506", &upload(&format!("<<data/{}/>>", "p".repeat(800))));
    finds("FI506", &upload("<<\"data/a\\tb/\">>"));
    finds("FI507", &upload("<<data/images>>"));
    finds("FI505", &format!("{HEAD}{LOGS}roles: {{nodes: {{read: [data, <<other>>]}}}}\n"));
    let sample = |sample: &str| format!("{HEAD}{LOGS}uploads: [{{from: a.zip, to: data/a/, split: Test, {sample}}}]\n");
    finds("FI512", &sample("<<sample>>: {}"));
    finds("FI512", &sample("sample: {classes: <<0>>}"));
    finds("FI512", &sample("sample: {classes: 3, images: <<0>>}"));
    assert_eq!(findings(&sample("sample: {images: 1}")), []);
    let parts = |to: &str| {
        let part = |split: &str, to: &str| format!("{{from: a.zip, to: {to}, split: {split}}}");
        format!("{HEAD}{LOGS}uploads: [{}, {}]\n", part("Training", "data/a/"), part("Test", to))
    };
    let mixed = finds("FI513", &parts("<<data/a/>>"));
    assert_eq!(mixed.hint.as_deref(), Some("give each its own place, as in data/a/Test/"));
    assert_eq!(findings(&parts("data/b/")), []);
    let whole = format!("{HEAD}{LOGS}uploads: [{{from: a, to: data/a/}}, {{from: b, to: data/a/}}]\n");
    assert_eq!(findings(&whole), []);

    let job = |input: &str, output: &str| format!("template: a.j2, input: {input}, output: {output}");
    let own = |jobs: &str| format!("{HEAD}{LOGS}{CLUSTER}{PACKAGES}jobs: {{{jobs}}}\n");
    finds("FI508", &own(&format!("f: {{{}}}", job("data", "<<data/>>"))));
    for glob in ["a[1]", "a*", "a?", "{a,b}", "a\\b", "^a"] {
        finds("FI511", &own(&format!("f: {{{}}}", job(&format!("<<'data/{glob}/'>>"), "data/"))));
        finds("FI511", &own(&format!("f: {{{}}}", job("data/images/", &format!("<<'data/{glob}/'>>")))));
    }
    let two = format!("f: {{{}}}, g: {{{}}}", job("data/images/", "data/"), job("data/images/", "<<data/features/>>"));
    finds("FI509", &own(&two));
    let siblings = format!("f: {{{}}}, g: {{{}}}", job("data/images/", "data/f/"), job("data/images/", "data/g/"));
    assert_eq!(findings(&own(&siblings)), []);
    finds("FI510", &format!("{HEAD}<<cluster>>:\n  release: emr-7.12.0\n  primary: {{type: m5.xlarge}}\n"));
}

#[test]
fn packages() {
    let own = |packages: &str| {
        format!("{HEAD}{LOGS}{CLUSTER}bootstrap:\n- {{name: python, template: a.j2, packages: {{{packages}}}}}\n")
    };
    finds("FI602", &own("pandas: <<'>=2'>>"));
    finds("FI602", &own("pandas: <<latest>>"));
    finds("FI603", &own("whell: <<0.44.0>>"));
    finds("FI603", &own("'pandas<1.3': <<1.2.5>>"));
    for wrong in ["s3fs[", "s3fs]", "s3fs[]", "s3fs[a,]", "s3fs[a]b", "s3fs-", "[a]", "s3fs[a"] {
        finds("FI603", &own(&format!("'{wrong}': <<1.0>>")));
    }
    assert_eq!(findings(&own("'dask[array,dataframe]': 1.0, 'dask-expr[a_b.c]': 1.0")), []);
    finds("FI612", &own("Pillow: 11.3.0, pillow: <<11.3.0>>"));
    finds("FI612", &own("s3fs: 1.0, 's3fs[boto3]': <<1.0>>"));
    finds("FI604", &own("'pyspark[sql]': <<3.5.3>>"));
    finds("FI605", &own("PyArrow: <<22.0.0>>"));
    finds("FI607", &own("'tensorflow[and-cuda]': 2.19.1, tensorflow_cpu: <<2.19.1>>"));
    finds("FI604", &own("pyspark: <<3.5.3>>"));
    finds("FI605", &own("pyarrow: <<22.0.0>>"));
    finds("FI606", &own("pandas: <<3.0.0>>"));
    finds("FI607", &own("tensorflow: 2.19.1, tensorflow-cpu: <<2.19.1>>"));
    finds("FI607", &own("tensorflow: <<2.19.1>>").replace("xlarge}", "xlarge}\n  applications: [Spark, TensorFlow]"));
    finds("FI608", &own("tensorflow-cpu: <<2.19.1>>").replace("m5.", "m6g."));
    finds("FI601", &own("").replace("- {name", "- {<<name>>"));
    let job = "jobs: {<<f>>: {template: a.j2, input: data/images/, output: data/}}\n";
    finds("FI609", &format!("{HEAD}{LOGS}{CLUSTER}{job}"));
    finds_in_cluster("FI610", "bootstrap: [{name: a, script: <<absent.sh>>}]\n");
    let untrained = job.replace("<<f>>", "f").replace("data/}", "data/, model: {weights: <<untrained>>}}");
    finds("FI611", &format!("{HEAD}{LOGS}{CLUSTER}{PACKAGES}{untrained}"));
    assert_eq!(findings(&own("a: 1.2.3rc1, b: 2.0.post1, c: 1.10")), []);
}

#[test]
fn jobs() {
    let job = |fields: &str| {
        format!(
            "{HEAD}{LOGS}{CLUSTER}{PACKAGES}jobs: {{f: {{template: a.j2, input: data/images/, output: data/, {fields}}}}}\n"
        )
    };
    finds("FI129", &job("model: {name: <<ResNet50>>}"));
    finds("FI129", &job("pca: {variance: <<90>>}"));
    finds("FI129", &job("batch: <<0>>"));
    finds("FI128", &format!("{HEAD}jobs: {{<<own>>: {{script: {}}}}}\n", script()));
}
