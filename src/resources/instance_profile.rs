//! Kind `instance_profile`: what EC2 needs to hand the nodes' role to a node. It holds one role.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_iam::types::Tag;
use futures::future::BoxFuture;

use crate::cloud::error::{Class, CloudError, Outcome, call};
use crate::cloud::mark::{Lost, Mark, marked};
use crate::resource::{Address, Change, Cx, Field, Id, Kind, Known, Live, Need, OnDown, Ref, Resource};
use crate::resources::{patiently, role_path};

const NAME: &str = "instance_profile";

pub const KIND: Kind = Kind {
    name: NAME,
    on_down: OnDown::Stays,
    in_home: false,
    list: |cx: &Cx| -> BoxFuture<'_, _> { Box::pin(list(cx)) },
};

/// The one that a stack can have, `<stack>-nodes`.
const KEY: &str = "nodes";

const CATCH_UP: Duration = Duration::from_mins(2);

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
        let tags = profile.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect();
        let mark = Mark::read(&tags, &cx.stack);
        if mark.is_some_and(|mark| mark.address == self.address().to_string()) {
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
    // By name: a listing tells no tags.
    Ok(read(cx, &format!("{}-{KEY}", cx.stack)).await?.into_iter().collect())
}

/// One profile; `None` if it is gone or does not bear the stack's mark.
async fn read(cx: &Cx, name: &str) -> Result<Option<Live>, CloudError> {
    let get = cx.cloud.iam.get_instance_profile().instance_profile_name(name).send();
    let Some(profile) = call("iam GetInstanceProfile", get).await.or_absent()?.and_then(|a| a.instance_profile) else {
        return Ok(None);
    };
    let tags: BTreeMap<String, String> =
        profile.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect();
    let Some(mark) = Mark::read(&tags, &cx.stack) else {
        // A path cannot be changed: it still tells what the tags no longer do.
        if profile.path == role_path(&cx.stack) && !marked(&tags) {
            let lost = cx.mark(&InstanceProfile::at(KEY)).lost(&Lost::InstanceProfile(name));
            cx.say(&Address::new(NAME, name), lost);
        }
        return Ok(None);
    };
    let Some(key) = mark.key(NAME).map(str::to_owned) else { return Ok(None) };
    let roles = profile.roles.into_iter().map(|role| Ref::id(role.role_name)).collect();
    let profile = InstanceProfile { key, name: name.to_owned(), path: profile.path, roles };
    Ok(Some(Live { id: Id(name.to_owned()), mark, resource: Arc::new(profile) }))
}
