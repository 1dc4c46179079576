//! `FI647`: notebooks that are uploaded and would open with the wrong kernel: their magics are sparkmagic's, and
//! a plain Python kernel has none of them. It reads notebooks as JSON and runs nothing.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::stack::finding::{Finding, Lines, Problem};
use crate::stack::{Files, Kind, Loaded, Source};

/// Magics that only sparkmagic's kernels know.
const SPARKMAGIC: [&str; 6] = ["%%info", "%%configure", "%%spark", "%%sql", "%%logs", "%%cleanup"];
const KERNELS: [&str; 3] = ["pysparkkernel", "sparkkernel", "sparkrkernel"];

/// Deeper folders, longer files and more of them are data, not notebooks.
const DEEPEST: u32 = 3;
const MOST: usize = 2_000;
const LONGEST: u64 = 4 << 20;

/// The notebooks among what is uploaded that would not work, as far as a look at a few folders tells.
pub(super) fn check(loaded: &Loaded, files: &dyn Files) -> (Vec<Source>, Vec<Finding>) {
    let (mut sources, mut findings) = (Vec::new(), Vec::new());
    for upload in &loaded.stack.uploads {
        for path in notebooks(files, &upload.from) {
            let Some(text) = files.read(&path, LONGEST).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else {
                continue;
            };
            if let Some(problem) = wrong_kernel(&text) {
                let file = path.display().to_string();
                findings.push(problem.found_in(&file, &Lines::of(&text)));
                sources.push(Source { file, text });
            }
        }
    }
    (sources, findings)
}

/// The notebooks at and below a path.
fn notebooks(files: &dyn Files, path: &Path) -> Vec<PathBuf> {
    let (mut found, mut waiting, mut seen) = (Vec::new(), vec![(path.to_owned(), 0)], 0);
    while let Some((path, depth)) = waiting.pop() {
        seen += 1;
        match files.kind(&path) {
            _ if seen > MOST => break,
            Ok(Kind::File) if path.extension().is_some_and(|extension| extension == "ipynb") => found.push(path),
            Ok(Kind::Folder) if depth < DEEPEST => {
                let names = files.names(&path).unwrap_or_default();
                // The first name is the next to be looked at.
                waiting.extend(names.iter().take(MOST).rev().map(|name| (path.join(name), depth + 1)));
            }
            _ => {}
        }
    }
    found
}

fn wrong_kernel(text: &str) -> Option<Problem> {
    let notebook: Value = serde_json::from_str(text).ok()?;
    let kernel = notebook["metadata"]["kernelspec"]["name"].as_str().unwrap_or_default();
    if KERNELS.contains(&kernel) {
        return None;
    }
    let cells = notebook["cells"].as_array()?;
    let lines = cells.iter().filter(|cell| cell["cell_type"] == "code").flat_map(|cell| match &cell["source"] {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        Value::String(text) => text.lines().collect(),
        _ => Vec::new(),
    });
    let magic = { lines }.find_map(|line| SPARKMAGIC.into_iter().find(|magic| line.trim_start().starts_with(magic)))?;
    let at = text.find("\"kernelspec\"").or_else(|| text.find(magic))?;
    let end = at + text[at..].find(['\n', ':']).unwrap_or(1);
    let message = format!("the notebook uses {magic} and asks for the kernel `{kernel}`, which does not know it");
    Some(Problem::new("FI647", at..end, message).hint("set the kernelspec's name to pysparkkernel"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notebook_asks_for_the_kernel_of_its_magics() {
        let notebook = |kernel: &str, cell: &str| {
            let cells = serde_json::json!([{"cell_type": "code", "source": [cell]}]);
            serde_json::json!({"cells": cells, "metadata": {"kernelspec": {"name": kernel}}}).to_string()
        };
        assert_eq!(wrong_kernel(&notebook("python3", "%%info\n")).map(|problem| problem.code), Some("FI647"));
        assert_eq!(wrong_kernel(&notebook("pysparkkernel", "%%info\n")), None);
        assert_eq!(wrong_kernel(&notebook("python3", "print(1)\n")), None);
        assert_eq!(wrong_kernel("no JSON"), None);
    }
}
