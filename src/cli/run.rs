//! `run`: submits a job as an EMR step, once, follows it, and ends with its outcome.

use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::session::{Session, World, heed_signals};
use super::writer::Writer;
use super::{DONE, Ended, Failure, Global, JOB_FAILED};
use crate::blueprint;
use crate::cloud::error::{Class, CloudError};
use crate::cloud::logs::{LATE, split, waited};
use crate::event::{Event, Summary};
use crate::job::trouble::{self, Trouble};
use crate::job::{self, End, Submission, logs, results};
use crate::plan::{Action, plan};
use crate::resource::{Cx, Id, Live, Phase, Progress, Resource};
use crate::resources::object::PREFIX;
use crate::resources::once::{self, Asked, once};
use crate::stack::{Job, Period, Stack, Weights, meant};
use crate::ui::events::Renderer;
use crate::ui::{CYAN, RED};
use crate::{python, text};

/// Run a job of the stack on its cluster, and follow it to its end
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A stack's file, or the bare name of one in stacks/
    stack: String,
    /// The job's key in the stack
    job: String,
    /// Weights instead of the stack's: a .h5 file, imagenet, registry or untrained
    #[arg(long, value_name = "FILE")]
    weights: Option<Weights>,
    /// Wait this long for another owner to finish (5m)
    #[arg(long, value_name = "TIME")]
    wait: Option<Period>,
}

/// The job of this name, or what was probably meant.
pub(super) fn find_job<'a>(stack: &'a Stack, name: &str) -> Result<&'a Job, Failure> {
    stack.jobs.get(name).ok_or_else(|| {
        let hint = meant(name, stack.jobs.keys().map(String::as_str), "declare one under `jobs:`");
        Failure::usage(format!("stack `{}` has no job `{name}`", stack.name)).hint(hint)
    })
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    let mut session = Session::open(global, &args.stack, args.weights.as_ref()).await?;
    let ui = session.ui;
    let job = find_job(&session.stack, &args.job)?.clone();
    heed_signals(ui, session.stop.clone());
    if session.local {
        python::install("spark", &python::cache(), |line| ui.say(line)).await?;
    }
    let world = session.observe().await?;
    let cluster = world.cluster().filter(|live| live.resource.phase() == Phase::Standing);
    let Some(cluster) = cluster else {
        let why = world.any_cluster().map_or_else(String::new, |live| {
            format!(" ({} is {})", live.id, live.resource.facts()["state"].as_str().unwrap_or("gone"))
        });
        return Err(Failure::failed(format!("stack `{}` has no cluster that is ready{why}", session.stack.name))
            .hint(format!("`{}` makes one", session.command("up"))));
    };

    let (events, mut heard) = unbounded_channel();
    let mut progress = std::mem::replace(&mut session.progress, unbounded_channel().1);
    let mut renderer = Renderer::new(ui, session.cx.clock.clone());
    let begun = session.cx.clock.now();
    let work = work(&session, &world, cluster, (&args.job, &job), args.wait, &events);
    tokio::pin!(work);
    let ended = loop {
        tokio::select! {
            ended = &mut work => break ended,
            Some(event) = heard.recv() => renderer.show(&event),
            Some(Progress { address, message }) = progress.recv() => renderer.show(&Event::Progress { address, message }),
        }
    };
    while let Ok(event) = heard.try_recv() {
        renderer.show(&event);
    }
    let took = session.cx.clock.since(begun);
    let (ok, failed, interrupted) = match &ended {
        Ok((End::Completed, _)) => (true, vec![], false),
        Ok((End::Failed(why) | End::Cancelled(why), _)) => (false, vec![why.clone()], false),
        Err(failure) => (false, vec![failure.message.clone()], failure.exit == super::INTERRUPTED),
    };
    let summary = Summary {
        ok,
        failed,
        interrupted,
        seconds: took.as_secs_f64(),
        contacts: session.contacts(),
        ..Summary::default()
    };
    renderer.show(&Event::Summary(summary));
    let (end, asked) = ended.map_err(|failure| match failure.exit {
        super::INTERRUPTED => {
            failure.hint(format!("the step goes on; `{} {}` follows it again", session.command("run"), args.job))
        }
        _ => failure,
    })?;
    let code = match end {
        End::Completed => {
            if let Some(features) = job.features().filter(|_| !ui.json()) {
                let place = &features.output;
                let bucket = blueprint::bucket_of(&session.stack, place, &world.around.account)?;
                if let Some((report, _)) = results::report(&session.cx, &bucket, &place.prefix).await? {
                    ui.tell(crate::ui::results::text(&report));
                }
                ui.tell(format!("The step took {}.", text::lasting(took)));
            }
            DONE
        }
        End::Failed(why) | End::Cancelled(why) => {
            ui.say(format!("{RED}error{RED:#}: job `{}` failed: {why}", args.job));
            let logs = session.command("logs");
            ui.say(format!("{CYAN}help{CYAN:#}: `{logs} {}` shows all of its logs", args.job));
            JOB_FAILED
        }
    };
    // Its end was told, so the next `run` is another one. Before that, the next one would tell this end again.
    if let Some(asked) = asked {
        asked.forget(&session.cx).await?;
    }
    Ok(code)
}

