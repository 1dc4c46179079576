//! The lease as the commands hold it: who I am to others, how long I wait for them, and what is said when the
//! stack is somebody else's now. It changes nothing but the lease.

use std::time::Duration;

use super::session::Session;
use super::{Failure, HELD};
use crate::lease::{self, Holder, Lease, LeaseError, Terms};
use crate::stack::Period;

/// What giving the lease back may take after an interruption; it is free all the same, for its holder is dead.
const LAST_WORD: Duration = Duration::from_secs(1);

/// One command that changes a stack.
pub(super) struct Writer<'a> {
    session: &'a Session,
    home: String,
    me: Holder,
    terms: Terms,
}

impl<'a> Writer<'a> {
    /// `command` is what others read, `up fruits-demo`; one that `heeds` stops for whoever ends the cluster.
    pub(super) fn new(session: &'a Session, command: &str, heeds: bool, home: &str, wait: Option<Period>) -> Self {
        let me = Holder::me(&session.stack.owner, command, session.cx.clock.now());
        let patience = wait.map_or(Duration::ZERO, |wait| Duration::from_secs(wait.as_secs()));
        Self { session, home: home.into(), me, terms: Terms { patience, heeds } }
    }

    /// Waits for the lease, and holds it.
    pub(super) async fn take(&self) -> Result<Lease, Failure> {
        self.lease(self.terms).await
    }

    /// Asks whoever is at work to stop.
    pub(super) async fn call_to_stop(&self) -> Result<bool, Failure> {
        Ok(lease::call_to_stop(&self.session.cx.cloud, &self.home, &self.me).await?)
    }

    /// Waits for one that was asked to stop.
    pub(super) async fn take_after_call(&self) -> Result<Lease, Failure> {
        let lease = self.lease(self.terms.after_call()).await?;
        lease::end_call(&self.session.cx.cloud, &self.home).await?;
        Ok(lease)
    }

    async fn lease(&self, terms: Terms) -> Result<Lease, Failure> {
        let Session { ui, cx, stop, .. } = self.session;
        let taken =
            Lease::take(&cx.cloud, &self.home, self.me.clone(), terms, (stop.clone(), &cx.cancel), |line| ui.say(line));
        taken.await.map_err(|error| match error {
            LeaseError::Held(holder) => {
                Failure::new(HELD, format!("the stack is being changed: {holder}")).hint("wait for it with `--wait 5m`")
            }
            LeaseError::Cloud(error) => error.into(),
        })
    }

    pub(super) async fn give_back(&self, lease: Option<Lease>) -> Result<(), Failure> {
        let Some(lease) = lease else { return Ok(()) };
        if !self.session.cx.cancel.requested() {
            return Ok(lease.release().await?);
        }
        // Whoever looks for it next finds that its holder is dead, or waits out its term.
        tokio::time::timeout(LAST_WORD, lease.release()).await.map_or(Ok(()), |released| Ok(released?))
    }
}
