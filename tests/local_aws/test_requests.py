"""What EMR does to a request: rewrites, defaults, refusals; and how it lists."""

import pytest


def test_describe_rewrites_and_fills_in(emr):
    cluster = emr.describe(emr.run(
        Applications=[{"Name": "spark"}], Tags=[{"Key": "z", "Value": "1"}, {"Key": "a", "Value": "é"}],
        Configurations=[{"Classification": "Spark-Env", "Configurations": [
            {"Classification": "export", "Properties": {"PYSPARK_PYTHON": "/usr/bin/python3.11", "DB_PASSWORD": "x"}}]}],
    ))
    assert cluster["LogUri"] == f"s3n://{emr.bucket}/emr/"
    assert cluster["Applications"] == [{"Name": "Spark", "Version": "3.5.6"}]
    assert cluster["Configurations"] == [{"Classification": "spark-env", "Properties": {}, "Configurations": [
        {"Classification": "export", "Properties": {"PYSPARK_PYTHON": "/usr/bin/python3.11", "DB_PASSWORD": "********"}}]}]
    assert cluster["InstanceCollectionType"] == "INSTANCE_GROUP"
    assert cluster["Tags"] == [{"Key": "a", "Value": "é"}, {"Key": "z", "Value": "1"}]
    assert (cluster["EbsRootVolumeSize"], cluster["StepConcurrencyLevel"]) == (15, 1)
    assert cluster["ScaleDownBehavior"] == "TERMINATE_AT_TASK_COMPLETION"
    assert cluster["OSReleaseLabel"].startswith("2023.")
    assert cluster["Ec2InstanceAttributes"]["Ec2SubnetId"].startswith("subnet-")
    assert cluster["Ec2InstanceAttributes"]["Ec2AvailabilityZone"].startswith("eu-west-3")
    for own in ("BootstrapActions", "InstanceGroups", "AutoTerminationPolicy"):
        assert own not in cluster  # calls of their own


