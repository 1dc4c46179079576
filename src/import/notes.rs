//! What is told on the way from a source to a stack: each note becomes a finding at its place, and a line at the top of
//! the stack. Nothing is shown here.

use std::ops::Range;

use crate::stack::finding::{Finding, Lines, Problem, Severity};
use crate::stack::node::Node;
use crate::text::counted;

use super::tree::{self, Fields};

/// What hinders reading: where, what, and what to do.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wrong {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) hint: String,
}

impl Wrong {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { span, message: message.into(), hint: hint.into() }
    }

    pub(super) fn into_problem(self) -> Problem {
        Problem::new("FI336", self.span, self.message).hint(self.hint)
    }
}

/// The sorts of notes, in the order in which a stack lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sort {
    Unsayable,
    Fill,
    Script,
    Changed,
    Chosen,
}

impl Sort {
    pub(super) const ALL: [Self; 5] = [Self::Unsayable, Self::Fill, Self::Script, Self::Changed, Self::Chosen];

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Unsayable => "Cannot be said in a stack, and is not in this one:",
            Self::Fill => "To fill in:",
            Self::Script => "Scripts that were not at hand:",
            Self::Changed => "Said otherwise than by the source:",
            Self::Chosen => "Chosen here, for the source does not say it:",
        }
    }

    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Unsayable => "FI331",
            Self::Fill => "FI332",
            Self::Chosen => "FI333",
            Self::Changed => "FI334",
            Self::Script => "FI335",
        }
    }

    fn severity(self) -> Severity {
        if self == Self::Chosen { Severity::Info } else { Severity::Warning }
    }
}

/// Everything told so far.
#[derive(Debug, Default)]
pub(super) struct Notes {
    told: Vec<(Sort, Problem)>,
    wrong: Vec<Wrong>,
}

/// No list of them is read further; what it leaves out is said in its last line.
const MOST: usize = 100;

impl Notes {
    pub(super) fn add(&mut self, sort: Sort, span: &Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        let problem = Problem::new(sort.code(), span.clone(), message).hint(hint);
        self.told.push((sort, Problem { severity: sort.severity(), ..problem }));
    }

    /// A value that is not of the form that the format asks for.
    pub(super) fn wrong(&mut self, node: &Node, path: &str, expected: &str) {
        let found = match tree::scalar(node) {
            Some(text) => format!("`{}`", tree::shown(text)),
            None => "something else".to_owned(),
        };
        let message = format!("`{path}`: expected {expected}, found {found}");
        self.wrong.push(Wrong::new(node.span.clone(), message, "mend the source, or remove it"));
    }

    pub(super) fn broken(&mut self, wrong: Wrong) {
        self.wrong.push(wrong);
    }

    /// What a stack has no word for.
    pub(super) fn unsayable(&mut self, path: &str, span: &Range<usize>, value: &str, hint: &str) {
        let value = if value.is_empty() { String::new() } else { format!(": {value}") };
        self.add(Sort::Unsayable, span, format!("`{path}` cannot be said in a stack{value}"), hint);
    }

    /// Whatever of a mapping nobody took.
    pub(super) fn leave(&mut self, fields: Fields<'_>) {
        for (path, key, node) in fields.rest() {
            let hint = instead(&path);
            self.unsayable(&path, &key.span, &brief(node), hint);
        }
    }

