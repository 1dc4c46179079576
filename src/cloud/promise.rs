//! What a cluster is promised from birth, in tags beside its mark: its end, its idle bound, where its stack's own
//! things are, and whether its protection may be lifted. The guard has no stack file, and knows no more than this.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

pub const EXPIRES: &str = "fruitsinfra:expires";
const STACKS_HOME: &str = "fruitsinfra:home";
pub const IDLE: &str = "fruitsinfra:idle_seconds";
pub const LIFTABLE: &str = "fruitsinfra:protection_may_be_lifted";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The stack's own bucket: lease, ledger.
    pub home: String,
    /// When it ends, whatever it does then.
    pub expires: Timestamp,
    /// The longest it may idle.
    pub idle: Duration,
    /// Whether whoever ends it at its end may lift its termination protection.
    pub liftable: bool,
}

impl Promise {
    /// The tags, to be sent in the create call itself. A moment is cut to its second, in UTC.
    pub fn tags(&self) -> BTreeMap<String, String> {
        let Self { home, expires, idle, liftable } = self;
        [
            (STACKS_HOME, home.clone()),
            (EXPIRES, moment(*expires)),
            (IDLE, idle.as_secs().to_string()),
            (LIFTABLE, liftable.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }

    /// Reads it from a cluster's tags; `None` if any part is missing or cannot be read.
    pub fn read(tags: &BTreeMap<String, String>) -> Option<Self> {
        let get = |key: &str| tags.get(key);
        Some(Self {
            home: get(STACKS_HOME)?.clone(),
            expires: get(EXPIRES)?.parse().ok()?,
            idle: Duration::from_secs(get(IDLE)?.parse().ok()?),
            liftable: get(LIFTABLE)?.parse().ok()?,
        })
    }
}

/// `2026-01-31T18:00:00Z`, as tags and schedules hold it.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_reads_back_from_its_tags_and_half_of_one_is_none() {
        let promise = Promise {
            home: "demo-home-000000000000".into(),
            expires: "2026-01-31T18:00:00Z".parse().expect("a moment"),
            idle: Duration::from_mins(45),
            liftable: false,
        };
        let mut tags = promise.tags();
        assert_eq!(tags[EXPIRES], "2026-01-31T18:00:00Z");
        assert_eq!(Promise::read(&tags), Some(promise));
        tags.insert(EXPIRES.into(), "soon".into());
        assert_eq!(Promise::read(&tags), None);
    }
}
