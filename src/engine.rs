//! Walks an approved plan concurrently and tells what happens as events. It decides nothing, knows no kind,
//! retries nothing and prints nothing.
//!
//! Each operation starts when its own predecessors are done. A failure skips what depends on it while the
//! rest goes on. Once interrupted, nothing new starts; calls in flight finish, or are told as unknown.

mod order;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc::UnboundedSender;

use self::order::{Operation, operations};
use crate::cloud::error::{Class, CloudError};
use crate::event::{Event, Verb};
use crate::plan::{Action, Step};
use crate::policy::Approved;
use crate::resource::{Cx, Id, Ref};

/// What is said of a call that did not end when there was no more time for it.
const UNANSWERED: &str = "no answer yet when it was interrupted: it may have been done";

/// More at once gains nothing: AWS throttles long before.
const AT_ONCE: usize = 16;

/// How a walk ended. Root causes only: what was skipped because of them is in the events.
#[derive(Debug, Default)]
pub struct Outcome {
    pub failed: Vec<String>,
    pub interrupted: bool,
    /// Operations done, of how many.
    pub done: usize,
    pub of: usize,
    /// What was in flight when time ran out after an interruption: it may or may not have been done.
    pub unknown: Vec<String>,
}

impl Outcome {
    pub fn complete(&self) -> bool {
        self.failed.is_empty() && !self.interrupted
    }
}

/// Carries out every step of an approved plan.
pub async fn apply(approved: &Approved, cx: &Cx, events: &UnboundedSender<Event>) -> Outcome {
    let plan = approved.plan();
    for step in plan.steps.iter().filter(|step| matches!(step.action, Action::Keep | Action::Update(_))) {
        if let Some(live) = &step.existing {
            cx.learn(step.address.clone(), live.id.clone());
        }
    }
    let operations = operations(plan);
    let mut waiting: BTreeSet<usize> = (0..operations.len()).collect();
    let (mut done, mut broken) = (BTreeSet::new(), BTreeMap::new());
    let mut running = FuturesUnordered::new();
    let mut flying: BTreeSet<usize> = BTreeSet::new();
    let mut outcome = Outcome { of: operations.len(), ..Outcome::default() };
    let tell = |event| {
        // Whoever listened may be gone (a closed pipe); the work goes on.
        let _ = events.send(event);
    };
    let skip = |all: BTreeSet<usize>, because: &str| {
        for Operation { verb, step, .. } in all.into_iter().map(|index| &operations[index]) {
            tell(Event::Skipped { address: step.address.clone(), verb: *verb, because: because.into() });
        }
    };
    loop {
        skip_doomed(&operations, &mut waiting, &mut broken, &tell);
        if cx.cancel.requested() {
            outcome.interrupted |= !waiting.is_empty();
            skip(std::mem::take(&mut waiting), "interrupted");
        }
        let ready: Vec<usize> = waiting
            .iter()
            .copied()
            .filter(|i| operations[*i].after.is_subset(&done))
            .take(AT_ONCE - running.len().min(AT_ONCE))
            .collect();
        for index in ready {
            waiting.remove(&index);
            flying.insert(index);
            let operation = &operations[index];
            tell(Event::Started { address: operation.step.address.clone(), verb: operation.verb });
            running.push(async move {
                let begun = cx.clock.now();
                let result = run(operation, cx).await;
                (index, result, cx.clock.since(begun))
            });
        }
        let next = tokio::select! {
            biased;
            next = running.next() => next,
            () = cx.cancel.wait(), if !cx.cancel.requested() => continue,
            () = cx.cancel.overdue(), if !running.is_empty() => {
                outcome.interrupted = true;
                for Operation { verb, step, .. } in flying.iter().map(|index| &operations[*index]) {
                    let (address, error) = (step.address.clone(), UNANSWERED.to_owned());
                    tell(Event::Failed { address, verb: *verb, error, hint: None });
                    outcome.unknown.push(format!("{} ({})", step.address, verb.doing()));
                }
                break;
            }
        };
        let Some((index, result, took)) = next else { break };
        flying.remove(&index);
        let Operation { verb, step, .. } = &operations[index];
        match result {
            Ok(id) => {
                let id = id.map(|id| id.0);
                tell(Event::Finished { address: step.address.clone(), verb: *verb, id, seconds: seconds(took) });
                done.insert(index);
                outcome.done += 1;
            }
            Err(error) => {
                outcome.interrupted |= error.class == Class::Interrupted;
                if error.class != Class::Interrupted {
                    outcome.failed.push(format!("{}: {error}", step.address));
                }
                let hint = error.hint();
                tell(Event::Failed { address: step.address.clone(), verb: *verb, error: error.to_string(), hint });
                broken.insert(index, step.address.to_string());
            }
        }
    }
    if !waiting.is_empty() {
        // Needs of old and of new, each sound, can make a circle together: told, and not taken for the end.
        let stuck: BTreeSet<String> = waiting.iter().map(|i| operations[*i].step.address.to_string()).collect();
        let stuck: Vec<String> = stuck.into_iter().collect();
        outcome.failed.push(format!("these wait for one another, and cannot start: {}", stuck.join(", ")));
        skip(waiting, "it waits for what waits for it");
    }
    outcome
}

