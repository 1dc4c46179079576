//! A world as strict as AWS, in memory: what needs the absent is refused, and so are a taken name and the
//! removal of what others hold on to; every birth gives a new id; every call takes a drawn number of turns,
//! and may fail before, amid or after its work. It never mends what a caller did wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use fruitsinfra::cloud::Stop;
use fruitsinfra::cloud::error::{Class, CloudError};
use fruitsinfra::cloud::mark::Mark;
use fruitsinfra::event::Event;
use fruitsinfra::plan::{Action, Plan};
use fruitsinfra::resource::{Address, Change, Cx, Field, Id, Known, Live, Need, Phase, Ref, Resource};
use fruitsinfra::resources::resolve;
use tokio::sync::mpsc::UnboundedSender;

use super::thing::{Shape, Thing};

pub(crate) const STACK: &str = "demo";
pub(crate) const OWNER: &str = "data@fruits.example";

/// The kinds of this world. Names are unique but for `app`s, of which, as of clusters, twins can be.
pub(crate) const KINDS: [&str; 5] = ["role", "store", "net", "holder", "app"];

/// When a call breaks: it may have done nothing, half, or all of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Before,
    Amid,
    After,
}

/// A person who stops everything at a turn.
pub(crate) struct Interruption {
    pub(crate) at: usize,
    pub(crate) ask: Stop,
    /// Is told of it, so that what comes later can be told from what came before.
    pub(crate) events: UnboundedSender<Event>,
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) things: BTreeMap<Id, Thing>,
    /// Turns that calls take, one draw after the other, round and round.
    latencies: Vec<u8>,
    /// What befalls the n-th call.
    faults: Vec<Option<Fault>>,
    pub(crate) interruption: Option<Interruption>,
    /// The turn at which the process dies: what was done stays, and nothing else is.
    pub(crate) death: Option<usize>,
    /// What AWS would not have refused, and is wrong all the same.
    pub(crate) breaches: Vec<String>,
    /// Who has to let go, by its end or by an update, of what is at an address before that is removed.
    first: BTreeSet<(Id, Address)>,
    born: usize,
    calls: usize,
    passes: usize,
    turns: usize,
}

pub(crate) type Shared = Arc<Mutex<World>>;

pub(crate) fn locked(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().expect("nobody panicked with it")
}

impl World {
    pub(crate) fn new(latencies: Vec<u8>) -> Self {
        Self { latencies, ..Self::default() }
    }

    /// Puts a thing there, as if it always had been.
    pub(crate) fn put(&mut self, thing: Thing) -> Id {
        self.born += 1;
        let id = Id(format!("{}-{}", thing.address.kind, self.born));
        self.things.insert(id.clone(), thing);
        id
    }

    /// From now on, this befalls the calls.
    pub(crate) fn break_calls(&mut self, faults: Vec<Option<Fault>>) {
        (self.calls, self.faults) = (0, faults);
    }

    /// Takes note of the order in which a plan has to remove things.
    pub(crate) fn expect(&mut self, plan: &Plan<Live>) {
        self.first.clear();
        for step in &plan.steps {
            let Some(live) = &step.existing else { continue };
            let keeps: BTreeSet<Address> = match (&step.action, &step.desired) {
                (Action::Keep, _) => continue,
                (Action::Update(_), Some(desired)) => desired.needs().into_iter().map(|need| need.address).collect(),
                _ => BTreeSet::new(),
            };
            let needs = live.resource.needs().into_iter().map(|need| need.address);
            self.first.extend(needs.filter(|a| !keeps.contains(a)).map(|a| (live.id.clone(), a)));
        }
    }

    /// Whether something of ours that can be used is at an address.
    fn stands(&self, address: &Address) -> bool {
        self.ours().any(|(_, thing)| thing.address == *address && thing.phase == Phase::Standing)
    }

    pub(crate) fn ours(&self) -> impl Iterator<Item = (&Id, &Thing)> {
        self.things.iter().filter(|(_, thing)| thing.stack == STACK)
    }

    /// The needs of a desired shape by their ids, all of which can be used.
    fn met(&self, shape: &Shape, cx: &Cx) -> Result<Shape, CloudError> {
        let ids = |refs: &BTreeSet<Ref>| refs.iter().map(|r| cx.id_of(r).map(Ref::id)).collect::<Result<_, _>>();
        let met = Shape { bound: ids(&shape.bound)?, attached: ids(&shape.attached)?, ..shape.clone() };
        for need in met.bound.iter().chain(&met.attached) {
            let Ref::Theirs(id) = need else { continue };
            if self.things.get(id).is_none_or(|thing| thing.phase != Phase::Standing) {
                return Err(CloudError::absent(format!("{id} cannot be used")));
            }
        }
        match met.after.iter().find(|address| !self.stands(address)) {
            Some(absent) => Err(CloudError::absent(format!("nothing stands at {absent}"))),
            None => Ok(met),
        }
    }

