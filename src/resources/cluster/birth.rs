//! How a cluster is started, once: the nonce of the intent is in its tags from birth.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_emr::Client;
use aws_sdk_emr::config::retry::RetryConfig;
use aws_sdk_emr::operation::run_job_flow::builders::RunJobFlowFluentBuilder;
use aws_sdk_emr::types::{
    Application, AutoTerminationPolicy, BootstrapActionConfig, Configuration as EmrConfiguration, EbsBlockDeviceConfig,
    EbsConfiguration, InstanceFleetConfig, InstanceFleetProvisioningSpecifications, InstanceGroupConfig,
    InstanceRoleType, InstanceTypeConfig, JobFlowInstancesConfig, MarketType, OnDemandProvisioningSpecification,
    ScaleDownBehavior, ScriptBootstrapActionConfig, SpotProvisioningSpecification, SpotProvisioningTimeoutAction,
    VolumeSpecification,
};
use jiff::Timestamp;
use serde::Serialize;

use super::life::{self, Failure};
use super::{Cluster, emr_tags, groups, read, there};
use crate::cloud::error::{Class, CloudError, call};
use crate::cloud::promise::Promise;
use crate::resource::{Address, Cx, Id, Ref, Resource};
use crate::resources::acting::role_arn;
use crate::resources::once::{Once, home_of, once};
use crate::resources::{end, wait};

/// Times a cluster is asked for again after an answer that leaves no cluster behind.
const TRIES: usize = 3;

/// What RunJobFlow is told beyond the compared fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Birth {
    pub applications: Vec<String>,
    pub primary: NodeGroup,
    pub core: Option<NodeGroup>,
    pub task: Vec<NodeGroup>,
    pub configurations: Vec<Configuration>,
    pub bootstrap: Vec<Action>,
    pub root_volume: Option<Volume>,
    /// How long it may live.
    pub lifetime: Duration,
    /// Who ends it then.
    pub end_role: Ref,
    /// What must be there before it, without being bound to it.
    pub after: Vec<Address>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct NodeGroup {
    pub name: String,
    pub instance_type: String,
    pub count: i32,
    pub spot: bool,
    /// USD an hour and node; EMR's default is up to on-demand.
    pub bid: Option<String>,
    pub volumes: Vec<Volume>,
    pub configurations: Vec<Configuration>,
    /// Where the cluster has fleets instead of groups.
    pub fleet: Option<Fleet>,
}

/// What makes a group a fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// Types with what an instance of each counts for, the preferred ones first.
    pub types: Vec<(String, i32)>,
    /// Units on the spot market beside a count on demand.
    pub more: i32,
    pub allocation: Option<&'static str>,
    pub on_demand_allocation: Option<&'static str>,
    /// Minutes that EMR tries to get spot instances before the cluster starts.
    pub wait: i32,
    /// Whether the cluster ends if it gets none, instead of starting on demand.
    pub end: bool,
}

impl NodeGroup {
    /// `m5.xlarge`, or all types of a fleet.
    fn what(&self) -> String {
        self.fleet.as_ref().map_or_else(|| self.instance_type.clone(), |fleet| there::types(fleet.types.clone()))
    }

    /// What it is made of, without how many.
    pub(super) fn kind(&self) -> String {
        groups::kind(&self.what(), self.spot, self.fleet.is_some())
    }

    /// How much there is to be, on demand and on spot.
    #[must_use]
    pub fn capacity(&self) -> [i32; 2] {
        let more = self.fleet.as_ref().map_or(0, |fleet| fleet.more);
        if self.spot { [0, self.count] } else { [self.count, more] }
    }

    /// What is compared as a core group's size.
    #[must_use]
    pub fn counted(&self) -> i32 {
        groups::counted(self.capacity(), self.fleet.is_some())
    }

