//! Events as they happen: JSON lines with a sequence and a time, or lines and live progress for a person.
//! Progress never garbles: without a terminal it becomes a line now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::Value;

use super::{CYAN, DIM, GREEN, RED, Ui, YELLOW};
use crate::cloud::clock::Clock;
use crate::event::{Event, Verb};
use crate::text::{bytes, counted, grouped, lasting};

/// Without a terminal, one thing's progress is told no more often.
const SELDOM: Duration = Duration::from_secs(15);

/// The lines of one process are counted together, whoever writes them.
static LINES: AtomicU64 = AtomicU64::new(0);

/// One JSON line: the event, stamped with its number and its time.
pub fn line(ui: Ui, clock: &Clock, event: &impl Serialize) {
    let mut value = serde_json::to_value(event).unwrap_or_default();
    if let Value::Object(map) = &mut value {
        map.insert("seq".into(), LINES.fetch_add(1, Ordering::Relaxed).into());
        map.insert("at".into(), clock.now().to_string().into());
    }
    ui.data(&value);
}

pub struct Renderer {
    ui: Ui,
    clock: Clock,
    live: Option<MultiProgress>,
    bars: BTreeMap<String, ProgressBar>,
    told: BTreeMap<String, (Instant, String)>,
    /// As a summary words them.
    failures: BTreeSet<String>,
}

impl Renderer {
    pub fn new(ui: Ui, clock: Clock) -> Self {
        let live = !ui.json() && std::io::stderr().is_terminal();
        let live = live.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(8)));
        Self { ui, clock, live, bars: BTreeMap::new(), told: BTreeMap::new(), failures: BTreeSet::new() }
    }

    pub fn show(&mut self, event: &Event) {
        if self.ui.json() {
            line(self.ui, &self.clock, event);
        } else {
            self.text(event);
        }
    }

    /// Failures that no event has told: an upload's, the lease's.
    pub fn untold<'a>(&self, failed: &'a [String]) -> Vec<&'a String> {
        failed.iter().filter(|failure| !self.failures.contains(*failure)).collect()
    }

    fn text(&mut self, event: &Event) {
        match event {
            Event::Started { address, verb } => self.begin(&address.to_string(), verb.doing()),
            Event::Progress { address, message } => self.progress(&address.to_string(), message),
            Event::Finished { address, verb, id, seconds } => {
                self.end(&address.to_string());
                let id = id.as_deref().filter(|id| !address.to_string().ends_with(id)).unwrap_or_default();
                let took = lasting(Duration::from_secs_f64(*seconds));
                let style = if *verb == Verb::Delete { YELLOW } else { GREEN };
                self.line(&format!("{style}{:>8}{style:#} {address}  {id}  {DIM}{took}{DIM:#}", verb.done()));
            }
            Event::Failed { address, verb, error, hint } => {
                self.end(&address.to_string());
                self.failures.insert(format!("{address}: {error}"));
                self.line(&format!("{RED}{:>8}{RED:#} {} {address}: {error}", "failed", verb.doing()));
                if let Some(hint) = hint {
                    self.line(&format!("         {CYAN}help{CYAN:#}: {hint}"));
                }
            }
            Event::Skipped { address, verb, because } => {
                self.line(&format!("{DIM}{:>8} {} {address}: {because}{DIM:#}", "skipped", verb.doing()));
            }
            Event::Upload { to, files, of, bytes: size, .. } if files == of => {
                self.end(to);
                self.line(&format!(
                    "{GREEN}{:>8}{GREEN:#} {}, {} -> {to}",
                    "sent",
                    counted(*files, "file"),
                    bytes(*size)
                ));
            }
            Event::Upload { to, files, of, bytes: size, seconds } => {
                self.progress(to, &sending(*files, *of, *size, *seconds));
            }
            Event::Removed { from, objects } => {
                self.line(&format!("{YELLOW}{:>8}{YELLOW:#} {} of {from}", "deleted", counted(*objects, "object")));
            }
            Event::Step { id, state, message } => {
                let message = message.as_deref().map_or_else(String::new, |m| format!("  {m}"));
                self.line(&format!("{:>8} {id}{message}", state.to_lowercase()));
            }
            Event::Note { message } => self.line(&format!("{DIM}{:>8} {message}{DIM:#}", "")),
            Event::Summary(_) => self.clear(),
        }
    }

    fn line(&self, text: &str) {
        match &self.live {
            // Above the live lines, not through them.
            Some(live) => live.suspend(|| self.ui.tell(text)),
            None => self.ui.tell(text),
        }
    }

    fn begin(&mut self, key: &str, doing: &str) {
        if let Some(live) = &self.live {
            let style = ProgressStyle::with_template("{spinner:>8} {prefix} {wide_msg:.dim}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = live.add(ProgressBar::new_spinner().with_style(style).with_prefix(format!("{doing} {key}")));
            bar.enable_steady_tick(Duration::from_millis(120));
            self.bars.insert(key.to_owned(), bar);
        }
    }

    fn progress(&mut self, key: &str, message: &str) {
        if self.live.is_some() {
            if !self.bars.contains_key(key) {
                self.begin(key, "");
            }
            if let Some(bar) = self.bars.get(key) {
                bar.set_message(message.to_owned());
            }
            return;
        }
        let due = self.told.get(key).is_none_or(|(at, last)| at.elapsed() >= SELDOM && last != message);
        if due {
            self.told.insert(key.to_owned(), (Instant::now(), message.to_owned()));
            self.ui.say(format!("{DIM}{:>8} {key}: {message}{DIM:#}", "..."));
        }
    }

    fn end(&mut self, key: &str) {
        if let Some(bar) = self.bars.remove(key) {
            bar.finish_and_clear();
        }
    }

    fn clear(&mut self) {
        for bar in std::mem::take(&mut self.bars).into_values() {
            bar.finish_and_clear();
        }
    }
}
/// How far an upload is, how fast, and how long it still takes if it goes on so.
fn sending(files: usize, of: usize, size: u64, seconds: f64) -> String {
    let mut told = format!("sending {} of {}, {}", grouped(files as u64), grouped(of as u64), bytes(size));
    // The first answers tell nothing of those that follow.
    if seconds >= 1.0 {
        #[expect(clippy::cast_precision_loss, reason = "files of an upload")]
        let (sent, left) = (files as f64, (of - files) as f64);
        let rest = lasting(Duration::from_secs_f64(left * seconds / sent));
        let _ = write!(told, ", {:.0} files/s, {rest} left", sent / seconds);
    }
    told
}
