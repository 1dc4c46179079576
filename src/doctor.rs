//! What `up` would stumble over, found before it costs anything: in the stack alone, and in the account and region that it
//! would live in. Each look is one line; one that fails stops no other. It changes nothing.

mod account;
mod place;

use jiff::civil::Date;
use serde::Serialize;

use crate::cloud::error::{Class, CloudError};
use crate::policy;
use crate::price::{self, Table};
use crate::resource::Cx;
use crate::stack::facts::support;
use crate::stack::{Cluster, Stack};
use crate::text::counted;

/// What came of a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Ok,
    /// `up` goes on, and somebody may wish that it had not.
    Warning,
    /// `up` would fail.
    Mend,
    /// It may not be asked.
    Unasked,
}

/// One look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    pub check: &'static str,
    pub status: Status,
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Line {
    fn new(check: &'static str, status: Status, message: impl Into<String>) -> Self {
        Self { check, status, message: message.into(), hint: None }
    }

    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Status::Ok, message)
    }

    fn warning(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Status::Warning, message)
    }

    fn mend(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, Status::Mend, message)
    }

    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// A question that was not answered.
    fn of(check: &'static str, error: &CloudError) -> Self {
        let status = if error.class == Class::Denied { Status::Unasked } else { Status::Mend };
        Self { hint: error.hint(), ..Self::new(check, status, error.to_string()) }
    }
}

/// The line, or the one that says why there is none.
fn told(check: &'static str, asked: Result<Line, CloudError>) -> Line {
    asked.unwrap_or_else(|error| Line::of(check, &error))
}

/// What can be told without a connection. `findings` is how many the stack has that are worth a word.
pub fn alone(stack: &Stack, findings: usize, today: Date, prices: &Table) -> Vec<Line> {
    let mut lines = vec![match findings {
        0 => Line::ok("stack", "it can be worked with, and nothing is found in it"),
        n => Line::warning("stack", format!("it can be worked with; {} above", counted(n, "finding"))),
    }];
    if let Some(cluster) = &stack.cluster {
        lines.push(supported(cluster, today));
        lines.push(affordable(stack, prices));
    }
    lines
}

fn supported(cluster: &Cluster, today: Date) -> Line {
    let release = cluster.release;
    match support(release) {
        Some((until, false)) if today <= until => {
            Line::ok("support", format!("{release} has AWS's standard support until {until}"))
        }
        Some((until, _)) => {
            Line::warning("support", format!("AWS's standard support of {release} has ended, on {until} or before"))
                .hint("choose a release of the last two years")
        }
        None => Line::ok("support", format!("no end of AWS's standard support of {release} is known here")),
    }
}

fn affordable(stack: &Stack, prices: &Table) -> Line {
    let cost = price::estimate(stack, prices, stack.limits.lifetime.into());
    if let Some((_, message)) = policy::exceeded(&stack.limits, &cost).next() {
        return Line::mend("price", message);
    }
    let (Some(hour), Some(life)) = (cost.hourly.total, cost.lives.until_end) else {
        return Line::warning("price", format!("not known: {}", cost.unknown.join(", ")))
            .hint("`fruitsinfra prices update` asks AWS's price list");
    };
    let bounds = [("an hour", stack.limits.hourly), ("a demo", stack.limits.demo)];
    let bounds: Vec<String> =
        bounds.into_iter().filter_map(|(what, bound)| Some(format!("{} {what}", bound?))).collect();
    let within =
        if bounds.is_empty() { "the stack sets no limit".into() } else { format!("within {}", bounds.join(" and ")) };
    let message = format!("{hour:.2} USD an hour, {life:.2} USD for {}; {within}", stack.limits.lifetime);
    if bounds.is_empty() {
        Line::warning("price", message).hint("`limits: {hourly: 2 USD}` refuses what costs more")
    } else {
        Line::ok("price", message)
    }
}

/// What only AWS can tell. Without credentials that is one line. On the `embedded` AWS they are nobody's.
pub async fn asked(cx: &Cx, stack: &Stack, prices: &Table, embedded: bool) -> Vec<Line> {
    let caller = match cx.cloud.caller().await {
        Ok(caller) => caller,
        Err(error) => {
            let unknown = Line::mend("credentials", error.to_string());
            let mend = error.hint().unwrap_or_else(|| "see that AWS can be reached, and ask again".into());
            // Where a region is off, nobody's credentials are known.
            let off = match (&error.code, cx.cloud.region.opt_in()) {
                (Some(_), true) => format!("; or {}", account::enable(cx.cloud.region)),
                _ => String::new(),
            };
            return vec![unknown.hint(format!("{mend}{off}"))];
        }
    };
    let credentials = account::credentials(&caller, embedded);
    let (account, place) = futures::join!(account::lines(cx, stack, prices, &caller), place::lines(cx, stack));
    std::iter::once(credentials).chain(account).chain(place).collect()
}
