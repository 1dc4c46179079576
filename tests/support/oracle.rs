//! An independent look at the account: SDK clients of the test's own, which know nothing of marks, listings or
//! retries of the code under test. It makes what belongs to strangers, and tells everything that is there.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::SecurityGroup;
use aws_sdk_emr::types::{ClusterState, InstanceCollectionType, InstanceFleet, JobFlowInstancesConfig};
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};

use super::Aws;

/// The account behind `--local`.
pub(crate) const ACCOUNT: &str = "000000000000";

/// Clients of one account in one region.
pub(crate) struct Oracle<'a> {
    aws: &'a Aws,
    region: String,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) emr: aws_sdk_emr::Client,
    pub(crate) sts: aws_sdk_sts::Client,
    pub(crate) sns: aws_sdk_sns::Client,
    pub(crate) scheduler: aws_sdk_scheduler::Client,
}

/// A cluster, whatever its state.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) state: ClusterState,
}

impl Seen {
    pub(crate) fn alive(&self) -> bool {
        ![ClusterState::Terminated, ClusterState::TerminatedWithErrors].contains(&self.state)
    }
}

impl Aws {
    pub(crate) fn oracle(&self, region: &str) -> Oracle<'_> {
        self.account(ACCOUNT, region)
    }

    /// The root of an account: its number is its access key, in the embedded AWS.
    pub(crate) fn account(&self, number: &str, region: &str) -> Oracle<'_> {
        self.signed(&Credentials::new(number, "test", None, None, "a story"), region)
    }

    /// Whoever these credentials are of.
    pub(crate) fn signed(&self, credentials: &Credentials, region: &str) -> Oracle<'_> {
        macro_rules! client {
            ($sdk:ident) => {
                $sdk::Client::from_conf(
                    $sdk::config::Builder::new()
                        .behavior_version(BehaviorVersion::latest())
                        .region(Region::new(region.to_owned()))
                        .credentials_provider(credentials.clone())
                        .endpoint_url(&self.endpoint)
                        .build(),
                )
            };
        }
        let s3 = client!(aws_sdk_s3).config().to_builder().force_path_style(true).build();
        Oracle {
            aws: self,
            region: region.to_owned(),
            s3: aws_sdk_s3::Client::from_conf(s3),
            iam: client!(aws_sdk_iam),
            ec2: client!(aws_sdk_ec2),
            emr: client!(aws_sdk_emr),
            sts: client!(aws_sdk_sts),
            sns: client!(aws_sdk_sns),
            scheduler: client!(aws_sdk_scheduler),
        }
    }
}

