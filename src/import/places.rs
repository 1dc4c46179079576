//! Names and places: what a stack may be called, where it lies, and which of the source's buckets are somebody's and
//! which are yet to be made. It chooses no region outside the EU.

use std::ops::Range;

use super::notes::Sort;
use super::request::Reading;
use super::text::Part;
use super::tree::{self, Fields};
use crate::residency::{EuRegion, Refused, region_abroad};
use crate::resources::HOME;
use crate::stack::node::{Node, Value};

/// A bucket as the stack declares it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Bucket {
    /// To be made, under its default name.
    Ours,
    Existing(String),
}

/// Beginnings that S3 and EC2 keep for themselves.
const KEPT: [&str; 3] = ["sthree-", "amzn-s3-demo-", "sg-"];

/// The key that is wanted, or that with a number where it is taken.
pub(super) fn free_key(wanted: &str, taken: impl Fn(&str) -> bool) -> String {
    let numbered = |n: usize| {
        let number = format!("-{n}");
        format!("{}{number}", &wanted[..wanted.len().min(KEY - number.len())])
    };
    if taken(wanted) {
        (2..10_000).map(numbered).find(|key| !taken(key)).unwrap_or_default()
    } else {
        wanted.to_owned()
    }
}

/// A key out of any name: lower-case letters, digits and single hyphens, so many at most.
pub(super) fn slug(name: &str, longest: usize) -> String {
    let mut slug = String::new();
    for c in name.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            slug.push(c);
        } else if c.is_ascii() && !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(longest);
    let slug = slug.trim_matches('-');
    match slug {
        "" => "imported".to_owned(),
        _ if slug.starts_with(|c: char| c.is_ascii_digit())
            || KEPT.iter().any(|kept| format!("{slug}-").starts_with(kept)) =>
        {
            let slug: String = format!("emr-{slug}").chars().take(longest).collect();
            slug.trim_end_matches('-').to_owned()
        }
        _ => slug.to_owned(),
    }
}

/// The longest names of a stack and of a key in it.
pub(super) const STACK: usize = 32;
pub(super) const KEY: usize = 24;

/// `demo` and `Tout à la fois` of `demo-main Tout à la fois`, as a stack of ours calls its cluster.
pub(super) fn ours(name: &str) -> Option<(&str, Option<&str>)> {
    let (first, rest) = match name.split_once(' ') {
        Some((first, rest)) => (first, Some(rest)),
        None => (name, None),
    };
    let stack = first.strip_suffix("-main")?;
    (slug(stack, STACK) == stack).then_some((stack, rest))
}

/// The region that a source names, wherever it does, and where it stands.
pub(super) fn region(root: &Node) -> Option<(String, Range<usize>)> {
    let mut fields = Fields::of(root, "")?;
    if let Some(node) = fields.take("Region") {
        return Some((tree::scalar(node).unwrap_or_default().to_owned(), node.span.clone()));
    }
    // A zone, a key's ARN, the settings of a cluster of ours, the name of AWS's own log bucket.
    let instances = fields.take("Instances").and_then(|node| Fields::of(node, ""));
    let zone = instances.and_then(|mut of| of.take("Placement")).and_then(|node| Fields::of(node, ""));
    if let Some(node) = zone.and_then(|mut of| of.take("AvailabilityZone")) {
        let zone = tree::scalar(node).unwrap_or_default();
        return Some((zone.trim_end_matches(|c: char| c.is_ascii_lowercase()).to_owned(), node.span.clone()));
    }
    if let Some(found) = fields.take("Configurations").and_then(set) {
        return Some(found);
    }
    let logs = fields.take("LogUri")?;
    let text = tree::scalar(logs)?;
    let named = |region: &EuRegion| text.contains(&format!("-{region}/")) || text.ends_with(&format!("-{region}"));
    let within = EuRegion::ALL.into_iter().find(named).map(|region| region.as_str().to_owned());
    let abroad = || region_abroad_in_name(text).map(str::to_owned);
    within.or_else(abroad).map(|region| (region, logs.span.clone()))
}

