//! Stacks through the real blueprint and the real kinds, in process, against the embedded AWS with all its
//! rewriting: what was asked for is what is found again, whatever of the language was said.

mod back;
pub(crate) mod draw;
mod drift;
pub(crate) mod fields;
mod fleets;
mod life;
mod uploads;

use std::collections::BTreeSet;

use fruitsinfra::plan::Action;
use fruitsinfra::resource::Phase;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::support::Aws;
use crate::support::oracle::Oracle;
use fields::{Case, Effect, Theirs};
use life::{Account, REGION, World, outline};

/// Runs something asynchronous of a test.
fn wait<T>(doing: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(doing)
}

#[test]
fn every_optional_field_of_the_language_has_its_case() {
    let theirs = Theirs { primary: String::new(), core: String::new(), service: String::new(), subnet: String::new() };
    let mut said: BTreeSet<String> = fields::cases(&theirs).iter().map(|case| fields::pattern(case.path)).collect();
    let more = fields::PARTS.into_iter().chain(fields::WITHIN).chain(fields::ELSEWHERE);
    said.extend(more.map(str::to_owned));
    let known = fields::optional();
    assert!(known.len() > 80, "{known:?}");
    assert_eq!(known.difference(&said).collect::<Vec<_>>(), Vec::<&String>::new(), "fields without a case");
    // Some paths of parts are only reached through a part that is optional itself.
    let gone: Vec<_> = said.difference(&known).filter(|path| !fields::PARTS.contains(&path.as_str())).collect();
    assert_eq!(gone, Vec::<&String>::new(), "cases without a field");
}

/// What is somebody else's, for stacks to refer to.
fn theirs(oracle: &Oracle, aws: &Aws) -> Theirs {
    oracle.bucket("bucket-of-somebody-else", &[]);
    oracle.put("bucket-of-somebody-else", "precious.txt", "theirs");
    oracle.role("their-service", "/service-role/", "elasticmapreduce");
    oracle.role("their-nodes", "/", "ec2");
    oracle.role("their-end", "/", "scheduler");
    let profile = oracle.iam.create_instance_profile().instance_profile_name("their-nodes").send();
    aws.wait(profile).expect("a profile");
    let add = oracle.iam.add_role_to_instance_profile().instance_profile_name("their-nodes").role_name("their-nodes");
    aws.wait(add.send()).expect("added");
    aws.wait(oracle.ec2.create_key_pair().key_name("placeholder").send()).expect("a key pair");
    let subnets = aws.wait(oracle.ec2.describe_subnets().send()).expect("subnets");
    let subnet = subnets
        .subnets()
        .iter()
        .max_by_key(|subnet| (subnet.availability_zone.clone(), subnet.subnet_id.clone()))
        .expect("a subnet");
    let [primary, core, service] = ["their-primary", "their-core", "their-access"].map(|name| oracle.group(name));
    Theirs { primary, core, service, subnet: subnet.subnet_id.clone().expect("an id") }
}

/// Says a case's value with what it needs, or leaves it out; `None` where the stack has no place for it.
pub(crate) fn said(base: &Value, case: &Case, value: Option<&Value>) -> Option<Value> {
    let mut document = base.clone();
    for (path, value) in &case.with {
        fields::place(&document, path)?;
        fields::put(&mut document, path, Some(value.clone()));
    }
    fields::place(&document, case.path)?;
    let name = base["stack"].as_str().expect("a name");
    let named = |value: &Value| match value.as_str() {
        Some(text) => json!(text.replace("{stack}", name)),
        None => value.clone(),
    };
    if case.path == "bootstrap.0.template" && value.is_some() {
        fields::put(&mut document, "bootstrap.0.script", None);
        fields::put(&mut document, "bootstrap.0.packages", Some(json!({"pandas": "2.3.3"})));
    }
    if value.is_some() || !NEEDED.contains(&case.path) {
        fields::put(&mut document, case.path, value.map(named));
    }
    Some(document)
}

/// Optional in the language, and needed by the actions and jobs of the rich stack.
const NEEDED: [&str; 6] = [
    "bootstrap.0.script",
    "bootstrap.1.packages",
    "jobs.own.script",
    "jobs.fruits.template",
    "jobs.fruits.input",
    "jobs.fruits.output",
];

