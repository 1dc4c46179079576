//! Input that a person did not mean and a stranger might: through the real binary, each told in a few lines, soon,
//! and with the exit code of a bad stack. Nothing here needs an AWS.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Ran, clean, ended};

/// Far above what any of these takes, and far below what a quadratic reader would take.
const SOON: Duration = Duration::from_secs(20);

/// More than this nobody reads.
const MOST_SAID: usize = 40_000;

const HEAD: &str = "stack: fruits\nregion: eu-west-3\nowner: data@fruits.example\n";

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn run(folder: &Path, args: &[&str]) -> Ran {
    let begun = Instant::now();
    let mut command = assert_cmd::Command::from_std(clean(folder));
    let ran = ended(command.args(args).timeout(SOON).output().expect("the binary starts"));
    assert!(begun.elapsed() < SOON, "{args:?} took {:?}", begun.elapsed());
    let said = ran.out.len() + ran.err.len();
    assert!(said < MOST_SAID, "{args:?} says {said} bytes");
    assert!(!format!("{}{}", ran.out, ran.err).contains("panicked"), "{ran:?}");
    ran
}

/// The first finding of `validate`: code, line, column, message.
fn found(folder: &Path, stack: &str) -> (String, u64, u64, String) {
    let json = run(folder, &["validate", stack, "--output", "json"]).expect(2).json();
    let finding = &json["findings"][0];
    let text = |field: &str| finding[field].as_str().unwrap_or_default().to_owned();
    let number = |field: &str| finding[field].as_u64().unwrap_or_default();
    assert!(!text("hint").is_empty(), "{json}");
    (text("code"), number("line"), number("column"), text("message"))
}

#[test]
fn text_that_is_no_stack_is_told_at_once() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        bomb = format!("{bomb}a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", "));
    }
    let long = "x".repeat(1_000_000);
    let many: Vec<String> = (0..4_000).map(|n| format!("\"t*{n}\": \"é*\"")).collect();
    let wide = format!(
        "{{stack: fruits, region: eu-west-3, owner: a, tags: {{{}}}, x: {}}}",
        many.join(", "),
        &long[..800_000]
    );
    let broad = format!("{HEAD}tags: {{{}}}\n# {}\n", many.join(", "), &long[..800_000]);
    let cases: [(&str, Vec<u8>, &str, &str); 16] = [
        ("ten megabytes", format!("{HEAD}# {}\n", long.repeat(10)).into(), "FI101", "longer than 1 MiB"),
        ("a billion laughs", bomb.into(), "FI105", "unfold to more"),
        ("deep flow", format!("stack: {}", "[".repeat(500_000)).into(), "FI105", "nested too deep"),
        ("deep maps", format!("stack: {}", "{a: ".repeat(200_000)).into(), "FI105", "nested too deep"),
        (
            "deep blocks",
            (0..1_200).flat_map(|d| [" ".repeat(d), "a:\n".to_owned()]).collect::<String>().into(),
            "FI105",
            "nested too deep",
        ),
        ("a long value", format!("stack: {long}\nregion: eu-west-3\nowner: a\n").into(), "FI120", "cannot begin"),
        ("a long key", format!("{HEAD}{}: x\n", &long[..500_000]).into(), "", ""),
        ("a long region", format!("stack: a\nregion: {long}\nowner: a\n").into(), "FI201", "refused"),
        ("a long line with many mistakes", wide.into(), "FI110", "unknown field `x`"),
        ("many mistakes on a line", broad.into(), "FI124", "tags are too many"),
        ("a NUL", format!("{HEAD}tags: {{a: b\0c}}\n").into(), "FI100", "not YAML"),
        ("a NUL, escaped", format!("{HEAD}tags: {{a: \"b\\0c\"}}\n").into(), "FI124", "character"),
        ("a byte order mark", format!("\u{feff}{HEAD}").into(), "FI101", "byte order mark"),
        ("Latin-1", b"stack: caf\xe9\n".to_vec(), "FI101", "not UTF-8"),
        ("a picture", b"\xff\xd8\xff\xe0\0\x10JFIF".to_vec(), "FI101", "not UTF-8"),
        ("nothing", vec![], "FI101", "empty"),
    ];
    let folder = folder();
    for (what, bytes, code, words) in cases {
        fs::write(folder.path().join("own.yaml"), bytes).expect("written");
        let (found_code, line, column, message) = found(folder.path(), "own.yaml");
        assert!(line >= 1 && column >= 1, "{what}");
        assert!(message.contains(words) && message.len() < 2_000, "{what}: {found_code} {message}");
        assert!(code.is_empty() || code == found_code, "{what}: {found_code} {message}");
        // As text, and from a command that would do something.
        run(folder.path(), &["validate", "own.yaml"]).expect(2);
        run(folder.path(), &["plan", "--offline", "own.yaml"]).expect(2);
    }
    // What Windows writes is a stack.
    fs::write(folder.path().join("own.yaml"), HEAD.replace('\n', "\r\n")).expect("written");
    run(folder.path(), &["validate", "own.yaml"]).expect(0);
}

