//! The layers as they are drawn in `src/lib.rs`, read out of the sources: imports run downwards only, kinds do
//! not know one another, what is pure stays pure. It reads text and never knows more than `use` lines and paths.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::support::sources::Source;

/// The rooms, lowest first. A room imports from lower layers alone, and never from beside it.
const LAYERS: [&[&str]; 16] = [
    &["residency", "text"],
    &["cloud"],
    &["resource"],
    &["resources"],
    &["stack"],
    &["import", "python", "script"],
    &["weights", "wheels"],
    &["blueprint", "plan", "price"],
    &["event", "lease", "ledger", "permissions", "policy"],
    &["check", "engine"],
    &["doctor", "guard", "job", "local", "review", "sync"],
    &["elsewhere", "talk"],
    &["evidence"],
    &["ui"],
    &["cli"],
    &["main"],
];

/// These cannot reach AWS: they never await, and never receive what could be awaited.
const PURE: [&str; 14] = [
    "blueprint",
    "check",
    "elsewhere",
    "event",
    "import",
    "permissions",
    "plan",
    "policy",
    "price",
    "residency",
    "review",
    "script",
    "stack",
    "talk",
];

/// These name single kinds: the one that makes them of a stack, and those that fill or find our objects.
const KNOW_KINDS: [&str; 5] = ["blueprint", "cli", "review", "weights", "wheels"];

const LONGEST: usize = 400;

impl Source {
    /// Every path that begins at the crate's root, however it is written.
    fn imports(&self) -> BTreeSet<Vec<String>> {
        let (code, module) = (self.code(), self.module());
        let mut found = Vec::new();
        for (at, _) in code.match_indices("crate::") {
            if begins_word(&code, at) {
                read_paths(&code[at + "crate::".len()..], &[], &mut found);
            }
        }
        for (at, _) in
            code.match_indices("super::").filter(|(at, _)| begins_word(&code, *at) && !code[..*at].ends_with("::"))
        {
            let (mut rest, mut up) = (&code[at..], 0);
            while let Some(further) = rest.strip_prefix("super::") {
                (rest, up) = (further, up + 1);
            }
            let base: Vec<String> = module[..module.len() - up].iter().map(ToString::to_string).collect();
            read_paths(rest, &base, &mut found);
        }
        found.into_iter().collect()
    }
}

fn begins_word(text: &str, at: usize) -> bool {
    !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

fn says(code: &str, word: &str) -> bool {
    let symbol = !word.starts_with(char::is_alphanumeric);
    code.match_indices(word).any(|(at, _)| symbol || begins_word(code, at))
}

/// Reads `a::{b, c::D as E}` into its paths, and returns what comes after it.
fn read_paths<'a>(text: &'a str, base: &[String], found: &mut Vec<Vec<String>>) -> &'a str {
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = rest.trim_start_matches([' ', '\n', ',']);
            match rest.strip_prefix('}') {
                Some(after) => return after,
                None if rest.is_empty() => return rest,
                None => rest = read_paths(rest, base, found).trim_start(),
            }
            if let Some(renamed) = rest.strip_prefix("as ") {
                rest = renamed.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_');
            }
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let path: Vec<String> = base.iter().cloned().chain((end > 0).then(|| text[..end].to_owned())).collect();
    match text[end..].strip_prefix("::") {
        Some(further) if end > 0 => read_paths(further, &path, found),
        _ => {
            found.push(path);
            text[end..].strip_prefix('*').unwrap_or(&text[end..])
        }
    }
}

fn layer(room: &str) -> usize {
    let place = LAYERS.iter().position(|layer| layer.contains(&room));
    place.unwrap_or_else(|| panic!("where does the room `{room}` stand? say it in LAYERS and in src/lib.rs"))
}

/// The kinds, as the registry names them.
fn kinds(sources: &[Source]) -> BTreeSet<String> {
    let registry = sources.iter().find(|source| source.path == Path::new("resources/mod.rs")).expect("is there");
    let code = registry.code();
    let words = code.split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':');
    let kinds: BTreeSet<String> = words.filter_map(|word| word.strip_suffix("::KIND")).map(str::to_owned).collect();
    assert!(kinds.len() >= 6, "{kinds:?}");
    kinds
}

