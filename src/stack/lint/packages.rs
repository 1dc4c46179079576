//! `FI6xx`: Python packages and scripts: pinned, installable on the release's Python and architecture,
//! one TensorFlow, and files that are there.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

use super::Cx;
use crate::stack::facts::instance_type;
use crate::stack::finding::nearest;
use crate::stack::{BootstrapWork, JobWork, Kind, Weights, is_tensorflow, normal_package};

/// The newest wheels that the Python of a release can install: later ones were never built for it.
/// From the files of the Python package index.
const NEWEST_WHEELS: [(&str, &str, &str); 7] = [
    ("3.7", "tensorflow", "2.11.0"),
    ("3.7", "tensorflow-cpu", "2.11.0"),
    ("3.7", "pyarrow", "12.0.1"),
    ("3.9", "tensorflow", "2.20.0"),
    ("3.9", "tensorflow-cpu", "2.20.0"),
    ("3.9", "keras", "3.10.0"),
    ("3.9", "pyarrow", "21.0.0"),
];

/// Packages that people of this brief install, to recognise a slip of the keyboard by.
const USUAL: [&str; 18] = [
    "boto3",
    "fsspec",
    "h5py",
    "keras",
    "matplotlib",
    "numpy",
    "pandas",
    "pillow",
    "plotly",
    "pyarrow",
    "s3fs",
    "scikit-learn",
    "scipy",
    "seaborn",
    "setuptools",
    "tensorflow",
    "tensorflow-cpu",
    "wheel",
];

pub(super) fn check(cx: &mut Cx<'_>) {
    packages(cx);
    tensorflow(cx);
    files(cx);
}

fn packages(cx: &mut Cx<'_>) {
    let stack = cx.stack;
    let python = stack.python();
    for (index, action) in stack.bootstrap.iter().enumerate() {
        let BootstrapWork::Template { packages, .. } = &action.work else { continue };
        let index = index.to_string();
        if packages.is_empty() {
            cx.error(
                "FI601",
                &["bootstrap", &index],
                "no packages to install",
                "add `packages`, each with its version",
            );
        }
        let mut plain: BTreeMap<String, &str> = BTreeMap::new();
        for (name, version) in packages {
            let path = ["bootstrap", &index, "packages", name];
            let package = normal_package(name);
            pinned(cx, &path, name, version);
            suspicious(cx, &path, name, &package);
            if let Some(python) = &python {
                installable(cx, &path, &package, version, python);
            }
            if let Some(other) = plain.insert(package, name) {
                let message = format!("`{other}` and `{name}` are one package: pip takes one version of it");
                cx.error("FI612", &path, message, "keep one of the two");
            }
        }
    }
}

fn pinned(cx: &mut Cx<'_>, path: &[&str], name: &str, version: &str) {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let suffix = |part: &str| {
        let marks = ["a", "b", "rc", "post", "dev"];
        let split = part.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(0);
        let (number, rest) = part.split_at(split);
        (number.is_empty() || digits(number)) && marks.iter().any(|mark| rest.strip_prefix(mark).is_some_and(digits))
    };
    let mut parts = version.split('.');
    if !(parts.next().is_some_and(digits) && parts.all(|part| digits(part) || suffix(part))) {
        let message = format!("`{version}` pins no version of {name}: what is installed would change from day to day");
        cx.error("FI602", path, message, "write one exact version, as in 2.3.3");
    }
}

/// `name`, or `name[extra,other]`, as PEP 508 has them.
fn is_package(name: &str) -> bool {
    let word = |text: &str| {
        let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        ends(text.chars().next()) && ends(text.chars().last()) && text.chars().all(legal)
    };
    match name.split_once('[') {
        None => word(name),
        Some((name, extras)) => word(name) && extras.strip_suffix(']').is_some_and(|all| all.split(',').all(word)),
    }
}

fn suspicious(cx: &mut Cx<'_>, path: &[&str], name: &str, package: &str) {
    if !is_package(name) {
        cx.error(
            "FI603",
            path,
            format!("`{name}` cannot be the name of a package"),
            "write the name alone, its version as the value",
        );
    } else if package == "pyspark" {
        cx.warning("FI604", path, "a second Spark would hide the release's own", "remove it: EMR brings pyspark");
    } else if !USUAL.contains(&package)
        && let Some(near) = nearest(package, USUAL).filter(|near| near.len() == package.len() && near.len() > 4)
    {
        cx.warning(
            "FI603",
            path,
            format!("`{name}` looks like a slip for `{near}`"),
            format!("did you mean `{near}`?"),
        );
    }
}

