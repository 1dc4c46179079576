//! Sweeps over crowds of clusters that no stack's file tells of: what is said of each, that nothing is changed unasked,
//! and that what is ended is ended whole. The day in the life is beside it.

mod day;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use serde_json::{Value, json};

use crate::support::{Aws, Ran, ended};

const REGION: &str = "eu-west-3";
const OWNER: &str = "data@fruits.example";

/// One whose simulated time passes as real time does, but where it leaps.
fn aws() -> Aws {
    Aws::with(&["--rate", "1"])
}

/// `2026-01-31T18:00:00Z`
fn moment(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds")]
    let at = jiff::Timestamp::from_second(seconds as i64).expect("a moment");
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The tags of a stack's cluster from birth, with its end so many minutes from now.
fn marks(aws: &Aws, stack: &str, ends_in: f64, liftable: bool) -> Value {
    json!({
        "fruitsinfra:stack": stack,
        "fruitsinfra:address": "cluster/main",
        "fruitsinfra:owner": OWNER,
        "fruitsinfra:home": format!("{stack}-home-000000000000"),
        "fruitsinfra:expires": moment(aws.now() + ends_in * 60.0),
        "fruitsinfra:idle_seconds": "2700",
        "fruitsinfra:protection_may_be_lifted": liftable.to_string(),
    })
}

/// A cluster three hours old that waits, with more said of it.
fn cluster(stack: &str, tags: &Value, more: &Value) -> Value {
    let mut said = json!({
        "region": REGION, "name": format!("{stack}-main"), "age": 3 * 3600, "ready_after": 480, "tags": tags,
        "core": {"type": "m5.xlarge", "count": 2},
    });
    let members = said.as_object_mut().expect("an object");
    members.extend(more.as_object().expect("an object").clone());
    said
}

/// Containers that come and go, every five minutes from one minute to another, from now.
fn work(aws: &Aws, from: i32, until: i32) -> Vec<Value> {
    let now = aws.now();
    let part = |(n, minute): (i32, i32)| {
        let begin = now + f64::from(minute) * 60.0;
        let containers = 3 + n * 5 % 7;
        json!({"from": begin, "until": begin + 300.0, "apps_running": 1, "containers": containers})
    };
    (0..).zip((from..until).step_by(5)).map(part).collect()
}

/// The same from so many minutes on.
fn still(aws: &Aws, from: f64, running: u8, pending: u8, containers: u8) -> Value {
    json!({"from": aws.now() + from * 60.0, "apps_running": running, "apps_pending": pending, "containers": containers})
}

fn guard(aws: &Aws, args: &[&str]) -> Ran {
    aws.run(&[&["guard"], args].concat())
}

/// Name -> verdict and reasons, figures left out.
fn verdicts(swept: &Value) -> BTreeMap<String, String> {
    let clusters = swept["clusters"].as_array().expect("clusters").iter();
    let said = clusters.map(|cluster| {
        let reasons: Vec<&str> =
            cluster["reasons"].as_array().expect("reasons").iter().filter_map(Value::as_str).collect();
        assert!(!reasons.is_empty(), "{cluster}");
        (text(&cluster["name"]), format!("{}: {}", text(&cluster["verdict"]), reasons.join("; ")))
    });
    said.collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

fn of<'a>(swept: &'a Value, name: &str) -> &'a Value {
    let clusters = swept["clusters"].as_array().expect("clusters");
    clusters.iter().find(|cluster| cluster["name"] == name).unwrap_or_else(|| panic!("{name} in {swept}"))
}

/// A little of everything, whose names say what it is.
fn crowd(aws: &Aws) -> BTreeMap<String, String> {
    let ours = |stack: &str| marks(aws, stack, 300.0, false);
    let plain = json!({});
    let said = [
        cluster("idle", &ours("idle"), &plain),
        cluster("works", &ours("works"), &json!({"activity": work(aws, -170, 60)})),
        cluster("steps", &ours("steps"), &json!({"state": "RUNNING", "steps": [{"name": "train", "started": 4000}]})),
        cluster("accepted", &ours("accepted"), &json!({"activity": [still(aws, -165.0, 0, 1, 0)]})),
        cluster("shell", &ours("shell"), &json!({"activity": [still(aws, -165.0, 1, 0, 1)]})),
        cluster("held", &ours("held"), &json!({"activity": [still(aws, -165.0, 1, 0, 9)]})),
        cluster("protected", &ours("protected"), &json!({"protected": true})),
        cluster("liftable", &marks(aws, "liftable", 300.0, true), &json!({"protected": true})),
        cluster("over", &marks(aws, "over", -20.0, false), &json!({"activity": work(aws, -170, 60)})),
        cluster("half", &json!({"fruitsinfra:stack": "half"}), &plain),
        cluster("theirs", &json!({"team": "other"}), &json!({"age": 30 * 3600})),
        cluster("fresh", &ours("fresh"), &json!({"age": 600})),
        cluster("begins", &ours("begins"), &json!({"age": 120, "state": "STARTING"})),
    ];
    let names = said.iter().map(|cluster| text(&cluster["name"]).trim_end_matches("-main").to_owned());
    names.zip(aws.crowd(&said)).collect()
}

