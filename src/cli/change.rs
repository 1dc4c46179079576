//! The one way in which anything is changed: observe, plan, show, ask, take the lease, plan again, walk, and
//! say what is there. `up`, `down` and `destroy` differ only in what they desire.

mod stage;

use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use self::stage::Stage;
use super::session::{Session, World, heed_signals};
use super::{DONE, Ended, Failure, HELD, INTERRUPTED};
use crate::blueprint;
use crate::cloud::error::{Class, CloudError};
use crate::engine::{self, Outcome};
use crate::event::{Event, Summary};
use crate::lease::{Holder, Lease, LeaseError};
use crate::plan::{self, Action, Plan};
use crate::policy::{self, Approved, Terms};
use crate::price::{self, Cost};
use crate::resource::{Address, Live, Phase, Progress};
use crate::resources::{self, stays_on_down};
use crate::stack::Bucket;
use crate::sync::{self, Batch};
use crate::ui::plan::Shown;
use crate::ui::{self, Ui, YELLOW};

/// What a person wants of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    Up,
    Down,
    Destroy,
}

impl Aim {
    fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Destroy => "destroy",
        }
    }

    /// The plan towards it.
    async fn plan(self, session: &Session, world: &World) -> Result<Plan<Live>, Failure> {
        Ok(match self {
            Self::Up => plan::plan(&session.desired(world).await?, &world.live)?,
            Self::Down => plan::removal(&world.live, |address| stays_on_down(address.kind)),
            Self::Destroy => plan::removal(&world.live, |_| false),
        })
    }
}

impl Aim {
    /// What it costs to have it: only `up` starts anything.
    fn cost(self, session: &Session) -> Option<Cost> {
        (self == Self::Up).then(|| price::estimate(&session.stack))
    }
}

fn terms<'a>(session: &'a Session, cost: Option<&'a Cost>) -> Terms<'a> {
    Terms { owner: &session.stack.owner, spending: cost.map(|cost| (&session.stack.limits, cost)) }
}

/// What the change commands take.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Consent {
    /// Answer the question with yes
    #[arg(long)]
    pub(super) yes: bool,
    /// Wait this long for another owner to finish (5m)
    #[arg(long, value_name = "TIME")]
    pub(super) wait: Option<crate::stack::Period>,
}

/// One change of a stack, from the look at it to the last word about it.
pub(super) async fn change(mut session: Session, aim: Aim, consent: &Consent) -> Ended {
    let progress = std::mem::replace(&mut session.progress, unbounded_channel().1);
    let ended = attempt(&session, progress, aim, consent).await;
    if let Err(failure) = &ended
        && session.ui.json()
    {
        // The last line is a summary, whatever came before it.
        let interrupted = failure.exit == INTERRUPTED;
        let (failed, contacts) = (vec![failure.message.clone()], session.contacts());
        let summary = Summary { failed, interrupted, contacts, hint: failure.hint.clone(), ..Summary::default() };
        ui::events::line(session.ui, &session.cx.clock, &Event::Summary(summary));
    }
    ended
}

async fn attempt(session: &Session, progress: UnboundedReceiver<Progress>, aim: Aim, consent: &Consent) -> Ended {
    let ui = session.ui;
    let world = session.observe().await?;
    let home = blueprint::home_name(&session.stack, &world.around.account);
    let plan = aim.plan(session, &world).await?;
    let uploads = if aim == Aim::Up { surveys(session, &world).await? } else { vec![] };
    let sending = uploads.iter().any(|batch| batch.send > 0);
    let starting =
        plan.steps.iter().any(|s| s.existing.as_ref().is_some_and(|live| live.resource.phase() == Phase::Starting));

    let stage = Stage::new(session, progress);
    let approved = approve(session, &world, aim, plan, &uploads).await?;
    if approved.plan().is_empty() && !sending && !starting {
        return stage.end(session, &Outcome::default(), &approved, None).await;
    }
    consented(ui, aim, consent)?;
    // Until here nothing was done, and Ctrl-C just ends it.
    heed_signals(ui, session.stop.clone());

    if aim == Aim::Up {
        make_home(session, &approved, &stage.events).await?;
    }
    let there = aim == Aim::Up || world.home().is_some();
    let lease = if there { Some(take(session, &home, aim, consent).await?) } else { None };
    let approved = again(session, aim, approved, consent).await;
    let approved = match approved {
        Ok(approved) => approved,
        Err(failure) => {
            give_back(lease).await?;
            return Err(failure);
        }
    };

    let (approved, last) = without_home(approved, aim, session)?;
    let (walked, walking) = watch::channel(false);
    let walk = async {
        let outcome = engine::apply(&approved, &session.cx, &stage.events).await;
        walked.send_replace(true);
        outcome
    };
    let (mut outcome, sent) = futures::join!(walk, send(session, &home, uploads, walking, &stage.events));
    if let Err(error) = sent {
        outcome.interrupted |= error.class == Class::Interrupted;
        outcome.failed.extend((!outcome.interrupted).then(|| format!("uploads: {error}")));
    }
    // Home holds the lease: it goes when the lease is given back, and only if all else is gone.
    if let Err(failure) = give_back(lease).await {
        outcome.failed.push(format!("the lease: {}", failure.message));
    }
    if let Some(last) = last.filter(|_| outcome.complete()) {
        outcome = engine::apply(&last, &session.cx, &stage.events).await;
    }
    let left = if aim == Aim::Up { None } else { Some(remains(session, aim).await?) };
    stage.end(session, &outcome, &approved, left).await
}

