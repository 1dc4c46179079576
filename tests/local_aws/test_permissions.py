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


# --- dependent actions and real resources (local_aws.authorisation). Each is asked for by name where it is missing.

def may(account, *statements: dict):
    """A client maker for a user who may do what the statements say."""
    keys = account.user(*statements)
    return lambda service, region=REGION: account.client(service, region=region, keys=keys)


def needs(refused, account, action: str, given: list[dict], call, codes=("AccessDenied", "UnauthorizedOperation")) -> None:
    """The call is refused for want of `action`, and done with it."""
    code, message = refused(call, may(account, *given))
    assert (code in codes, f"not authorized to perform: {action} " in message) == (True, True), (code, message)
    call(may(account, *given, {"Action": action}))


TAGS = [{"Key": "stack", "Value": "demo"}]


def test_a_bucket_with_tags_and_ownership_asks_for_more(account, refused):
    names = (f"b{n}-{account.number}" for n in range(9))
    place = {"LocationConstraint": REGION}

    def tagged(client):
        client("s3").create_bucket(Bucket=next(names), CreateBucketConfiguration={**place, "Tags": TAGS})

    def owned(client):
        client("s3").create_bucket(Bucket=next(names), CreateBucketConfiguration=place, ObjectOwnership="BucketOwnerEnforced")

    needs(refused, account, "s3:TagResource", [{"Action": "s3:CreateBucket"}], tagged)
    needs(refused, account, "s3:PutBucketOwnershipControls", [{"Action": "s3:CreateBucket"}], owned)


def test_conditions_and_tags_of_objects_ask_for_more(emr, refused):
    account, bucket = emr.account, emr.bucket
    etag = account.client("s3").head_object(Bucket=bucket, Key="good.sh")["ETag"]
    put, delete = {"Action": "s3:PutObject"}, {"Action": "s3:DeleteObject"}
    needs(refused, account, "s3:PutObjectTagging", [put],
          lambda client: client("s3").put_object(Bucket=bucket, Key="a", Body=b"a", Tagging="stack=demo"))
    needs(refused, account, "s3:GetObject", [put],
          lambda client: client("s3").put_object(Bucket=bucket, Key="good.sh", Body=b"echo", IfMatch=etag))
    etag = account.client("s3").head_object(Bucket=bucket, Key="good.sh")["ETag"]
    needs(refused, account, "s3:GetObject", [delete],
          lambda client: client("s3").delete_object(Bucket=bucket, Key="good.sh", IfMatch=etag))
    may(account, put)("s3").put_object(Bucket=bucket, Key="b", Body=b"b", IfNoneMatch="*")


def test_who_may_not_list_is_not_told_what_is_missing(emr, refused):
    get = {"Action": "s3:GetObject"}
    absent = {"Bucket": emr.bucket, "Key": "absent"}
    code, message = refused(may(emr.account, get)("s3").get_object, **absent)
    assert (code, "s3:ListBucket" in message) == ("AccessDenied", True)
    assert refused(may(emr.account, get, {"Action": "s3:ListBucket"})("s3").get_object, **absent)[0] == "NoSuchKey"


def test_a_key_of_kms_is_used_in_the_callers_name_by_way_of_s3(emr, refused):
    account, bucket = emr.account, emr.bucket
    key = f"arn:aws:kms:{REGION}:{account.number}:key/11111111-2222-3333-4444-555555555555"
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    account.client("s3").put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    objects = {"Action": ["s3:PutObject", "s3:GetObject"]}
    needs(refused, account, "kms:GenerateDataKey", [objects],
          lambda client: client("s3").put_object(Bucket=bucket, Key="a", Body=b"a"))
    needs(refused, account, "kms:Decrypt", [objects], lambda client: client("s3").get_object(Bucket=bucket, Key="a"))
    for service, allowed in ((f"s3.{REGION}.amazonaws.com", True), ("ec2.amazonaws.com", False)):
        via = {"Action": "kms:Decrypt", "Resource": key, "Condition": {"StringEquals": {"kms:ViaService": service}}}
        client = may(account, objects, via)("s3")
        if allowed:
            client.get_object(Bucket=bucket, Key="a")
        else:
            assert refused(client.get_object, Bucket=bucket, Key="a")[0] == "AccessDenied"


