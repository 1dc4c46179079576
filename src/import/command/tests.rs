//! Commands as people paste them, and texts that are none.

use super::*;
use crate::import::notes::brief;

fn told(text: &str) -> String {
    let node = read(text, &|_| None, &mut Notes::default()).expect("is a command");
    brief(&node)
}

#[test]
fn a_command_is_read_however_it_is_broken_and_quoted() {
    let told = told(
        "$ aws --region eu-west-3 emr create-cluster \\\n  --name \"It's $NAME\" \\\r\n --tags a=b 'c=d e' | jq .",
    );
    assert_eq!(
        told,
        "{Region: eu-west-3, Name: It's ${NAME}, Tags: {a: b, c: d e}, Instances: {KeepJobFlowAliveWhenNoSteps: true}}"
    );
}

#[test]
fn what_is_no_command_is_told_at_its_place() {
    let wrong = |text: &str| read(text, &|_| None, &mut Notes::default()).expect_err("is none");
    assert_eq!(wrong("aws emr create-cluster --name 'a").span, 30..31);
    assert_eq!(wrong("aws emr list-clusters").message, "there is no `create-cluster` here");
    let json = wrong("aws emr create-cluster --configurations '[{\"Classification\": }]'");
    assert_eq!((json.span.start, json.message.as_str()), (61, "--configurations: not JSON: a value is expected here"));
}
