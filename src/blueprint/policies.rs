//! Who may do what: the least that EMR, its nodes and the caller need, built from a stack. Pure. A statement
//! is here because something fails without it, and names as little as it can.
//!
//! Sources: the statements of AmazonEMRServicePolicy_v2, whose conditions demand tags on subnets that are not
//! ours, here narrowed to the chosen subnet; EMR's management guide on the EC2 instance profile.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::cloud::mark;
use crate::cloud::surroundings::Surroundings;
use crate::residency::EuRegion;
use crate::resource::Ref;

use crate::resources::{HOME, object, role_path};
use crate::stack::{Bucket, Cluster, Encryption, Grants, OurBucket, Place, Stack};

use super::{home_name, nodes_role};

fn trust(principal: &str, condition: Option<Value>) -> Value {
    let mut statement = json!({"Effect": "Allow", "Principal": {"Service": principal}, "Action": "sts:AssumeRole"});
    if let Some(condition) = condition {
        statement["Condition"] = condition;
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

pub fn nodes_trust(around: &Surroundings) -> Value {
    trust(&around.region.service_principal("ec2"), None)
}

/// EMR of this account alone, against the confused deputy.
pub fn service_trust(around: &Surroundings) -> Value {
    let source = around.region.arn("elasticmapreduce", true, &around.account, "*");
    let condition =
        json!({"StringEquals": {"aws:SourceAccount": around.account}, "ArnLike": {"aws:SourceArn": source}});
    trust(&around.region.service_principal("elasticmapreduce"), Some(condition))
}

/// Scheduler of this account alone.
pub fn end_trust(around: &Surroundings) -> Value {
    let condition = json!({"StringEquals": {"aws:SourceAccount": around.account}});
    trust(&around.region.service_principal("scheduler"), Some(condition))
}

/// What ends this stack's clusters when their time has come, and may do nothing else.
pub fn end(stack: &Stack, around: &Surroundings) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "EndItsClusters",
        "Effect": "Allow",
        "Action": "elasticmapreduce:TerminateJobFlows",
        "Resource": around.region.arn("elasticmapreduce", true, &around.account, "cluster/*"),
        "Condition": {"StringEquals": {mark::OF_RESOURCE: stack.name}},
    }]})
}

