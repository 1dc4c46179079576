//! Kind `cluster`: EMR on EC2. What AWS rewrites, masks or does not give back is compared through tags that
//! the cluster is born with; everything else as EMR tells it. No cluster is ever started twice.

mod birth;
mod change;
mod groups;
mod life;
mod read;
mod scaling;
mod spelt;
mod there;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_emr::types::Tag;
use futures::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};

pub use birth::{Action, Birth, Configuration, Fleet, NodeGroup, Volume};
pub use scaling::{Scaling, ScalingUnit};
pub use spelt::At;

use crate::cloud::error::CloudError;
use crate::cloud::promise::moment;
use crate::resource::{Address, Change, Cx, Field, Id, Kind, Known, Need, OnDown, Phase, Ref, Resource};
use crate::resources::{endpoint, home, once};

const NAME: &str = "cluster";

pub const KIND: Kind = Kind {
    name: NAME,
    on_down: OnDown::GoesAtOnce,
    in_home: false,
    list: |cx: &Cx| -> BoxFuture<'_, _> { Box::pin(read::list(cx)) },
};

#[derive(Clone, Debug, PartialEq)]
pub struct Cluster {
    pub key: String,
    pub name: String,
    pub fixed: Fixed,
    pub changeable: Changeable,
    /// The desired side's: what RunJobFlow is told beyond what is compared.
    pub birth: Option<Birth>,
    /// The live side's.
    pub life: Option<Life>,
}

/// What a cluster is born with: any change needs another cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Fixed {
    pub release: String,
    /// Compared only where the stack says it.
    pub os_release: Option<String>,
    pub logs: Option<String>,
    pub subnet: String,
    pub key_pair: Option<String>,
    pub service_role: Ref,
    pub instance_profile: Ref,
    pub primary_group: Ref,
    pub core_group: Ref,
    pub service_group: Option<Ref>,
    /// `m5.xlarge on-demand`.
    pub primary: String,
    /// One, or three for availability.
    pub primary_count: i32,
    pub core: Option<String>,
    pub auto_scaling_role: Option<String>,
    pub scale_down: String,
    pub security_configuration: Option<String>,
    pub custom_ami: Option<String>,
    /// Task groups by name, without their sizes: under managed scaling EMR may fill every one that is there, and
    /// none can be taken away. Compared only there.
    pub task_groups: Option<BTreeMap<String, String>>,
    pub digests: Digests,
}

/// What AWS rewrites or keeps to itself, as words in tags: `fruitsinfra:bootstrap = python@3f2a91c0aabb`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Digests {
    pub applications: String,
    pub bootstrap: String,
    pub configurations: String,
    pub volumes: String,
    /// What is bid for spot instances of the groups that stay.
    pub bids: String,
    /// The service-access group that was asked for: in a private subnet EMR takes one of its own without.
    pub service_group: String,
}

impl Digests {
    fn tags(&self) -> BTreeMap<String, String> {
        let Self { applications, bootstrap, configurations, volumes, bids, service_group } = self;
        [
            ("applications", applications),
            ("bootstrap", bootstrap),
            ("configurations", configurations),
            ("volumes", volumes),
            ("bids", bids),
            ("service_group", service_group),
        ]
        .map(|(name, value)| (format!("fruitsinfra:{name}"), value.clone()))
        .into()
    }

    fn read(tags: &BTreeMap<String, String>) -> Self {
        let get = |name: &str| tags.get(&format!("fruitsinfra:{name}")).cloned().unwrap_or_default();
        Self {
            applications: get("applications"),
            bootstrap: get("bootstrap"),
            configurations: get("configurations"),
            volumes: get("volumes"),
            bids: get("bids"),
            service_group: get("service_group"),
        }
    }
}

/// What EMR changes on a running cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Changeable {
    /// Under managed scaling EMR moves it and the sizes of task groups: compared only without. Of a fleet, units on demand.
    pub core_count: Option<i32>,
    /// Units of the core fleet on the spot market; compared only of fleets.
    pub core_spot: Option<i32>,
    /// Task groups by name: `2 x m5.xlarge spot`. None of a name means 0 nodes: EMR removes no group.
    pub task: Option<BTreeMap<String, String>>,
    pub managed_scaling: Option<Scaling>,
    /// Configurations of single groups, by group.
    pub group_configurations: BTreeMap<String, Value>,
    /// Seconds.
    pub idle: Option<i64>,
    pub keep_alive: bool,
    pub termination_protection: bool,
    /// Whether whoever ends it at its end may lift that.
    pub lift_protection: bool,
    pub step_concurrency: i32,
    /// When it was promised to end; compared only where a person moves it.
    pub expires: Option<Timestamp>,
    pub tags: BTreeMap<String, String>,
}

