//! The control port of the embedded AWS: its call log, its faults, its clock. A request of its own, so that a
//! bug in the binary's HTTP cannot hide here.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};

use super::Aws;

/// One call to AWS, as the log has it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Call {
    pub(crate) service: String,
    pub(crate) operation: String,
    /// Of S3: bucket and key.
    pub(crate) path: String,
    /// A fingerprint of all that was asked.
    pub(crate) request: String,
    /// The access key: `test` is the binary's, an account's number a story's own.
    pub(crate) caller: String,
    pub(crate) mutating: bool,
    /// The AWS_EXECUTION_ENV of the process that called.
    pub(crate) environment: Option<String>,
    /// The HTTP status it was answered with; 0 if it was not.
    pub(crate) status: u16,
    /// When it was over, in seconds since 1970.
    pub(crate) at: f64,
    /// How long it took.
    pub(crate) ms: f64,
}

impl Aws {
    fn control(&self, method: &str, path: &str, body: &Value) -> Value {
        let host = self.endpoint.strip_prefix("http://").expect("loopback has no TLS");
        let body = body.to_string();
        let mut stream = TcpStream::connect(host).expect("the embedded AWS listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
        let head = format!("{method} /_local/{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
        write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
        serde_json::from_str(body).expect("JSON")
    }

    /// Every call since the start or the last [`Aws::forget_calls`].
    pub(crate) fn calls(&self) -> Vec<Call> {
        serde_json::from_value(self.control("GET", "calls", &json!({}))["calls"].take()).expect("a call log")
    }

    pub(crate) fn forget_calls(&self) {
        self.control("DELETE", "calls", &json!({}));
    }

    /// Calls that change something, as `service Operation`.
    pub(crate) fn mutations(&self) -> Vec<String> {
        let calls = self.calls().into_iter().filter(|call| call.mutating);
        calls.map(|call| format!("{} {}", call.service, call.operation)).collect()
    }

    /// How often an operation was called and done.
    pub(crate) fn count(&self, operation: &str) -> usize {
        self.calls().iter().filter(|call| call.operation == operation).count()
    }

    /// Makes calls fail: see `scripts/local_aws/faults.py`.
    pub(crate) fn fault(&self, rule: &Value) {
        self.control("POST", "faults", &json!({"rules": [rule]}));
    }

    /// Forgets all faults and lets go of what hangs.
    pub(crate) fn heal(&self) {
        self.control("DELETE", "faults", &json!({}));
    }

    /// Whether the first fault has struck.
    pub(crate) fn struck(&self) -> bool {
        self.control("GET", "faults", &json!({}))["rules"][0]["fired"].as_u64().is_some_and(|fired| fired > 0)
    }

    /// How many calls hang at this moment.
    pub(crate) fn hanging(&self) -> u64 {
        self.control("GET", "faults", &json!({}))["hanging"].as_u64().expect("a count")
    }

    /// How often the faults have struck, all together.
    pub(crate) fn strikes(&self) -> u64 {
        let faults = self.control("GET", "faults", &json!({}));
        let rules = faults["rules"].as_array().into_iter().flatten();
        rules.filter_map(|rule| rule["fired"].as_u64()).sum()
    }

    /// Makes the world behave: see `scripts/local_aws/world.py`.
    pub(crate) fn world(&self, settings: &Value) {
        self.control("POST", "world", settings);
    }

    /// The world as it is by default.
    pub(crate) fn plain_world(&self) {
        self.control("DELETE", "world", &json!({}));
    }

    /// Plants clusters, and gives their ids: see `scripts/local_aws/doors.py`.
    pub(crate) fn crowd(&self, clusters: &[Value]) -> Vec<String> {
        let planted = self.control("POST", "crowd", &json!(clusters))["clusters"].take();
        serde_json::from_value(planted).expect("ids")
    }

    /// What was published to topics.
    pub(crate) fn published(&self) -> Vec<Value> {
        let published = self.control("GET", "published", &json!({}))["published"].take();
        serde_json::from_value(published).expect("messages")
    }

    /// Simulated now, in seconds since 1970.
    pub(crate) fn now(&self) -> f64 {
        self.control("GET", "clock", &json!({}))["now"].as_f64().expect("a moment")
    }

    /// Lets simulated time leap.
    pub(crate) fn advance(&self, long: Duration) {
        self.control("POST", "clock", &json!({"advance": long.as_secs()}));
    }

    pub(crate) fn set_rate(&self, rate: f64) {
        self.control("POST", "clock", &json!({"rate": rate}));
    }
}

/// Waits for something, at most this long; false if it never came.
pub(crate) fn until(at_most: Duration, mut come: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while !come() {
        if begun.elapsed() > at_most {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}