fn seconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 10.0).round() / 10.0
}

/// What waits for something broken will never start: told at once, with the root cause.
fn skip_doomed(
    operations: &[Operation],
    waiting: &mut BTreeSet<usize>,
    broken: &mut BTreeMap<usize, String>,
    tell: &impl Fn(Event),
) {
    while let Some((index, cause)) = waiting
        .iter()
        .find_map(|i| operations[*i].after.iter().find_map(|a| broken.get(a).map(|cause| (*i, cause.clone()))))
    {
        waiting.remove(&index);
        let Operation { verb, step, .. } = &operations[index];
        tell(Event::Skipped { address: step.address.clone(), verb: *verb, because: format!("{cause} failed") });
        broken.insert(index, cause);
    }
}

async fn run(operation: &Operation<'_>, cx: &Cx) -> Result<Option<Id>, CloudError> {
    let Step { address, action, desired, existing, .. } = operation.step;
    match (operation.verb, desired, existing) {
        (Verb::Create, Some(desired), _) => {
            let id = desired.create(cx).await?;
            cx.learn(address.clone(), id.clone());
            Ok(Some(id))
        }
        (Verb::Update, Some(desired), Some(live)) => {
            desired.update(cx, &live.id, action.changes()).await?;
            // Another one, where what changes is its name.
            let id = cx.id_of(&Ref::Ours(address.clone())).map(Id);
            Ok(Some(id.unwrap_or_else(|_| live.id.clone())))
        }
        (Verb::Settle, _, Some(live)) => {
            live.resource.settle(cx, &live.id).await?;
            Ok(Some(live.id.clone()))
        }
        (Verb::Delete, _, Some(live)) => {
            live.resource.delete(cx, &live.id).await?;
            Ok(None)
        }
        (verb, _, _) => Err(CloudError::bug(format!("nothing to {verb:?} at `{address}`"))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;
    use crate::cloud::clock::Clock;
    use crate::cloud::{Cancel, Cloud, Endpoint};
    use crate::plan::plan;
    use crate::plan::tests::{Part, at};
    use crate::policy::check;
    use crate::resource::{Address, Change, Field, Live, Need, Ref, Resource};

    /// A part whose calls take turns and are written down.
    #[derive(Clone, Debug)]
    struct Timed {
        part: Part,
        turns: usize,
        fails: bool,
        log: Arc<Mutex<Vec<String>>>,
    }

    impl Timed {
        fn write(&self, word: &str) {
            self.log.lock().expect("nobody panicked").push(format!("{word} {}", self.part.key));
        }

        async fn work(&self, word: &str) -> Result<Id, CloudError> {
            self.write(&format!("{word}>"));
            for _ in 0..self.turns {
                tokio::task::yield_now().await;
            }
            self.write(&format!("{word}<"));
            if self.fails { Err(CloudError::failed("no")) } else { Ok(Id(self.part.key.into())) }
        }
    }

    #[async_trait]
    impl Resource for Timed {
        fn address(&self) -> Address {
            self.part.address()
        }

        fn name(&self) -> String {
            self.part.name()
        }

        fn needs(&self) -> Vec<Need> {
            self.part.needs()
        }

        fn fields(&self) -> Vec<Field> {
            self.part.fields()
        }

        async fn create(&self, _: &Cx) -> Result<Id, CloudError> {
            self.work("+").await
        }

        async fn update(&self, _: &Cx, _: &Id, _: &[Change]) -> Result<(), CloudError> {
            self.work("~").await.map(drop)
        }

        async fn delete(&self, cx: &Cx, _: &Id) -> Result<(), CloudError> {
            let old = cx.id_of(&Ref::Ours(self.address()));
            assert!(old.is_err(), "an id that is going is not handed out: {old:?}");
            self.work("-").await.map(drop)
        }
    }

    #[derive(Default)]
    struct Stage {
        log: Arc<Mutex<Vec<String>>>,
        desired: Vec<Arc<dyn Resource>>,
        live: Vec<Live>,
    }

    impl Stage {
        fn timed(&self, part: Part, turns: usize, fails: bool) -> Timed {
            Timed { part, turns, fails, log: self.log.clone() }
        }

        fn wants(mut self, part: Part, turns: usize) -> Self {
            self.desired.push(Arc::new(self.timed(part, turns, false)));
            self
        }

        fn wants_in_vain(mut self, part: Part) -> Self {
            self.desired.push(Arc::new(self.timed(part, 0, true)));
            self
        }

        fn has(mut self, part: Part) -> Self {
            let resource = Arc::new(self.timed(part.clone(), 0, false));
            self.live.push(Live { resource, ..part.live("me") });
            self
        }

        /// Applies, and returns the outcome with what was done, in order.
        fn run(self) -> (Outcome, Vec<String>) {
            let (outcome, _) = self.run_until(false);
            (outcome, self.log.lock().expect("nobody panicked").clone())
        }

        fn run_until(&self, stopped: bool) -> (Outcome, Vec<Event>) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            let ((events, mut heard), (ask, cancel)) = (unbounded_channel(), Cancel::pair());
            let outcome = runtime.block_on(async {
                let region = "eu-west-3".parse().expect("is in the EU");
                let cloud = Cloud::connect(region, &Endpoint::Local("http://127.0.0.1:9".into())).await;
                let cx = Cx::new(cloud, "demo", "me", Clock::System, cancel, unbounded_channel().0);
                let approved = check(plan(&self.desired, &self.live).expect("a plan"), "me").expect("is our own");
                if stopped {
                    ask.ask();
                }
                apply(&approved, &cx, &events).await
            });
            (outcome, std::iter::from_fn(|| heard.try_recv().ok()).collect())
        }
    }

    #[test]
    fn each_operation_starts_when_its_own_needs_are_there() {
        let stage = Stage::default().wants(Part::new("slow"), 9).wants(Part::new("quick"), 1);
        let (outcome, log) = stage.wants(Part::new("next").after("quick"), 1).run();
        assert!(outcome.complete());
        assert_eq!(log, ["+> quick", "+> slow", "+< quick", "+> next", "+< next", "+< slow"]);
    }

    #[test]
    fn no_more_than_sixteen_are_under_way() {
        let keys: Vec<&'static str> =
            ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"].into();
        let stage = keys.into_iter().fold(Stage::default(), |stage, key| stage.wants(Part::new(key), 2));
        let (mut under_way, mut most) = (0usize, 0);
        for line in stage.run().1 {
            under_way = if line.starts_with("+>") { under_way + 1 } else { under_way - 1 };
            most = most.max(under_way);
        }
        assert_eq!(most, AT_ONCE);
    }

    #[test]
    fn a_failure_costs_what_hangs_on_it_and_is_the_only_cause_told() {
        let stage = Stage::default().wants_in_vain(Part::new("a")).wants(Part::new("b").after("a"), 0);
        let stage = stage.wants(Part::new("c").bound("b"), 0).wants(Part::new("d"), 5);
        let (outcome, events) = stage.run_until(false);
        assert_eq!(outcome.failed, ["part/a: no"]);
        let skipped = events.iter().filter_map(|event| match event {
            Event::Skipped { address, because, .. } => Some(format!("{address}, {because}")),
            _ => None,
        });
        assert_eq!(skipped.collect::<Vec<_>>(), ["part/b, part/a failed", "part/c, part/a failed"]);
        assert_eq!(*stage.log.lock().expect("nobody panicked"), ["+> a", "+< a", "+> d", "+< d"]);
    }

    #[test]
    fn a_replacement_takes_down_and_builds_up_in_order() {
        let zone = |zone: &str| Part::new("a").with(&[Field::replaces("zone", zone)]);
        let stage = Stage::default().has(zone("old")).has(Part::new("b").bound("a"));
        let (outcome, log) = stage.wants(zone("new"), 3).wants(Part::new("b").bound("a"), 0).run();
        assert!(outcome.complete());
        assert_eq!(log, ["-> b", "-< b", "-> a", "-< a", "+> a", "+< a", "+> b", "+< b"]);
    }

    #[test]
    fn what_is_replaced_stays_while_what_its_successor_needs_cannot_be_made() {
        let stage = Stage::default().has(Part::new("b").bound("a")).wants(Part::new("b").bound("a"), 0);
        let (outcome, log) = stage.wants_in_vain(Part::new("a")).run();
        assert_eq!((outcome.failed, log), (vec!["part/a: no".to_owned()], vec!["+> a".to_owned(), "+< a".to_owned()]));
        let stage = Stage::default().has(Part::new("b").bound("a")).wants(Part::new("b").bound("a"), 0);
        let (outcome, log) = stage.wants(Part::new("a"), 0).run();
        assert!(outcome.complete());
        assert_eq!(log, ["+> a", "+< a", "-> b", "-< b", "+> b", "+< b"]);
    }

    #[test]
    fn whoever_only_comes_after_a_replaced_one_waits_for_the_new() {
        let zone = |zone: &str| Part::new("a").with(&[Field::replaces("zone", zone)]);
        let sized = |size: u8| Part::new("b").after("a").with(&[Field::updates("size", size)]);
        let stage = Stage::default().has(zone("old")).has(sized(1)).wants(zone("new"), 0).wants(sized(2), 0);
        let (outcome, log) = stage.run();
        assert!(outcome.complete());
        assert_eq!(log, ["-> a", "-< a", "+> a", "+< a", "~> b", "~< b"]);
    }

    #[test]
    fn a_circle_of_old_and_new_needs_is_told_and_nothing_of_it_begins() {
        // `c` lets go of `a` only with a new `b`, which comes after a new `a`: which waits for `c` to let go.
        let zone = |zone: &str| Part::new("a").with(&[Field::replaces("zone", zone)]);
        let sized = |size: u8| Part::new("c").with(&[Field::updates("size", size)]);
        let stage = Stage::default().has(zone("old")).has(sized(1).after("a"));
        let stage = stage.wants(zone("new"), 0).wants(Part::new("b").after("a"), 0).wants(sized(2).after("b"), 0);
        let (outcome, log) = stage.run();
        assert_eq!(outcome.failed, ["these wait for one another, and cannot start: part/a, part/b, part/c"]);
        assert_eq!(log, Vec::<String>::new());
    }

    #[test]
    fn once_stopped_nothing_begins() {
        let stage = Stage::default().wants(Part::new("a"), 0).has(Part::new("b"));
        let (outcome, events) = stage.run_until(true);
        assert!(outcome.interrupted && outcome.failed.is_empty());
        let told = |key, verb| Event::Skipped { address: at(key), verb, because: "interrupted".into() };
        assert_eq!(events, [told("a", Verb::Create), told("b", Verb::Delete)]);
        assert_eq!(*stage.log.lock().expect("nobody panicked"), Vec::<String>::new());
    }
}
