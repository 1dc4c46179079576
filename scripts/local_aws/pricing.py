"""The Price List's GetProducts ("our model", from AWS's API reference and price list files): instances, volumes, EMR's fee.

Prices are made up, in prices.csv, and a quarter above what anybody would take for AWS's, so that one that was asked for can be
told from one that was known. Beside each product stand such as AWS has too and a careless filter finds. It must never leave a
filter out.
"""

import base64
import csv
import hashlib
import json
from functools import lru_cache
from pathlib import Path

from . import targets
from .emr import facts
from .emr.errors import Refused

ENDPOINTS = ("us-east-1", "eu-central-1", "ap-south-1")  # AWS has no other
PAGE = 100
LOCATIONS = {
    "eu-west-1": ("EU (Ireland)", "EU"), "eu-west-3": ("EU (Paris)", "EUW3"), "eu-central-1": ("EU (Frankfurt)", "EUC1"),
    "eu-north-1": ("EU (Stockholm)", "EUN1"), "eu-south-1": ("EU (Milan)", "EUS1"), "eu-south-2": ("Europe (Spain)", "EUS2"),
}
# What else an instance type is sold as, each with the factor of its price.
OTHERWISE = (
    ({"operatingSystem": "Windows", "licenseModel": "No License required", "operation": "RunInstances:0002"}, 1.9),
    ({"preInstalledSw": "SQL Std", "operation": "RunInstances:0004"}, 3.5),
    ({"tenancy": "Dedicated"}, 1.06), ({"tenancy": "Host"}, 0.0),
    ({"capacitystatus": "UnusedCapacityReservation"}, 1.0), ({"capacitystatus": "AllocatedCapacityReservation"}, 0.0),
)
OFFER, RATE = "JRTCKXETXF", "6YS6EN2CT7"  # AWS's codes of the on-demand term and of its price an hour
MATCHES = {
    "TERM_MATCH": lambda have, want: have == want, "EQUALS": lambda have, want: have == want,
    "CONTAINS": lambda have, want: want in have, "ANY_OF": lambda have, want: have in want.split(","),
    "NONE_OF": lambda have, want: have not in want.split(","),
}


class Handler:
    def __init__(self, world):
        self._world = world

    async def __call__(self, _method, _path, headers, body, _query):
        return targets.answer("the Price List", {"GetProducts": self._get_products}, headers, body)

    def _get_products(self, data: dict) -> dict:
        from ministack.core.responses import get_region

        if get_region() not in ENDPOINTS:
            raise Refused("UnknownEndpoint", f"The Price List has endpoints in {', '.join(ENDPOINTS)} only.")
        offered = products().get(data.get("ServiceCode"))
        if offered is None:
            raise Refused("NotFoundException", f"There is no service {data.get('ServiceCode')}.")
        size = data.get("MaxResults", PAGE)
        if not 1 <= size <= PAGE:
            raise Refused("InvalidParameterException", f"MaxResults must be from 1 to {PAGE}.")
        size, start = min(size, self._world.price_page or PAGE), offset(data.get("NextToken"))
        found = [one for one in offered if all(meets(one, wanted) for wanted in data.get("Filters") or [])]
        answer = {"FormatVersion": "aws_v1", "PriceList": [json.dumps(one) for one in found[start:start + size]]}
        if start + size < len(found):
            answer["NextToken"] = base64.b64encode(f"after-{start + size}".encode()).decode()
        return answer


def meets(product: dict, wanted: dict) -> bool:
    match = MATCHES.get(wanted.get("Type"))
    if match is None or not wanted.get("Field") or "Value" not in wanted:
        raise Refused("InvalidParameterException", "A filter has a Type, a Field and a Value.")
    of = product["product"]
    fields = {**of["attributes"], "productFamily": of["productFamily"], "sku": of["sku"], "ServiceCode": product["serviceCode"]}
    return wanted["Field"] in fields and match(fields[wanted["Field"]], wanted["Value"])


