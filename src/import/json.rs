//! JSON as a tree that remembers where everything stands: RunJobFlow's request, the console's export, and what
//! `describe-cluster` tells of a cluster that is there. It reads form alone; what a key means is `request`'s to know.

use super::notes::Wrong;
use super::tree::{self, Fields};
use crate::stack::node::{Key, Node, Value};

/// No description of a cluster comes near these.
const DEPTH: usize = 64;
const NODES: usize = 50_000;

/// Reads one value that fills the text.
pub(super) fn parse(text: &str) -> Result<Node, Wrong> {
    let mut parser = Parser { text, at: 0, nodes: 0 };
    let node = parser.value(0)?;
    parser.space();
    if parser.at < text.len() {
        return Err(parser.wrong("the value has ended, and something follows", "remove it, or give one file a cluster"));
    }
    Ok(node)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    nodes: usize,
}

impl Parser<'_> {
    fn wrong(&self, message: &str, hint: &str) -> Wrong {
        let start = self.at.min(self.text.len());
        let end = self.text.ceil_char_boundary((start + 1).min(self.text.len()));
        Wrong::new(start..end, format!("not JSON: {message}"), hint)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, Wrong> {
        self.space();
        self.nodes += 1;
        if depth > DEPTH || self.nodes > NODES {
            let hint = "give the description of one cluster";
            return Err(self.wrong("nested too deep, or more than a cluster's description holds", hint));
        }
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => self.map(depth)?,
            Some(b'[') => self.list(depth)?,
            Some(b'"') => Value::Scalar { text: self.string()?, plain: false },
            _ => self.word()?,
        };
        Ok(Node { span: start..self.at, value })
    }

    fn map(&mut self, depth: usize) -> Result<Value, Wrong> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        self.at += 1;
        loop {
            self.space();
            match self.peek() {
                Some(b'}') if entries.is_empty() => break,
                Some(b'"') => {}
                _ => return Err(self.wrong("a key in quotes is expected here", "check commas, quotes and brackets")),
            }
            let start = self.at;
            let key = Key { text: self.string()?, span: start..self.at };
            if entries.iter().any(|(earlier, _)| earlier.text == key.text) {
                return Err(Wrong::new(key.span, format!("`{}` is said twice", key.text), "keep one of the two"));
            }
            self.space();
            if self.peek() != Some(b':') {
                return Err(self.wrong("a colon is expected after a key", "write \"key\": value"));
            }
            self.at += 1;
            let node = self.value(depth + 1)?;
            entries.push((key, node));
            if self.more(b'}')? {
                continue;
            }
            return Ok(Value::Map(entries));
        }
        self.at += 1;
        Ok(Value::Map(entries))
    }

    fn list(&mut self, depth: usize) -> Result<Value, Wrong> {
        let mut items = Vec::new();
        self.at += 1;
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if !self.more(b']')? {
                return Ok(Value::List(items));
            }
        }
    }

    /// Whether another element follows; else the end is passed.
    fn more(&mut self, end: u8) -> Result<bool, Wrong> {
        self.space();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                self.space();
                if self.peek() == Some(end) {
                    return Err(self.wrong("nothing follows the comma", "remove the comma before this"));
                }
                Ok(true)
            }
            Some(found) if found == end => {
                self.at += 1;
                Ok(false)
            }
            _ => {
                let message = format!("a comma or `{}` is expected here", char::from(end));
                Err(self.wrong(&message, "check commas, quotes and brackets"))
            }
        }
    }

    fn string(&mut self) -> Result<String, Wrong> {
        let mut text = String::new();
        let start = self.at;
        self.at += 1;
        loop {
            let rest = &self.text[self.at..];
            let Some(c) = rest.chars().next() else {
                self.at = start;
                return Err(self.wrong("this text never ends", "close it with a double quote"));
            };
            match c {
                '"' => break self.at += 1,
                '\\' => text.push(self.escape()?),
                c if u32::from(c) < 0x20 => {
                    return Err(self.wrong("a line break or a tab stands in a text", "write \\n or \\t"));
                }
                c => {
                    text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        Ok(text)
    }

    fn escape(&mut self) -> Result<char, Wrong> {
        let c = self.text[self.at + 1..].chars().next();
        let simple = match c {
            Some('"') => '"',
            Some('\\') => '\\',
            Some('/') => '/',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let first = self.hex(self.at + 2)?;
                self.at += 6;
                let low = 0xDC00..=0xDFFF;
                let pair = (0xD800..=0xDBFF).contains(&first) && self.text[self.at..].starts_with("\\u");
                let code = match pair.then(|| self.hex(self.at + 2)).transpose()? {
                    Some(second) if low.contains(&second) => {
                        self.at += 6;
                        0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)
                    }
                    _ => first,
                };
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            _ => return Err(self.wrong("no such escape", "write two backslashes for one")),
        };
        self.at += 2;
        Ok(simple)
    }

    fn hex(&self, at: usize) -> Result<u32, Wrong> {
        let digits = self.text.get(at..at + 4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let code = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        code.ok_or_else(|| self.wrong("four hexadecimal digits are expected after \\u", "write them out"))
    }

    /// `true`, `null`, a number.
    fn word(&mut self) -> Result<Value, Wrong> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c))).unwrap_or(rest.len());
        let word = &rest[..end];
        let value = match word {
            "null" => Value::Nothing,
            "true" | "false" => Value::Scalar { text: word.to_owned(), plain: true },
            _ if word.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && word.parse::<f64>().is_ok() => {
                Value::Scalar { text: word.to_owned(), plain: true }
            }
            _ => return Err(self.wrong("a value is expected here", "check commas, quotes and brackets")),
        };
        self.at += end;
        Ok(value)
    }
}

