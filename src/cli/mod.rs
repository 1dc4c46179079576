//! The commands: one file each, arguments and what it does. A command asks the rooms below and shows what
//! they answer; it decides nothing about AWS.

mod change;
mod completions;
mod cost;
mod destroy;
mod diff;
mod doctor;
mod down;
mod end;
mod evidence;
mod explain;
mod extend;
mod guard;
mod guard_finish;
mod guard_install;
mod guard_told;
mod import;
mod init;
mod local;
mod logs;
mod man;
mod plan;
mod present;
mod prices;
mod render;
mod results;
mod run;
mod schema;
mod session;
mod status;
mod sync;
mod up;
mod validate;
mod writer;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::blueprint::MaterialError;
use crate::cloud::error::{Class, CloudError};
use crate::local::LocalError;
use crate::plan::PlanError;
use crate::policy::Refusal;
use crate::price::table::AS_OF;
use crate::python::PythonError;
use crate::script::ScriptError;
use crate::ui::{CYAN, Output, RED, Ui, snippet, width};
use crate::wheels::WheelsError;

pub const DONE: u8 = 0;
pub const FAILED: u8 = 1;
pub const USAGE: u8 = 2;
pub const REFUSED: u8 = 3;
pub const HELD: u8 = 4;
pub const INTERRUPTED: u8 = 5;
pub const JOB_FAILED: u8 = 6;

/// Spark on AWS EMR, in the EU, for as long as a demo lasts.
#[derive(Debug, Parser)]
#[command(name = "fruitsinfra", version = version(), max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// `0.1.0 (a1b2c3d4e5f6, prices of 2025-03)`: what was built, and how old what it carries is.
fn version() -> String {
    format!("{} ({}, prices of {AS_OF})", env!("CARGO_PKG_VERSION"), env!("FRUITSINFRA_COMMIT"))
}

