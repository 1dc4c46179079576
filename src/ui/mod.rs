//! Everything a person or a script sees. Rooms below return facts; here they become text, JSON lines or
//! progress. Only this room and `cli` print.

pub mod codes;
pub mod cost;
pub mod doctor;
pub mod events;
pub mod evidence;
pub mod fold;
pub mod github;
pub mod guard;
pub mod ledger;
pub mod markdown;
pub mod plan;
pub mod results;
pub mod review;
pub mod sarif;
pub mod snippet;
pub mod table;
pub mod talk;

use std::borrow::Cow;
use std::io::{IsTerminal, Write};

use anstyle::{AnsiColor, Style};

/// What stdout holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    #[default]
    Text,
    Json,
    Markdown,
    Html,
    Sarif,
    Github,
}

/// Where words go: data to stdout, words for people to stderr where stdout is data.
#[derive(Clone, Copy, Debug)]
pub struct Ui {
    pub output: Output,
    pub verbose: bool,
}

pub const BOLD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();
pub const GREEN: Style = AnsiColor::Green.on_default();
pub const YELLOW: Style = AnsiColor::Yellow.on_default();
pub const RED: Style = AnsiColor::Red.on_default();
pub const CYAN: Style = AnsiColor::Cyan.on_default();

impl Ui {
    pub fn json(self) -> bool {
        self.output == Output::Json
    }

    /// Data, or what a person asked for. A closed pipe ends nothing that is underway.
    pub fn out(self, text: impl AsRef<str>) {
        // In one piece: line by line, a long report would be thousands of writes.
        let mut whole = anstream::AutoStream::new(Vec::new(), anstream::AutoStream::choice(&std::io::stdout()));
        let _ = writeln!(whole, "{}", text.as_ref());
        let _ = std::io::stdout().write_all(&whole.into_inner());
    }

    /// The same of what a person reads: in a window, lines end where words do.
    pub fn tell(self, text: impl AsRef<str>) {
        self.out(fitted(text.as_ref(), std::io::stdout().is_terminal()));
    }

    pub fn data(self, value: &impl serde::Serialize) {
        match serde_json::to_string(value) {
            Ok(text) => self.out(text),
            Err(error) => self.say(format!("{RED}error{RED:#}: {error}")),
        }
    }

    /// A word for the person.
    pub fn say(self, text: impl AsRef<str>) {
        let _ = writeln!(anstream::stderr(), "{}", fitted(text.as_ref(), std::io::stderr().is_terminal()));
    }

    pub fn warn(self, text: impl std::fmt::Display) {
        self.say(format!("{YELLOW}warning{YELLOW:#}: {text}"));
    }

    /// Text where text is asked for; nothing where stdout holds JSON.
    pub fn text(self, text: impl AsRef<str>) {
        if self.output == Output::Text {
            self.tell(text);
        }
    }

    /// Asks a person for a word, and takes what is usual for none; `None` if nobody is there.
    pub fn answer(self, question: &str, usual: &str) -> Option<String> {
        let answer = typed(question, usual)?;
        Some(if answer.is_empty() { usual.to_owned() } else { answer })
    }

    /// Asks a person for a yes, which has to be typed; `None` if nobody is there.
    pub fn ask(self, question: &str) -> Option<bool> {
        Some(["y", "yes"].contains(&typed(question, "y/N")?.to_lowercase().as_str()))
    }
}

/// The text as it is, or folded where a window shows it.
fn fitted(text: &str, in_window: bool) -> Cow<'_, str> {
    if in_window { fold::folded(text, width()).into() } else { text.into() }
}

/// What a person types; `None` if nobody is there, which the end of the input says too.
fn typed(question: &str, hint: &str) -> Option<String> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return None;
    }
    let _ = write!(anstream::stderr(), "{BOLD}{question}{BOLD:#} [{hint}] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer).ok()?;
    (read > 0).then(|| answer.trim().to_owned())
}

/// Columns of the terminal, or what fits everywhere.
pub fn width() -> usize {
    let named = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let seen = || terminal_size::terminal_size().map(|(columns, _)| usize::from(columns.0));
    named.or_else(seen).unwrap_or(100).clamp(60, 160)
}
