//! The sources of the product and of its tests, as text.

use std::fs;
use std::path::PathBuf;

use super::repository;

/// One source file.
pub(crate) struct Source {
    /// Below `src/` or `tests/`.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Source {
    /// All of them below `src` or `tests`, in the order of their names.
    pub(crate) fn all(folder: &str) -> Vec<Self> {
        let root = repository().join(folder);
        let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).expect("is a folder") {
                let path = entry.expect("is readable").path();
                if path.is_dir() {
                    // A crate of its own is no part of this one.
                    folders.extend((!path.join("Cargo.toml").exists()).then_some(path));
                } else if path.extension().is_some_and(|extension| extension == "rs") {
                    let text = fs::read_to_string(&path).expect("is text");
                    found.push(Self { path: path.strip_prefix(&root).expect("is below").to_owned(), text });
                }
            }
        }
        assert!(found.len() > 3, "{folder} was read");
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }

    /// `["resources", "cluster", "read"]`; `main.rs` is `["main"]`, and `lib.rs` the root, `[]`.
    pub(crate) fn module(&self) -> Vec<&str> {
        let whole = self.path.with_extension("");
        let parts = self.path.iter().take(whole.iter().count() - 1);
        let mut module: Vec<&str> = parts.map(|part| part.to_str().expect("is text")).collect();
        let last = self.path.file_stem().and_then(|stem| stem.to_str()).expect("has a name");
        module.extend((last != "mod" && last != "lib").then_some(last));
        module
    }

    /// The first of its module: `resources`.
    pub(crate) fn room(&self) -> &str {
        self.module().first().copied().unwrap_or("lib")
    }

    /// What is compiled into the product: neither comments nor tests, at a file's foot or in a file of their own.
    pub(crate) fn code(&self) -> String {
        if self.path.ends_with("tests.rs") {
            return String::new();
        }
        let lines = self.text.lines().take_while(|line| *line != "#[cfg(test)]");
        lines.filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect()
    }
}