/// Shows the plan with what would be lost, and lets it pass or not.
async fn approve(
    session: &Session,
    world: &World,
    aim: Aim,
    plan: Plan<Live>,
    uploads: &[Batch],
) -> Result<Approved, Failure> {
    let ui = session.ui;
    let mut losses = Vec::new();
    for step in plan.steps.iter().filter(|step| matches!(step.action, Action::Delete | Action::Replace(_))) {
        if let Some(live) = &step.existing
            && let Some(what) = live.resource.holds(&session.cx).await?
        {
            losses.push((step.address.to_string(), what));
        }
    }
    let cost = aim.cost(session);
    let terms = terms(session, cost.as_ref());
    let refusals = policy::refusals(&plan, terms);
    let shown = Shown {
        uploads,
        refusals: &refusals,
        cost: cost.as_ref(),
        losses,
        contacts: session.contacts(),
        ..Shown::of(&session.stack, &world.around.account)
    };
    if ui.json() {
        let event = serde_json::json!({"event": "plan", "plan": ui::plan::json(&plan, &shown)});
        ui::events::line(ui, &session.cx.clock, &event);
    } else {
        ui.out(ui::plan::text(&plan, &shown));
    }
    for batch in uploads {
        if let Some(warning) = batch.warning.as_ref().filter(|_| ui.json()) {
            ui.warn(warning);
        }
    }
    policy::check(plan, terms).map_err(|refusals| {
        let all: Vec<String> = refusals.iter().map(|refusal| refusal.message.clone()).collect();
        Failure::refused(all.join("; "))
    })
}

/// What `up` would send.
pub(super) async fn surveys(session: &Session, world: &World) -> Result<Vec<Batch>, Failure> {
    let home = blueprint::home_name(&session.stack, &world.around.account);
    let mut batches = Vec::new();
    for upload in &session.stack.uploads {
        if let Some(bucket) = session.stack.bucket_name(&upload.to.bucket, &world.around.account) {
            let ours = matches!(session.stack.buckets.get(&upload.to.bucket), Some(Bucket::Ours(_)));
            let address = ours.then(|| Address::new("bucket", &upload.to.bucket));
            batches.push(sync::survey(&session.cx, &home, &bucket, address, upload).await?);
        }
    }
    Ok(batches)
}

fn consented(ui: Ui, aim: Aim, consent: &Consent) -> Result<(), Failure> {
    if consent.yes {
        return Ok(());
    }
    match ui.ask(&format!("{} as planned?", aim.word())) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::new(DONE, "nothing was done")),
        None => Err(Failure::usage("this changes things and nobody is there to ask")
            .hint("read the plan above, then add `--yes`")),
    }
}

/// Home is the first approved step: the lease that guards all others is kept in it.
async fn make_home(session: &Session, approved: &Approved, events: &UnboundedSender<Event>) -> Result<(), Failure> {
    let home = approved.plan().steps.iter().find(|step| step.address == resources::home());
    let Some((step, desired)) =
        home.filter(|step| step.action == Action::Create).and_then(|s| s.desired.as_ref().map(|d| (s, d)))
    else {
        return Ok(());
    };
    let (address, verb) = (step.address.clone(), crate::event::Verb::Create);
    let begun = session.cx.clock.now();
    let _ = events.send(Event::Started { address: address.clone(), verb });
    let id = desired.create(&session.cx).await?;
    let seconds = session.cx.clock.since(begun).as_secs_f64();
    let _ = events.send(Event::Finished { address, verb, id: Some(id.0), seconds });
    Ok(())
}

