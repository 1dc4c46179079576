//! Kind `role`: who EMR and its nodes act as. One inline policy, all of it compared; never a managed one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_iam::types::Tag;
use futures::future::{BoxFuture, try_join_all};
use serde_json::{Value, json};

use crate::cloud::error::{Class, CloudError, Outcome, call};
use crate::cloud::mark::{Lost, Mark, marked, own_tags};
use crate::resource::{Address, Change, Cx, Field, Id, Kind, Live, OnDown, Resource};
use crate::resources::{patiently, role_path};

const NAME: &str = "role";

pub const KIND: Kind = Kind {
    name: NAME,
    on_down: OnDown::Stays,
    in_home: false,
    list: |cx: &Cx| -> BoxFuture<'_, _> { Box::pin(list(cx)) },
};

/// The name of the one inline policy.
const POLICY: &str = "fruitsinfra";

/// The roles that a stack can have, `<stack>-<key>`.
const KEYS: [&str; 3] = ["nodes", "service", "end"];

/// IAM settles within seconds, at times within two minutes.
const CATCH_UP: Duration = Duration::from_mins(2);

#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    pub key: String,
    pub name: String,
    pub trust: Value,
    pub policy: Value,
    /// ARNs of managed policies that are attached: none is to one that we make.
    pub attached: BTreeSet<String>,
    pub tags: BTreeMap<String, String>,
}

impl Role {
    pub fn at(key: &str) -> Address {
        Address::new(NAME, key)
    }
}

#[async_trait]
impl Resource for Role {
    fn address(&self) -> Address {
        Self::at(&self.key)
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn fields(&self) -> Vec<Field> {
        let Self { key: _, name, trust, policy, attached, tags } = self;
        vec![
            Field::replaces("name", name.as_str()),
            Field::updates("trust", canonical(trust)),
            Field::updates("policy", by_sid(canonical(policy))),
            Field::updates("attached", json!(attached)),
            Field::updates("tags", json!(tags)),
        ]
    }

    async fn create(&self, cx: &Cx) -> Result<Id, CloudError> {
        let tags = tag_list(&self.tags, &cx.mark(&self.address()))?;
        let made = patiently(cx, &self.address(), CATCH_UP, || {
            let create = cx.cloud.iam.create_role().role_name(&self.name).path(role_path(&cx.stack));
            let create = create.assume_role_policy_document(self.trust.to_string()).set_tags(Some(tags.clone()));
            call("iam CreateRole", create.send())
        })
        .await;
        match made {
            Ok(_) => {}
            // A reply that was lost and a role of somebody else's look the same: the mark tells.
            Err(error) if error.class == Class::Taken => {
                let live = read(cx, &self.name).await?;
                if live.is_none_or(|live| live.mark.address != self.address().to_string()) {
                    return Err(CloudError::taken(format!(
                        "role {} already exists and is not this stack's",
                        self.name
                    )));
                }
            }
            Err(error) => return Err(error),
        }
        self.put_policy(cx).await?;
        Ok(Id(self.name.clone()))
    }

    async fn update(&self, cx: &Cx, _id: &Id, changes: &[Change]) -> Result<(), CloudError> {
        for change in changes {
            match change.field {
                "policy" => self.put_policy(cx).await?,
                "attached" => {
                    let there = change.from.as_array().into_iter().flatten().filter_map(Value::as_str);
                    self.detach(cx, there).await?;
                }
                "trust" => {
                    patiently(cx, &self.address(), CATCH_UP, || {
                        let update = cx.cloud.iam.update_assume_role_policy().role_name(&self.name);
                        call("iam UpdateAssumeRolePolicy", update.policy_document(self.trust.to_string()).send())
                    })
                    .await?;
                }
                "tags" => self.put_tags(cx, change).await?,
                other => return Err(CloudError::bug(format!("a role has no field {other}"))),
            }
        }
        Ok(())
    }

    async fn delete(&self, cx: &Cx, _id: &Id) -> Result<(), CloudError> {
        // A role that holds anything cannot go, whoever gave it that.
        self.detach(cx, self.attached.iter().map(String::as_str)).await?;
        let inline = call("iam ListRolePolicies", cx.cloud.iam.list_role_policies().role_name(&self.name).send()).await;
        for policy in inline.or_absent()?.map(|list| list.policy_names).unwrap_or_default() {
            patiently(cx, &self.address(), CATCH_UP, || {
                let delete = cx.cloud.iam.delete_role_policy().role_name(&self.name).policy_name(&policy);
                call("iam DeleteRolePolicy", delete.send())
            })
            .await
            .or_absent()?;
        }
        patiently(cx, &self.address(), CATCH_UP, || {
            call("iam DeleteRole", cx.cloud.iam.delete_role().role_name(&self.name).send())
        })
        .await
        .or_absent()?;
        Ok(())
    }
}

impl Role {
    /// A fresh role may be unknown to the next call for a while.
    async fn put_policy(&self, cx: &Cx) -> Result<(), CloudError> {
        patiently(cx, &self.address(), CATCH_UP, || async {
            let put = cx.cloud.iam.put_role_policy().role_name(&self.name).policy_name(POLICY);
            let put = call("iam PutRolePolicy", put.policy_document(self.policy.to_string()).send()).await;
            put.map(drop).map_err(settling)
        })
        .await
    }