/// What only a cluster that is there has, and no request says.
const LIFE: [&str; 10] = [
    "Id",
    "Status",
    "ClusterArn",
    "NormalizedInstanceHours",
    "MasterPublicDnsName",
    "InstanceCollectionType",
    "RunningAmiVersion",
    "RequestedAmiVersion",
    "OutpostArn",
    "EbsOptimized",
];

/// The answer of DescribeCluster in the shape of a request; any other tree as it is.
pub(super) fn as_request(root: Node) -> Node {
    let Value::Map(entries) = &root.value else { return root };
    let Some((_, described)) = entries.iter().find(|(key, _)| key.text == "Cluster") else { return root };
    let Value::Map(of) = &described.value else { return root };
    let mut request: Vec<(Key, Node)> = Vec::new();
    let mut instances: Vec<(Key, Node)> = Vec::new();
    for (key, node) in of {
        match key.text.as_str() {
            "ClusterArn" => {
                let region = tree::scalar(node).and_then(|arn| arn.split(':').nth(3)).unwrap_or_default();
                request.push((tree::key("Region", &key.span), tree::text(region, &node.span)));
            }
            life if LIFE.contains(&life) => {}
            "Ec2InstanceAttributes" => {
                let Value::Map(attributes) = &node.value else { continue };
                for (key, node) in attributes {
                    match key.text.as_str() {
                        "IamInstanceProfile" => request.push((tree::key("JobFlowRole", &key.span), node.clone())),
                        // Where it came to lie.
                        "Ec2AvailabilityZone" | "RequestedEc2AvailabilityZones" | "RequestedEc2SubnetIds" => {}
                        _ => instances.push((key.clone(), node.clone())),
                    }
                }
            }
            "InstanceGroups" => instances.push((key.clone(), each(node, group))),
            "InstanceFleets" => instances.push((key.clone(), each(node, fleet))),
            "TerminationProtected" | "UnhealthyNodeReplacement" => {
                instances.push((key.clone(), node.clone()));
            }
            "AutoTerminate" => {
                let kept = if tree::scalar(node) == Some("true") { "false" } else { "true" };
                instances.push((tree::key("KeepJobFlowAliveWhenNoSteps", &key.span), tree::plain(kept, &node.span)));
            }
            "Applications" => request.push((key.clone(), each(node, |fields| tree::without(fields, &["Version"])))),
            "BootstrapActions" => {
                request.push((key.clone(), each(node, |fields| tree::renamed(fields, "ScriptPath", "Path"))));
            }
            _ => request.push((key.clone(), node.clone())),
        }
    }
    request.push((tree::key("Instances", &described.span), tree::map(instances, &described.span)));
    Node { span: root.span, value: Value::Map(request) }
}

/// A list with each of its mappings changed.
fn each(node: &Node, change: impl Fn(&[(Key, Node)]) -> Vec<(Key, Node)>) -> Node {
    let Value::List(items) = &node.value else { return node.clone() };
    let changed = items.iter().map(|item| match &item.value {
        Value::Map(fields) => tree::map(change(fields), &item.span),
        _ => item.clone(),
    });
    Node { span: node.span.clone(), value: Value::List(changed.collect()) }
}

