//! Profiles: variants of one stack, each of them what it says otherwise. One is laid over the tree before anything is
//! read, so that everything that is found points at where it was written. It knows nothing of what fields mean.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

use super::files::Files;
use super::finding::{Problem, meant};
use super::node::{Key, Node, Value};

const PROFILES: &str = "profiles";

/// What a profile says otherwise than its stack, as the schema has it: mappings are laid into one another, anything else
/// is replaced, and `~` takes a field away.
pub(super) type Otherwise = serde_json::Map<String, serde_json::Value>;

/// The names of profiles; what they say is laid over the tree long before.
pub(super) fn names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeSet<String>, D::Error> {
    Ok(BTreeMap::<String, Otherwise>::deserialize(deserializer)?.into_keys().collect())
}

/// Takes `demo.yaml@smoke` apart into the file and the profile, unless a file is called so.
pub(crate) fn split(files: &dyn Files, path: &Path) -> (PathBuf, Option<String>) {
    let name = path.file_name().map(std::ffi::OsStr::to_string_lossy).unwrap_or_default();
    match name.rsplit_once('@') {
        Some((file, profile)) if !file.is_empty() && files.kind(path).is_err() => {
            (path.with_file_name(file), Some(profile.to_owned()))
        }
        _ => (path.to_owned(), None),
    }
}

/// The path of a profile of the stack at another path.
pub(crate) fn joined(path: &Path, profile: &str) -> PathBuf {
    PathBuf::from(format!("{}@{profile}", path.display()))
}

/// The stack as it stands, or as one of its profiles has it; beside it what each profile says, by name. Of them the tree
/// keeps the names.
pub(super) fn chosen(mut root: Node, profile: Option<&str>) -> Result<(Node, BTreeMap<String, Node>), Vec<Problem>> {
    let mut all = BTreeMap::new();
    if let Some(Value::Map(profiles)) = root.child_mut(PROFILES).map(|node| &mut node.value) {
        for (key, node) in profiles.iter_mut().filter(|(_, node)| matches!(node.value, Value::Map(_))) {
            let nothing = Node { span: node.span.clone(), value: Value::Map(Vec::new()) };
            all.insert(key.text.clone(), std::mem::replace(node, nothing));
        }
    }
    let Some(name) = profile else { return Ok((root, all)) };
    let Some(over) = all.get(name) else {
        let hint = meant(name, all.keys().map(String::as_str), "it has none: say `profiles: {NAME: {...}}`");
        let at = root.span_of(&[PROFILES]);
        return Err(vec![Problem::new("FI132", at, format!("this stack has no profile `{name}`")).hint(hint)]);
    };
    let mut problems = Vec::new();
    lay(&mut root, over, &mut problems);
    if problems.is_empty() { Ok((root, all)) } else { Err(problems) }
}

fn lay(below: &mut Node, above: &Node, problems: &mut Vec<Problem>) {
    let (Value::Map(fields), Value::Map(said)) = (&mut below.value, &above.value) else {
        *below = above.clone();
        return;
    };
    for (key, node) in said {
        let at = fields.iter().position(|(field, _)| field.text == key.text);
        match (at, &node.value) {
            _ if key.text == PROFILES => problems.push(
                Problem::new("FI110", key.span.clone(), "a profile has no profiles of its own")
                    .hint("write them side by side"),
            ),
            (Some(at), Value::Nothing) => drop(fields.remove(at)),
            (None, Value::Nothing) => problems.push(
                Problem::new("FI110", key.span.clone(), format!("there is no `{}` to take away", key.text))
                    .hint("`~` takes away what the stack says; leave out what it does not say"),
            ),
            (Some(at), Value::Map(_)) => lay(&mut fields[at].1, node, problems),
            (Some(at), _) => fields[at] = (key.clone(), node.clone()),
            (None, _) => fields.push((key.clone(), node.clone())),
        }
    }
}

