//! `FI64x`: what goes wrong on a cluster with PySpark scripts that people bring, as far as the text tells: modules
//! that nobody installs, results that erase one another, broadcasts that save nothing. It follows names that are
//! given plain texts, and takes everything else as unknown.

mod recomputed;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use tree_sitter::{Node, Tree};

use super::Nodes;
use super::shell::{nodes, tree};
use crate::stack::finding::Problem;

/// Modules that are not Python's own, and the packages that bring them.
const MODULES: [(&str, &[&str]); 24] = [
    ("PIL", &["pillow", "matplotlib", "scikit-image", "torchvision"]),
    ("cv2", &["opencv-python", "opencv-python-headless", "opencv-contrib-python"]),
    ("dask", &["dask"]),
    ("fsspec", &["fsspec", "s3fs", "dask"]),
    ("h5py", &["h5py", "tensorflow", "tensorflow-cpu", "keras"]),
    ("keras", &["keras", "tensorflow", "tensorflow-cpu"]),
    ("matplotlib", &["matplotlib", "seaborn"]),
    ("pandas", &["pandas", "seaborn", "statsmodels", "dask"]),
    ("plotly", &["plotly"]),
    ("polars", &["polars"]),
    ("psutil", &["psutil"]),
    ("pyarrow", &["pyarrow"]),
    ("s3fs", &["s3fs"]),
    ("scipy", &["scipy", "scikit-learn", "scikit-image", "statsmodels"]),
    ("seaborn", &["seaborn"]),
    ("skimage", &["scikit-image"]),
    ("sklearn", &["scikit-learn"]),
    ("statsmodels", &["statsmodels"]),
    ("tensorflow", &["tensorflow", "tensorflow-cpu"]),
    ("tensorflow_hub", &["tensorflow-hub"]),
    ("torch", &["torch", "torchvision"]),
    ("torchvision", &["torchvision"]),
    ("tqdm", &["tqdm", "kaggle", "nltk"]),
    ("xgboost", &["xgboost"]),
];

/// What writes a DataFrame to a path.
const WRITERS: [&str; 7] = ["parquet", "csv", "json", "orc", "save", "text", "saveAsTextFile"];

/// All that is found in a job's script.
pub(super) fn problems(text: &str, on: &Nodes) -> Vec<Problem> {
    let mut problems = magics(text);
    if !problems.is_empty() {
        return problems;
    }
    let Some(tree) = tree(text, &tree_sitter_python::LANGUAGE.into()) else { return Vec::new() };
    let known = Known::of(&tree, text);
    imports(&tree, text, on, &mut problems);
    addresses(&tree, &known, &mut problems);
    outputs(&tree, &known, &mut problems);
    weights(&tree, &known, &mut problems);
    masters(&tree, &known, &mut problems);
    recomputed::find(&tree, &known, &mut problems);
    problems
}

/// Lines that only a notebook understands.
fn magics(text: &str) -> Vec<Problem> {
    let mut from = 0;
    for line in text.split_inclusive('\n') {
        let magic = line.starts_with("%%") || line.starts_with("!pip") || line.starts_with("%pip");
        if magic || line.starts_with("%matplotlib") || line.starts_with("%load_ext") {
            let message = "a magic of a notebook: in a script it is no Python";
            let problem = Problem::new("FI646", from..from + line.trim_end().len(), message);
            return vec![problem.hint("remove it, or run the notebook on the cluster's JupyterHub")];
        }
        from += line.len();
    }
    Vec::new()
}

/// Names of a script that are given one plain text each.
struct Known<'t> {
    text: &'t str,
    names: BTreeMap<&'t str, Option<String>>,
}

/// Deeper expressions than this are not texts.
const DEEPEST: u32 = 30;

impl<'t> Known<'t> {
    fn of(tree: &Tree, text: &'t str) -> Self {
        let mut known = Self { text, names: BTreeMap::new() };
        for node in nodes(tree).filter(|node| node.kind() == "assignment") {
            let (Some(left), Some(right)) = (node.child_by_field_name("left"), node.child_by_field_name("right"))
            else {
                continue;
            };
            if left.kind() == "identifier" {
                let value = known.value(right, 0);
                // What is given twice may be either.
                known.names.entry(&text[left.byte_range()]).and_modify(|old| *old = None).or_insert(value);
            }
        }
        known
    }

