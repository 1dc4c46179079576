//! One cluster, whosesoever it is, as EMR itself tells it: the answers of its reading calls as JSON, whole, so that
//! nothing of a description is lost on the way through types. It changes nothing.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::{Value, json};

use crate::cloud::Cloud;
use crate::cloud::error::{CloudError, call};

/// Keeps the body of an answer.
#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Option<Vec<u8>>>>);

impl Heard {
    fn json(&self) -> Result<Value, CloudError> {
        let body = self.0.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
        serde_json::from_slice(&body).map_err(|error| CloudError::failed(format!("EMR answered no JSON: {error}")))
    }
}

impl Intercept for Heard {
    fn name(&self) -> &'static str {
        "Heard"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response().body().bytes().map(<[u8]>::to_vec);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = body;
        Ok(())
    }
}

/// A call whose answer is kept as it came.
macro_rules! heard {
    ($name:literal, $operation:expr) => {{
        let heard = Heard::default();
        call($name, $operation.customize().interceptor(heard.clone()).send()).await?;
        heard.json()?
    }};
}

/// All pages of a listing, under one key.
macro_rules! pages {
    ($name:literal, $key:literal, $operation:expr) => {{
        let (mut all, mut marker) = (Vec::new(), None::<String>);
        loop {
            let page = heard!($name, $operation.set_marker(marker));
            all.extend(page[$key].as_array().cloned().unwrap_or_default());
            marker = page["Marker"].as_str().filter(|marker| !marker.is_empty()).map(str::to_owned);
            if marker.is_none() {
                break Value::from(all);
            }
        }
    }};
}

impl Cloud {
    /// `{"Cluster": {...}}` as the AWS CLI prints it, with groups, bootstrap actions and policies in it.
    pub async fn described(&self, id: &str) -> Result<Value, CloudError> {
        let emr = &self.emr;
        let mut answer = heard!("emr DescribeCluster", emr.describe_cluster().cluster_id(id));
        let cluster = &mut answer["Cluster"];
        if !cluster.is_object() {
            return Err(CloudError::failed(format!("EMR describes {id} as nothing")));
        }
        if cluster["InstanceCollectionType"] == json!("INSTANCE_FLEET") {
            cluster["InstanceFleets"] =
                pages!("emr ListInstanceFleets", "InstanceFleets", emr.list_instance_fleets().cluster_id(id));
        } else {
            cluster["InstanceGroups"] =
                pages!("emr ListInstanceGroups", "InstanceGroups", emr.list_instance_groups().cluster_id(id));
        }
        cluster["BootstrapActions"] =
            pages!("emr ListBootstrapActions", "BootstrapActions", emr.list_bootstrap_actions().cluster_id(id));
        let idle = heard!("emr GetAutoTerminationPolicy", emr.get_auto_termination_policy().cluster_id(id));
        cluster["AutoTerminationPolicy"] = idle["AutoTerminationPolicy"].clone();
        let scaling = heard!("emr GetManagedScalingPolicy", emr.get_managed_scaling_policy().cluster_id(id));
        cluster["ManagedScalingPolicy"] = scaling["ManagedScalingPolicy"].clone();
        Ok(answer)
    }
}
