//! The one way in which anything is changed: observe, plan, show, ask, take the lease, plan again, walk, and
//! say what is there. `up`, `down` and `destroy` differ only in what they desire.

mod aim;
mod record;
mod stage;
mod uploads;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

pub(super) use self::aim::{Aim, Allow, Consent};
pub(super) use self::uploads::surveys;

use self::stage::{Report, Stage};
use self::uploads::send;
use super::session::{Session, World, heed_signals};
use super::writer::Writer;
use super::{DONE, Ended, Failure, INTERRUPTED};
use crate::blueprint;
use crate::cloud::error::Class;
use crate::engine::{self, Outcome};
use crate::event::{Event, Summary};
use crate::lease::{self, Holder, Lease};
use crate::plan::{Action, Plan};
use crate::policy::{self, Allowance, Approved};
use crate::price;
use crate::resource::{Address, Live, OnDown, Phase, Progress};
use crate::resources::{self, cluster, on_down};
use crate::sync::Batch;
use crate::ui::plan::Shown;
use crate::ui::{self, YELLOW};

/// What a person asks for, and has agreed to beforehand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) aim: Aim,
    pub(super) consent: &'a Consent,
    /// A limit that may be passed this time.
    pub(super) allowed: Option<&'a Allowance>,
    /// Where a copy of the ledger goes before home does.
    pub(super) ledger: Option<&'a std::path::Path>,
}

impl<'a> Request<'a> {
    pub(super) fn new(aim: Aim, consent: &'a Consent) -> Self {
        Self { aim, consent, allowed: None, ledger: None }
    }
}

