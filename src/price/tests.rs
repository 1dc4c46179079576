//! Sums that were calculated by hand, and what happens where no price is known.

use std::path::Path;

use super::*;

const LIFE: Duration = Duration::from_hours(3);

fn stack_in(region: &str, cluster: &str) -> Stack {
    let text =
        format!("stack: s\nregion: {region}\nowner: o@fruits.example\ncluster: {{release: emr-7.12.0, {cluster}}}\n");
    crate::stack::load_text("s.yaml", text, Path::new("")).expect("a stack").stack
}

fn stack(cluster: &str) -> Stack {
    stack_in("eu-west-3", cluster)
}

fn cost(stack: &Stack) -> Cost {
    estimate(stack, &Table::built_in(), LIFE)
}

#[test]
fn under_managed_scaling_the_most_is_told_in_the_dearest_nodes() {
    let hour = |cluster: &str| cost(&stack(cluster)).hourly.ec2;
    let groups = "primary: {type: m5.xlarge}, core: {type: m5.xlarge}, task: {big: {type: m5.2xlarge}}";
    // One primary node, and ten of the larger type at 0.448.
    assert_eq!(hour(&format!("{groups}, managed_scaling: {{minimum: 1, maximum: 10}}")), Some(4.928));
    // Forty processors: ten of the smaller type, each with a disk and an address of its own.
    let vcpu = format!("{groups}, managed_scaling: {{minimum: 4, maximum: 40, unit: vcpu}}");
    assert_eq!(hour(&vcpu), Some(2.464));
    let core = "primary: {type: m5.xlarge}, core: {type: m5.xlarge, count: 2}, managed_scaling: {minimum: 2, maximum: 5, maximum_core: 3}";
    assert_eq!(hour(core), Some(0.896));
}

/// Twelve clusters, each calculated by hand from the table: EC2, EMR's fee, EBS and addresses by the hour.
#[test]
fn sums_are_those_calculated_by_hand() {
    // 730 hours a month; gp3 at 0.088 (Ireland), 0.0928 (Paris), 0.0952 (Frankfurt) a GB.
    let hand: [(&str, &str, [f64; 4]); 12] = [
        // 3 x m5.xlarge: 15 GB of root and 64 attached each.
        (
            "eu-west-3",
            "primary: {type: m5.xlarge}, core: {type: m5.xlarge, count: 2}",
            [0.672, 0.144, 0.030_128, 0.015],
        ),
        (
            "eu-west-1",
            "primary: {type: m5.xlarge}, core: {type: m5.xlarge, count: 2}",
            [0.642, 0.144, 0.028_570, 0.015],
        ),
        (
            "eu-central-1",
            "primary: {type: m5.xlarge}, core: {type: m5.xlarge, count: 4}",
            [1.15, 0.24, 0.051_512, 0.025],
        ),
        // One node alone.
        ("eu-west-1", "primary: {type: m6g.xlarge}", [0.172, 0.0385, 0.009_523, 0.005]),
        // 8 vCPU: 128 GB attached.
        (
            "eu-west-3",
            "primary: {type: m5.2xlarge}, core: {type: m5.2xlarge, count: 2}",
            [1.344, 0.288, 0.054_536, 0.015],
        ),
        // Disks of their own: the root's 15 GB alone.
        (
            "eu-west-1",
            "primary: {type: m5d.xlarge}, core: {type: m5d.xlarge, count: 2}",
            [0.756, 0.1695, 0.005_425, 0.015],
        ),
        ("eu-central-1", "primary: {type: i3.xlarge}, core: {type: i3.xlarge}", [0.744, 0.156, 0.003_912, 0.01]),
        // 2 x 100 GB said, beside a root of 32.
        (
            "eu-west-3",
            "primary: {type: r5.xlarge, volumes: [{type: gp3, size: 100, per_instance: 2}]}, root_volume: {size: 32}",
            [0.296, 0.063, 0.029_493, 0.005],
        ),
        // Two types, and a task group of four.
        (
            "eu-west-1",
            "primary: {type: m5.xlarge}, core: {type: r5.xlarge, count: 2}, task: {more: {type: c5.xlarge, count: 4}}",
            [1.546, 0.344, 0.066_663, 0.035],
        ),
        (
            "eu-central-1",
            "primary: {type: c7g.xlarge}, core: {type: c7g.xlarge, count: 2}",
            [0.4947, 0.1086, 0.030_907, 0.015],
        ),
        ("eu-west-3", "primary: {type: g4dn.xlarge}", [0.615, 0.1315, 0.001_907, 0.005]),
        // Three primaries, for availability.
        (
            "eu-west-1",
            "primary: {type: m5.xlarge, count: 3}, core: {type: m5.xlarge, count: 3}",
            [1.284, 0.288, 0.057_140, 0.03],
        ),
    ];
    for (region, cluster, parts) in hand {
        let cost = cost(&stack_in(region, cluster));
        let Hourly { ec2, emr, ebs, ipv4, total } = cost.hourly;
        let near = |told: Option<f64>, by_hand: f64| {
            let told = told.expect("a known amount");
            assert!((told - by_hand).abs() <= by_hand * 0.01, "{region}, {cluster}: {told}, by hand {by_hand}");
        };
        for (told, by_hand) in [ec2, emr, ebs, ipv4].into_iter().zip(parts) {
            near(told, by_hand);
        }
        let hour: f64 = parts.iter().sum();
        near(total, hour);
        near(cost.lives.until_end, hour * 3.0);
        near(cost.lives.forgotten_night, hour * 12.0);
        near(cost.lives.forgotten_weekend, hour * 62.0);
        assert!(cost.unknown.is_empty() && cost.least.is_none());
    }
}

