//! What a `pip install` in a script asks for: the requirements, each with its place, and the options that matter.
//! It knows pip's command line and nothing of what is installed.

use std::ops::Range;

use super::shell::{Command, Word};

/// One requirement, as in `pandas==2.3.3`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Requirement {
    pub(super) span: Range<usize>,
    /// With its extras.
    pub(super) name: String,
    /// The exact version, where one is pinned.
    pub(super) version: Option<String>,
}

/// An installation by pip.
#[derive(Debug)]
pub(super) struct Install<'a> {
    pub(super) command: &'a Command,
    /// The Python it installs for, where its name tells, as in `3.11`.
    pub(super) python: Option<String>,
    pub(super) requirements: Vec<Requirement>,
    /// Where `--user` stands.
    pub(super) user: Option<Range<usize>>,
}

/// Options of `pip install` that take a value of their own.
const VALUED: [&str; 27] = [
    "-r",
    "--requirement",
    "-c",
    "--constraint",
    "-e",
    "--editable",
    "-i",
    "--index-url",
    "--extra-index-url",
    "-f",
    "--find-links",
    "-t",
    "--target",
    "--prefix",
    "--root",
    "--platform",
    "--python-version",
    "--timeout",
    "--retries",
    "--only-binary",
    "--no-binary",
    "--cache-dir",
    "--src",
    "--upgrade-strategy",
    "--proxy",
    "--cert",
    "--trusted-host",
];

/// Reads a command as an installation; none if it is something else.
pub(super) fn install(command: &Command) -> Option<Install<'_>> {
    let mut words = command.args.as_slice();
    let python = if let Some(version) = command.program.strip_prefix("python") {
        let [dash, pip, rest @ ..] = words else { return None };
        if (dash.text.as_deref(), pip.text.as_deref()) != (Some("-m"), Some("pip")) {
            return None;
        }
        words = rest;
        version
    } else {
        command.program.strip_prefix("pip")?.trim_start_matches('-')
    };
    let python = python.contains('.').then(|| python.to_owned());
    let at = words.iter().position(|word| word.text.as_deref() == Some("install"))?;
    if words[..at].iter().any(|word| word.text.as_deref().is_none_or(|text| !text.starts_with('-'))) {
        return None;
    }
    let mut install = Install { command, python, requirements: Vec::new(), user: None };
    let mut skip = false;
    for word in &words[at + 1..] {
        let Some(text) = word.text.as_deref() else {
            skip = false;
            continue;
        };
        if std::mem::take(&mut skip) {
            continue;
        }
        if text == "--user" {
            install.user = Some(word.span.clone());
        }
        if text.starts_with('-') {
            skip = VALUED.contains(&text);
        } else {
            install.requirements.extend(requirement(word, text));
        }
    }
    Some(install)
}

/// `name[extra]==version`; none for a path, an address, or words that go on into a redirection.
fn requirement(word: &Word, text: &str) -> Option<Requirement> {
    let text = text.split(';').next().unwrap_or(text).trim();
    if text.is_empty() || text.contains('/') || text.contains('@') || text == "." || ends_as_file(text) {
        return None;
    }
    let end = text.find(['=', '<', '>', '!', '~', ' ']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let version = rest.trim().strip_prefix("===").or_else(|| rest.trim().strip_prefix("=="));
    let version = version.map(str::trim).filter(|version| !version.contains(['*', ',', '<', '>']));
    Some(Requirement { span: word.span.clone(), name: name.to_owned(), version: version.map(str::to_owned) })
}

fn ends_as_file(text: &str) -> bool {
    [".whl", ".gz", ".zip", ".txt", ".toml"].iter().any(|ending| text.ends_with(ending))
}