/// Figures that a minute more or less changes.
fn without_figures(swept: &Value) -> String {
    let lines = verdicts(swept).into_iter().map(|(name, said)| {
        let words = said.split(' ').map(|word| {
            let word_only = word.trim_end_matches([';', ',']);
            let tail = &word[word_only.len()..];
            let figure = word_only.starts_with(|c: char| c.is_ascii_digit());
            if figure { format!("#{tail}") } else { word.to_owned() }
        });
        // A length may come out in whole hours or not.
        let lengths = words.collect::<Vec<_>>().join(" ").replace("# h # min", "# h");
        format!("{name}: {lengths}")
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_cluster_is_explained_and_nothing_is_changed_unasked() {
    let aws = aws();
    crowd(&aws);
    aws.world(&json!({"regions_off": ["eu-south-2"]}));
    aws.forget_calls();
    let ran = guard(&aws, &["--output", "json", "--detailed-exitcode"]).expect(2);
    let swept = ran.json();
    assert_eq!(aws.mutations(), Vec::<String>::new());
    insta::assert_snapshot!(without_figures(&swept), @"
    accepted-main: warn: AppsPending # for # h: stuck in ACCEPTED; nothing changed for # h of # min; no step yet
    begins-main: keep: STARTING for # min, usually # to # min
    fresh-main: keep: usable for # min, within the grace of # min
    half-main: warn: marked as of stack half and without a whole promise: it cannot be judged; idle # h
    held-main: warn: AppsRunning #, AppsPending #, ContainerAllocated #, the same for # h: it only looks busy, or a long job; nothing changed for # h of # min; no step yet
    idle-main: kill: idle # h of # min; no step yet
    liftable-main: kill: idle # h of # min; no step yet; its termination protection is lifted, as its stack declares
    over-main: warn: past its end of # UTC by # min; AppsRunning #, AppsPending #, ContainerAllocated #, changing; it is warned, and ended by the next sweep that finds it
    protected-main: warn: idle # h of # min; no step yet; it is termination protected, and its stack lets nobody lift that
    shell-main: warn: AppsRunning #, AppsPending #, ContainerAllocated #, the same for # h: an open shell, and nothing in it; nothing changed for # h of # min; no step yet
    steps-main: keep: step `train` RUNNING for # h of # h
    theirs-main: warn: # h old, without a mark of ours; idle # h of # h
    works-main: keep: AppsRunning #, AppsPending #, ContainerAllocated #, changing
    ");
    let idle = of(&swept, "idle-main");
    assert_eq!(
        (idle["stack"].as_str(), idle["state"].as_str(), &idle["acted"]),
        (Some("idle"), Some("WAITING"), &json!(false))
    );
    assert_eq!((&idle["hourly"], &idle["region"]), (&json!(0.8611), &json!(REGION)));
    assert!(idle["spent"].as_f64().is_some_and(|spent| (2.5..2.7).contains(&spent)), "{idle}");
    assert!(idle["idle_s"].as_u64().is_some_and(|idle| idle > 9000), "{idle}");
    assert_eq!(of(&swept, "theirs-main")["stack"], Value::Null);
    assert_eq!(swept["errors"], json!([]));

    // Regions: what is off is skipped aloud, and what lies outside the EU is named; neither is called.
    assert!(ran.err.contains("skipped eu-south-2 (Spain): this account has not enabled it"), "{}", ran.err);
    assert_eq!(swept["skipped"][0]["region"], "eu-south-2");
    assert!(swept["outside_eu"].as_array().is_some_and(|abroad| abroad.contains(&json!("us-east-1"))));
    assert_eq!(swept["regions"].as_array().map(Vec::len), Some(5));

    // A line a cluster that there is something to say of, for a person.
    let told = guard(&aws, &[]).expect(0);
    assert_eq!(told.out.lines().count(), 9, "{}", told.out);
    assert!(told.out.contains("kill    idle-main (") && !told.out.contains("works-main"), "{}", told.out);
    assert_eq!(aws.mutations(), Vec::<String>::new());
}

#[test]
fn nothing_is_said_where_there_is_nothing_to_say() {
    let aws = aws();
    let ran = guard(&aws, &["--kill", "--quiet", "--detailed-exitcode"]).expect(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
    aws.crowd(&[cluster("works", &marks(&aws, "works", 300.0, false), &json!({"activity": work(&aws, -170, 60)}))]);
    let ran = guard(&aws, &["--kill", "--quiet", "--detailed-exitcode"]).expect(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
    assert_eq!(aws.mutations(), Vec::<String>::new());
}

/// A security group as `up` makes it, in the network of all.
fn group(aws: &Aws, stack: &str) -> String {
    let oracle = aws.oracle(REGION);
    let tag = |(key, value): (&str, &str)| Tag::builder().key(format!("fruitsinfra:{key}")).value(value).build();
    let tags = [("stack", stack), ("address", "security_group/core"), ("owner", OWNER)].map(tag);
    let tags =
        TagSpecification::builder().resource_type(ResourceType::SecurityGroup).set_tags(Some(tags.into())).build();
    let make = oracle.ec2.create_security_group().group_name(format!("{stack}-core")).description("core");
    let answer = aws.wait(make.vpc_id(oracle.vpc()).tag_specifications(tags).send());
    answer.expect("a group").group_id.expect("an id")
}

fn home(aws: &Aws, stack: &str) -> String {
    let name = format!("{stack}-home-000000000000");
    let tags = [("fruitsinfra:stack", stack), ("fruitsinfra:address", "bucket/home"), ("fruitsinfra:owner", OWNER)];
    aws.oracle(REGION).bucket(&name, &tags);
    name
}

fn groups(aws: &Aws) -> usize {
    let marked = Filter::builder().name("tag-key").values("fruitsinfra:stack").build();
    let found = aws.wait(aws.oracle(REGION).ec2.describe_security_groups().filters(marked).send()).expect("groups");
    found.security_groups().len()
}

fn state(aws: &Aws, id: &str) -> String {
    let found = aws.wait(aws.oracle(REGION).emr.describe_cluster().cluster_id(id).send()).expect("a cluster");
    found.cluster.and_then(|c| c.status).and_then(|s| s.state).expect("a state").as_str().to_owned()
}

/// Takes one request and keeps its body.
fn listen() -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hooks/very-secret", listener.local_addr().expect("an address"));
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a request");
        let mut request = Vec::new();
        let mut part = [0; 4096];
        loop {
            let read = stream.read(&mut part).expect("read");
            request.extend_from_slice(&part[..read]);
            let text = String::from_utf8_lossy(&request);
            let whole = text.split_once("\r\n\r\n").is_some_and(|(head, body)| {
                let length =
                    head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                length.is_some_and(|length: usize| body.len() >= length)
            });
            if whole || read == 0 {
                break;
            }
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").expect("answered");
        String::from_utf8_lossy(&request).into_owned()
    });
    (url, heard)
}

#[test]
fn what_is_ended_is_ended_whole_and_told() {
    let aws = aws();
    let ids = crowd(&aws);
    let (home, _) = (home(&aws, "idle"), group(&aws, "idle"));
    let topic = topic(&aws);
    let (url, heard) = listen();
    aws.set_rate(60.0);
    aws.forget_calls();
    let mut command = aws.command(&["guard", "--kill", "--output", "json", "--notify-topic", &topic]);
    let ran = ended(command.env("FRUITSINFRA_WEBHOOK", &url).output().expect("the binary starts"));
    // The ledger of one whose home is gone cannot be written: told, and it is ended all the same.
    let swept = ran.expect(1);
    assert!(!format!("{}{}", swept.out, swept.err).contains("very-secret"));
    let swept = swept.json();
    let told: Vec<&str> = swept["errors"].as_array().expect("errors").iter().filter_map(|e| e["id"].as_str()).collect();
    assert_eq!(told, [ids["liftable"].as_str()], "{swept}");
    assert_eq!(of(&swept, "liftable-main")["deeds"], json!(["protection lifted", "terminated"]));
    assert_eq!(of(&swept, "idle-main")["deeds"], json!(["terminated"]));
    for name in ["accepted", "shell", "held", "over"] {
        assert_eq!(of(&swept, &format!("{name}-main"))["deeds"], json!(["warned"]), "{name}");
    }
    for name in ["works", "steps", "protected", "half", "theirs", "fresh"] {
        assert_eq!(of(&swept, &format!("{name}-main"))["acted"], json!(false), "{name}");
        assert!(["WAITING", "RUNNING"].contains(&state(&aws, &ids[name]).as_str()), "{name}");
    }
    // The `down` is finished, and the ledger tells why.
    assert_eq!(state(&aws, &ids["idle"]), "TERMINATED");
    assert_eq!(groups(&aws), 0, "{swept}");
    let oracle = aws.oracle(REGION);
    let key = format!("fruitsinfra/ledger/{}-kill.json", ids["idle"]);
    assert_eq!(oracle.objects(&home, "fruitsinfra/").into_keys().collect::<Vec<_>>(), std::slice::from_ref(&key));
    let entry = aws.wait(oracle.s3.get_object().bucket(&home).key(&key).send()).expect("an entry");
    let entry: Value = serde_json::from_slice(&aws.wait(entry.body.collect()).expect("bytes").to_vec()).expect("JSON");
    assert!(entry["deed"]["reasons"][0].as_str().is_some_and(|reason| reason.starts_with("idle ")), "{entry}");
    // Both who are told heard of it.
    let request = heard.join().expect("a request");
    let body: Value = serde_json::from_str(request.split_once("\r\n\r\n").expect("a body").1).expect("JSON");
    assert!(text(&body["text"]).contains("idle-main"), "{body}");
    assert!(aws.published().iter().any(|message| message.to_string().contains("idle-main")), "{:?}", aws.published());

    // What was warned of, and did not change, goes with the next sweep.
    let swept = guard(&aws, &["--kill", "--output", "json"]).expect(1).json();
    for name in ["accepted", "shell", "over"] {
        assert_eq!(of(&swept, &format!("{name}-main"))["deeds"], json!(["terminated"]), "{name}");
    }
    assert_eq!(of(&swept, "held-main")["acted"], json!(false));
}

/// A topic of the account.
fn topic(aws: &Aws) -> String {
    let made = aws.wait(aws.oracle(REGION).sns.create_topic().name("guard").send());
    made.expect("a topic").topic_arn.expect("an ARN")
}

#[test]
fn sweeps_at_once_do_not_collide() {
    let aws = aws();
    let ids = aws.crowd(&[cluster("idle", &marks(&aws, "idle", 300.0, false), &json!({}))]);
    let home = home(&aws, "idle");
    group(&aws, "idle");
    aws.set_rate(60.0);
    let both: Vec<_> = (0..2).map(|_| aws.spawn(&["guard", "--kill"])).collect();
    for sweep in both {
        ended(sweep.wait_with_output().expect("its end")).expect(0);
    }
    guard(&aws, &["--kill"]).expect(0);
    assert_eq!((state(&aws, &ids[0]).as_str(), groups(&aws)), ("TERMINATED", 0));
    let entries = aws.oracle(REGION).objects(&home, "fruitsinfra/");
    assert_eq!(entries.len(), 1, "{entries:?}");
}

#[test]
fn what_ended_stacks_left_is_told_and_removed_where_nobody_is_at_work() {
    let aws = aws();
    let id = group(&aws, "gone");
    home(&aws, "gone");
    let told = guard(&aws, &[]).expect(0);
    assert!(told.out.contains(&format!("left    security_group/core of gone ({id}, {REGION})")), "{}", told.out);
    assert_eq!(groups(&aws), 1);
    let swept = guard(&aws, &["--kill", "--output", "json"]).expect(0).json();
    assert_eq!((&swept["leftovers"][0]["removed"], groups(&aws)), (&json!(true), 0), "{swept}");
}

#[test]
fn a_thousand_clusters_take_few_calls() {
    let aws = aws();
    let said: Vec<Value> = (0..1000)
        .map(|n| {
            let name = format!("many-{n}");
            // One in eighty idles; of the others nobody can tell by metrics alone whether they work.
            let activity = if n % 80 == 0 { json!([]) } else { json!([still(&aws, -170.0, 1, 0, 4)]) };
            cluster(&name, &marks(&aws, &name, 300.0, false), &json!({ "activity": activity }))
        })
        .collect();
    aws.crowd(&said);
    aws.forget_calls();
    let swept = guard(&aws, &["--output", "json"]).expect(0).json();
    let killed = swept["clusters"].as_array().expect("clusters").iter().filter(|c| c["verdict"] == "kill");
    assert_eq!((killed.count(), swept["clusters"].as_array().map(Vec::len)), (13, Some(1000)));
    let calls = aws.calls().len();
    assert!(calls <= 202 && swept["calls"] == json!(calls), "{calls} calls, and {} told", swept["calls"]);
    assert_eq!((&swept["metrics"], &swept["own_cost"]["total"]), (&json!(6000), &json!(0.06)));
}

#[test]
fn a_region_that_fails_is_an_error_and_the_others_are_swept() {
    let aws = aws();
    crowd(&aws);
    aws.fault(&json!({"operation": "ListClusters", "kind": "hang"}));
    let ran = guard(&aws, &["--output", "json", "--deadline", "8s"]).expect(1);
    let swept = ran.json();
    aws.heal();
    let errors = swept["errors"].as_array().expect("errors");
    assert_eq!(errors.len(), 1, "{swept}");
    assert_eq!(errors[0]["message"], "it was not looked at within the deadline");
    assert_eq!(swept["regions"].as_array().map(Vec::len), Some(6));
    let quick = guard(&aws, &["--all", "--kill"]).expect(2);
    assert!(quick.err.contains("nobody is there to ask"), "{}", quick.err);
}
