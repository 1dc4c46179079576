//! Of the account: who asks, whether the region is on, what may run at once, the names that are still to be had, and the
//! roles that AWS makes itself.

use std::collections::BTreeSet;

use crate::blueprint;
use crate::cloud::capacity::{Running, quota_code};
use crate::cloud::error::CloudError;
use crate::cloud::names::{Caller, Whose};
use crate::cloud::surroundings::Surroundings;
use crate::price::{self, Nodes, Table};
use crate::residency::EuRegion;
use crate::resource::{Cx, Live, Phase};
use crate::resources::{HOME, list_all};
use crate::stack::facts::instance_type;
use crate::stack::{Bucket, Stack};
use crate::text::counted;

use super::{Line, told};

pub(super) async fn lines(cx: &Cx, stack: &Stack, prices: &Table, caller: &Caller) -> Vec<Line> {
    let (region, live) = futures::join!(region(cx), list_all(cx));
    let mut lines = vec![account(stack, caller), told("region", region)];
    let live = match live {
        Ok(live) => live,
        Err(error) => {
            lines.push(Line::of("what is there", &error));
            return lines;
        }
    };
    let (names, quotas, linked) =
        futures::join!(names(cx, stack, &caller.account, &live), quotas(cx, stack, prices, &live), linked(cx, stack));
    lines.push(told("names", names));
    lines.extend(quotas);
    lines.extend(linked);
    lines
}

pub(super) fn credentials(caller: &Caller, embedded: bool) -> Line {
    if embedded {
        return Line::ok("credentials", "the embedded AWS asks for none of yours");
    }
    let who = caller.arn.rsplit(':').next().unwrap_or_default();
    if caller.is_root() {
        return Line::warning("credentials", "these are the account's root user's, whom no policy bounds")
            .hint("make a user or a role with what `fruitsinfra render STACK policy` writes, and use that");
    }
    Line::ok("credentials", format!("{who}, who is not the root user"))
}

fn account(stack: &Stack, Caller { account, .. }: &Caller) -> Line {
    match stack.account.as_deref() {
        Some(said) if said != account => {
            Line::mend("account", format!("these credentials are of {account}, and the stack says {said}"))
                .hint("use others (AWS_PROFILE), or correct the stack's `account`")
        }
        Some(_) => Line::ok("account", format!("{account}, as the stack says")),
        None => Line::ok("account", format!("{account}; the stack would do for any")),
    }
}

async fn region(cx: &Cx) -> Result<Line, CloudError> {
    let (here, regions) = (cx.cloud.region, cx.cloud.regions().await?);
    if regions.off.contains(&here) {
        return Ok(Line::mend("region", format!("{here} is not enabled in this account")).hint(enable(here)));
    }
    Ok(Line::ok("region", format!("{here} ({}) is enabled", here.place())))
}

/// How a region is switched on.
pub(super) fn enable(region: EuRegion) -> String {
    format!("switch the region on, if it is off: `aws account enable-region --region-name {region}` takes some minutes")
}