    /// A text, or a number as one.
    pub(super) fn text<'n>(&mut self, node: &'n Node, path: &str) -> Option<&'n str> {
        let text = tree::scalar(node);
        if text.is_none() {
            self.wrong(node, path, "a text");
        }
        text
    }

    pub(super) fn number(&mut self, node: &Node, path: &str) -> Option<u32> {
        let number = tree::scalar(node).and_then(|text| text.trim().parse::<f64>().ok());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and within bounds")]
        let whole = number.filter(|n| n.fract() == 0.0 && (0.0..=4e9).contains(n)).map(|n| n as u32);
        if whole.is_none() && tree::scalar(node).and_then(tree::placeholder).is_some() {
            let said = tree::shown(tree::scalar(node).unwrap_or_default());
            self.add(Sort::Fill, &node.span, format!("`{path}` is given as `{said}`"), "write the number in the stack");
        } else if whole.is_none() {
            self.wrong(node, path, "a whole number");
        }
        whole
    }

    pub(super) fn flag(&mut self, node: &Node, path: &str) -> Option<bool> {
        let text = tree::scalar(node).unwrap_or_default();
        match text.to_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ if tree::placeholder(text).is_some() => {
                let message = format!("`{path}` is given as `{}`", tree::shown(text));
                self.add(Sort::Fill, &node.span, message, "write true or false in the stack");
                None
            }
            _ => {
                self.wrong(node, path, "true or false");
                None
            }
        }
    }

    /// The items of a list.
    pub(super) fn items<'n>(&mut self, node: &'n Node, path: &str) -> &'n [Node] {
        match &node.value {
            crate::stack::node::Value::List(items) => items,
            _ => {
                self.wrong(node, path, "a list");
                &[]
            }
        }
    }

    pub(super) fn fields<'n>(&mut self, node: &'n Node, path: &str) -> Option<Fields<'n>> {
        let fields = Fields::of(node, path);
        if fields.is_none() {
            self.wrong(node, path, "an object");
        }
        fields
    }

    /// What hinders, if anything does.
    pub(super) fn hindrance(&mut self) -> Option<Vec<Problem>> {
        let wrong = std::mem::take(&mut self.wrong);
        (!wrong.is_empty()).then(|| wrong.into_iter().take(MOST).map(Wrong::into_problem).collect())
    }

    /// All of them as findings, in the order in which a stack lists them.
    pub(super) fn findings(mut self, file: &str, text: &str) -> Vec<(Sort, Finding)> {
        self.told.sort_by_key(|(sort, problem)| (*sort, problem.span.start));
        if let Some((sort, Problem { span, .. })) = self.told.get(MOST).cloned() {
            let more = counted(self.told.len() - MOST, "note");
            self.told.truncate(MOST);
            let hint = "compare the source from here on with the stack, or import it in parts";
            self.add(sort, &span, format!("{more} more, which no list names"), hint);
        }
        let lines = Lines::of(text);
        self.told.into_iter().map(|(sort, problem)| (sort, problem.found_in(file, &lines))).collect()
    }
}

/// A value in a few words.
pub(super) fn brief(node: &Node) -> String {
    use crate::stack::node::Value;
    let text = match &node.value {
        Value::Nothing => "null".to_owned(),
        Value::Scalar { text, .. } => tree::shown(text),
        Value::List(items) => {
            let items: Vec<String> = items.iter().take(8).map(brief).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(entries) => {
            let entries: Vec<String> =
                entries.iter().take(8).map(|(key, node)| format!("{}: {}", key.text, brief(node))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    };
    if text.chars().count() <= 120 { text } else { text.chars().take(117).chain("...".chars()).collect() }
}

/// What to do about a thing that a stack has no word for.
fn instead(path: &str) -> &'static str {
    let last = path.rsplit('.').next().unwrap_or(path);
    match last {
        "Budget" => "bound it beforehand: `limits: {hourly: 2 USD, demo: 8 USD}` refuses what costs more",
        "Spark" => "Spark's own settings go under `cluster.configurations` as spark-defaults, or into a job's `conf`",
        "Ingress" => "write `access: [{from: 203.0.113.7/32, port: 9443}]` with your own address",
        "Steps" => "declare them under `jobs:` with their scripts; `fruitsinfra run` submits them",
        "AdditionalMasterSecurityGroups" | "AdditionalSlaveSecurityGroups" => {
            "allow what they allow by `access`, or name groups of your own under `security_groups`"
        }
        "KerberosAttributes" => "put it into a security configuration, and name that",
        "Placement" | "AvailabilityZone" | "Ec2SubnetIds" => "name a subnet of that zone: `subnet: subnet-...`",
        "AutoScalingPolicy" => "write `managed_scaling: {minimum: 1, maximum: 4}`, which EMR follows by itself",
        "LogEncryptionKmsKeyId" => "encrypt the log bucket: `buckets: {logs: {kms_key: arn:...}}`",
        _ => "do without it, or start that cluster without fruitsinfra",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_leaves_out_it_says_last() {
        let text = "x\n".repeat(2 * MOST);
        let mut notes = Notes::default();
        for at in 0..MOST + 3 {
            notes.add(Sort::Unsayable, &(2 * at..2 * at + 1), format!("`{at}` cannot be said"), "do without it");
        }
        notes.add(Sort::Chosen, &(0..1), "chosen", "change it");
        let told = notes.findings("a.json", &text);
        assert_eq!(told.len(), MOST + 1);
        let (sort, last) = told.last().expect("it is not empty");
        assert_eq!((*sort, last.message.as_str()), (Sort::Unsayable, "4 notes more, which no list names"));
        assert_eq!(last.line, MOST + 1, "where the first of them is");
    }
}
