"""What Service Quotas says of EC2's processors, and the way out of a default network."""

import pytest


def quota(account, code: str, **more) -> float:
    return account.client("service-quotas", region="eu-west-3", **more).get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]["Value"]


def test_processors_have_a_quota_each_way(account, world, refused):
    assert (quota(account, "L-1216C47A"), quota(account, "L-34B43A08")) == (256, 256)
    world(quotas={"L-1216C47A": 5})
    assert (quota(account, "L-1216C47A"), quota(account, "L-34B43A08")) == (5, 256)
    assert refused(quota, account, "L-0000")[0] == "NoSuchResourceException"


def test_a_quota_is_asked_for_by_permission(account, refused):
    allowed = account.user({"Action": "servicequotas:GetServiceQuota"})
    assert quota(account, "L-1216C47A", keys=allowed) == 256
    code, message = refused(quota, account, "L-1216C47A", keys=account.user({"Action": "ec2:*"}))
    assert code == "AccessDeniedException" and "servicequotas:GetServiceQuota" in message


@pytest.mark.parametrize("region", ["eu-west-3", "eu-south-1"])
def test_the_default_network_leads_to_the_internet(account, region):
    ec2 = account.client("ec2", region=region)
    [subnet, *_] = ec2.describe_subnets(Filters=[{"Name": "default-for-az", "Values": ["true"]}])["Subnets"]
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [subnet["VpcId"]]}])["RouteTables"]
    main = [table for table in tables if any(one["Main"] for one in table["Associations"])]
    assert len(main) == 1
    ways = {route["DestinationCidrBlock"]: route["GatewayId"] for route in main[0]["Routes"]}
    assert ways["0.0.0.0/0"].startswith("igw-")
