//! Revisions through the real binary, in repositories made for the purpose: ranges, the index, the work tree, paths, and
//! every way in which a revision is not to be had.

use std::fs;
use std::path::Path;

use git2::{IndexAddOption, Oid, Repository, RepositoryInitOptions, Signature};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Ran, clean, ended};

const DEMO: &str = "\
stack: fruits-demo
region: eu-west-3
owner: data@fruits.example
buckets: {data: {}, logs: {expire: 14d}}
bootstrap: [{name: own, script: own.sh}]
cluster:
  release: emr-7.12.0
  primary: {type: m5.xlarge}
  core: {type: m5.xlarge, count: 2}
";

const OTHER: &str = "stack: other\nregion: eu-west-1\nowner: data@fruits.example\nbuckets: {data: {}}\n";

/// A repository with a branch `main`, and what is told of it.
struct Repo {
    folder: TempDir,
    git: Repository,
}

impl Repo {
    fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut options = RepositoryInitOptions::new();
        let git = Repository::init_opts(folder.path(), options.initial_head("main")).expect("a repository");
        Self { folder, git }
    }

    /// Two commits: `demo.yaml`, then with more nodes and a second stack.
    fn new() -> Self {
        let clone = Self::empty();
        clone.write("stacks/demo.yaml", DEMO);
        clone.write("stacks/own.sh", "#!/bin/bash\nset -e\necho one\n");
        clone.commit("one");
        clone.write("stacks/demo.yaml", &DEMO.replace("count: 2", "count: 4"));
        clone.write("stacks/other.yaml", OTHER);
        clone.commit("two");
        clone
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        fs::create_dir_all(path.parent().expect("below")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn stage(&self) -> Oid {
        let mut index = self.git.index().expect("an index");
        index.add_all(["*"], IndexAddOption::DEFAULT, None).expect("added");
        index.update_all(["*"], None).expect("updated");
        index.write().expect("written");
        index.write_tree().expect("a tree")
    }

    fn commit(&self, words: &str) -> Oid {
        let tree = self.git.find_tree(self.stage()).expect("a tree");
        let who = Signature::now("Ada", "ada@fruits.example").expect("a name");
        let parent = self.git.head().ok().and_then(|head| head.peel_to_commit().ok());
        let parents: Vec<_> = parent.iter().collect();
        self.git.commit(Some("HEAD"), &who, &who, words, &tree, &parents).expect("a commit")
    }

    fn branch(&self, name: &str) {
        let head = self.git.head().and_then(|head| head.peel_to_commit()).expect("a head");
        self.git.branch(name, &head, false).expect("a branch");
        self.git.set_head(&format!("refs/heads/{name}")).expect("switched");
    }

    fn diff(&self, args: &[&str]) -> Ran {
        diff(self.path(), args)
    }

    /// `fruits-demo: update cluster/main` of each stack that changes.
    fn told(&self, args: &[&str]) -> Vec<String> {
        let report = self.diff(&[&["--output", "json"], args].concat()).expect(0).json();
        told(&report)
    }
}

fn diff(folder: &Path, args: &[&str]) -> Ran {
    ended(clean(folder).arg("diff").args(args).output().expect("the binary starts"))
}

fn told(report: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for stack in report["stacks"].as_array().expect("stacks") {
        let steps = stack["steps"].as_array().expect("steps").iter().filter(|step| step["action"] != "keep");
        let steps: Vec<String> = steps
            .map(|step| {
                format!("{} {}", step["action"].as_str().expect("a word"), step["address"].as_str().expect("one"))
            })
            .collect();
        let status = stack["status"].as_str().expect("a word");
        if status != "unchanged" {
            all.push(format!("{} {status}: {}", stack["stack"].as_str().expect("a name"), steps.join(", ")));
        }
    }
    all
}

const MORE: &str = "fruits-demo changed: update cluster/main";
const COMES: &str = "other added: create bucket/home, create bucket/data";

#[test]
fn revisions_ranges_and_the_work_tree_are_compared() {
    let clone = Repo::new();
    assert_eq!(clone.told(&["HEAD~1..HEAD"]), [MORE, COMES]);
    assert_eq!(clone.told(&["HEAD~1", "HEAD"]), [MORE, COMES]);
    assert_eq!(clone.told(&["HEAD~1"]), [MORE, COMES]);
    assert_eq!(clone.told(&["HEAD~1", "--", "stacks/demo.yaml"]), [MORE]);
    assert_eq!(clone.told(&["HEAD~1", "stacks/demo.yaml"]), [MORE]);
    assert_eq!(clone.told(&["HEAD~1", "demo"]), [MORE]);
    assert_eq!(clone.told(&["HEAD", "HEAD"]), Vec::<String>::new());
    assert_eq!(clone.told(&[]), Vec::<String>::new());

    // The work tree, and the index before it is committed.
    clone.write("stacks/demo.yaml", &DEMO.replace("count: 2", "count: 4").replace("14d", "7d"));
    let sooner = "fruits-demo changed: update bucket/logs";
    assert_eq!(clone.told(&[]), [sooner]);
    assert_eq!(clone.told(&["stacks/demo.yaml"]), [sooner]);
    assert_eq!(clone.told(&["--staged"]), Vec::<String>::new());
    clone.stage();
    clone.write("stacks/demo.yaml", DEMO);
    assert_eq!(clone.told(&["--staged"]), [sooner]);
    assert_eq!(clone.told(&["--staged", "HEAD~1", "--", "stacks/other.yaml"]), [COMES]);
    assert_eq!(clone.told(&[]), [MORE]);
    // Nothing was touched by looking.
    assert_eq!(fs::read_to_string(clone.path().join("stacks/demo.yaml")).expect("is there"), DEMO);
}

#[test]
fn three_dots_begin_where_a_branch_left() {
    let clone = Repo::new();
    clone.branch("feature");
    clone.write("stacks/other.yaml", &OTHER.replace("eu-west-1\n", "eu-west-1\ntags: {a: b}\n"));
    clone.commit("three");
    // What happens on main meanwhile is not this branch's doing.
    clone.git.set_head("refs/heads/main").expect("switched");
    clone.write("stacks/other.yaml", OTHER);
    clone.write("stacks/demo.yaml", DEMO);
    clone.commit("four");
    let tags = "other changed: update bucket/home, update bucket/data";
    assert_eq!(clone.told(&["main...feature"]), [tags]);
    assert_eq!(clone.told(&["main..feature"]), [MORE, tags]);
    let report = clone.diff(&["main...feature"]).expect(0);
    assert!(report.out.contains("main (where feature left it) -> feature"), "{}", report.out);
}

#[test]
fn scripts_templates_and_links_are_read_where_the_revision_has_them() {
    let clone = Repo::new();
    clone.write("stacks/own.sh", "#!/bin/bash\nset -e\necho two\n");
    let report = clone.diff(&["--output", "json"]).expect(0).json();
    assert_eq!(told(&report), ["fruits-demo changed: update object/bootstrap-own, replace cluster/main"]);
    let script = &report["stacks"][0]["scripts"][0];
    assert!(script["diff"].as_str().expect("a diff").contains("-echo one\n+echo two\n"), "{script}");
    clone.commit("three");
    assert_eq!(clone.told(&["HEAD~1..HEAD"]).len(), 1);

    // A link within the repository leads to its target of that time; one that leads out leads nowhere.
    fs::remove_file(clone.path().join("stacks/own.sh")).expect("removed");
    clone.write("shared/own.sh", "#!/bin/bash\nset -e\necho two\n");
    std::os::unix::fs::symlink("../shared/own.sh", clone.path().join("stacks/own.sh")).expect("linked");
    clone.commit("four");
    assert_eq!(clone.told(&["HEAD~1..HEAD"]), Vec::<String>::new());
    fs::remove_file(clone.path().join("stacks/own.sh")).expect("removed");
    std::os::unix::fs::symlink("/etc/hostname", clone.path().join("stacks/own.sh")).expect("linked");
    clone.commit("five");
    let report = clone.diff(&["HEAD~1..HEAD", "--output", "json"]).expect(2).json();
    assert_eq!(report["stacks"][0]["findings"][0]["code"], "FI610");
}

#[test]
fn what_git_ignores_is_the_same_in_every_revision() {
    let clone = Repo::new();
    clone.write(".gitignore", "*.h5\n");
    clone.write("stacks/own.h5", "weights");
    let job = "jobs: {features: {template: jobs/fruit_features.py.j2, input: data/in/, output: data/, model: {weights: own.h5}}}\n";
    let packages = "bootstrap: [{name: python, template: bootstrap/python_packages.sh.j2, packages: {tensorflow-cpu: 2.19.1, pyarrow: 21.0.0, pandas: 2.3.3, pillow: 11.3.0}}]\n";
    let text = DEMO.replace("bootstrap: [{name: own, script: own.sh}]\n", packages) + job;
    clone.write("stacks/demo.yaml", &text);
    clone.commit("three");
    assert!(
        clone
            .git
            .head()
            .and_then(|head| head.peel_to_tree())
            .expect("a tree")
            .get_path(Path::new("stacks/own.h5"))
            .is_err()
    );
    assert_eq!(clone.told(&[]), Vec::<String>::new());
}

#[test]
fn a_renamed_file_is_the_same_stack_and_one_that_goes_is_told() {
    let clone = Repo::new();
    fs::rename(clone.path().join("stacks/demo.yaml"), clone.path().join("stacks/show.yaml")).expect("renamed");
    fs::remove_file(clone.path().join("stacks/other.yaml")).expect("removed");
    let report = clone.diff(&["--output", "json"]).expect(0).json();
    let gist: Vec<(&str, &str, &Value)> = report["stacks"]
        .as_array()
        .expect("stacks")
        .iter()
        .map(|stack| {
            (stack["stack"].as_str().expect("one"), stack["status"].as_str().expect("one"), &stack["renamed_from"])
        })
        .collect();
    assert_eq!(
        gist,
        [("other", "removed", &Value::Null), ("fruits-demo", "changed", &Value::from("stacks/demo.yaml"))]
    );
}

#[test]
fn stacks_are_found_at_the_root_and_from_a_folder_below() {
    let clone = Repo::new();
    // A repository without `stacks/`: only what calls itself a stack.
    let flat = Repo::empty();
    flat.write("demo.yaml", OTHER);
    flat.write("compose.yaml", "services: {}\n");
    flat.commit("one");
    flat.write("demo.yaml", &OTHER.replace("{data: {}}", "{data: {versioning: true}}"));
    assert_eq!(flat.told(&[]), ["other changed: update bucket/data"]);

    // From below, paths are as a person there writes them.
    let below = clone.path().join("stacks");
    let report =
        ended(clean(&below).args(["diff", "HEAD~1", "--output", "json", "--", "demo.yaml"]).output().expect("starts"));
    assert_eq!(told(&report.expect(0).json()), [MORE]);
    let report = ended(clean(&below).args(["diff", "HEAD~1", "--output", "json"]).output().expect("starts"));
    assert_eq!(told(&report.expect(0).json()), [MORE, COMES]);
}

/// What is said, and what to do.
fn refused(folder: &Path, args: &[&str]) -> String {
    let ran = diff(folder, args).expect(2);
    assert!(ran.out.is_empty() && ran.err.contains("help:"), "{ran:?}");
    ran.err.trim().to_owned()
}

#[test]
fn what_is_no_revision_is_told_with_a_way_out() {
    let clone = Repo::new();
    insta::assert_snapshot!(refused(clone.path(), &["mian"]), @r###"
    error: there is no revision `mian`
    help: did you mean `main`?
    "###);
    insta::assert_snapshot!(refused(clone.path(), &["mian~1..HEAD"]), @r###"
    error: there is no revision `mian~1`
    help: did you mean `main~1`?
    "###);
    insta::assert_snapshot!(refused(clone.path(), &["HEAD~7"]), @r###"
    error: there is no revision `HEAD~7`
    help: name a file, a folder, a branch, a tag or a commit; `git fetch` brings new ones
    "###);
    insta::assert_snapshot!(refused(clone.path(), &["HEAD", "--", "stacks/none.yaml"]), @r###"
    error: there is no `stacks/none.yaml` in HEAD or in the work tree
    help: paths after `--` are files or folders of this repository
    "###);
    insta::assert_snapshot!(refused(clone.path(), &["stacks", "stacks/demo.yaml"]), @r###"
    error: `stacks` is a folder and `stacks/demo.yaml` is a file
    help: compare two files, or two folders
    "###);
    let nowhere = tempfile::tempdir().expect("a folder");
    insta::assert_snapshot!(refused(nowhere.path(), &["old.yaml", "new.yaml"]), @r###"
    error: `old.yaml` is no file, no folder and no revision
    help: this folder is in no git repository: name two files or two folders
    "###);
    let shown = refused(nowhere.path(), &[]).replace(&nowhere.path().display().to_string(), "[folder]");
    insta::assert_snapshot!(shown, @r###"
    error: `.` is in no git repository
    help: name two files or two folders, or run it in a clone
    "###);
    // With detailed exit codes, 2 is kept for changes.
    clone.diff(&["mian", "--detailed-exitcode"]).expect(1);
}

#[test]
fn a_shallow_clone_and_a_bare_one_say_what_they_lack() {
    let clone = Repo::new();
    let head = clone.git.head().and_then(|head| head.peel_to_commit()).expect("a head").id();
    fs::write(clone.git.path().join("shallow"), format!("{head}\n")).expect("written");
    insta::assert_snapshot!(refused(clone.path(), &["HEAD~1"]), @r###"
    error: there is no revision `HEAD~1`
    help: this clone is shallow: `git fetch --unshallow` brings the rest (`fetch-depth: 0` on GitHub, `GIT_DEPTH: 0` on GitLab)
    "###);

    let bare = tempfile::tempdir().expect("a folder");
    let from = Repo::new();
    let builder = git2::build::RepoBuilder::new().bare(true).clone(&from.path().display().to_string(), bare.path());
    builder.expect("cloned");
    insta::assert_snapshot!(refused(bare.path(), &["HEAD~1"]), @r###"
    error: this repository has no work tree
    help: name the second revision too
    "###);
    let report = diff(bare.path(), &["HEAD~1", "HEAD", "--output", "json"]).expect(0).json();
    assert_eq!(told(&report), [MORE, COMES]);
}

#[test]
fn exit_codes_tell_a_pipeline_what_the_report_holds() {
    let clone = Repo::new();
    clone.diff(&["HEAD~1..HEAD"]).expect(0);
    clone.diff(&["HEAD~1..HEAD", "--detailed-exitcode"]).expect(2);
    clone.diff(&["HEAD", "HEAD", "--detailed-exitcode"]).expect(0);
    clone.diff(&["HEAD~1..HEAD", "--fail-on", "data-loss,residency,replace,permissions,warning"]).expect(0);
    let stopped = clone.diff(&["HEAD~1..HEAD", "--fail-on", "cost,data-loss"]).expect(3);
    assert!(stopped.err.contains("stopped by --fail-on: cost\n"), "{}", stopped.err);

    for (from, to, alarm) in [
        ("eu-west-3", "eu-central-1", "residency"),
        ("expire: 14d", "expire: 3d", "data-loss"),
        ("emr-7.12.0", "emr-7.11.0", "replace"),
        ("logs: {expire: 14d}}\n", "logs: {expire: 14d}}\nroles: {nodes: {write: [data, logs]}}\n", "permissions"),
    ] {
        let before = if alarm == "permissions" {
            DEMO.replace(
                "logs: {expire: 14d}}\n",
                "logs: {expire: 14d}}\nroles: {nodes: {write: [data/features/, logs]}}\n",
            )
        } else {
            DEMO.to_owned()
        };
        clone.write("old.yaml", &before);
        clone.write("new.yaml", &DEMO.replace(from, to));
        fs::copy(clone.path().join("stacks/own.sh"), clone.path().join("own.sh")).expect("copied");
        clone.diff(&["old.yaml", "new.yaml", "--fail-on", alarm]).expect(3);
        clone.diff(&["old.yaml", "old.yaml", "--fail-on", alarm]).expect(0);
    }
    // A stack that cannot be worked with is a bad stack, whatever else.
    clone.write("new.yaml", &DEMO.replace("region", "regoin"));
    clone.diff(&["old.yaml", "new.yaml", "--fail-on", "data-loss"]).expect(2);
    clone.diff(&["old.yaml", "new.yaml", "--detailed-exitcode"]).expect(1);
    clone.diff(&["new.yaml", "old.yaml"]).expect(0);
}

#[test]
fn every_form_is_alone_on_stdout() {
    let clone = Repo::new();
    let markdown = clone.diff(&["--output", "markdown", "HEAD~1..HEAD"]).expect(0);
    assert!(markdown.out.starts_with("<!-- fruitsinfra diff -->\n### fruitsinfra: ") && markdown.err.is_empty());
    let page = clone.diff(&["--output", "html", "HEAD~1..HEAD"]).expect(0);
    super::page::sound(&page.out);
    let refused = clone.diff(&["--output", "sarif", "HEAD~1..HEAD"]).expect(2);
    assert!(refused.err.contains("no sarif form"), "{}", refused.err);
    for (forge, name) in [("github", "fruitsinfra-review.yml"), ("gitlab", "fruitsinfra-review.gitlab-ci.yml")] {
        let printed = clone.diff(&["--install", forge]).expect(0);
        assert!(printed.out.contains("fruitsinfra --output markdown diff"), "{}", printed.out);
        clone.diff(&["--install", forge, "--out", "ci"]).expect(0);
        assert_eq!(
            fs::read_to_string(clone.path().join("ci").join(name)).expect("is there").trim_end(),
            printed.out.trim_end()
        );
    }
}
