"""The way out of a default network, which AWS gives it and ministack does not: its main table leads to its internet gateway.

It must never open a network that somebody made.
"""

ANYWHERE = "0.0.0.0/0"


def describe_route_tables(_params: dict, _emr):
    """Puts the missing routes there; ministack tells them."""
    from ministack.services import ec2

    ec2._ensure_defaults_initialized()
    for vpc in [vpc for vpc in ec2._vpcs.values() if vpc.get("IsDefault")]:
        table = ec2._route_tables.get(vpc.get("MainRouteTableId"))
        gateways = [one for one in ec2._internet_gateways.values() if vpc["VpcId"] in map(attached, one["Attachments"])]
        if table and gateways and ANYWHERE not in (route.get("DestinationCidrBlock") for route in table["Routes"]):
            gateway = gateways[0]["InternetGatewayId"]
            table["Routes"].append({
                "DestinationCidrBlock": ANYWHERE, "GatewayId": gateway, "State": "active", "Origin": "CreateRoute",
            })


def attached(attachment: dict) -> str:
    return attachment["VpcId"]


OPERATIONS = {"DescribeRouteTables": describe_route_tables}