def offset(token: str | None) -> int:
    try:
        return int(base64.b64decode(token, validate=True).removeprefix(b"after-")) if token else 0
    except ValueError:
        words = "The pagination token is invalid. Try again without a pagination token."
        raise Refused("InvalidNextTokenException", words) from None


@lru_cache
def products() -> dict[str, list[dict]]:
    """By service code, in an order of its own: AWS promises none."""
    makers = {"instance": instances, "volume": volumes, "emr": fees}
    made: dict[str, list[dict]] = {}
    with open(Path(__file__).with_name("prices.csv"), newline="") as rows:
        for row in csv.DictReader(rows):
            for region in LOCATIONS:
                for one in makers[row["kind"]](row["name"], region, float(row[region])) if row[region] else ():
                    made.setdefault(one["serviceCode"], []).append(one)
    return {service: sorted(of, key=lambda one: one["product"]["sku"]) for service, of in made.items()}


def instances(name: str, region: str, usd: float):
    kind = facts.instance_types().get(name)
    plain = {
        "instanceType": name, "operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used",
        "licenseModel": "No License required", "operation": "RunInstances", "marketoption": "OnDemand",
        "usagetype": f"{LOCATIONS[region][1]}-BoxUsage:{name}",
        **({"vcpu": str(kind.vcpu), "memory": f"{kind.memory_gib:g} GiB"} if kind else {}),
    }
    for other, factor in (({}, 1.0), *OTHERWISE):
        yield product("AmazonEC2", "Amazon Elastic Compute Cloud", "Compute Instance", region, plain | other, usd * factor, "Hrs")


def volumes(name: str, region: str, usd: float):
    def of(family: str, usage: str, amount: float, unit: str) -> dict:
        usage = f"{LOCATIONS[region][1]}-EBS:{usage}.{name}"
        attributes = {"volumeApiName": name, "volumeType": "General Purpose", "usagetype": usage}
        return product("AmazonEC2", "Amazon Elastic Compute Cloud", family, region, attributes, amount, unit)

    yield of("Storage", "VolumeUsage", usd, "GB-Mo")
    if name == "gp3":
        yield of("System Operation", "VolumeP-IOPS", usd / 16, "IOPS-Mo")
        yield of("Provisioned Throughput", "VolumeP-Throughput", usd * 512, "GiBps-mo")


def fees(name: str, region: str, usd: float):
    for software, factor in (("EMR", 1.0), ("MapR M5", 2.5)):
        attributes = {"instanceType": name, "softwareType": software, "usagetype": f"{LOCATIONS[region][1]}-BoxUsage:{name}"}
        yield product(
            "ElasticMapReduce", "Amazon Elastic MapReduce", "Elastic Map Reduce Instance", region, attributes, usd * factor, "Hrs"
        )


def product(service: str, name: str, family: str, region: str, attributes: dict, usd: float, unit: str) -> dict:
    """As a line of a price list file: amounts are texts, and the terms' keys are the product's code and theirs."""
    place = {"regionCode": region, "location": LOCATIONS[region][0], "locationType": "AWS Region"}
    attributes = {**place, "servicecode": service, "servicename": name, **attributes}
    told = json.dumps([service, family, attributes], sort_keys=True).encode()
    sku = base64.b32encode(hashlib.sha256(told).digest()).decode()[:16]
    price = {
        "unit": unit, "beginRange": "0", "endRange": "Inf", "appliesTo": [], "rateCode": f"{sku}.{OFFER}.{RATE}",
        "description": f"${usd:.5f} per {unit} of {attributes['usagetype']}", "pricePerUnit": {"USD": f"{usd:.10f}"},
    }
    term = {
        "sku": sku, "offerTermCode": OFFER, "effectiveDate": "2026-11-01T00:00:00Z", "termAttributes": {},
        "priceDimensions": {f"{sku}.{OFFER}.{RATE}": price},
    }
    return {
        "product": {"productFamily": family, "attributes": attributes, "sku": sku}, "serviceCode": service,
        "terms": {"OnDemand": {f"{sku}.{OFFER}": term}}, "version": "20261120000000",
        "publicationDate": "2026-11-20T00:00:00Z",
    }