/// What EMR itself needs to start, watch and end this stack's nodes.
pub fn service(stack: &Stack, around: &Surroundings) -> Value {
    let ec2 = |resource: &str| around.region.arn("ec2", true, &around.account, resource);
    // Images and snapshots belong to AWS: their ARNs name no account.
    let shared = |resource: &str| around.region.arn("ec2", true, "*", resource);
    let subnet = around.network.as_ref().map_or("*", |network| network.subnet.as_str());
    let tagged = json!({"StringEquals": {mark::OF_RESOURCE: stack.name}});
    let role = |path: &str| around.region.arn("iam", false, &around.account, path);
    let roles = match nodes_role(stack) {
        Ref::Ours(address) => json!(role(&format!("role{}{}-{}", role_path(&stack.name), stack.name, address.key))),
        // Its path is not known; no two roles of an account have one name.
        Ref::Theirs(id) => json!([role(&format!("role/{id}")), role(&format!("role/*/{id}"))]),
    };
    let mut statements = vec![
        json!({
            "Sid": "StartNodesInTheChosenSubnet",
            "Effect": "Allow",
            "Action": ["ec2:RunInstances", "ec2:CreateFleet", "ec2:CreateNetworkInterface", "ec2:CreateLaunchTemplate", "ec2:CreateLaunchTemplateVersion"],
            "Resource": [
                ec2(&format!("subnet/{subnet}")), ec2("security-group/*"), ec2("instance/*"), ec2("volume/*"), ec2("network-interface/*"),
                ec2("key-pair/*"), ec2("launch-template/*"), ec2("fleet/*"), ec2("placement-group/*"), ec2("capacity-reservation/*"),
                shared("image/*"), shared("snapshot/*"),
            ],
        }),
        json!({
            "Sid": "TagWhatItStarts",
            "Effect": "Allow",
            "Action": "ec2:CreateTags",
            "Resource": [ec2("instance/*"), ec2("volume/*"), ec2("network-interface/*"), ec2("launch-template/*"), ec2("fleet/*")],
            "Condition": {"StringEquals": {"ec2:CreateAction": ["RunInstances", "CreateFleet", "CreateLaunchTemplate", "CreateNetworkInterface"]}},
        }),
        json!({
            "Sid": "EndAndChangeItsOwn",
            "Effect": "Allow",
            "Action": [
                "ec2:TerminateInstances", "ec2:ModifyInstanceAttribute", "ec2:CreateTags", "ec2:DeleteTags", "ec2:DeleteLaunchTemplate",
                "ec2:DeleteNetworkInterface", "ec2:CancelSpotInstanceRequests", "ec2:DeleteVolume", "ec2:DetachVolume",
            ],
            "Resource": "*",
            "Condition": tagged,
        }),
        json!({
            "Sid": "OpenItsGroupsToOneAnother",
            "Effect": "Allow",
            "Action": [
                "ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress",
                "ec2:RevokeSecurityGroupEgress",
            ],
            "Resource": ec2("security-group/*"),
            "Condition": tagged,
        }),
        json!({
            "Sid": "Look",
            "Effect": "Allow",
            "Action": [
                "ec2:DescribeAccountAttributes", "ec2:DescribeAvailabilityZones", "ec2:DescribeCapacityReservations", "ec2:DescribeDhcpOptions",
                "ec2:DescribeImages", "ec2:DescribeInstances", "ec2:DescribeInstanceStatus", "ec2:DescribeInstanceTypeOfferings",
                "ec2:DescribeKeyPairs", "ec2:DescribeLaunchTemplates", "ec2:DescribeNetworkAcls", "ec2:DescribeNetworkInterfaces",
                "ec2:DescribePlacementGroups", "ec2:DescribePrefixLists", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups",
                "ec2:DescribeSpotInstanceRequests", "ec2:DescribeSpotPriceHistory", "ec2:DescribeSubnets", "ec2:DescribeVolumes",
                "ec2:DescribeVolumeStatus", "ec2:DescribeVpcAttribute", "ec2:DescribeVpcEndpoints", "ec2:DescribeVpcs",
            ],
            "Resource": "*",
        }),
        json!({
            "Sid": "HandTheNodesTheirRole",
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": roles,
            "Condition": {"StringLike": {"iam:PassedToService": format!("{}*", around.region.service_principal("ec2"))}},
        }),
    ];
    if stack.cluster.iter().flat_map(Cluster::groups).any(|(_, group)| group.buys_spot()) {
        // An account's first Spot instance makes the role that EC2 needs for it.
        let spot = around.region.service_principal("spot");
        statements.push(json!({
            "Sid": "BeTheFirstToUseSpot",
            "Effect": "Allow",
            "Action": "iam:CreateServiceLinkedRole",
            "Resource": around.region.arn("iam", false, &around.account, &format!("role/aws-service-role/{spot}/AWSServiceRoleForEC2Spot")),
            "Condition": {"StringEquals": {"iam:AWSServiceName": spot}},
        }));
    }
    statements.extend(log_access(stack, around));
    statements.extend(named_groups(stack, around));
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// EMR opens the groups of a cluster to one another, also those of somebody else, which bear no tag of the stack.
fn named_groups(stack: &Stack, around: &Surroundings) -> Option<Value> {
    let groups = stack.security_groups.as_ref()?;
    let named = [&groups.primary, &groups.core].into_iter().chain(&groups.service);
    let named = named.map(|group| format!("security-group/{}", group.name()));
    Some(json!({
        "Sid": "OpenTheGroupsThatAreNamed",
        "Effect": "Allow",
        "Action": [
            "ec2:AuthorizeSecurityGroupIngress", "ec2:AuthorizeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress",
            "ec2:RevokeSecurityGroupEgress",
        ],
        "Resource": named.map(|group| around.region.arn("ec2", true, &around.account, &group)).collect::<Vec<_>>(),
    }))
}

/// EMR itself writes some logs (of its provisioning) beside those of the nodes.
fn log_access(stack: &Stack, around: &Surroundings) -> Vec<Value> {
    let place = stack.logs();
    let Some((place, bucket)) =
        place.and_then(|place| stack.bucket_name(&place.bucket, &around.account).map(|bucket| (place, bucket)))
    else {
        return vec![];
    };
    let write = json!({
        "Sid": "WriteLogs",
        "Effect": "Allow",
        "Action": "s3:PutObject",
        "Resource": s3(around.region, &bucket, &format!("{}*", place.prefix)),
    });
    let lock = use_of("LockLogs", &["kms:GenerateDataKey"], &keys(stack, |key| key == place.bucket), around.region);
    [write].into_iter().chain(lock).collect()
}

/// The ARN of a bucket, or of objects in it.
pub(crate) fn s3(region: EuRegion, bucket: &str, key: &str) -> String {
    let resource = if key.is_empty() { bucket.to_owned() } else { format!("{bucket}/{key}") };
    region.arn("s3", false, "", &resource)
}

/// What the nodes, and so the jobs, may touch: the granted places, our files, and nothing outside the EU.
pub fn nodes(stack: &Stack, grants: &Grants, around: &Surroundings) -> Value {
    let region = around.region;
    let name = |place: &Place| stack.bucket_name(&place.bucket, &around.account);
    let objects = |place: &Place| Some(s3(region, &name(place)?, &format!("{}*", place.prefix)));
    let home = home_name(stack, &around.account);

    let mut buckets: Vec<String> = grants.read.iter().chain(&grants.write).filter_map(name).collect();
    buckets.sort();
    buckets.dedup();
    let mut readable: Vec<String> = grants.read.iter().filter_map(objects).collect();
    readable.push(s3(region, &home, &format!("{}*", object::PREFIX)));
    let looked_for = grants.read.iter().chain(&grants.write).filter_map(|place| Some((name(place)?, place)));
    readable.extend(looked_for.flat_map(|(bucket, place)| folders(region, &bucket, place)));
    readable.sort();
    readable.dedup();
    let mut writable: Vec<String> = grants.write.iter().filter_map(objects).collect();
    // Markers of folders: EMRFS's `features_$folder$` beside a prefix, S3A's `data/` above it.
    writable.extend(
        grants
            .write
            .iter()
            .filter_map(|place| Some((name(place)?, place)))
            .flat_map(|(bucket, place)| markers(region, &bucket, place)),
    );
    writable.sort();
    writable.dedup();

    let mut statements = vec![
        json!({
            "Sid": "List",
            "Effect": "Allow",
            "Action": ["s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"],
            "Resource": buckets.iter().map(|bucket| s3(region, bucket, "")).collect::<Vec<_>>(),
        }),
        json!({
            "Sid": "ListOurFiles",
            "Effect": "Allow",
            "Action": ["s3:ListBucket"],
            "Resource": s3(region, &home, ""),
            "Condition": {"StringLike": {"s3:prefix": format!("{}*", object::PREFIX)}},
        }),
        json!({"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": readable}),
        json!({
            "Sid": "Write",
            "Effect": "Allow",
            "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"],
            "Resource": writable,
        }),
    ];
    let in_any = |places: &BTreeSet<Place>, key: &str| places.iter().any(|place| place.bucket == key);
    let read = keys(stack, |key| key == HOME || in_any(&grants.read, key) || in_any(&grants.write, key));
    let written = keys(stack, |key| in_any(&grants.write, key));
    statements.extend(use_of("UnlockWhatIsRead", &["kms:Decrypt"], &read, region));
    statements.extend(use_of("LockWhatIsWritten", &["kms:GenerateDataKey"], &written, region));
    statements.push(json!({
        "Sid": "NothingOutsideTheEu",
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": {"StringNotEquals": {"aws:RequestedRegion": regions(region)}},
    }));
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// The EU regions of a partition.
pub(crate) fn regions(region: EuRegion) -> Vec<&'static str> {
    EuRegion::ALL.into_iter().filter(|r| r.partition() == region.partition()).map(EuRegion::as_str).collect()
}