    fn make(&mut self, fake: &Fake, cx: &Cx) -> Result<Id, CloudError> {
        let shape = self.met(&fake.shape, cx)?;
        let name = fake.name();
        if fake.address.kind != "app" && self.things.values().any(|thing| thing.lives() && thing.name == name) {
            return Err(CloudError::taken(format!("{name} is taken")));
        }
        if self.ours().any(|(_, thing)| thing.address == fake.address && thing.lives()) {
            self.breaches.push(format!("{} exists twice", fake.address));
        }
        let (stack, address) = (STACK.to_owned(), fake.address.clone());
        Ok(self.put(Thing { stack, address, name, shape, phase: Phase::Starting, standing: (false, 0) }))
    }

    fn change(&mut self, fake: &Fake, cx: &Cx, id: &Id, changes: &[Change]) -> Result<(), CloudError> {
        let shape = self.met(&fake.shape, cx)?;
        let Some(thing) = self.things.get_mut(id).filter(|thing| thing.phase == Phase::Standing) else {
            return Err(CloudError::new(Class::Invalid, format!("{id} cannot be changed now")));
        };
        for change in changes {
            match change.field {
                "loose" => thing.shape.loose = shape.loose,
                "attached" => thing.shape.attached.clone_from(&shape.attached),
                other => self.breaches.push(format!("{id} was to change its {other} in place")),
            }
        }
        thing.shape.after = shape.after;
        Ok(())
    }

    /// Begins the end of a thing; false if it is not there.
    fn end(&mut self, id: &Id) -> Result<bool, CloudError> {
        let Some(thing) = self.things.get(id) else { return Ok(false) };
        if let Some((holder, _)) = self.things.iter().find(|(_, other)| other.holds(id)) {
            return Err(CloudError::new(Class::InUse, format!("{holder} holds on to {id}")));
        }
        let early = self.things.iter().find(|(other, needing)| {
            let waits = self.first.contains(&((*other).clone(), thing.address.clone()));
            waits && needing.lives() && needing.shape.after.contains(&thing.address)
        });
        if let Some((other, _)) = early {
            self.breaches.push(format!("{id} ends before {other}, which needs it"));
        }
        if thing.stack != STACK {
            self.breaches.push(format!("{id} is another stack's"));
        }
        self.things.entry(id.clone()).and_modify(|thing| thing.phase = Phase::Ending);
        Ok(true)
    }

    /// Whether the process that makes the calls is dead.
    pub(crate) fn killed(&self) -> bool {
        self.death.is_some_and(|at| self.turns >= at)
    }

    /// Turns are counted from here.
    pub(crate) fn begin(&mut self) {
        self.turns = 0;
    }

    /// One call passes one turn.
    fn turn(&mut self) {
        self.turns += 1;
        if let Some(Interruption { ask, events, .. }) = self.interruption.take_if(|i| self.turns >= i.at) {
            ask.ask();
            events.send(Event::Note { message: "stop".into() }).expect("somebody listens");
        }
    }
}

/// Everything of ours, as `list` tells it.
pub(crate) fn list(world: &Shared) -> Vec<Live> {
    let there = locked(world);
    let live = there.ours().map(|(id, thing)| {
        let Thing { address, shape, phase, standing, .. } = thing.clone();
        let mark = Mark { stack: STACK.into(), address: address.to_string(), owner: OWNER.into() };
        let life = Some((phase, standing));
        Live { id: id.clone(), resource: Arc::new(Fake { world: world.clone(), address, shape, life }), mark }
    });
    resolve(live.collect())
}

/// A resource of this world, desired or live.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) world: Shared,
    pub(crate) address: Address,
    pub(crate) shape: Shape,
    pub(crate) life: Option<(Phase, (bool, i64))>,
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {:?}", self.address, self.shape, self.life)
    }
}