/// `us-east-1` of `aws-logs-000000000000-us-east-1`, which no word of its own tells.
pub(super) fn region_abroad_in_name(text: &str) -> Option<&'static str> {
    if let Some((region, _)) = region_abroad(text) {
        return Some(region);
    }
    let bucket = text.split("://").last()?.split('/').next()?;
    let parts: Vec<&str> = bucket.split('-').collect();
    parts.windows(3).find_map(|part| region_abroad(&part.join("-"))).map(|(region, _)| region)
}

/// The region among settings.
fn set(configurations: &Node) -> Option<(String, Range<usize>)> {
    const NAMES: [&str; 3] = ["AWS_REGION", "AWS_DEFAULT_REGION", "fs.s3a.endpoint.region"];
    match &configurations.value {
        Value::List(items) => items.iter().find_map(set),
        Value::Map(entries) => entries.iter().find_map(|(key, node)| match tree::scalar(node) {
            Some(region) if NAMES.contains(&key.text.as_str()) => Some((region.to_owned(), node.span.clone())),
            _ => set(node),
        }),
        _ => None,
    }
}

/// What is written where the region of a source lies outside the EU.
pub(super) fn refused(refused: &Refused) -> (String, String) {
    let hint = format!("{}; `--region eu-west-3` imports it into the EU", refused.hint);
    (refused.to_string(), hint)
}