#[derive(Clone, Debug, clap::Args)]
pub struct Global {
    /// Use the embedded AWS: no credentials, no account, loopback only
    #[arg(long, global = true)]
    local: bool,
    /// What stdout holds
    #[arg(long, global = true, value_enum, default_value_t)]
    output: Output,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: Color,
    /// Say more: every host that was called
    #[arg(short, long, global = true)]
    verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

impl Global {
    fn ui(&self) -> Ui {
        Ui { output: self.output, verbose: self.verbose }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Import(import::Args),
    Validate(validate::Args),
    Explain(explain::Args),
    Present(present::Args),
    Evidence(evidence::Args),
    Doctor(doctor::Args),
    Plan(plan::Args),
    Up(up::Args),
    Extend(extend::Args),
    Sync(sync::Args),
    Run(run::Args),
    Status(status::Args),
    Logs(logs::Args),
    Results(results::Args),
    Cost(cost::Args),
    Prices(prices::Args),
    Diff(diff::Args),
    Down(down::Args),
    Destroy(destroy::Args),
    Guard(guard::Args),
    Render(render::Args),
    Local(local::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Why a command ends with something else than 0.
#[derive(Debug)]
pub struct Failure {
    exit: u8,
    message: String,
    hint: Option<String>,
}

impl Failure {
    fn new(exit: u8, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None }
    }

    fn failed(message: impl Into<String>) -> Self {
        Self::new(FAILED, message)
    }

    fn usage(message: impl Into<String>) -> Self {
        Self::new(USAGE, message)
    }

    fn refused(message: impl Into<String>) -> Self {
        Self::new(REFUSED, message)
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl From<CloudError> for Failure {
    fn from(error: CloudError) -> Self {
        let exit = match error.class {
            Class::Refused => REFUSED,
            Class::Interrupted => INTERRUPTED,
            _ => FAILED,
        };
        let hint = error.hint();
        Self { exit, message: error.to_string(), hint }
    }
}

impl From<Vec<Refusal>> for Failure {
    fn from(refusals: Vec<Refusal>) -> Self {
        Self::refused(session::refused(&refusals))
    }
}

impl From<MaterialError> for Failure {
    fn from(error: MaterialError) -> Self {
        match error {
            MaterialError::Script(ScriptError::Refused(broken)) => {
                let style = snippet::Style { width: width(), ..snippet::Style::default() };
                Self::usage(format!("{broken}\n\n{}", snippet::render(&broken.findings, &broken.sources, style)))
            }
            error => Self::usage(error.to_string()),
        }
    }
}

impl From<WheelsError> for Failure {
    fn from(error: WheelsError) -> Self {
        let exit = if error.of_the_stack() { USAGE } else { FAILED };
        let hint = error.hint();
        match error {
            WheelsError::Cloud(error) => error.into(),
            error => Self { exit, message: error.to_string(), hint },
        }
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<LocalError> for Failure {
    fn from(error: LocalError) -> Self {
        Self::failed(error.to_string())
    }
}

impl From<PythonError> for Failure {
    fn from(error: PythonError) -> Self {
        Self::failed(error.to_string())
    }
}

/// How a command ended.
type Ended = Result<u8, Failure>;

/// Reads the command line and carries it out.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.global.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let ui = cli.global.ui();
    let ended = if forms(&cli.command).contains(&ui.output) {
        carry_out(&cli)
    } else {
        Err(Failure::usage(format!("this command has no {:?} form", ui.output).to_lowercase()))
    };
    match ended {
        Ok(code) => code.into(),
        Err(Failure { exit: DONE, message, .. }) => {
            ui.say(message);
            DONE.into()
        }
        Err(Failure { exit, message, hint }) => {
            ui.say(format!("{RED}error{RED:#}: {message}"));
            if let Some(hint) = hint {
                ui.say(format!("{CYAN}help{CYAN:#}: {hint}"));
            }
            exit.into()
        }
    }
}

/// The forms of output a command has.
fn forms(command: &Command) -> &'static [Output] {
    match command {
        Command::Init(_) | Command::Completions(_) | Command::Man(_) | Command::Render(_) | Command::Logs(_) => {
            &[Output::Text]
        }
        Command::Validate(_) => &[Output::Text, Output::Json, Output::Sarif, Output::Github],
        Command::Guard(args) if args.installs() => &[Output::Text],
        Command::Results(_) => &[Output::Text, Output::Json, Output::Html],
        Command::Explain(_) | Command::Present(_) => &[Output::Text, Output::Json, Output::Markdown],
        Command::Diff(_) | Command::Evidence(_) => &[Output::Text, Output::Json, Output::Markdown, Output::Html],
        _ => &[Output::Text, Output::Json],
    }
}

fn carry_out(cli: &Cli) -> Ended {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Failure::failed(e.to_string()))?;
    let ended = runtime.block_on(dispatch(&cli.global, &cli.command));
    // A question that nobody answers any more would be waited for.
    runtime.shutdown_background();
    ended
}

async fn dispatch(global: &Global, command: &Command) -> Ended {
    match command {
        Command::Init(args) => init::run(global, args),
        Command::Import(args) => import::run(global, args).await,
        Command::Validate(args) => validate::run(global, args),
        Command::Explain(args) => explain::run(global, args),
        Command::Present(args) => present::run(global, args),
        Command::Evidence(args) => evidence::run(global, args).await,
        Command::Doctor(args) => doctor::run(global, args).await,
        Command::Plan(args) => plan::run(global, args).await,
        Command::Up(args) => up::run(global, args).await,
        Command::Extend(args) => extend::run(global, args).await,
        Command::Sync(args) => sync::run(global, args).await,
        Command::Run(args) => run::run(global, args).await,
        Command::Status(args) => status::run(global, args).await,
        Command::Logs(args) => logs::run(global, args).await,
        Command::Results(args) => results::run(global, args).await,
        Command::Prices(args) => prices::run(global, args).await,
        Command::Cost(args) => cost::run(global, args).await,
        Command::Diff(args) => diff::run(global, args),
        Command::Down(args) => down::run(global, args).await,
        Command::Destroy(args) => destroy::run(global, args).await,
        Command::Guard(args) => guard::run(global, args).await,
        Command::Render(args) => render::run(global, args).await,
        Command::Local(args) => local::run(global, args).await,
        Command::Schema(args) => schema::run(global, args),
        Command::Completions(args) => Ok(completions::run(global, args, &mut Cli::command())),
        Command::Man(args) => man::run(global, args, Cli::command()),
    }
}