#[test]
fn what_is_no_file_is_told_at_once() {
    let folder = folder();
    let made = Command::new("mkfifo").arg(folder.path().join("pipe.yaml")).status().expect("mkfifo starts");
    assert!(made.success());
    std::os::unix::fs::symlink("circle.yaml", folder.path().join("circle.yaml")).expect("linked");
    fs::create_dir(folder.path().join("folder.yaml")).expect("made");
    for (stack, words) in [
        ("folder.yaml", "this is a folder"),
        ("/dev/zero", "a device or a pipe"),
        ("/dev/full", "a device or a pipe"),
        ("pipe.yaml", "a device or a pipe"),
        ("circle.yaml", "cannot be read"),
        ("absent.yaml", "no such file"),
        ("a/b/c.yaml", "no such file"),
        ("", "no such file"),
        (&"x".repeat(5_000), "cannot be read"),
    ] {
        let (code, _, _, message) = found(folder.path(), stack);
        assert_eq!(code, "FI101", "{stack}: {message}");
        assert!(message.contains(words), "{stack}: {message}");
        run(folder.path(), &["plan", "--offline", stack]).expect(2);
    }
    // The same as what a stack names.
    for (name, words) in [("/dev/zero", "no file"), ("pipe.yaml", "no file"), ("folder.yaml", "no file")] {
        let cluster = "buckets: {logs: {}}\ncluster: {release: emr-7.12.0, primary: {type: m5.xlarge}}\n";
        let text = format!("{HEAD}{cluster}bootstrap: [{{name: a, script: {name}}}]\n");
        fs::write(folder.path().join("own.yaml"), text).expect("written");
        let (code, _, _, message) = found(folder.path(), "own.yaml");
        assert!(code == "FI610" && message.contains(words), "{name}: {code} {message}");
    }
}

#[test]
fn a_stack_that_is_nearly_named_is_told() {
    let folder = folder();
    fs::create_dir(folder.path().join("stacks")).expect("made");
    for name in ["my-fruits.yaml", "stacks/demo.yaml", "stacks/other.txt"] {
        fs::write(folder.path().join(name), HEAD).expect("written");
    }
    for (said, meant) in [
        ("my-frits.yaml", "my-fruits.yaml"),
        ("my-fruits.yml", "my-fruits.yaml"),
        ("my-fruits", "my-fruits.yaml"), // a bare name, which is looked for in `stacks/`
        ("dmeo", "stacks/demo.yaml"),
        ("stacks/Demo.yaml", "stacks/demo.yaml"),
    ] {
        let ran = run(folder.path(), &["plan", "--offline", said]).expect(2);
        assert!(ran.err.contains(&format!("did you mean `{meant}`?")), "{said}: {}", ran.err);
    }
    let ran = run(folder.path(), &["plan", "--offline", "stacks/other.yaml"]).expect(2);
    assert!(ran.err.contains("give the path of a stack"), "{}", ran.err);
}