impl Reading<'_> {
    /// The key of a bucket that the source names, declared from now on.
    pub(super) fn bucket(&mut self, name: &str, span: &Range<usize>) -> String {
        if let Some((_, key, _)) = self.buckets.iter().find(|(said, ..)| said == name) {
            return key.clone();
        }
        let name_known = self.with_account(name);
        let (key, bucket) = match tree::placeholder(&name_known) {
            // One of ours, as `render` writes it.
            Some("<account>") if let Some(key) = self.own_key(&name_known) => {
                (self.free(&slug(key, KEY)), Bucket::Ours)
            }
            Some(placeholder) => {
                let inner: String = tree::shown(placeholder).replace("-name", "").to_lowercase();
                let words = ["your", "my", "the", "name", "bucket", "s3", "aws", "var"];
                let plain = inner
                    .split(|c: char| !c.is_ascii_alphanumeric())
                    .find(|word| !word.is_empty() && !words.contains(word));
                let logs = name_known.contains("logs") || inner.contains("log");
                let key = match plain {
                    Some(word) if placeholder != "<account>" => slug(word, KEY),
                    _ if logs => "logs".to_owned(),
                    _ => "data".to_owned(),
                };
                let key = self.free(&key);
                let shown = tree::shown(name);
                let message =
                    format!("the source names a bucket only as `{shown}`: the stack makes one of its own, `{key}`");
                self.notes.add(
                    Sort::Fill,
                    span,
                    message,
                    format!("if it is there, write `{key}: {{existing: ITS-NAME}}` under `buckets`"),
                );
                (key, Bucket::Ours)
            }
            None if self.moved.is_some() && region_abroad_in_name(&name_known).is_some() => {
                let key = self.free(if name_known.contains("log") { "logs" } else { "data" });
                let message =
                    format!("the bucket `{name_known}` lies elsewhere: the stack makes one of its own, `{key}`");
                self.notes.add(Sort::Changed, span, message, format!("copy what is needed into `{key}`"));
                (key, Bucket::Ours)
            }
            None => {
                let short = name_known.strip_prefix(&format!("{}-", self.stack)).unwrap_or(&name_known);
                let short = if short.starts_with("aws-logs-") { "logs" } else { short };
                (self.free(&slug(short, KEY)), Bucket::Existing(name_known.clone()))
            }
        };
        self.buckets.push((name.to_owned(), key.clone(), bucket));
        key
    }

    /// The key in the name of a bucket of ours, `<stack>-<key>-<account>`.
    fn own_key<'n>(&self, name: &'n str) -> Option<&'n str> {
        name.strip_prefix(&*self.stack)?.strip_prefix('-')?.strip_suffix("-<account>")
    }

    /// A key that no other bucket has, and that is not the stack's own.
    fn free(&self, wanted: &str) -> String {
        free_key(wanted, |key| key == HOME || self.buckets.iter().any(|(_, other, _)| other == key))
    }

    /// With the account's number, where it is known.
    pub(super) fn with_account(&self, text: &str) -> String {
        match &self.wishes.account {
            Some(account) => text.replace("<account>", account).replace("<account-id>", account),
            None => text.to_owned(),
        }
    }

    /// The name that a bucket of the source will have; `None` as long as the account is not known.
    pub(super) fn bucket_name(&self, key: &str) -> Option<String> {
        let (_, _, bucket) = self.buckets.iter().find(|(_, of, _)| of == key)?;
        match bucket {
            Bucket::Existing(name) => Some(name.clone()),
            Bucket::Ours => Some(format!("{}-{key}-{}", self.stack, self.wishes.account.as_deref()?)),
        }
    }

    /// `logs/emr/` of `s3n://demo-logs-000000000000/emr`.
    pub(super) fn place(&mut self, url: &str, span: &Range<usize>) -> Option<String> {
        let (scheme, rest) = url.split_once("://")?;
        if !["s3", "s3n", "s3a"].contains(&scheme) || rest.is_empty() {
            return None;
        }
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let key = self.bucket(bucket, span);
        let parts: Vec<&str> = prefix.split('/').filter(|part| !part.is_empty()).collect();
        let prefix: String = parts.iter().flat_map(|part| [*part, "/"]).collect();
        if url.trim_end_matches('/').matches("//").count() > 1 {
            let message =
                format!("`{}` has an empty part, which makes another key in S3: it is left out", tree::shown(url));
            self.notes.add(Sort::Changed, span, message, "check where the logs went before");
        }
        if let Some(placeholder) = tree::placeholder(&prefix) {
            let message = format!("the place `{}` holds `{}`", tree::shown(url), tree::shown(placeholder));
            self.notes.add(Sort::Fill, span, message, format!("write the place, as in `{key}/logs/`"));
            return Some(format!("{key}/logs/"));
        }
        Some(format!("{key}/{prefix}"))
    }

    /// `buckets:` as they have become known.
    pub(super) fn declared(&self) -> Part {
        let part = |bucket: &Bucket| match bucket {
            Bucket::Ours => Part::map::<String>([]),
            Bucket::Existing(name) => Part::existing(name),
        };
        Part::map(self.buckets.iter().map(|(_, key, bucket)| (key.clone(), part(bucket))))
    }

    /// The bare name of a role or profile, whatever its ARN leaves open.
    pub(super) fn named(&mut self, node: &Node, path: &str, word: &str) -> Option<Part> {
        let text = self.notes.text(node, path)?;
        let name = if text.starts_with("arn:") { text.rsplit('/').next().unwrap_or(text) } else { text };
        if let Some(placeholder) = tree::placeholder(name) {
            let message = format!("`{path}` is given as `{}`", tree::shown(placeholder));
            self.notes.add(
                Sort::Fill,
                &node.span,
                message,
                format!("name it: `{word}: {{existing: NAME}}`; without it {}", without(word)),
            );
            return None;
        }
        Some(Part::existing(name))
    }
}

fn without(word: &str) -> &'static str {
    match word {
        "auto_scaling_role" | "security_configuration" => "the cluster has none",
        _ => "the stack makes its own",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_keys() {
        for (name, key) in [
            ("Fruits-Classification-P9-Cluster", "fruits-classification-p9"),
            ("Cluster OC project 2", "cluster-oc-project-2"),
            ("P8", "p8"),
            ("Tâche - 1", "tche-1"),
            ("8 fruits", "emr-8-fruits"),
            ("sg-x", "emr-sg-x"),
            ("果物", "imported"),
            ("a--b__c", "a-b-c"),
        ] {
            assert_eq!(slug(name, KEY), key);
        }
        assert_eq!(ours("demo-main Tout à la fois"), Some(("demo", Some("Tout à la fois"))));
        assert_eq!(ours("demo-main"), Some(("demo", None)));
        assert_eq!(ours("Demo-main"), None);
        assert_eq!(region_abroad_in_name("s3://aws-logs-000000000000-us-east-1/emr/"), Some("us-east-1"));
        assert_eq!(region_abroad_in_name("s3://aws-logs-000000000000-eu-west-3/emr/"), None);
    }
}
