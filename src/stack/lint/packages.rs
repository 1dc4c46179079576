//! `FI6xx`: Python packages and scripts: pinned, installable on the release's Python and architecture,
//! one TensorFlow, and files that are there.

use std::collections::BTreeMap;
use std::path::Path;

use super::Cx;
use crate::stack::packages::{self, Verdict, is_version};
use crate::stack::{BootstrapWork, JobWork, Kind, Weights, is_tensorflow, normal_package};

pub(super) fn check(cx: &mut Cx<'_>) {
    asked_for(cx);
    tensorflow(cx);
    files(cx);
}

fn asked_for(cx: &mut Cx<'_>) {
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
            let unfit = python.as_ref().and_then(|python| packages::version(name, version, python));
            for Verdict { code, severity, message, hint } in packages::name(name).into_iter().chain(unfit) {
                cx.add(severity, code, &path, message, hint);
            }
            if let Some(other) = plain.insert(package, name) {
                let message = format!("`{other}` and `{name}` are one package: pip takes one version of it");
                cx.error("FI612", &path, message, "keep one of the two");
            }
        }
    }
}

fn pinned(cx: &mut Cx<'_>, path: &[&str], name: &str, version: &str) {
    if !is_version(version) {
        let message = format!("`{version}` pins no version of {name}: what is installed would change from day to day");
        cx.error("FI602", path, message, "write one exact version, as in 2.3.3");
    }
}

/// The oldest that the template computes with.
const TENSORFLOW: [u32; 2] = [2, 16];

/// One TensorFlow, of the right kind, where the template needs it.
fn tensorflow(cx: &mut Cx<'_>) {
    let stack = cx.stack;
    if stack.cluster.is_none() {
        return;
    }
    let arm = stack.arm_nodes();
    let mut found: Vec<&str> = Vec::new();
    for (index, action) in stack.bootstrap.iter().enumerate() {
        let BootstrapWork::Template { packages: asked, .. } = &action.work else { continue };
        let index = index.to_string();
        let named = asked.keys().map(|name| (name, normal_package(name)));
        for (name, _) in named.filter(|(_, plain)| is_tensorflow(plain)) {
            let path = ["bootstrap", &index, "packages", name];
            let twice = packages::twice(name, stack.tensorflow_application());
            for Verdict { code, severity, message, hint } in
                twice.into_iter().chain(packages::foreign(name, arm.as_deref()))
            {
                cx.add(severity, code, &path, message, hint);
            }
            let version =
                asked[name].split('.').map(|part| part.parse().unwrap_or(u32::MAX)).take(2).collect::<Vec<_>>();
            if version.as_slice() < TENSORFLOW.as_slice() && stack.jobs.values().any(|job| job.features().is_some()) {
                let message = "the template of the job needs TensorFlow 2.16 or newer: it computes with Keras 3";
                cx.error("FI609", &path, message, "write 2.19.1, which the template was tried with");
            }
            if let Some(earlier) = found.first() {
                cx.error("FI607", &path, format!("`{earlier}` is TensorFlow already"), "keep one of the two");
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