impl Fake {
    fn in_world<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        act(&mut locked(&self.world))
    }

    /// Waits for as many turns as are drawn next.
    async fn pass(&self) {
        let turns = self.in_world(|world| {
            let drawn = world.latencies.get(world.passes % world.latencies.len().max(1)).copied();
            world.passes += 1;
            drawn.unwrap_or(0)
        });
        for _ in 0..turns {
            tokio::task::yield_now().await;
            self.turn().await;
        }
    }

    /// Passes a turn; the dead never return from it.
    async fn turn(&self) {
        let killed = self.in_world(|world| {
            world.turn();
            world.killed()
        });
        if killed {
            std::future::pending::<()>().await;
        }
    }

    /// The way to AWS, and what befalls this call.
    async fn call(&self) -> Result<Option<Fault>, CloudError> {
        self.turn().await;
        let fault = self.in_world(|world| {
            world.calls += 1;
            world.faults.get(world.calls - 1).copied().flatten()
        });
        self.pass().await;
        broken(fault, Fault::Before)?;
        Ok(fault)
    }
}

/// Fails if this is when the call breaks.
fn broken(fault: Option<Fault>, now: Fault) -> Result<(), CloudError> {
    if fault == Some(now) { Err(CloudError::new(Class::Unknown, format!("no answer ({now:?})"))) } else { Ok(()) }
}

#[async_trait]
impl Resource for Fake {
    fn address(&self) -> Address {
        self.address.clone()
    }

    fn name(&self) -> String {
        format!("{STACK}-{}-{}", self.address.kind, self.address.key)
    }

    fn needs(&self) -> Vec<Need> {
        let Shape { fixed: _, loose: _, bound, attached, after } = &self.shape;
        let bound = bound.iter().filter_map(Ref::address).cloned().map(Need::binds);
        let attached = attached.iter().filter_map(Ref::address).cloned().map(Need::orders);
        bound.chain(attached).chain(after.iter().cloned().map(Need::orders)).collect()
    }

    fn fields(&self) -> Vec<Field> {
        let Shape { fixed, loose, bound, attached, after: _ } = &self.shape;
        let refs = |refs: &BTreeSet<Ref>| refs.iter().map(ToString::to_string).collect::<Vec<_>>();
        vec![
            Field::replaces("fixed", *fixed),
            Field::updates("loose", *loose),
            Field::replaces("bound", refs(bound)),
            Field::updates("attached", refs(attached)),
        ]
    }

    fn phase(&self) -> Phase {
        self.life.as_ref().map_or(Phase::Standing, |(phase, _)| phase.clone())
    }

    fn standing(&self) -> (bool, i64) {
        self.life.as_ref().map_or((false, 0), |(_, standing)| *standing)
    }

    fn resolved(&self, known: &Known) -> Option<Arc<dyn Resource>> {
        let one = |r: &Ref| KINDS.iter().fold(r.clone(), |r, kind| r.resolved(kind, known));
        let all = |refs: &BTreeSet<Ref>| refs.iter().map(one).collect();
        let shape = Shape { bound: all(&self.shape.bound), attached: all(&self.shape.attached), ..self.shape.clone() };
        Some(Arc::new(Self { shape, ..self.clone() }))
    }

    async fn create(&self, cx: &Cx) -> Result<Id, CloudError> {
        let fault = self.call().await?;
        let id = self.in_world(|world| world.make(self, cx))?;
        self.pass().await;
        broken(fault, Fault::Amid)?;
        self.settle(cx, &id).await?;
        broken(fault, Fault::After)?;
        Ok(id)
    }

    async fn update(&self, cx: &Cx, id: &Id, changes: &[Change]) -> Result<(), CloudError> {
        let fault = self.call().await?;
        let half = if fault == Some(Fault::Amid) { changes.len() / 2 } else { changes.len() };
        self.in_world(|world| world.change(self, cx, id, &changes[..half]))?;
        self.pass().await;
        broken(fault, Fault::Amid)?;
        broken(fault, Fault::After)
    }

    async fn delete(&self, _cx: &Cx, id: &Id) -> Result<(), CloudError> {
        let fault = self.call().await?;
        if self.in_world(|world| world.end(id))? {
            self.pass().await;
            broken(fault, Fault::Amid)?;
            self.in_world(|world| world.things.remove(id));
        }
        broken(fault, Fault::After)
    }

    async fn settle(&self, _cx: &Cx, id: &Id) -> Result<(), CloudError> {
        self.pass().await;
        self.in_world(|world| {
            let gone = || CloudError::absent(format!("{id} is gone"));
            let thing = world.things.get_mut(id).ok_or_else(gone)?;
            if thing.phase == Phase::Starting {
                thing.phase = Phase::Standing;
            }
            Ok(())
        })
    }
}
