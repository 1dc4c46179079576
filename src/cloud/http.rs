//! The one way out: every request of every SDK client passes here, is held against the fence of the stack's
//! region, and its host is recorded. Beside them stands [`Http`], recorded too, for the few places that are not AWS.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::{Builder, Connector, tls};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use crate::residency::EuRegion;

/// The words by which a refusal of the fence is known again in a chain of errors.
pub const FENCE: &str = "outside the EU fence";

/// How the failure of a connection begins, before its host.
pub const NO_ANSWER: &str = "no answer from";

const TLS: tls::Provider = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc);

/// Hosts called, with how often.
#[derive(Clone, Debug, Default)]
pub struct Contacts(Arc<Mutex<BTreeMap<String, usize>>>);

impl Contacts {
    fn record(&self, host: &str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(host.to_owned()).or_default() += 1;
    }

    /// Counts what others called as well.
    pub fn add(&self, others: &Self) {
        let others = others.hosts();
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (host, count) in others {
            *hosts.entry(host).or_default() += count;
        }
    }

    pub fn hosts(&self) -> BTreeMap<String, usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What may be called on behalf of a stack.
#[derive(Clone, Debug)]
struct Fence {
    region: EuRegion,
    /// Host of an endpoint that the user named (`AWS_ENDPOINT_URL`, `--local`).
    named: Option<String>,
}

impl Fence {
    /// AWS in this region; IAM's only endpoint; where credentials come from (they carry no data of the stack).
    fn admits(&self, host: &str) -> bool {
        if let Some(named) = &self.named {
            return named == host;
        }
        let (region, suffix) = (self.region.as_str(), self.region.dns_suffix());
        let credentials = signs_in(host)
            || ["169.254.169.254", "169.254.170.2", "169.254.170.23", "localhost", "127.0.0.1"].contains(&host);
        host.ends_with(&format!(".{region}.{suffix}")) || host == format!("iam.{suffix}") || credentials
    }
}

/// Whether people sign in there.
fn signs_in(host: &str) -> bool {
    ["portal.sso.", "oidc."].iter().any(|prefix| host.starts_with(prefix))
}

/// Where a host that was called stands: in the stack's `region`, the `account`'s one endpoint for all regions, a place to
/// `sign-in`, this `machine`, or `elsewhere`, which an endpoint that the user named can be.
pub fn whereabouts(host: &str, region: EuRegion) -> &'static str {
    let suffix = region.dns_suffix();
    match host {
        _ if is_loopback(host) || host.starts_with("169.254.") => "machine",
        _ if host == format!("iam.{suffix}") => "account",
        _ if signs_in(host) => "sign-in",
        _ if host.ends_with(&format!(".{region}.{suffix}")) => "region",
        _ => "elsewhere",
    }
}

/// The fenced, recording client that the SDKs are built on.
#[derive(Debug)]
struct Fenced {
    inner: SharedHttpClient,
    fence: Fence,
    contacts: Contacts,
}

impl HttpClient for Fenced {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(FencedConnector {
            inner: self.inner.http_connector(settings, components),
            fence: self.fence.clone(),
            contacts: self.contacts.clone(),
        })
    }
}

#[derive(Debug)]
struct FencedConnector {
    inner: SharedHttpConnector,
    fence: Fence,
    contacts: Contacts,
}

impl HttpConnector for FencedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let host = host_of(request.uri());
        if !self.fence.admits(host) {
            let refusal = format!("{host} is {FENCE} of {}: nothing was sent", self.fence.region);
            return HttpConnectorFuture::ready(Err(ConnectorError::user(refusal.into())));
        }
        self.contacts.record(host);
        let (host, answer) = (host.to_owned(), self.inner.call(request));
        HttpConnectorFuture::new(async move { answer.await.map_err(|error| named(host, error)) })
    }
}

/// A connection that failed, by the name of the host it was to.
#[derive(Debug, thiserror::Error)]
#[error("{NO_ANSWER} {host}")]
struct NoAnswer {
    host: String,
    source: ConnectorError,
}

/// The same error with its host; its sort, by which the SDK decides to retry, is kept.
fn named(host: String, source: ConnectorError) -> ConnectorError {
    let (timeout, io, user, other) = (source.is_timeout(), source.is_io(), source.is_user(), source.as_other());
    let named = Box::new(NoAnswer { host, source });
    match (timeout, io, user) {
        (true, ..) => ConnectorError::timeout(named),
        (_, true, _) => ConnectorError::io(named),
        (_, _, true) => ConnectorError::user(named),
        _ => ConnectorError::other(named, other),
    }
}

/// Whether a host is this machine itself.
pub fn is_loopback(host: &str) -> bool {
    ["127.0.0.1", "localhost", "[::1]"].contains(&host)
}

/// The host in a URL, without its port.
pub fn host_of(url: &str) -> &str {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    // Colons within brackets are the address's own.
    let port = authority.rfind(':').filter(|colon| authority.rfind(']').is_none_or(|bracket| bracket < *colon));
    port.map_or(authority, |colon| &authority[..colon])
}

/// The client that SDKs for `region` call through. `endpoint` is one that the user named.
pub fn client(region: EuRegion, endpoint: Option<&str>, contacts: &Contacts) -> SharedHttpClient {
    let plain = endpoint.is_some_and(|url| url.starts_with("http://"));
    // Loading the machine's certificates takes 30 ms, which loopback does not need.
    let inner = if plain { Builder::new().build_http() } else { Builder::new().tls_provider(TLS).build_https() };
    let fence = Fence { region, named: endpoint.map(|url| host_of(url).to_owned()) };
    SharedHttpClient::new(Fenced { inner, fence, contacts: contacts.clone() })
}

