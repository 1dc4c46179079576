//! `aws emr create-cluster ...` as people paste it: over several lines, quoted either way, in shorthand or in JSON. It
//! runs nothing, and expands no variable: what one stands for is not said here.

use std::ops::Range;

use super::notes::{Notes, Sort, Wrong};
use super::{json, shorthand, tree};
use crate::stack::node::{Key, Node, Value};

/// Options that a request has under another name, each with one text.
const TEXTS: [(&str, &str); 15] = [
    ("name", "Name"),
    ("region", "Region"),
    ("release-label", "ReleaseLabel"),
    ("os-release-label", "OSReleaseLabel"),
    ("log-uri", "LogUri"),
    ("service-role", "ServiceRole"),
    ("auto-scaling-role", "AutoScalingRole"),
    ("scale-down-behavior", "ScaleDownBehavior"),
    ("security-configuration", "SecurityConfiguration"),
    ("custom-ami-id", "CustomAmiId"),
    ("ebs-root-volume-size", "EbsRootVolumeSize"),
    ("ebs-root-volume-iops", "EbsRootVolumeIops"),
    ("ebs-root-volume-throughput", "EbsRootVolumeThroughput"),
    ("step-concurrency-level", "StepConcurrencyLevel"),
    ("log-encryption-kms-key-id", "LogEncryptionKmsKeyId"),
];

/// What the caller's terminal shows, and as whom it calls.
const OF_THE_CALLER: [&str; 12] = [
    "output",
    "query",
    "profile",
    "color",
    "debug",
    "endpoint-url",
    "no-paginate",
    "no-cli-pager",
    "no-verify-ssl",
    "cli-read-timeout",
    "cli-connect-timeout",
    "no-cli-auto-prompt",
];

/// Names in `--ec2-attributes` and in a request.
const ATTRIBUTES: [(&str, &str); 4] = [
    ("KeyName", "Ec2KeyName"),
    ("SubnetId", "Ec2SubnetId"),
    ("SubnetIds", "Ec2SubnetIds"),
    ("AvailabilityZones", "Ec2AvailabilityZones"),
];

/// What ends a command in a line of a shell.
const OPERATORS: [&str; 9] = ["|", "||", "&", "&&", ";", ">", ">>", "2>&1", "aws"];

/// One option with its values.
struct Said {
    name: String,
    values: Vec<String>,
    span: Range<usize>,
}

pub(super) fn read(text: &str, file: &dyn Fn(&str) -> Option<String>, notes: &mut Notes) -> Result<Node, Wrong> {
    let mut request = Request { text, file, entries: vec![], instances: vec![] };
    let (mut kept, mut default_roles) = (None, None);
    for said in options(text, notes)? {
        let Said { name, values, span } = &said;
        match name.as_str() {
            "use-default-roles" => default_roles = Some(span.clone()),
            "auto-terminate" | "no-auto-terminate" => {
                kept = Some(tree::plain(if name == "auto-terminate" { "false" } else { "true" }, span));
            }
            "termination-protected" => request.instance("TerminationProtected", tree::plain("true", span)),
            "no-termination-protected" | "visible-to-all-users" => {}
            "no-visible-to-all-users" => request.put("VisibleToAllUsers", tree::plain("false", span)),
            "enable-debugging" => {
                notes.unsayable("--enable-debugging", span, "", "logs in S3 tell the same: `fruitsinfra logs`");
            }
            "instance-type" => {
                let kind = tree::text(&values.join(" "), span);
                request.instance("MasterInstanceType", kind.clone());
                request.instance("SlaveInstanceType", kind);
            }
            "instance-count" => request.instance("InstanceCount", tree::plain(&values.join(""), span)),
            "instance-groups" => request.list_of_instances("InstanceGroups", &said)?,
            "instance-fleets" => request.list_of_instances("InstanceFleets", &said)?,
            "applications" | "bootstrap-actions" | "steps" | "configurations" => {
                let key = match name.as_str() {
                    "applications" => "Applications",
                    "bootstrap-actions" => "BootstrapActions",
                    "steps" => "Steps",
                    _ => "Configurations",
                };
                let items = request.structured(&said)?;
                request.put(key, tree::list(items, span));
            }
            "auto-termination-policy"
            | "managed-scaling-policy"
            | "kerberos-attributes"
            | "monitoring-configuration" => {
                let key = match name.as_str() {
                    "auto-termination-policy" => "AutoTerminationPolicy",
                    "managed-scaling-policy" => "ManagedScalingPolicy",
                    "kerberos-attributes" => "KerberosAttributes",
                    _ => "MonitoringConfiguration",
                };
                for node in request.structured(&said)? {
                    request.put(key, node);
                }
            }
            "ec2-attributes" => request.attributes(&said)?,
            "tags" => {
                let pairs = values.iter().map(|pair| {
                    let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (tree::key(key, span), tree::text(value, span))
                });
                let pairs = pairs.collect();
                request.put("Tags", tree::map(pairs, span));
            }
            other if OF_THE_CALLER.contains(&other) => {}
            other => match TEXTS.iter().find(|(option, _)| *option == other) {
                Some((_, key)) => request.put(key, tree::text(&values.join(" "), span)),
                None => {
                    let value = tree::shown(&values.join(" "));
                    let value: String = value.chars().take(120).collect();
                    notes.unsayable(
                        &format!("--{other}"),
                        span,
                        &value,
                        "do without it, or start that cluster without fruitsinfra",
                    );
                }
            },
        }
    }
    // The CLI's own default: a cluster stays.
    let kept = kept.unwrap_or_else(|| tree::plain("true", &(0..0)));
    request.instance("KeepJobFlowAliveWhenNoSteps", kept);
    if let Some(span) = default_roles {
        for (key, role) in [("ServiceRole", "EMR_DefaultRole"), ("JobFlowRole", "EMR_EC2_DefaultRole")] {
            if !request.entries.iter().any(|(of, _)| of.text == key) {
                request.put(key, tree::text(role, &span));
            }
        }
    }
    let whole = 0..text.len();
    let instances = tree::map(request.instances, &whole);
    let mut entries = request.entries;
    entries.push((tree::key("Instances", &whole), instances));
    Ok(tree::map(entries, &whole))
}