    /// Takes away managed policies that somebody attached.
    async fn detach<'a>(&self, cx: &Cx, arns: impl Iterator<Item = &'a str>) -> Result<(), CloudError> {
        for arn in arns {
            let detach = cx.cloud.iam.detach_role_policy().role_name(&self.name).policy_arn(arn).send();
            call("iam DetachRolePolicy", detach).await.or_absent()?;
        }
        Ok(())
    }

    async fn put_tags(&self, cx: &Cx, change: &Change) -> Result<(), CloudError> {
        let old = change.from.as_object().into_iter().flatten();
        let dropped: Vec<String> = old.map(|(k, _)| k.clone()).filter(|k| !self.tags.contains_key(k)).collect();
        // First, because IAM takes `Project` and `project` for one: what comes after would go with what was before.
        if !dropped.is_empty() {
            let untag = cx.cloud.iam.untag_role().role_name(&self.name).set_tag_keys(Some(dropped));
            call("iam UntagRole", untag.send()).await?;
        }
        let tags = tag_list(&self.tags, &cx.mark(&self.address()))?;
        call("iam TagRole", cx.cloud.iam.tag_role().role_name(&self.name).set_tags(Some(tags)).send()).await?;
        Ok(())
    }
}

/// `NoSuchEntity` right after a create means "not yet".
fn settling(error: CloudError) -> CloudError {
    if error.class == Class::Absent { CloudError { class: Class::NotYet, ..error } } else { error }
}

fn tag_list(own: &BTreeMap<String, String>, mark: &Mark) -> Result<Vec<Tag>, CloudError> {
    let all = own.clone().into_iter().chain(mark.tags_outside_eu());
    all.map(|(k, v)| Tag::builder().key(k).value(v).build().map_err(|e| CloudError::bug(e.to_string()))).collect()
}

/// A policy document as it is compared: one-element lists are that element, lists are sorted. AWS returns
/// either form.
fn canonical(document: &Value) -> Value {
    match document {
        Value::Array(list) if list.len() == 1 => canonical(&list[0]),
        Value::Array(list) => {
            let mut list: Vec<Value> = list.iter().map(canonical).collect();
            list.sort_by_cached_key(Value::to_string);
            Value::Array(list)
        }
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), canonical(v))).collect(),
        Value::Bool(b) => Value::String(b.to_string()),
        other => other.clone(),
    }
}

/// A document with its statements under their `Sid`s, so that a plan names the one that changes.
fn by_sid(document: Value) -> Value {
    let Value::Object(mut parts) = document else { return document };
    let statements = match parts.remove("Statement") {
        Some(Value::Array(list)) => list,
        one => one.into_iter().collect(),
    };
    for statement in statements {
        let mut sid = statement["Sid"].as_str().unwrap_or("Statement").to_owned();
        while parts.contains_key(&sid) {
            sid.push('\'');
        }
        parts.insert(sid, statement);
    }
    Value::Object(parts)
}