/// Follows the job that is underway, or submits it, once, and follows that.
async fn work(
    session: &Session,
    world: &World,
    cluster: &Live,
    (name, job): (&str, &Job),
    wait: Option<Period>,
    events: &UnboundedSender<Event>,
) -> Result<(End, Option<Asked>), Failure> {
    let cx = &session.cx;
    let note = |message| drop(events.send(Event::Note { message }));
    let mut submission =
        Submission { job: name.into(), cluster: cluster.id.clone(), args: vec![], on_failure: job.on_failure };
    let submitted = match cx.cancel.in_time(before(cx, &submission)).await? {
        Submitted::Not => {
            let home = blueprint::home_name(&session.stack, &world.around.account);
            let writer = Writer::new(session, &format!("run {} {name}", session.stack.name), false, &home, wait);
            let lease = cx.cancel.in_time(writer.take()).await?;
            let submit = async {
                // Another may have been at it meanwhile.
                match before(cx, &submission).await? {
                    Submitted::Not => {
                        submission.args = arguments(session, world, (name, job), events).await?;
                        Ok::<_, Failure>(Submitted::Asked(once(cx, &submission).await?))
                    }
                    submitted => Ok(submitted),
                }
            };
            let submitted = cx.cancel.in_time(submit).await;
            writer.give_back(Some(lease)).await?;
            submitted?
        }
        submitted => submitted,
    };
    let step = match &submitted {
        Submitted::Asked(asked) => {
            if asked.before {
                note(format!("{} is what an interrupted `run` submitted: following it", asked.id));
            }
            asked.id.clone()
        }
        Submitted::Underway(step) => {
            note(format!("{step} of this job is underway already: following it"));
            step.clone()
        }
        Submitted::Not => return Err(CloudError::bug("a job that was submitted was not").into()),
    };
    let _ = events.send(Event::Step {
        id: step.0.clone(),
        state: "SUBMITTED".into(),
        message: Some(format!("on {}", cluster.id)),
    });
    let place = job.features().map(|features| &features.output);
    let own = place
        .map(|place| {
            Ok::<_, Failure>((
                blueprint::bucket_of(&session.stack, place, &world.around.account)?,
                format!("{}{}", place.prefix, results::PROGRESS),
            ))
        })
        .transpose()?;
    let own = own.as_ref().map(|(bucket, key)| (bucket.as_str(), key.as_str()));
    let end = cx.cancel.in_time(job::follow(cx, &cluster.id, &step, name, own)).await?;
    let (state, message) = match &end {
        End::Completed => ("COMPLETED", None),
        End::Failed(why) => ("FAILED", Some(why.clone())),
        End::Cancelled(why) => ("CANCELLED", Some(why.clone())),
    };
    let _ = events.send(Event::Step { id: step.0.clone(), state: state.into(), message });
    if matches!(end, End::Failed(_)) {
        tell_log(session, cluster, &step, name, events).await?;
    }
    let asked = if let Submitted::Asked(asked) = submitted { Some(asked) } else { None };
    Ok((end, asked))
}

/// What there is of a submission.
enum Submitted {
    Not,
    /// By us, now or before an interruption.
    Asked(Asked),
    /// By somebody, and not at its end.
    Underway(Id),
}

/// What was submitted of this job before. It changes nothing.
async fn before(cx: &Cx, submission: &Submission) -> Result<Submitted, CloudError> {
    if let Some(asked) = once::left(cx, submission).await? {
        return Ok(Submitted::Asked(asked));
    }
    let underway = job::underway(cx, &submission.cluster, &submission.job).await?;
    Ok(underway.map_or(Submitted::Not, Submitted::Underway))
}