def test_several_primary_nodes_are_protected_whatever_was_asked_for(emr):
    groups = [{"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 3}]
    instances = {"InstanceGroups": groups, "TerminationProtected": False, "KeepJobFlowAliveWhenNoSteps": False}
    cluster = emr.describe(emr.run(Instances=instances))
    assert (cluster["TerminationProtected"], cluster["AutoTerminate"]) == (True, False)


def test_an_empty_text_is_nothing_said(emr):
    """Terraform's provider sends one for each of these that its user left out."""
    unsaid = ("Ec2KeyName", "EmrManagedMasterSecurityGroup", "EmrManagedSlaveSecurityGroup", "ServiceAccessSecurityGroup")
    lists = {"AdditionalMasterSecurityGroups": [""], "AdditionalSlaveSecurityGroups": [""]}
    attributes = emr.describe(emr.waiting(Instances=dict.fromkeys(unsaid, "") | lists))["Ec2InstanceAttributes"]
    assert "Ec2KeyName" not in attributes and "ServiceAccessSecurityGroup" not in attributes
    assert attributes["EmrManagedMasterSecurityGroup"].startswith("sg-")
    assert attributes["AdditionalMasterSecurityGroups"] == attributes["AdditionalSlaveSecurityGroups"] == []


def test_volumes_are_split_and_defaulted(emr):
    ebs = {"EbsBlockDeviceConfigs": [
        {"VolumeSpecification": {"VolumeType": "gp3", "SizeInGB": 50}, "VolumesPerInstance": 2}]}
    groups = [
        {"InstanceRole": "MASTER", "InstanceType": "m5.xlarge", "InstanceCount": 1, "EbsConfiguration": ebs},
        {"InstanceRole": "CORE", "InstanceType": "m5.2xlarge", "InstanceCount": 1},
    ]
    listed = emr.client.list_instance_groups(ClusterId=emr.run(Instances={"InstanceGroups": groups}))["InstanceGroups"]
    primary, core = (next(g for g in listed if g["InstanceGroupType"] == role) for role in ("MASTER", "CORE"))
    assert [(v["Device"], v["VolumeSpecification"]["SizeInGB"]) for v in primary["EbsBlockDevices"]] == [
        ("/dev/sdb", 50), ("/dev/sdc", 50)]
    assert len(core["EbsBlockDevices"]) == 4


@pytest.mark.parametrize("changes, words", [
    ({"ReleaseLabel": "emr-9.9.9"}, "The supplied release label is invalid: emr-9.9.9."),
    ({"JobFlowRole": None}, "InstanceProfile is required for creating cluster."),
    ({"ServiceRole": None}, "ServiceRole is required for creating cluster."),
    ({"JobFlowRole": "nobody"}, "Invalid InstanceProfile: nobody."),
    ({"Applications": [{"Name": "Sparkle"}]}, "Specified application: Sparkle is invalid."),
    ({"StepConcurrencyLevel": 0}, "StepConcurrencyLevel must be between 1 and 256."),
    ({"AutoTerminationPolicy": {"IdleTimeout": 30}}, "from 60 to 604800 seconds"),
    ({"Instances": {"InstanceGroups": [{"InstanceRole": "MASTER", "InstanceType": "t3.medium", "InstanceCount": 1}]}},
     "Instance type 't3.medium' is not supported."),
    ({"Instances": {"InstanceGroups": [{"InstanceRole": "CORE", "InstanceType": "m5.xlarge", "InstanceCount": 1}]}},
     "Exactly one MASTER instance group must be specified."),
    ({"Instances": {"EmrManagedMasterSecurityGroup": "sg-1"}}, "both or neither"),
])
def test_refused_at_once(emr, refused, changes, words):
    code, message = refused(emr.client.run_job_flow, **emr.request(**changes))
    assert code == "ValidationException"
    assert words in message
    assert emr.client.list_clusters()["Clusters"] == []


@pytest.mark.parametrize("changes, words", [
    ({"Instances": {"Ec2SubnetId": "subnet-none"}}, "The subnet subnet-none does not exist."),
    ({"Instances": {"Ec2KeyName": "none"}}, "The given SSH key name was invalid"),
    ({"Instances": {"EmrManagedMasterSecurityGroup": "sg-none", "EmrManagedSlaveSecurityGroup": "sg-none"}}, "sg-none"),
    ({"LogUri": "s3://no-such-bucket/x/"}, "no-such-bucket"),
    ({"ServiceRole": "nobody"}, "EMR service role nobody is invalid"),
    ({"ServiceRole": "nodes"}, "role/nodes is invalid"),
])
def test_found_out_after_the_start(emr, changes, words):
    reason = emr.reason(**changes)
    assert reason["Code"] == "VALIDATION_ERROR"
    assert words in reason["Message"]


def test_logs_and_scripts_of_another_region(emr):
    elsewhere = {"LocationConstraint": "eu-west-1"}
    abroad = emr.account.client("s3", "eu-west-1")
    abroad.create_bucket(Bucket=f"{emr.bucket}-abroad", CreateBucketConfiguration=elsewhere)
    abroad.put_object(Bucket=f"{emr.bucket}-abroad", Key="good.sh", Body=b"#!/bin/sh\n")
    assert "is in eu-west-1, not in eu-west-3" in emr.reason(LogUri=f"s3://{emr.bucket}-abroad/")["Message"]
    action = [{"Name": "far", "ScriptBootstrapAction": {"Path": f"s3://{emr.bucket}-abroad/good.sh"}}]
    assert emr.reason(BootstrapActions=action)["Code"] == "BOOTSTRAP_FAILURE"


def test_type_not_in_this_region(emr):
    groups = [{"InstanceRole": "MASTER", "InstanceType": "c1.xlarge", "InstanceCount": 1}]
    reason = emr.reason(ReleaseLabel="emr-6.15.0", Instances={"InstanceGroups": groups})
    assert "not supported in the requested availability zone" in reason["Message"]


def test_listing_pages_filters_and_has_no_tags(emr):
    ids = {emr.run(Tags=[{"Key": "k", "Value": "v"}]) for _ in range(53)}
    first = emr.client.list_clusters()
    assert len(first["Clusters"]) == 50
    second = emr.client.list_clusters(Marker=first["Marker"])
    assert "Marker" not in second
    assert {c["Id"] for c in first["Clusters"] + second["Clusters"]} == ids
    assert all("Tags" not in c for c in first["Clusters"])
    emr.client.terminate_job_flows(JobFlowIds=sorted(ids)[:10])
    states = emr.client.list_clusters(ClusterStates=["TERMINATING"])["Clusters"]
    assert {c["Id"] for c in states} == set(sorted(ids)[:10])
    born = first["Clusters"][0]["Status"]["Timeline"]["CreationDateTime"]
    assert first["Clusters"][0]["Id"] in {c["Id"] for c in emr.client.list_clusters(CreatedAfter=born)["Clusters"]} | {
        c["Id"] for c in second["Clusters"]}
    assert emr.client.list_clusters(CreatedBefore=0)["Clusters"] == []


def test_regions_and_accounts_are_apart(emr):
    cluster = emr.run()
    elsewhere = emr.account.client("emr", "eu-west-1")
    assert elsewhere.list_clusters()["Clusters"] == []
    with pytest.raises(elsewhere.exceptions.InvalidRequestException) as caught:
        elsewhere.describe_cluster(ClusterId=cluster)
    assert caught.value.response["Error"]["Message"] == f"Cluster id '{cluster}' is not valid."


def test_fleets_are_not_groups(emr, refused):
    cluster = emr.run()
    code, message = refused(emr.client.list_instance_fleets, ClusterId=cluster)
    assert code == "InvalidRequestException"
    assert "mutually exclusive" in message


def test_what_can_be_asked_without_a_cluster(emr, refused):
    assert "emr-7.12.0" in emr.client.list_release_labels(Filters={"Prefix": "emr-7"})["ReleaseLabels"]
    named = emr.client.describe_release_label(ReleaseLabel="emr-7.12.0")
    assert {"Name": "Spark", "Version": "3.5.6"} in named["Applications"]
    types = emr.client.list_supported_instance_types(ReleaseLabel="emr-7.12.0")["SupportedInstanceTypes"]
    assert types and "m5.large" not in {t["Type"] for t in types}
    assert refused(emr.client.describe_security_configuration, Name="x")[0] == "InvalidRequestException"
    block = emr.client.get_block_public_access_configuration()["BlockPublicAccessConfiguration"]
    assert block["BlockPublicSecurityGroupRules"] is True


def test_tags(emr, refused):
    cluster = emr.waiting(Tags=[{"Key": "a", "Value": "1"}])
    emr.client.add_tags(ResourceId=cluster, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}])
    emr.client.remove_tags(ResourceId=cluster, TagKeys=["b", "none"])
    assert emr.describe(cluster)["Tags"] == [{"Key": "a", "Value": "2"}]
    for tag in ({"Key": "aws:x", "Value": "1"}, {"Key": "k" * 129, "Value": ""}, {"Key": "k", "Value": "v" * 257}):
        assert refused(emr.client.add_tags, ResourceId=cluster, Tags=[tag])[0] == "InvalidRequestException"
    reservations = emr.account.client("ec2").describe_instances()["Reservations"]
    for instance in (i for r in reservations for i in r["Instances"]):
        tags = {t["Key"]: t["Value"] for t in instance["Tags"]}
        assert (tags["a"], tags["aws:elasticmapreduce:job-flow-id"]) == ("2", cluster)
        assert tags["aws:elasticmapreduce:instance-group-role"] in ("MASTER", "CORE")
