"""Who may what: callers, the service role, the nodes' role, policies that want TLS."""

import json

import pytest
from conftest import REGION, Account, policy, trust

RUN = {"Action": ["elasticmapreduce:RunJobFlow", "elasticmapreduce:DescribeCluster"]}
PASS = {"Action": "iam:PassRole"}


def test_pass_role_is_asked_for_both_roles(emr, refused):
    for statements, missing in (
        ([RUN], "role/nodes"),
        ([RUN, PASS | {"Resource": f"arn:aws:iam::{emr.account.number}:role/nodes"}], "role/service"),
    ):
        client = emr.account.client("emr", keys=emr.account.user(*statements))
        code, message = refused(client.run_job_flow, **emr.request())
        assert code == "AccessDeniedException"
        assert "is not authorized to perform: iam:PassRole on resource:" in message
        assert missing in message
    client = emr.account.client("emr", keys=emr.account.user(RUN, PASS))
    client.run_job_flow(**emr.request())


def test_tags_ask_for_their_own_permission(emr, refused):
    tagged = emr.request(Tags=[{"Key": "a", "Value": "b"}])
    client = emr.account.client("emr", keys=emr.account.user(RUN, PASS))
    code, message = refused(client.run_job_flow, **tagged)
    assert (code, "elasticmapreduce:AddTags" in message) == ("AccessDeniedException", True)
    more = {"Action": [*RUN["Action"], "elasticmapreduce:AddTags"]}
    emr.account.client("emr", keys=emr.account.user(more, PASS)).run_job_flow(**tagged)


def test_wrong_secret(account, refused):
    keys = account.user({"Action": "s3:*"}) | {"aws_secret_access_key": "wrong"}
    assert refused(account.client("s3", keys=keys).list_buckets)[0] == "SignatureDoesNotMatch"


def service_role(emr, *statements: dict) -> None:
    iam = emr.account.client("iam")
    iam.put_role_policy(RoleName="service", PolicyName="own", PolicyDocument=policy(*statements))


def test_the_service_role_must_be_allowed_what_emr_does(emr):
    service_role(emr, {"Action": "ec2:*"})
    reason = emr.reason()
    assert reason["Code"] == "VALIDATION_ERROR"
    assert "has insufficient EC2 permissions" in reason["Message"]
    assert "iam:PassRole" in reason["Message"]
    elsewhere = f"arn:aws:ec2:{REGION}:{emr.account.number}:subnet/subnet-other"
    service_role(emr, {"Action": ["ec2:Describe*", "iam:PassRole"]}, {"Action": "ec2:RunInstances", "Resource": elsewhere})
    assert "ec2:RunInstances on resource" in emr.reason()["Message"]


def test_amazons_v2_policy_fails_on_an_untagged_subnet(emr, refused):
    iam = emr.account.client("iam")
    iam.create_role(RoleName="v2", AssumeRolePolicyDocument=trust("elasticmapreduce"))
    attach = iam.attach_role_policy
    attach(RoleName="v2", PolicyArn="arn:aws:iam::aws:policy/service-role/AmazonEMRServicePolicy_v2")
    assert "has insufficient EC2 permissions" in emr.reason(ServiceRole="v2")["Message"]
    code, _ = refused(attach, RoleName="v2", PolicyArn="arn:aws:iam::aws:policy/AmazonNoSuchPolicy")
    assert code == "NoSuchEntity"


def test_amazons_v2_policy_works_where_all_is_tagged(emr):
    iam, ec2 = emr.account.client("iam"), emr.account.client("ec2")
    tag = {"Key": "for-use-with-amazon-emr-managed-policies", "Value": "true"}
    vpc, subnet = ec2.describe_vpcs()["Vpcs"][0]["VpcId"], ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    ec2.create_tags(Resources=[vpc, subnet], Tags=[tag])
    for name, service in (("EMR_DefaultRole_V2", "elasticmapreduce"), ("EMR_EC2_DefaultRole", "ec2")):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust(service))
    managed = "arn:aws:iam::aws:policy/service-role/AmazonEMRServicePolicy_v2"
    iam.attach_role_policy(RoleName="EMR_DefaultRole_V2", PolicyArn=managed)
    iam.put_role_policy(RoleName="EMR_EC2_DefaultRole", PolicyName="own", PolicyDocument=policy({"Action": "s3:*"}))
    iam.create_instance_profile(InstanceProfileName="default")
    iam.add_role_to_instance_profile(InstanceProfileName="default", RoleName="EMR_EC2_DefaultRole")
    emr.waiting(ServiceRole="EMR_DefaultRole_V2", JobFlowRole="default", Tags=[tag], Instances={"Ec2SubnetId": subnet})


