//! Every code has a page in `docs/codes`, and no page lies: its examples are put before `validate`, which must find
//! the code in what the page calls wrong, and nothing in what it calls right.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::sources::Source;
use crate::support::{Ran, clean, ended, repository};

/// Pages whose code no file shows that could stand in a page: a script that is no text, what is refused for what lives in
/// AWS or for what is asked for on the command line, what an import tells of its source, what another place has no
/// counterpart for, a notebook.
const UNCHECKED: [&str; 18] = [
    "FI132", "FI330", "FI331", "FI332", "FI333", "FI334", "FI335", "FI336", "FI340", "FI341", "FI647", "FI702",
    "FI900", "FI901", "FI902", "FI903", "FI910", "FI911",
];

fn text_of(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The pages by code.
fn pages() -> BTreeMap<String, String> {
    let files = repository().join("docs/codes").read_dir().expect("is a folder");
    let paths = files.map(|file| file.expect("is readable").path()).filter(|path| !path.ends_with("README.md"));
    let code = |path: &Path| path.file_stem().and_then(|stem| stem.to_str()).expect("a name").to_owned();
    paths.map(|path| (code(&path), text_of(&path))).collect()
}

fn index() -> String {
    text_of(&repository().join("docs/codes/README.md"))
}

/// What stands under a heading, up to the next.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let (_, section) = page.split_once(&format!("\n## {heading}\n")).unwrap_or_default();
    section.split("\n## ").next().unwrap_or_default()
}

/// Fenced blocks: the words after the fence, and the text.
fn blocks(section: &str) -> Vec<(Vec<&str>, &str)> {
    let fenced = section.split("```").skip(1).step_by(2);
    let block = |block| {
        let (words, text): (&str, &str) = str::split_once(block, '\n').expect("a fence stands on a line of its own");
        (words.split_whitespace().collect(), text)
    };
    fenced.map(block).collect()
}

/// Codes that the product can tell, out of its sources without their tests.
fn told() -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for source in Source::all("src") {
        let code = source.code();
        let literals = code.match_indices("\"FI").filter_map(|(at, _)| code.get(at + 1..at + 7));
        let literals = literals.filter_map(|literal| literal.strip_suffix('"'));
        codes.extend(literals.filter(|code| code[2..].bytes().all(|b| b.is_ascii_digit())).map(str::to_owned));
    }
    codes
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let written: BTreeSet<String> = pages().into_keys().collect();
    let told = told();
    assert!(told.len() > 80, "{told:?}");
    assert_eq!(told.difference(&written).collect::<Vec<_>>(), Vec::<&String>::new(), "codes without a page");
    assert_eq!(written.difference(&told).collect::<Vec<_>>(), Vec::<&String>::new(), "pages without a code");
}

#[test]
fn every_page_has_the_form_and_is_in_the_index() {
    let index = index();
    let mut listed: Vec<&str> = index.lines().filter(|line| line.starts_with("- [")).collect();
    for (code, page) in pages() {
        let title = page.lines().next().and_then(|line| line.strip_prefix(&format!("# {code}: "))).expect(&code);
        let line = format!("- [{code}]({code}.md): {title}");
        assert!(listed.contains(&line.as_str()), "docs/codes/README.md lacks the line\n{line}");
        listed.retain(|other| *other != line);
        let severity = page.lines().nth(2).and_then(|line| line.strip_prefix("Severity: ")).expect(&code);
        let gravest = severity.split(';').next().expect("a word");
        assert!(["error", "warning", "info", "refusal"].contains(&gravest), "{code}: {severity}");
        assert_eq!(gravest == "refusal", code.starts_with("FI9"), "{code}: refusals are of plans");
        let headings: Vec<&str> = page.lines().filter(|line| line.starts_with("## ")).collect();
        assert_eq!(headings, ["## Wrong", "## Right", "## Mend"], "{code}");
        for heading in ["Wrong", "Right"] {
            assert!(!blocks(section(&page, heading)).is_empty(), "{code}: {heading} has no example");
        }
        assert!(section(&page, "Mend").trim().len() > 40, "{code}: says what to do");
        let waived = section(&page, "Mend").contains("waived");
        assert!(waived || !severity.contains("warning"), "{code}: when a warning may be waived");
        let lines = page.lines().filter(|line| !line.is_empty()).count();
        assert!((10..=45).contains(&lines), "{code} has {lines} lines");
    }
    assert_eq!(listed, Vec::<&str>::new(), "listed without a page, or with another title");
}

