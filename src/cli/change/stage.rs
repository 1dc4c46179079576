//! What a person sees while something is changed, and the last word about it. It decides nothing.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::cli::session::Session;
use crate::cli::{DONE, Ended, FAILED, Failure, HELD, INTERRUPTED};
use crate::engine::Outcome;
use crate::event::{Event, Summary};
use crate::lease;
use crate::plan::Action;
use crate::policy::Approved;
use crate::resource::Progress;
use crate::text;
use crate::ui::events::Renderer;
use crate::ui::{CYAN, GREEN, RED, Ui, YELLOW};

/// Shows what happens while it happens, and the end.
pub(super) struct Stage {
    pub(super) events: UnboundedSender<Event>,
    shown: tokio::task::JoinHandle<Renderer>,
    begun: jiff::Timestamp,
}

impl Stage {
    pub(super) fn new(session: &Session, progress: UnboundedReceiver<Progress>) -> Self {
        let (events, heard) = unbounded_channel();
        let renderer = Renderer::new(session.ui, session.cx.clock.clone());
        Self { events, shown: tokio::spawn(show(renderer, heard, progress)), begun: session.cx.clock.now() }
    }

    /// Says how it ended.
    pub(super) async fn end(self, session: &Session, outcome: &Outcome, approved: &Approved, report: Report) -> Ended {
        let Report { left, ended } = report;
        let ok = outcome.complete() && left.as_ref().is_none_or(Vec::is_empty);
        let took = session.cx.clock.since(self.begun);
        let mut failed = outcome.failed.clone();
        failed.extend(ended.as_ref().map(ToString::to_string));
        let hint = (!ok).then(|| hint(session, outcome.interrupted));
        let summary = Summary {
            ok,
            done: Some(approved.plan().counts()),
            failed,
            left: left.clone(),
            unknown: outcome.unknown.clone(),
            there: if outcome.interrupted { session.cx.there() } else { vec![] },
            interrupted: outcome.interrupted,
            seconds: took.as_secs_f64(),
            contacts: session.contacts(),
            hint: hint.clone(),
        };
        drop(self.events);
        let mut renderer = self.shown.await.map_err(|e| Failure::failed(e.to_string()))?;
        renderer.show(&Event::Summary(summary.clone()));
        let ui = session.ui;
        match left.as_deref() {
            None => {}
            Some([]) => ui.text(format!(
                "{GREEN}Nothing is left{GREEN:#} that costs by the hour{}.",
                if stays(approved) { "" } else { ", and nothing else bears this stack's mark" }
            )),
            Some(left) => ui.text(format!("{YELLOW}Still there{YELLOW:#}: {}", left.join(", "))),
        }
        if ok && !approved.plan().is_empty() {
            ui.text(format!("{GREEN}Done{GREEN:#} in {}.", text::lasting(took)));
        }
        if outcome.interrupted {
            tell_what_is_there(ui, outcome, &summary);
        }
        if ui.verbose && !ui.json() {
            ui.say(format!("hosts called: {}", session.contacts().join(", ")));
        }
        for failure in renderer.untold(&outcome.failed).into_iter().filter(|_| !ui.json()) {
            ui.say(format!("{RED}error{RED:#}: {failure}"));
        }
        if let Some(ended) = &ended {
            ui.say(format!("{RED}error{RED:#}: {ended}"));
        }
        if let Some(hint) = hint {
            ui.say(format!("{CYAN}help{CYAN:#}: {hint}"));
        }
        Ok(match ended {
            Some(lease::Ended::Asked(_) | lease::Ended::Lost(Some(_))) => HELD,
            _ if ok => DONE,
            None if outcome.interrupted => INTERRUPTED,
            _ => FAILED,
        })
    }
}

/// What is known at the end beside the walk's own outcome.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// What is still there, where the aim was that nothing is.
    pub(super) left: Option<Vec<String>>,
    /// Why the lease ended before the work did.
    pub(super) ended: Option<lease::Ended>,
}

/// What to type next.
fn hint(session: &Session, interrupted: bool) -> String {
    let again = "run the same command again: it continues where this one ended";
    let costs = session.cx.there().iter().any(|thing| thing.starts_with("cluster/"));
    if interrupted && costs {
        format!("{again}; `{}` ends what costs by the hour", session.command("down"))
    } else {
        again.into()
    }
}

fn tell_what_is_there(ui: Ui, outcome: &Outcome, summary: &Summary) {
    ui.text(format!("{YELLOW}Interrupted{YELLOW:#}: {} of {} done.", outcome.done, outcome.of));
    if !outcome.unknown.is_empty() {
        ui.text(format!("No answer yet, so perhaps done: {}.", outcome.unknown.join(", ")));
    }
    if !summary.there.is_empty() {
        // A cluster's id is what one pays for; the other ids tell a person nothing.
        let short = |thing: &String| match thing.split_once(" (") {
            Some((address, _)) if !address.starts_with("cluster/") => address.to_owned(),
            _ => thing.clone(),
        };
        ui.text(format!("There now: {}.", summary.there.iter().map(short).collect::<Vec<_>>().join(", ")));
    }
}

/// Whether anything was kept.
fn stays(approved: &Approved) -> bool {
    approved.plan().steps.iter().any(|step| step.action == Action::Keep)
}

/// One ordered stream of all that is told, until both ends are quiet.
async fn show(
    mut renderer: Renderer,
    mut events: UnboundedReceiver<Event>,
    mut progress: UnboundedReceiver<Progress>,
) -> Renderer {
    loop {
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) => renderer.show(&event),
                None => return renderer,
            },
            Some(Progress { address, message }) = progress.recv() => renderer.show(&Event::Progress { address, message }),
        }
    }
}