/// A way out that leads nowhere: what would have been sent is kept, and nothing answers.
#[derive(Clone, Debug, Default)]
pub struct Kept(Arc<Mutex<Option<Vec<u8>>>>);

impl Kept {
    /// The body of the last request.
    pub fn body(&self) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl HttpConnector for Kept {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = request.body().bytes().map(<[u8]>::to_vec);
        HttpConnectorFuture::ready(Err(ConnectorError::user("nothing is sent".into())))
    }
}

impl HttpClient for Kept {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("{host} cannot be reached: {cause}")]
    Unreachable { host: String, cause: String },
    #[error("{host} answered {status}")]
    Status { host: String, status: u16 },
    #[error("{host} answered something else than expected: {cause}")]
    Answer { host: String, cause: String },
}

impl HttpError {
    /// The HTTP status it was answered with, if it was answered.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            Self::Unreachable { .. } | Self::Answer { .. } => None,
        }
    }
}

/// Plain requests beside the SDKs: the embedded AWS's control port, the published weights, a webhook that a person named.
#[derive(Clone, Debug)]
pub struct Http {
    contacts: Contacts,
    timeout: Duration,
}

impl Http {
    pub fn new(contacts: &Contacts, timeout: Duration) -> Self {
        Self { contacts: contacts.clone(), timeout }
    }

    /// The body behind a URL, whole.
    pub async fn get(&self, url: &str) -> Result<Vec<u8>, HttpError> {
        self.send("GET", url, None).await
    }

    pub async fn get_json<T: serde::de::DeserializeOwned>(&self, url: &str) -> Result<T, HttpError> {
        let body = self.get(url).await?;
        serde_json::from_slice(&body).map_err(|e| HttpError::Answer { host: host_of(url).into(), cause: e.to_string() })
    }

    pub async fn post_json(&self, url: &str, body: &serde_json::Value) -> Result<Vec<u8>, HttpError> {
        self.send("POST", url, Some(body.to_string())).await
    }

    async fn send(&self, method: &str, url: &str, body: Option<String>) -> Result<Vec<u8>, HttpError> {
        let host = host_of(url).to_owned();
        let unreachable = |cause: String| HttpError::Unreachable { host: host.clone(), cause };
        let settings =
            HttpConnectorSettings::builder().connect_timeout(Duration::from_secs(5)).read_timeout(self.timeout).build();
        let builder = Connector::builder().connector_settings(settings);
        let connector =
            if url.starts_with("http://") { builder.build_http() } else { builder.tls_provider(TLS).build() };
        let mut request = HttpRequest::get(url).map_err(|e| unreachable(e.to_string()))?;
        request.set_method(method).map_err(|e| unreachable(e.to_string()))?;
        if let Some(body) = body {
            request.headers_mut().insert("content-length", body.len().to_string());
            request.headers_mut().insert("content-type", "application/json");
            *request.body_mut() = body.into();
        }
        self.contacts.record(&host);
        let answer = connector.call(request).await.map_err(|e| unreachable(e.to_string()))?;
        let status = answer.status().as_u16();
        let body = aws_sdk_s3::primitives::ByteStream::new(answer.into_body());
        let body = body.collect().await.map_err(|e| unreachable(e.to_string()))?;
        if (200..300).contains(&status) { Ok(body.to_vec()) } else { Err(HttpError::Status { host, status }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_told_by_where_it_stands() {
        for (host, at) in [
            ("demo-data.s3.eu-west-3.amazonaws.com", "region"),
            ("iam.amazonaws.com", "account"),
            ("portal.sso.us-east-1.amazonaws.com", "sign-in"),
            ("169.254.169.254", "machine"),
            ("127.0.0.1", "machine"),
            ("s3.us-east-1.amazonaws.com", "elsewhere"),
            ("minio.example", "elsewhere"),
        ] {
            assert_eq!(whereabouts(host, EuRegion::EuWest3), at, "{host}");
        }
    }

    #[test]
    fn the_fence_admits_the_region_iam_and_sources_of_credentials_alone() {
        let fence = Fence { region: EuRegion::EuWest3, named: None };
        for host in ["s3.eu-west-3.amazonaws.com", "demo-data.s3.eu-west-3.amazonaws.com", "iam.amazonaws.com"] {
            assert!(fence.admits(host), "{host}");
        }
        for host in [
            "s3.eu-west-2.amazonaws.com",
            "s3.amazonaws.com",
            "elasticmapreduce.us-east-1.amazonaws.com",
            "s3.eu-west-3.amazonaws.com.evil.example",
            "eu-west-3.amazonaws.com",
            "sts.amazonaws.com",
            "storage.example.com",
        ] {
            assert!(!fence.admits(host), "{host}");
        }
    }

    #[test]
    fn a_named_endpoint_is_the_only_one() {
        let fence = Fence { region: EuRegion::EuWest3, named: Some("127.0.0.1".into()) };
        assert!(fence.admits("127.0.0.1"));
        assert!(!fence.admits("s3.eu-west-3.amazonaws.com"));
    }

    #[test]
    fn hosts_are_read_out_of_urls() {
        assert_eq!(host_of("http://127.0.0.1:4566/_local/clock"), "127.0.0.1");
        assert_eq!(host_of("https://user@s3.eu-west-3.amazonaws.com/a:b"), "s3.eu-west-3.amazonaws.com");
    }
}
