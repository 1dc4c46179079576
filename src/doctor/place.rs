//! Of the region: the release, a zone that offers the types, and the ways out of the subnet in it.

use crate::blueprint;
use crate::cloud::error::CloudError;
use crate::cloud::surroundings::{self, Network};
use crate::cloud::ways::Ways;
use crate::resource::Cx;
use crate::stack::{BootstrapWork, Cluster, PackagesFrom, Stack};

use super::{Line, told};

pub(super) async fn lines(cx: &Cx, stack: &Stack) -> Vec<Line> {
    let Some(cluster) = &stack.cluster else { return vec![] };
    let (release, network) = futures::join!(release(cx, cluster), network(cx, stack));
    let mut lines = vec![told("release", release)];
    match network {
        Ok(network) => {
            lines.push(offers(stack, &network));
            let ways = cx.cloud.ways(&network.vpc, &network.subnet).await;
            lines.push(told("routes", ways.map(|ways| routes(stack, &network, &ways))));
        }
        Err(error) => lines.push(Line::of("offers", &error)),
    }
    lines
}

async fn release(cx: &Cx, cluster: &Cluster) -> Result<Line, CloudError> {
    let label = cluster.release.to_string();
    let here = cx.cloud.region;
    let Some(known) = cx.cloud.release(&label).await? else {
        return Ok(Line::mend("release", format!("{here} has no {label}"))
            .hint("`aws emr list-release-labels` names those it has"));
    };
    let lacks = |name: &&String| !known.iter().any(|known| known.eq_ignore_ascii_case(name));
    let lacking: Vec<&str> = cluster.applications.iter().filter(lacks).map(String::as_str).collect();
    Ok(if lacking.is_empty() {
        Line::ok("release", format!("{here} has {label} with {}", cluster.applications.join(", ")))
    } else {
        Line::mend("release", format!("{label} has no {}", lacking.join(", ")))
            .hint("choose another release, or leave it out")
    })
}

/// Where the cluster would be: named subnets are held against what their zones offer too.
async fn network(cx: &Cx, stack: &Stack) -> Result<Network, CloudError> {
    let wish = blueprint::wish(stack, &[]).unwrap_or_default();
    surroundings::network(&cx.cloud, &surroundings::Wish { vpc: None, ..wish }).await
}

fn offers(stack: &Stack, Network { vpc, subnet }: &Network) -> Line {
    let types = blueprint::wish(stack, &[]).unwrap_or_default().types;
    let types: Vec<String> = types.into_iter().collect();
    Line::ok("offers", format!("{} in the zone of {subnet} ({vpc})", types.join(", ")))
}

/// Whether nodes reach what they need: S3 always, a package index where packages come from one.
fn routes(stack: &Stack, Network { subnet, .. }: &Network, ways: &Ways) -> Line {
    let from_index = stack.bootstrap.iter().find(|action| match &action.work {
        BootstrapWork::Template { packages, from: PackagesFrom::Index, .. } => !packages.is_empty(),
        BootstrapWork::Template { .. } | BootstrapWork::Script(_) => false,
    });
    let own = stack.bootstrap.iter().find(|action| matches!(action.work, BootstrapWork::Script(_)));
    match (&ways.internet, &ways.s3, from_index, own) {
        (Some(gateway), Some(s3), ..) => {
            Line::ok("routes", format!("{subnet} reaches the internet by {gateway}, and S3 by {s3}"))
        }
        (Some(gateway), None, ..) => Line::ok("routes", format!("{subnet} reaches the internet and S3 by {gateway}")),
        (None, Some(_), Some(action), _) => Line::mend(
            "routes",
            format!("{subnet} has no way to the package index that `{}` installs from", action.name),
        )
        .hint("`packages_from: s3` stages the packages in the stack's bucket; or give the subnet a NAT gateway"),
        (None, Some(s3), None, Some(action)) => Line::warning(
            "routes",
            format!("{subnet} reaches S3 by {s3} and nothing else, which `{}` must be content with", action.name),
        ),
        (None, Some(s3), None, None) => {
            Line::ok("routes", format!("{subnet} reaches S3 by {s3}, which is enough for this stack"))
        }
        (None, None, ..) => {
            Line::mend("routes", format!("{subnet} has no way to S3: nodes would fetch and write nothing"))
                .hint("give its network a gateway endpoint for S3 (it costs nothing), or an internet or NAT gateway")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Status;
    use super::*;
    use crate::stack;

    fn routed(bootstrap: &str, internet: Option<&str>, s3: Option<&str>) -> Line {
        let text = format!(
            "stack: s\nregion: eu-west-3\nowner: o@fruits.example\nbuckets: {{logs: {{}}}}\nbootstrap: [{bootstrap}]\n\
             cluster: {{release: emr-7.12.0, primary: {{type: m5.xlarge}}}}\n"
        );
        let stack = stack::load_text("s.yaml", text, Path::new("")).expect("a stack").stack;
        let ways = Ways { internet: internet.map(str::to_owned), s3: s3.map(str::to_owned) };
        routes(&stack, &Network { vpc: "vpc-1".into(), subnet: "subnet-1".into() }, &ways)
    }

    #[test]
    fn a_private_subnet_serves_what_needs_s3_alone() {
        let template = |more: &str| {
            format!("{{name: python, template: bootstrap/python_packages.sh.j2, packages: {{pyarrow: 21.0.0}}{more}}}")
        };
        let staged = template(", packages_from: s3");
        assert_eq!(routed(&staged, None, Some("vpce-1")).status, Status::Ok);
        assert_eq!(routed(&staged, None, None).status, Status::Mend);
        let fetched = routed(&template(""), None, Some("vpce-1"));
        assert_eq!(fetched.status, Status::Mend);
        assert!(fetched.hint.is_some_and(|hint| hint.contains("packages_from: s3")));
        assert_eq!(routed(&template(""), Some("igw-1"), None).status, Status::Ok);
    }
}