async fn take(session: &Session, home: &str, aim: Aim, consent: &Consent) -> Result<Lease, Failure> {
    let me =
        Holder::me(&session.stack.owner, &format!("{} {}", aim.word(), session.stack.name), session.cx.clock.now());
    let patience = consent.wait.map_or(Duration::ZERO, |wait| Duration::from_secs(wait.as_secs()));
    let ui = session.ui;
    let lease = Lease::take(&session.cx.cloud, home, me, patience, session.stop.clone(), |line| ui.say(line)).await;
    lease.map_err(|error| match error {
        LeaseError::Held(holder) => {
            Failure::new(HELD, format!("the stack is being changed: {holder}")).hint("wait for it with `--wait 5m`")
        }
        LeaseError::Cloud(error) => error.into(),
    })
}

async fn give_back(lease: Option<Lease>) -> Result<(), Failure> {
    match lease {
        Some(lease) => Ok(lease.release().await?),
        None => Ok(()),
    }
}

/// With the lease held, the world is looked at again: other steps than approved are shown and asked again.
async fn again(session: &Session, aim: Aim, approved: Approved, consent: &Consent) -> Result<Approved, Failure> {
    let world = session.observe().await?;
    let plan = aim.plan(session, &world).await?;
    let others = |plan: &Plan<Live>| {
        let outline = plan.outline().into_iter().filter(|(address, _)| *address != resources::home());
        outline.collect::<Vec<_>>()
    };
    if others(&plan) == others(approved.plan()) {
        let refused = |refusals: Vec<policy::Refusal>| {
            Failure::refused(refusals.into_iter().map(|r| r.message).collect::<Vec<_>>().join("; "))
        };
        let cost = aim.cost(session);
        return policy::check(plan, terms(session, cost.as_ref())).map_err(refused);
    }
    session.ui.say(format!("{YELLOW}the world changed meanwhile{YELLOW:#}; this is the plan now:"));
    let approved = approve(session, &world, aim, plan, &[]).await?;
    consented(session.ui, aim, consent)?;
    Ok(approved)
}

/// Splits home off a destruction.
fn without_home(approved: Approved, aim: Aim, session: &Session) -> Result<(Approved, Option<Approved>), Failure> {
    if aim != Aim::Destroy {
        return Ok((approved, None));
    }
    let is_home = |address: &crate::resource::Address| *address == resources::home();
    let steps = approved.plan().steps.clone();
    let (last, first): (Vec<_>, Vec<_>) = steps.into_iter().partition(|step| is_home(&step.address));
    let check =
        |steps| policy::check(Plan { steps }, session.stack.owner.as_str()).map_err(|_| Failure::refused("the plan"));
    Ok((check(first)?, Some(check(last)?)))
}

/// Sends each upload as soon as its bucket is there, while the rest is being made.
async fn send(
    session: &Session,
    home: &str,
    uploads: Vec<Batch>,
    mut walking: watch::Receiver<bool>,
    events: &UnboundedSender<Event>,
) -> Result<(), CloudError> {
    for batch in uploads.into_iter().filter(|batch| batch.send > 0) {
        if let Some(bucket) = &batch.bucket_address {
            tokio::select! {
                biased;
                () = session.cx.made(bucket) => {}
                // Its failure is told by the walk.
                _ = walking.wait_for(|over| *over) => continue,
            }
        }
        sync::send(&session.cx, home, batch, events).await?;
    }
    Ok(())
}

/// What bears the stack's mark and should be gone.
async fn remains(session: &Session, aim: Aim) -> Result<Vec<String>, Failure> {
    let live = resources::list_all(&session.cx).await?;
    let there = live.iter().filter(|live| !matches!(live.resource.phase(), Phase::Ended(_)));
    let there = there.filter(|live| aim == Aim::Destroy || !stays_on_down(live.resource.address().kind));
    Ok(there.map(|live| format!("{} ({})", live.resource.address(), live.id)).collect())
}