    fn said(&self, node: Node<'_>) -> &'t str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// The text that an expression makes, `{name}` standing for what is not known; none if it makes no text.
    fn value(&self, node: Node<'_>, depth: u32) -> Option<String> {
        if depth > DEEPEST {
            return None;
        }
        let mut cursor = node.walk();
        match node.kind() {
            "string" => node
                .named_children(&mut cursor)
                .filter(|part| ["string_content", "interpolation"].contains(&part.kind()))
                .map(|part| match part.kind() {
                    "interpolation" => self.value(part.named_child(0)?, depth + 1),
                    _ => Some(self.said(part).to_owned()),
                })
                .collect(),
            "parenthesized_expression" => self.value(node.named_child(0)?, depth + 1),
            "concatenated_string" => node.named_children(&mut cursor).map(|part| self.value(part, depth + 1)).collect(),
            "binary_operator" if node.child_by_field_name("operator").is_some_and(|sign| self.said(sign) == "+") => {
                let left = self.value(node.child_by_field_name("left")?, depth + 1)?;
                Some(left + &self.value(node.child_by_field_name("right")?, depth + 1)?)
            }
            "identifier" => {
                let name = self.said(node);
                let known = self.names.get(name).cloned().flatten();
                Some(known.unwrap_or_else(|| format!("{{{name}}}")))
            }
            "attribute" | "subscript" => Some(format!("{{{}}}", self.said(node))),
            "call" if self.said(node).starts_with("os.path.join(") => {
                let arguments = node.child_by_field_name("arguments")?;
                let parts: Option<Vec<String>> =
                    arguments.named_children(&mut cursor).map(|part| self.value(part, depth + 1)).collect();
                Some(parts?.iter().map(|part| part.trim_end_matches('/')).collect::<Vec<_>>().join("/"))
            }
            _ => None,
        }
    }

    /// The value of a keyword argument of a call.
    fn keyword<'n>(&self, call: Node<'n>, name: &str) -> Option<Node<'n>> {
        let arguments = call.child_by_field_name("arguments")?;
        let mut cursor = arguments.walk();
        let found = arguments.named_children(&mut cursor).find(|argument| {
            argument.kind() == "keyword_argument"
                && argument.child_by_field_name("name").is_some_and(|key| self.said(key) == name)
        });
        found?.child_by_field_name("value")
    }

    /// The last name of what is called: `save` of `frame.write.save(...)`.
    fn called(&self, call: Node<'_>) -> &'t str {
        let Some(function) = call.child_by_field_name("function") else { return "" };
        self.said(function.child_by_field_name("attribute").unwrap_or(function))
    }
}

/// The first argument of a call that has no name.
fn first(call: Node<'_>) -> Option<Node<'_>> {
    call.child_by_field_name("arguments")?.named_child(0).filter(|first| first.kind() != "keyword_argument")
}

fn calls(tree: &Tree) -> impl Iterator<Item = Node<'_>> {
    nodes(tree).filter(|node| node.kind() == "call")
}

/// What a chain of calls and attributes is made of, outermost first: `frame.write.mode(...)` gives `mode`, `write`, `frame`.
fn chain(node: Node<'_>) -> Vec<Node<'_>> {
    let (mut links, mut next) = (Vec::new(), Some(node));
    while let Some(node) = next.filter(|_| links.len() < 100) {
        next = match node.kind() {
            "call" => node.child_by_field_name("function"),
            "attribute" => node.child_by_field_name("object"),
            _ => None,
        };
        links.push(node);
    }
    links
}

fn imports(tree: &Tree, text: &str, on: &Nodes, problems: &mut Vec<Problem>) {
    let Some(installed) = &on.installed else { return };
    let mut told = BTreeSet::new();
    for node in nodes(tree) {
        let named: Vec<Node<'_>> = match node.kind() {
            "import_from_statement" => node.child_by_field_name("module_name").into_iter().collect(),
            "import_statement" => {
                let mut cursor = node.walk();
                node.named_children(&mut cursor).collect()
            }
            _ => continue,
        };
        // Who tries may do without.
        if std::iter::successors(node.parent(), Node::parent).any(|above| above.kind() == "try_statement") {
            continue;
        }
        for name in named {
            let name = name.child_by_field_name("name").unwrap_or(name);
            let module = text[name.byte_range()].split('.').next().unwrap_or_default();
            let Some((_, packages)) = MODULES.iter().find(|(known, _)| *known == module) else { continue };
            let comes = packages.iter().any(|package| installed.contains(*package));
            let with_release = ["tensorflow", "keras", "h5py"].contains(&module) && on.tensorflow_application;
            if !comes && !with_release && told.insert(module.to_owned()) {
                let message = format!("nothing here installs `{module}`: the step would end with ModuleNotFoundError");
                let hint = format!("add `{}` to the packages of `bootstrap`", packages[0]);
                problems.push(Problem::new("FI640", name.byte_range(), message).warning().hint(hint));
            }
        }
    }
}