def test_iam_asks_for_tags_for_roles_handed_on_and_for_real_arns(account, refused):
    names = (f"r{n}" for n in range(9))

    def role(client):
        client("iam").create_role(RoleName=next(names), AssumeRolePolicyDocument=trust("ec2"), Tags=TAGS)

    def profile(client):
        client("iam").create_instance_profile(InstanceProfileName=next(names), Tags=TAGS)

    needs(refused, account, "iam:TagRole", [{"Action": "iam:CreateRole"}], role)
    needs(refused, account, "iam:TagInstanceProfile", [{"Action": "iam:CreateInstanceProfile"}], profile)

    iam, arn = account.client("iam"), f"arn:aws:iam::{account.number}"
    iam.create_role(RoleName="nodes", Path="/ours/", AssumeRolePolicyDocument=trust("ec2"))
    iam.create_instance_profile(InstanceProfileName="nodes", Path="/ours/")
    add = {"Action": "iam:AddRoleToInstanceProfile", "Resource": f"{arn}:instance-profile/ours/*"}
    handed = {"InstanceProfileName": "nodes", "RoleName": "nodes"}
    code, message = refused(may(account, add)("iam").add_role_to_instance_profile, **handed)
    assert (code, "iam:PassRole" in message) == ("AccessDenied", True)
    to_ec2 = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    passing = {"Action": "iam:PassRole", "Resource": f"{arn}:role/ours/nodes", "Condition": to_ec2}
    may(account, add, passing)("iam").add_role_to_instance_profile(**handed)
    may(account, {"Action": "iam:GetRole", "Resource": f"{arn}:role/ours/*"})("iam").get_role(RoleName="nodes")
    elsewhere = may(account, {"Action": "iam:GetRole", "Resource": f"{arn}:role/nodes"})("iam")
    assert refused(elsewhere.get_role, RoleName="nodes")[0] == "AccessDenied"


def test_iams_one_endpoint_stands_in_us_east_1(account, refused):
    for region, allowed in (("us-east-1", True), (REGION, False)):
        there = {"Action": "iam:ListRoles", "Condition": {"StringEquals": {"aws:RequestedRegion": region}}}
        client = may(account, there)("iam")
        if allowed:
            client.list_roles()
        else:
            assert refused(client.list_roles)[0] == "AccessDenied"


def test_a_security_group_is_asked_for_as_network_as_group_and_for_its_tags(account, refused):
    ec2, arn = account.client("ec2"), f"arn:aws:ec2:{REGION}:{account.number}"
    vpc, names = ec2.describe_vpcs()["Vpcs"][0]["VpcId"], (f"g{n}" for n in range(9))
    tagged = {"ResourceType": "security-group", "Tags": TAGS}

    def create(client):
        return client("ec2").create_security_group(
            GroupName=next(names), Description="ours", VpcId=vpc, TagSpecifications=[tagged])["GroupId"]

    in_network = {"Action": "ec2:CreateSecurityGroup", "Resource": f"{arn}:vpc/{vpc}"}
    marked = {"Action": "ec2:CreateSecurityGroup", "Resource": f"{arn}:security-group/*",
              "Condition": {"StringEquals": {"aws:RequestTag/stack": "demo"}}}
    at_birth = {"Action": "ec2:CreateTags", "Resource": f"{arn}:security-group/*",
                "Condition": {"StringEquals": {"ec2:CreateAction": "CreateSecurityGroup"}}}
    for given, missing in (([marked, at_birth], "ec2:CreateSecurityGroup"), ([in_network, at_birth], "ec2:CreateSecurityGroup"),
                           ([in_network, marked], "ec2:CreateTags")):
        code, message = refused(create, may(account, *given))
        assert (code, missing in message) == ("UnauthorizedOperation", True), message
    ours = create(may(account, in_network, marked, at_birth))

    theirs = ec2.create_security_group(GroupName="theirs", Description="theirs", VpcId=vpc)["GroupId"]
    changing = {"Action": ["ec2:CreateTags", "ec2:DeleteSecurityGroup"], "Resource": f"{arn}:security-group/*",
                "Condition": {"StringEquals": {"aws:ResourceTag/stack": "demo"}}}
    client = may(account, changing)("ec2")
    client.create_tags(Resources=[ours], Tags=[{"Key": "more", "Value": "1"}])
    for call in (lambda: client.delete_security_group(GroupId=theirs),
                 lambda: client.create_tags(Resources=[theirs], Tags=TAGS),
                 lambda: client.create_tags(Resources=[ours, theirs], Tags=TAGS)):
        assert refused(call)[0] == "UnauthorizedOperation"
    client.delete_security_group(GroupId=ours)


