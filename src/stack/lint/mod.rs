//! Everything that can be said against a stack without asking AWS: one file a group, each rule a
//! function of the stack and its text (one also looks whether files are there). Rules look at values
//! and point at text; they never change a stack.

use super::Stack;
use super::files::Files;
use super::finding::{Fix, Problem, Severity};
use super::node::{Node, Value};

mod access;
mod emr;
mod fleets;
mod form;
mod groups;
mod packages;
mod residency;
mod storage;

pub(crate) use access::is_id;

/// What every rule may look at.
pub(super) struct Cx<'a> {
    stack: &'a Stack,
    root: &'a Node,
    files: &'a dyn Files,
    problems: Vec<Problem>,
}

/// All findings of all rules, in no particular order.
pub(super) fn all(stack: &Stack, root: &Node, files: &dyn Files) -> Vec<Problem> {
    let mut cx = Cx { stack, root, files, problems: Vec::new() };
    for rules in [
        form::check,
        residency::check,
        emr::check,
        groups::check,
        fleets::check,
        access::check,
        storage::check,
        packages::check,
    ] {
        rules(&mut cx);
    }
    cx.problems
}

impl Cx<'_> {
    /// The path of a field of a group, by the group's part.
    fn in_group<'p>(part: &'p str, field: &'p str) -> Vec<&'p str> {
        match part {
            "primary" | "core" => vec!["cluster", part, field],
            key => vec!["cluster", "task", key, field],
        }
    }

    /// The index of the text in a list that satisfies a wish; of the first where none does.
    fn index_of(&self, path: &[&str], wish: impl Fn(&str) -> bool) -> String {
        let items = match self.root.find(path).map(|node| &node.value) {
            Some(Value::List(items)) => items.as_slice(),
            _ => &[],
        };
        let found = items.iter().position(|item| matches!(&item.value, Value::Scalar { text, .. } if wish(text)));
        found.unwrap_or(0).to_string()
    }

    fn error(&mut self, code: &'static str, path: &[&str], message: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Error, code, path, message.into(), hint.into());
    }

    /// The text at a path may become another, wherever it is written in one piece.
    fn becomes(&mut self, path: &[&str], instead: &str) {
        let written = self.root.find(path).is_some_and(|node| matches!(node.value, Value::Scalar { plain: true, .. }));
        if let Some(problem) = self.problems.last_mut().filter(|_| written) {
            problem.fix = Some(Box::new(Fix { span: problem.span.clone(), text: instead.to_owned() }));
        }
    }

    fn warning(&mut self, code: &'static str, path: &[&str], message: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Warning, code, path, message.into(), hint.into());
    }

    fn add(&mut self, severity: Severity, code: &'static str, path: &[&str], message: String, hint: String) {
        let span = self.root.span_of(path);
        self.problems.push(Problem { severity, ..Problem::new(code, span, message).hint(hint) });
    }
}

#[cfg(test)]
mod tests;
