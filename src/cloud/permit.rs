//! Leave to change things. While a lease is held, no call that changes anything is sent unless the lease is
//! surely still held when that call ends; a writer that lost it stops by itself. It never asks AWS.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use crate::cloud::clock::since_boot;

/// The words by which a refusal is known again in a chain of errors.
pub const UNLEASED: &str = "the lease was not confirmed in time";

/// How the operations that change nothing begin.
const READS: [&str; 4] = ["Get", "List", "Describe", "Head"];

/// Until when calls that change something may start, as time since the machine's start; `None` where no
/// lease is held, and none is asked for.
#[derive(Clone, Debug, Default)]
pub struct Permit(Arc<Mutex<Option<Duration>>>);

impl Permit {
    /// Extends it, or ends the rule that there must be one.
    pub fn set(&self, until: Option<Duration>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    fn lapsed(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| since_boot() >= until)
    }
}

impl Intercept for Permit {
    fn name(&self) -> &'static str {
        "Permit"
    }

    /// Before every attempt, retries too.
    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.request().headers();
        // A call that carries its own condition overwrites nobody: the lease itself is kept by such.
        let conditional = headers.contains_key("if-match") || headers.contains_key("if-none-match");
        let operation = config.load::<Metadata>().map_or("", Metadata::name);
        if conditional || READS.iter().any(|verb| operation.starts_with(verb)) || !self.lapsed() {
            return Ok(());
        }
        Err(format!("{UNLEASED}: {operation} was not sent").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_lapses_and_none_is_no_hindrance() {
        let permit = Permit::default();
        assert!(!permit.lapsed());
        permit.set(Some(since_boot() + Duration::from_mins(1)));
        assert!(!permit.lapsed());
        permit.set(Some(since_boot()));
        assert!(permit.lapsed());
        permit.set(None);
        assert!(!permit.lapsed());
    }
}