/// Writes a section's example into a folder as `own.yaml` and what it runs; gives back the codes that it shows besides
/// the page's own. None where the section has none to check.
fn example(folder: &Path, section: &str, head: &str) -> Option<Vec<String>> {
    let mut stack = None;
    let mut scripts = vec![("own.sh", "#!/bin/bash\nset -euo pipefail\n"), ("own.py", "print('own')\n")];
    let (mut besides, mut runs) = (vec![], None);
    for (words, text) in blocks(section) {
        let whole = |said: &str| {
            let unsaid = head.lines().filter(|line| {
                let key = line.split(':').next().expect("a key");
                !said.lines().any(|line| line.starts_with(&format!("{key}:")))
            });
            unsaid.flat_map(|line| [line, "\n"]).chain([said]).collect::<String>()
        };
        match words[..] {
            ["yaml", "stack", ..] => assert_eq!(stack.replace(whole(text)), None, "one stack an example"),
            ["yaml", "file", ..] => assert_eq!(stack.replace(text.to_owned()), None, "one stack an example"),
            ["sh", "script", ..] => {
                scripts[0].1 = text;
                runs = Some(whole("bootstrap: [{name: own, script: own.sh}]\n"));
            }
            ["python", "script", ..] => {
                scripts[1].1 = text;
                runs = Some(whole("jobs: {own: {script: own.py}}\n"));
            }
            _ => continue,
        }
        besides.extend(words[2..].iter().map(|code| (*code).to_owned()));
    }
    let stack = stack.or(runs)?;
    fs::create_dir_all(folder).expect("a folder");
    fs::write(folder.join("own.yaml"), stack).expect("a stack");
    for (name, text) in scripts {
        fs::write(folder.join(name), text).expect("a script");
    }
    Some(besides)
}

#[test]
fn wrong_is_found_and_right_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let index = index();
    let head = blocks(&index).into_iter().find(|(words, _)| *words == ["yaml", "head"]).expect("a head").1;
    let (pages, mut expected, mut unchecked) = (pages(), BTreeMap::new(), vec![]);
    for (code, page) in &pages {
        let at = |heading: &str| folder.path().join(code).join(heading);
        match example(&at("Wrong"), section(page, "Wrong"), head) {
            Some(besides) => {
                expected.insert(at("Wrong"), (BTreeSet::from_iter([vec![code.clone()], besides].concat()), page));
                let right = example(&at("Right"), section(page, "Right"), head);
                assert_eq!(right, Some(vec![]), "{code}: what is right is checked as well");
                expected.insert(at("Right"), (BTreeSet::new(), page));
            }
            None => unchecked.push(code.as_str()),
        }
    }
    assert_eq!(unchecked, UNCHECKED, "pages whose examples are only read");

    let stacks: Vec<_> = expected.keys().map(|folder| folder.join("own.yaml")).collect();
    let report = clean(folder.path()).args(["validate", "--output", "json"]).args(&stacks).output();
    let report = ended(report.expect("the binary starts")).expect(2).json();
    let findings = report["findings"].as_array().expect("findings");
    let mut lies = vec![];
    for (folder, (codes, page)) in &expected {
        let of = |finding: &&Value| finding["file"].as_str().is_some_and(|file| Path::new(file).starts_with(folder));
        let found: Vec<&Value> = findings.iter().filter(of).collect();
        let shown: BTreeSet<String> =
            found.iter().filter_map(|finding| finding["code"].as_str()).map(str::to_owned).collect();
        if shown != *codes {
            lies.push(format!("{}: {codes:?} was said, found {found:#?}", folder.display()));
        }
        let severities = page.lines().nth(2).expect("a severity");
        for finding in found {
            let severity = finding["severity"].as_str().expect("a severity");
            // What is found besides has a page, and a severity, of its own.
            let own = finding["code"].as_str().is_some_and(|code| page.starts_with(&format!("# {code}")));
            if own && !severities.contains(severity) {
                lies.push(format!("{}: {severities}, found {finding:#}", folder.display()));
            }
        }
    }
    assert!(lies.is_empty(), "{}", lies.join("\n"));
}

