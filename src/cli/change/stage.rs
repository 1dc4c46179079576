//! What a person sees while something is changed, and the last word about it. It decides nothing.

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::cli::session::Session;
use crate::cli::{DONE, Ended, FAILED, Failure, INTERRUPTED};
use crate::engine::Outcome;
use crate::event::{Event, Summary};
use crate::plan::Action;
use crate::policy::Approved;
use crate::resource::Progress;
use crate::text;
use crate::ui::events::Renderer;
use crate::ui::{GREEN, YELLOW};

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

    /// Says how it ended; `left` is what should be gone and is not.
    pub(super) async fn end(
        self,
        session: &Session,
        outcome: &Outcome,
        approved: &Approved,
        left: Option<Vec<String>>,
    ) -> Ended {
        let ok = outcome.complete() && left.as_ref().is_none_or(Vec::is_empty);
        let took = session.cx.clock.since(self.begun);
        let again = (!ok).then(|| "run the same command again: it continues where this one ended".to_owned());
        let summary = Summary {
            ok,
            done: Some(approved.plan().counts()),
            failed: outcome.failed.clone(),
            left: left.clone(),
            interrupted: outcome.interrupted,
            seconds: took.as_secs_f64(),
            contacts: session.contacts(),
            hint: again.clone(),
        };
        drop(self.events);
        let mut renderer = self.shown.await.map_err(|e| Failure::failed(e.to_string()))?;
        renderer.show(&Event::Summary(summary));
        let ui = session.ui;
        if let Some(left) = left {
            match left.as_slice() {
                [] => ui.text(format!(
                    "{GREEN}Nothing is left{GREEN:#} that costs by the hour{}.",
                    if stays(approved) { "" } else { ", and nothing else bears this stack's mark" }
                )),
                left => ui.text(format!("{YELLOW}Still there{YELLOW:#}: {}", left.join(", "))),
            }
        }
        if ok && !approved.plan().is_empty() {
            ui.text(format!("{GREEN}Done{GREEN:#} in {}.", text::lasting(took)));
        }
        if ui.verbose && !ui.json() {
            ui.say(format!("hosts called: {}", session.contacts().join(", ")));
        }
        if let Some(again) = again {
            ui.say(again);
        }
        Ok(if ok {
            DONE
        } else if outcome.interrupted {
            INTERRUPTED
        } else {
            FAILED
        })
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
