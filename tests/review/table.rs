//! The table of pairs: a base stack, and what a person changes in it. Plain data, to be read as a list.

use super::Memory;

pub(super) const BASE: &str = include_str!("base.yaml");

/// One change.
pub(super) struct Pair {
    pub(super) name: &'static str,
    /// Passages of the stack, each there once, and what becomes of them.
    pub(super) stack: &'static [(&'static str, &'static str)],
    /// Other files, as they are afterwards.
    pub(super) files: &'static [(&'static str, &'static str)],
    /// Passages that were otherwise before.
    pub(super) before: &'static [(&'static str, &'static str)],
}

const fn edit(name: &'static str, stack: &'static [(&'static str, &'static str)]) -> Pair {
    Pair { name, stack, files: &[], before: &[] }
}

const fn file(name: &'static str, files: &'static [(&'static str, &'static str)]) -> Pair {
    Pair { name, stack: &[], files, before: &[] }
}

#[expect(clippy::needless_pass_by_value, reason = "a table reads better without references")]
const fn after(before: &'static [(&'static str, &'static str)], pair: Pair) -> Pair {
    Pair { before, ..pair }
}

const CORE: &str = "core: {type: m5.xlarge, count: 2, volumes: [{size: 64}]}";
const WRITE: &str = "write: [data/features/, data/pca/, data/model/, data/report/, logs]";