    /// What is said of how a fleet is filled, which EMR tells back with defaults of its own:
    /// `price-capacity-optimized 20m on-demand`.
    #[must_use]
    pub fn terms(&self) -> Option<String> {
        let Fleet { types, more, allocation, on_demand_allocation, wait, end } = self.fleet.as_ref()?;
        let spot = (self.spot || *more > 0).then(|| {
            let then = if *end { "end" } else { "on-demand" };
            format!("{} {wait}m {then}", allocation.unwrap_or("spot"))
        });
        let order = || types.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" ");
        let first = self.prioritised().then(|| format!("first {}", order()));
        let words: Vec<String> = spot.into_iter().chain(on_demand_allocation.map(str::to_owned)).chain(first).collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// Whether the order of its types means anything to EMR.
    fn prioritised(&self) -> bool {
        let said = self.fleet.iter().flat_map(|fleet| [fleet.allocation, fleet.on_demand_allocation]);
        said.flatten().any(|word| word.ends_with("prioritized"))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Volume {
    pub kind: Option<String>,
    /// GiB.
    pub size: i32,
    pub iops: Option<i32>,
    /// MiB/s.
    pub throughput: Option<i32>,
    pub per_instance: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Configuration {
    pub classification: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub configurations: Vec<Configuration>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Action {
    pub name: String,
    pub path: String,
    pub args: Vec<String>,
}

/// Starts the cluster, or takes over one whose start was interrupted, and waits until it can be used.
pub(super) async fn start(cluster: &Cluster, cx: &Cx) -> Result<Id, CloudError> {
    let address = cluster.address();
    // A cluster that could be given no end is not begun.
    end::read(&cx.cloud, &cx.stack).await?;
    for attempt in 1.. {
        let asked = once(cx, cluster).await?;
        let id = asked.id.clone();
        cx.learn(address.clone(), id.clone());
        cx.say(&address, format!("{id} asked for"));
        if cluster.fixed.primary_count > 1 && !cluster.changeable.termination_protection {
            // EMR protects every cluster with several primary nodes, whatever it was told.
            cluster.put_protection(cx, &id).await?;
        }
        if asked.before {
            // It was promised what the interrupted call was told.
            cluster.put_end(cx, &id).await?;
        }
        // Its end is AWS's from the first moment on, whatever becomes of us.
        let Some(birth) = &cluster.birth else { return Err(CloudError::bug("a cluster without its birth")) };
        let wanted = end::Wanted { cluster: &id.0, role: &birth.end_role, at: None, lifetime: birth.lifetime };
        let (settled, ended) = futures::join!(life::settle(cx, &address, &id), end::put(cx, &wanted));
        match settled {
            Ok(()) => {
                ended?;
                asked.forget(cx).await?;
                return Ok(id);
            }
            // A role so fresh that EMR started and then could not use it: nothing is left of that cluster.
            Err(Failure::FreshRole(why)) if attempt < TRIES => {
                asked.forget(cx).await?;
                cx.say(&address, format!("{why}; asking again"));
                wait(cx, Duration::from_secs(15)).await?;
            }
            Err(failure) => return Err(failure.into_error()),
        }
    }
    Err(CloudError::bug("an endless loop ended"))
}

#[async_trait]
impl Once for Cluster {
    fn about(&self) -> Address {
        self.address()
    }

    fn intent(&self) -> String {
        format!("cluster-{}", self.key)
    }

    async fn look(&self, cx: &Cx, nonce: &str, asked: Timestamp) -> Result<Option<Id>, CloudError> {
        read::by_nonce(cx, &self.name, nonce, asked).await
    }

    async fn ask(&self, cx: &Cx, nonce: &str) -> Result<Id, CloudError> {
        run_job_flow(self, cx, nonce).await
    }
}

async fn run_job_flow(cluster: &Cluster, cx: &Cx, nonce: &str) -> Result<Id, CloudError> {
    let Some(birth) = &cluster.birth else { return Err(CloudError::bug("a cluster without what it is started with")) };
    let fixed = &cluster.fixed;
    let mark = cx.mark(&cluster.address()).tags();
    let mut tags: BTreeMap<String, String> =
        cluster.changeable.tags.clone().into_iter().chain(mark).chain(fixed.digests.tags()).collect();
    tags.extend(groups::born_tags(&birth.task));
    tags.insert(read::NONCE.into(), nonce.into());
    tags.extend(promise(cluster, birth, cx).await?.tags());
    let named = Named {
        service_role: role_arn(cx, &fixed.service_role).await?,
        instance_profile: cx.id_of(&fixed.instance_profile)?,
        primary_group: cx.id_of(&fixed.primary_group)?,
        core_group: cx.id_of(&fixed.core_group)?,
        service_group: fixed.service_group.as_ref().map(|group| cx.id_of(group)).transpose()?,
    };
    let run = request(&cx.cloud.emr, cluster, birth, named).set_tags(Some(emr_tags(tags)));
    // The SDK would answer a lost reply with a second cluster.
    let once = aws_sdk_emr::config::Builder::new().retry_config(RetryConfig::disabled());
    let made = call("emr RunJobFlow", run.customize().config_override(once).send()).await?;
    made.job_flow_id.map(Id).ok_or_else(|| CloudError::new(Class::Unknown, "EMR answered without a cluster id"))
}

/// What a request names by AWS's own ids and names.
pub(super) struct Named {
    pub(super) service_role: String,
    pub(super) instance_profile: String,
    pub(super) primary_group: String,
    pub(super) core_group: String,
    pub(super) service_group: Option<String>,
}

/// All that RunJobFlow is told but the tags. Nothing is sent here.
pub(super) fn request(emr: &Client, cluster: &Cluster, birth: &Birth, named: Named) -> RunJobFlowFluentBuilder {
    let (fixed, changeable) = (&cluster.fixed, &cluster.changeable);
    let all = [(&birth.primary, InstanceRoleType::Master)].into_iter();
    let all = all.chain(birth.core.iter().map(|group| (group, InstanceRoleType::Core)));
    let all = all.chain(birth.task.iter().map(|group| (group, InstanceRoleType::Task)));
    let mut instances = JobFlowInstancesConfig::builder();
    if birth.primary.fleet.is_some() {
        // Fleets may have several subnets; a stack names one.
        instances = instances.ec2_subnet_ids(&fixed.subnet);
        instances =
            instances.set_instance_fleets(Some(all.map(|(group, role)| instance_fleet(group, &role)).collect()));
    } else {
        instances = instances.ec2_subnet_id(&fixed.subnet);
        instances = instances.set_instance_groups(Some(all.map(|(group, role)| instance_group(group, role)).collect()));
    }
    let instances = instances
        .set_ec2_key_name(fixed.key_pair.clone())
        .keep_job_flow_alive_when_no_steps(changeable.keep_alive)
        .termination_protected(changeable.termination_protection)
        .emr_managed_master_security_group(named.primary_group)
        .emr_managed_slave_security_group(named.core_group)
        .set_service_access_security_group(named.service_group)
        .build();
    let mut run = emr
        .run_job_flow()
        .name(&cluster.name)
        .release_label(&fixed.release)
        .set_os_release_label(fixed.os_release.clone())
        .set_applications(Some(
            birth.applications.iter().map(|name| Application::builder().name(name).build()).collect(),
        ))
        .set_configurations(Some(birth.configurations.iter().map(configuration).collect()))
        .set_bootstrap_actions(Some(birth.bootstrap.iter().map(bootstrap).collect()))
        .instances(instances)
        .service_role(named.service_role)
        .job_flow_role(named.instance_profile)
        .set_auto_scaling_role(fixed.auto_scaling_role.clone())
        .scale_down_behavior(ScaleDownBehavior::from(fixed.scale_down.as_str()))
        .set_security_configuration(fixed.security_configuration.clone())
        .set_custom_ami_id(fixed.custom_ami.clone())
        .step_concurrency_level(changeable.step_concurrency)
        .visible_to_all_users(true)
        .set_log_uri(fixed.logs.clone());
    if let Some(scaling) = &changeable.managed_scaling {
        run = run.managed_scaling_policy(scaling.policy());
    }
    if let Some(idle) = changeable.idle {
        run = run.auto_termination_policy(AutoTerminationPolicy::builder().idle_timeout(idle).build());
    }
    if let Some(root) = &birth.root_volume {
        run = run
            .ebs_root_volume_size(root.size)
            .set_ebs_root_volume_iops(root.iops)
            .set_ebs_root_volume_throughput(root.throughput);
    }
    run
}

/// What it is promised, counted from now.
async fn promise(cluster: &Cluster, birth: &Birth, cx: &Cx) -> Result<Promise, CloudError> {
    let expires = cluster.changeable.expires.map_or_else(|| cx.clock.now().checked_add(birth.lifetime), Ok);
    let idle = cluster.changeable.idle.and_then(|idle| u64::try_from(idle).ok());
    Ok(Promise {
        home: home_of(cx).await?,
        expires: expires.map_err(|e| CloudError::failed(format!("`limits.lifetime` is too long: {e}")))?,
        // Without a policy of its own it idles no longer than it lives.
        idle: idle.map_or(birth.lifetime, Duration::from_secs),
        liftable: cluster.changeable.lift_protection,
    })
}

fn disks(group: &NodeGroup) -> Option<EbsConfiguration> {
    let devices = group.volumes.iter().map(|volume| {
        let kind = volume.kind.clone().unwrap_or_else(|| "gp3".into());
        let specification = VolumeSpecification::builder().volume_type(kind).size_in_gb(volume.size);
        let specification = specification.set_iops(volume.iops).set_throughput(volume.throughput).build();
        EbsBlockDeviceConfig::builder()
            .volume_specification(specification)
            .volumes_per_instance(volume.per_instance)
            .build()
    });
    let ebs = EbsConfiguration::builder().set_ebs_block_device_configs(Some(devices.collect())).build();
    (!group.volumes.is_empty()).then_some(ebs)
}

pub(super) fn instance_fleet(group: &NodeGroup, role: &InstanceRoleType) -> InstanceFleetConfig {
    let fleet = group.fleet.as_ref();
    let ordered = group.prioritised();
    let types = fleet.into_iter().flat_map(|fleet| &fleet.types).enumerate().map(|(n, (name, weight))| {
        InstanceTypeConfig::builder()
            .instance_type(name)
            .weighted_capacity(*weight)
            .set_bid_price(group.bid.clone())
            .set_ebs_configuration(disks(group))
            .set_priority(ordered.then(|| f64::from(u8::try_from(n).unwrap_or(u8::MAX))))
            .build()
    });
    let [on_demand, spot] = group.capacity();
    let on_spot = (spot > 0).then(|| {
        SpotProvisioningSpecification::builder()
            .timeout_duration_minutes(fleet.map_or(0, |fleet| fleet.wait))
            .timeout_action(if fleet.is_some_and(|fleet| fleet.end) {
                SpotProvisioningTimeoutAction::TerminateCluster
            } else {
                SpotProvisioningTimeoutAction::SwitchToOnDemand
            })
            .set_allocation_strategy(fleet.and_then(|fleet| fleet.allocation).map(Into::into))
            .build()
    });
    let on_demand_as = fleet.and_then(|fleet| fleet.on_demand_allocation);
    let on_demand_as =
        on_demand_as.map(|word| OnDemandProvisioningSpecification::builder().allocation_strategy(word.into()).build());
    let launch = InstanceFleetProvisioningSpecifications::builder()
        .set_spot_specification(on_spot.clone())
        .set_on_demand_specification(on_demand_as.clone())
        .build();
    InstanceFleetConfig::builder()
        .name(&group.name)
        .instance_fleet_type(role.as_str().into())
        .target_on_demand_capacity(on_demand)
        .target_spot_capacity(spot)
        .set_instance_type_configs(Some(types.collect()))
        .set_launch_specifications((on_spot.is_some() || on_demand_as.is_some()).then_some(launch))
        .build()
}

pub(super) fn instance_group(group: &NodeGroup, role: InstanceRoleType) -> InstanceGroupConfig {
    let config = InstanceGroupConfig::builder()
        .name(&group.name)
        .instance_role(role)
        .instance_type(&group.instance_type)
        .instance_count(group.count)
        .market(if group.spot { MarketType::Spot } else { MarketType::OnDemand })
        .set_bid_price(group.bid.clone())
        .set_ebs_configuration(disks(group))
        .set_configurations(
            (!group.configurations.is_empty()).then(|| group.configurations.iter().map(configuration).collect()),
        );
    config.build()
}

pub(super) fn configuration(configuration: &Configuration) -> EmrConfiguration {
    let inner: Vec<EmrConfiguration> = configuration.configurations.iter().map(self::configuration).collect();
    EmrConfiguration::builder()
        .classification(&configuration.classification)
        .set_properties(Some(configuration.properties.clone().into_iter().collect()))
        .set_configurations((!inner.is_empty()).then_some(inner))
        .build()
}

fn bootstrap(action: &Action) -> BootstrapActionConfig {
    let script = ScriptBootstrapActionConfig::builder().path(&action.path).set_args(Some(action.args.clone()));
    BootstrapActionConfig::builder().name(&action.name).script_bootstrap_action(script.build()).build()
}
