"""VPC endpoints as EC2 has them and ministack does not: interface endpoints wear security groups, are found by filters, and take a
while to go, in which they hold on to their groups. Their network interfaces are not modelled.

They live among ministack's own records, within the caller's account and region. It must never let one go before its time.
"""

from xml.sax.saxutils import escape

from .clock import iso
from .query import answer, filters, listed, meets, refuse

DELETING = 60.0  # simulated seconds; AWS takes minutes


def settle(now: float) -> None:
    """Lets those go whose deletion is done."""
    from ministack.services import ec2

    for endpoint_id, endpoint in list(ec2._vpc_endpoints.items()):
        if now >= endpoint.get("Gone", now + 1):
            ec2._vpc_endpoints.pop(endpoint_id, None)
            ec2._tags.pop(endpoint_id, None)


def make(now: float, vpc: str, service: str, subnets: list[str], groups: list[str], tags: dict[str, str]) -> dict:
    """A new interface endpoint's record."""
    params = {"VpcId": [vpc], "ServiceName": [service], "VpcEndpointType": ["Interface"]}
    params |= {f"SubnetId.{n}": [subnet] for n, subnet in enumerate(subnets, 1)}
    params |= {f"SecurityGroupId.{n}": [group] for n, group in enumerate(groups, 1)}
    params["TagSpecification.1.ResourceType"] = ["vpc-endpoint"]
    for n, (key, value) in enumerate(tags.items(), 1):
        params |= {f"TagSpecification.1.Tag.{n}.Key": [key], f"TagSpecification.1.Tag.{n}.Value": [value]}
    return made(params, now)


def made(params: dict, now: float) -> dict:
    from ministack.services import ec2

    before = set(ec2._vpc_endpoints)
    ec2._create_vpc_endpoint(params)
    [fresh] = set(ec2._vpc_endpoints) - before
    record = ec2._vpc_endpoints[fresh]
    asked = listed(params, "SecurityGroupId")
    if record["VpcEndpointType"] == "Interface" and not asked:
        default = (record["VpcId"], "default")
        asked = [g["GroupId"] for g in ec2._security_groups.values() if (g["VpcId"], g["GroupName"]) == default]
    record |= {"GroupIds": asked, "CreationTimestamp": iso(now)}
    return record


def groups(endpoint: dict) -> list[dict]:
    from ministack.services import ec2

    known = ec2._security_groups
    return [{"GroupId": g, "GroupName": known[g]["GroupName"] if g in known else g} for g in endpoint.get("GroupIds", [])]


def create_vpc_endpoint(params: dict, emr):
    from ministack.services import ec2

    unknown = [group for group in listed(params, "SecurityGroupId") if group not in ec2._security_groups]
    if unknown:
        return refuse("InvalidGroup.NotFound", f"The security group '{unknown[0]}' does not exist")
    return answer("CreateVpcEndpoint", shown(made(params, emr.clock.now()), "vpcEndpoint"))


def delete_vpc_endpoints(params: dict, emr):
    from ministack.services import ec2

    unknown = []
    for endpoint_id in listed(params, "VpcEndpointId"):
        if endpoint := ec2._vpc_endpoints.get(endpoint_id):
            endpoint["State"] = "deleting"
            endpoint.setdefault("Gone", emr.clock.now() + DELETING)
        else:
            unknown.append(endpoint_id)
    items = "".join(
        f"<item><resourceId>{escape(endpoint_id)}</resourceId><error><code>InvalidVpcEndpointId.NotFound</code>"
        f"<message>{escape(no_such(endpoint_id))}</message></error></item>" for endpoint_id in unknown
    )
    return answer("DeleteVpcEndpoints", f"<unsuccessful>{items}</unsuccessful>")


def describe_vpc_endpoints(params: dict, _emr):
    from ministack.services import ec2

    asked, wanted = listed(params, "VpcEndpointId"), filters(params)
    for endpoint_id in asked:
        if endpoint_id not in ec2._vpc_endpoints:
            return refuse("InvalidVpcEndpointId.NotFound", no_such(endpoint_id))
    found = [one for one in ec2._vpc_endpoints.values() if not asked or one["VpcEndpointId"] in asked]
    items = "".join(shown(one, "item") for one in found if chosen(one, wanted))
    return answer("DescribeVpcEndpoints", f"<vpcEndpointSet>{items}</vpcEndpointSet>")


def chosen(endpoint: dict, wanted: dict[str, list[str]]) -> bool:
    from ministack.services import ec2

    fields = {
        "vpc-endpoint-id": endpoint["VpcEndpointId"], "vpc-endpoint-type": endpoint["VpcEndpointType"], "vpc-id": endpoint["VpcId"],
        "service-name": endpoint["ServiceName"], "vpc-endpoint-state": endpoint["State"],
    }
    return ec2._resource_matches_tag_filters(endpoint["VpcEndpointId"], wanted) and all(
        meets(fields[name], patterns) for name, patterns in wanted.items() if name in fields
    )


def no_such(endpoint_id: str) -> str:
    return f"The Vpc Endpoint Id '{endpoint_id}' does not exist"


def shown(endpoint: dict, tag: str) -> str:
    from ministack.services import ec2

    def items(ids: list[str]) -> str:
        return "".join(f"<item>{escape(one)}</item>" for one in ids)

    worn = "".join(
        f"<item><groupId>{g['GroupId']}</groupId><groupName>{escape(g['GroupName'])}</groupName></item>" for g in groups(endpoint)
    )
    return (
        f"<{tag}><vpcEndpointId>{endpoint['VpcEndpointId']}</vpcEndpointId>"
        f"<vpcEndpointType>{endpoint['VpcEndpointType']}</vpcEndpointType><vpcId>{endpoint['VpcId']}</vpcId>"
        f"<serviceName>{escape(endpoint['ServiceName'])}</serviceName><state>{endpoint['State']}</state>"
        f"<routeTableIdSet>{items(endpoint['RouteTableIds'])}</routeTableIdSet>"
        f"<subnetIdSet>{items(endpoint['SubnetIds'])}</subnetIdSet><groupSet>{worn}</groupSet>"
        f"<requesterManaged>false</requesterManaged><creationTimestamp>{endpoint['CreationTimestamp']}</creationTimestamp>"
        f"<ownerId>{endpoint['OwnerId']}</ownerId>{ec2._tag_set_xml(endpoint['VpcEndpointId'])}</{tag}>"
    )


OPERATIONS = {
    "CreateVpcEndpoint": create_vpc_endpoint,
    "DeleteVpcEndpoints": delete_vpc_endpoints,
    "DescribeVpcEndpoints": describe_vpc_endpoints,
}
