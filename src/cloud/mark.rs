//! The mark that everything of ours is born with: tags that name stack, address and owner. What lacks it is
//! somebody else's, and is never touched.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

const STACK: &str = "fruitsinfra:stack";
const ADDRESS: &str = "fruitsinfra:address";
const OWNER: &str = "fruitsinfra:owner";

/// Whose a thing in AWS is, and which of theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub stack: String,
    pub address: String,
    /// The owner as the stack writes it, or its fingerprint where the tag leaves the EU.
    pub owner: String,
}

impl Mark {
    /// The three tags, to be sent in the create call itself.
    pub fn tags(&self) -> BTreeMap<String, String> {
        [(STACK, &self.stack), (ADDRESS, &self.address), (OWNER, &self.owner)]
            .map(|(k, v)| (k.to_owned(), v.clone()))
            .into()
    }

    /// The same for IAM, whose control plane lies in us-east-1: an owner is often a person's address, and
    /// personal data stays in the EU.
    pub fn tags_outside_eu(&self) -> BTreeMap<String, String> {
        Self { owner: fingerprint(&self.owner), ..self.clone() }.tags()
    }

    /// Reads the mark of `stack`, or nothing: another stack's and no one's are alike.
    pub fn read(tags: &BTreeMap<String, String>, stack: &str) -> Option<Self> {
        let get = |key: &str| tags.get(key).cloned();
        let mark = Self { stack: get(STACK)?, address: get(ADDRESS)?, owner: get(OWNER)? };
        (mark.stack == stack).then_some(mark)
    }

    /// Reads the mark of whatever stack, or nothing.
    pub fn read_any(tags: &BTreeMap<String, String>) -> Option<Self> {
        Self::read(tags, tags.get(STACK)?)
    }

    /// What to type where a thing of this mark lost its tags: without them it is nobody's, and left alone.
    pub fn lost(&self, thing: &Lost<'_>) -> String {
        let tags = if matches!(thing, Lost::Role(_) | Lost::InstanceProfile(_)) {
            self.tags_outside_eu()
        } else {
            self.tags()
        };
        let pairs = |key: &str, value: &str| {
            let all = tags.iter().map(|(k, v)| format!("{key}={k},{value}={v}")).collect::<Vec<_>>();
            all.join(" ")
        };
        let command = match thing {
            Lost::Bucket(name) => {
                let set = tags.iter().map(|(k, v)| format!("{{Key={k},Value={v}}}")).collect::<Vec<_>>().join(",");
                format!("aws s3api put-bucket-tagging --bucket {name} --tagging 'TagSet=[{set}]'")
            }
            Lost::Role(name) => format!("aws iam tag-role --role-name {name} --tags {}", pairs("Key", "Value")),
            Lost::InstanceProfile(name) => {
                let tags = pairs("Key", "Value");
                format!("aws iam tag-instance-profile --instance-profile-name {name} --tags {tags}")
            }
            Lost::Ec2(id) => format!("aws ec2 create-tags --resources {id} --tags {}", pairs("Key", "Value")),
            Lost::Cluster(id) => {
                let tags = tags.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ");
                format!("aws emr add-tags --resource-id {id} --tags {tags}")
            }
        };
        format!("it bears no mark, so it is left alone; if it is this stack's, put its tags back: {command}")
    }

    pub fn belongs_to(&self, owner: &str) -> bool {
        self.owner == owner || self.owner == fingerprint(owner)
    }

    /// The key behind `kind/` in the address, for `list` of that kind.
    pub fn key(&self, kind: &str) -> Option<&str> {
        self.address.strip_prefix(kind)?.strip_prefix('/')
    }
}

/// A thing whose name is a stack's and whose tags are not.
#[derive(Clone, Copy, Debug)]
pub enum Lost<'a> {
    Bucket(&'a str),
    Role(&'a str),
    InstanceProfile(&'a str),
    Ec2(&'a str),
    Cluster(&'a str),
}

/// Whether somebody's mark is on it, be it another's.
pub fn marked(tags: &BTreeMap<String, String>) -> bool {
    stack_of(tags).is_some()
}

/// The stack that a thing is marked as of, be the mark whole or not.
pub fn stack_of(tags: &BTreeMap<String, String>) -> Option<&str> {
    tags.get(STACK).map(String::as_str)
}

/// The key of the tag by which things of any stack are found.
pub const MARKED: &str = STACK;

/// What a policy's condition calls that tag: of the thing that a call is about, and of what a call makes.
pub const OF_RESOURCE: &str = "aws:ResourceTag/fruitsinfra:stack";
pub const OF_REQUEST: &str = "aws:RequestTag/fruitsinfra:stack";

/// The tags a person wrote: all but ours.
pub fn own_tags(tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    tags.iter()
        .filter(|(key, _)| !key.starts_with("fruitsinfra:") && !key.starts_with("aws:"))
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

/// Twelve hex digits that stand for a text.
pub fn fingerprint(text: impl AsRef<[u8]>) -> String {
    sha256_hex(text)[..12].to_owned()
}

/// SHA-256 of some bytes, in hex.
pub fn sha256_hex(bytes: impl AsRef<[u8]>) -> String {
    hex::encode(Sha256::digest(bytes.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark() -> Mark {
        Mark { stack: "demo".into(), address: "bucket/data".into(), owner: "data@fruits.example".into() }
    }

    #[test]
    fn a_mark_reads_back_from_its_tags_for_its_own_stack_alone() {
        assert_eq!(Mark::read(&mark().tags(), "demo"), Some(mark()));
        assert_eq!(Mark::read(&mark().tags(), "demo-2"), None);
        assert_eq!(Mark::read(&BTreeMap::new(), "demo"), None);
    }

    #[test]
    fn a_lost_mark_is_put_back_by_what_is_told() {
        let told = mark().lost(&Lost::Cluster("j-1"));
        for (key, value) in mark().tags() {
            assert!(told.contains(&format!("{key}={value}")), "{told}");
        }
        assert!(!mark().lost(&Lost::Role("demo-nodes")).contains('@'), "the owner's address stays in the EU");
    }

    #[test]
    fn a_mark_without_an_owner_is_none() {
        let mut tags = mark().tags();
        tags.remove(OWNER);
        assert_eq!(Mark::read(&tags, "demo"), None);
    }

    #[test]
    fn the_owners_address_stays_in_the_eu_and_is_known_again() {
        let iam = mark().tags_outside_eu();
        assert!(!iam.values().any(|v| v.contains('@')), "{iam:?}");
        let read = Mark::read(&iam, "demo").expect("a mark");
        assert!(read.belongs_to("data@fruits.example"));
        assert!(!read.belongs_to("someone@else.example"));
    }
}