/// One change of a stack, from the look at it to the last word about it.
pub(super) async fn change(mut session: Session, request: Request<'_>) -> Ended {
    let progress = std::mem::replace(&mut session.progress, unbounded_channel().1);
    let ended = attempt(&session, progress, request).await;
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

async fn attempt(session: &Session, progress: UnboundedReceiver<Progress>, request: Request<'_>) -> Ended {
    let aim = request.aim;
    heed_signals(session.ui, session.stop.clone());
    let looked = session.unless_stopped(look(session, aim)).await?;
    let Looked { world, plan, uploads, busy } = looked;
    let home = blueprint::home_name(&session.stack, &world.around.account);
    let sending = uploads.iter().any(Batch::moves);
    let starting =
        plan.steps.iter().any(|s| s.existing.as_ref().is_some_and(|live| live.resource.phase() == Phase::Starting));

    let stage = Stage::new(session, progress);
    let mut approved = session.unless_stopped(approve(session, &world, request, plan, &uploads)).await?;
    if approved.plan().is_empty() && !sending && !starting && busy.is_none() {
        return stage.end(session, &Outcome::default(), &approved, Report::default()).await;
    }
    let planned = approved.plan().clone();
    let passed = record::passed(session, request, &world, &approved);
    if let Some(busy) = busy {
        session.ui.say(format!("{YELLOW}at work{YELLOW:#}, and will be told to stop: {busy}"));
    }
    consented(session, request).await?;

    let command = format!("{} {}", aim.word(), session.stack.name);
    let writer = Writer::new(session, &command, !aim.ends(), &home, request.consent.wait);
    let cancel = &session.cx.cancel;
    if aim == Aim::Up {
        cancel.in_time(make_home(session, &approved, &stage.events)).await?;
    }
    let mut called = false;
    if aim == Aim::Down && world.home().is_some() {
        let (now, later) = split(&approved, session, |address| on_down(address.kind) == OnDown::GoesAtOnce)?;
        called = cancel.in_time(writer.call_to_stop()).await?;
        let outcome = engine::apply(&now, &session.cx, &stage.events).await;
        if !outcome.complete() {
            return stage.end(session, &outcome, &now, Report::default()).await;
        }
        approved = later;
    }
    let there = !aim.ends() || world.home().is_some();
    let lease = match (there, called) {
        (false, _) => None,
        (_, false) => Some(cancel.in_time(writer.take()).await?),
        (_, true) => Some(cancel.in_time(writer.take_after_call()).await?),
    };
    let again = async {
        if aim.ends() {
            cluster::surfaced(&session.cx).await?;
        }
        again(session, request, &approved).await
    };
    let approved = match cancel.in_time(again).await {
        Ok(approved) => approved,
        Err(failure) => {
            writer.give_back(lease).await?;
            return Err(failure);
        }
    };

    record::tell(session, &home, passed.into_iter().collect()).await;
    // Home holds the lease: it goes last, and only if all else is gone.
    let (last, approved) = split(&approved, session, |address| aim == Aim::Destroy && *address == resources::home())?;
    let (walked, walking) = watch::channel(false);
    let walk = async {
        let outcome = engine::apply(&approved, &session.cx, &stage.events).await;
        walked.send_replace(true);
        outcome
    };
    let (mut outcome, sent) = futures::join!(walk, send(session, uploads, walking, &stage.events));
    if let Err(error) = sent {
        outcome.interrupted |= error.class == Class::Interrupted;
        outcome.failed.extend((!outcome.interrupted).then(|| format!("uploads: {error}")));
    }
    let ended = match &lease {
        Some(lease) if !outcome.complete() => lease.ended().await,
        _ => None,
    };
    if !outcome.interrupted && (there && aim != Aim::Destroy) {
        record::tell(session, &home, record::deeds(session, request, &planned, outcome.complete())).await;
    }
    if outcome.complete()
        && !last.plan().steps.is_empty()
        && let Err(failure) = record::part(session, &home, request.ledger).await
    {
        outcome.failed.push(format!("the ledger: {}", failure.message));
    }
    let with_home = outcome.complete() && !last.plan().steps.is_empty();
    if with_home {
        // The lease ends with it: until then nobody else begins, and nothing keeps it alive.
        lease.iter().for_each(Lease::rest);
        outcome = engine::apply(&last, &session.cx, &stage.events).await;
    }
    if !(with_home && outcome.complete())
        && let Err(failure) = writer.give_back(lease).await
    {
        outcome.failed.push(format!("the lease: {}", failure.message));
    }
    let left = if !aim.ends() || outcome.interrupted {
        None
    } else {
        Some(session.unless_stopped(remains(session, aim)).await?)
    };
    stage.end(session, &outcome, &approved, Report { left, ended }).await
}

/// What there is, what is to be done about it, and who is at work on it.
struct Looked {
    world: World,
    plan: Plan<Live>,
    uploads: Vec<Batch>,
    busy: Option<Holder>,
}

async fn look(session: &Session, aim: Aim) -> Result<Looked, Failure> {
    let world = session.observe().await?;
    let plan = aim.plan(session, &world).await?;
    let uploads = match aim {
        Aim::Up => surveys(session, &world).await?,
        Aim::Sync { delete } => {
            let batches = surveys(session, &world).await?.into_iter();
            batches.map(|batch| batch.deleting(delete)).collect()
        }
        Aim::Extend(_) | Aim::Down | Aim::Destroy => vec![],
    };
    let home = blueprint::home_name(&session.stack, &world.around.account);
    // What somebody is making now may not be there yet, and `down` would pass it by.
    let busy =
        if aim == Aim::Down && world.home().is_some() { lease::holder(&session.cx.cloud, &home).await? } else { None };
    Ok(Looked { world, plan, uploads, busy })
}

/// Shows the plan with what would be lost, and lets it pass or not.
async fn approve(
    session: &Session,
    world: &World,
    request: Request<'_>,
    plan: Plan<Live>,
    uploads: &[Batch],
) -> Result<Approved, Failure> {
    let (ui, aim) = (session.ui, request.aim);
    let mut losses = Vec::new();
    for step in plan.steps.iter().filter(|step| matches!(step.action, Action::Delete | Action::Replace(_))) {
        if let Some(live) = &step.existing
            && let Some(what) = live.resource.holds(&session.cx).await?
        {
            losses.push((step.address.to_string(), what));
        }
    }
    let sending: usize = uploads.iter().map(|batch| batch.send).sum();
    let (sending, prices, region) = (sending as u64, session.prices(), session.stack.region);
    let cost = aim.cost(session, world).map(|cost| cost.with_uploads(sending, prices, region));
    let terms = aim.terms(session, world, cost.as_ref(), request.allowed)?;
    let (refusals, allowed) = policy::objections(&plan, terms.clone());
    let end = if aim.ends() { None } else { super::end::words(&plan, &session.stack, aim.until(session, world)?) };
    let shown = Shown {
        uploads,
        refusals: &refusals,
        allowed: &allowed,
        end: end.as_deref(),
        cost: cost.as_ref(),
        requests: if cost.is_none() { price::requests(sending, prices, region) } else { None },
        losses,
        contacts: session.contacts(),
        ..Shown::of(&session.stack, &world.around.account)
    };
    if ui.json() {
        let event = serde_json::json!({"event": "plan", "plan": ui::plan::json(&plan, &shown)});
        ui::events::line(ui, &session.cx.clock, &event);
    } else {
        ui.tell(ui::plan::text(&plan, &shown));
    }
    for batch in uploads {
        if let Some(warning) = batch.warning.as_ref().filter(|_| ui.json()) {
            ui.warn(warning);
        }
    }
    Ok(policy::check(plan, terms)?)
}

async fn consented(session: &Session, request: Request<'_>) -> Result<(), Failure> {
    if request.consent.yes {
        return Ok(());
    }
    let (ui, question) = (session.ui, format!("{} as planned?", request.aim.word()));
    let answer = async {
        let asked = tokio::task::spawn_blocking(move || ui.ask(&question)).await;
        asked.map_err(|e| Failure::failed(e.to_string()))
    };
    match session.unless_stopped(answer).await? {
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

/// With the lease held, the world is looked at again: other steps than approved are shown and asked again.
async fn again(session: &Session, request: Request<'_>, approved: &Approved) -> Result<Approved, Failure> {
    let aim = request.aim;
    let world = session.observe().await?;
    let plan = aim.plan(session, &world).await?;
    let others = |plan: &Plan<Live>| {
        let outline = plan.outline().into_iter().filter(|(address, _)| *address != resources::home());
        outline.collect::<Vec<_>>()
    };
    if others(&plan) == others(approved.plan()) {
        let cost = aim.cost(session, &world);
        let terms = aim.terms(session, &world, cost.as_ref(), request.allowed)?;
        return Ok(policy::check(plan, terms)?);
    }
    session.ui.say(format!("{YELLOW}the world changed meanwhile{YELLOW:#}; this is the plan now:"));
    let approved = approve(session, &world, request, plan, &[]).await?;
    consented(session, request).await?;
    Ok(approved)
}

/// Parts a plan in two: the steps at these addresses, and the others.
fn split(
    approved: &Approved,
    session: &Session,
    of: impl Fn(&Address) -> bool,
) -> Result<(Approved, Approved), Failure> {
    let steps = approved.plan().steps.clone();
    let (these, others): (Vec<_>, Vec<_>) = steps.into_iter().partition(|step| of(&step.address));
    let check = |steps| policy::check(Plan { steps }, session.stack.owner.as_str());
    Ok((check(these)?, check(others)?))
}

/// What bears the stack's mark and should be gone.
async fn remains(session: &Session, aim: Aim) -> Result<Vec<String>, Failure> {
    let live = resources::list_all(&session.cx).await?;
    let there = live.iter().filter(|live| !matches!(live.resource.phase(), Phase::Ended(_)));
    let there = there.filter(|live| aim == Aim::Destroy || on_down(live.resource.address().kind) != OnDown::Stays);
    Ok(there.map(|live| format!("{} ({})", live.resource.address(), live.id)).collect())
}
