//! What a stack means when it is read: what is unsaid has an answer, and what is said holds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::*;

/// Every stack of the repository.
pub(super) fn stacks() -> Vec<(PathBuf, Loaded)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [root.join("stacks"), root.join("tests/cases")];
    let files = folders.iter().flat_map(|folder| folder.read_dir().expect("is a folder"));
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("is readable").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths
        .into_iter()
        .map(|path| (path.clone(), load(&path).unwrap_or_else(|broken| panic!("{broken}: {:#?}", broken.findings))))
        .collect()
}

fn stack(name: &str) -> Stack {
    let found = stacks().into_iter().find(|(path, _)| path.ends_with(name));
    found.expect(name).1.stack
}

#[test]
fn every_stack_of_the_repository_is_without_findings() {
    for (path, loaded) in stacks() {
        assert!(loaded.findings.is_empty(), "{}: {:#?}", path.display(), loaded.findings);
    }
}

#[test]
fn what_is_unsaid_has_an_answer() {
    let minimal = stack("minimal.yaml");
    assert_eq!(minimal.idle(), Period::minutes(45));
    assert_eq!(minimal.limits.lifetime, Period::hours(3));
    assert_eq!(minimal.logs(), Some(Place::new("logs", "emr/")));
    assert_eq!(minimal.python().as_deref(), Some("3.9"));
    assert_eq!(minimal.bucket_name("data", "000000000000").as_deref(), Some("fruits-minimal-data-000000000000"));
    assert_eq!(minimal.bucket_name("absent", "000000000000"), None);
    let grants = minimal.grants().expect("the role is ours");
    assert_eq!(grants.read, BTreeSet::from([Place::new("data", "images/")]));
    let writes: Vec<String> = grants.write.iter().map(Place::to_string).collect();
    assert_eq!(writes, ["data/features/", "data/model/", "data/pca/", "data/report/", "logs/emr/"]);
}

#[test]
fn what_is_said_holds() {
    let everything = stack("everything.yaml");
    assert_eq!(everything.idle(), Period::minutes(90));
    assert_eq!(everything.bucket_name("data", "000000000000").as_deref(), Some("everything-data-of-ours"));
    assert_eq!(everything.bucket_name("old", "000000000000").as_deref(), Some("bucket-of-somebody-else"));
    let Bucket::Ours(logs) = &everything.buckets["logs"] else { panic!("logs are ours") };
    assert_eq!(everything.encryption(logs), Encryption::Kms(everything.kms_key.as_deref().expect("is said")));
    let own = everything.bootstrap.last().expect("has actions");
    assert_eq!(own.args, ["a b", "say \"hi\"", "it's $HOME", "é 🍎", ""]);
    assert_eq!(stack("demo.yaml").python().as_deref(), Some("3.11"));
}

#[test]
fn cases_from_the_field_keep_what_they_said() {
    let first = stack("01.yaml").cluster.expect("has a cluster");
    assert_eq!(first.applications, ["Hadoop", "Spark", "TensorFlow", "JupyterHub"]);
    assert_eq!(first.configurations[0].properties["s3.persistence.enabled"], "true");

    let third = stack("03.yaml");
    assert_eq!(third.logs(), Some(Place::new("data", "logs/")));
    assert_eq!(third.roles.service.expect("is said").name(), "EMR_DefaultRole");
    let cluster = third.cluster.expect("has a cluster");
    let groups: Vec<_> = cluster
        .groups()
        .map(|(part, group)| (part, group.name.as_deref(), group.count, group.volumes[0].per_instance))
        .collect();
    let expected = [
        ("primary", Some("Primaire"), 1, 2),
        ("core", Some("Unité principale"), 1, 2),
        ("extra", Some("Tâche - 1"), 2, 2),
    ];
    assert_eq!(groups, expected);
}

#[test]
fn ranges_are_stored_as_aws_stores_them() {
    let network = |text: &str| text.parse::<Cidr>().map(|cidr| cidr.network().to_string());
    assert_eq!(network("203.0.113.7/24").as_deref(), Ok("203.0.113.0/24"));
    assert_eq!(network("203.0.113.7").as_deref(), Ok("203.0.113.7/32"));
    assert_eq!(network("0.0.0.0/0").as_deref(), Ok("0.0.0.0/0"));
    assert_eq!(network("2001:db8::1/32").as_deref(), Ok("2001:db8::/32"));
    for wrong in ["203.0.113.7/33", "203.0.113/24", "2001:db8::1/129", "me", "1.2.3.4/"] {
        assert!(wrong.parse::<Cidr>().is_err(), "{wrong}");
    }
}