/// A stack with a job and a bootstrap of one's own, and a template beside it.
fn stack_with_scripts(folder: &Path) {
    let text = format!(
        "{HEAD}buckets: {{data: {{}}, logs: {{}}}}\ncluster: {{release: emr-7.12.0, primary: {{type: m5.xlarge}}}}\n\
         bootstrap:\n- {{name: own, script: own.sh}}\n\
         - {{name: made, template: bootstrap/own.sh.j2, packages: {{six: 1.17.0}}}}\n\
         jobs:\n  own: {{script: own.py, args: [--date, today]}}\n"
    );
    for (name, text) in [
        ("own.yaml", text.as_str()),
        ("own.sh", "#!/bin/bash\nset -e\necho fine\n"),
        ("own.py", "import os\nprint(os.environ.get('PASSWORD'))\n"),
        ("templates/bootstrap/own.sh.j2", "#!/bin/bash\n# {{ bootstrap.name }}\n"),
    ] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().expect("below")).expect("made");
        fs::write(path, text).expect("written");
    }
}

fn append(path: &Path, line: &str) {
    let text = fs::read_to_string(path).expect("is there");
    fs::write(path, text + line).expect("written");
}

#[test]
fn a_secret_is_refused_wherever_it_stands_and_shown_nowhere() {
    let folder = folder();
    stack_with_scripts(folder.path());
    run(folder.path(), &["validate", "own.yaml"]).expect(0);
    let key = format!("AK{}Q7RK2VTX9MZ4BHC8", "IA");
    for (file, line, at, secret) in [
        ("own.yaml", format!("# {key}\n"), (11, 3), key.as_str()),
        ("own.sh", "export DB_PASSWORD=Tr0ubador\n".to_owned(), (4, 20), "Tr0ubador"),
        ("own.py", "    password = 'Tr0ubador'\n".to_owned(), (3, 17), "Tr0ubador"),
        ("templates/bootstrap/own.sh.j2", "curl https://me:Tr0ubador@host/\n".to_owned(), (3, 17), "Tr0ubador"),
    ] {
        let path = folder.path().join(file);
        let clean = fs::read_to_string(&path).expect("is there");
        append(&path, &line);
        let ran = run(folder.path(), &["validate", "own.yaml"]).expect(2);
        let (line, column) = at;
        assert!(ran.out.contains(&format!("{file}:{line}:{column}")), "{}", ran.out);
        assert!(ran.out.contains(&"*".repeat(secret.len())), "{}", ran.out);
        let json = run(folder.path(), &["validate", "own.yaml", "--output", "json"]).expect(2);
        let findings: Value = json.json()["findings"].clone();
        assert_eq!(findings.as_array().map(Vec::len), Some(1), "{findings}");
        assert_eq!((findings[0]["code"].as_str(), findings[0]["file"].as_str()), (Some("FI701"), Some(file)));
        let planned = run(folder.path(), &["plan", "--offline", "own.yaml"]).expect(2);
        let rendered = run(folder.path(), &["render", "own.yaml"]).expect(2);
        for ran in [&ran, &json, &planned, &rendered] {
            assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{ran:?}");
        }
        assert!(planned.err.contains(&format!("{file}:{line}:{column}")), "{}", planned.err);
        fs::write(path, clean).expect("written");
    }
    run(folder.path(), &["plan", "--offline", "own.yaml"]).expect(0);
}

#[test]
fn a_template_that_leads_out_is_told_where_the_stack_names_it() {
    let folder = folder();
    stack_with_scripts(folder.path());
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, "elsewhere").expect("written");
    let stack = folder.path().join("stack");
    fs::create_dir(&stack).expect("made");
    stack_with_scripts(&stack);
    let own = fs::read_to_string(stack.join("own.yaml")).expect("is there");
    std::os::unix::fs::symlink(&elsewhere, stack.join("templates/linked.j2")).expect("linked");
    for (name, words) in [
        ("../../elsewhere", "leads out"),
        (&*elsewhere.display().to_string(), "leads out"),
        ("linked.j2", "leads out"),
        ("bootstrap/none.j2", "there is no template"),
    ] {
        fs::write(stack.join("own.yaml"), own.replace("bootstrap/own.sh.j2", name)).expect("written");
        let (code, line, column, message) = found(&stack, "own.yaml");
        assert_eq!((code.as_str(), line, column), ("FI703", 8, 26), "{message}");
        assert!(message.contains(words), "{message}");
        run(&stack, &["plan", "--offline", "own.yaml"]).expect(2);
    }
}
