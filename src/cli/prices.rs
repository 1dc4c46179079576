//! `prices update`: what AWS's Price List says today, kept in the user's cache over the table that the program carries.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::session::connect;
use super::{DONE, Ended, Failure, Global};
use crate::cloud::price_list::Quotes;
use crate::price::Table;
use crate::price::table::Update;
use crate::python;
use crate::residency::EuRegion;
use crate::stack::facts::instance_types;
use crate::text::counted;
use crate::ui::{GREEN, Ui};

/// Read today's prices from AWS
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Refresh the price table in the user's cache from AWS's Price List
    Update {
        /// Regions to ask for; all of the EU's without
        #[arg(long = "region", value_name = "REGION")]
        regions: Vec<EuRegion>,
    },
}

/// The table that costs are told from: the carried one, and over it what was read since.
pub(super) fn table(ui: Ui) -> Table {
    let mut table = Table::built_in();
    for (region, update) in kept(ui) {
        table.update(region, &update);
    }
    table
}

fn path() -> PathBuf {
    python::cache().join("prices.json")
}

/// What was read before. A file that is not ours is said aloud, and passed by.
fn kept(ui: Ui) -> BTreeMap<EuRegion, Update> {
    let path = path();
    let Ok(text) = std::fs::read(&path) else { return BTreeMap::new() };
    serde_json::from_slice(&text).unwrap_or_else(|problem| {
        let path = path.display();
        ui.warn(format!("{path} is no table of prices ({problem}); `fruitsinfra prices update` writes it anew"));
        BTreeMap::new()
    })
}

pub(super) async fn run(global: &Global, args: &Args) -> Ended {
    let (ui, Command::Update { regions }) = (global.ui(), &args.command);
    let asked: Vec<EuRegion> = if regions.is_empty() {
        // The sovereign cloud has a Price List of its own, whose endpoint is not this one.
        EuRegion::ALL.into_iter().filter(|region| region.partition() == EuRegion::EuCentral1.partition()).collect()
    } else {
        regions.clone()
    };
    if let Some(other) = asked.iter().find(|region| region.partition() != EuRegion::EuCentral1.partition()) {
        return Err(Failure::usage(format!("the Price List of {other} is not to be had from eu-central-1")));
    }
    // Prices are the same for everybody: the one endpoint in the EU tells those of all regions.
    let (cloud, clock) = connect(global, EuRegion::EuCentral1).await?;
    let as_of = clock.now().strftime("%Y-%m-%d").to_string();
    let mut table = kept(ui);
    for region in asked {
        let Quotes { ec2, emr, ebs_gp3 } =
            cloud.quotes(region, |name| instance_types().any(|known| known == name)).await?;
        let told = format!("{region}: {}, {} of EMR", counted(ec2.len(), "price"), counted(emr.len(), "fee"));
        if ec2.is_empty() || emr.is_empty() {
            return Err(Failure::failed(format!("{told}: AWS's answer is not whole, and nothing was changed")));
        }
        ui.say(told);
        table.insert(region, Update { as_of: as_of.clone(), ec2, emr, ebs_gp3 });
    }
    let text = serde_json::to_vec_pretty(&table).map_err(|e| Failure::failed(e.to_string()))?;
    let path = path();
    python::write(&path, &text)?;
    if ui.json() {
        ui.data(&table);
    } else {
        ui.out(format!("{GREEN}Prices of {as_of}{GREEN:#} are in {}.", path.display()));
    }
    Ok(DONE)
}