/// What EMR says of a cluster that is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Life {
    pub state: String,
    pub phase: Phase,
    /// When it was asked for, in milliseconds since 1970.
    pub created: i64,
    pub has_steps: bool,
    /// The bucket of its logs, into which it writes until its very end.
    pub log_bucket: Option<Ref>,
    pub facts: Value,
}

/// Waits until every cluster that an interrupted `up` may have asked for can be listed.
pub async fn surfaced(cx: &Cx) -> Result<(), CloudError> {
    let name = format!("{}-", cx.stack);
    once::surfaced(cx, NAME, async |nonce, asked| read::by_nonce(cx, &name, nonce, asked).await).await
}

impl Cluster {
    pub fn at(key: &str) -> Address {
        Address::new(NAME, key)
    }
}

#[async_trait]
impl Resource for Cluster {
    fn address(&self) -> Address {
        Self::at(&self.key)
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn needs(&self) -> Vec<Need> {
        let Fixed { service_role, instance_profile, primary_group, core_group, service_group, .. } = &self.fixed;
        let bound =
            [Some(service_role), Some(instance_profile), Some(primary_group), Some(core_group), service_group.as_ref()];
        let mut needs = vec![Need::orders(home())];
        needs.extend(bound.into_iter().flatten().filter_map(Ref::address).cloned().map(Need::binds));
        // Scripts and the log bucket are there first and outlive it, but a new one costs no cluster.
        needs.extend(self.birth.iter().flat_map(|birth| birth.after.iter().cloned().map(Need::orders)));
        let log_bucket = self.life.iter().filter_map(|life| life.log_bucket.as_ref()?.address());
        needs.extend(log_bucket.cloned().map(Need::orders));
        needs
    }

    fn fields(&self) -> Vec<Field> {
        let Self { key: _, name, fixed, changeable, birth: _, life: _ } = self;
        let Fixed {
            release,
            os_release,
            logs,
            subnet,
            key_pair,
            service_role,
            instance_profile,
            primary_group,
            core_group,
            service_group,
            primary,
            primary_count,
            core,
            auto_scaling_role,
            scale_down,
            security_configuration,
            custom_ami,
            task_groups,
            digests: Digests { applications, bootstrap, configurations, volumes, bids, service_group: _ },
        } = fixed;
        let Changeable {
            core_count,
            core_spot,
            task,
            managed_scaling,
            group_configurations,
            idle,
            keep_alive,
            termination_protection,
            lift_protection,
            step_concurrency,
            expires,
            tags,
        } = changeable;
        let mut fields = vec![
            Field::replaces("name", name.as_str()),
            Field::replaces("release", release.as_str()),
            Field::replaces("applications", applications.as_str()),
            Field::replaces("bootstrap", bootstrap.as_str()),
            Field::replaces("configurations", configurations.as_str()),
            Field::replaces("volumes", volumes.as_str()),
            Field::replaces("bids", bids.as_str()),
            Field::replaces("primary", primary.as_str()),
            Field::replaces("primary_count", *primary_count),
            Field::replaces("core", json!(core)),
            Field::updates("managed_scaling", managed_scaling.as_ref().map_or(Value::Null, Value::from)),
            Field::updates("group_configurations", json!(group_configurations)),
            Field::replaces("logs", json!(logs)),
            Field::replaces("subnet", subnet.as_str()),
            Field::replaces("key_pair", json!(key_pair)),
            Field::replaces("service_role", service_role),
            Field::replaces("instance_profile", instance_profile),
            Field::replaces("primary_group", primary_group),
            Field::replaces("core_group", core_group),
            Field::replaces("service_group", service_group.as_ref().map_or(Value::Null, Value::from)),
            Field::replaces("auto_scaling_role", json!(auto_scaling_role)),
            Field::replaces("scale_down", scale_down.as_str()),
            Field::replaces("security_configuration", json!(security_configuration)),
            Field::replaces("custom_ami", json!(custom_ami)),
            Field::updates("idle_seconds", json!(idle)),
            Field::updates("keep_alive", *keep_alive),
            Field::updates("termination_protection", *termination_protection),
            Field::updates("lift_protection", *lift_protection),
            Field::updates("step_concurrency", *step_concurrency),
            Field::updates("tags", json!(tags)),
        ];
        // EMR or the stack has the say over sizes.
        fields.extend(core_count.map(|count| Field::updates("core_count", count)));
        fields.extend(core_spot.map(|count| Field::updates("core_spot", count)));
        fields.extend(task.as_ref().map(|task| Field::updates("task", json!(task))));
        fields.extend(task_groups.as_ref().map(|groups| Field::replaces("task_groups", json!(groups))));
        // AWS chooses where the stack does not: compared only where it does.
        fields.extend(expires.map(|at| Field::updates("expires", moment(at))));
        fields.extend(os_release.as_deref().map(|said| Field::replaces("os_release", said)));
        fields
    }

    fn phase(&self) -> Phase {
        self.life.as_ref().map_or(Phase::Standing, |life| life.phase.clone())
    }

    fn standing(&self) -> (bool, i64) {
        self.life.as_ref().map_or((false, 0), |life| (life.has_steps, -life.created))
    }

    fn guarded(&self) -> Option<String> {
        let protected = self.life.is_some() && self.changeable.termination_protection;
        protected.then(|| {
            "it is termination protected: write `termination_protection: false`, run `up`, then this again".into()
        })
    }

    fn resolved(&self, known: &Known) -> Option<Arc<dyn Resource>> {
        let fixed = Fixed {
            service_role: self.fixed.service_role.resolved("role", known),
            instance_profile: self.fixed.instance_profile.resolved("instance_profile", known),
            primary_group: self.fixed.primary_group.resolved("security_group", known),
            core_group: self.fixed.core_group.resolved("security_group", known),
            service_group: self.fixed.service_group.as_ref().map(|group| group.resolved("security_group", known)),
            ..self.fixed.clone()
        };
        let life = self.life.clone().map(|life| {
            let log_bucket = life.log_bucket.as_ref().map(|bucket| bucket.resolved("bucket", known));
            Life { log_bucket, ..life }
        });
        Some(Arc::new(Self { fixed, life, ..self.clone() }))
    }

    fn facts(&self) -> Value {
        self.life.as_ref().map_or(Value::Null, |life| life.facts.clone())
    }

    async fn create(&self, cx: &Cx) -> Result<Id, CloudError> {
        birth::start(self, cx).await
    }

    async fn update(&self, cx: &Cx, id: &Id, changes: &[Change]) -> Result<(), CloudError> {
        self.put(cx, id, changes).await?;
        groups::update(self, cx, id, changes).await
    }

    async fn delete(&self, cx: &Cx, id: &Id) -> Result<(), CloudError> {
        life::end(cx, &self.address(), id, &self.phase()).await?;
        self.tell_left(cx).await
    }

    async fn holds(&self, _cx: &Cx) -> Result<Option<String>, CloudError> {
        let at_work = self.life.as_ref().is_some_and(|life| life.state == "RUNNING");
        Ok(at_work.then(|| "a step that is running".into()))
    }

    async fn settle(&self, cx: &Cx, id: &Id) -> Result<(), CloudError> {
        life::settle(cx, &self.address(), id).await.map_err(life::Failure::into_error)
    }
}

impl Cluster {
    /// Names what EMR may have left behind in its subnet.
    async fn tell_left(&self, cx: &Cx) -> Result<(), CloudError> {
        for endpoint in endpoint::find(cx, "tag:Name", endpoint::LEFT_BY_EMR).await? {
            if endpoint::is_left_by_emr(&endpoint) && endpoint.subnet_ids().contains(&self.fixed.subnet) {
                let at = Address::new("vpc_endpoint", endpoint.vpc_endpoint_id().unwrap_or_default());
                cx.say(&at, format!("EMR leaves behind {}", endpoint::words(&endpoint)));
            }
        }
        Ok(())
    }
}

/// `m5.xlarge on-demand` of a group that stays; `Primaire: m5.xlarge on-demand` where it has a name of its own.
pub fn kind_of(group: &NodeGroup, part: &str) -> String {
    groups::called(&group.name, part, &group.kind())
}

/// `2 x m5.xlarge spot` of one that comes and goes.
pub fn words_of(group: &NodeGroup) -> String {
    groups::words(&groups::size(group.capacity(), group.fleet.is_some()), &group.kind(), &groups::born_with(group))
}

/// `m5.xlarge spot` of one that EMR sizes.
pub fn unsized_words_of(group: &NodeGroup) -> String {
    groups::unsized_words(&group.kind(), &groups::born_with(group))
}

/// `2x32gp2`: what is said of volumes.
pub fn volumes_of(volumes: &[Volume]) -> String {
    groups::volumes(volumes)
}

/// Configurations as they are compared.
pub fn canonical(configurations: &[Configuration]) -> Value {
    read::wanted(configurations)
}

fn emr_tags(tags: BTreeMap<String, String>) -> Vec<Tag> {
    tags.into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}
