//! Stacks at random, out of everything that the language can say: each optional field is left out, said as its
//! default, or said otherwise; parts come and go. What the lints refuse is not drawn.

use fastrand::Rng;
use serde_json::{Value, json};

use super::fields::{self, Case, Effect};

/// Parts that a stack may be without.
const PARTS: [&str; 11] = [
    "cluster.task",
    "cluster.root_volume",
    "cluster.configurations",
    "jobs.own",
    "jobs.fruits",
    "jobs",
    "bootstrap",
    "roles",
    "uploads",
    "buckets.logs",
    "cluster.core",
];

const RELEASES: [&str; 3] = ["emr-7.12.0", "emr-7.11.0", "emr-6.15.0"];
const TYPES: [&str; 3] = ["m5.xlarge", "m5.2xlarge", "r5.xlarge"];

pub(crate) fn stack(
    rng: &mut Rng,
    name: &str,
    allowed: &dyn Fn(&Value) -> bool,
    cases: &[Case],
    is_new: bool,
) -> Value {
    let mut drawn = fields::rich(name);
    let attempt = |drawn: &mut Value, next: Value| {
        if allowed(&next) {
            *drawn = next;
        }
    };
    for (path, choices) in
        [("cluster.release", &RELEASES), ("cluster.primary.type", &TYPES), ("cluster.core.type", &TYPES)]
    {
        let mut next = drawn.clone();
        fields::put(&mut next, path, Some(json!(rng.choice(choices).expect("some"))));
        attempt(&mut drawn, next);
    }
    for part in PARTS {
        if rng.u8(..10) == 0 {
            let mut next = drawn.clone();
            fields::put(&mut next, part, None);
            if part == "cluster.core" {
                fields::put(&mut next, "cluster.task", None);
            }
            attempt(&mut drawn, next);
        }
    }
    // Without a cluster there is nothing to run jobs on.
    if rng.u8(..12) == 0 {
        for part in ["jobs", "bootstrap", "cluster"] {
            fields::put(&mut drawn, part, None);
        }
    }
    let mut order: Vec<&Case> = cases.iter().collect();
    rng.shuffle(&mut order);
    for case in order {
        // One that is not kept alive ends at once; a protected one cannot be replaced.
        let skip = case.path == "cluster.keep_alive" || case.path == "cluster.termination_protection" && is_new;
        let value = match rng.u8(..10) {
            0..3 => Some(&case.set),
            // A cluster that idles for the default would end before its pair does.
            3 => case.default.as_ref().filter(|_| case.path != "limits.idle"),
            _ => None,
        };
        let skip = skip || case.effect == Effect::Ours && rng.bool();
        if let Some(next) = value.filter(|_| !skip).and_then(|value| super::said(&drawn, case, Some(value))) {
            attempt(&mut drawn, next);
        }
    }
    drawn
}

/// The same stack with its cluster unprotected, if it is protected.
pub(crate) fn unprotected(drawn: &Value) -> Option<Value> {
    let protected = drawn["cluster"]["termination_protection"] == true;
    protected.then(|| {
        let mut next = drawn.clone();
        fields::put(&mut next, "cluster.termination_protection", Some(json!(false)));
        next
    })
}

/// A stack without fields of these names, wherever they are.
pub(crate) fn without(drawn: &mut Value, names: &[&str]) {
    if let Some(fields) = drawn.as_object_mut() {
        fields.retain(|name, _| !names.contains(&name.as_str()));
        fields.values_mut().for_each(|inner| without(inner, names));
    }
}