/// IAM gives documents back percent-encoded.
fn decode(document: &str) -> Value {
    let mut bytes = Vec::with_capacity(document.len());
    let mut rest = document.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten().and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(byte) = escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::String(document.into()))
}

async fn list(cx: &Cx) -> Result<Vec<Live>, CloudError> {
    // By name: all that a stack can have, and each has to be asked for its tags anyway.
    let names = KEYS.map(|key| format!("{}-{key}", cx.stack));
    Ok(try_join_all(names.iter().map(|name| read(cx, name))).await?.into_iter().flatten().collect())
}

/// One role; `None` if it is gone or does not bear the stack's mark.
async fn read(cx: &Cx, name: &str) -> Result<Option<Live>, CloudError> {
    let iam = &cx.cloud.iam;
    let role = call("iam GetRole", iam.get_role().role_name(name).send()).await;
    let Some(role) = role.or_absent()?.and_then(|answer| answer.role) else { return Ok(None) };
    let tags: BTreeMap<String, String> = role.tags.unwrap_or_default().into_iter().map(|t| (t.key, t.value)).collect();
    let Some(mark) = Mark::read(&tags, &cx.stack) else {
        let key = name.strip_prefix(&format!("{}-", cx.stack)).unwrap_or_default();
        // A path cannot be changed: it still tells what the tags no longer do.
        if role.path == role_path(&cx.stack) && !marked(&tags) {
            cx.say(&Address::new(NAME, name), cx.mark(&Role::at(key)).lost(&Lost::Role(name)));
        }
        return Ok(None);
    };
    let Some(key) = mark.key(NAME).map(str::to_owned) else { return Ok(None) };
    let (policy, attached) = futures::join!(
        call("iam GetRolePolicy", iam.get_role_policy().role_name(name).policy_name(POLICY).send()),
        // A role has twenty at most: one page holds them.
        call("iam ListAttachedRolePolicies", iam.list_attached_role_policies().role_name(name).send()),
    );
    let policy = policy.or_absent()?.map(|p| decode(&p.policy_document)).unwrap_or_default();
    let attached = attached.or_absent()?.and_then(|list| list.attached_policies).unwrap_or_default();
    let attached = attached.into_iter().filter_map(|policy| policy.policy_arn).collect();
    let trust = role.assume_role_policy_document.as_deref().map(decode).unwrap_or_default();
    let role = Role { key, name: name.to_owned(), trust, policy, attached, tags: own_tags(&tags) };
    Ok(Some(Live { id: Id(name.to_owned()), resource: Arc::new(role), mark }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_compare_equal_however_aws_words_them() {
        let ours = json!({"Statement": [{"Action": ["s3:b", "s3:a"], "Resource": ["x"], "Condition": {"Bool": {"k": "true"}}}]});
        let theirs =
            json!({"Statement": {"Resource": "x", "Action": ["s3:a", "s3:b"], "Condition": {"Bool": {"k": true}}}});
        assert_eq!(canonical(&ours), canonical(&theirs));
        assert_ne!(canonical(&ours), canonical(&json!({"Statement": {"Resource": "x", "Action": "s3:a"}})));
    }

    #[test]
    fn no_statement_is_lost_for_want_of_a_name() {
        let document = json!({"Statement": [{"Sid": "A", "Action": "x"}, {"Action": "y"}, {"Action": "z"}]});
        let parts = by_sid(document);
        assert_eq!(parts.as_object().map(serde_json::Map::len), Some(3));
        assert_eq!(parts["A"]["Action"], "x");
    }

    #[test]
    fn percent_encoded_documents_are_read() {
        assert_eq!(decode("%7B%22a%22%3A%20%22%C3%A9%20b%2B%22%7D"), json!({"a": "é b+"}));
        assert_eq!(decode("100%"), json!("100%"));
    }
}
