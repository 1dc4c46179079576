//! Faults by seed: a tenth of all calls throttled and one in fifty done and not answered, through the whole life
//! of a stack. Every run converges, or ends with an error that one plain run resumes.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::Aws;
use crate::support::oracle::Seen;

/// No command takes longer, however many of its calls fail: of real seconds, on a clock 300 times as fast.
const BOUND: Duration = Duration::from_mins(2);

/// Seeds of the suite; the soak has more.
const SEEDS: usize = 50;

/// Side by side: a run that is throttled waits more than it works.
const WORKERS: usize = 4;

#[test]
fn throttled_and_unanswered_every_run_converges_or_is_resumed() {
    let seeds = super::from_environment("FRUITSINFRA_FAULTS").unwrap_or(SEEDS);
    let first = super::from_environment("FRUITSINFRA_SEED").unwrap_or(1);
    let deadline = super::deadline();
    let seeds: Vec<usize> = (first..first + seeds).collect();
    let told: Vec<Told> = std::thread::scope(|scope| {
        let seeds = &seeds;
        let worker = |turn: usize| {
            move || {
                let aws = Aws::with(&["--rate", "300"]);
                let mine = seeds.iter().skip(turn).step_by(WORKERS);
                let mine = mine.take_while(|_| deadline.is_none_or(|at| Instant::now() < at));
                mine.map(|seed| live(&aws, *seed)).collect::<Vec<_>>()
            }
        };
        let workers: Vec<_> = (0..WORKERS).map(|turn| scope.spawn(worker(turn))).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a worker ends")).collect()
    });
    for one in &told {
        super::say(&one.line());
    }
    let resumed = told.iter().filter(|one| one.resumed > 0).count();
    let strikes: u64 = told.iter().map(|one| one.strikes).sum();
    super::say(&format!("{} seeds, {strikes} faults, {resumed} resumed", told.len()));
    let wrong: Vec<&Told> = told.iter().filter(|one| !one.wrong.is_empty()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(strikes > 10 * told.len() as u64, "only {strikes} calls failed");
}

/// What came of one seed.
#[derive(Debug)]
struct Told {
    seed: usize,
    strikes: u64,
    /// Commands that ended with an error and were run again.
    resumed: usize,
    doubles: usize,
    wrong: Vec<String>,
    seconds: f64,
}

impl Told {
    fn line(&self) -> Value {
        let Self { seed, strikes, resumed, doubles, wrong, seconds } = self;
        json!({"part": "faults", "seed": seed, "faults": strikes, "resumed": resumed, "doubles": doubles,
            "not_converged": usize::from(!wrong.is_empty()), "wrong": wrong, "seconds": seconds})
    }
}

fn live(aws: &Aws, seed: usize) -> Told {
    let begun = Instant::now();
    let (base, region) = if seed.is_multiple_of(2) { ("demo", "eu-west-3") } else { ("minimal", "eu-west-1") };
    let name = format!("seed-{seed}");
    let file = format!("stacks/{name}.yaml");
    let folder = aws.folder();
    std::fs::copy(folder.join(format!("stacks/{base}.yaml")), folder.join(&file)).expect("copied");
    aws.edit(&file, &format!("stack: fruits-{base}"), &format!("stack: {name}"));
    if base == "demo" {
        aws.edit(&file, "lifetime: 3h, idle: 45m", "lifetime: 48h, idle: 24h");
    } else {
        aws.edit(&file, "\nbuckets:", "limits: {lifetime: 48h, idle: 24h}\n\nbuckets:");
    }
    let mut told = Told { seed, strikes: 0, resumed: 0, doubles: 0, wrong: vec![], seconds: 0.0 };
    let oracle = aws.oracle(region);
    let clusters = || oracle.clusters(&format!("{name}-"));

    let up = ["up", &file, "--yes", "--weights", aws.weights];
    goal(aws, &mut told, &up);
    let born = clusters();
    if !matches!(born.as_slice(), [one] if one.alive()) {
        told.doubles += born.len().saturating_sub(1);
        told.wrong.push(format!("after up: {born:?}"));
    }
    weather(aws, seed + 1_000_000);
    let plan = aws.plan(&file);
    if !matches!(plan.code, Some(0 | 1)) {
        told.wrong.push(format!("plan: {plan:?}"));
    }
    clear(aws, &mut told);
    let plan = aws.plan(&file);
    if plan.code != Some(0) {
        told.wrong.push(format!("the plan is not empty: {plan:?}"));
    }
    if seed % 4 < 2 {
        goal(aws, &mut told, &["down", &file, "--yes"]);
        let alive: Vec<Seen> = clusters().into_iter().filter(Seen::alive).collect();
        told.wrong.extend((!alive.is_empty()).then(|| format!("after down: {alive:?}")));
    }
    goal(aws, &mut told, &["destroy", &file, "--yes"]);
    let own = format!("{name}-");
    let left: Vec<String> = oracle.inventory().into_keys().filter(|thing| thing.contains(&own)).collect();
    told.wrong.extend((!left.is_empty()).then(|| format!("after destroy: {left:?}")));
    told.seconds = begun.elapsed().as_secs_f64();
    told
}

/// Runs a command under faults, once more under faults if it failed, and at last without.
fn goal(aws: &Aws, told: &mut Told, command: &[&str]) {
    weather(aws, told.seed);
    for run in 0..3 {
        if run == 2 {
            clear(aws, told);
        }
        let begun = Instant::now();
        let ran = aws.run(command);
        if begun.elapsed() > BOUND {
            told.wrong.push(format!("{command:?} took {:?}: {ran:?}", begun.elapsed()));
        }
        match ran.code {
            Some(0) => break,
            // A failure says what failed, with AWS's code for it, and what to type.
            Some(1) if run < 2 && ran.out.contains("failed ") && ran.err.contains("help: ") => told.resumed += 1,
            Some(1) if run < 2 && ran.err.contains("error: ") => told.resumed += 1,
            _ => told.wrong.push(format!("{command:?}, run {run}: {ran:?}")),
        }
    }
    clear(aws, told);
}

fn weather(aws: &Aws, seed: usize) {
    aws.fault(&json!({"rate": 0.1, "seed": seed, "code": "throttled"}));
    aws.fault(&json!({"rate": 0.02, "seed": seed, "kind": "reset", "when": "after"}));
}

fn clear(aws: &Aws, told: &mut Told) {
    told.strikes += aws.strikes();
    aws.heal();
}
