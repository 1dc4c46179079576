//! AWS as this program sees it: the SDK clients of one EU region. Only this room and the kinds name an
//! `aws_sdk_*` crate; a client for another region cannot be built.

pub mod capacity;
pub mod clock;
pub mod clusters;
pub mod described;
pub mod error;
pub mod existing;
pub mod http;
pub mod logs;
pub mod mark;
pub mod names;
pub mod notify;
pub mod objects;
pub mod permit;
pub mod price_list;
pub mod promise;
pub mod proof;
pub mod regions;
pub mod remains;
pub mod span;
pub mod steps;
pub mod surroundings;
pub mod ways;

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::{AppName, BehaviorVersion, Region, retry::RetryConfig, timeout::TimeoutConfig};
use tokio::sync::{OnceCell, watch};

use crate::cloud::error::CloudError;
use crate::cloud::http::Contacts;
use crate::cloud::permit::Permit;
use crate::residency::EuRegion;

/// No attempt at a call takes longer, but for large uploads.
pub const ATTEMPT: Duration = Duration::from_secs(20);

/// How long calls in flight may still take after a person asked to stop.
const GRACE: Duration = Duration::from_millis(2500);

/// Where the calls go.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// AWS's own, with the caller's credentials.
    Aws,
    /// An endpoint that the user named by `AWS_ENDPOINT_URL`, with the caller's credentials.
    Named(String),
    /// The embedded AWS, with its well-known ones.
    Local(String),
}

impl Endpoint {
    fn url(&self) -> Option<&str> {
        match self {
            Self::Aws => None,
            Self::Named(url) | Self::Local(url) => Some(url),
        }
    }
}

/// Clients for one EU region, the account behind them, and the hosts they called.
#[derive(Clone, Debug)]
pub struct Cloud {
    pub region: EuRegion,
    pub s3: aws_sdk_s3::Client,
    pub emr: aws_sdk_emr::Client,
    pub iam: aws_sdk_iam::Client,
    pub ec2: aws_sdk_ec2::Client,
    pub scheduler: aws_sdk_scheduler::Client,
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    pub pricing: aws_sdk_pricing::Client,
    pub sns: aws_sdk_sns::Client,
    quotas: aws_sdk_servicequotas::Client,
    pub contacts: Contacts,
    pub permit: Permit,
    sts: aws_sdk_sts::Client,
    account: Arc<OnceCell<String>>,
}

impl Cloud {
    /// Builds the clients; makes no call.
    pub async fn connect(region: EuRegion, endpoint: &Endpoint) -> Self {
        let (contacts, permit) = (Contacts::default(), Permit::default());
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(5))
            .operation_attempt_timeout(ATTEMPT)
            .operation_timeout(Duration::from_mins(2))
            .build();
        // Standard, not adaptive: adaptive mode starves all calls after one throttle.
        let retries = RetryConfig::standard().with_max_attempts(6).with_initial_backoff(Duration::from_millis(200));
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .region(Region::from_static(region.as_str()))
            .http_client(http::client(region, endpoint.url(), &contacts))
            .timeout_config(timeouts)
            .retry_config(retries);
        if let Ok(name) = AppName::new("fruitsinfra") {
            loader = loader.app_name(name);
        }
        if let Some(url) = endpoint.url() {
            loader = loader.endpoint_url(url);
        }
        if matches!(endpoint, Endpoint::Local(_)) {
            let credentials = aws_sdk_sts::config::Credentials::new("test", "test", None, None, "the embedded AWS");
            loader = loader.credentials_provider(credentials);
        }
        let config = loader.load().await;
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(endpoint.url().is_some());
        let emr = aws_sdk_emr::config::Builder::from(&config);
        let iam = aws_sdk_iam::config::Builder::from(&config);
        let ec2 = aws_sdk_ec2::config::Builder::from(&config);
        let scheduler = aws_sdk_scheduler::config::Builder::from(&config);
        Self {
            region,
            s3: aws_sdk_s3::Client::from_conf(s3.interceptor(permit.clone()).build()),
            emr: aws_sdk_emr::Client::from_conf(emr.interceptor(permit.clone()).build()),
            iam: aws_sdk_iam::Client::from_conf(iam.interceptor(permit.clone()).build()),
            ec2: aws_sdk_ec2::Client::from_conf(ec2.interceptor(permit.clone()).build()),
            scheduler: aws_sdk_scheduler::Client::from_conf(scheduler.interceptor(permit.clone()).build()),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&config),
            pricing: aws_sdk_pricing::Client::new(&config),
            sns: aws_sdk_sns::Client::new(&config),
            quotas: aws_sdk_servicequotas::Client::new(&config),
            sts: aws_sdk_sts::Client::new(&config),
            contacts,
            permit,
            account: Arc::default(),
        }
    }

    /// Spares a question whose answer is known.
    pub fn is_of_account(&self, account: &str) {
        // One that was asked has the same answer.
        let _ = self.account.set(account.to_owned());
    }

    /// The caller's account, asked once.
    pub async fn account(&self) -> Result<&str, CloudError> {
        let ask = || async { Ok(self.asked_caller().await?.account) };
        self.account.get_or_try_init(ask).await.map(String::as_str)
    }
}

/// Asks to stop.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<Option<Instant>>);

impl Stop {
    /// Asks; whoever asked before has asked already.
    pub fn ask(&self) {
        self.0.send_if_modified(|asked| asked.is_none() && asked.replace(Instant::now()).is_none());
    }
}

/// Whether one was asked to stop: by a person, or because the lease is another's.
#[derive(Clone, Debug)]
pub struct Cancel(watch::Receiver<Option<Instant>>);

impl Cancel {
    /// One end to ask with, one to be asked.
    pub fn pair() -> (Stop, Self) {
        let (ask, asked) = watch::channel(None);
        (Stop(ask), Self(asked))
    }

    pub fn requested(&self) -> bool {
        self.0.borrow().is_some()
    }

    /// Returns when it is asked for; never if nobody can ask any more.
    pub async fn wait(&self) {
        if self.0.clone().wait_for(Option::is_some).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns when it was asked for, and calls in flight have had their time to end.
    pub async fn overdue(&self) {
        self.wait().await;
        let asked = self.0.borrow().unwrap_or_else(Instant::now);
        tokio::time::sleep_until((asked + GRACE).into()).await;
    }

    /// Carries something out, unless one was asked to stop and it does not end soon after.
    pub async fn in_time<T, E: From<CloudError>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.overdue() => Err(CloudError::interrupted().into()),
        }
    }
}