/// Brings the job's files up to date, and says what its step is told.
async fn arguments(
    session: &Session,
    world: &World,
    (name, job): (&str, &Job),
    events: &UnboundedSender<Event>,
) -> Result<Vec<String>, Failure> {
    let wanted = files(job, name);
    let keys: Vec<String> = update_files(session, world, &wanted, events).await?;
    let account = &world.around.account;
    let home = blueprint::home_name(&session.stack, account);
    let url = |prefix: &str| {
        keys.iter().find(|key| key.starts_with(&format!("{PREFIX}{prefix}."))).map(|key| format!("s3://{home}/{key}"))
    };
    let script =
        url(&wanted[0]).ok_or_else(|| Failure::failed(format!("the script of job `{name}` is not in {home}")))?;
    let weights = wanted.get(1).and_then(|key| url(key));
    Ok(job::arguments(&session.stack, job, &script, weights.as_deref(), account))
}

/// Keys of the objects a job needs: its script, then its weights.
fn files(job: &Job, name: &str) -> Vec<String> {
    let weights = job.features().map(|features| blueprint::weights_key(&features.model.weights));
    std::iter::once(format!("job-{name}")).chain(weights).collect()
}

/// A script edited since `up`, or other weights, go up now; returns the keys in home.
async fn update_files(
    session: &Session,
    world: &World,
    wanted: &[String],
    events: &UnboundedSender<Event>,
) -> Result<Vec<String>, Failure> {
    let ours = |resource: &dyn Resource| {
        let address = resource.address();
        address.kind == "object" && wanted.contains(&address.key)
    };
    // The order of files needs home; it is there, or there would be no cluster.
    let mut desired = session.desired(world).await?;
    desired.retain(|resource| ours(&**resource) || resource.address() == crate::resources::home());
    let live: Vec<Live> = world
        .live
        .iter()
        .filter(|l| ours(&*l.resource) || l.resource.address() == crate::resources::home())
        .cloned()
        .collect();
    let mut keys = Vec::new();
    for step in plan(&desired, &live)?.steps.into_iter().filter(|step| step.address.kind == "object") {
        let id = match (&step.action, &step.desired, &step.existing) {
            (Action::Keep, _, Some(live)) => live.id.clone(),
            (_, Some(desired), _) => {
                let _ = events
                    .send(Event::Note { message: format!("{} has changed since `up`: sending it", step.address) });
                desired.create(&session.cx).await?
            }
            _ => continue,
        };
        keys.push(id.0);
    }
    Ok(keys)
}

/// The end of a failed step's log, waited for: spark-submit puts what Python says on stdout, its own words on
/// stderr.
async fn tell_log(
    session: &Session,
    cluster: &Live,
    step: &Id,
    name: &str,
    events: &UnboundedSender<Event>,
) -> Result<(), Failure> {
    let cx = &session.cx;
    let facts = cluster.resource.facts();
    let Some(log_uri) = facts["logs"].as_str() else { return Ok(()) };
    let Some((bucket, prefix)) = split(log_uri) else { return Ok(()) };
    let key = |name| format!("{prefix}{}/steps/{step}/{name}.gz", cluster.id);
    let begun = cx.clock.now();
    loop {
        // They come together: where the controller's is, the others are too.
        if logs::read(cx, bucket, &key("controller")).await?.is_some() {
            for name in ["stderr", "stdout"] {
                if let Some(log) = logs::read(cx, bucket, &key(name)).await?.filter(|log| !log.text.trim().is_empty()) {
                    let message = format!("{} ends:\n{}", log.url, trouble::end(&log.text));
                    let _ = events.send(Event::Note { message });
                    if let Some(Trouble { what, hint }) = trouble::of(&log.text) {
                        let _ = events.send(Event::Note { message: format!("which means: {what}; {hint}") });
                    }
                }
            }
            return Ok(());
        }
        if cx.clock.since(begun) >= LATE || cx.cancel.requested() {
            let _ =
                events.send(Event::Note { message: format!("no log has reached s3://{bucket}/{} yet", key("stdout")) });
            return Ok(());
        }
        cx.say(&job::address(name), format!("waiting for its log ({})", waited(cx.clock.since(begun))));
        match crate::resources::wait(cx, Duration::from_secs(10)).await {
            Err(error) if error.class == Class::Interrupted => {}
            other => other?,
        }
    }
}
