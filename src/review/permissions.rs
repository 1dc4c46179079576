//! What roles may do, before and after: policies taken apart into single permissions and compared as sets, so that an
//! order, a name or a merged statement changes nothing. It compares what is written, and never asks AWS what that means.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::resource::Resource;

/// One action on one resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Permission {
    /// Its role's address.
    pub role: String,
    /// `Allow` or `Deny`.
    pub effect: String,
    pub action: String,
    /// An ARN or a pattern of them; of who may take the role, the one who may.
    pub resource: String,
    /// Under which conditions, as IAM writes them.
    pub condition: Option<String>,
}

/// Permissions that came and went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Permissions {
    pub added: Vec<Permission>,
    pub removed: Vec<Permission>,
    /// Those that open more than there was before: of the added ones what reaches further than one that was there, or
    /// is for everything; of the removed ones what forbade something.
    pub widened: Vec<Permission>,
}

impl Permissions {
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// Compares roles. `same` turns what the old ones are called into what the new ones are, where all of it is made anew
    /// under other names.
    pub(super) fn between(old: &[Arc<dyn Resource>], new: &[Arc<dyn Resource>], same: impl Fn(&str) -> String) -> Self {
        let old: BTreeSet<Permission> = old.iter().flat_map(|role| of(&**role, &same)).collect();
        let new: BTreeSet<Permission> = new.iter().flat_map(|role| of(&**role, &str::to_owned)).collect();
        let added: Vec<Permission> = new.difference(&old).cloned().collect();
        let removed: Vec<Permission> = old.difference(&new).cloned().collect();
        let known: BTreeSet<&str> = old.iter().map(|permission| permission.role.as_str()).collect();
        // A role that was not there has nothing that could be widened.
        let more = added.iter().filter(|added| known.contains(added.role.as_str()) && added.opens(&old));
        let less = removed.iter().filter(|removed| removed.effect == "Deny" && !removed.still_forbidden(&new));
        let widened = more.chain(less).cloned().collect();
        Self { added, removed, widened }
    }
}

impl Permission {
    fn opens(&self, old: &BTreeSet<Self>) -> bool {
        if self.effect != "Allow" {
            return false;
        }
        let theirs = old.iter().filter(|other| other.role == self.role && other.effect == "Allow");
        let (mut further, mut within) = (false, false);
        for other in theirs {
            let as_much = covers(&self.action, &other.action) && covers(&self.resource, &other.resource);
            let freer = self.condition.is_none() || self.condition == other.condition;
            further |=
                as_much && freer && (self.action.as_str(), self.resource.as_str()) != (&other.action, &other.resource);
            further |= as_much && self.condition != other.condition;
            within |= covers(&other.action, &self.action)
                && covers(&other.resource, &self.resource)
                && (other.condition.is_none() || other.condition == self.condition);
        }
        let everything = self.resource == "*" || self.action.contains('*');
        !within && (further || everything && self.condition.is_none())
    }

    fn still_forbidden(&self, new: &BTreeSet<Self>) -> bool {
        new.iter().any(|other| {
            other.role == self.role
                && other.effect == "Deny"
                && covers(&other.action, &self.action)
                && covers(&other.resource, &self.resource)
                && (other.condition.is_none() || other.condition == self.condition)
        })
    }
}

