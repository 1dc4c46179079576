//! A day in the life of forty clusters, from eight in the morning on, swept every five minutes: who is ended, and when,
//! was written down before.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{REGION, cluster, marks, still, text, work};
use crate::support::Aws;

/// Minutes of the day, and between its sweeps.
const DAY: i32 = 600;
const SWEEP: i32 = 5;

/// How many of each there are, what they are, and the minutes between which they are ended; `None`: never.
const EXPECTED: [(usize, &str, Option<[i32; 2]>); 14] = [
    // At work all day, but for lunch.
    (10, "works", None),
    // At work until noon. Idle for 45 minutes; samples come every five, and four late.
    (6, "leaves", Some([285, 305])),
    // Nobody ever came. A sweep may find it usable, and idle, for 45 minutes.
    (4, "empty", Some([40, 65])),
    // From the second hour on, YARN gives it nothing: warned, then ended.
    (3, "accepted", Some([105, 130])),
    (3, "shell", Some([135, 160])),
    // Containers that stay may be somebody's job.
    (2, "held", None),
    // A step of ten minutes that takes for ever, and holds its containers: it may have more to do today.
    (2, "stuck", None),
    // One of which nobody knows how long it may take.
    (2, "nightly", None),
    // At work when its end comes: warned before, and ended by the first sweep after it.
    (2, "ends", Some([200, 211])),
    (1, "protected", None),
    (1, "liftable", Some([40, 65])),
    (2, "theirs", None),
    (1, "half", None),
    // It never gets beyond its start, and its end comes.
    (1, "starts", Some([300, 311])),
];

/// A cluster of this kind.
fn planted(aws: &Aws, kind: &str, name: &str) -> Value {
    let minutes = |ends_in: f64| marks(aws, name, ends_in, false);
    let ours = minutes(1200.0);
    let usable = json!({"age": 600, "ready_after": 240});
    let with = |more: Value| {
        let mut all = usable.clone();
        let members = all.as_object_mut().expect("an object");
        members.extend(more.as_object().expect("an object").clone());
        all
    };
    match kind {
        "works" => {
            let activity = [work(aws, -5, 240), work(aws, 270, DAY + 30)].concat();
            cluster(name, &ours, &with(json!({ "activity": activity })))
        }
        "leaves" => cluster(name, &ours, &with(json!({"activity": work(aws, -5, 240)}))),
        "accepted" => {
            let activity = [work(aws, -5, 60), vec![still(aws, 60.0, 0, 1, 0)]].concat();
            cluster(name, &ours, &with(json!({ "activity": activity })))
        }
        "shell" => {
            let activity = [work(aws, -5, 90), vec![still(aws, 90.0, 1, 0, 1)]].concat();
            cluster(name, &ours, &with(json!({ "activity": activity })))
        }
        "held" => {
            let activity = [work(aws, -5, 60), vec![still(aws, 60.0, 1, 0, 8)]].concat();
            cluster(name, &ours, &with(json!({ "activity": activity })))
        }
        "stuck" => {
            let steps = json!([
                {"name": "pca 0123456789abcdef", "state": "COMPLETED", "started": 700, "ended": 100},
                {"name": "pca fedcba9876543210", "state": "RUNNING", "started": 30},
            ]);
            cluster(name, &ours, &json!({"age": 1200, "ready_after": 240, "state": "RUNNING", "steps": steps}))
        }
        "nightly" => {
            let steps = json!([{"name": "nightly", "state": "RUNNING", "started": 30}]);
            cluster(name, &ours, &with(json!({"state": "RUNNING", "steps": steps})))
        }
        "ends" => cluster(name, &minutes(200.0), &with(json!({"activity": work(aws, -5, DAY + 30)}))),
        "protected" => cluster(name, &ours, &with(json!({"protected": true}))),
        "liftable" => cluster(name, &marks(aws, name, 1200.0, true), &with(json!({"protected": true}))),
        "theirs" => cluster(name, &json!({"team": "other"}), &usable),
        "half" => cluster(name, &json!({"fruitsinfra:stack": name}), &usable),
        "starts" => cluster(name, &minutes(300.0), &json!({"age": 60, "state": "STARTING", "ready_after": null})),
        _ => cluster(name, &ours, &usable),
    }
}

#[test]
fn a_day_in_the_life_of_forty_clusters() {
    let aws = Aws::with(&["--rate", "60"]);
    let mut kinds = BTreeMap::new();
    let begun = aws.now();
    let said: Vec<Value> = EXPECTED
        .iter()
        .flat_map(|(count, kind, _)| (0..*count).map(move |n| (*kind, format!("{kind}-{n}"))))
        .map(|(kind, name)| {
            kinds.insert(format!("{name}-main"), kind);
            planted(&aws, kind, &name)
        })
        .collect();
    assert_eq!(aws.crowd(&said).len(), 40);
    let gap = |from: f64| json!({"from": begun + from * 60.0, "until": begun + (from + 20.0) * 60.0});
    aws.world(&json!({"metrics": {"late": 240, "gaps": [gap(330.0)]}}));

    let (mut killed, mut warned) = (BTreeMap::new(), BTreeSet::new());
    for minute in (SWEEP..=DAY).step_by(5) {
        let wait = begun + f64::from(minute) * 60.0 - aws.now();
        aws.advance(std::time::Duration::from_secs_f64(wait.max(0.0)));
        let ran = aws.run(&["guard", "--kill", "--region", REGION, "--output", "json"]);
        let swept = ran.json();
        for cluster in swept["clusters"].as_array().expect("clusters") {
            let name = text(&cluster["name"]);
            assert!(cluster["reasons"].as_array().is_some_and(|reasons| !reasons.is_empty()), "{cluster}");
            if cluster["deeds"].as_array().is_some_and(|deeds| deeds.contains(&json!("terminated"))) {
                let before = killed.insert(name.clone(), minute);
                assert_eq!(before, None, "{name} was ended twice");
            }
            if cluster["verdict"] == "warn" {
                warned.insert(name);
            }
        }
    }
    let mut wrong = Vec::new();
    for (_, kind, expected) in EXPECTED {
        for (name, _) in kinds.iter().filter(|(_, of)| **of == kind) {
            let at = killed.get(name).copied();
            let right = match (at, expected) {
                (None, None) => true,
                (Some(at), Some([first, last])) => (first..=last).contains(&at),
                _ => false,
            };
            if !right {
                wrong.push(format!("{name}: {at:?}, and {expected:?} was expected"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // Each of these was found, and none was touched.
    for kind in ["held", "nightly", "protected", "theirs", "half", "accepted", "shell", "stuck", "ends"] {
        assert!(
            kinds.iter().filter(|(_, of)| **of == kind).all(|(name, _)| warned.contains(name)),
            "{kind}: {warned:?}"
        );
    }
    assert!(!warned.iter().any(|name| kinds[name] == "works"), "{warned:?}");
}
