//! Whoever is told of what the guard does: a topic, a webhook. Neither stops a sweep, and of a webhook's address
//! nothing is said but its host.

use std::time::Duration;

use super::Failure;
use crate::cloud::http::Contacts;
use crate::cloud::notify::Webhook;
use crate::cloud::{Cloud, Endpoint};
use crate::guard::install;
use crate::residency::EuRegion;

/// What whoever is told may take of a sweep's time, at most.
const TOLD: Duration = Duration::from_secs(15);

/// Who is told.
pub(super) struct Told {
    topic: Option<(EuRegion, String)>,
    webhook: Option<Webhook>,
}

impl Told {
    pub(super) fn of(topic: Option<&str>, webhook: Option<&str>) -> Result<Self, Failure> {
        let topic = topic.map(|topic| Ok::<_, Failure>((install::region_of(topic)?, topic.to_owned())));
        let webhook = webhook.filter(|url| !url.is_empty()).map(Webhook::parse).transpose();
        let webhook = webhook.map_err(|e| Failure::usage(e.to_string()))?;
        Ok(Self { topic: topic.transpose()?, webhook })
    }

    /// Whether nobody is.
    pub(super) fn nobody(&self) -> bool {
        self.topic.is_none() && self.webhook.is_none()
    }

    /// Tells them; who cannot be told stops nothing.
    pub(super) async fn tell(&self, endpoint: &Endpoint, contacts: &Contacts, text: &str) -> Vec<String> {
        let mut failed = Vec::new();
        let subject = text.lines().next().unwrap_or_default();
        let topic = async {
            let Some((region, topic)) = &self.topic else { return Ok(()) };
            let cloud = Cloud::connect(*region, endpoint).await;
            let sent = cloud.publish(topic, subject, text).await;
            contacts.add(&cloud.contacts);
            sent
        };
        let webhook = async {
            match &self.webhook {
                Some(webhook) => webhook.post(contacts, text).await,
                None => Ok(()),
            }
        };
        let (topic, webhook) = futures::join!(tokio::time::timeout(TOLD, topic), tokio::time::timeout(TOLD, webhook));
        for (what, sent) in [("the topic", topic), ("the webhook", webhook)] {
            match sent {
                Ok(Ok(())) => {}
                Ok(Err(error)) => failed.push(format!("{what} was not told: {error}")),
                Err(_) => failed.push(format!("{what} was not told: no answer within {} s", TOLD.as_secs())),
            }
        }
        failed
    }
}
