//! Kind `schedule`: the end of a cluster, kept by AWS itself. The cluster is given it at its birth; this kind finds it,
//! mends it and moves it. It never ends a cluster itself.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::end::{self, Wanted};
use crate::cloud::error::{Class, CloudError};
use crate::cloud::promise::moment;
use crate::resource::{Address, Change, Cx, Field, Id, Kind, Known, Live, Need, OnDown, Ref, Resource};

pub const KIND: Kind = Kind {
    name: end::NAME,
    on_down: OnDown::Goes,
    in_home: false,
    list: |cx: &Cx| -> BoxFuture<'_, _> { Box::pin(list(cx)) },
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    pub name: String,
    /// What it ends.
    pub cluster: Ref,
    /// Who it ends it as.
    pub role: Ref,
    /// When. The desired side says so only where a person moves it.
    pub at: Option<Timestamp>,
    /// The desired side's: how long a cluster may live that was promised nothing.
    pub lifetime: Duration,
    /// Whether this is the one that is there.
    pub live: bool,
}

#[async_trait]
impl Resource for Schedule {
    fn address(&self) -> Address {
        end::address()
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn needs(&self) -> Vec<Need> {
        // It is given to whatever cluster there is: a new one moves it, and nothing has to be made anew. What is there goes
        // beside its cluster: neither waits for the other's end.
        let cluster = if self.live { None } else { self.cluster.address() };
        cluster.into_iter().chain(self.role.address()).cloned().map(Need::orders).collect()
    }

    fn fields(&self) -> Vec<Field> {
        let Self { name: _, cluster, role, at, lifetime: _, live: _ } = self;
        let mut fields = vec![Field::updates("cluster", cluster), Field::updates("role", role)];
        fields.extend(at.map(|at| Field::updates("at", moment(at))));
        fields
    }

    fn resolved(&self, known: &Known) -> Option<Arc<dyn Resource>> {
        let (cluster, role) = (self.cluster.resolved("cluster", known), self.role.resolved("role", known));
        Some(Arc::new(Self { cluster, role, ..self.clone() }))
    }

    fn facts(&self) -> Value {
        json!({"cluster": self.cluster.to_string(), "at": self.at.map(moment)})
    }

    async fn create(&self, cx: &Cx) -> Result<Id, CloudError> {
        let cluster = cx.id_of(&self.cluster)?;
        let wanted = Wanted { cluster: &cluster, role: &self.role, at: self.at, lifetime: self.lifetime };
        end::put(cx, &wanted).await?;
        Ok(Id(self.name.clone()))
    }

    async fn update(&self, cx: &Cx, _id: &Id, _changes: &[Change]) -> Result<(), CloudError> {
        self.create(cx).await.map(drop)
    }

    async fn delete(&self, cx: &Cx, _id: &Id) -> Result<(), CloudError> {
        end::delete(&cx.cloud, &cx.stack).await
    }
}

/// The stack's one, if it is there.
async fn list(cx: &Cx) -> Result<Vec<Live>, CloudError> {
    let found = match end::read(&cx.cloud, &cx.stack).await {
        // Somebody else's hinders no end: whoever makes a cluster refuses before it is made.
        Err(error) if error.class == Class::Taken => {
            cx.say(&end::address(), error.message);
            return Ok(vec![]);
        }
        found => found?,
    };
    let Some(found) = found else { return Ok(vec![]) };
    let name = end::name(&cx.stack);
    // One that says nothing of ours ends nothing: it is told as such, and mended.
    let (cluster, role, at) = match found.end {
        Some(end) => {
            let role = end.role.rsplit('/').next().unwrap_or_default().to_owned();
            (Ref::id(end.cluster), Ref::id(role), Some(end.at))
        }
        None => (Ref::id("nothing"), Ref::id("nobody"), None),
    };
    let schedule = Schedule { name: name.clone(), cluster, role, at, lifetime: Duration::ZERO, live: true };
    Ok(vec![Live { id: Id(name), resource: Arc::new(schedule), mark: found.mark }])
}