/// The options of the first `create-cluster`, each with its place.
fn options(text: &str, notes: &mut Notes) -> Result<Vec<Said>, Wrong> {
    let words = shell_words::split(&prepared(text)).map_err(|_| {
        let at = open_quote(text).unwrap_or_default();
        Wrong::new(at..at + 1, "this quote is never closed", "close it; inside single quotes write ' as '\\''")
    })?;
    let begun = words.iter().position(|word| word == "create-cluster");
    let Some(begun) = begun else {
        let hint = "paste the whole command: aws emr create-cluster --name ...";
        return Err(Wrong::new(0..0, "there is no `create-cluster` here", hint));
    };
    let mut said: Vec<Said> = Vec::new();
    let mut from = 0;
    let mut place = |option: &str| {
        let found = text[from..].find(option).map(|at| from + at..from + at + option.len());
        from = found.as_ref().map_or(from, |span| span.end);
        found.unwrap_or(from..from)
    };
    for (n, word) in words.iter().enumerate() {
        if n == begun || n < begun && !word.starts_with("--") && said.is_empty() {
            continue;
        }
        if n > begun && OPERATORS.contains(&word.as_str()) {
            break;
        }
        // A continuation with a space behind its backslash, or of another system's shell.
        if word.chars().all(|c| c.is_whitespace() || "^`\\".contains(c)) && !word.is_empty() {
            let at = text.find("\\ ").unwrap_or_default();
            let message = "a line goes on with a backslash that is not at its end, or with a sign of another shell: read as if it were";
            notes.add(
                Sort::Changed,
                &(at..at + 1),
                message,
                "in a shell this breaks the command: end the line with \\ alone",
            );
            continue;
        }
        match word.strip_prefix("--").filter(|name| name.starts_with(|c: char| c.is_ascii_lowercase())) {
            Some(option) => {
                let (name, value) = match option.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (option, None),
                };
                let span = place(&format!("--{name}"));
                said.push(Said { name: name.to_owned(), values: value.into_iter().collect(), span });
            }
            None if n > begun => {
                if let Some(last) = said.last_mut() {
                    last.values.push(word.clone());
                }
            }
            // `aws --region eu-west-3 emr create-cluster`
            None => {
                if let Some(last) = said.last_mut().filter(|last| last.values.is_empty()) {
                    last.values.push(word.clone());
                }
            }
        }
    }
    Ok(said)
}

/// The command with its variables as references, as the shell sees them: not in single quotes, not behind a backslash.
fn prepared(text: &str) -> String {
    let text = text.replace("\r\n", "\n ");
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let (mut single, mut double) = (false, false);
    while let Some(c) = chars.next() {
        match c {
            '\\' if !single => {
                out.push(c);
                out.extend(chars.next());
                continue;
            }
            '\'' if !double => single = !single,
            '"' if !single => double = !double,
            // What `$(` opened around the command is no part of it.
            ')' if !single && !double => {
                out.push(' ');
                continue;
            }
            '$' if !single => match chars.peek() {
                Some('(') if !double => {
                    chars.next();
                    out.push(' ');
                    continue;
                }
                Some('{') => {
                    chars.next();
                    let name: String = chars.by_ref().take_while(|c| *c != '}').collect();
                    out.push_str(&tree::reference(&name));
                    continue;
                }
                Some(c) if c.is_ascii_alphabetic() || *c == '_' => {
                    let mut name = String::new();
                    while let Some(c) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                        name.push(c);
                    }
                    out.push_str(&tree::reference(&name));
                    continue;
                }
                _ => {}
            },
            _ => {}
        }
        out.push(c);
    }
    out
}

