//! The numbers of the critical review: how long a cluster and one plain machine take for more and more images, what each
//! costs, and from how many images on the cluster is done sooner. Pure arithmetic over the job's own report and the
//! price table; it knows no words.

use serde::Serialize;
use serde_json::Value;

use crate::price::{self, Table};
use crate::review::START;
use crate::stack::{Job, Stack};
use crate::talk::facts::spread;
use crate::talk::times::{AROUND, RATE};

/// What a plain machine takes to start and to install what the job needs, in minutes: our assumption.
const PLAIN_START: f64 = 3.0;

/// A sample, Fruits-360's Test, all of it, and what grows.
const SIZES: [u64; 5] = [200, 22_688, 90_483, 1_000_000, 10_000_000];

#[derive(Debug, PartialEq, Serialize)]
pub struct Weighed {
    /// Images that one core takes in a second.
    pub rate: f64,
    /// Whether the job's report tells that, or it is what we assume at the least.
    pub measured: bool,
    /// Cores of the cluster that work on images; none where the stack does not tell.
    pub workers: Option<u64>,
    /// Minutes until a cluster can be used.
    pub start: f64,
    pub plain_start: f64,
    /// The plain machine: one node of the cluster's first group without EMR.
    pub plain: Option<Machine>,
    /// What the cluster costs by the hour, in USD.
    pub hourly: Option<f64>,
    /// From how many images on the cluster is done sooner; none where it never is.
    pub even: Option<u64>,
    pub sizes: Vec<Size>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Machine {
    pub instance_type: String,
    pub cores: u64,
    /// In USD, without EMR's fee.
    pub hourly: Option<f64>,
}

/// What so many images take, in minutes and USD.
#[derive(Debug, PartialEq, Serialize)]
pub struct Size {
    pub images: u64,
    pub cluster_minutes: Option<f64>,
    pub cluster_usd: Option<f64>,
    pub plain_minutes: Option<f64>,
    pub plain_usd: Option<f64>,
}

/// With the report of a job, where one has run.
pub(super) fn weighed(stack: &Stack, prices: &Table, report: Option<&Value>) -> Weighed {
    let measured = report.and_then(rate);
    let rate = measured.unwrap_or(decimal(RATE));
    let cluster = stack.cluster.as_ref();
    let job = stack.jobs.values().find(|job| job.features().is_some());
    let workers = job.and_then(|job| workers(stack, job));
    let plain = cluster.and_then(|cluster| {
        let name = cluster.core.as_ref().unwrap_or(&cluster.primary).types().map(|(name, _)| name).next()?;
        let cores = crate::stack::facts::instance_type(name)?.vcpu.into();
        Some(Machine { instance_type: name.to_owned(), cores, hourly: prices.ec2(name, stack.region) })
    });
    let hourly = price::estimate(stack, prices, stack.limits.lifetime.into()).hourly.total;
    let start = START.as_secs_f64() / 60.0;
    let took = |start: f64, images: u64, cores: u64| {
        start + decimal(AROUND) + decimal(images) / (rate * decimal(cores.max(1))) / 60.0
    };
    let sizes = SIZES.into_iter().map(|images| {
        let cluster_minutes = workers.map(|workers| took(start, images, workers));
        let plain_minutes = plain.as_ref().map(|plain| took(PLAIN_START, images, plain.cores));
        let usd = |minutes: Option<f64>, hourly: Option<f64>| Some(minutes? * hourly? / 60.0);
        let plain_hour = plain.as_ref().and_then(|plain| plain.hourly);
        Size {
            images,
            cluster_usd: usd(cluster_minutes, hourly),
            plain_usd: usd(plain_minutes, plain_hour),
            cluster_minutes,
            plain_minutes,
        }
    });
    let even = workers.zip(plain.as_ref()).and_then(|(workers, plain)| {
        // start + n/(rate w) = plain start + n/(rate c), in seconds.
        let gain = 1.0 / decimal(plain.cores.max(1)) - 1.0 / decimal(workers.max(1));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive number of images")]
        (gain > 0.0).then(|| ((start - PLAIN_START) * 60.0 * rate / gain).ceil() as u64)
    });
    Weighed {
        rate,
        measured: measured.is_some(),
        workers,
        start,
        plain_start: PLAIN_START,
        hourly,
        even,
        sizes: sizes.collect(),
        plain,
    }
}

#[expect(clippy::cast_precision_loss, reason = "images and cores")]
fn decimal(n: u64) -> f64 {
    n as f64
}

/// Cores that work on images at once, at the least.
fn workers(stack: &Stack, job: &Job) -> Option<u64> {
    spread(stack.cluster.as_ref(), job).workers.map(|range| range.least)
}

/// Images that one core took in a second: a worker's images by the time from its first batch's end to its last's. Its
/// first batch is not counted, for the network is built in it.
fn rate(report: &Value) -> Option<f64> {
    let batch = report["batch"].as_f64()?;
    let each = report["workers"].as_array()?.iter().filter_map(|worker| {
        let took = worker["last_batch"].as_f64()? - worker["first_batch"].as_f64()?;
        let images = worker["images"].as_f64()? - batch;
        (took > 0.0 && images > 0.0).then_some((images, took))
    });
    let (images, seconds) = each.fold((0.0, 0.0), |(images, seconds), (i, s)| (images + i, seconds + s));
    (seconds > 0.0).then(|| images / seconds)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(cluster: &str, report: Option<&Value>) -> Weighed {
        let text = format!(
            "stack: s\nregion: eu-west-3\nowner: o@fruits.example\nbuckets: {{data: {{}}}}\ncluster: {{release: emr-7.12.0, {cluster}}}\n\
             bootstrap: [{{name: python, template: bootstrap/python_packages.sh.j2, packages: {{tensorflow: 2.19.1, pyarrow: 21.0.0, pandas: 2.3.3, pillow: 11.3.0}}}}]\n\
             jobs: {{features: {{template: jobs/fruit_features.py.j2, input: data/images/, output: data/}}}}\n"
        );
        let stack = crate::stack::load_text("s.yaml", text, std::path::Path::new("")).expect("a stack").stack;
        weighed(&stack, &Table::built_in(), report)
    }

    #[test]
    fn a_cluster_pays_by_time_from_a_number_of_images_on_and_never_by_money() {
        let weighed = of("primary: {type: m5.xlarge}, core: {type: m5.xlarge, count: 2}", None);
        assert_eq!((weighed.workers, weighed.measured, weighed.rate), (Some(8), false, 25.0));
        let even = weighed.even.expect("twice the cores");
        // Five minutes later, at 100 images a second more.
        assert_eq!(even, 60_000);
        for size in &weighed.sizes {
            let (cluster, plain) = (size.cluster_minutes.expect("known"), size.plain_minutes.expect("known"));
            assert_eq!(cluster < plain, size.images > even, "{size:?}");
            assert!(size.cluster_usd > size.plain_usd, "{size:?}");
        }
    }

    #[test]
    fn one_node_is_never_sooner_than_itself() {
        assert_eq!(of("primary: {type: m5.xlarge}", None).even, None);
    }

    #[test]
    fn the_rate_is_the_reports_own() {
        let worker =
            |images: u32, first: f64, last: f64| json!({"images": images, "first_batch": first, "last_batch": last});
        let report =
            json!({"batch": 32, "workers": [worker(132, 5.0, 10.0), worker(132, 6.0, 11.0), worker(32, 5.0, 5.0)]});
        assert_eq!(rate(&report), Some(20.0));
        assert!(of("primary: {type: m5.xlarge}", Some(&report)).measured);
        for older in [json!({}), json!({"batch": 32, "workers": []}), json!({"batch": 32, "workers": "none"})] {
            assert_eq!(rate(&older), None);
        }
    }
}
