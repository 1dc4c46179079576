//! The heart by the thousand: plan and engine over drawn worlds that are as strict as AWS, with drawn
//! latencies (with fixed ones a missing order hides) and drawn failures. No call leaves the process.
//!
//! Each property was seen to fail for bugs planted for it:
//!
//! - engine: deletes that wait for no dependent's end, or for no update that lets go, or for all updates, or go
//!   by the needs of the desired side; creates that do not wait for what they need to be made, or to be usable,
//!   or for their twin's end; a replacement that creates first, or deletes and creates at once; starting ones
//!   not waited for; ids found or made not remembered; dependents of a failure started, or passed over in
//!   silence; everything stopped by one failure; a failure, a stop or a circle not told; a stop not heeded
//! - plan: no uprooting, uprooting by ordering needs, or one level deep; surplus or orphans left; the lesser
//!   twin kept, or an ending one; surplus as listed; a past end taken for existence; an ending one kept; fixed
//!   fields changed in place, all fields replaced, differences overlooked; needs in any order; ids not resolved
//!
//! Of their kind, they found three that nobody had planted: a dependent's update and its need's replacement
//! waiting for one another, circles of old and new needs taken for the end, and plans that differ by the order
//! of AWS's listings alone.

mod draws;
mod run;
mod thing;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use fruitsinfra::event::Event;
use fruitsinfra::plan::{Action, Plan, plan, removal};
use fruitsinfra::resource::{Address, Field, Id, Live, Phase, Resource};
use proptest::collection::vec;
use proptest::prelude::*;

use draws::{address, faults, orderly, stacks, trouble, wild};
use run::{Desired, Holds, apply, planned, run, troubled, unbreached};
use thing::{Shape, Thing};
use world::{STACK, Shared, list, locked};

/// So many worlds a property in the suite; a soak asks for more by FRUITSINFRA_WORLDS.
const WORLDS: u32 = 10_000;

