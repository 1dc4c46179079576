//! `explain STACK JOB` and `present` from the outside: what a jury and the person before it are told, in both languages,
//! and what is said where there is nothing to tell.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Ran, clean, ended};

const STACK: &str = "\
stack: fruits
region: eu-west-3
owner: data@fruits.example
buckets: {data: {}, logs: {expire: 14d}}
uploads:
  - {from: images, to: data/images/}
bootstrap:
  - name: python
    template: bootstrap/python_packages.sh.j2
    packages: {tensorflow-cpu: 2.19.1, pyarrow: 21.0.0, pandas: 2.3.3, pillow: 11.3.0}
cluster:
  release: emr-7.12.0
  applications: [Spark]
  primary: {type: m5.xlarge}
  core: {type: m5.xlarge, count: 2}
  configurations:
    - classification: spark-env
      configurations:
        - {classification: export, properties: {PYSPARK_PYTHON: /usr/bin/python3.11}}
jobs:
  features: {template: jobs/fruit_features.py.j2, input: data/images/, output: data/}
";

/// A folder with that stack, three images, and a cache that holds nothing.
struct Folder(TempDir);

impl Folder {
    fn with(more: &str) -> Self {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        folder.write("stack.yaml", &format!("{STACK}{more}"));
        for name in ["Apple/1.jpg", "Apple/2.JPG", "Pear/3.png", "Pear/notes.txt"] {
            folder.write(&format!("images/{name}"), "bytes");
        }
        folder
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("is written");
    }

