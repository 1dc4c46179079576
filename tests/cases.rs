//! Configurations that people really had, expressed as stacks: each is planned without a connection, and what
//! it means is held by a snapshot.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn planned(case: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(case);
    let mut command = Command::new(env!("CARGO_BIN_EXE_fruitsinfra"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", std::env::temp_dir());
    let output = command.args(["--output", "json", "plan", "--offline"]).arg(file).output().expect("the binary starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let plan: Value = serde_json::from_slice(&output.stdout).expect("JSON alone");
    let steps = plan["steps"].as_array().expect("steps");
    steps
        .iter()
        .map(|s| format!("{} {}", s["action"].as_str().unwrap_or("?"), s["address"].as_str().unwrap_or("?")))
        .collect()
}

#[test]
fn the_interns_own_cluster_is_a_stack() {
    insta::assert_snapshot!(planned("01.yaml").join("\n"), @r"
    create bucket/home
    create role/end
    create role/nodes
    create role/service
    create security_group/core
    create security_group/primary
    create bucket/data
    create bucket/logs
    create instance_profile/nodes
    create object/bootstrap-custom-action-cfc3
    create cluster/main
    create schedule/end
    ");
}

/// Its roles, its profile and its subnet are somebody else's: nothing of the kind is made.
#[test]
fn a_cluster_of_the_new_console_is_a_stack() {
    insta::assert_snapshot!(planned("03.yaml").join("\n"), @r"
    create bucket/home
    create role/end
    create security_group/core
    create security_group/primary
    create bucket/data
    create object/bootstrap-installation-des-librairies-4425
    create cluster/main
    create schedule/end
    ");
}
