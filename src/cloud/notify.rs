//! Whoever wants to know is told: a topic of SNS, or a webhook that takes what Slack and Mattermost take. A webhook's
//! address is a secret: of it nothing is shown, recorded or put into an error but its host.

use std::fmt;
use std::time::Duration;

use serde_json::json;

use crate::cloud::Cloud;
use crate::cloud::error::{CloudError, call};
use crate::cloud::http::{Contacts, Http, host_of, is_loopback};

/// Nobody waits longer for whoever is told.
const PATIENCE: Duration = Duration::from_secs(10);

/// SNS takes no longer subject.
const SUBJECT: usize = 100;

/// Where a message is posted.
#[derive(Clone)]
pub struct Webhook(String);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    #[error("the webhook is no address that begins with https://")]
    NotHttps,
    #[error("the webhook names no host")]
    Hostless,
}

impl Webhook {
    /// Takes an address that begins with `https://`, or with `http://` on loopback: elsewhere anybody could read it.
    pub fn parse(url: &str) -> Result<Self, WebhookError> {
        let host = host_of(url);
        if !(url.starts_with("https://") || url.starts_with("http://") && is_loopback(host)) {
            return Err(WebhookError::NotHttps);
        }
        if host.is_empty() {
            return Err(WebhookError::Hostless);
        }
        Ok(Self(url.to_owned()))
    }

    /// All that may be told of it.
    pub fn host(&self) -> &str {
        host_of(&self.0)
    }

    /// Posts a text. Its host stands outside the fence of AWS, and counts among the contacts.
    pub async fn post(&self, contacts: &Contacts, text: &str) -> Result<(), CloudError> {
        let sent = Http::new(contacts, PATIENCE).post_json(&self.0, &json!({ "text": text })).await;
        // The cause of a refusal may hold the address: it is not passed on.
        sent.map(drop).map_err(|error| {
            let why =
                error.status().map_or_else(|| "cannot be reached".to_owned(), |status| format!("answered {status}"));
            CloudError::failed(format!("the webhook on {} {why}", self.host()))
        })
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({})", self.host())
    }
}

impl Cloud {
    /// Publishes to a topic of this region.
    pub async fn publish(&self, topic: &str, subject: &str, text: &str) -> Result<(), CloudError> {
        let plain = subject.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' });
        let subject: String = plain.take(SUBJECT).collect();
        let publish = self.sns.publish().topic_arn(topic).subject(subject).message(text).send();
        call("sns Publish", publish).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_is_encrypted_or_at_home() {
        for url in ["https://hooks.example.com/services/T0/B0/x", "http://127.0.0.1:8065/hooks/x", "http://localhost/x"]
        {
            assert!(Webhook::parse(url).is_ok(), "{url}");
        }
        for url in
            ["http://hooks.example.com/x", "hooks.example.com", "ftp://localhost/x", "http://localhost.example.com/x"]
        {
            assert_eq!(Webhook::parse(url).err(), Some(WebhookError::NotHttps), "{url}");
        }
        assert_eq!(Webhook::parse("https://").err(), Some(WebhookError::Hostless));
    }

    #[test]
    fn its_address_is_never_shown() {
        let webhook = Webhook::parse("https://hooks.example.com/services/T0/B0/secret").expect("an address");
        assert_eq!(format!("{webhook:?}"), "Webhook(hooks.example.com)");
        let closed = Webhook::parse("http://127.0.0.1:9/hooks/secret").expect("an address");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let error = runtime.block_on(closed.post(&Contacts::default(), "text")).expect_err("nobody listens");
        assert_eq!(error.to_string(), "the webhook on 127.0.0.1 cannot be reached");
    }
}
