//! Everything that can be said against a stack without asking AWS: one file a group, each rule a
//! function of the stack and its text (one also looks whether files are there). Rules look at values
//! and point at text; they never change a stack.

use super::Stack;
use super::finding::{Problem, Severity};
use super::node::{Node, Value};

mod access;
mod emr;
mod form;
mod groups;
mod packages;
mod residency;
mod storage;

/// What every rule may look at.
pub(super) struct Cx<'a> {
    stack: &'a Stack,
    root: &'a Node,
    problems: Vec<Problem>,
}

/// All findings of all rules, in no particular order.
pub(super) fn all(stack: &Stack, root: &Node) -> Vec<Problem> {
    let mut cx = Cx { stack, root, problems: Vec::new() };
    for rules in
        [form::check, residency::check, emr::check, groups::check, access::check, storage::check, packages::check]
    {
        rules(&mut cx);
    }
    cx.problems
}

impl Cx<'_> {
    /// The path of a field of a group, by the group's part.
    fn in_group<'p>(part: &'p str, field: &'p str) -> Vec<&'p str> {
        match part {
            "primary" | "core" => vec!["cluster", part, field],
            key => vec!["cluster", "task", key, field],
        }
    }

    /// The index of the text in a list that satisfies a wish; of the first where none does.
    fn index_of(&self, path: &[&str], wish: impl Fn(&str) -> bool) -> String {
        let items = match self.root.find(path).map(|node| &node.value) {
            Some(Value::List(items)) => items.as_slice(),
            _ => &[],
        };
        let found = items.iter().position(|item| matches!(&item.value, Value::Scalar { text, .. } if wish(text)));
        found.unwrap_or(0).to_string()
    }

    fn error(&mut self, code: &'static str, path: &[&str], message: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Error, code, path, message.into(), hint.into());
    }

    fn warning(&mut self, code: &'static str, path: &[&str], message: impl Into<String>, hint: impl Into<String>) {
        self.add(Severity::Warning, code, path, message.into(), hint.into());
    }

    fn add(&mut self, severity: Severity, code: &'static str, path: &[&str], message: String, hint: String) {
        let span = self.root.span_of(path);
        self.problems.push(Problem { severity, ..Problem::new(code, span, message).hint(hint) });
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::stack::{Finding, load_text};

    const HEAD: &str = "stack: fruits\nregion: eu-west-3\nowner: data@fruits.example\n";
    const LOGS: &str = "buckets: {data: {}, logs: {}}\n";
    const CLUSTER: &str = "cluster:\n  release: emr-7.12.0\n  primary: {type: m5.xlarge}\n";
    const PACKAGES: &str = "bootstrap:\n- {name: python, template: a.j2, packages: {tensorflow: 2.19.1}}\n";

    fn findings(text: &str) -> Vec<Finding> {
        match load_text("own.yaml", text.to_owned(), Path::new("")) {
            Ok(loaded) => loaded.findings,
            Err(broken) => broken.findings,
        }
    }

    /// Expects exactly one finding, of a code, at the text that stands between `<<` and `>>`.
    #[track_caller]
    fn finds(code: &str, marked: &str) -> Finding {
        let start = marked.find("<<").expect("a place is marked");
        let end = marked.find(">>").expect("a place is marked") - 2;
        let text = marked.replace("<<", "").replace(">>", "");
        let mut found = findings(&text);
        assert_eq!(found.len(), 1, "{text}\n{found:#?}");
        let finding = found.remove(0);
        assert_eq!((finding.code, &text[finding.span.clone()]), (code, &text[start..end]), "{finding:#?}");
        assert!(finding.hint.is_some(), "{finding:#?}");
        finding
    }

    #[track_caller]
    fn finds_in_cluster(code: &str, marked: &str) -> Finding {
        finds(code, &format!("{HEAD}{LOGS}{CLUSTER}{marked}"))
    }

    #[track_caller]
    fn finds_in_buckets(code: &str, marked: &str) -> Finding {
        finds(code, &format!("{HEAD}buckets:\n{marked}"))
    }

    #[test]
    fn a_plain_stack_is_without_findings() {
        assert_eq!(findings(&format!("{HEAD}{LOGS}{CLUSTER}")), []);
        assert_eq!(findings(HEAD), []);
    }

    #[test]
    fn names_and_keys() {
        finds("FI120", "stack: <<Fruits>>\nregion: eu-west-3\nowner: a\n");
        finds("FI120", "stack: <<fruits-of-an-exceedingly-long-name>>\nregion: eu-west-3\nowner: a\n");
        finds("FI121", &format!("{HEAD}account: <<'1234'>>\n"));
        finds("FI122", "stack: fruits\nregion: eu-west-3\nowner: <<''>>\n");
        finds("FI122", "stack: fruits\nregion: eu-west-3\nowner: <<a;b>>\n");
        finds_in_buckets("FI123", "  <<Data>>: {}\n");
        assert!(finds_in_buckets("FI123", "  <<home>>: {}\n").message.contains("for itself"));
        finds_in_cluster("FI123", "  task: {<<core>>: {type: m5.xlarge}}\n  core: {type: m5.xlarge, name: x}\n");
        finds("FI124", &format!("{HEAD}tags: {{'aws:x': <<a>>}}\n"));
        finds("FI124", &format!("{HEAD}tags: {{x: <<a*b>>}}\n"));
    }

    #[test]
    fn limits() {
        finds_in_cluster("FI125", "  idle: <<30s>>\n");
        finds_in_cluster("FI126", "  idle: <<2h>>\n");
        finds_in_cluster("FI125", "limits: {lifetime: <<5m>>}\n");
        finds_in_cluster("FI127", "  termination_protection: <<true>>\n");
        finds_in_cluster("FI127", "  keep_alive: <<false>>\n");
    }

    #[test]
    fn nothing_leads_abroad() {
        finds("FI202", &format!("{HEAD}kms_key: <<arn:aws:kms:eu-west-2:000000000000:key/1>>\n"));
        finds("FI202", &format!("{HEAD}kms_key: <<arn:aws:kms:eu-central-1:000000000000:key/1>>\n"));
        finds_in_buckets("FI203", "  data: {kms_key: <<alias/mine>>}\n");
        finds("FI206", &format!("{HEAD}kms_key: <<arn:aws:kms:eu-west-3:000000000000:key/mrk-1>>\n"));
        finds_in_buckets("FI204", "  data: {existing: <<'arn:aws-eusc:s3:::theirs'>>}\n");
        finds(
            "FI205",
            &format!(
                "{HEAD}account: '000000000000'\nroles: {{service: {{existing: <<'arn:aws:iam::111111111111:role/x'>>}}}}\n"
            ),
        );
        finds_in_cluster(
            "FI207",
            "  configurations: [{classification: core-site, properties: {fs.s3a.endpoint: <<s3.us-east-1.amazonaws.com>>}}]\n",
        );
        finds_in_cluster(
            "FI207",
            "  configurations: [{classification: core-site, properties: {fs.s3a.endpoint: <<s3.amazonaws.com>>}}]\n",
        );
        let own = format!("jobs: {{own: {{script: {}, args: [a, <<us-west-2>>]}}}}\n", script());
        finds_in_cluster("FI208", &own);
    }

    /// A file that is there.
    fn script() -> String {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("stacks/scripts/welcome.sh").display().to_string()
    }

    #[test]
    fn releases_and_types() {
        let release =
            |marked: &str| format!("{HEAD}{LOGS}cluster:\n  release: {marked}\n  primary: {{type: m5.xlarge}}\n");
        finds("FI301", &release("<<emr-7.99.0>>"));
        let sovereign = release("<<emr-7.12.0>>").replace("eu-west-3", "eusc-de-east-1");
        finds("FI303", &sovereign);
        let spain = findings(&release("emr-6.6.0").replace("eu-west-3", "eu-south-2"));
        assert_eq!(spain.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["FI302", "FI304"]);

        let absent = finds_in_cluster("FI305", "  core: {type: <<m5.large>>}\n");
        assert_eq!(absent.hint.as_deref(), Some("did you mean m5.xlarge?"));
        finds_in_cluster("FI305", "  core: {type: <<t3.medium>>}\n");
        let spain =
            format!("{HEAD}{LOGS}{CLUSTER}  core: {{type: <<m6i.xlarge>>}}\n").replace("eu-west-3", "eu-south-2");
        assert_eq!(finds("FI305", &spain).message, "eu-south-2 does not offer m6i.xlarge");
        finds_in_cluster("FI306", "  core: {type: <<m6g.xlarge>>}\n");
    }

    #[test]
    fn applications_and_settings() {
        let near = finds_in_cluster("FI307", "  applications: [Spark, <<Tensorflov>>]\n");
        assert_eq!(near.hint.as_deref(), Some("did you mean `TensorFlow`?"));
        finds_in_cluster("FI307", "  applications: [Spark, <<spark>>]\n");
        let spark_line = format!("{HEAD}{LOGS}{CLUSTER}  applications: [Spark, <<TensorFlow>>]\n")
            .replace("emr-7.12.0", "emr-spark-8.0.0");
        finds("FI308", &spark_line);
        let own = format!("jobs: {{own: {{script: {}}}}}\n", script());
        finds_in_cluster("FI309", &format!("  <<applications>>: [Hive]\n{own}"));
        finds_in_cluster(
            "FI310",
            "  <<configurations>>: [{classification: spark-env, configurations: [{classification: export, properties: {PYSPARK_PYTHON: /usr/bin/python3.14}}]}]\n",
        );
        finds_in_cluster(
            "FI311",
            "  configurations: [{classification: jupyter-s3-conf, properties: {s3.persistence.bucket: <<'s3://mine'>>}}]\n",
        );
        finds_in_cluster("FI312", "  configurations: [{classification: <<spark>>}]\n");
        finds_in_cluster("FI313", "  step_concurrency: <<0>>\n");
        let long = format!("jobs: {{<<own>>: {{script: {}, args: [{}]}}}}\n", script(), "x".repeat(10_241));
        finds_in_cluster("FI314", &long);
    }

    #[test]
    fn groups_and_disks() {
        let primary = |marked: &str| {
            format!("{HEAD}{LOGS}cluster:\n  release: emr-7.12.0\n  primary: {{type: m5.xlarge, {marked}}}\n")
        };
        finds("FI320", &primary("count: <<2>>"));
        finds("FI321", &primary("bid: <<1 USD>>"));
        finds("FI322", &primary("market: <<spot>>"));
        finds("FI323", &primary("volumes: [{size: <<0>>}]"));
        finds("FI323", &primary("volumes: [{type: gp2, size: 32, iops: <<3000>>}]"));
        finds_in_cluster("FI320", "  core: {type: m5.xlarge, count: <<0>>}\n");
        assert_eq!(findings(&format!("{HEAD}{LOGS}{CLUSTER}  task: {{a: {{type: m5.xlarge, count: 0}}}}\n")), []);
        finds_in_cluster("FI323", "  root_volume: {size: <<8>>}\n");
        finds_in_cluster("FI324", "  core: {type: m5.xlarge, name: <<primary>>}\n");
        let twice = format!("bootstrap:\n- {{name: a, script: {0}}}\n- {{name: <<a>>, script: {0}}}\n", script());
        finds("FI325", &format!("{HEAD}{LOGS}{CLUSTER}{twice}"));
    }

    #[test]
    fn access() {
        let world = finds_in_cluster("FI401", "  key_pair: mine\n  access: [{from: <<0.0.0.0/0>>, port: 22}]\n");
        assert_eq!(world.message, "port 22 would be open to the whole world");
        finds_in_cluster("FI401", "  access: [{from: <<'::/0'>>, port: 9443}]\n");
        finds_in_cluster("FI402", "  access: [{from: <<10.0.0.0/8>>, port: 9443}]\n");
        finds_in_cluster("FI403", "  access: [{from: 203.0.113.7, port: <<0>>}]\n");
        finds_in_cluster("FI404", "  access: [{from: 203.0.113.7, port: <<22>>}]\n");
        let groups = "security_groups: {primary: {existing: sg-00000000}, core: {existing: sg-00000001}}\n";
        finds_in_cluster("FI405", &format!("  <<access>>: [{{from: 203.0.113.7, port: 9443}}]\n{groups}"));
        finds_in_cluster("FI406", "  subnet: <<mine>>\n");
        finds_in_cluster("FI407", "instance_profile: {existing: theirs}\nroles: {<<nodes>>: {read: [data]}}\n");
        let job = "jobs: {f: {template: a.j2, input: data/images/, output: <<data/>>}}\n";
        let roles = "roles: {nodes: {read: [data], write: [data/features/, data/pca/, data/model/]}}\n";
        finds("FI408", &format!("{HEAD}{LOGS}{CLUSTER}{PACKAGES}{roles}{job}"));
    }

    #[test]
    fn storage() {
        finds_in_buckets("FI501", "  data: {name: <<fruits-Data>>}\n");
        finds_in_buckets("FI501", "  data: {name: <<fruits-a.b>>}\n");
        finds_in_buckets("FI502", "  data: {name: <<mine>>}\n");
        finds_in_buckets("FI503", "  a: {name: fruits-x}\n  b: {name: <<fruits-x>>}\n");
        finds_in_buckets("FI504", "  data: {expire: <<36h>>}\n");
        let upload = |to: &str| format!("{HEAD}{LOGS}uploads: [{{from: images, to: {to}}}]\n");
        let undeclared = finds("FI505", &upload("<<date/images/>>"));
        assert_eq!(undeclared.hint.as_deref(), Some("did you mean `data`?"));
        finds("FI506", &upload("<<data//images/>>"));
        finds("FI506", &upload("<<data/../images/>>"));
        finds("FI507", &upload("<<data/images>>"));
        finds("FI505", &format!("{HEAD}{LOGS}roles: {{nodes: {{read: [data, <<other>>]}}}}\n"));

        let job = |input: &str, output: &str| format!("template: a.j2, input: {input}, output: {output}");
        let own = |jobs: &str| format!("{HEAD}{LOGS}{CLUSTER}{PACKAGES}jobs: {{{jobs}}}\n");
        finds("FI508", &own(&format!("f: {{{}}}", job("data", "<<data/>>"))));
        let two =
            format!("f: {{{}}}, g: {{{}}}", job("data/images/", "data/"), job("data/images/", "<<data/features/>>"));
        finds("FI509", &own(&two));
        let siblings = format!("f: {{{}}}, g: {{{}}}", job("data/images/", "data/f/"), job("data/images/", "data/g/"));
        assert_eq!(findings(&own(&siblings)), []);
        finds("FI510", &format!("{HEAD}<<cluster>>:\n  release: emr-7.12.0\n  primary: {{type: m5.xlarge}}\n"));
    }

    #[test]
    fn packages() {
        let own = |packages: &str| {
            format!("{HEAD}{LOGS}{CLUSTER}bootstrap:\n- {{name: python, template: a.j2, packages: {{{packages}}}}}\n")
        };
        finds("FI602", &own("pandas: <<'>=2'>>"));
        finds("FI602", &own("pandas: <<latest>>"));
        finds("FI603", &own("whell: <<0.44.0>>"));
        finds("FI603", &own("'pandas<1.3': <<1.2.5>>"));
        finds("FI604", &own("pyspark: <<3.5.3>>"));
        finds("FI605", &own("pyarrow: <<22.0.0>>"));
        finds("FI606", &own("pandas: <<3.0.0>>"));
        finds("FI607", &own("tensorflow: 2.19.1, tensorflow-cpu: <<2.19.1>>"));
        finds(
            "FI607",
            &own("tensorflow: <<2.19.1>>").replace("xlarge}", "xlarge}\n  applications: [Spark, TensorFlow]"),
        );
        finds("FI608", &own("tensorflow-cpu: <<2.19.1>>").replace("m5.", "m6g."));
        finds("FI601", &own("").replace("- {name", "- {<<name>>"));
        let job = "jobs: {<<f>>: {template: a.j2, input: data/images/, output: data/}}\n";
        finds("FI609", &format!("{HEAD}{LOGS}{CLUSTER}{job}"));
        finds_in_cluster("FI610", "bootstrap: [{name: a, script: <<absent.sh>>}]\n");
        let untrained = job.replace("<<f>>", "f").replace("data/}", "data/, model: {weights: <<untrained>>}}");
        finds("FI611", &format!("{HEAD}{LOGS}{CLUSTER}{PACKAGES}{untrained}"));
        assert_eq!(findings(&own("a: 1.2.3rc1, b: 2.0.post1, c: 1.10")), []);
    }

    #[test]
    fn jobs() {
        let job = |fields: &str| {
            format!(
                "{HEAD}{LOGS}{CLUSTER}{PACKAGES}jobs: {{f: {{template: a.j2, input: data/images/, output: data/, {fields}}}}}\n"
            )
        };
        finds("FI129", &job("model: {name: <<ResNet50>>}"));
        finds("FI129", &job("pca: {variance: <<90>>}"));
        finds("FI129", &job("batch: <<0>>"));
        finds("FI128", &format!("{HEAD}jobs: {{<<own>>: {{script: {}}}}}\n", script()));
    }
}
