//! What a stack costs, as a person reads it: what is not known is said, never guessed.

use super::table::table;
use super::{BOLD, DIM, YELLOW};
use crate::price::{Alternative, Cost, Euros, Hourly, Least, Lives, Requests};
use crate::text::grouped;

fn number(amount: Option<f64>) -> String {
    amount.map_or_else(|| "unknown".into(), |amount| format!("{amount:.3}"))
}

/// `0.86 USD`, `0.50 to 0.86 USD (0.79 EUR)`: the euros are those of the most.
pub fn usd(most: Option<f64>, least: Option<f64>, eur: Option<f64>) -> String {
    let Some(most) = most else { return "unknown".into() };
    let from = least.map_or_else(String::new, |least| format!("{least:.2} to "));
    let euros = eur.map_or_else(String::new, |eur| format!(" ({eur:.2} EUR)"));
    format!("{from}{most:.2} USD{euros}")
}

/// An hour.
fn hour(Cost { hourly, least, eur, .. }: &Cost) -> String {
    let least = least.and_then(|Least { hourly, .. }| hourly.total);
    usd(hourly.total, least, eur.and_then(|Euros { hourly, .. }| hourly))
}

/// One of the lives.
fn life(Cost { lives, least, eur, .. }: &Cost, pick: impl Fn(&Lives) -> Option<f64>) -> String {
    usd(pick(lives), least.and_then(|least| pick(&least.lives)), eur.and_then(|eur| pick(&eur.lives)))
}

fn gaps(cost: &Cost) -> Option<String> {
    let names = cost.unknown.join(", ");
    let told =
        format!("{YELLOW}warning{YELLOW:#}: no price is known of {names}; `fruitsinfra prices update` may find it");
    (!names.is_empty()).then_some(told)
}

/// What a plan says of it.
pub fn lines(cost: &Cost) -> String {
    let Hourly { ec2, emr, ebs, ipv4, .. } = &cost.hourly;
    let parts = format!(
        "EC2 {}, EMR's fee {}, EBS {}, public IPv4 {}",
        number(*ec2),
        number(*emr),
        number(*ebs),
        number(*ipv4)
    );
    let mut told = vec![
        format!("{BOLD}Cost:{BOLD:#} {} an hour {DIM}({parts}){DIM:#}", hour(cost)),
        format!(
            "{BOLD}Life:{BOLD:#} {} until its end, {} if forgotten for a night, {} for a weekend {DIM}(estimates, prices of {}){DIM:#}",
            life(cost, |lives| lives.until_end),
            life(cost, |lives| lives.forgotten_night),
            life(cost, |lives| lives.forgotten_weekend),
            cost.prices_as_of
        ),
    ];
    told.extend(cost.uploads.and_then(uploads));
    told.extend(gaps(cost));
    told.join("\n")
}

/// What the requests of uploads cost; `None` of what rounds to nothing.
pub fn uploads(Requests { puts, usd: cost }: Requests) -> Option<String> {
    let told = cost.is_none_or(|usd| usd >= 0.005);
    told.then(|| format!("{BOLD}Uploads:{BOLD:#} {} for {} requests, once", usd(cost, None, None), grouped(puts)))
}

/// All of it, and what else it could be.
pub fn text(cost: &Cost, fits: Option<&str>, alternatives: &[Alternative]) -> String {
    let Hourly { ec2, emr, ebs, ipv4, .. } = &cost.hourly;
    let cell = |name: &str, amount: String| vec![name.to_owned(), amount];
    let exact = |amount: &Option<f64>| amount.map_or_else(|| "unknown".into(), |amount| format!("{amount:.4} USD"));
    let mut rows = vec![
        cell("EC2 an hour", exact(ec2)),
        cell("EMR's fee", exact(emr)),
        cell("EBS", exact(ebs)),
        cell("public IPv4", exact(ipv4)),
        cell("an hour", hour(cost)),
        cell("until its end", life(cost, |lives| lives.until_end)),
        cell("forgotten for a night (12 h)", life(cost, |lives| lives.forgotten_night)),
        cell("forgotten for a weekend (62 h)", life(cost, |lives| lives.forgotten_weekend)),
    ];
    rows.extend(
        alternatives
            .iter()
            .map(|other| cell(&format!("instead, {}", other.what), format!("{:.2} USD an hour", other.hourly))),
    );
    let mut told = vec![table(&[], rows), String::new()];
    told.extend(
        cost.least.map(|_| "The least is Spot at its best, the most is on-demand; EMR's fee is the same.".into()),
    );
    told.extend(fits.map(str::to_owned));
    told.extend(gaps(cost));
    told.push(format!(
        "{DIM}Estimates before tax, prices of {}; S3 storage and requests are not in it.{DIM:#}",
        cost.prices_as_of
    ));
    told.join("\n")
}
