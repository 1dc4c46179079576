//! Kind `instance_profile`: what EC2 needs to hand the nodes' role to a node. It holds one role.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_iam::types::Tag;
use futures::future::BoxFuture;

use crate::cloud::error::{Class, CloudError, Outcome, call};
use crate::resource::{Address, Change, Cx, Field, Id, Kind, Known, Live, Need, OnDown, Ref, Resource};
use crate::resources::{patiently, role_path};

const NAME: &str = "instance_profile";

pub const KIND: Kind =
    Kind { name: NAME, on_down: OnDown::Stays, list: |cx: &Cx| -> BoxFuture<'_, _> { Box::pin(list(cx)) } };

const CATCH_UP: Duration = Duration::from_mins(2);

/// Found by path and not by tags: a listing gives the path, and costs one call.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceProfile {
    pub key: String,
    pub name: String,
    pub path: String,
    pub roles: BTreeSet<Ref>,
}

impl InstanceProfile {
    pub fn at(key: &str) -> Address {
        Address::new(NAME, key)
    }
}

#[async_trait]
impl Resource for InstanceProfile {
    fn address(&self) -> Address {
        Self::at(&self.key)
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn needs(&self) -> Vec<Need> {
        self.roles.iter().filter_map(Ref::address).cloned().map(Need::orders).collect()
    }

    fn fields(&self) -> Vec<Field> {
        let Self { key: _, name, path: _, roles } = self;
        let roles: Vec<String> = roles.iter().map(ToString::to_string).collect();
        vec![Field::replaces("name", name.as_str()), Field::updates("role", roles.join(", "))]
    }

    fn resolved(&self, known: &Known) -> Option<Arc<dyn Resource>> {
        let roles = self.roles.iter().map(|role| role.resolved("role", known)).collect();
        Some(Arc::new(Self { roles, ..self.clone() }))
    }

    async fn create(&self, cx: &Cx) -> Result<Id, CloudError> {
        let tags = cx.mark(&self.address()).tags_outside_eu().into_iter();
        let tags: Result<Vec<Tag>, _> = tags.map(|(k, v)| Tag::builder().key(k).value(v).build()).collect();
        let tags = tags.map_err(|e| CloudError::bug(e.to_string()))?;
        let create = cx.cloud.iam.create_instance_profile().instance_profile_name(&self.name).path(&self.path);
        let mut holds = BTreeSet::new();
        match call("iam CreateInstanceProfile", create.set_tags(Some(tags)).send()).await {
            Ok(_) => {}
            Err(error) if error.class == Class::Taken => holds = self.claim(cx).await?,
            Err(error) => return Err(error),
        }
        self.settle_roles(cx, &holds).await?;
        Ok(Id(self.name.clone()))
    }

    async fn update(&self, cx: &Cx, _id: &Id, _changes: &[Change]) -> Result<(), CloudError> {
        let holds = self.claim(cx).await?;
        self.settle_roles(cx, &holds).await
    }

    async fn delete(&self, cx: &Cx, id: &Id) -> Result<(), CloudError> {
        // What it holds is asked anew: an id that was resolved to an address is no name.
        for role in self.claim(cx).await.or_absent()?.unwrap_or_default() {
            self.remove(cx, &role).await?;
        }
        patiently(cx, &self.address(), CATCH_UP, || {
            call(
                "iam DeleteInstanceProfile",
                cx.cloud.iam.delete_instance_profile().instance_profile_name(&id.0).send(),
            )
        })
        .await
        .or_absent()?;
        Ok(())
    }
}

impl InstanceProfile {
    /// The names of the roles in the profile that is there, if it is this stack's.
    async fn claim(&self, cx: &Cx) -> Result<BTreeSet<String>, CloudError> {
        let get = cx.cloud.iam.get_instance_profile().instance_profile_name(&self.name).send();
        let Some(profile) = call("iam GetInstanceProfile", get).await?.instance_profile else {
            return Err(CloudError::absent(format!("instance profile {} is gone", self.name)));
        };
        if profile.path == self.path {
            Ok(profile.roles.into_iter().map(|role| role.role_name).collect())
        } else {
            Err(CloudError::taken(format!("instance profile {} already exists and is not this stack's", self.name)))
        }
    }

    async fn settle_roles(&self, cx: &Cx, holds: &BTreeSet<String>) -> Result<(), CloudError> {
        let wanted = self.roles.iter().map(|role| cx.id_of(role)).collect::<Result<BTreeSet<_>, _>>()?;
        // A profile holds one role: the old one makes room first.
        for role in holds.difference(&wanted) {
            self.remove(cx, role).await?;
        }
        for role in wanted.difference(holds) {
            patiently(cx, &self.address(), CATCH_UP, || async {
                let add = cx.cloud.iam.add_role_to_instance_profile().instance_profile_name(&self.name).role_name(role);
                match call("iam AddRoleToInstanceProfile", add.send()).await {
                    // A fresh role or profile is not known everywhere yet.
                    Err(error) if error.class == Class::Absent => Err(CloudError { class: Class::NotYet, ..error }),
                    other => other.map(drop),
                }
            })
            .await?;
        }
        Ok(())
    }

    async fn remove(&self, cx: &Cx, role: &str) -> Result<(), CloudError> {
        let remove = cx.cloud.iam.remove_role_from_instance_profile().instance_profile_name(&self.name).role_name(role);
        call("iam RemoveRoleFromInstanceProfile", remove.send()).await.or_absent()?;
        Ok(())
    }
}

async fn list(cx: &Cx) -> Result<Vec<Live>, CloudError> {
    let path = role_path(&cx.stack);
    let (mut found, mut marker) = (Vec::new(), None);
    loop {
        let page = cx.cloud.iam.list_instance_profiles().path_prefix(&path).set_marker(marker).send();
        let page = call("iam ListInstanceProfiles", page).await?;
        found.extend(page.instance_profiles);
        marker = page.marker;
        if marker.is_none() {
            break;
        }
    }
    let prefix = format!("{}-", cx.stack);
    let live = found.into_iter().filter_map(|profile| {
        let name = profile.instance_profile_name;
        let key = name.strip_prefix(&prefix)?.to_owned();
        let roles = profile.roles.into_iter().map(|role| Ref::id(role.role_name)).collect();
        let profile = InstanceProfile { key, name: name.clone(), path: path.clone(), roles };
        Some(Live { id: Id(name), mark: cx.mark(&profile.address()), resource: Arc::new(profile) })
    });
    Ok(live.collect())
}