    fn run(&self, args: &[&str]) -> Ran {
        let mut command = clean(self.path());
        command.env("FRUITSINFRA_CACHE", self.path().join("cache")).env("COLUMNS", "100");
        ended(command.args(args).output().expect("the binary starts"))
    }
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("talk/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn a_job_is_walked_through_in_both_languages() {
    let folder = Folder::with("");
    for lang in ["en", "fr"] {
        let told = folder.run(&["explain", "stack.yaml", "features", "--lang", lang]).expect(0);
        assert_eq!(told.err, "", "nothing lacks");
        snapshot(&format!("explain-{lang}"), &told.out);
    }
}

#[test]
fn a_walk_is_data_and_a_page_with_its_code_too() {
    let folder = Folder::with("");
    let data = folder.run(&["--output", "json", "explain", "stack.yaml", "features", "--lang", "fr"]).expect(0).json();
    let rendered = folder.run(&["render", "stack.yaml", "job"]).expect(0).out;
    let lines: Vec<&str> = rendered.lines().collect();
    assert_eq!(data["script_lines"], lines.len());
    assert_eq!(data["facts"]["broadcast"]["sent"]["most"], 2 * 9_406_464);
    for step in data["steps"].as_array().expect("steps") {
        let line = |n: usize| usize::try_from(step["lines"][n].as_u64().expect("a line")).expect("fits");
        assert_eq!(
            step["code"].as_str().expect("code"),
            lines[line(0) - 1..line(1)].join("\n"),
            "lines are the script's"
        );
        assert_eq!(step["lang"], "fr");
    }
    let page = folder.run(&["--output", "markdown", "explain", "stack.yaml", "features", "--code"]).expect(0).out;
    assert!(page.contains("\n## 2. ") && page.contains("\n```python\n# ----"), "{page}");
    let shown = folder.run(&["explain", "stack.yaml", "features", "--code"]).expect(0).out;
    let numbered = lines.iter().zip(1..).find(|(line, _)| line.starts_with("def enough")).expect("is there");
    assert!(shown.contains(&format!("     {}  {}", numbered.1, numbered.0)), "{shown}");
}

#[test]
fn one_word_is_a_code_or_a_stack() {
    let folder = Folder::with("  own: {script: own.py}\n");
    folder.write("own.py", "print('own')\n");
    insta::assert_snapshot!(folder.run(&["explain", "stack.yaml"]).expect(0).out, @r"
    Jobs of fruits

    - `fruitsinfra explain stack.yaml features`: rendered from jobs/fruit_features.py.j2
    - own: a script of your own, own.py
    ");
    let data = folder.run(&["--output", "json", "explain", "stack.yaml"]).expect(0).json();
    assert_eq!(data["jobs"][1], serde_json::json!({"job": "own", "template": null}));
    insta::assert_snapshot!(folder.run(&["explain", "stack.yaml", "own"]).expect(2).err, @r"
    error: job `own` is a script of your own, own.py: it has no template whose comments would explain it
    help: a job that names a `template:` can be explained; one of your own stands in templates/ beside the stack
    ");
    insta::assert_snapshot!(folder.run(&["explain", "stack.yaml", "featurs"]).expect(2).err, @r"
    error: stack `fruits` has no job `featurs`
    help: did you mean `features`?
    ");
    assert!(folder.run(&["--output", "markdown", "explain", "FI203"]).expect(0).out.starts_with("# FI203: "));
}

#[test]
fn a_template_of_ones_own_is_told_how_to_explain_itself() {
    let folder = Folder::with("");
    let template = "templates/jobs/fruit_features.py.j2";
    folder.write(template, "# 1. All of {{ job.name }}\nprint(1)\n");
    insta::assert_snapshot!(folder.run(&["explain", "stack.yaml", "features", "--lang", "fr"]).expect(2).err, @r"
    error: templates/jobs/fruit_features.py.j2 has 1 numbered section, and explains none
    help: below `# 1. All of features`, write a comment of the template, which leaves nothing in the script:
    {#- explain fr
    Why it is done so. {{ job.name }} is a value of the job.
    #}
    ");
    folder
        .write(template, "# 1. All of {{ job.name }}\n{#- explain en\nOne {{ job.batch }}.\n#}\nprint(1)\n# 2. More\n");
    let told = folder.run(&["explain", "stack.yaml", "features", "--lang", "fr"]).expect(0);
    assert!(told.out.contains("(En anglais seulement.)\n\nOne 64."), "{}", told.out);
    insta::assert_snapshot!(told.err, @r"
    templates/jobs/fruit_features.py.j2: step 1 has no `explain fr` comment below its heading
    templates/jobs/fruit_features.py.j2: step 2 has no `explain fr` comment below its heading
    ");
    folder.write(template, "# 1. All\n{#- explain de\nEins.\n#}\nprint(1)\n");
    insta::assert_snapshot!(folder.run(&["explain", "stack.yaml", "features"]).expect(2).err, @r"
    error: templates/jobs/fruit_features.py.j2:2: a walk-through is written in en or in fr, and not in `de`
    help: mend the comment in the template: the script itself is not touched by it
    ");
}

#[test]
fn a_demonstration_has_its_runbook_in_both_languages() {
    let folder = Folder::with("");
    snapshot("present-en", &folder.run(&["present", "stack.yaml"]).expect(0).out);
    let french = ["--output", "markdown", "present", "stack.yaml", "--lang", "fr", "--at", "14:00"];
    snapshot("present-fr", &folder.run(&french).expect(0).out);
}

#[test]
fn a_runbook_is_data_too_and_the_embedded_aws_has_its_own() {
    let folder = Folder::with("");
    let data = folder.run(&["--output", "json", "present", "stack.yaml"]).expect(0).json();
    assert_eq!((&data["images"], &data["looked_at_aws"]), (&Value::from(3), &Value::from(false)));
    let parts: Vec<i64> =
        data["moments"].as_array().expect("moments").iter().filter_map(|moment| moment["lasts"].as_i64()).collect();
    assert_eq!(parts.iter().sum::<i64>(), 20, "{parts:?}");
    let local = folder.run(&["--local", "present", "stack.yaml"]).expect(0).out;
    assert!(local.contains("fruitsinfra --local up stack.yaml --for 85m") && !local.contains("USD"), "{local}");
}

#[test]
fn what_cannot_be_presented_is_told() {
    let folder = Folder::with("");
    folder.write("bare.yaml", "stack: bare\nregion: eu-west-3\nowner: data@fruits.example\nbuckets: {data: {}}\n");
    insta::assert_snapshot!(folder.run(&["present", "bare.yaml"]).expect(2).err, @r"
    error: stack `bare` has no cluster: there is nothing to run before a jury
    help: declare one under `cluster:`
    ");
    insta::assert_snapshot!(folder.run(&["present", "stack.yaml", "--at", "noon"]).expect(2).err, @r"
    error: `noon` is no time of day
    help: write it as in 14:00, in local time
    ");
    insta::assert_snapshot!(folder.run(&["present", "stack.yaml", "--job", "other"]).expect(2).err, @r"
    error: stack `fruits` has no job `other`
    help: there are: features
    ");
}
