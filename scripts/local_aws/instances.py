"""DescribeInstances as EC2 has it and ministack does not: in pages, with the filters that it documents, and with Spot told apart.

It must never change an instance.
"""

import base64

from .query import answer, filters, first, listed, meets, refuse

PAGE = (5, 1000)
FILTERS = {
    "architecture": lambda one: [one["Architecture"]],
    "availability-zone": lambda one: [one["Placement"]["AvailabilityZone"]],
    "image-id": lambda one: [one["ImageId"]],
    "instance-id": lambda one: [one["InstanceId"]],
    "instance-lifecycle": lambda one: [one.get("InstanceLifecycle", "")],
    "instance-state-code": lambda one: [str(one["State"]["Code"])],
    "instance-state-name": lambda one: [one["State"]["Name"]],
    "instance-type": lambda one: [one["InstanceType"]],
    "instance.group-id": lambda one: [group["GroupId"] for group in one.get("SecurityGroups", [])],
    "key-name": lambda one: [one.get("KeyName", "")],
    "launch-time": lambda one: [one["LaunchTime"]],
    "private-dns-name": lambda one: [one["PrivateDnsName"]],
    "private-ip-address": lambda one: [one["PrivateIpAddress"]],
    "subnet-id": lambda one: [one["SubnetId"]],
    "vpc-id": lambda one: [one["VpcId"]],
}


def describe_instances(params: dict, _emr):
    from ministack.core.responses import get_account_id
    from ministack.services import ec2

    asked, wanted, size = listed(params, "InstanceId"), filters(params), first(params, "MaxResults")
    if asked and size:
        return refuse("InvalidParameterCombination", "The parameter instancesSet cannot be used with the parameter maxResults")
    if size and not PAGE[0] <= int(size) <= PAGE[1]:
        return refuse("InvalidParameterValue", f"Value ( {size} ) for parameter maxResults is invalid. "
                      f"Expecting a value between {PAGE[0]} and {PAGE[1]}.")
    for name in wanted:
        if name not in FILTERS and not name.startswith("tag:") and name not in ("tag-key", "tag-value"):
            return refuse("InvalidParameterValue", f"The filter '{name}' is invalid")
    ec2._cleanup_terminated()
    for one in asked:
        if not ec2._INSTANCE_ID_RE.match(one):
            return refuse("InvalidInstanceID.Malformed", f'Invalid id: "{one}"')
        if one not in ec2._instances:
            return refuse("InvalidInstanceID.NotFound", f"The instance ID '{one}' does not exist")
    # By id, and after the last one told: a page is not upset by what comes or goes meanwhile.
    after = base64.b64decode(first(params, "NextToken")).decode("utf-8", "replace")
    found = [
        one for key, one in sorted(ec2._instances.items())
        if key > after and (not asked or key in asked) and chosen(one, wanted)
    ]
    page = found[:int(size)] if size else found
    items = "".join(
        f"<item><reservationId>r-{one['InstanceId'][2:]}</reservationId><ownerId>{get_account_id()}</ownerId><groupSet/>"
        f"<instancesSet>{shown(one)}</instancesSet></item>" for one in page
    )
    more = ""
    if len(page) < len(found):
        more = f"<nextToken>{base64.b64encode(page[-1]['InstanceId'].encode()).decode()}</nextToken>"
    return answer("DescribeInstances", f"<reservationSet>{items}</reservationSet>{more}")


def chosen(one: dict, wanted: dict[str, list[str]]) -> bool:
    from ministack.services import ec2

    return ec2._resource_matches_tag_filters(one["InstanceId"], wanted) and all(
        any(meets(text, patterns) for text in FILTERS[name](one)) for name, patterns in wanted.items() if name in FILTERS
    )


def shown(one: dict) -> str:
    from ministack.services import ec2

    text = ec2._instance_xml(one)
    if "InstanceLifecycle" in one:
        told = f"<instanceLifecycle>{one['InstanceLifecycle']}</instanceLifecycle>"
        text = text.replace("<instanceType>", told + "<instanceType>", 1)
    return text


OPERATIONS = {"DescribeInstances": describe_instances}
