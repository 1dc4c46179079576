//! What is drawn: two configurations of one small universe, what is there of the old one, and how long calls
//! take. Draws are plain data, so that a failing case is shown whole and shrinks well.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use fruitsinfra::resource::{Address, Id, Phase, Ref, Resource};
use proptest::prelude::*;

use super::thing::{Shape, Thing};
use super::world::{Fake, Fault, STACK, Shared, World, locked};

/// Every address there can be. In an orderly universe one needs only what is before it.
const SLOTS: [(&str, &str); 12] = [
    ("role", "a"),
    ("role", "b"),
    ("store", "a"),
    ("store", "b"),
    ("net", "a"),
    ("net", "b"),
    ("net", "c"),
    ("holder", "a"),
    ("holder", "b"),
    ("app", "a"),
    ("app", "b"),
    ("app", "c"),
];

/// How one address is configured; needs are bits, one a slot.
#[derive(Clone, Debug)]
struct Spec {
    fixed: u8,
    loose: u8,
    binds: u16,
    attaches: u16,
    after: u16,
}

/// How an address was configured when what is there was made.
#[derive(Clone, Debug)]
enum Before {
    Same,
    Otherwise(Option<Spec>),
}

/// How what is there of the old configuration departs from it.
#[derive(Clone, Debug)]
struct Oddity {
    phase: Phase,
    /// `app`s alone: a second one, with its standing.
    twin: Option<(u8, i64)>,
    /// One that has come to its end.
    ended: bool,
    /// Another stack's thing at the same address.
    namesake: bool,
}

#[derive(Clone)]
pub(crate) struct Draw {
    /// Anything may need anything, and the old configuration's needs may run backwards.
    wild: bool,
    backwards: bool,
    new: Vec<Option<Spec>>,
    old: Vec<Before>,
    odd: Vec<Oddity>,
    latencies: Vec<u8>,
}

/// What it means, not the bits: a failing case is read by a person.
impl fmt::Debug for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let world = self.world();
        writeln!(f, "latencies {:?}\ndesired", self.latencies)?;
        self.desired(&world).iter().try_for_each(|resource| writeln!(f, "  {resource:?}"))?;
        writeln!(f, "there")?;
        let world = locked(&world);
        world.things.iter().try_for_each(|(id, thing)| writeln!(f, "  {id} {thing:?}"))
    }
}

/// Worlds made of AWS's sorts of needs, as our kinds have them: all can be brought to order.
pub(crate) fn orderly() -> impl Strategy<Value = Draw> {
    draw(false)
}

/// Worlds in which anything needs anything: some cannot be brought to order, which has to be told.
pub(crate) fn wild() -> impl Strategy<Value = Draw> {
    draw(true)
}

fn draw(wild: bool) -> impl Strategy<Value = Draw> {
    use prop::collection::vec;
    let n = SLOTS.len();
    let spec = || prop::option::weighted(0.7, spec());
    let before = prop_oneof![3 => Just(Before::Same), 2 => spec().prop_map(Before::Otherwise)];
    let latencies = vec(prop_oneof![3 => 0u8..4, 1 => 4u8..30], 1..40);
    (vec(spec(), n), vec(before, n), vec(oddity(), n), latencies, any::<bool>()).prop_map(
        move |(new, mut old, odd, latencies, flip)| {
            // What our kinds only come after is the same in every configuration.
            for (old, new) in old.iter_mut().zip(&new) {
                if let (Before::Otherwise(Some(old)), Some(new), false) = (old, new, wild) {
                    old.after = new.after;
                }
            }
            Draw { wild, backwards: wild && flip, new, old, odd, latencies }
        },
    )
}

fn sparse() -> impl Strategy<Value = u16> {
    (any::<u16>(), any::<u16>()).prop_map(|(a, b)| a & b)
}

fn spec() -> impl Strategy<Value = Spec> {
    let values = (prop_oneof![4 => Just(0u8), 1 => Just(1)], prop_oneof![2 => Just(0u8), 1 => Just(1)]);
    (values, sparse(), sparse(), any::<u16>()).prop_map(|((fixed, loose), binds, attaches, after)| Spec {
        fixed,
        loose,
        binds,
        attaches,
        after,
    })
}

