//! When a cluster ends, as a person says it: local time in, a moment out, and the date and zone said back. It reads no
//! clock itself.

use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use super::Failure;
use crate::plan::{Action, Plan, Step};
use crate::stack::{Period, Stack};

/// What `up` takes.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct End {
    /// End the cluster at this local time (18:00, or "2026-01-31 18:00")
    #[arg(long, value_name = "TIME", conflicts_with = "lasting")]
    until: Option<String>,
    /// End the cluster after this long from now (3h)
    #[arg(long = "for", value_name = "TIME")]
    lasting: Option<Period>,
}

impl End {
    /// The moment meant, if one is said.
    pub(super) fn at(&self, now: Timestamp, zone: &TimeZone) -> Result<Option<Timestamp>, Failure> {
        match (&self.until, self.lasting) {
            (Some(said), _) => until(said, now, zone).map(Some).map_err(|problem| {
                Failure::usage(problem).hint("write it as in 18:00, or \"2026-01-31 18:00\", in local time")
            }),
            (None, Some(lasting)) => {
                let at = now.checked_add(Duration::from(lasting));
                at.map(Some).map_err(|_| Failure::usage(format!("{lasting} from now is beyond all calendars")))
            }
            (None, None) => Ok(None),
        }
    }
}

/// The next 18:00, or the moment of a date and time.
fn until(said: &str, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, String> {
    // A zone of its own would be read over.
    if said.contains(['Z', 'z', '+', '[']) || said.chars().skip(16).any(|c| c == '-') {
        return Err(format!("`{said}` names a zone, and local time is meant"));
    }
    let local = now.to_zoned(zone.clone());
    let time: Result<Time, _> = said.parse();
    let at = match time {
        Ok(time) if said.len() <= 8 => {
            let today = local.date().to_datetime(time).to_zoned(zone.clone()).map_err(|e| e.to_string())?;
            if today.timestamp() > now {
                today
            } else {
                let tomorrow = local.date().checked_add(1.day()).map_err(|e| e.to_string())?;
                tomorrow.to_datetime(time).to_zoned(zone.clone()).map_err(|e| e.to_string())?
            }
        }
        _ => {
            let at: DateTime = said.parse().map_err(|_| format!("`{said}` is no time of day and no date with one"))?;
            at.to_zoned(zone.clone()).map_err(|e| e.to_string())?
        }
    };
    let at = at.timestamp();
    if at <= now { Err(format!("{} is over", local_words(at, zone))) } else { Ok(at) }
}

/// `2026-01-31 18:00 CET (Europe/Paris)`.
pub(super) fn local_words(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned(zone.clone());
    let place =
        zone.iana_name().filter(|name| !name.ends_with("UTC")).map_or_else(String::new, |name| format!(" ({name})"));
    format!("{}{place}", local.strftime("%Y-%m-%d %H:%M %Z"))
}

/// What a plan says about the end of the cluster that it starts or changes.
pub(super) fn words<E>(plan: &Plan<E>, stack: &Stack, until: Option<Timestamp>) -> Option<String> {
    let starts =
        |step: &Step<E>| step.address.kind == "cluster" && matches!(step.action, Action::Create | Action::Replace(_));
    let when = match until {
        Some(at) => Some(local_words(at, &TimeZone::system())),
        None => plan.steps.iter().any(starts).then(|| format!("{} after it is asked for", stack.limits.lifetime)),
    };
    let protected = stack.cluster.as_ref().is_some_and(|cluster| cluster.termination_protection);
    let how = if protected { "if nobody protects it any more by then" } else { "by AWS itself" };
    when.map(|when| format!("{when}, {how}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(said: &str) -> Result<String, String> {
        let zone = TimeZone::get("Europe/Paris").expect("a zone");
        let now = "2026-01-31T15:30:00Z".parse().expect("a moment");
        until(said, now, &zone).map(|at| local_words(at, &zone))
    }

    #[test]
    fn a_time_of_day_is_its_next_and_said_back_with_date_and_zone() {
        assert_eq!(meant("18:00").as_deref(), Ok("2026-01-31 18:00 CET (Europe/Paris)"));
        assert_eq!(meant("16:30").as_deref(), Ok("2026-02-01 16:30 CET (Europe/Paris)"), "now is no end");
        assert_eq!(meant("2026-02-02 09:15").as_deref(), Ok("2026-02-02 09:15 CET (Europe/Paris)"));
        assert_eq!(meant("2026-01-31 09:15"), Err("2026-01-31 09:15 CET (Europe/Paris) is over".into()));
        assert!(meant("tomorrow").is_err() && meant("25:00").is_err() && meant("").is_err());
    }

    proptest::proptest! {
        /// Whatever is typed has an answer, and an end is never over.
        #[test]
        fn no_text_is_too_odd(said in "[0-9:T .+Zz/\\-]{0,24}|\\PC{0,24}") {
            let now: Timestamp = "2026-01-31T15:30:00Z".parse().expect("a moment");
            if let Ok(at) = until(&said, now, &TimeZone::UTC) {
                proptest::prop_assert!(at > now);
            }
        }
    }

    /// On the night that clocks are put back, 02:30 comes twice: the first is meant. Put forward, it never comes.
    #[test]
    fn nights_when_clocks_change_have_an_end_too() {
        let zone = TimeZone::get("Europe/Paris").expect("a zone");
        let autumn: Timestamp = "2026-10-24T20:00:00Z".parse().expect("a moment");
        assert_eq!(until("02:30", autumn, &zone).map(|at| at.to_string()).as_deref(), Ok("2026-10-25T00:30:00Z"));
        let spring: Timestamp = "2026-03-28T20:00:00Z".parse().expect("a moment");
        assert_eq!(until("02:30", spring, &zone).map(|at| at.to_string()).as_deref(), Ok("2026-03-29T01:30:00Z"));
    }
}