/// `a`, `a/features` of `a/features/`.
fn ways(place: &Place) -> impl Iterator<Item = String> {
    let parts: Vec<&str> = place.prefix.split('/').filter(|part| !part.is_empty()).collect();
    (1..=parts.len()).map(move |n| parts[..n].join("/"))
}

fn markers(region: EuRegion, bucket: &str, place: &Place) -> Vec<String> {
    ways(place)
        .flat_map(|path| [s3(region, bucket, &format!("{path}/")), s3(region, bucket, &format!("{path}_$folder$"))])
        .collect()
}

/// The names by which S3A and EMRFS ask whether a folder is a file or is there at all. One that the policy leaves
/// out is answered with 403 where they count on 404.
fn folders(region: EuRegion, bucket: &str, place: &Place) -> Vec<String> {
    let bare = ways(place).map(|path| s3(region, bucket, &path));
    bare.chain(markers(region, bucket, place)).collect()
}

/// The KMS keys behind those of the stack's own buckets that are asked for by key; `home` is one of them. Which key
/// is behind somebody else's bucket, the stack does not say.
pub(crate) fn keys(stack: &Stack, asked: impl Fn(&str) -> bool) -> Vec<String> {
    let home = OurBucket::default();
    let ours = stack.buckets.iter().filter_map(|(key, bucket)| match bucket {
        Bucket::Ours(ours) => Some((key.as_str(), ours)),
        Bucket::Existing(_) => None,
    });
    let encrypted = ours.chain([(HOME, &home)]).filter(|(key, _)| asked(key));
    let keys = encrypted.filter_map(|(_, bucket)| match stack.encryption(bucket) {
        Encryption::Kms(arn) => Some(arn.to_owned()),
        Encryption::S3 => None,
    });
    keys.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The use of some keys, by way of S3 alone.
fn use_of(sid: &str, actions: &[&str], keys: &[String], region: EuRegion) -> Option<Value> {
    (!keys.is_empty()).then(|| {
        json!({
            "Sid": sid,
            "Effect": "Allow",
            "Action": actions,
            "Resource": keys,
            "Condition": {"StringEquals": {"kms:ViaService": format!("s3.{region}.{}", region.dns_suffix())}},
        })
    })
}

/// The name of home is the only thing these policies share with the buckets.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_stay_beside_and_above_what_may_be_written() {
        let place = Place::new("data", "a/features/");
        let found = markers(EuRegion::EuWest3, "b", &place);
        assert_eq!(
            found,
            [
                "arn:aws:s3:::b/a/",
                "arn:aws:s3:::b/a_$folder$",
                "arn:aws:s3:::b/a/features/",
                "arn:aws:s3:::b/a/features_$folder$"
            ]
        );
    }

    #[test]
    fn a_folder_is_looked_for_by_its_bare_name_too() {
        let found = folders(EuRegion::EuWest3, "b", &Place::new("data", "images/"));
        assert_eq!(found, ["arn:aws:s3:::b/images", "arn:aws:s3:::b/images/", "arn:aws:s3:::b/images_$folder$"]);
    }

    #[test]
    fn the_fence_of_a_partition_names_its_own_regions() {
        assert_eq!(regions(EuRegion::EuscDeEast1), ["eusc-de-east-1"]);
        assert_eq!(regions(EuRegion::EuWest3).len(), 6);
    }

    fn policies(text: &str) -> [Vec<Value>; 2] {
        let stack = crate::stack::load_text("s.yaml", text.into(), std::path::Path::new("")).expect("a stack").stack;
        let around = Surroundings::offline(stack.region, Some("000000000000"), None);
        let documents = [nodes(&stack, &stack.grants().expect("ours"), &around), service(&stack, &around)];
        documents.map(|document| document["Statement"].as_array().expect("statements").clone())
    }

    fn named<'a>(statements: &'a [Value], sid: &str) -> Option<&'a Value> {
        statements.iter().find(|statement| statement["Sid"] == sid)
    }

    const HEAD: &str = "stack: s\nregion: eu-west-3\nowner: o@fruits.example\n";
    const CLUSTER: &str = "cluster: {release: emr-7.12.0, primary: {type: m5.xlarge}}\n";

    #[test]
    fn only_the_keys_behind_what_is_granted_are_used_and_only_by_way_of_s3() {
        let key = |n: u32| format!("arn:aws:kms:eu-west-3:000000000000:key/{n}");
        let buckets = format!(
            "buckets: {{data: {{kms_key: {}}}, seen: {{kms_key: {}}}, secret: {{kms_key: {}}}, logs: {{}}}}\n",
            key(1),
            key(2),
            key(3)
        );
        let roles = "roles: {nodes: {read: [seen], write: [data/out/]}}\n";
        let text = format!("{HEAD}kms_key: {}\n{buckets}{roles}{CLUSTER}", key(4));
        let [nodes, service] = policies(&text);
        let via = json!({"StringEquals": {"kms:ViaService": "s3.eu-west-3.amazonaws.com"}});
        let (read, written) = (named(&nodes, "UnlockWhatIsRead"), named(&nodes, "LockWhatIsWritten"));
        let (read, written) = (read.expect("a statement"), written.expect("a statement"));
        // Home and the logs have the stack's own.
        assert_eq!((&read["Resource"], &read["Condition"]), (&json!([key(1), key(2), key(4)]), &via));
        assert_eq!(
            (&written["Resource"], &written["Action"]),
            (&json!([key(1), key(4)]), &json!(["kms:GenerateDataKey"]))
        );
        assert_eq!(named(&service, "LockLogs").expect("a statement")["Resource"], json!([key(4)]));

        let [nodes, service] = policies(&format!("{HEAD}buckets: {{data: {{}}, logs: {{}}}}\n{CLUSTER}"));
        assert!(!json!([nodes, service]).to_string().contains("kms:"), "no key, no permission");
    }

    #[test]
    fn emr_may_make_the_role_for_spot_only_where_the_stack_uses_spot() {
        let spot = CLUSTER.replace("{type: m5.xlarge}", "{type: m5.xlarge, market: spot}");
        let [_, service] = policies(&format!("{HEAD}{spot}"));
        let link = named(&service, "BeTheFirstToUseSpot").expect("a statement");
        assert_eq!(
            link["Resource"],
            "arn:aws:iam::000000000000:role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot"
        );
        let [_, service] = policies(&format!("{HEAD}{CLUSTER}"));
        assert_eq!(named(&service, "BeTheFirstToUseSpot"), None);
    }
}