fn installable(cx: &mut Cx<'_>, path: &[&str], name: &str, version: &str, python: &str) {
    let newest = NEWEST_WHEELS.iter().find(|(on, package, _)| *on == python && *package == name);
    if let Some((_, _, newest)) = newest
        && compare(version, newest) == Ordering::Greater
    {
        let message = format!("{name} {version} has no wheel for Python {python}; the newest is {newest}");
        let hint = format!("pin {newest}, or set PYSPARK_PYTHON to a newer Python of the release");
        cx.error("FI605", path, message, hint);
    }
    if name == "pandas" && compare(version, "3") != Ordering::Less {
        cx.warning("FI606", path, "Spark 3.5 was not made for pandas 3", "pin a version below 3, as in 2.3.3");
    }
}

/// Compares versions by their numbers.
fn compare(one: &str, other: &str) -> Ordering {
    let numbers = |version: &str| -> Vec<u64> { version.split('.').map_while(|part| part.parse().ok()).collect() };
    numbers(one).cmp(&numbers(other))
}

/// One TensorFlow, of the right kind, where the template needs it.
fn tensorflow(cx: &mut Cx<'_>) {
    let stack = cx.stack;
    let Some(cluster) = &stack.cluster else { return };
    let arm = cluster
        .groups()
        .find(|(_, group)| instance_type(&group.instance_type).is_some_and(|facts| facts.arch == "arm64"));
    let mut found: Vec<&str> = Vec::new();
    for (index, action) in stack.bootstrap.iter().enumerate() {
        let BootstrapWork::Template { packages, .. } = &action.work else { continue };
        let index = index.to_string();
        let named = packages.keys().map(|name| (name, normal_package(name)));
        for (name, plain) in named.filter(|(_, plain)| is_tensorflow(plain)) {
            let path = ["bootstrap", &index, "packages", name];
            if stack.tensorflow_application() {
                let message = "TensorFlow comes as an application already: two versions would meet in one process";
                cx.error("FI607", &path, message, "remove the package, or the application");
            }
            if let Some(earlier) = found.first() {
                cx.error("FI607", &path, format!("`{earlier}` is TensorFlow already"), "keep one of the two");
            }
            if let ("tensorflow-cpu", Some((part, group))) = (plain.as_str(), arm) {
                let message =
                    format!("tensorflow-cpu has no wheel for arm64, which {} of group {part} is", group.instance_type);
                cx.error("FI608", &path, message, "install `tensorflow` of the same version");
            }
            found.push(name);
        }
    }
    let own_script = stack.bootstrap.iter().any(|action| matches!(action.work, BootstrapWork::Script(_)));
    let needed = stack.jobs.iter().find(|(_, job)| job.features().is_some());
    if let Some((key, _)) = needed.filter(|_| found.is_empty() && !stack.tensorflow_application() && !own_script) {
        let message = "the template needs TensorFlow, and nothing here installs it";
        cx.error("FI609", &["jobs", key], message, "add the package in `bootstrap`, or the application TensorFlow");
    }
}

fn files(cx: &mut Cx<'_>) {
    let stack = cx.stack;
    for (index, action) in stack.bootstrap.iter().enumerate() {
        if let BootstrapWork::Script(script) = &action.work {
            file(cx, &["bootstrap", &index.to_string(), "script"], script);
        }
    }
    for (key, job) in &stack.jobs {
        match &job.work {
            JobWork::Script { script, .. } => file(cx, &["jobs", key, "script"], script),
            JobWork::Template(features) => match &features.model.weights {
                Weights::File(weights) => file(cx, &["jobs", key, "model", "weights"], weights),
                Weights::Untrained => {
                    let message = "untrained weights make meaningless features";
                    cx.warning(
                        "FI611",
                        &["jobs", key, "model", "weights"],
                        message,
                        "write imagenet, unless this is a test",
                    );
                }
                Weights::Imagenet | Weights::Registry => {}
            },
        }
    }
}

fn file(cx: &mut Cx<'_>, path: &[&str], file: &Path) {
    if !cx.files.kind(file).is_ok_and(|kind| kind == Kind::File) {
        let message = format!("there is no file {}", file.display());
        cx.error("FI610", path, message, "paths are relative to the stack's own file");
    }
}