fn worlds() -> ProptestConfig {
    let asked = std::env::var("FRUITSINFRA_WORLDS").ok();
    let cases = asked.map_or(WORLDS, |asked| asked.parse().expect("FRUITSINFRA_WORLDS is a number"));
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// What is another stack's.
fn theirs(world: &Shared) -> BTreeMap<Id, Thing> {
    let world = locked(world);
    world.things.iter().filter(|(_, thing)| thing.stack != STACK).map(|(id, t)| (id.clone(), t.clone())).collect()
}

/// The world is what is desired, each of it once, and there is nothing left to do.
fn settled(world: &Shared, desired: &Desired) -> Holds {
    unbreached(world)?;
    let plan = planned(world, desired);
    prop_assert!(plan.is_empty(), "still to do: {:?}", plan.outline());
    let world = locked(world);
    let there: Vec<&Thing> = world.ours().map(|(_, thing)| thing).filter(|thing| thing.lives()).collect();
    prop_assert!(there.iter().all(|thing| thing.phase == Phase::Standing), "all can be used");
    let mut there: Vec<Address> = there.iter().map(|thing| thing.address.clone()).collect();
    let mut wanted: Vec<Address> = desired.iter().map(|resource| resource.address()).collect();
    there.sort();
    wanted.sort();
    prop_assert_eq!(there, wanted, "what is there, and what is desired");
    Ok(())
}

/// One plain run makes a world what is desired, and nothing else.
fn converges(world: &Shared, desired: &Desired) -> Holds {
    let others = theirs(world);
    let run = run(world, desired, None);
    run.is_told_in_full()?;
    prop_assert!(run.outcome.complete(), "{:?} of {:?}", &run.outcome, run.plan.outline());
    settled(world, desired)?;
    prop_assert_eq!(theirs(world), others, "another stack's things");
    Ok(())
}

/// Everything that one address hangs together with, by any need on either side.
fn relatives(plan: &Plan<Live>, of: &BTreeSet<&Address>) -> BTreeSet<Address> {
    let mut pairs = Vec::new();
    for step in &plan.steps {
        let sides = [step.desired.as_deref(), step.existing.as_ref().map(|live| &*live.resource)];
        let needs = sides.into_iter().flatten().flat_map(Resource::needs);
        pairs.extend(needs.map(|need| (step.address.clone(), need.address)));
    }
    let mut found: BTreeSet<Address> = of.iter().map(|address| (*address).clone()).collect();
    loop {
        let near = pairs.iter().filter(|(a, b)| found.contains(a) || found.contains(b));
        let more: BTreeSet<Address> = near.flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
        let before = found.len();
        found.extend(more);
        if found.len() == before {
            return found;
        }
    }
}

proptest! {
    #![proptest_config(worlds())]

    #[test]
    fn any_world_becomes_what_is_desired_in_one_go(draw in orderly()) {
        let world = draw.world();
        converges(&world, &draw.desired(&world))?;
    }

    #[test]
    fn with_nothing_desired_nothing_is_left(draw in orderly()) {
        converges(&draw.world(), &[])?;
    }

    #[test]
    fn a_removal_takes_the_rest_and_leaves_what_stays_untouched(draw in orderly(), faults in faults()) {
        let world = draw.world();
        let stays = |address: &Address| ["role", "store"].contains(&address.kind);
        let others = theirs(&world);
        let kept = |world: &Shared| -> Vec<(Id, Shape)> {
            let world = locked(world);
            let stay = world.ours().filter(|(_, thing)| stays(&thing.address));
            stay.map(|(id, thing)| (id.clone(), thing.shape.clone())).collect()
        };
        let before = kept(&world);
        locked(&world).break_calls(faults);
        apply(&world, removal(&list(&world), stays), None).is_told_in_full()?;
        locked(&world).break_calls(vec![]);
        let again = apply(&world, removal(&list(&world), stays), None);
        prop_assert!(again.outcome.complete(), "{:?}", again.outcome);
        unbreached(&world)?;
        let left: Vec<Live> = list(&world).into_iter().filter(lives).collect();
        prop_assert!(left.iter().all(|live| stays(&live.resource.address())), "{:?}", left);
        prop_assert_eq!(kept(&world), before);
        prop_assert_eq!(theirs(&world), others);
    }

    #[test]
    fn a_settled_world_plans_to_keep_everything(draw in orderly()) {
        let world = draw.settled();
        settled(&world, &draw.desired(&world))?;
    }

    #[test]
    fn broken_runs_are_mended_by_a_plain_one(draw in orderly(), faults in vec(faults(), 1..4)) {
        let world = draw.world();
        let (desired, others) = (draw.desired(&world), theirs(&world));
        for faults in faults {
            locked(&world).break_calls(faults);
            let broken = run(&world, &desired, None);
            broken.is_told_in_full()?;
            unbreached(&world)?;
            prop_assert_eq!(&theirs(&world), &others);
            if broken.outcome.complete() {
                settled(&world, &desired)?;
            }
        }
        locked(&world).break_calls(vec![]);
        converges(&world, &desired)?;
    }

    #[test]
    fn a_failure_skips_what_hangs_on_it_and_nothing_else(draw in orderly(), faults in faults()) {
        let world = draw.world();
        locked(&world).break_calls(faults);
        let run = run(&world, &draw.desired(&world), None);
        run.is_told_in_full()?;
        let failed = run.failed();
        let hanging = relatives(&run.plan, &failed);
        let causes: BTreeSet<String> = failed.iter().map(|address| format!("{address} failed")).collect();
        for event in &run.events {
            if let Event::Skipped { address, because, .. } = event {
                prop_assert!(hanging.contains(address), "{} hangs on nothing that failed", address);
                prop_assert!(causes.contains(because), "{} is no root cause", because);
            }
        }
    }

    #[test]
    fn once_interrupted_nothing_new_starts_and_a_plain_run_goes_on(draw in orderly(), at in 0usize..120) {
        let world = draw.world();
        let (desired, others) = (draw.desired(&world), theirs(&world));
        let stopped = run(&world, &desired, Some(at));
        stopped.is_told_in_full()?;
        unbreached(&world)?;
        let after = stopped.events.iter().skip_while(|event| !matches!(event, Event::Note { .. }));
        let late: Vec<&Event> = after.filter(|event| matches!(event, Event::Started { .. })).collect();
        prop_assert!(late.is_empty(), "started after the stop: {:?}", late);
        prop_assert!(stopped.outcome.failed.is_empty(), "calls in flight finish: {:?}", stopped.outcome);
        if !stopped.outcome.interrupted {
            settled(&world, &desired)?;
        }
        prop_assert_eq!(theirs(&world), others);
        converges(&world, &desired)?;
    }

    /// Faults, stops and kills at any point, one after the other: one plain run is the whole recovery.
    #[test]
    fn whatever_befalls_runs_a_plain_one_completes_them(draw in orderly(), troubles in vec(trouble(), 1..5)) {
        let world = draw.world();
        let (desired, others) = (draw.desired(&world), theirs(&world));
        for trouble in &troubles {
            troubled(&world, planned(&world, &desired), trouble)?;
            prop_assert_eq!(&theirs(&world), &others);
        }
        converges(&world, &desired)?;
    }

    #[test]
    fn whatever_befalls_a_removal_a_plain_one_leaves_nothing(draw in orderly(), troubles in vec(trouble(), 1..5)) {
        let world = draw.world();
        let others = theirs(&world);
        for trouble in &troubles {
            troubled(&world, removal(&list(&world), |_| false), trouble)?;
        }
        let last = apply(&world, removal(&list(&world), |_| false), None);
        prop_assert!(last.outcome.complete(), "{:?}", last.outcome);
        unbreached(&world)?;
        let left: Vec<Live> = list(&world).into_iter().filter(lives).collect();
        prop_assert!(left.is_empty(), "{:?}", left);
        prop_assert_eq!(theirs(&world), others);
    }

    /// Eventually stable reconciliation: from any state, if the stack stops changing, the world reaches it and stays.
    #[test]
    fn if_the_stack_stops_changing_the_world_reaches_it_and_stays(
        draws in stacks(), troubles in vec(trouble(), 4), more in 1usize..3,
    ) {
        let world = draws[0].world();
        let others = theirs(&world);
        for (draw, trouble) in draws.iter().zip(&troubles) {
            troubled(&world, planned(&world, &draw.desired(&world)), trouble)?;
        }
        let last = draws.last().expect("a stack").desired(&world);
        converges(&world, &last)?;
        let reached = locked(&world).things.clone();
        for _ in 0..more {
            let run = run(&world, &last, None);
            prop_assert!(run.plan.is_empty() && run.outcome.complete() && run.events.is_empty(), "{:?}", run.events);
            prop_assert_eq!(&locked(&world).things, &reached);
        }
        prop_assert_eq!(theirs(&world), others);
    }

    /// Even where no order is possible, either all is done, or the outcome says that it is not.
    #[test]
    fn the_end_is_never_told_too_well(draw in wild(), faults in prop_oneof![Just(vec![]), faults()]) {
        let world = draw.world();
        let (desired, others) = (draw.desired(&world), theirs(&world));
        locked(&world).break_calls(faults);
        let run = run(&world, &desired, None);
        run.is_told_in_full()?;
        if run.outcome.complete() {
            let plan = planned(&world, &desired);
            prop_assert!(plan.is_empty(), "still to do: {:?}", plan.outline());
        }
        prop_assert_eq!(theirs(&world), others);
    }

    #[test]
    fn a_plan_deals_with_each_thing_once_and_with_needs_first(draw in wild()) {
        let world = draw.world();
        let (desired, live) = (draw.desired(&world), list(&world));
        let plan = plan(&desired, &live).expect("a plan");
        let place = |address: &Address| plan.steps.iter().position(|step| step.address == *address);
        for resource in &desired {
            for need in resource.needs() {
                prop_assert!(place(&need.address) < place(&resource.address()), "{:?}", plan.outline());
            }
        }
        let mut dealt: Vec<&Id> = plan.steps.iter().filter_map(|step| Some(&step.existing.as_ref()?.id)).collect();
        let mut there: Vec<&Id> = live.iter().filter(|live| lives(live)).map(|live| &live.id).collect();
        dealt.sort();
        there.sort();
        prop_assert_eq!(dealt, there);
        // Of twins the one that ranks first stays: one that works, one that is as desired, the greatest.
        let rank = |live: &Live, desired: &dyn Resource| {
            let there = live.resource.fields();
            let same = |field: &Field| there.iter().any(|other| (other.name, &other.value) == (field.name, &field.value));
            let (works, age) = live.resource.standing();
            (live.resource.phase() != Phase::Ending, works, desired.fields().iter().all(same), age)
        };
        for surplus in plan.steps.iter().filter(|step| step.desired.is_none()) {
            let stays = plan.steps.iter().find(|s| s.address == surplus.address && s.desired.is_some());
            let stays = stays.and_then(|step| Some((step.existing.as_ref()?, step.desired.as_deref()?)));
            if let (Some((stays, desired)), Some(goes)) = (stays, &surplus.existing) {
                prop_assert!(rank(stays, desired) > rank(goes, desired), "{:?} goes, {:?} stays", goes, stays);
            }
        }
    }

    #[test]
    fn nothing_is_replaced_without_a_reason(draw in orderly()) {
        let world = draw.world();
        let plan = planned(&world, &draw.desired(&world));
        let anew = |address: &Address| {
            let step = plan.steps.iter().find(|step| step.address == *address);
            step.is_some_and(|step| matches!(step.action, Action::Create | Action::Replace(_)))
        };
        for step in plan.steps.iter().filter(|step| matches!(step.action, Action::Replace(_))) {
            let needs = step.desired.iter().flat_map(|desired| desired.needs());
            let reasons = [
                step.action.changes().iter().any(|change| change.replaces),
                step.existing.as_ref().is_some_and(|live| live.resource.phase() == Phase::Ending),
                needs.filter(|need| need.binds).any(|need| anew(&need.address)),
            ];
            prop_assert!(reasons.contains(&true), "{:?}", step);
        }
    }

    #[test]
    fn a_plan_knows_no_order_of_lists(draw in wild(), keys in vec(any::<u8>(), 40)) {
        let world = draw.world();
        let (mut desired, mut live) = (draw.desired(&world), list(&world));
        let outline = plan(&desired, &live).expect("a plan").outline();
        mix(&mut desired, &keys);
        mix(&mut live, &keys);
        prop_assert_eq!(plan(&desired, &live).expect("a plan").outline(), outline);
    }

    /// A name of ours that somebody else holds: theirs stays as it is.
    #[test]
    fn a_taken_name_fails_alone(draw in orderly(), slot in 0usize..9) {
        let world = draw.empty();
        let (desired, taken) = (draw.desired(&world), address(slot));
        let id = locked(&world).put(stranger(&taken));
        let others = theirs(&world);
        let run = run(&world, &desired, None);
        run.is_told_in_full()?;
        let wanted = desired.iter().any(|resource| resource.address() == taken);
        prop_assert_eq!(run.outcome.failed.len(), usize::from(wanted));
        prop_assert!(run.failed().iter().all(|failed| **failed == taken), "{:?}", run.outcome);
        prop_assert_eq!(theirs(&world), others);
        unbreached(&world)?;
        locked(&world).things.remove(&id);
        converges(&world, &desired)?;
    }
}

fn lives(live: &Live) -> bool {
    !matches!(live.resource.phase(), Phase::Ended(_))
}

/// Puts a list into another order.
fn mix<T: Clone>(list: &mut Vec<T>, keys: &[u8]) {
    let mut order: Vec<usize> = (0..list.len()).collect();
    order.sort_by_key(|i| keys[i % keys.len()]);
    *list = order.into_iter().map(|i| list[i].clone()).collect();
}

fn stranger(address: &Address) -> Thing {
    let name = format!("{STACK}-{}-{}", address.kind, address.key);
    let (stack, address, shape, phase) = ("other".into(), address.clone(), Shape::default(), Phase::Standing);
    Thing { stack, address, name, shape, phase, standing: (false, 0) }
}