def test_clusters_are_told_apart_by_their_tags(emr, refused):
    account = emr.account
    ours, theirs = emr.run(Tags=TAGS), emr.run()
    arn = f"arn:aws:elasticmapreduce:{REGION}:{account.number}:cluster/*"
    marked = {"Action": ["elasticmapreduce:ListInstanceGroups", "elasticmapreduce:TerminateJobFlows", "elasticmapreduce:AddTags"],
              "Resource": arn, "Condition": {"StringEquals": {"aws:ResourceTag/stack": "demo"}}}
    client = may(account, marked)("emr")
    client.list_instance_groups(ClusterId=ours)
    client.add_tags(ResourceId=ours, Tags=[{"Key": "more", "Value": "1"}])
    for call in (lambda: client.list_instance_groups(ClusterId=theirs), lambda: client.add_tags(ResourceId=theirs, Tags=TAGS),
                 lambda: client.terminate_job_flows(JobFlowIds=[theirs]),
                 lambda: client.terminate_job_flows(JobFlowIds=[ours, theirs])):
        assert refused(call)[0] == "AccessDeniedException"
    client.terminate_job_flows(JobFlowIds=[ours])


def test_a_cluster_is_born_with_the_mark_that_its_caller_may_give(emr, refused):
    born = {"StringEquals": {"aws:RequestTag/stack": "demo"}}
    given = [{"Action": ["elasticmapreduce:RunJobFlow", "elasticmapreduce:AddTags"], "Condition": born}, PASS]
    client = emr.account.client("emr", keys=emr.account.user(*given))
    client.run_job_flow(**emr.request(Tags=TAGS))
    for other in ([{"Key": "stack", "Value": "other"}], []):
        assert refused(client.run_job_flow, **emr.request(Tags=other))[0] == "AccessDeniedException"


@pytest.mark.parametrize("linking", [False, True])
def test_an_accounts_first_cluster_needs_the_role_that_emr_links_to_itself(emr, linking):
    arn = f"arn:aws:iam::{emr.account.number}:role/aws-service-role/elasticmapreduce.amazonaws.com/AWSServiceRoleForEMRCleanup"
    link = {"Action": "iam:CreateServiceLinkedRole", "Resource": arn,
            "Condition": {"StringEquals": {"iam:AWSServiceName": "elasticmapreduce.amazonaws.com"}}}
    client = emr.account.client("emr", keys=emr.account.user(RUN, PASS, *([link] if linking else [])))
    cluster = client.run_job_flow(**emr.request())["JobFlowId"]
    emr.server.advance(1000)
    status = emr.describe(cluster)["Status"]
    if linking:
        assert status["State"] == "WAITING", status
    else:
        assert "'AWSServiceRoleForEMRCleanup' for EMR is required" in status["StateChangeReason"]["Message"]


def test_an_accounts_first_spot_instance_needs_the_role_that_ec2_links_to_itself(emr):
    groups = [{"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1, "Market": "SPOT"}]
    spot = {"Instances": {"InstanceGroups": groups}}
    assert "iam:CreateServiceLinkedRole" in emr.reason(**spot)["Message"]
    service_role(emr, {"Action": ["ec2:*", "iam:PassRole", "iam:CreateServiceLinkedRole"]})
    emr.waiting(**spot)


def test_a_simulation_knows_a_roles_path_and_the_given_context(account):
    iam = account.client("iam")
    arn = iam.create_role(RoleName="r", Path="/ours/", AssumeRolePolicyDocument=trust("ec2"))["Role"]["Arn"]
    marked = {"Action": "ec2:TerminateInstances", "Condition": {"StringEquals": {"aws:ResourceTag/stack": "demo"}}}
    iam.put_role_policy(RoleName="r", PolicyName="own", PolicyDocument=policy(marked))
    for value, decision in (("demo", "allowed"), ("other", "implicitDeny")):
        entry = {"ContextKeyName": "aws:ResourceTag/stack", "ContextKeyValues": [value], "ContextKeyType": "string"}
        answer = iam.simulate_principal_policy(
            PolicySourceArn=arn, ActionNames=["ec2:TerminateInstances", "s3:GetObject"], ContextEntries=[entry])
        assert [result["EvalDecision"] for result in answer["EvaluationResults"]] == [decision, "implicitDeny"]
