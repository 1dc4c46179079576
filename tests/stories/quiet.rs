//! A plan with nothing to do is quick because it asks little, and nothing twice.

use std::collections::BTreeMap;

use crate::support::Aws;

/// Calls of a no-op plan of the demonstration stack.
const AT_MOST: usize = 40;

#[test]
fn a_plan_with_nothing_to_do_asks_little_and_nothing_twice() {
    let aws = Aws::start();
    aws.up("demo").expect(0);
    aws.forget_calls();
    let plan = aws.plan("demo").expect(0);
    insta::assert_snapshot!(plan.out, @"
    fruits-demo in eu-west-3 (Paris), account 000000000000

    Cost: [amount] USD an hour (EC2 0.672, EMR's fee 0.144, EBS 0.030, public IPv4 0.015)
    Life: [amount] USD until its end, [amount] USD if forgotten for a night, [amount] USD for a weekend (estimates, prices of 2025-03)
    Nothing to do: 14 resources as declared.
    ");

    let calls = aws.calls();
    assert!(calls.len() <= AT_MOST, "{} calls: {calls:#?}", calls.len());
    let mut asked = BTreeMap::new();
    for call in &calls {
        let twice = asked.insert(&call.request, call);
        assert!(twice.is_none(), "asked twice: {call:?}");
        assert!(!call.mutating, "a plan changes nothing: {call:?}");
    }
}
