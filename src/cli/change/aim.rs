//! What a person wants of a stack, and with what consent: the commands that change something differ in nothing else.

use std::time::Duration;

use jiff::Timestamp;

use crate::blueprint::{Materials, blueprint};
use crate::cli::Failure;
use crate::cli::session::{Session, World, moment};
use crate::plan::{self, Action, Plan, Step};
use crate::policy::{Allowance, Terms};
use crate::price::{self, Cost};
use crate::resource::{Address, Live, OnDown};
use crate::resources::{self, end, on_down};
use crate::stack::{Period, Upload};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Aim {
    Up,
    /// The files of its uploads, and whether what else lies there is to go.
    Sync {
        delete: bool,
    },
    /// The cluster's end, so much later.
    Extend(Period),
    Down,
    Destroy,
}

impl Aim {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Sync { .. } => "sync",
            Self::Extend(_) => "extend",
            Self::Down => "down",
            Self::Destroy => "destroy",
        }
    }

    /// Whether it is over once nothing is left that costs by the hour.
    pub(super) fn ends(self) -> bool {
        matches!(self, Self::Down | Self::Destroy)
    }

    /// The plan towards it.
    pub(super) async fn plan(self, session: &Session, world: &World) -> Result<Plan<Live>, Failure> {
        Ok(match self {
            Self::Up => plan::plan(&session.desired(world).await?, &world.live)?,
            Self::Extend(_) => {
                let stack = crate::stack::Stack { until: self.until(session, world)?, ..session.stack.clone() };
                // Only moments are compared: nothing has to be rendered for them.
                let desired = blueprint(&stack, &Materials::default(), &world.around);
                plan::plan(&desired, &world.live)?.only(&["expires", "at"])
            }
            Self::Sync { .. } => {
                let mut plan =
                    plan::plan(&blueprint(&session.stack, &Materials::default(), &world.around), &world.live)?;
                let lacking = |step: &&Step<Live>| step.action == Action::Create && bucket_of(session, step);
                if let Some(step) = plan.steps.iter().find(lacking) {
                    let message = format!("{} is not there yet, and holds what is sent", step.address);
                    return Err(Failure::failed(message).hint(format!("`{}` makes it", session.command("up"))));
                }
                plan = plan.only(&[]);
                plan.steps.retain(|step| bucket_of(session, step));
                plan
            }
            Self::Down => plan::removal(&world.live, |address| on_down(address.kind) == OnDown::Stays),
            Self::Destroy => plan::removal(&world.live, |_| false),
        })
    }

    /// When the cluster is to end, if a person says so.
    pub(super) fn until(self, session: &Session, world: &World) -> Result<Option<Timestamp>, Failure> {
        let Self::Extend(by) = self else { return Ok(session.stack.until) };
        if world.cluster().is_none() {
            return Err(Failure::failed("no cluster runs, so none has an end to move").hint(session.command("up")));
        }
        let schedule = world.live.iter().find(|live| live.resource.address() == end::address());
        // The schedule moves last: what was interrupted on the way is asked for again, and not added to.
        let Some(end) = schedule.and_then(|live| moment(live, "at")) else {
            let message = "AWS keeps no end of the cluster that could be moved";
            return Err(Failure::failed(message).hint(format!("`{}` gives it one", session.command("up"))));
        };
        // What is over is counted from now on.
        let later = end.max(session.cx.clock.now()).checked_add(Duration::from(by));
        later.map(Some).map_err(|_| Failure::usage(format!("{by} later is beyond all calendars")))
    }

    /// What it costs to have it: what ends something starts nothing.
    pub(super) fn cost(self, session: &Session, world: &World) -> Option<Cost> {
        let until = self.until(session, world).ok().flatten();
        let life = session.life(world.cluster(), until);
        let lasting = matches!(self, Self::Up | Self::Extend(_));
        lasting.then(|| price::estimate(&session.stack, session.prices(), life))
    }

    /// What its plan is held against.
    pub(super) fn terms<'a>(
        self,
        session: &'a Session,
        world: &World,
        cost: Option<&'a Cost>,
        allowed: Option<&'a Allowance>,
    ) -> Result<Terms<'a>, Failure> {
        let until = if self.ends() { None } else { self.until(session, world)? };
        let latest = session.born(world.cluster()) + Duration::from(session.stack.limits.lifetime);
        let end = until.map(|until| (until, latest));
        Ok(Terms { end, allowed, ..Terms::of(&session.stack, cost) })
    }
}

/// Whether a step is about a bucket that `sync` needs: home, or where files go.
fn bucket_of(session: &Session, step: &Step<Live>) -> bool {
    let sent = |upload: &Upload| step.address == Address::new("bucket", &upload.to.bucket);
    step.address == resources::home() || session.stack.uploads.iter().any(sent)
}

/// What the change commands take.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct Consent {
    /// Answer the question with yes
    #[arg(long)]
    pub(in crate::cli) yes: bool,
    /// Wait this long for another owner to finish (5m)
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) wait: Option<Period>,
}

/// What commands take that may exceed a limit.
#[derive(Clone, Debug, Default, clap::Args)]
pub(in crate::cli) struct Allow {
    /// Pass one limit, by the code of its refusal; the reason is recorded
    #[arg(long, value_name = "CODE", requires = "because")]
    allow: Option<String>,
    /// Why the limit may be passed
    #[arg(long, value_name = "REASON", requires = "allow")]
    because: Option<String>,
}

impl Allow {
    pub(in crate::cli) fn allowance(&self) -> Result<Option<Allowance>, Failure> {
        let Some((code, because)) = self.allow.as_ref().zip(self.because.as_ref()) else { return Ok(None) };
        Allowance::new(code, because).map(Some).map_err(Failure::usage)
    }
}