fn oddity() -> impl Strategy<Value = Oddity> {
    let phase = prop_oneof![6 => Just(Phase::Standing), 1 => Just(Phase::Starting), 1 => Just(Phase::Ending)];
    let twin = prop::option::weighted(0.3, (0u8..2, prop_oneof![-2i64..0, 1i64..4]));
    let rare = || prop::bool::weighted(0.2);
    (phase, twin, rare(), rare()).prop_map(|(phase, twin, ended, namesake)| Oddity { phase, twin, ended, namesake })
}

/// What befalls the first calls of a run.
pub(crate) fn faults() -> impl Strategy<Value = Vec<Option<Fault>>> {
    let fault = prop_oneof![Just(Fault::Before), Just(Fault::Amid), Just(Fault::After)];
    prop::collection::vec(prop::option::weighted(0.25, fault), 1..40)
}

/// What befalls a whole run.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    Faults(Vec<Option<Fault>>),
    /// A person stops it at this turn.
    Stop(usize),
    /// Its process is killed at this turn.
    Kill(usize),
}

pub(crate) fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        1 => faults().prop_map(Trouble::Faults),
        1 => (0usize..120).prop_map(Trouble::Stop),
        2 => (0usize..120).prop_map(Trouble::Kill),
    ]
}

/// A stack that changes a few times: what is there at first, and what is desired one after the other.
pub(crate) fn stacks() -> impl Strategy<Value = Vec<Draw>> {
    prop::collection::vec(orderly(), 1..4).prop_map(|mut draws| {
        // As above: what one only comes after does not change with the stack.
        for slot in 0..SLOTS.len() {
            let specs = draws.iter_mut().flat_map(|draw| {
                let old = match &mut draw.old[slot] {
                    Before::Otherwise(old) => old.as_mut(),
                    Before::Same => None,
                };
                draw.new[slot].as_mut().into_iter().chain(old)
            });
            let mut after = None;
            for spec in specs {
                spec.after = *after.get_or_insert(spec.after);
            }
        }
        draws
    })
}

#[derive(Clone, Copy)]
enum Need {
    Binds,
    Attaches,
    After,
}

pub(crate) fn address(slot: usize) -> Address {
    Address::new(SLOTS[slot].0, SLOTS[slot].1)
}

impl Draw {
    /// The slots that one needs, of those that `config` has.
    fn needs(&self, config: &[Option<Spec>], slot: usize, need: Need, backwards: bool) -> Vec<usize> {
        let Some(spec) = &config[slot] else { return vec![] };
        let bits = match need {
            Need::Binds => spec.binds,
            Need::Attaches => spec.attaches,
            Need::After => spec.after,
        };
        let likely = |from: &str, to: &str| match need {
            Need::Binds => to == "net" && from != "store" && from != "role" || from == "app" && to == "holder",
            Need::Attaches => from == "holder" && to == "role",
            Need::After => to == "store" && from != "store" && from != "role",
        };
        (0..SLOTS.len())
            .filter(|to| bits & (1 << to) != 0 && config[*to].is_some())
            .filter(|to| if backwards { *to > slot } else { *to < slot })
            .filter(|to| self.wild || likely(SLOTS[slot].0, SLOTS[*to].0))
            .collect()
    }

    fn shape(&self, config: &[Option<Spec>], slot: usize, back: bool, name: impl Fn(usize) -> Option<Ref>) -> Shape {
        let refs = |need| self.needs(config, slot, need, back).into_iter().filter_map(&name).collect();
        let spec = config[slot].as_ref();
        // A role's name is all that is fixed of it, and follows from its address.
        let steady = !self.wild && SLOTS[slot].0 == "role";
        Shape {
            fixed: if steady { 0 } else { spec.map_or(0, |spec| spec.fixed) },
            loose: spec.map_or(0, |spec| spec.loose),
            bound: refs(Need::Binds),
            attached: refs(Need::Attaches),
            after: self.needs(config, slot, Need::After, back).into_iter().map(address).collect(),
        }
    }