/// `s3://bucket//Results` is another key than `s3://bucket/Results`.
fn addresses(tree: &Tree, known: &Known<'_>, problems: &mut Vec<Problem>) {
    // Nodes come parents first: what begins before the end of what was told lies within it.
    let mut until = 0;
    for node in
        nodes(tree).filter(|node| ["string", "binary_operator", "call", "concatenated_string"].contains(&node.kind()))
    {
        let inside = node.start_byte() < until;
        let Some(value) = (!inside).then(|| known.value(node, 0)).flatten() else { continue };
        if super::has_empty_part(&value) {
            until = node.end_byte();
            let message = format!("`{value}` has an empty part: `//` makes another key than `/`");
            problems.push(Problem::new("FI642", node.byte_range(), message).hint("write one slash between parts"));
        }
    }
}

/// A path that is written, and whether what lay there goes.
struct Written {
    path: String,
    at: Range<usize>,
    overwrites: bool,
}

/// No result is written below another that is overwritten.
fn outputs(tree: &Tree, known: &Known<'_>, problems: &mut Vec<Problem>) {
    let mut all: Vec<Written> = Vec::new();
    for call in calls(tree).filter(|call| WRITERS.contains(&known.called(*call))) {
        let links = chain(call);
        let names = |link: &Node<'_>| link.child_by_field_name("attribute").map(|name| known.said(name));
        if !links.iter().any(|link| names(link) == Some("write")) {
            continue;
        }
        let Some(path) = first(call).or_else(|| known.keyword(call, "path")) else { continue };
        let Some(value) = known.value(path, 0) else { continue };
        let is_overwrite = |node: Node<'_>| known.value(node, 0).as_deref() == Some("overwrite");
        let by_mode = links.iter().filter(|link| link.kind() == "call" && known.called(**link) == "mode");
        let overwrites = by_mode.filter_map(|link| first(*link)).chain(known.keyword(call, "mode")).any(is_overwrite);
        all.push(Written { path: value.trim_end_matches('/').to_owned(), at: path.byte_range(), overwrites });
    }
    for inner in &all {
        let within = |outer: &&Written| {
            outer.overwrites && inner.path.strip_prefix(outer.path.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        if let Some(outer) = all.iter().find(within) {
            let message =
                format!("{} lies below {}, which is overwritten: its next run erases this", inner.path, outer.path);
            let hint = "write both as siblings, as in data/features/ and data/pca/";
            problems.push(Problem::new("FI641", inner.at.clone(), message).hint(hint));
        }
    }
}

/// A model whose weights are set anew loads none before.
fn weights(tree: &Tree, known: &Known<'_>, problems: &mut Vec<Problem>) {
    let setters = calls(tree).filter(|call| known.called(*call) == "set_weights");
    let around = setters.flat_map(|call| std::iter::successors(call.parent(), Node::parent));
    let functions: BTreeSet<(usize, usize)> = around
        .filter(|node| node.kind() == "function_definition")
        .map(|function| (function.start_byte(), function.end_byte()))
        .collect();
    for value in calls(tree).filter_map(|call| known.keyword(call, "weights")) {
        let within = |(start, end): &(usize, usize)| *start <= value.start_byte() && value.end_byte() <= *end;
        if known.value(value, 0).as_deref() == Some("imagenet") && functions.iter().any(within) {
            let message = "every worker downloads these weights, and then sets those that were broadcast: the broadcast saves nothing";
            problems.push(
                Problem::new("FI643", value.byte_range(), message).warning().hint("write weights=None").becomes("None"),
            );
        }
    }
}

/// A session that runs on the primary node alone.
fn masters(tree: &Tree, known: &Known<'_>, problems: &mut Vec<Problem>) {
    for call in calls(tree) {
        let value = match known.called(call) {
            "master" | "setMaster" => first(call),
            "config" if first(call).and_then(|key| known.value(key, 0)).as_deref() == Some("spark.master") => {
                call.child_by_field_name("arguments").and_then(|arguments| arguments.named_child(1))
            }
            _ => None,
        };
        let Some(value) = value.filter(|value| known.value(*value, 0).is_some_and(|text| text.starts_with("local")))
        else {
            continue;
        };
        let message = "with a local master all work stays on the primary node, whatever the cluster costs";
        problems.push(
            Problem::new("FI645", value.byte_range(), message)
                .warning()
                .hint("leave the master out: EMR sets it to YARN"),
        );
    }
}