@pytest.mark.parametrize("cluster, trusted", [("*", True), ("cluster/j-OTHER", False)])
def test_a_trust_with_conditions(emr, cluster, trusted):
    source = f"arn:aws:elasticmapreduce:{REGION}:{emr.account.number}:{cluster}"
    document = json.loads(trust("elasticmapreduce"))
    document["Statement"][0]["Condition"] = {
        "StringEquals": {"aws:SourceAccount": emr.account.number}, "ArnLike": {"aws:SourceArn": source}}
    emr.account.client("iam").update_assume_role_policy(RoleName="service", PolicyDocument=json.dumps(document))
    if trusted:
        emr.waiting()
    else:
        assert emr.reason()["Message"].endswith("role/service is invalid")


def test_a_profile_whose_role_ec2_may_not_assume(emr, refused):
    iam = emr.account.client("iam")
    iam.update_assume_role_policy(RoleName="nodes", PolicyDocument=trust("lambda"))
    code, message = refused(emr.client.run_job_flow, **emr.request())
    assert (code, message.startswith("Failed to authorize instance profile")) == ("ValidationException", True)


@pytest.mark.parametrize("after, code", [(0, "VALIDATION_ERROR"), (100, "BOOTSTRAP_FAILURE")])
def test_a_profile_deleted_meanwhile(emr, after, code):
    cluster = emr.run(BootstrapActions=emr.bootstrap("good.sh"))
    emr.server.advance(after)
    iam = emr.account.client("iam")
    iam.remove_role_from_instance_profile(InstanceProfileName="nodes", RoleName="nodes")
    iam.delete_instance_profile(InstanceProfileName="nodes")
    emr.server.advance(1000)
    assert emr.describe(cluster)["Status"]["StateChangeReason"]["Code"] == code


@pytest.mark.parametrize("secure, allowed", [("false", True), ("true", False)])
def test_loopback_counts_as_tls(emr, refused, secure, allowed):
    s3 = emr.account.client("s3", keys=emr.account.user({"Action": "s3:*"}))
    statement = {
        "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{emr.bucket}/*",
        "Condition": {"Bool": {"aws:SecureTransport": secure}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    emr.account.client("s3").put_bucket_policy(Bucket=emr.bucket, Policy=document)
    if allowed:
        s3.get_object(Bucket=emr.bucket, Key="good.sh")
    else:
        assert refused(s3.get_object, Bucket=emr.bucket, Key="good.sh")[0] == "AccessDenied"


def test_bucket_names_are_one_worlds(emr, refused):
    other = Account(emr.server, "222222222222").client("s3")
    location = {"LocationConstraint": REGION}
    assert refused(other.create_bucket, Bucket=emr.bucket, CreateBucketConfiguration=location)[0] == "BucketAlreadyExists"
    own = emr.account.client("s3").create_bucket
    assert refused(own, Bucket=emr.bucket, CreateBucketConfiguration=location)[0] == "BucketAlreadyOwnedByYou"
    assert refused(other.head_bucket, Bucket=emr.bucket)[0] == "403"
    assert refused(other.head_bucket, Bucket=f"{emr.bucket}-none")[0] == "404"
    assert emr.bucket not in {b["Name"] for b in other.list_buckets()["Buckets"]}


def test_expected_bucket_owner(emr, refused):
    s3 = emr.account.client("s3")
    s3.get_object(Bucket=emr.bucket, Key="good.sh", ExpectedBucketOwner=emr.account.number)
    code, _ = refused(s3.get_object, Bucket=emr.bucket, Key="good.sh", ExpectedBucketOwner="999999999999")
    assert code == "AccessDenied"