pub(super) const PAIRS: &[Pair] = &[
    // What means the same.
    edit(
        "nothing-comments",
        &[("# The stack that every pair edits: each part of the language once.", "# Words.\n\n#\n")],
    ),
    edit(
        "nothing-order",
        &[
            ("stack: fruits-base\nregion: eu-west-3", "region: eu-west-3\nstack: fruits-base"),
            ("[Hadoop, Spark]", "[ Hadoop,   Spark ]"),
        ],
    ),
    edit(
        "nothing-anchor",
        &[
            ("primary: {type: m5.xlarge}", "primary: {type: &type m5.xlarge}"),
            (CORE, "core: {type: *type, count: 2, volumes: [{size: 64}]}"),
        ],
    ),
    edit(
        "nothing-default-written-out",
        &[("primary: {type: m5.xlarge}", "primary: {type: m5.xlarge, count: 1, market: on-demand}")],
    ),
    // The cluster, in place.
    edit("cluster-more-nodes", &[("count: 2", "count: 6")]),
    edit("cluster-task-group-gone", &[("    burst: {type: m5.xlarge, count: 1}", "    {}")]),
    edit(
        "cluster-spot-group",
        &[(
            "    burst: {type: m5.xlarge, count: 1}",
            "    burst: {type: m5.xlarge, count: 1}\n    cheap: {type: m5.xlarge, count: 3, market: spot, bid: 0.10 USD}",
        )],
    ),
    edit("cluster-idle", &[("  release: emr-7.12.0", "  release: emr-7.12.0\n  idle: 30m")]),
    edit("cluster-protection", &[("  release: emr-7.12.0", "  release: emr-7.12.0\n  termination_protection: true")]),
    edit(
        "cluster-group-configurations",
        &[("count: 2", "count: 2, configurations: [{classification: yarn-site, properties: {a: b}}]")],
    ),
    // The cluster, made anew.
    edit("cluster-release", &[("emr-7.12.0", "emr-7.11.0")]),
    edit("cluster-type", &[(CORE, "core: {type: m5.2xlarge, count: 2, volumes: [{size: 64}]}")]),
    edit("cluster-applications", &[("[Hadoop, Spark]", "[Hadoop, Hive, Spark]")]),
    edit("cluster-configurations", &[("\"0.4\"", "\"0.6\"")]),
    edit("cluster-volumes", &[("{size: 64}", "{size: 128}")]),
    edit("cluster-subnet", &[("  release: emr-7.12.0", "  release: emr-7.12.0\n  subnet: subnet-0a1b2c3d4e5f60718")]),
    edit("cluster-packages", &[("pandas: 2.3.3", "pandas: 2.3.2")]),
    edit(
        "cluster-packages-from-s3",
        &[("    packages: {tensorflow", "    packages_from: s3\n    packages: {tensorflow")],
    ),
    edit("cluster-bootstrap-args", &[("[\"Fruits!\"]", "[\"Fruits?\"]")]),
    file("cluster-bootstrap-script", &[("stacks/welcome.sh", "#!/bin/bash\nset -eu\necho \"$1\"\n")]),
    after(
        &[("  release: emr-7.12.0", "  release: emr-7.12.0\n  termination_protection: true")],
        edit("cluster-protected-and-made-anew", &[("emr-7.12.0", "emr-7.11.0")]),
    ),
    edit(
        "cluster-unknown-price",
        &[(CORE, "core: {type: r6i.32xlarge, count: 2, volumes: [{size: 64}]}"), ("hourly: 3 USD, ", "")],
    ),
    // Data.
    edit("bucket-renamed", &[("  spare: {expire: 365d}", "  other: {expire: 365d}")]),
    edit("bucket-gone", &[("  spare: {expire: 365d}\n", "")]),
    edit("bucket-name", &[("  spare: {expire: 365d}", "  spare: {expire: 365d, name: fruits-base-of-ours}")]),
    edit("bucket-expires-sooner", &[("features/: 30d", "features/: 7d, pca/: 90d")]),
    edit("bucket-expires-later", &[("features/: 30d", "features/: 60d")]),
    edit("bucket-versioning-off", &[("versioning: true, ", "")]),
    edit(
        "bucket-key",
        &[(
            "owner: data@fruits.example",
            "owner: data@fruits.example\nkms_key: arn:aws:kms:eu-west-3:000000000000:key/00000001-2222-3333-4444-555555555555",
        )],
    ),
    edit(
        "uploads",
        &[("  - {from: images, to: data/images/}", "  - {from: pictures, to: data/images/, links: follow}")],
    ),
    // Who may do what.
    edit("roles-widened", &[(WRITE, "write: [data, logs]")]),
    edit("roles-narrowed", &[("data/report/, logs]", "data/report/]")]),
    edit(
        "roles-of-somebody-else",
        &[(
            "  nodes: {read: [data/images/], write: [data/features/, data/pca/, data/model/, data/report/, logs]}",
            "  nodes: {existing: their-nodes}",
        )],
    ),
    edit(
        "access-opened",
        &[(
            "access: [{from: 203.0.113.7/32, port: 18080}]",
            "access: [{from: 203.0.113.7/32, port: 18080}, {from: 198.51.100.0/24, port: 8443}]",
        )],
    ),
    edit(
        "groups-of-somebody-else",
        &[
            (
                "owner: data@fruits.example",
                "owner: data@fruits.example\nsecurity_groups: {primary: {existing: sg-0a1b2c3d4e5f60718}, core: {existing: sg-1a1b2c3d4e5f60718}}",
            ),
            ("  access: [{from: 203.0.113.7/32, port: 18080}]\n", ""),
        ],
    ),
    edit("tags", &[("{project: p8}", "{project: p9, team: data}")]),
    // Jobs.
    edit("job-parameters", &[("variance: 0.90", "variance: 0.95, max_components: 200")]),
    edit(
        "job-arguments",
        &[(
            "[--date, today]",
            "[--date, tomorrow]\n    conf: {spark.executor.memory: 6g}\n    on_failure: cancel-and-wait",
        )],
    ),
    edit("job-renamed", &[("  own:\n    script", "  mine:\n    script")]),
    file("job-script", &[("stacks/own.py", "print(2)\n")]),
    edit("job-weights", &[("    pca: {variance: 0.90}", "    pca: {variance: 0.90}\n    model: {weights: own.h5}")]),
    edit(
        "job-untrained",
        &[("    pca: {variance: 0.90}", "    pca: {variance: 0.90}\n    model: {weights: untrained}")],
    ),
    after(
        &[("    pca: {variance: 0.90}", "    pca: {variance: 0.90}\n    model: {weights: untrained}")],
        edit("job-mended", &[("    model: {weights: untrained}\n", "")]),
    ),
    // Bounds.
    edit(
        "limits",
        &[("{hourly: 3 USD, lifetime: 3h, idle: 45m}", "{hourly: 5 USD, demo: 20 USD, lifetime: 8h, idle: 1h}")],
    ),
    edit("limits-exceeded", &[("hourly: 3 USD", "hourly: 1 USD")]),
    // All of it.
    edit("region-moved", &[("region: eu-west-3", "region: eu-central-1")]),
    edit("region-outside-the-eu", &[("region: eu-west-3", "region: eu-west-2")]),
    edit("stack-renamed", &[("stack: fruits-base", "stack: fruits-next")]),
    edit("stack-of-another-owner", &[("owner: data@fruits.example", "owner: ada@fruits.example")]),
    edit("account-said", &[("owner: data@fruits.example", "owner: data@fruits.example\naccount: '000000000000'")]),
    edit("cluster-gone", &[]),
    // What cannot be read.
    edit("broken", &[("region: eu-west-3", "regoin: eu-west-3"), ("count: 2", "count: two")]),
    after(
        &[("region: eu-west-3", "regoin: eu-west-3")],
        edit("was-broken", &[("regoin: eu-west-3", "region: eu-west-3")]),
    ),
    // What a stranger may write.
    edit(
        "hostile-values",
        &[
            ("[--date, today]", "[\"`@all` | <script>alert(1)</script>\", \"[x](javascript:1) #1 ``` ~~~\"]"),
            ("from: images,", "from: \"<img src=x>|@me\","),
        ],
    ),
];

/// The files before and after a change.
pub(super) fn files(pair: &Pair) -> (Memory, Memory) {
    let old = edited(BASE, pair.before);
    let mut new = edited(&old, pair.stack);
    if pair.name == "cluster-gone" {
        // Storage alone: from the bootstrap on there is nothing.
        new.truncate(new.find("roles:").expect("roles"));
    }
    let side = |stack: &str| {
        Memory::default()
            .with("stacks/base.yaml", stack)
            .with("stacks/welcome.sh", "#!/bin/bash\nset -e\necho \"$1\"\n")
            .with("stacks/own.py", "print(1)\n")
            .with("stacks/own.h5", "weights")
    };
    let changed = pair.files.iter().fold(side(&new), |files, (path, text)| files.with(path, text));
    (side(&old), changed)
}

pub(super) fn edited(text: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(text.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "{from:?}");
        text.replace(from, to)
    })
}
