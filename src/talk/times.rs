//! When what is done of a demonstration: its minutes, from the life that the stack's limits let a cluster have and from what
//! is known of starts and runs. Pure arithmetic; it knows no words.

use serde::Serialize;

use super::facts;
use crate::review::START;
use crate::stack::{Job, Stack};

/// What a defence takes, in minutes.
const TALK: i64 = 20;

/// When the results of the live run are shown.
const RESULTS: i64 = 15;

/// From the start of the cluster to the talk: a start that takes its longest (a quarter of an hour), a second try, and a
/// first run of the job; and the least, for stacks that may not live so long.
const LEAD: [i64; 2] = [20, 40];

/// From the end of the talk to the end that AWS itself makes, for questions that take longer; and the least.
const AFTER: [i64; 2] = [5, 25];

/// Images that one core sends through the network in a second, at the least: `IMAGES_PER_PARTITION` of the template take
/// it less than ten seconds.
pub const RATE: u64 = 25;

/// What a run takes beside its images, in minutes: Spark's start, TensorFlow's import, the decomposition, the writing.
pub const AROUND: u64 = 2;

/// The longest run that is shown live.
const LIVE: i64 = 8;

/// A start that takes its longest, with the bootstrap: FI125 says it too.
const START_AT_MOST: i64 = 15;

/// Minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Times {
    /// From the cluster's start to the talk.
    pub lead: i64,
    pub talk: i64,
    /// From the talk's end to the end that AWS makes.
    pub after: i64,
    /// What a start usually takes.
    pub start: i64,
    /// What a run takes by estimate; none where the images are not on this machine, or the cores are not known.
    pub run: Option<i64>,
    /// When the job runs a first time, from the talk's beginning; none where it runs once.
    pub first: Option<i64>,
    /// When it runs to be shown: in the talk, or before it where it takes too long for that.
    pub live: i64,
    /// When its results are shown.
    pub results: i64,
    /// How long the cluster has no work before that run.
    pub idle: i64,
}

/// What fits into the life that the stack's limits let a cluster have.
pub(super) fn times(stack: &Stack, job: &Job, images: Option<u64>) -> Times {
    let life = i64::try_from(stack.limits.lifetime.as_secs() / 60).unwrap_or(i64::MAX);
    let [least_lead, most_lead] = LEAD;
    let [least_after, most_after] = AFTER;
    // What is short of time gives up its margin first, and then its second try.
    let after = life.saturating_sub(most_lead + TALK).clamp(least_after, most_after);
    let lead = life.saturating_sub(TALK + after).clamp(least_lead, most_lead);
    let start = i64::try_from(START.as_secs() / 60).unwrap_or(i64::MAX);
    let workers = facts::spread(stack.cluster.as_ref(), job).workers;
    let around = AROUND.cast_signed();
    let run = images.zip(workers).and_then(|(images, workers)| {
        i64::try_from(images.div_ceil(RATE * 60 * workers.least.max(1))).ok()?.checked_add(around)
    });
    let told = run.unwrap_or(around + 2);
    // A run that is long is over before the talk; a short one runs in it, and where there is time for it, before it too.
    let (live, twice) = if told > LIVE {
        (START_AT_MOST - lead, false)
    } else {
        (RESULTS - 1 - told.max(5), lead >= 2 * START_AT_MOST)
    };
    let first = twice.then(|| -(lead - START_AT_MOST - 5).clamp(5, 20));
    let idle = live - first.map_or(start - lead, |first| first + told);
    Times { lead, talk: TALK, after, start, run, first, live, results: RESULTS, idle }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TWO, stack};
    use super::*;

    fn planned(limits: &str, images: u64) -> Times {
        let stack = stack(limits, TWO);
        times(&stack, &stack.jobs["features"], Some(images))
    }

    #[test]
    fn times_fit_the_life_that_the_stack_allows() {
        let usual = Times {
            lead: 40,
            talk: 20,
            after: 25,
            start: 8,
            run: Some(3),
            first: Some(-20),
            live: 9,
            results: 15,
            idle: 26,
        };
        assert_eq!(planned("lifetime: 3h", 200), usual);
        let hour = planned("lifetime: 1h", 200);
        assert_eq!((hour.lead, hour.after, hour.first), (35, 5, Some(-15)));
        let short = planned("lifetime: 30m, idle: 20m", 200);
        assert_eq!((short.lead, short.after, short.first, short.live), (20, 5, None, 9));
    }

    #[test]
    fn a_long_run_is_over_before_the_talk_and_a_short_one_runs_in_it() {
        // Eight workers, 25 images a second each: 12,000 a minute.
        let whole = planned("lifetime: 3h", 22_688);
        assert_eq!((whole.run, whole.first, whole.live), (Some(4), Some(-20), 9));
        let long = planned("lifetime: 3h", 90_483);
        assert_eq!((long.run, long.first, long.live), (Some(10), None, -25));
    }
}
