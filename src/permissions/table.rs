//! The table: each call that our commands make on a stack's account, who makes it, and what AWS asks for it; only `prices update`,
//! which asks for no stack, is not in it. Data, and nothing else.
//!
//! Sources: AWS's Service Authorization Reference (actions, their resource types and condition keys, dependent
//! actions), and the permissions that the API references of S3, IAM, EC2 and EMR name for single parameters: tags
//! and object ownership at CreateBucket, tags at PutObject, If-Match, tags at RunJobFlow, roles that are handed on.

use super::Command::{self, Destroy, Down, Guard, Plan, Up};
use super::terms::{Given, Need, On, Only, Row};

const ALL: &[Command] = &[Plan, Up, Down, Destroy];
/// Commands that look and take nothing: `doctor`, `evidence`, `import --cluster`.
const LOOKING: &[Command] = &[Plan];
/// Commands that read what others wrote: files sent, logs, reports.
const READING: &[Command] = &[Plan, Up];
/// Commands that take the lease.
const WRITING: &[Command] = &[Up, Down, Destroy];
const MAKING: &[Command] = &[Up];
/// `up` too removes: what left the stack, and what is made anew.
const REMOVING: &[Command] = &[Up, Destroy];

const fn row(call: &'static str, by: &'static [Command], needs: &'static [Need]) -> Row {
    Row { call, by, only: Only::Ever, needs }
}

/// A call that is made for the sake of a cluster's fleets.
const fn fleets(call: &'static str, by: &'static [Command], needs: &'static [Need]) -> Row {
    Row { call, by, only: Only::WithFleets, needs }
}

/// A call that is made for a cluster's sake.
const fn emr(call: &'static str, by: &'static [Command], needs: &'static [Need]) -> Row {
    Row { call, by, only: Only::WithCluster, needs }
}

const fn always(action: &'static str, on: On) -> Need {
    Need { action, on, given: Given::Always }
}

const fn given(given: Given, action: &'static str, on: On) -> Need {
    Need { action, on, given }
}

const fn here(action: &'static str) -> Need {
    given(Given::InItsRegion, action, On::Everything)
}

const fn ours(action: &'static str, on: On) -> Need {
    given(Given::OfThisStack, action, on)
}

const fn pass(on: On, service: &'static str) -> Need {
    given(Given::PassedTo(service), "iam:PassRole", on)
}

/// One that can be written for all resources only, and has to be narrowed by region.
const fn anywhere(action: &'static str) -> Need {
    given(Given::InTheEu, action, On::Everything)
}

const fn marked(action: &'static str, on: On) -> Need {
    given(Given::Marked, action, on)
}

const EMR: &str = "elasticmapreduce";
const GUARD: &[Command] = &[Guard];

