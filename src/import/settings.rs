//! What a cluster is told besides its nodes: applications, configurations, bootstrap actions, tags, who may come in. A
//! setting that is not known in full waits as a comment.

use std::collections::BTreeMap;

use super::Wanted;
use super::notes::{Sort, brief};
use super::request::Reading;
use super::text::Part;
use super::tree::{self, Fields};
use crate::stack::Cidr;
use crate::stack::node::{Node, Value};

impl Reading<'_> {
    /// `[Spark, Hive]`, of names or of objects with names.
    pub(super) fn applications(&mut self, node: &Node) -> Part {
        let mut names: Vec<String> = Vec::new();
        for item in self.notes.items(node, "Applications") {
            let name = match Fields::of(item, "Applications") {
                Some(mut fields) => {
                    let name = fields.take("Name");
                    // A version is the release's own affair.
                    let _ = fields.take("Version");
                    self.notes.leave(fields);
                    name.unwrap_or(item)
                }
                None => item,
            };
            let Some(name) = self.notes.text(name, "Applications") else { continue };
            if !names.iter().any(|earlier| earlier.eq_ignore_ascii_case(name)) {
                names.push(tree::shown(name));
            }
        }
        Part::list(names.iter().map(|name| Part::text(name)).collect())
    }

    /// Settings by classification; `None` where there are none.
    pub(super) fn configurations(&mut self, node: &Node, path: &str) -> Option<Part> {
        let mut said: Vec<Setting> = Vec::new();
        for item in self.notes.items(node, path) {
            let Some(setting) = self.setting(item, path) else { continue };
            match said.iter_mut().find(|earlier| earlier.classification == setting.classification) {
                Some(earlier) => {
                    let message = format!("`{}` is said twice: the two are one here", setting.classification);
                    self.notes.add(Sort::Changed, &item.span, message, "check which of the two values is meant");
                    earlier.join(setting);
                }
                None => said.push(setting),
            }
        }
        (!said.is_empty()).then(|| Part::list(said.into_iter().map(Setting::part).collect()))
    }

    fn setting(&mut self, node: &Node, path: &str) -> Option<Setting> {
        let mut fields = self.notes.fields(node, path)?;
        let Some(classification) = fields.take("Classification") else {
            self.notes.wrong(node, path, "a Classification");
            return None;
        };
        let classification = self.notes.text(classification, "Classification")?.to_owned();
        let mut setting = Setting { classification, properties: BTreeMap::new(), inner: vec![], waits: false };
        let properties = fields.take("Properties").or_else(|| fields.take("ConfigurationProperties"));
        let entries = match properties.map(|node| (node, &node.value)) {
            Some((_, Value::Map(entries))) => entries.as_slice(),
            Some((node, _)) => {
                self.notes.wrong(node, "Properties", "an object of names and values");
                &[]
            }
            None => &[],
        };
        for (key, value) in entries {
            let Some(text) = self.notes.text(value, &key.text) else { continue };
            let (value, waits) = self.property(&setting.classification, &key.text, text, value);
            setting.waits |= waits;
            setting.properties.insert(key.text.clone(), value);
        }
        if let Some(inner) = fields.take("Configurations") {
            for item in self.notes.items(inner, path) {
                let inner = self.setting(item, path);
                setting.waits |= inner.as_ref().is_some_and(|inner| inner.waits);
                setting.inner.extend(inner);
            }
        }
        self.notes.leave(fields);
        Some(setting)
    }

    /// A value as the stack says it, and whether it has to be filled in first.
    fn property(&mut self, of: &str, name: &str, text: &str, node: &Node) -> (String, bool) {
        if let Some(moved) = self.moved.clone().filter(|moved| text == moved) {
            let message = format!("`{name}` follows the region: {moved} is {} now", self.region);
            self.notes.add(Sort::Changed, &node.span, message, "check that nothing else leads there");
            return (self.region.as_str().to_owned(), false);
        }
        let text = &self.with_account(text);
        let Some(placeholder) = tree::placeholder(text) else { return (text.clone(), false) };
        // The name of a bucket is known once the account is.
        if name == "s3.persistence.bucket" && placeholder == text {
            let key = self.bucket(text, &node.span);
            if let Some(bucket) = self.bucket_name(&key) {
                return (bucket, false);
            }
            let message = format!("`{name}` of `{of}` is the name of bucket `{key}`, which holds the account's number");
            let hint = format!(
                "write {}-{key}-ACCOUNT there and remove the # before `{of}`, or import with --account",
                self.stack
            );
            self.notes.add(Sort::Fill, &node.span, message, hint);
            return (format!("{}-{key}-<account>", self.stack), true);
        }
        let masked = if placeholder == "********" { ", which is how EMR masks what it does not tell" } else { "" };
        let message = format!("`{name}` of `{of}` is given as `{}`{masked}", tree::shown(text));
        self.notes.add(Sort::Fill, &node.span, message, format!("write its value and remove the # before `{of}`"));
        (tree::shown(text), true)
    }

    /// Bootstrap actions in their order; one whose script is not at hand waits.
    pub(super) fn actions(&mut self, node: &Node) -> Option<Part> {
        let mut names: Vec<String> = Vec::new();
        let mut said = Vec::new();
        for item in self.notes.items(node, "BootstrapActions") {
            let Some(mut fields) = self.notes.fields(item, "BootstrapActions") else { continue };
            let inner =
                fields.take("ScriptBootstrapAction").and_then(|node| self.notes.fields(node, "ScriptBootstrapAction"));
            let name = fields.take("Name").and_then(|node| self.notes.text(node, "Name")).map(tree::shown);
            let (path, args) = match inner {
                Some(mut inner) => {
                    let found = (inner.take("Path"), inner.take("Args"));
                    self.notes.leave(inner);
                    found
                }
                None => (fields.take("Path"), fields.take("Args")),
            };
            self.notes.leave(fields);
            let Some(path_node) = path else {
                self.notes.wrong(item, "BootstrapActions", "a Path");
                continue;
            };
            let Some(path) = self.notes.text(path_node, "Path") else { continue };
            let args: Vec<&Node> = args.map(|node| self.notes.items(node, "Args").iter().collect()).unwrap_or_default();
            let args: Vec<String> =
                args.into_iter().filter_map(|arg| self.notes.text(arg, "Args").map(str::to_owned)).collect();
            let base = path.trim_end_matches('/').rsplit('/').next().unwrap_or(path).to_owned();
            let name = name.filter(|name| !name.is_empty()).unwrap_or_else(|| tree::shown(&base));
            let name = self.own_name(&name, &mut names, &item.span);
            said.push(self.action(&name, path, &base, &args, path_node));
        }
        (!said.is_empty()).then(|| Part::list(said))
    }

    /// Actions are told apart by their names.
    fn own_name(&mut self, name: &str, names: &mut Vec<String>, span: &std::ops::Range<usize>) -> String {
        let mut own = name.to_owned();
        if names.contains(&own) {
            own = (2..10_000).map(|n| format!("{name} {n}")).find(|name| !names.contains(name)).unwrap_or_default();
            let message = format!("another bootstrap action is called `{name}` too: this one is `{own}`");
            self.notes.add(Sort::Changed, span, message, "give each its own name");
        }
        names.push(own.clone());
        own
    }

    fn action(&mut self, name: &str, path: &str, base: &str, args: &[String], node: &Node) -> Part {
        let found = (self.scripts)(&Wanted { name, base });
        let mut entries =
            vec![("name", Part::text(name)), ("script", Part::text(found.as_deref().unwrap_or(&tree::shown(base))))];
        if !args.is_empty() {
            entries.push(("args", Part::list(args.iter().map(|arg| Part::quoted(&tree::shown(arg))).collect())));
        }
        let part = Part::map(entries);
        let open = args.iter().find_map(|arg| tree::placeholder(arg));
        if let Some(open) = open {
            let message = format!("an argument of bootstrap action `{name}` is given as `{}`", tree::shown(open));
            self.notes.add(Sort::Fill, &node.span, message, "write it and remove the # before the action");
        }
        if found.is_none() {
            let message = format!("the script of bootstrap action `{name}`, {}, was not given", tree::shown(path));
            let hint = format!("fetch it and import again with --script {base}=PATH, or put it beside the file");
            self.notes.add(Sort::Script, &node.span, message, tree::shown(&hint));
        }
        let part = if found.is_none() {
            part.remark(format!("from {}", tree::shown(path).replace(char::is_control, " ")))
        } else {
            part
        };
        if found.is_none() || open.is_some() { part.off() } else { part }
    }

    /// Tags, as a list of keys and values or as an object.
    pub(super) fn tags(&mut self, node: &Node) -> Option<Part> {
        let mut said: BTreeMap<String, String> = BTreeMap::new();
        let mut pairs: Vec<(String, String, std::ops::Range<usize>)> = Vec::new();
        match &node.value {
            Value::Map(entries) => {
                for (key, value) in entries {
                    let text = self.notes.text(value, &key.text).unwrap_or_default();
                    pairs.push((key.text.clone(), text.to_owned(), key.span.clone()));
                }
            }
            _ => {
                for item in self.notes.items(node, "Tags") {
                    let Some(mut fields) = self.notes.fields(item, "Tags") else { continue };
                    let key = fields.take("Key").and_then(|node| self.notes.text(node, "Key")).unwrap_or_default();
                    let value =
                        fields.take("Value").and_then(|node| self.notes.text(node, "Value")).unwrap_or_default();
                    pairs.push((key.to_owned(), value.to_owned(), item.span.clone()));
                }
            }
        }
        for (key, value, span) in pairs {
            let legal = |text: &str| text.chars().all(|c| c.is_alphanumeric() || " _.:/=+-@".contains(c));
            if key.starts_with("aws:") || key.starts_with("fruitsinfra:") {
                let message = format!("the tag `{key}` is not carried over: it says whose that cluster is");
                self.notes.add(Sort::Chosen, &span, message, "the stack marks what it makes with its own");
            } else if let Some(open) = tree::placeholder(&value).or_else(|| tree::placeholder(&key)) {
                let message = format!("the tag `{}` is given as `{}`", tree::shown(&key), tree::shown(open));
                self.notes.add(Sort::Fill, &span, message, "write it under `cluster.tags`");
            } else if key.is_empty() || !legal(&key) || !legal(&value) {
                let hint = "letters, digits, spaces and _ . : / = + - @ are what all of AWS's services take";
                self.notes.unsayable("Tags", &span, &format!("`{key}: {value}`"), hint);
            } else {
                said.insert(key, value);
            }
        }
        (!said.is_empty()).then(|| Part::map(said.iter().map(|(key, value)| (key.clone(), Part::quoted(value)))))
    }

    /// Who may come in, where an address is known.
    pub(super) fn ingress(&mut self, node: &Node, groups_are_theirs: bool) -> Option<Part> {
        let mut said = Vec::new();
        for item in self.notes.items(node, "Ingress") {
            let Some(mut fields) = Fields::of(item, "Ingress") else { continue };
            let port = fields.take("port").or_else(|| fields.take("FromPort"));
            let port = port.and_then(|node| self.notes.number(node, "port"));
            let source = ["source", "cidr", "from", "CidrIp"].into_iter().find_map(|name| fields.take(name));
            let from = source.and_then(tree::scalar).and_then(|text| text.parse::<Cidr>().ok());
            match (port, from.filter(|from| !from.is_world())) {
                (Some(port), Some(from)) if !groups_are_theirs => {
                    said.push(Part::map([("from", Part::text(&from.to_string())), ("port", Part::word(port))]));
                }
                _ => {
                    let hint = "write `access: [{from: 203.0.113.7/32, port: 9443}]` with your own address; the world is never let in";
                    self.notes.unsayable("Ingress", &item.span, &brief(item), hint);
                }
            }
        }
        (!said.is_empty()).then(|| Part::list(said))
    }
}

/// Settings of one classification.
struct Setting {
    classification: String,
    properties: BTreeMap<String, String>,
    inner: Vec<Setting>,
    /// Until somebody fills in what it holds.
    waits: bool,
}

impl Setting {
    fn join(&mut self, later: Self) {
        self.properties.extend(later.properties);
        self.waits |= later.waits;
        for setting in later.inner {
            match self.inner.iter_mut().find(|earlier| earlier.classification == setting.classification) {
                Some(earlier) => earlier.join(setting),
                None => self.inner.push(setting),
            }
        }
    }

    fn part(self) -> Part {
        let waits = self.waits;
        let part = self.whole();
        if waits { part.off() } else { part }
    }

    fn whole(self) -> Part {
        let mut entries = vec![("classification", Part::text(&tree::shown(&self.classification)))];
        if !self.properties.is_empty() {
            let properties = self.properties.iter().map(|(name, value)| (name.clone(), Part::quoted(value)));
            entries.push(("properties", Part::map(properties)));
        }
        if !self.inner.is_empty() {
            entries.push(("configurations", Part::list(self.inner.into_iter().map(Self::whole).collect())));
        }
        Part::map(entries)
    }
}
