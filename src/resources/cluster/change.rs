//! What EMR changes on a running cluster, its instance groups aside. It asks for no other cluster.

use aws_sdk_emr::types::AutoTerminationPolicy;

use super::{Cluster, emr_tags};
use crate::cloud::error::{CloudError, call};
use crate::cloud::promise::{EXPIRES, IDLE, LIFTABLE, moment};
use crate::resource::{Change, Cx, Id};

impl Cluster {
    /// Makes these changes, but for those of groups.
    pub(super) async fn put(&self, cx: &Cx, id: &Id, changes: &[Change]) -> Result<(), CloudError> {
        for change in changes {
            match change.field {
                "core_count" | "core_spot" | "task" | "group_configurations" => {}
                // Before the groups: EMR resizes none while it is attached.
                "managed_scaling" => self.put_scaling(cx, id).await?,
                "idle_seconds" => {
                    self.put_idle(cx, id).await?;
                    if let Some(idle) = self.changeable.idle {
                        cx.cloud.tag_cluster(&id.0, IDLE, &idle.to_string()).await?;
                    }
                }
                "keep_alive" => {
                    let set = cx.cloud.emr.set_keep_job_flow_alive_when_no_steps().job_flow_ids(&id.0);
                    let set = set.keep_job_flow_alive_when_no_steps(self.changeable.keep_alive);
                    call("emr SetKeepJobFlowAliveWhenNoSteps", set.send()).await?;
                }
                "termination_protection" => self.put_protection(cx, id).await?,
                "step_concurrency" => {
                    let modify = cx.cloud.emr.modify_cluster().cluster_id(&id.0);
                    let modify = modify.step_concurrency_level(self.changeable.step_concurrency);
                    call("emr ModifyCluster", modify.send()).await?;
                }
                "expires" => self.put_end(cx, id).await?,
                "lift_protection" => {
                    cx.cloud.tag_cluster(&id.0, LIFTABLE, &self.changeable.lift_protection.to_string()).await?;
                }
                "tags" => self.put_tags(cx, id, change).await?,
                other => return Err(CloudError::bug(format!("a cluster cannot change {other} in place"))),
            }
        }
        Ok(())
    }

    pub(super) async fn put_protection(&self, cx: &Cx, id: &Id) -> Result<(), CloudError> {
        cx.cloud.protect(&id.0, self.changeable.termination_protection).await
    }

    async fn put_idle(&self, cx: &Cx, id: &Id) -> Result<(), CloudError> {
        if let Some(idle) = self.changeable.idle {
            let policy = AutoTerminationPolicy::builder().idle_timeout(idle).build();
            let put = cx.cloud.emr.put_auto_termination_policy().cluster_id(&id.0).auto_termination_policy(policy);
            call("emr PutAutoTerminationPolicy", put.send()).await?;
        } else {
            let remove = cx.cloud.emr.remove_auto_termination_policy().cluster_id(&id.0);
            call("emr RemoveAutoTerminationPolicy", remove.send()).await?;
        }
        Ok(())
    }

    /// Moves the end that is promised, where a person moves it.
    pub(super) async fn put_end(&self, cx: &Cx, id: &Id) -> Result<(), CloudError> {
        match self.changeable.expires {
            Some(at) => cx.cloud.tag_cluster(&id.0, EXPIRES, &moment(at)).await,
            None => Ok(()),
        }
    }

    async fn put_tags(&self, cx: &Cx, id: &Id, change: &Change) -> Result<(), CloudError> {
        let wanted = &self.changeable.tags;
        let old = change.from.as_object().into_iter().flatten();
        let dropped: Vec<String> = old.map(|(key, _)| key.clone()).filter(|key| !wanted.contains_key(key)).collect();
        if !wanted.is_empty() {
            let add = cx.cloud.emr.add_tags().resource_id(&id.0).set_tags(Some(emr_tags(wanted.clone())));
            call("emr AddTags", add.send()).await?;
        }
        if !dropped.is_empty() {
            let remove = cx.cloud.emr.remove_tags().resource_id(&id.0).set_tag_keys(Some(dropped));
            call("emr RemoveTags", remove.send()).await?;
        }
        Ok(())
    }
}