fn none(violations: &[String]) {
    assert!(violations.is_empty(), "\n{}\n", violations.join("\n"));
}

#[test]
fn paths_are_read_however_they_are_written() {
    let text = "use crate::{a::{self, b as c}, d};\nuse crate::e::*;\nfn f(g: crate::h::I<super::j::K>) {}\n\
                /// crate::not\nlet x = mycrate::no;\n#[cfg(test)]\nuse crate::tests;\n";
    let source = Source { path: "room/file.rs".into(), text: text.into() };
    let read: Vec<String> = source.imports().iter().map(|path| path.join("::")).collect();
    assert_eq!(read, ["a::b", "a::self", "d", "e", "h::I", "room::j::K"]);
    assert_eq!(source.module(), ["room", "file"]);
    assert_eq!(Source { path: "room/mod.rs".into(), text: String::new() }.module(), ["room"]);
}

#[test]
fn imports_run_downwards_only() {
    let mut upward = Vec::new();
    for source in Source::all("src") {
        let room = source.room();
        if room == "lib" {
            continue;
        }
        for import in source.imports() {
            if import.first().is_some_and(|to| to != room && layer(to) >= layer(room)) {
                upward.push(format!("{}: {room} imports crate::{}", source.path.display(), import.join("::")));
            }
        }
    }
    none(&upward);
}

#[test]
fn the_map_shows_every_room_once_and_in_order() {
    let sources = Source::all("src");
    let map = &sources.iter().find(|source| source.module().is_empty()).expect("lib.rs").text;
    let rooms: BTreeSet<&str> =
        sources.iter().map(Source::room).filter(|room| !["lib", "main"].contains(room)).collect();
    // A row names its rooms in its first cell: | [`job`], [`sync`] | ...
    let rows = map.lines().filter(|line| line.starts_with("//! | [`")).map(|line| {
        let first = line.split('|').nth(1).unwrap_or_default();
        first.split('`').skip(1).step_by(2).collect::<Vec<_>>()
    });
    let rows: Vec<Vec<&str>> = rows.collect();
    let mut shown = rows.concat();
    shown.sort_unstable();
    assert_eq!(shown, rooms.into_iter().collect::<Vec<_>>(), "the map, and the rooms there are");
    let heights = |row: &Vec<&str>| row.iter().map(|room| layer(room)).collect::<BTreeSet<_>>();
    for pair in rows.windows(2) {
        assert!(heights(&pair[0]).last() <= heights(&pair[1]).first(), "{:?} is drawn below {:?}", pair[0], pair[1]);
    }
}

#[test]
fn kinds_never_know_one_another_and_few_rooms_know_kinds() {
    let sources = Source::all("src");
    let kinds = kinds(&sources);
    let mut violations = Vec::new();
    for source in &sources {
        let own = source.module().get(1).copied().filter(|_| source.room() == "resources");
        for import in source.imports() {
            let [room, kind, ..] = import.as_slice() else { continue };
            let foreign = room == "resources" && kinds.contains(kind) && own != Some(kind);
            if foreign && !KNOW_KINDS.contains(&source.room()) {
                violations.push(format!("{} knows the kind {kind}", source.path.display()));
            }
        }
    }
    none(&violations);
}

#[test]
fn a_kind_is_one_file_and_two_lines() {
    let sources = Source::all("src");
    let registry = sources.iter().find(|source| source.path == Path::new("resources/mod.rs")).expect("is there");
    for kind in kinds(&sources) {
        let named = |line: &&str| line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == kind);
        let code = registry.code();
        let lines: Vec<&str> = code.lines().filter(named).filter(|line| !line.contains('"')).collect();
        assert_eq!(lines.len(), 2, "{kind} is named by {lines:?}");
        assert!(lines.contains(&format!("pub mod {kind};").as_str()), "{lines:?}");
    }
}

