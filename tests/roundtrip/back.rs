//! There and back: a stack's request, as JSON and as a command, imported again means the same cluster.
//!
//! The same is: every field by which a plan compares the cluster, as the two stacks mean it in one network, is equal.
//! What becomes `existing` counts as equal by the name it has in AWS: the stack's own service role and profile. Not in a
//! request, and so not compared: whether the guard may lift protection, which is the stack's `limits`; the kind of the
//! root volume, of which RunJobFlow has no word; and placeholders (`<password>`) as values of settings, which an import
//! takes for something to fill in. Neither is drawn. What else a stack has (buckets, uploads, jobs, limits, access) is
//! not the cluster's.

use std::cell::Cell;
use std::collections::BTreeMap;

use fruitsinfra::blueprint::{self, Materials};
use fruitsinfra::cloud::surroundings::Surroundings;
use fruitsinfra::import::{self, Beside, Wanted, Wishes};
use fruitsinfra::resource::Resource;
use fruitsinfra::resources::cluster::{At, Cluster};
use fruitsinfra::stack::Stack;
use serde_json::{Value, json};

use super::life::{self, Account};
use super::{draw, fields, theirs, wait};
use crate::support::Aws;
use crate::support::oracle::ACCOUNT;

/// So many stacks; a soak asks for more by FRUITSINFRA_PAIRS.
const STACKS: u64 = 60;

#[test]
fn a_request_of_ours_comes_back_as_the_stack_it_was() {
    let aws = Aws::start();
    let theirs = theirs(&aws.oracle(life::REGION), &aws);
    let cases: Vec<fields::Case> =
        fields::cases(&theirs).into_iter().filter(|case| !case.path.ends_with("root_volume.type")).collect();
    let account = wait(Account::of(&aws));
    let (first, count) = (super::asked("FRUITSINFRA_SEED", 1), super::asked("FRUITSINFRA_PAIRS", STACKS));
    let clusters = Cell::new(0);
    for seed in first..first + count {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut drawn =
            draw::stack(&mut rng, &format!("back-{seed}"), &|next| account.stack(next).is_ok(), &cases, false);
        known(&mut drawn);
        let stack = account.stack(&drawn).expect("a stack");
        let Some((cluster, materials)) = meant(&account, &stack, &stack) else { continue };
        clusters.set(clusters.get() + 1);
        let at = At { stack: &stack.name, region: stack.region, account: ACCOUNT };
        let request = wait(cluster.spelt(at)).expect("a request");
        let sources = [request.to_string(), import::as_command(&request, stack.region)];
        for source in sources {
            let text = back(&account, &source, &materials);
            let again = fruitsinfra::stack::load_text("back.yaml", text.clone(), account.folder());
            let again =
                again.unwrap_or_else(|broken| panic!("seed {seed}: {:#?}\n{text}\n{source}", broken.findings)).stack;
            let (other, _) = meant(&account, &again, &stack).expect("a cluster");
            assert_eq!(
                compared(&cluster, &stack),
                compared(&other, &again),
                "seed {seed}\n{}\n{source}\n{text}",
                life::text_of(&drawn)
            );
            let of = |stack: &Stack| {
                stack
                    .cluster
                    .as_ref()
                    .map(|cluster| (cluster.subnet.clone(), cluster.logs.is_some() || stack.logs().is_some()))
            };
            assert_eq!(of(&stack), of(&again), "seed {seed}\n{text}");
        }
    }
    assert!(clusters.get() > count / 2, "{} clusters", clusters.get());
}

/// Values instead of placeholders.
fn known(drawn: &mut Value) {
    match drawn {
        Value::String(text) if text.starts_with('<') => "${something.else}".clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(known),
        Value::Object(entries) => entries.values_mut().for_each(known),
        _ => {}
    }
}

/// The cluster of a stack, in the network of the other, with the texts of its actions.
fn meant(account: &Account, stack: &Stack, of: &Stack) -> Option<(Cluster, BTreeMap<String, String>)> {
    let home = blueprint::home_name(stack, ACCOUNT);
    let materials = Materials::gather(stack, account.folder(), &account.folder().join("cache"), &home, BTreeMap::new())
        .expect("materials");
    let subnet = of.cluster.as_ref().and_then(|cluster| cluster.subnet.clone());
    let around = Surroundings::offline(stack.region, Some(ACCOUNT), subnet.as_deref());
    Some((blueprint::cluster_of(stack, &materials, &around)?, materials.bootstrap))
}

fn back(account: &Account, source: &str, scripts: &BTreeMap<String, String>) -> String {
    let script = |wanted: &Wanted<'_>| {
        let (name, text) = scripts
            .iter()
            .enumerate()
            .find(|(_, (name, _))| *name == wanted.name)
            .map(|(n, (_, text))| (format!("back-{n}.sh"), text))?;
        std::fs::write(account.folder().join(&name), text).expect("written");
        Some(name)
    };
    let wishes = Wishes { region: life::REGION.parse().ok(), owner: Some(life::OWNER.into()), ..Wishes::default() };
    let beside = Beside { script: &script, file: &|_| None };
    match import::import("request", source, None, &wishes, &beside) {
        Ok(imported) => imported.text,
        Err(refused) => panic!("{refused:#?}\n{source}"),
    }
}

/// All that a plan compares, references by the names they have in AWS.
fn compared(cluster: &Cluster, stack: &Stack) -> BTreeMap<&'static str, Value> {
    let own = ["role/service", "instance_profile/nodes"].map(|address| {
        (json!(address), json!(format!("{}-{}", stack.name, address.split('/').nth(1).unwrap_or_default())))
    });
    let named = |value: Value| {
        own.iter().find(|(address, _)| *address == value).map_or(value.clone(), |(_, name)| name.clone())
    };
    let fields = cluster.fields().into_iter().filter(|field| field.name != "lift_protection");
    fields.map(|field| (field.name, named(field.value))).collect()
}