impl Oracle<'_> {
    /// Clusters of all states whose name begins like this.
    pub(crate) fn clusters(&self, prefix: &str) -> Vec<Seen> {
        let mut pages = self.emr.list_clusters().into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(cluster) = self.aws.wait(pages.next()) {
            let cluster = cluster.expect("clusters");
            if cluster.name().is_some_and(|name| name.starts_with(prefix)) {
                let state = cluster.status.and_then(|status| status.state).expect("a state");
                found.push(Seen { id: cluster.id.expect("an id"), state });
            }
        }
        found
    }

    /// The states of a cluster's steps.
    pub(crate) fn steps(&self, cluster: &str) -> Vec<String> {
        let mut pages = self.emr.list_steps().cluster_id(cluster).into_paginator().items().send();
        let mut states = Vec::new();
        while let Some(step) = self.aws.wait(pages.next()) {
            let state = step.expect("steps").status.and_then(|status| status.state).expect("a state");
            states.push(state.as_str().to_owned());
        }
        states
    }

    /// Keys below a prefix, with their sizes.
    pub(crate) fn objects(&self, bucket: &str, prefix: &str) -> BTreeMap<String, usize> {
        let mut pages = self.s3.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
        let mut found = BTreeMap::new();
        while let Some(page) = self.aws.wait(pages.next()) {
            for object in page.expect("a page").contents() {
                let size = object.size().unwrap_or_default().try_into().expect("a size");
                found.insert(object.key().expect("a key").to_owned(), size);
            }
        }
        found
    }

    pub(crate) fn bucket(&self, name: &str, tags: &[(&str, &str)]) {
        let place = BucketLocationConstraint::from(self.region.as_str());
        let place = CreateBucketConfiguration::builder().location_constraint(place).build();
        let made = self.s3.create_bucket().bucket(name).create_bucket_configuration(place).send();
        self.aws.wait(made).expect("a bucket");
        if !tags.is_empty() {
            let tag = |(key, value): &(&str, &str)| {
                aws_sdk_s3::types::Tag::builder().key(*key).value(*value).build().expect("a tag")
            };
            let set = Some(tags.iter().map(tag).collect());
            let tagging = aws_sdk_s3::types::Tagging::builder().set_tag_set(set).build().expect("tags");
            self.aws.wait(self.s3.put_bucket_tagging().bucket(name).tagging(tagging).send()).expect("tagged");
        }
    }

    pub(crate) fn put(&self, bucket: &str, key: &str, body: &str) {
        let put = self.s3.put_object().bucket(bucket).key(key).body(body.as_bytes().to_vec().into()).send();
        self.aws.wait(put).expect("put");
    }

    pub(crate) fn role(&self, name: &str, path: &str, service: &str) {
        let trust = serde_json::json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
            "Principal": {"Service": format!("{service}.amazonaws.com")}, "Action": "sts:AssumeRole"}]});
        let all = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;
        let made = self.iam.create_role().role_name(name).path(path).assume_role_policy_document(trust.to_string());
        self.aws.wait(made.send()).expect("a role");
        let put = self.iam.put_role_policy().role_name(name).policy_name("all").policy_document(all);
        self.aws.wait(put.send()).expect("a policy");
    }

    pub(crate) fn group(&self, name: &str) -> String {
        let made = self.ec2.create_security_group().group_name(name).description("theirs").vpc_id(self.vpc());
        self.aws.wait(made.send()).expect("a group").group_id.expect("an id")
    }

    pub(crate) fn vpc(&self) -> String {
        let found = self.aws.wait(self.ec2.describe_vpcs().send()).expect("networks");
        found.vpcs().iter().find(|vpc| vpc.is_default == Some(true)).and_then(|vpc| vpc.vpc_id.clone()).expect("a VPC")
    }

    /// A cluster of somebody else, with roles of theirs, waiting for steps.
    pub(crate) fn cluster(&self, name: &str) -> String {
        self.role("their-service", "/", "elasticmapreduce");
        self.role("their-nodes", "/", "ec2");
        let profile = self.iam.create_instance_profile().instance_profile_name("their-nodes").send();
        self.aws.wait(profile).expect("a profile");
        let add = self.iam.add_role_to_instance_profile().instance_profile_name("their-nodes").role_name("their-nodes");
        self.aws.wait(add.send()).expect("added");
        let instances = JobFlowInstancesConfig::builder()
            .master_instance_type("m5.xlarge")
            .slave_instance_type("m5.xlarge")
            .instance_count(2)
            .keep_job_flow_alive_when_no_steps(true)
            .build();
        let run = self.emr.run_job_flow().name(name).release_label("emr-7.12.0").instances(instances);
        let run = run.service_role("their-service").job_flow_role("their-nodes").send();
        let id = self.aws.wait(run).expect("a cluster").job_flow_id.expect("an id");
        let waiting = || self.clusters(name).iter().all(|cluster| cluster.state == ClusterState::Waiting);
        assert!(super::control::until(std::time::Duration::from_mins(1), waiting), "{:?}", self.clusters(name));
        id
    }

    /// When a schedule acts, `2026-01-31T18:00:00Z`.
    pub(crate) fn schedule(&self, name: &str) -> Option<String> {
        let schedule = self.aws.wait(self.scheduler.get_schedule().name(name).send()).ok()?;
        let at = schedule.schedule_expression()?.strip_prefix("at(")?.strip_suffix(')')?.to_owned();
        Some(format!("{at}Z"))
    }

    pub(crate) fn tags(&self, cluster: &str) -> BTreeMap<String, String> {
        let described = self.aws.wait(self.emr.describe_cluster().cluster_id(cluster).send()).expect("a cluster");
        let tags = described.cluster.and_then(|cluster| cluster.tags).unwrap_or_default();
        tags.into_iter().filter_map(|tag| Some((tag.key?, tag.value?))).collect()
    }

    pub(crate) fn tag(&self, cluster: &str, key: &str, value: &str) {
        let tag = aws_sdk_emr::types::Tag::builder().key(key).value(value).build();
        self.aws.wait(self.emr.add_tags().resource_id(cluster).tags(tag).send()).expect("tagged");
    }

    /// Everything in the account and region, ended clusters aside: what it is -> all that is known of it.
    pub(crate) fn inventory(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for bucket in self.aws.wait(self.s3.list_buckets().send()).expect("buckets").buckets() {
            let name = bucket.name().expect("a name");
            let tags = self.aws.wait(self.s3.get_bucket_tagging().bucket(name).send());
            let tags = tags.map(|answer| format!("{:?}", answer.tag_set)).unwrap_or_default();
            let policy = self.aws.wait(self.s3.get_bucket_policy().bucket(name).send());
            let policy = policy.ok().and_then(|answer| answer.policy).unwrap_or_default();
            let held = self.aws.wait(self.s3.list_object_versions().bucket(name).send()).expect("versions");
            all.insert(format!("bucket {name}"), format!("{tags} {policy} {:?}", held.versions()));
        }
        let roles = self.aws.wait(self.iam.list_roles().send()).expect("roles").roles;
        // An account's first cluster makes those of AWS's services: shared, and never deleted.
        for role in roles.into_iter().filter(|role| !role.path.starts_with("/aws-service-role/")) {
            let policies = self.iam.list_role_policies().role_name(&role.role_name).send();
            let policies = self.aws.wait(policies).expect("policies").policy_names;
            let full = self.aws.wait(self.iam.get_role().role_name(&role.role_name).send()).expect("a role").role;
            all.insert(format!("role {}", role.role_name), format!("{full:?} {policies:?}"));
        }
        for profile in self.aws.wait(self.iam.list_instance_profiles().send()).expect("profiles").instance_profiles {
            all.insert(format!("profile {}", profile.instance_profile_name), format!("{profile:?}"));
        }
        let groups = self.aws.wait(self.ec2.describe_security_groups().send()).expect("groups");
        // The second model makes this one for every cluster; EMR does so in private subnets alone.
        let made_up = |group: &&SecurityGroup| group.group_name() == Some("ElasticMapReduce-ServiceAccess");
        for group in groups.security_groups().iter().filter(|group| !made_up(group)) {
            all.insert(format!("group {}", group.group_name().unwrap_or_default()), format!("{group:?}"));
        }
        for schedule in self.aws.wait(self.scheduler.list_schedules().send()).expect("schedules").schedules {
            all.insert(format!("schedule {}", schedule.name().unwrap_or_default()), format!("{schedule:?}"));
        }
        for Seen { id, .. } in self.clusters("").into_iter().filter(Seen::alive) {
            let cluster = self.aws.wait(self.emr.describe_cluster().cluster_id(&id).send()).expect("a cluster");
            let cluster = cluster.cluster.expect("a cluster");
            let sizes: Vec<_> = if cluster.instance_collection_type == Some(InstanceCollectionType::InstanceFleet) {
                let fleets = self.aws.wait(self.emr.list_instance_fleets().cluster_id(&id).send()).expect("fleets");
                let size = |of: &InstanceFleet| (of.target_on_demand_capacity, of.target_spot_capacity);
                fleets.instance_fleets().iter().map(size).collect()
            } else {
                let groups = self.aws.wait(self.emr.list_instance_groups().cluster_id(&id).send()).expect("groups");
                groups.instance_groups().iter().map(|group| (group.requested_instance_count, None)).collect()
            };
            let told = (&cluster.name, cluster.status, cluster.tags, cluster.termination_protected, sizes);
            all.insert(format!("cluster {id}"), format!("{told:?}"));
        }
        all
    }
}