#[test]
fn words_are_used_where_they_belong() {
    let printing = ["println!", "print!", "eprintln!", "eprint!", "dbg!", "anstream::std", "io::stdout", "io::stderr"];
    let rules: [(&[&str], &[&str]); 4] = [
        (&["aws_sdk_", "aws_config", "aws_smithy"], &["cloud", "resources"]),
        (&printing, &["cli", "ui"]),
        (&["process::exit", "anyhow"], &["cli", "main"]),
        (&["#[allow", "#![allow", ".unwrap()"], &[]),
    ];
    let mut violations = Vec::new();
    for source in Source::all("src") {
        let code = source.code();
        for (words, rooms) in rules {
            let said = words.iter().filter(|word| says(&code, word));
            let foreign = said.filter(|_| !rooms.contains(&source.room()));
            violations.extend(foreign.map(|word| format!("{} says {word}", source.path.display())));
        }
    }
    none(&violations);
}

#[test]
fn what_is_pure_never_awaits_and_never_receives_the_world() {
    let world = [["resource", "Cx"], ["cloud", "Cloud"]];
    let mut violations = Vec::new();
    for source in Source::all("src").iter().filter(|source| PURE.contains(&source.room())) {
        let code = source.code();
        let awaits = ["async", ".await", "block_on"].into_iter().filter(|word| says(&code, word));
        violations.extend(awaits.map(|word| format!("{} says {word}", source.path.display())));
        let reached =
            source.imports().into_iter().filter(|import| import.len() > 1 && world.contains(&[&import[0], &import[1]]));
        violations.extend(reached.map(|import| format!("{} receives {}", source.path.display(), import.join("::"))));
    }
    none(&violations);
}

#[test]
fn every_file_says_what_it_is_and_is_short() {
    let mut violations = Vec::new();
    for folder in ["src", "tests"] {
        for source in Source::all(folder) {
            let path = Path::new(folder).join(&source.path);
            if !source.text.starts_with("//! ") {
                violations.push(format!("{} does not open with what it is", path.display()));
            }
            let long = source.text.lines().count();
            if long > LONGEST {
                violations.push(format!("{} has {long} lines: its tests may have a file of their own", path.display()));
            }
        }
    }
    none(&violations);
}

#[test]
fn tests_are_at_the_foot_of_their_file() {
    for source in Source::all("src") {
        let mut foot = source.text.lines().skip_while(|line| *line != "#[cfg(test)]").skip(1);
        let opening = foot.next().unwrap_or("mod tests {");
        if opening.ends_with("mod tests;") {
            assert_eq!(foot.next(), None, "{} goes on below its tests", source.path.display());
            continue;
        }
        assert!(opening.ends_with("mod tests {"), "{}: {opening}", source.path.display());
        let after = foot.skip_while(|line| *line != "}").nth(1);
        assert_eq!(after, None, "{} goes on below its tests", source.path.display());
    }
}

#[test]
fn no_test_file_is_forgotten() {
    let sources = Source::all("tests");
    let modules: BTreeMap<Vec<&str>, &Source> = sources.iter().map(|source| (source.module(), source)).collect();
    let (mut reached, mut next) = (BTreeSet::new(), vec![vec!["main"]]);
    while let Some(module) = next.pop() {
        let source = modules.get(&module).unwrap_or_else(|| panic!("tests: mod {} has no file", module.join("::")));
        let within: &[&str] = if module == ["main"] { &[] } else { &module };
        for line in source.text.lines() {
            let name = line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub ").strip_prefix("mod ");
            if let Some(name) = name.and_then(|name| name.strip_suffix(';')) {
                next.push([within, &[name]].concat());
            }
        }
        reached.insert(module);
    }
    let forgotten: Vec<&Vec<&str>> = modules.keys().filter(|module| !reached.contains(*module)).collect();
    assert!(forgotten.is_empty(), "not compiled: {forgotten:?}");
}