#[test]
fn every_optional_field_goes_there_and_back() {
    let aws = Aws::with(&["--rate", "300"]);
    let theirs = theirs(&aws.oracle(REGION), &aws);
    let cases = fields::cases(&theirs);
    wait(async {
        let account = Account::of(&aws).await;
        let (rich, full) = futures::join!(absent_default_and_set(&account, &cases), all_together(&account, &cases));
        let wrong: Vec<String> = rich.into_iter().chain(full).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    });
}

/// A stack that says nothing optional: each field, one at a time, against what is there.
async fn absent_default_and_set(account: &Account, cases: &[Case]) -> Vec<String> {
    let base = fields::rich("rt-rich");
    let stack = account.stack(&base).expect("the rich stack");
    account.up(&stack).await.expect("up");
    let world = account.settled(&stack).await.expect("settled");
    let mut wrong = Vec::new();
    for case in cases {
        let [without, set] = [None, Some(&case.set)].map(|value| shown(account, &world, &told(&base, case, value)));
        if let Some(default) = &case.default {
            let default = shown(account, &world, &told(&base, case, Some(default)));
            if default != without {
                wrong.push(format!(
                    "{}: its default is not what leaving it out means: {default:#?}\n{without:#?}",
                    case.path
                ));
            }
        }
        if (set == without) != (case.effect == Effect::Ours) {
            wrong.push(format!("{}: {} changes {set:#?}", case.path, case.set));
        }
    }
    account.destroy(&stack).await.expect("destroyed");
    wrong
}

/// All that can stand together in one stack: found again as it was said, and each field missed when it goes.
async fn all_together(account: &Account, cases: &[Case]) -> Vec<String> {
    let mut full = fields::rich("rt-full");
    for case in cases.iter().filter(|case| case.together) {
        full = told(&full, case, Some(&case.set));
    }
    let stack = account.stack(&full).expect("the full stack");
    account.up(&stack).await.expect("up");
    let world = match account.settled(&stack).await {
        Ok(world) => world,
        Err(rest) => return vec![format!("after up: {rest}")],
    };
    let mut wrong = Vec::new();
    for case in cases.iter().filter(|case| case.together) {
        let without = shown(account, &world, &told(&full, case, None));
        let kept = told(&full, case, None) == full;
        if (without == Ok(vec![])) != (kept || case.effect != Effect::Shown) {
            wrong.push(format!("{}: without it: {without:#?}", case.path));
        }
    }
    account.up(&account.stack(&draw::unprotected(&full).expect("protected")).expect("a stack")).await.expect("lifted");
    account.destroy(&stack).await.expect("destroyed");
    wrong
}

/// Of the rich stack, every case has its place.
fn told(base: &Value, case: &Case, value: Option<&Value>) -> Value {
    said(base, case, value).unwrap_or_else(|| panic!("no place for {}", case.path))
}

fn shown(account: &Account, world: &World, document: &Value) -> Result<Vec<String>, String> {
    Ok(outline(&account.plan(&account.stack(document)?, world)))
}