/// Names that `up` would give and has not given yet.
async fn names(cx: &Cx, stack: &Stack, account: &str, live: &[Live]) -> Result<Line, CloudError> {
    let given = |kind: &str, name: &str| {
        live.iter().any(|live| live.resource.address().kind == kind && live.resource.name() == name)
    };
    let declared = stack.buckets.iter().filter_map(|(key, bucket)| match bucket {
        Bucket::Ours(_) => stack.bucket_name(key, account),
        Bucket::Existing(_) => None,
    });
    let buckets = declared.chain([stack.default_bucket_name(HOME, account)]);
    let buckets: Vec<String> = buckets.filter(|name| !given("bucket", name)).collect();
    let around = Surroundings::offline(stack.region, Some(account), None);
    let roles = if stack.cluster.is_some() { blueprint::roles(stack, &around) } else { vec![] };
    let roles: Vec<String> = roles.into_iter().map(|role| role.name).filter(|name| !given("role", name)).collect();
    let profile = format!("{}-nodes", stack.name);
    let asks_profile =
        stack.cluster.is_some() && stack.instance_profile.is_none() && !given("instance_profile", &profile);

    let whose = futures::future::try_join_all(buckets.iter().map(|name| cx.cloud.whose_bucket(name)));
    let there = futures::future::try_join_all(roles.iter().map(|name| cx.cloud.has_role(name)));
    let profiles = async { if asks_profile { cx.cloud.has_instance_profile(&profile).await } else { Ok(false) } };
    let (whose, there, profiled) = futures::try_join!(whose, there, profiles)?;

    let taken = buckets.iter().zip(&whose).filter_map(|(name, whose)| match whose {
        Whose::Nobodys => None,
        Whose::ThisAccounts => Some(format!("bucket {name} is there, without this stack's mark")),
        Whose::Anothers => {
            Some(format!("bucket {name} is another account's, or these credentials lack s3:ListBucket on it"))
        }
    });
    let roles_taken = roles.iter().zip(&there).filter(|(_, there)| **there);
    let roles_taken = roles_taken.map(|(name, _)| format!("role {name} is there, without this stack's mark"));
    let profile_taken = profiled.then(|| format!("instance profile {profile} is there, without this stack's mark"));
    let taken: Vec<String> = taken.chain(roles_taken).chain(profile_taken).collect();
    if !taken.is_empty() {
        return Ok(Line::mend("names", taken.join("; "))
            .hint("rename the stack or the bucket, or refer to what is there with `existing:`"));
    }
    let asked = buckets.len() + roles.len() + usize::from(asks_profile);
    Ok(Line::ok(
        "names",
        match asked {
            0 => "all that the stack gives are its own already".into(),
            n => format!("{} to be given, all free", counted(n, "name")),
        },
    ))
}

fn usable(live: &Live) -> bool {
    let phase = live.resource.phase();
    live.resource.address().kind == "cluster" && matches!(phase, Phase::Starting | Phase::Standing)
}

/// Families that EC2 calls standard.
const STANDARD: [char; 9] = ['a', 'c', 'd', 'h', 'i', 'm', 'r', 't', 'z'];

/// Whether EC2 lets the cluster's processors run: on demand, and on the spot market.
async fn quotas(cx: &Cx, stack: &Stack, prices: &Table, live: &[Live]) -> Vec<Line> {
    let Some(cluster) = &stack.cluster else { return vec![] };
    if live.iter().any(usable) {
        return vec![Line::ok("quota", "the cluster is there: nothing more is to be started")];
    }
    let nodes = price::nodes(cluster, prices, stack.region);
    let wanted = [("quota", false), ("spot quota", true)].map(|(check, spot)| (check, spot, processors(&nodes, spot)));
    let (running, limits) = futures::join!(
        cx.cloud.running(),
        futures::future::join_all(wanted.iter().map(async |(_, spot, needed)| match needed {
            Processors { standard: 0, .. } => None,
            _ => Some(cx.cloud.quota(*spot).await),
        }))
    );
    let mut lines = Vec::new();
    for ((check, spot, needed), limit) in wanted.into_iter().zip(limits) {
        if !needed.others.is_empty() {
            let others = needed.others.iter().copied().collect::<Vec<_>>().join(", ");
            lines.push(
                Line::warning(check, format!("what may run of {others} at once is not looked at"))
                    .hint("see Service Quotas, Amazon EC2, in the console"),
            );
        }
        lines.extend(limit.map(|limit| told(check, quota(check, spot, needed.standard, limit, running.as_deref()))));
    }
    lines
}