pub const TABLE: &[Row] = &[
    // AWS refuses it to nobody.
    row("sts GetCallerIdentity", &[Plan, Up, Down, Destroy, Guard], &[]),
    // --- S3, looking
    row("s3 ListBuckets", ALL, &[here("s3:ListAllMyBuckets")]),
    row("s3 GetBucketTagging", ALL, &[always("s3:GetBucketTagging", On::Buckets)]),
    row("s3 GetBucketEncryption", ALL, &[always("s3:GetEncryptionConfiguration", On::Buckets)]),
    row("s3 GetBucketVersioning", ALL, &[always("s3:GetBucketVersioning", On::Buckets)]),
    row("s3 GetBucketLifecycleConfiguration", ALL, &[always("s3:GetLifecycleConfiguration", On::Buckets)]),
    row("s3 GetBucketOwnershipControls", ALL, &[always("s3:GetBucketOwnershipControls", On::Buckets)]),
    row("s3 GetBucketPolicy", ALL, &[always("s3:GetBucketPolicy", On::Buckets)]),
    row("s3 GetPublicAccessBlock", ALL, &[always("s3:GetBucketPublicAccessBlock", On::Buckets)]),
    row("s3 HeadBucket", ALL, &[always("s3:ListBucket", On::BucketsOfOthers)]),
    row(
        "s3 GetBucketLocation",
        LOOKING,
        &[always("s3:GetBucketLocation", On::Buckets), always("s3:GetBucketLocation", On::BucketsOfOthers)],
    ),
    row(
        "s3 GetBucketReplication",
        LOOKING,
        &[
            always("s3:GetReplicationConfiguration", On::Buckets),
            always("s3:GetReplicationConfiguration", On::BucketsOfOthers),
        ],
    ),
    row("s3 GetBucketEncryption", LOOKING, &[always("s3:GetEncryptionConfiguration", On::BucketsOfOthers)]),
    row("s3 GetPublicAccessBlock", LOOKING, &[always("s3:GetBucketPublicAccessBlock", On::BucketsOfOthers)]),
    // Whether names are still to be had.
    row("s3 HeadBucket", LOOKING, &[always("s3:ListBucket", On::Buckets)]),
    row("s3 ListObjectsV2", ALL, &[always("s3:ListBucket", On::Buckets)]),
    // Who may not list is told 403 of an object that is not there, and not 404.
    row(
        "s3 GetObject",
        ALL,
        &[
            always("s3:GetObject", On::Home),
            always("s3:ListBucket", On::Buckets),
            given(Given::ByWayOfS3, "kms:Decrypt", On::KeyOfHome),
        ],
    ),
    row(
        "s3 GetObject",
        READING,
        &[
            always("s3:GetObject", On::Logs),
            always("s3:GetObject", On::Results),
            given(Given::ByWayOfS3, "kms:Decrypt", On::KeysBeside),
        ],
    ),
    // --- S3, our own objects. A condition by ETag also asks for s3:GetObject.
    row(
        "s3 PutObject",
        WRITING,
        &[
            always("s3:PutObject", On::Home),
            always("s3:GetObject", On::Home),
            given(Given::ByWayOfS3, "kms:GenerateDataKey", On::KeyOfHome),
        ],
    ),
    row("s3 DeleteObject", &[Down], &[always("s3:DeleteObject", On::Home), always("s3:GetObject", On::Home)]),
    row("s3 DeleteObject", REMOVING, &[always("s3:DeleteObject", On::Objects), always("s3:GetObject", On::Home)]),
    row(
        "s3 PutObject",
        MAKING,
        &[
            always("s3:PutObjectTagging", On::Home),
            always("s3:PutObject", On::Uploads),
            given(Given::ByWayOfS3, "kms:GenerateDataKey", On::KeysBeside),
        ],
    ),
    // --- S3, buckets made and changed
    row(
        "s3 CreateBucket",
        MAKING,
        &[
            given(Given::InItsRegion, "s3:CreateBucket", On::Buckets),
            always("s3:TagResource", On::Buckets),
            always("s3:PutBucketOwnershipControls", On::Buckets),
        ],
    ),
    // One whose name is taken is looked at: it may be ours, of an interrupted run.
    row("s3 HeadBucket", MAKING, &[always("s3:ListBucket", On::Buckets)]),
    row("s3 PutPublicAccessBlock", MAKING, &[always("s3:PutBucketPublicAccessBlock", On::Buckets)]),
    row("s3 PutBucketOwnershipControls", MAKING, &[always("s3:PutBucketOwnershipControls", On::Buckets)]),
    row("s3 PutBucketEncryption", MAKING, &[always("s3:PutEncryptionConfiguration", On::Buckets)]),
    row("s3 PutBucketVersioning", MAKING, &[always("s3:PutBucketVersioning", On::Buckets)]),
    row("s3 PutBucketLifecycleConfiguration", MAKING, &[always("s3:PutLifecycleConfiguration", On::Buckets)]),
    row("s3 DeleteBucketLifecycle", MAKING, &[always("s3:PutLifecycleConfiguration", On::Buckets)]),
    row("s3 PutBucketTagging", MAKING, &[always("s3:PutBucketTagging", On::Buckets)]),
    // Also before a bucket is emptied, so that nobody refills it.
    row("s3 PutBucketPolicy", REMOVING, &[always("s3:PutBucketPolicy", On::Buckets)]),
    // --- S3, buckets emptied and removed
    row("s3 ListObjectVersions", REMOVING, &[always("s3:ListBucketVersions", On::Buckets)]),
    // By version, also where there are none: that one is called "null". A deletion of a version is one of an object too.
    row(
        "s3 DeleteObjects",
        REMOVING,
        &[always("s3:DeleteObject", On::Objects), always("s3:DeleteObjectVersion", On::Objects)],
    ),
    row("s3 ListMultipartUploads", REMOVING, &[always("s3:ListBucketMultipartUploads", On::Buckets)]),
    row("s3 AbortMultipartUpload", REMOVING, &[always("s3:AbortMultipartUpload", On::Objects)]),
    row("s3 DeleteBucket", REMOVING, &[always("s3:DeleteBucket", On::Buckets)]),
    // --- IAM
    row("iam GetRole", ALL, &[always("iam:GetRole", On::RolesByName), always("iam:GetRole", On::RolesOfOthers)]),
    emr("iam GetRole", LOOKING, &[always("iam:GetRole", On::LinkedRoles)]),
    row("iam GetRolePolicy", ALL, &[always("iam:GetRolePolicy", On::Roles)]),
    row("iam ListAttachedRolePolicies", ALL, &[always("iam:ListAttachedRolePolicies", On::Roles)]),
    row(
        "iam GetInstanceProfile",
        ALL,
        &[always("iam:GetInstanceProfile", On::ProfilesByName), always("iam:GetInstanceProfile", On::ProfileOfOthers)],
    ),
    emr("iam CreateRole", MAKING, &[always("iam:CreateRole", On::Roles), always("iam:TagRole", On::Roles)]),
    emr("iam PutRolePolicy", MAKING, &[always("iam:PutRolePolicy", On::Roles)]),
    emr("iam UpdateAssumeRolePolicy", MAKING, &[always("iam:UpdateAssumeRolePolicy", On::Roles)]),
    emr("iam TagRole", MAKING, &[always("iam:TagRole", On::Roles)]),
    emr("iam UntagRole", MAKING, &[always("iam:UntagRole", On::Roles)]),
    row("iam DetachRolePolicy", REMOVING, &[always("iam:DetachRolePolicy", On::Roles)]),
    row("iam ListRolePolicies", REMOVING, &[always("iam:ListRolePolicies", On::Roles)]),
    row("iam DeleteRolePolicy", REMOVING, &[always("iam:DeleteRolePolicy", On::Roles)]),
    row("iam DeleteRole", REMOVING, &[always("iam:DeleteRole", On::Roles)]),
    emr(
        "iam CreateInstanceProfile",
        MAKING,
        &[always("iam:CreateInstanceProfile", On::Profiles), always("iam:TagInstanceProfile", On::Profiles)],
    ),
    emr(
        "iam AddRoleToInstanceProfile",
        MAKING,
        &[always("iam:AddRoleToInstanceProfile", On::Profiles), pass(On::NodesRole, "ec2")],
    ),
    row("iam RemoveRoleFromInstanceProfile", REMOVING, &[always("iam:RemoveRoleFromInstanceProfile", On::Profiles)]),
    row("iam DeleteInstanceProfile", REMOVING, &[always("iam:DeleteInstanceProfile", On::Profiles)]),
    // --- EC2
    row("ec2 DescribeSecurityGroups", ALL, &[here("ec2:DescribeSecurityGroups")]),
    emr("ec2 DescribeSubnets", ALL, &[here("ec2:DescribeSubnets")]),
    emr("ec2 DescribeInstanceTypeOfferings", ALL, &[here("ec2:DescribeInstanceTypeOfferings")]),
    row("ec2 DescribeRegions", LOOKING, &[here("ec2:DescribeRegions")]),
    emr("ec2 DescribeInstances", LOOKING, &[here("ec2:DescribeInstances")]),
    emr("ec2 DescribeRouteTables", LOOKING, &[here("ec2:DescribeRouteTables")]),
    emr("ec2 DescribeVpcEndpoints", LOOKING, &[here("ec2:DescribeVpcEndpoints")]),
    emr("servicequotas GetServiceQuota", LOOKING, &[here("servicequotas:GetServiceQuota")]),
    emr(
        "ec2 CreateSecurityGroup",
        MAKING,
        &[
            always("ec2:CreateSecurityGroup", On::Networks),
            given(Given::BornMarked, "ec2:CreateSecurityGroup", On::Groups),
            given(Given::AtCreationOf("CreateSecurityGroup"), "ec2:CreateTags", On::Groups),
        ],
    ),
    emr("ec2 AuthorizeSecurityGroupIngress", MAKING, &[ours("ec2:AuthorizeSecurityGroupIngress", On::Groups)]),
    emr("ec2 CreateTags", MAKING, &[ours("ec2:CreateTags", On::Groups)]),
    emr("ec2 DeleteTags", MAKING, &[ours("ec2:DeleteTags", On::Groups)]),
    row("ec2 RevokeSecurityGroupIngress", WRITING, &[ours("ec2:RevokeSecurityGroupIngress", On::Groups)]),
    row("ec2 RevokeSecurityGroupEgress", WRITING, &[ours("ec2:RevokeSecurityGroupEgress", On::Groups)]),
    // Who holds on to a group that cannot go, and what EMR leaves behind.
    row("ec2 DescribeNetworkInterfaces", WRITING, &[here("ec2:DescribeNetworkInterfaces")]),
    row("ec2 DescribeVpcEndpoints", WRITING, &[here("ec2:DescribeVpcEndpoints")]),
    row("ec2 DeleteSecurityGroup", WRITING, &[ours("ec2:DeleteSecurityGroup", On::Groups)]),
    // --- EMR. A listing tells no tags: a cluster is described before it is known whose it is.
    row("emr ListClusters", ALL, &[here("elasticmapreduce:ListClusters")]),
    row("emr DescribeCluster", ALL, &[always("elasticmapreduce:DescribeCluster", On::Clusters)]),
    row("emr ListInstanceGroups", ALL, &[ours("elasticmapreduce:ListInstanceGroups", On::Clusters)]),
    fleets("emr ListInstanceFleets", ALL, &[ours("elasticmapreduce:ListInstanceFleets", On::Clusters)]),
    row("emr GetAutoTerminationPolicy", ALL, &[ours("elasticmapreduce:GetAutoTerminationPolicy", On::Clusters)]),
    row("emr GetManagedScalingPolicy", ALL, &[ours("elasticmapreduce:GetManagedScalingPolicy", On::Clusters)]),
    emr("emr DescribeReleaseLabel", LOOKING, &[here("elasticmapreduce:DescribeReleaseLabel")]),
    row("emr ListBootstrapActions", LOOKING, &[ours("elasticmapreduce:ListBootstrapActions", On::Clusters)]),
    // Of twins, the one with work stays.
    row("emr ListSteps", ALL, &[ours("elasticmapreduce:ListSteps", On::Clusters)]),
    emr(
        "emr RunJobFlow",
        MAKING,
        &[
            given(Given::BornMarked, "elasticmapreduce:RunJobFlow", On::Everything),
            // It cannot be told from marking a cluster that is there: who may create by mark may also claim by mark.
            given(Given::BornMarked, "elasticmapreduce:AddTags", On::Clusters),
            pass(On::NodesRole, "ec2"),
            pass(On::ServiceRole, EMR),
            pass(On::ScalingRole, "application-autoscaling"),
            given(Given::LinkedTo(EMR), "iam:CreateServiceLinkedRole", On::CleanupRole),
        ],
    ),
    emr("emr AddJobFlowSteps", MAKING, &[ours("elasticmapreduce:AddJobFlowSteps", On::Clusters)]),
    emr("emr DescribeStep", MAKING, &[ours("elasticmapreduce:DescribeStep", On::Clusters)]),
    emr("emr AddTags", MAKING, &[ours("elasticmapreduce:AddTags", On::Clusters)]),
    emr("emr RemoveTags", MAKING, &[ours("elasticmapreduce:RemoveTags", On::Clusters)]),
    emr("emr ModifyCluster", MAKING, &[ours("elasticmapreduce:ModifyCluster", On::Clusters)]),
    emr("emr SetTerminationProtection", MAKING, &[ours("elasticmapreduce:SetTerminationProtection", On::Clusters)]),
    emr(
        "emr SetKeepJobFlowAliveWhenNoSteps",
        MAKING,
        &[ours("elasticmapreduce:SetKeepJobFlowAliveWhenNoSteps", On::Clusters)],
    ),
    emr("emr PutAutoTerminationPolicy", MAKING, &[ours("elasticmapreduce:PutAutoTerminationPolicy", On::Clusters)]),
    emr("emr PutManagedScalingPolicy", MAKING, &[ours("elasticmapreduce:PutManagedScalingPolicy", On::Clusters)]),
    emr("emr RemoveManagedScalingPolicy", MAKING, &[ours("elasticmapreduce:RemoveManagedScalingPolicy", On::Clusters)]),
    emr("emr AddInstanceGroups", MAKING, &[ours("elasticmapreduce:AddInstanceGroups", On::Clusters)]),
    fleets("emr ModifyInstanceFleet", MAKING, &[ours("elasticmapreduce:ModifyInstanceFleet", On::Clusters)]),
    emr("emr ModifyInstanceGroups", MAKING, &[ours("elasticmapreduce:ModifyInstanceGroups", On::Clusters)]),
    // --- Scheduler
    row("scheduler GetSchedule", ALL, &[always("scheduler:GetSchedule", On::Schedule)]),
    emr(
        "scheduler CreateSchedule",
        MAKING,
        &[always("scheduler:CreateSchedule", On::Schedule), pass(On::EndRole, "scheduler")],
    ),
    emr(
        "scheduler UpdateSchedule",
        MAKING,
        &[always("scheduler:UpdateSchedule", On::Schedule), pass(On::EndRole, "scheduler")],
    ),
    row("scheduler DeleteSchedule", WRITING, &[always("scheduler:DeleteSchedule", On::Schedule)]),
    // --- What ends
    row("emr TerminateJobFlows", WRITING, &[ours("elasticmapreduce:TerminateJobFlows", On::Clusters)]),
    // --- The guard, which knows no stack: it reads everywhere in the EU, and changes only what bears a mark.
    row("ec2 DescribeRegions", GUARD, &[anywhere("ec2:DescribeRegions")]),
    row("emr ListClusters", GUARD, &[anywhere("elasticmapreduce:ListClusters")]),
    row("ec2 DescribeInstances", GUARD, &[anywhere("ec2:DescribeInstances")]),
    row("cloudwatch GetMetricData", GUARD, &[anywhere("cloudwatch:GetMetricData")]),
    row("ec2 DescribeSecurityGroups", GUARD, &[anywhere("ec2:DescribeSecurityGroups")]),
    row("scheduler ListSchedules", GUARD, &[anywhere("scheduler:ListSchedules")]),
    row("scheduler GetSchedule", GUARD, &[always("scheduler:GetSchedule", On::SchedulesOfAll)]),
    row("s3 ListBuckets", GUARD, &[anywhere("s3:ListAllMyBuckets")]),
    row("s3 GetBucketTagging", GUARD, &[always("s3:GetBucketTagging", On::Homes)]),
    row("emr DescribeCluster", GUARD, &[always("elasticmapreduce:DescribeCluster", On::ClustersOfAll)]),
    row("emr ListSteps", GUARD, &[always("elasticmapreduce:ListSteps", On::ClustersOfAll)]),
    row("emr AddTags", GUARD, &[marked("elasticmapreduce:AddTags", On::ClustersOfAll)]),
    row(
        "emr SetTerminationProtection",
        GUARD,
        &[marked("elasticmapreduce:SetTerminationProtection", On::ClustersOfAll)],
    ),
    row("emr TerminateJobFlows", GUARD, &[marked("elasticmapreduce:TerminateJobFlows", On::ClustersOfAll)]),
    row("sns Publish", GUARD, &[always("sns:Publish", On::Topics)]),
    // What `down` does after a cluster's end.
    row("emr ListInstanceGroups", GUARD, &[marked("elasticmapreduce:ListInstanceGroups", On::ClustersOfAll)]),
    row("emr ListInstanceFleets", GUARD, &[marked("elasticmapreduce:ListInstanceFleets", On::ClustersOfAll)]),
    row(
        "emr GetAutoTerminationPolicy",
        GUARD,
        &[marked("elasticmapreduce:GetAutoTerminationPolicy", On::ClustersOfAll)],
    ),
    row("emr GetManagedScalingPolicy", GUARD, &[marked("elasticmapreduce:GetManagedScalingPolicy", On::ClustersOfAll)]),
    row("ec2 DescribeVpcEndpoints", GUARD, &[anywhere("ec2:DescribeVpcEndpoints")]),
    row("ec2 DescribeNetworkInterfaces", GUARD, &[anywhere("ec2:DescribeNetworkInterfaces")]),
    row("ec2 RevokeSecurityGroupIngress", GUARD, &[marked("ec2:RevokeSecurityGroupIngress", On::GroupsOfAll)]),
    row("ec2 RevokeSecurityGroupEgress", GUARD, &[marked("ec2:RevokeSecurityGroupEgress", On::GroupsOfAll)]),
    row("ec2 DeleteSecurityGroup", GUARD, &[marked("ec2:DeleteSecurityGroup", On::GroupsOfAll)]),
    row("scheduler DeleteSchedule", GUARD, &[always("scheduler:DeleteSchedule", On::SchedulesOfAll)]),
    row("s3 ListObjectsV2", GUARD, &[always("s3:ListBucket", On::Homes)]),
    row(
        "s3 GetObject",
        GUARD,
        &[
            always("s3:GetObject", On::InHomes),
            always("s3:ListBucket", On::Homes),
            given(Given::ByWayOfS3, "kms:Decrypt", On::KeyOfHome),
        ],
    ),
    row(
        "s3 PutObject",
        GUARD,
        &[
            always("s3:PutObject", On::InHomes),
            always("s3:GetObject", On::InHomes),
            given(Given::ByWayOfS3, "kms:GenerateDataKey", On::KeyOfHome),
        ],
    ),
    row("s3 DeleteObject", GUARD, &[always("s3:DeleteObject", On::InHomes), always("s3:GetObject", On::InHomes)]),
];