/// A group as it is told, as one that is asked for.
fn group(fields: &[(Key, Node)]) -> Vec<(Key, Node)> {
    const KEPT: [(&str, &str); 6] = [
        ("Name", "Name"),
        ("Market", "Market"),
        ("BidPrice", "BidPrice"),
        ("InstanceType", "InstanceType"),
        ("Configurations", "Configurations"),
        ("AutoScalingPolicy", "AutoScalingPolicy"),
    ];
    let mut asked = Vec::new();
    for (key, node) in fields {
        match key.text.as_str() {
            "InstanceGroupType" => asked.push((tree::key("InstanceRole", &key.span), node.clone())),
            "RequestedInstanceCount" => asked.push((tree::key("InstanceCount", &key.span), node.clone())),
            "EbsBlockDevices" => asked.push((tree::key("EbsConfiguration", &key.span), disks(node))),
            name => {
                if let Some((_, name)) = KEPT.iter().find(|(told, _)| *told == name) {
                    asked.push((tree::key(name, &key.span), node.clone()));
                }
            }
        }
    }
    asked
}

/// A fleet as it was asked for, out of what EMR tells of it.
fn fleet(fields: &[(Key, Node)]) -> Vec<(Key, Node)> {
    const TOLD: [&str; 5] = ["Id", "Status", "ProvisionedOnDemandCapacity", "ProvisionedSpotCapacity", "Context"];
    let asked = tree::without(&tree::renamed(fields, "InstanceTypeSpecifications", "InstanceTypeConfigs"), &TOLD);
    let of_type = |fields: &[(Key, Node)]| {
        let fields = tree::without(fields, &["EbsOptimized"]);
        let disk = |(key, node): (Key, Node)| match key.text.as_str() {
            "EbsBlockDevices" => (tree::key("EbsConfiguration", &key.span), disks(&node)),
            _ => (key, node),
        };
        fields.into_iter().map(disk).collect::<Vec<_>>()
    };
    let types = |(key, node): (Key, Node)| match key.text.as_str() {
        "InstanceTypeConfigs" => {
            let node = each(&node, of_type);
            (key, node)
        }
        _ => (key, node),
    };
    asked.into_iter().map(types).collect()
}

/// One device each, as volumes of a kind.
fn disks(devices: &Node) -> Node {
    let Value::List(items) = &devices.value else { return devices.clone() };
    let mut kinds: Vec<(Node, usize)> = Vec::new();
    for item in items {
        let Some(specification) = Fields::of(item, "").and_then(|mut fields| fields.take("VolumeSpecification")) else {
            continue;
        };
        match kinds.last_mut() {
            Some((last, count)) if tree::same(last, specification) => *count += 1,
            _ => kinds.push((specification.clone(), 1)),
        }
    }
    let span = &devices.span;
    let configs = kinds.into_iter().map(|(specification, count)| {
        let count = tree::plain(&count.to_string(), span);
        let fields = [("VolumeSpecification", specification), ("VolumesPerInstance", count)];
        tree::map(fields.map(|(name, node)| (tree::key(name, span), node)).into(), span)
    });
    let configs = Node { span: span.clone(), value: Value::List(configs.collect()) };
    tree::map(vec![(tree::key("EbsBlockDeviceConfigs", span), configs)], span)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> (usize, String) {
        let wrong = parse(text).expect_err("is not JSON");
        (wrong.span.start, wrong.message)
    }

    #[test]
    fn what_is_no_json_is_told_at_its_place() {
        for (text, at, message) in [
            ("", 0, "not JSON: a value is expected here"),
            ("{\"a\": 1,}", 8, "not JSON: nothing follows the comma"),
            ("{\"a\" 1}", 5, "not JSON: a colon is expected after a key"),
            ("{a: 1}", 1, "not JSON: a key in quotes is expected here"),
            ("[1 2]", 3, "not JSON: a comma or `]` is expected here"),
            ("{\"a\": \"b", 6, "not JSON: this text never ends"),
            ("{\"a\": 1} x", 9, "not JSON: the value has ended, and something follows"),
            ("{\"a\": 1, \"a\": 2}", 9, "`a` is said twice"),
            ("[\"\\x\"]", 2, "not JSON: no such escape"),
            ("[tru]", 1, "not JSON: a value is expected here"),
        ] {
            assert_eq!(told(text), (at, message.to_owned()), "{text}");
        }
        assert!(told(&"[".repeat(1 << 20)).1.contains("nested too deep"));
        assert!(told(&format!("[{}1]", "1,".repeat(NODES))).1.contains("more than"));
    }

    #[test]
    fn texts_are_read_as_they_were_meant() {
        let node = parse(r#"{"é": ["a\"\\\/\n\u00e9\ud83c\udf4e", 1.50, null, true]}"#).expect("is JSON");
        let Value::Map(entries) = &node.value else { panic!("{node:?}") };
        let Value::List(items) = &entries[0].1.value else { panic!("{node:?}") };
        let read: Vec<Option<&str>> = items.iter().map(tree::scalar).collect();
        assert_eq!(read, [Some("a\"\\/\né🍎"), Some("1.50"), None, Some("true")]);
    }
}