    /// The new configuration.
    pub(crate) fn desired(&self, world: &Shared) -> Vec<Arc<dyn Resource>> {
        let there = (0..SLOTS.len()).filter(|slot| self.new[*slot].is_some());
        let fake = |slot| {
            let shape = self.shape(&self.new, slot, false, |to| Some(Ref::Ours(address(to))));
            Arc::new(Fake { world: world.clone(), address: address(slot), shape, life: None }) as Arc<dyn Resource>
        };
        there.map(fake).collect()
    }

    /// A world with nothing in it.
    pub(crate) fn empty(&self) -> Shared {
        Arc::new(Mutex::new(World::new(self.latencies.clone())))
    }

    /// A world in which the new configuration is all there is.
    pub(crate) fn settled(&self) -> Shared {
        let world = self.empty();
        self.build(&mut locked(&world), &self.new, false);
        world
    }

    /// A world with whatever is left of the old one, and others' things.
    pub(crate) fn world(&self) -> Shared {
        let old = self.old.iter().zip(&self.new).map(|(old, new)| match old {
            Before::Same => new.clone(),
            Before::Otherwise(spec) => spec.clone(),
        });
        let old: Vec<Option<Spec>> = old.collect();
        let shared = self.empty();
        let mut world = locked(&shared);
        let ids = self.build(&mut world, &old, self.backwards);
        let held: BTreeSet<Ref> =
            world.things.values().flat_map(|t| t.shape.bound.iter().chain(&t.shape.attached)).cloned().collect();
        for (slot, odd) in self.odd.iter().enumerate() {
            self.twist(&mut world, slot, ids[slot].as_ref(), odd, &held);
        }
        drop(world);
        shared
    }

    /// Makes all that a configuration says, and returns the ids by slot.
    fn build(&self, world: &mut World, config: &[Option<Spec>], backwards: bool) -> Vec<Option<Id>> {
        let mut ids: Vec<Option<Id>> = vec![None; SLOTS.len()];
        let mut slots: Vec<usize> = (0..SLOTS.len()).filter(|slot| config[*slot].is_some()).collect();
        if backwards {
            slots.reverse();
        }
        for slot in slots {
            let shape = self.shape(config, slot, backwards, |to| ids[to].clone().map(Ref::Theirs));
            ids[slot] = Some(world.put(thing(slot, shape, Phase::Standing)));
        }
        ids
    }

    fn twist(&self, world: &mut World, slot: usize, id: Option<&Id>, odd: &Oddity, held: &BTreeSet<Ref>) {
        let kind = SLOTS[slot].0;
        if odd.namesake {
            let theirs = thing(slot, Shape::default(), Phase::Standing);
            world.put(Thing { stack: "other".into(), name: format!("other-{slot}"), ..theirs });
        }
        if odd.ended && kind == "app" {
            world.put(thing(slot, Shape::default(), Phase::Ended("02:14 by its idle policy".into())));
        }
        let Some(id) = id else { return };
        // AWS lets nothing begin to end while something holds on to it.
        if odd.phase != Phase::Ending || !held.contains(&Ref::Theirs(id.clone())) {
            world.things.entry(id.clone()).and_modify(|thing| thing.phase = odd.phase.clone());
        }
        if let Some((loose, standing)) = odd.twin.filter(|_| kind == "app" || self.wild) {
            let twin = world.things[id].clone();
            let shape = Shape { loose, ..twin.shape };
            world.put(Thing { shape, standing: (standing > 2, standing), phase: Phase::Standing, ..twin });
        }
    }
}

fn thing(slot: usize, shape: Shape, phase: Phase) -> Thing {
    let (kind, key) = SLOTS[slot];
    let name = format!("{STACK}-{kind}-{key}");
    Thing { stack: STACK.into(), address: address(slot), name, shape, phase, standing: (false, 0) }
}
