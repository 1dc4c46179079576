"""What the Price List says things cost."""

import json

import pytest

EC2 = {
    "operatingSystem": "Linux", "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used", "regionCode": "eu-west-3",
}


@pytest.fixture
def world(server):
    yield lambda **settings: server.local("POST", "world", settings)
    server.local("DELETE", "world")


def ask(account, service: str, wanted: dict, keys: dict | None = None, region: str = "eu-central-1", **more) -> dict:
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]
    return account.client("pricing", region=region, keys=keys).get_products(ServiceCode=service, Filters=filters, **more)


def products(account, service: str, **wanted: str) -> list[dict]:
    return [json.loads(text) for text in ask(account, service, wanted)["PriceList"]]


def price(product: dict) -> tuple[float, str]:
    [term] = product["terms"]["OnDemand"].values()
    [dimension] = term["priceDimensions"].values()
    assert isinstance(dimension["pricePerUnit"]["USD"], str)
    return float(dimension["pricePerUnit"]["USD"]), dimension["unit"]


def test_an_instance_has_one_price(account):
    [found] = products(account, "AmazonEC2", instanceType="m5.xlarge", **EC2)
    attributes = found["product"]["attributes"]
    assert price(found) == (0.28, "Hrs")
    assert (attributes["regionCode"], attributes["vcpu"], attributes["memory"]) == ("eu-west-3", "4", "16 GiB")
    assert (found["serviceCode"], found["product"]["productFamily"]) == ("AmazonEC2", "Compute Instance")
    [elsewhere] = products(account, "AmazonEC2", instanceType="m5.xlarge", **EC2 | {"regionCode": "eu-north-1"})
    assert price(elsewhere) == (0.255, "Hrs")


@pytest.mark.parametrize("left_out", list(EC2))
def test_no_filter_is_ignored(account, left_out):
    wanted = {field: value for field, value in EC2.items() if field != left_out}
    assert len(products(account, "AmazonEC2", instanceType="m5.xlarge", **wanted)) > 1
    assert products(account, "AmazonEC2", instanceType="m5.xlarge", **EC2 | {left_out: "other"}) == []
    assert products(account, "AmazonEC2", instanceType="m5.xlarge", colour="red", **EC2) == []


def test_what_is_not_sold_somewhere_has_no_price(account):
    assert products(account, "AmazonEC2", instanceType="m6i.xlarge", **EC2 | {"regionCode": "eu-south-2"}) == []


def test_volumes_and_the_fee_of_emr(account):
    [volume] = products(account, "AmazonEC2", productFamily="Storage", volumeApiName="gp3", regionCode="eu-west-3")
    assert price(volume) == (0.116, "GB-Mo")
    [fee] = products(account, "ElasticMapReduce", softwareType="EMR", instanceType="m5.xlarge", regionCode="eu-west-3")
    assert price(fee) == (0.06, "Hrs")
    assert len(products(account, "ElasticMapReduce", instanceType="m5.xlarge", regionCode="eu-west-3")) == 2


def test_products_come_in_pages(account, world, refused):
    wanted = {"softwareType": "EMR", "regionCode": "eu-central-1"}
    whole = ask(account, "ElasticMapReduce", wanted)["PriceList"]
    assert len(whole) > 20
    for more, settings in (({"MaxResults": 7}, {}), ({}, {"price_page": 10})):
        world(**settings)
        token, merged = {}, []
        while token is not None:
            answer = ask(account, "ElasticMapReduce", wanted, **more, **token)
            assert len(answer["PriceList"]) <= 10
            merged += answer["PriceList"]
            token = {"NextToken": answer["NextToken"]} if "NextToken" in answer else None
        assert merged == whole
    assert refused(ask, account, "ElasticMapReduce", wanted, NextToken="x")[0] == "InvalidNextTokenException"
    assert refused(ask, account, "Nonsense", {})[0] == "NotFoundException"


def test_where_and_who_may_ask(account, server, refused):
    may, may_not = account.user({"Action": "pricing:GetProducts"}), account.user({"Action": "pricing:DescribeServices"})
    ask(account, "ElasticMapReduce", {}, keys=may)
    code, message = refused(ask, account, "ElasticMapReduce", {}, keys=may_not)
    assert code == "AccessDeniedException" and "pricing:GetProducts" in message
    assert refused(ask, account, "ElasticMapReduce", {}, region="eu-west-3")[0] == "UnknownEndpoint"
    calls = [c for c in server.local("GET", "calls")["calls"] if c["service"] == "pricing"][-3:]
    assert [(c["operation"], c["mutating"], c["region"]) for c in calls] == [
        ("GetProducts", False, "eu-central-1"), ("GetProducts", False, "eu-central-1"), ("GetProducts", False, "eu-west-3")]