fn explain(args: &[&str]) -> Ran {
    let folder = tempfile::tempdir().expect("a folder");
    ended(clean(folder.path()).arg("explain").args(args).output().expect("the binary starts"))
}

#[test]
fn a_page_is_read_on_a_terminal_and_by_a_program() {
    let page = explain(&["fi403"]).expect(0).out;
    insta::assert_snapshot!(page, @r###"
    FI403: 0 is no port

    Severity: error

    An opening names the port 0, on which no program listens (it is reserved, RFC 6335): the rule would
    open nothing, and whoever reads the file would believe that something can be reached.

    Wrong

        cluster:
          release: emr-7.12.0
          primary: {type: m5.xlarge}
          access: [{from: 203.0.113.7/32, port: 0}]

    Right

        cluster:
          release: emr-7.12.0
          primary: {type: m5.xlarge}
          access: [{from: 203.0.113.7/32, port: 18080}]

    Mend

    Write the port that is needed, one opening each: 22 for SSH, 9443 for JupyterHub, 18080 for the
    history of Spark, 8088 for YARN. All ports at once cannot be opened here.
    "###);
    assert!(explain(&["403", "--color", "always"]).expect(0).out.starts_with("\u{1b}[1mFI403: "));
    let json = explain(&["FI403", "--output", "json"]).expect(0).json();
    assert_eq!(json["page"].as_str(), pages().get("FI403").map(String::as_str));
    let (code, title, severity) = (&json["code"], &json["title"], &json["severity"]);
    assert_eq!(
        (code.as_str(), title.as_str(), severity.as_str()),
        (Some("FI403"), Some("0 is no port"), Some("error"))
    );
    let refusal = explain(&["FI910", "--output", "json"]).expect(0).json();
    assert_eq!(refusal.get("severity"), None, "a refusal is no finding");
}

#[test]
fn a_code_that_does_not_exist_leads_to_one_that_does() {
    insta::assert_snapshot!(explain(&["FI230"]).expect(2).err, @r###"
    error: there is no code `FI230`
    help: did you mean FI203 (This is no ARN that AWS would understand here)? `fruitsinfra explain` lists all codes
    "###);
    insta::assert_snapshot!(explain(&["demo"]).expect(2).err, @r###"
    error: there is no code `demo`
    help: `fruitsinfra explain` lists all codes
    "###);
}

#[test]
fn all_codes_are_listed_by_subject() {
    let list = explain(&[]).expect(0).out;
    let some: Vec<&str> = list.lines().filter(|line| line.contains("xx: ") || line.contains("FI20")).collect();
    insta::assert_snapshot!(some.join("\n"), @r###"
    FI1xx: form
    FI2xx: residency
      FI201  The region is not in the European Union
      FI202  The key lies in another region than the stack
      FI203  This is no ARN that AWS would understand here
      FI204  This belongs to another part of AWS than the stack
      FI205  This belongs to another account than the stack
      FI206  A multi-Region key may be in use outside the EU
      FI207  A setting of the software leads outside the EU
      FI208  An argument names a region outside the EU
      FI209  A script names a region outside the EU
    FI3xx: EMR
    FI4xx: access
    FI5xx: storage
    FI6xx: scripts and packages
    FI7xx: secrets and files
    FI9xx: plan and policy
    fruitsinfra explain FI203 tells what is behind one.
    "###);
    let groups = explain(&["--output", "json"]).expect(0).json();
    let listed: Vec<&str> = groups["groups"].as_array().expect("groups").iter().flat_map(of_group).collect();
    assert_eq!(listed, pages().keys().map(String::as_str).collect::<Vec<_>>());
}

fn of_group(group: &Value) -> Vec<&str> {
    group["codes"].as_array().expect("codes").iter().filter_map(|code| code["code"].as_str()).collect()
}