/// Where the quote stands that nothing closes.
fn open_quote(text: &str) -> Option<usize> {
    let mut open: Option<(usize, char)> = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match (open, c) {
            _ if escaped => escaped = false,
            (None | Some((_, '"')), '\\') => escaped = true,
            (None, '\'' | '"') => open = Some((at, c)),
            (Some((_, quote)), c) if c == quote => open = None,
            _ => {}
        }
    }
    open.map(|(at, _)| at)
}

struct Request<'a> {
    text: &'a str,
    file: &'a dyn Fn(&str) -> Option<String>,
    entries: Vec<(Key, Node)>,
    instances: Vec<(Key, Node)>,
}

impl Request<'_> {
    fn put(&mut self, key: &str, node: Node) {
        self.entries.push((tree::key(key, &node.span), node));
    }

    fn instance(&mut self, key: &str, node: Node) {
        self.instances.push((tree::key(key, &node.span), node));
    }

    fn list_of_instances(&mut self, key: &str, said: &Said) -> Result<(), Wrong> {
        let items = self.structured(said)?;
        self.instance(key, tree::list(items, &said.span));
        Ok(())
    }

    /// Values in JSON, in a file, or in shorthand: one or several mappings.
    fn structured(&self, said: &Said) -> Result<Vec<Node>, Wrong> {
        let whole = said.values.join(" ");
        let start = whole.trim_start();
        let node = if let Some(path) = start.strip_prefix("file://") {
            let Some(held) = (self.file)(path) else {
                let message = format!("--{}: the file `{}` is not at hand", said.name, tree::shown(path));
                return Err(Wrong::new(
                    said.span.clone(),
                    message,
                    "put it beside the command's file, or paste what it holds",
                ));
            };
            let read = json::parse(&held).map_err(|wrong| {
                let line = held[..wrong.span.start.min(held.len())].matches('\n').count() + 1;
                Wrong { span: said.span.clone(), message: format!("{path}, line {line}: {}", wrong.message), ..wrong }
            });
            let mut node = read?;
            tree::at(&mut node, &said.span);
            node
        } else if start.starts_with(['{', '[']) {
            self.inline(&whole, said)?
        } else if start.starts_with("http") {
            let message = format!("--{} is read from an address", said.name);
            return Err(Wrong::new(said.span.clone(), message, "paste what it holds in its place"));
        } else {
            return said.values.iter().map(|word| shorthand::parse(word, &said.span)).collect();
        };
        Ok(match node.value {
            Value::List(items) => items,
            _ => vec![node],
        })
    }

    /// JSON in the command itself, at its own place where it stands there as it is.
    fn inline(&self, value: &str, said: &Said) -> Result<Node, Wrong> {
        let at = self.text[said.span.end..].find(value).map(|at| said.span.end + at);
        let mut node = json::parse(value).map_err(|wrong| {
            let span = at.map_or_else(|| said.span.clone(), |at| at + wrong.span.start..at + wrong.span.end);
            Wrong { span, message: format!("--{}: {}", said.name, wrong.message), ..wrong }
        })?;
        match at {
            Some(by) => shift(&mut node, by),
            None => tree::at(&mut node, &said.span),
        }
        Ok(node)
    }

    fn attributes(&mut self, said: &Said) -> Result<(), Wrong> {
        for node in self.structured(said)? {
            let Value::Map(entries) = node.value else { continue };
            for (key, node) in entries {
                match key.text.as_str() {
                    "InstanceProfile" => self.entries.push((tree::key("JobFlowRole", &key.span), node)),
                    "AvailabilityZone" => {
                        let zone = tree::map(vec![(key.clone(), node)], &key.span);
                        self.instances.push((tree::key("Placement", &key.span), zone));
                    }
                    other => {
                        let name =
                            ATTRIBUTES.iter().find(|(option, _)| *option == other).map_or(other, |(_, name)| name);
                        self.instances.push((tree::key(name, &key.span), node));
                    }
                }
            }
        }
        Ok(())
    }
}

/// Moves a tree to where its text stands.
fn shift(node: &mut Node, by: usize) {
    let moved = |span: &Range<usize>| span.start + by..span.end + by;
    node.span = moved(&node.span);
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| shift(item, by)),
        Value::Map(entries) => {
            for (key, node) in entries {
                key.span = moved(&key.span);
                shift(node, by);
            }
        }
        Value::Scalar { .. } | Value::Nothing => {}
    }
}

#[cfg(test)]
mod tests;