/// Whether two nodes say the same, wherever and in whatever order.
pub(crate) fn alike(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::Map(one), Value::Map(other)) => {
            let twin = |key: &Key| other.iter().find(|(found, _)| found.text == key.text).map(|(_, node)| node);
            one.len() == other.len() && one.iter().all(|(key, node)| twin(key).is_some_and(|twin| alike(node, twin)))
        }
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (one, other) => one == other,
    }
}

#[cfg(test)]
mod tests {
    use crate::stack::files::DISK;
    use crate::stack::{Market, load};

    use super::*;

    const STACK: &str = "\
stack: fruits
region: eu-west-3
owner: data@fruits.example
cluster:
  release: emr-7.12.0
  primary: {type: m5.xlarge}
  core: {type: m5.xlarge, count: 4}
profiles:
  smoke: {cluster: {core: ~}}
  spot:
    cluster:
      core: {market: spot, bid: 0.12 USD}
      task: {more: {type: m5.2xlarge}}
  wrong: {cluster: {core: {cuont: 2}, idle: ~}}
  wild: {cluster: {core: {type: m5.huge}}}
";

    fn told(profile: Option<&str>) -> Result<crate::stack::Stack, Vec<(String, usize)>> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("own.yaml");
        std::fs::write(&path, STACK).expect("written");
        let loaded = load(&profile.map_or_else(|| path.clone(), |profile| joined(&path, profile)));
        loaded
            .map(|loaded| loaded.stack)
            .map_err(|broken| broken.findings.into_iter().map(|finding| (finding.message, finding.line)).collect())
    }

    #[test]
    fn a_profile_is_the_stack_but_for_what_it_says() {
        let plain = told(None).expect("a stack");
        assert_eq!(plain.profiles.iter().collect::<Vec<_>>(), ["smoke", "spot", "wild", "wrong"]);
        let cluster = |profile| told(Some(profile)).expect("a stack").cluster.expect("a cluster");
        assert_eq!(cluster("smoke").core, None);
        let spot = cluster("spot");
        let core = spot.core.expect("a core group");
        assert_eq!((core.instance_type.as_str(), core.count, core.market), ("m5.xlarge", 4, Market::Spot));
        assert_eq!(spot.task["more"].instance_type, "m5.2xlarge");
        assert_eq!(told(Some("spot")).expect("a stack").profile.as_deref(), Some("spot"));
    }

    #[test]
    fn what_is_wrong_with_a_profile_is_told_where_it_is_written() {
        assert_eq!(told(Some("wrong")), Err(vec![("there is no `idle` to take away".into(), 14)]));
        let wild = told(Some("wild")).expect_err("no such type");
        assert!(wild.contains(&("no release of EMR takes `m5.huge`".to_owned(), 15)), "{wild:?}");
        let unknown = told(Some("smok")).expect_err("no such profile");
        assert_eq!(unknown, [("this stack has no profile `smok`".to_owned(), 8)]);
    }

    #[test]
    fn a_name_is_a_file_before_it_is_a_profile() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.yaml@b");
        assert_eq!(split(&DISK, &path), (folder.path().join("a.yaml"), Some("b".into())));
        assert_eq!(joined(&folder.path().join("a.yaml"), "b"), path);
        std::fs::write(&path, "").expect("written");
        assert_eq!(split(&DISK, &path), (path.clone(), None));
    }

    #[test]
    fn order_and_place_are_no_difference() {
        let node = |text: &str| Node::parse(text).expect("YAML");
        assert!(alike(&node("{a: 1, b: [x, {c: d}]}"), &node("# a remark\nb:\n- x\n- c: d\na: 1\n")));
        assert!(!alike(&node("{a: 1}"), &node("{a: 2}")));
        assert!(!alike(&node("{a: 1}"), &node("{a: 1, b: 1}")));
        assert!(!alike(&node("[a, b]"), &node("[b, a]")));
    }
}