/// So many pairs in the suite; a soak asks for more by FRUITSINFRA_PAIRS, and for others by FRUITSINFRA_SEED.
fn asked(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |asked| asked.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn random_stacks_change_into_one_another_survive_drift_and_go() {
    pairs(&Aws::with(&["--rate", "150"]), asked("FRUITSINFRA_PAIRS", 20), &[]);
}

/// The second opinion, on what it models. It opens a group of its own for every cluster, and that holds few rules.
#[test]
fn random_stacks_change_into_one_another_on_moto_too() {
    let unknown = [
        "configuration",
        "scale_down",
        "step_concurrency",
        "os_release",
        "volume",
        "auto_scaling_role",
        "access",
        "custom_ami",
        "fleet",
    ];
    pairs(&Aws::with(&["--rate", "150", "--model", "moto"]), asked("FRUITSINFRA_PAIRS", 10).min(10), &unknown);
}

fn pairs(aws: &Aws, count: u64, unknown: &[&str]) {
    let oracle = aws.oracle(REGION);
    let theirs = theirs(&oracle, aws);
    // Names that a look by prefix or path meets.
    oracle.bucket("pair-1-foreign", &[]);
    oracle.put("pair-1-foreign", "precious.txt", "theirs");
    oracle.role("pair-1-foreign", "/fruitsinfra/pair-1/", "ec2");
    oracle.group("pair-1-foreign");
    let before = untouched(&oracle);
    let mut cases = fields::cases(&theirs);
    cases.retain(|case| !unknown.iter().any(|word| case.path.contains(word)));
    // Clients of their own: a connection belongs to the runtime it was opened in.
    let (hand, first) = (drift::Hand::of(&aws.oracle(REGION)), asked("FRUITSINFRA_SEED", 1));
    let wrong: Vec<String> = wait(async {
        let account = Account::of(aws).await;
        hand.prepare().await;
        let (account, cases, hand) = (&account, &cases, &hand);
        let pairs = (first..first + count).map(|seed| async move {
            let ended = pair(account, cases, hand, seed).await;
            ended.err().map(|wrong| format!("FRUITSINFRA_SEED={seed} FRUITSINFRA_PAIRS=1: {wrong}"))
        });
        let ended = futures::stream::iter(pairs).buffer_unordered(10);
        ended.filter_map(std::future::ready).collect().await
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    crate::stories::journey::same(&before, &untouched(&oracle));
}

/// Everything in the account but what EMR itself writes to: the groups of its clusters and the bucket of their logs,
/// whosesoever they are.
fn untouched(oracle: &Oracle) -> std::collections::BTreeMap<String, String> {
    let mut all = oracle.inventory();
    let logs = all.remove("bucket bucket-of-somebody-else").expect("still there");
    assert!(logs.contains("precious.txt"), "{logs}");
    all.retain(|name, _| !name.starts_with("group their-"));
    all
}

/// One stack, another of the same name, a change by hand, and the end.
async fn pair(account: &Account, cases: &[Case], hand: &drift::Hand, seed: u64) -> Result<(), String> {
    let (mut rng, name) = (fastrand::Rng::with_seed(seed), format!("pair-{seed}"));
    let whole = cases.iter().any(|case| case.path.contains("configurations"));
    let [old, new] = [false, true].map(|is_new| {
        let mut drawn = draw::stack(&mut rng, &name, &|next| account.stack(next).is_ok(), cases, is_new);
        if !whole {
            draw::without(&mut drawn, &["configurations", "root_volume", "volumes"]);
        }
        drawn
    });
    let at = |step: &str, wrong: String| {
        format!("{step}: {wrong}\n--- old\n{}--- new\n{}", life::text_of(&old), life::text_of(&new))
    };
    let first = account.stack(&old)?;
    account.up(&first).await.map_err(|wrong| at("up of old", wrong))?;
    account.settled(&first).await.map_err(|wrong| at("after old", wrong))?;
    if let Some(unprotected) = draw::unprotected(&old) {
        account.up(&account.stack(&unprotected)?).await.map_err(|wrong| at("protection lifted", wrong))?;
    }
    let second = account.stack(&new)?;
    let planned = account.up(&second).await.map_err(|wrong| at("up of new", wrong))?;
    let world = account.settled(&second).await;
    let world = world.map_err(|wrong| at("after new", format!("{wrong}\nplanned: {:#?}", outline(&planned))))?;

    let there: Vec<_> =
        world.live.iter().filter(|live| !matches!(live.resource.phase(), Phase::Ended(_))).cloned().collect();
    let (done, address) = hand.change(&mut rng, &there).await;
    let at = |step: &str, wrong: String| at(step, format!("{address} {done} by hand: {wrong}"));
    let drifted = account.look(&second).await.map_err(|wrong| at("a look at drift", wrong))?;
    let plan = account.plan(&second, &drifted);
    let named = plan.steps.iter().any(|step| step.address.to_string() == address && step.action != Action::Keep);
    if !named {
        return Err(at("plan of drift", format!("does not name it: {:#?}", outline(&plan))));
    }
    account.up(&second).await.map_err(|wrong| at("up after drift", wrong))?;
    account.settled(&second).await.map_err(|wrong| at("after mending", wrong))?;

    account.destroy(&second).await.map_err(|wrong| at("destroy", wrong))?;
    let left = account.look(&second).await.map_err(|wrong| at("a look at the end", wrong))?.live;
    let left: Vec<_> = left.iter().filter(|live| !matches!(live.resource.phase(), Phase::Ended(_))).collect();
    if left.is_empty() { Ok(()) } else { Err(at("the end", format!("{left:?}"))) }
}