fn quota(
    check: &'static str,
    spot: bool,
    needed: u32,
    limit: Result<f64, CloudError>,
    running: Result<&[Running], &CloudError>,
) -> Result<Line, CloudError> {
    let (limit, running) = (limit?, running.map_err(Clone::clone)?);
    let used = processors(
        &running
            .iter()
            .map(|of| Nodes { instance_type: &of.instance_type, count: 1, spot: of.spot, disks: None })
            .collect::<Vec<_>>(),
        spot,
    );
    let used = used.standard;
    let market = if spot { "on the spot market" } else { "on demand" };
    let message =
        format!("{needed} vCPUs are needed {market}; EC2 lets {limit:.0} run at once here, of which {used} do");
    if f64::from(needed + used) <= limit {
        return Ok(Line::ok(check, message));
    }
    Ok(Line::mend(check, message).hint(format!(
        "take smaller or fewer nodes, or ask for more: `aws service-quotas request-service-quota-increase --service-code ec2 \
         --quota-code {} --desired-value {}`, which may take days",
        quota_code(spot),
        needed + used
    )))
}

/// Virtual processors of nodes that are bought one way.
#[derive(Debug, Default, PartialEq, Eq)]
struct Processors<'a> {
    standard: u32,
    /// Types that other quotas bound, or whose processors are not known.
    others: BTreeSet<&'a str>,
}

fn processors<'a>(nodes: &[Nodes<'a>], spot: bool) -> Processors<'a> {
    let mut sum = Processors::default();
    for of in nodes.iter().filter(|of| of.spot == spot && of.count > 0) {
        match instance_type(of.instance_type) {
            Some(known) if of.instance_type.starts_with(STANDARD) => sum.standard += known.vcpu * of.count,
            _ => {
                sum.others.insert(of.instance_type);
            }
        }
    }
    sum
}

/// Roles that AWS makes for a service: EMR's own with the first cluster, if the caller may; Spot's by hand.
async fn linked(cx: &Cx, stack: &Stack) -> Vec<Line> {
    let Some(cluster) = &stack.cluster else { return vec![] };
    let spot = cluster.groups().any(|(_, group)| group.buys_spot());
    let cleanup = async {
        Ok(if cx.cloud.has_role("AWSServiceRoleForEMRCleanup").await? {
            Line::ok("service-linked role", "AWSServiceRoleForEMRCleanup is there")
        } else {
            Line::ok("service-linked role", "AWSServiceRoleForEMRCleanup is made with the account's first cluster")
        })
    };
    let spots = async {
        if !spot {
            return None;
        }
        let name = "AWSServiceRoleForEC2Spot";
        Some(cx.cloud.has_role(name).await.map(|there| {
            if there {
                return Line::ok("spot role", format!("{name} is there"));
            }
            Line::mend("spot role", format!("{name} is not there, without which EMR gets no Spot"))
                .hint("`aws iam create-service-linked-role --aws-service-name spot.amazonaws.com`")
        }))
    };
    let (cleanup, spots) = futures::join!(cleanup, spots);
    [("service-linked role", Some(cleanup)), ("spot role", spots)]
        .into_iter()
        .filter_map(|(check, asked)| Some(told(check, asked?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_counted_by_market_and_what_another_quota_bounds_is_named() {
        let node = |instance_type, count, spot| Nodes { instance_type, count, spot, disks: None };
        let nodes = [
            node("m5.xlarge", 3, false),
            node("r5.2xlarge", 1, true),
            node("g4dn.xlarge", 2, false),
            node("p9.huge", 1, true),
            node("c5.xlarge", 0, true),
        ];
        let on_demand = Processors { standard: 12, others: ["g4dn.xlarge"].into() };
        assert_eq!(processors(&nodes, false), on_demand);
        assert_eq!(processors(&nodes, true), Processors { standard: 8, others: ["p9.huge"].into() });
    }

    #[test]
    fn what_runs_already_counts_against_the_quota() {
        let running = [Running { instance_type: "m5.xlarge".into(), spot: false }];
        let line = |limit| quota("quota", false, 12, Ok(limit), Ok(&running)).expect("a line");
        assert_eq!(line(16.0).status, super::super::Status::Ok);
        let short = line(15.0);
        assert_eq!(short.status, super::super::Status::Mend);
        assert!(short.hint.is_some_and(|hint| hint.contains("--quota-code L-1216C47A --desired-value 16")));
    }
}
