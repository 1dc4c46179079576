//! Features that a network computes anew for each use of them: a frame that comes out of a pandas UDF, is used
//! more than once, and is never kept. It follows frames through plain assignments, in the order of the text.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use tree_sitter::{Node, Tree};

use super::Known;
use crate::check::shell::nodes;
use crate::stack::finding::Problem;

/// What makes Spark compute a frame; an estimator's `fit` does too.
const ACTIONS: [&str; 13] = [
    "write",
    "count",
    "collect",
    "toPandas",
    "show",
    "take",
    "first",
    "head",
    "foreach",
    "toLocalIterator",
    "tail",
    "summary",
    "fit",
];
const KEEPERS: [&str; 4] = ["cache", "persist", "checkpoint", "localCheckpoint"];

/// A frame that is costly to compute: where it is named, and how often it is computed.
struct Frame {
    at: Range<usize>,
    runs: usize,
}

pub(super) fn find(tree: &Tree, known: &Known<'_>, problems: &mut Vec<Problem>) {
    let costly = costly(tree, known);
    let mut frames: Vec<Frame> = Vec::new();
    // Which frame a name computes when it is used.
    let mut holds: BTreeMap<&str, usize> = BTreeMap::new();
    for statement in nodes(tree).filter(|node| node.kind() == "expression_statement") {
        let Some(expression) = statement.named_child(0) else { continue };
        let assigns = expression.kind() == "assignment";
        let value = if assigns { expression.child_by_field_name("right") } else { Some(expression) };
        let name = expression.child_by_field_name("left").filter(|left| assigns && left.kind() == "identifier");
        let Some(used) = value.map(|value| Used::of(value, known)) else { continue };
        let source = used.names.iter().find_map(|name| holds.get(name).copied());
        if used.attributes.iter().any(|attribute| KEEPERS.contains(attribute)) {
            holds.retain(|_, held| Some(*held) != source);
            continue;
        }
        let acts = used.attributes.iter().any(|attribute| ACTIONS.contains(attribute));
        if let Some(frame) = source.filter(|_| acts) {
            frames[frame].runs += 1;
        }
        let Some(name) = name else { continue };
        let makes = used.calls.iter().any(|call| costly.contains(call));
        if makes && !acts {
            frames.push(Frame { at: name.byte_range(), runs: 0 });
            holds.insert(known.said(name), frames.len() - 1);
        } else if let Some(frame) = source.filter(|_| !acts) {
            holds.insert(known.said(name), frame);
        } else {
            holds.remove(known.said(name));
        }
    }
    for Frame { at, runs } in frames.into_iter().filter(|frame| frame.runs > 1) {
        let message = format!("what is computed here is computed {runs} times, once for each use of it below");
        let hint = "write it once and read it back, or keep it with .cache()";
        problems.push(Problem::new("FI644", at, message).warning().hint(hint));
    }
}

/// Functions that run Python on the executors.
fn costly<'t>(tree: &Tree, known: &Known<'t>) -> BTreeSet<&'t str> {
    let decorated = nodes(tree).filter(|node| node.kind() == "decorated_definition").filter(|node| {
        let decorator = known.said(*node).lines().next().unwrap_or_default();
        decorator.contains("pandas_udf")
    });
    let names = decorated.filter_map(|node| node.child_by_field_name("definition")?.child_by_field_name("name"));
    names.map(|name| known.said(name)).chain(["mapInPandas"]).collect()
}

/// What an expression names.
#[derive(Default)]
struct Used<'t> {
    names: Vec<&'t str>,
    attributes: Vec<&'t str>,
    calls: Vec<&'t str>,
}

/// Longer expressions than this are no pipeline.
const LONGEST: usize = 5_000;

impl<'t> Used<'t> {
    fn of(value: Node<'_>, known: &Known<'t>) -> Self {
        let mut used = Self::default();
        let mut waiting = vec![value];
        let mut seen = 0;
        while let Some(node) = waiting.pop() {
            seen += 1;
            if seen > LONGEST {
                break;
            }
            match node.kind() {
                "identifier" => used.names.push(known.said(node)),
                "call" => used.calls.push(known.called(node)),
                "attribute" => {
                    used.attributes.extend(node.child_by_field_name("attribute").map(|name| known.said(name)));
                    waiting.extend(node.child_by_field_name("object"));
                    continue;
                }
                "keyword_argument" => {
                    waiting.extend(node.child_by_field_name("value"));
                    continue;
                }
                _ => {}
            }
            let mut cursor = node.walk();
            waiting.extend(node.named_children(&mut cursor));
        }
        used
    }
}
