//! The one clock for every wait and decision. On AWS it is the machine's; with `--local` the embedded AWS
//! owns now and its rate, so that a cluster's eight minutes pass in seconds. Signatures stay on real time.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::cloud::http::Http;

/// Real time since the machine started, sleep counted: a laptop that was closed has missed it, and AWS has not.
pub fn since_boot() -> Duration {
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let uptime = std::fs::read_to_string("/proc/uptime").ok();
    let seconds = uptime.and_then(|text| text.split_whitespace().next()?.parse().ok());
    // Without /proc, time awake is the nearest there is.
    seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or_else(|| BEGUN.elapsed())
}

/// A moment as the SDKs tell it.
pub fn moment_of(told: &aws_smithy_types::DateTime) -> Option<Timestamp> {
    Timestamp::new(told.secs(), i32::try_from(told.subsec_nanos()).ok()?).ok()
}

#[derive(Clone, Debug)]
pub enum Clock {
    System,
    Served(Arc<Served>),
}

/// A clock that a server keeps: read at each sleep, and run on from there in between.
#[derive(Debug)]
pub struct Served {
    http: Http,
    url: String,
    reading: Mutex<Reading>,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    now: f64,
    rate: f64,
    at: Instant,
}

#[derive(serde::Deserialize)]
struct Answer {
    now: f64,
    rate: f64,
}

impl Clock {
    /// Follows the clock at this URL.
    pub async fn served(http: Http, url: String) -> Result<Self, crate::cloud::http::HttpError> {
        let reading = Reading::take(&http, &url).await?;
        Ok(Self::Served(Arc::new(Served { http, url, reading: Mutex::new(reading) })))
    }

    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => Timestamp::now(),
            Self::Served(served) => served.now(),
        }
    }

    /// Time passed since then; none if the clock was moved back.
    pub fn since(&self, then: Timestamp) -> Duration {
        Duration::try_from(self.now().duration_since(then)).unwrap_or_default()
    }

    /// Sleeps this long by this clock.
    pub async fn sleep(&self, long: Duration) {
        match self {
            Self::System => tokio::time::sleep(long).await,
            Self::Served(served) => served.sleep(long).await,
        }
    }
}

/// No shorter real nap than this: a fast clock is not a busy loop.
const SHORTEST: Duration = Duration::from_millis(20);
/// The rate may change meanwhile, so no longer one either.
const LONGEST: Duration = Duration::from_millis(500);

impl Served {
    fn now(&self) -> Timestamp {
        let reading = *self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Duration::try_from_secs_f64(reading.now + reading.at.elapsed().as_secs_f64() * reading.rate);
        now.ok().and_then(|now| Timestamp::UNIX_EPOCH.checked_add(now).ok()).unwrap_or(Timestamp::MAX)
    }

    async fn sleep(&self, long: Duration) {
        let until = self.now() + long;
        loop {
            let rate = self.reading.lock().unwrap_or_else(PoisonError::into_inner).rate;
            let Ok(left) = Duration::try_from(until.duration_since(self.now())) else { return };
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.div_f64(rate.max(0.001)).clamp(SHORTEST, LONGEST)).await;
            // A server that is gone is told by the next real call, in its own words.
            if let Ok(reading) = Reading::take(&self.http, &self.url).await {
                *self.reading.lock().unwrap_or_else(PoisonError::into_inner) = reading;
            }
        }
    }
}

impl Reading {
    async fn take(http: &Http, url: &str) -> Result<Self, crate::cloud::http::HttpError> {
        let answer: Answer = http.get_json(url).await?;
        Ok(Self { now: answer.now, rate: answer.rate, at: Instant::now() })
    }
}
