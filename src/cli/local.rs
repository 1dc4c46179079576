//! `local`: the embedded AWS, started, stopped, looked at.

use super::{DONE, Ended, FAILED, Failure, Global};
use crate::local;
use crate::ui::{DIM, GREEN};

/// Start, stop and look at the embedded AWS
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Start it unless it runs, and return when it serves
    Start {
        /// The port to serve on; a free one if it is taken
        #[arg(long)]
        port: Option<u16>,
        /// How many of its seconds pass in a real one while no step runs
        #[arg(long)]
        rate: Option<f64>,
        /// Which model of AWS to stand on
        #[arg(long, value_parser = ["ministack", "moto"])]
        model: Option<String>,
    },
    /// Stop it, with everything in it
    Stop,
    /// Say whether and where it runs
    Status,
    /// Print its log
    Logs,
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    let ui = global.ui();
    match &args.what {
        What::Start { port, rate, model } => {
            let options = local::Options { port: *port, rate: *rate, model: model.clone() };
            let status = local::start(&options, |line| ui.say(line)).await?;
            show(global, Some(&status));
            Ok(DONE)
        }
        What::Stop => {
            let stopped = local::stop().await?;
            if ui.json() {
                show(global, None);
            } else {
                ui.out(if stopped {
                    "The embedded AWS is stopped; everything in it is gone."
                } else {
                    "No embedded AWS runs."
                });
            }
            Ok(DONE)
        }
        What::Status => {
            let status = local::status().await;
            show(global, status.as_ref());
            Ok(if status.is_some() { DONE } else { FAILED })
        }
        What::Logs => {
            let path = local::folder().join("server.log");
            let text = std::fs::read_to_string(&path);
            ui.out(text.map_err(|e| Failure::failed(format!("{} cannot be read: {e}", path.display())))?);
            Ok(DONE)
        }
    }
}

fn show(global: &Global, status: Option<&local::Status>) {
    let ui = global.ui();
    if ui.json() {
        let (endpoint, pid) = (status.map(|s| &s.endpoint), status.map(|s| s.pid));
        let regions = status.map(|s| s.regions.clone()).unwrap_or_default();
        ui.data(&serde_json::json!({"running": status.is_some(), "endpoint": endpoint, "pid": pid, "regions": regions, "model": status.map(|s| &s.model)}));
        return;
    }
    match status {
        Some(status) => ui.out(format!(
            "{GREEN}The embedded AWS serves{GREEN:#} at {} {DIM}(process {}, account {}, on {}){DIM:#}",
            status.endpoint, status.pid, status.account, status.model
        )),
        None => ui.out("No embedded AWS runs: `fruitsinfra local start` starts one."),
    }
}