#[test]
fn what_is_not_known_is_named_and_no_sum_hides_it() {
    let cost = cost(&stack("primary: {type: m5.xlarge}, core: {type: r6i.32xlarge, count: 2}"));
    assert_eq!((cost.hourly.ec2, cost.hourly.total, cost.lives.until_end), (None, None, None));
    assert_eq!(cost.unknown, ["EMR's fee of r6i.32xlarge", "r6i.32xlarge in eu-west-3"]);
    assert_eq!(cost.hourly.ipv4, Some(0.015));
}

#[test]
fn what_no_list_tells_of_is_unknown_also_where_all_regions_are_meant() {
    let cost = cost(&stack_in("eusc-de-east-1", "primary: {type: m5.xlarge}"));
    assert_eq!((cost.hourly.ec2, cost.hourly.emr, cost.hourly.ebs, cost.hourly.ipv4), (None, None, None, None));
    assert_eq!(cost.unknown.len(), 4);
}

#[test]
fn spot_is_a_range_up_to_on_demand_and_leaves_emrs_fee_as_it_is() {
    let spot = stack("primary: {type: m5.xlarge}, core: {type: m5.xlarge, count: 2, market: spot}");
    let on_demand = cost(&stack("primary: {type: m5.xlarge}, core: {type: m5.xlarge, count: 2}"));
    let spot = cost(&spot);
    let least = spot.least.expect("a range");
    assert_eq!(spot.hourly, on_demand.hourly);
    assert_eq!((least.hourly.emr, least.hourly.ec2), (on_demand.hourly.emr, Some(0.2688)), "0.224 + 2 x 0.0224");
    assert!(least.lives.until_end < spot.lives.until_end);
}

#[test]
fn euros_are_told_where_a_rate_is_declared() {
    let dollars = stack("primary: {type: m5.xlarge}, core: {type: m5.xlarge, count: 2}");
    assert_eq!(cost(&dollars).eur, None);
    let eur = cost(&Stack { eur_per_usd: Some(0.9), ..dollars }).eur.expect("euros");
    assert_eq!((eur.hourly, eur.lives.until_end), (Some(0.78), Some(2.32)));
}

#[test]
fn requests_of_uploads_are_priced_by_the_thousand() {
    let none = cost(&stack("primary: {type: m5.xlarge}"));
    let table = Table::built_in();
    let some = none.clone().with_uploads(22_688, &table, EuRegion::EuWest3);
    assert_eq!(some.uploads, Some(Requests { puts: 22_688, usd: Some(0.1202) }));
    assert_eq!(none.clone().with_uploads(0, &table, EuRegion::EuWest3), none);
    assert_eq!(none.with_uploads(5, &table, EuRegion::EuNorth1).uploads.and_then(|uploads| uploads.usd), None);
}

#[test]
fn other_sizings_are_priced_where_they_are_known() {
    let demo = stack("primary: {type: m5.xlarge}, core: {type: m5.xlarge, count: 2}");
    let others: Vec<(String, String)> = alternatives(&demo, &Table::built_in())
        .into_iter()
        .map(|other| (other.what, format!("{:.2}", other.hourly)))
        .collect();
    let told = |what: &str, hourly: &str| (what.to_owned(), hourly.to_owned());
    assert_eq!(others, [told("core: 1 x m5.xlarge", "0.57"), told("Graviton: m6g.xlarge", "0.70")]);
    let single = stack("primary: {type: r6i.32xlarge}");
    assert!(alternatives(&single, &Table::built_in()).is_empty());
}

#[test]
fn what_fits_the_limits_is_the_most_that_does() {
    let fits = |limits: &str| {
        let five = format!(
            "stack: s\nregion: eu-west-3\nowner: o@fruits.example\nlimits: {limits}\n\
             cluster: {{release: emr-7.12.0, primary: {{type: m5.xlarge}}, core: {{type: m5.xlarge, count: 5}}}}\n"
        );
        cost(&crate::stack::load_text("s.yaml", five, Path::new("")).expect("a stack").stack).fits
    };
    assert_eq!(fits("{hourly: 1 USD}").as_deref(), Some("core: 2 x m5.xlarge"));
    assert_eq!(fits("{demo: 2 USD}").as_deref(), Some("core: 1 x m5.xlarge"));
    assert_eq!(fits("{hourly: 0.50 USD}"), None, "not even one");
    assert_eq!(fits("{hourly: 5 USD}"), None, "it fits as it is");
}
