//! What a stack costs, as a person reads it: what is not known is said, never guessed.

use super::table::table;
use super::{BOLD, DIM, YELLOW};
use crate::price::{Cost, Hourly};

fn usd(amount: Option<f64>) -> String {
    amount.map_or_else(|| "unknown".into(), |amount| format!("{amount:.2} USD"))
}

/// One line under a plan.
pub fn line(cost: &Cost) -> String {
    let Cost { hourly, until_end, forgotten_weekend, unknown, at_most, prices_as_of, .. } = cost;
    let most = if *at_most { "at most " } else { "" };
    let unknown = match unknown.as_slice() {
        [] => String::new(),
        names => format!("; {YELLOW}no price is known{YELLOW:#} of {}", names.join(", ")),
    };
    format!(
        "{BOLD}Cost:{BOLD:#} {most}{} an hour, {} for its whole lifetime, {} if forgotten for a weekend {DIM}(estimates, prices of {prices_as_of}){DIM:#}{unknown}",
        usd(hourly.total),
        usd(*until_end),
        usd(*forgotten_weekend),
    )
}

/// All of it.
pub fn text(cost: &Cost) -> String {
    let Cost { hourly, until_end, forgotten_night, forgotten_weekend, unknown, at_most, prices_as_of, currency } = cost;
    let Hourly { ec2, emr, ebs, ipv4, total } = hourly;
    let cell = |name: &str, amount: &Option<f64>| {
        vec![name.to_owned(), amount.map_or_else(|| "unknown".into(), |a| format!("{a:>8.3} {currency}"))]
    };
    let rows = [
        cell("EC2 an hour", ec2),
        cell("EMR's fee", emr),
        cell("EBS", ebs),
        cell("public IPv4", ipv4),
        cell("an hour", total),
        cell("its whole lifetime", until_end),
        cell("forgotten for a night (12 h)", forgotten_night),
        cell("forgotten for a weekend (62 h)", forgotten_weekend),
    ];
    let most = if *at_most { "\n\nAt most: Spot is priced as on-demand." } else { "" };
    let gaps = match unknown.as_slice() {
        [] => String::new(),
        names => format!("\n\n{YELLOW}No price is known{YELLOW:#} of {}.", names.join(", ")),
    };
    let note =
        format!("{DIM}Estimates before tax, prices of {prices_as_of}; S3 storage and requests are not in it.{DIM:#}");
    format!("{}{most}{gaps}\n\n{note}", table(&[], rows))
}