/// Whether everything that `narrow` matches, `wide` matches too. Both may hold IAM's `*` and `?`.
fn covers(wide: &str, narrow: &str) -> bool {
    let (wide, narrow): (Vec<char>, Vec<char>) = (wide.chars().collect(), narrow.chars().collect());
    let (mut w, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < narrow.len() {
        match wide.get(w) {
            Some('*') => {
                star = Some((w, n));
                w += 1;
            }
            // A pattern's own star is only ever covered by a star.
            Some('?') if narrow[n] != '*' => (w, n) = (w + 1, n + 1),
            Some(c) if *c == narrow[n] && *c != '?' => (w, n) = (w + 1, n + 1),
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (w, n) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    wide[w..].iter().all(|c| *c == '*')
}

/// The permissions of a role.
fn of(role: &dyn Resource, same: &impl Fn(&str) -> String) -> Vec<Permission> {
    let address = role.address().to_string();
    let fields = role.fields();
    let mut found = Vec::new();
    for (name, on) in [("policy", ["Resource", "NotResource"]), ("trust", ["Principal", "NotPrincipal"])] {
        let document = fields.iter().find(|field| field.name == name).map(|field| &field.value);
        for statement in document.map(statements).into_iter().flatten() {
            let condition = statement.get("Condition").map(|condition| same(&condition.to_string()));
            let actions = words(statement, ["Action", "NotAction"]);
            let resources = words(statement, on);
            for action in &actions {
                found.extend(resources.iter().map(|resource| Permission {
                    role: address.clone(),
                    effect: statement["Effect"].as_str().unwrap_or_default().to_owned(),
                    action: action.clone(),
                    resource: same(resource),
                    condition: condition.clone(),
                }));
            }
        }
    }
    found
}

/// The statements of a policy: in a list, or, as a plan compares them, each under its `Sid`.
fn statements(document: &Value) -> Vec<&Value> {
    match (document.get("Statement"), document) {
        (Some(list), _) => each(list),
        (None, Value::Object(parts)) => parts.values().filter(|part| part.get("Effect").is_some()).collect(),
        _ => vec![],
    }
}

/// A list's items; a single value is a list of itself.
fn each(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Null => vec![],
        one => vec![one],
    }
}

/// What a statement says of a thing, or of everything but it.
fn words(statement: &Value, [named, but]: [&str; 2]) -> Vec<String> {
    let said = |key: &str| -> Vec<String> {
        match &statement[key] {
            Value::Object(kinds) => {
                kinds.iter().flat_map(|(_, whom)| each(whom)).filter_map(Value::as_str).map(str::to_owned).collect()
            }
            other => each(other).into_iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        }
    };
    let mut found = said(named);
    found.extend(said(but).into_iter().map(|word| format!("all but {word}")));
    found
}

/// Permissions that differ in their action alone, told together: what is done, on what, and who may.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Group {
    pub role: String,
    pub effect: String,
    pub resource: String,
    pub condition: Option<String>,
    pub widened: bool,
    pub actions: Vec<String>,
}

/// Groups permissions, widened ones first.
pub fn grouped(permissions: &[Permission], widened: &[Permission]) -> Vec<Group> {
    type Key<'a> = (bool, &'a str, &'a str, &'a str, &'a Option<String>);
    let mut groups: BTreeMap<Key<'_>, Vec<String>> = BTreeMap::new();
    for permission in permissions {
        let Permission { role, effect, action, resource, condition } = permission;
        let narrow = !widened.contains(permission);
        groups.entry((narrow, role, effect, resource, condition)).or_default().push(action.clone());
    }
    let group = |((narrow, role, effect, resource, condition), actions): (Key<'_>, _)| Group {
        role: role.to_owned(),
        effect: effect.to_owned(),
        resource: resource.to_owned(),
        condition: condition.clone(),
        widened: !narrow,
        actions,
    };
    groups.into_iter().map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_what_they_match_and_narrower_patterns() {
        for (wide, narrow) in [
            ("a", "a"),
            ("*", "a*"),
            ("s3:*", "s3:Get*"),
            ("arn:aws:s3:::b/*", "arn:aws:s3:::b/features/*"),
            ("b/*/c", "b/x/y/c"),
            ("b?", "bc"),
            ("*", ""),
        ] {
            assert!(covers(wide, narrow), "{wide} covers {narrow}");
        }
        for (wide, narrow) in
            [("a", "b"), ("a?", "a*"), ("a?", "a"), ("b/features/*", "b/*"), ("", "a"), ("b/*/c", "b/c")]
        {
            assert!(!covers(wide, narrow), "{wide} covers {narrow}");
        }
    }

    fn may(effect: &str, action: &str, resource: &str, condition: Option<&str>) -> Permission {
        Permission {
            role: "role/nodes".into(),
            effect: effect.into(),
            action: action.into(),
            resource: resource.into(),
            condition: condition.map(str::to_owned),
        }
    }

    #[test]
    fn statements_are_found_in_lists_and_under_their_names() {
        let one = serde_json::json!({"Effect": "Allow", "Action": "a", "Resource": "r"});
        for document in [
            serde_json::json!({"Version": "2012-10-17", "Statement": [one]}),
            serde_json::json!({"Version": "2012-10-17", "Statement": one}),
            serde_json::json!({"Version": "2012-10-17", "Look": one}),
        ] {
            assert_eq!(statements(&document), [&one], "{document}");
        }
    }

    #[test]
    fn what_reaches_further_is_widened_and_what_is_narrower_or_beside_is_not() {
        let old: BTreeSet<Permission> =
            [may("Allow", "s3:GetObject", "b/features/*", None), may("Allow", "iam:PassRole", "r", Some("{}"))].into();
        for (permission, opens) in [
            (may("Allow", "s3:GetObject", "b/*", None), true),
            (may("Allow", "s3:*", "b/features/*", None), true),
            (may("Allow", "iam:PassRole", "r", None), true),
            (may("Allow", "iam:PassRole", "r", Some("{1}")), true),
            (may("Allow", "ec2:RunInstances", "*", None), true),
            (may("Allow", "s3:GetObject", "b/features/x", None), false),
            (may("Allow", "s3:GetObject", "c/*", None), false),
            (may("Deny", "*", "*", None), false),
        ] {
            assert_eq!(permission.opens(&old), opens, "{permission:?}");
        }
        let fence = may("Deny", "*", "*", Some("{}"));
        assert!(!fence.still_forbidden(&[may("Deny", "s3:*", "*", None)].into()));
        assert!(fence.still_forbidden(&[may("Deny", "*", "*", None)].into()));
    }

    #[test]
    fn actions_on_one_thing_are_told_together_and_the_widened_first() {
        let all = [may("Allow", "a", "x", None), may("Allow", "b", "x", None), may("Allow", "a", "y", None)];
        let told = grouped(&all, &all[2..]);
        let shown: Vec<(&str, bool, Vec<String>)> =
            told.iter().map(|group| (group.resource.as_str(), group.widened, group.actions.clone())).collect();
        assert_eq!(shown, [("y", true, vec!["a".to_owned()]), ("x", false, vec!["a".into(), "b".into()])]);
    }
}
