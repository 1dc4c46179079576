"""Fills an account that somebody else uses: `foreign.py ROLES BUCKETS CLUSTERS`, with its endpoint and keys in the environment.

None bears a mark of ours, or a name that begins as a stack of ours does. The clusters are all there and idle. It prints, as JSON, how many of each there are.
"""

import json
import os
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import boto3

REGION = "eu-west-3"
TRUST = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}]})
AT_ONCE = 500  # clusters in one request


def main(roles: int, buckets: int, clusters: int) -> None:
    iam, s3 = boto3.client("iam", region_name=REGION), boto3.client("s3", region_name=REGION)
    placed = {"LocationConstraint": REGION}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: iam.create_role(RoleName=f"foreign-{n}", AssumeRolePolicyDocument=TRUST), range(roles)))
        list(pool.map(lambda n: s3.create_bucket(Bucket=f"foreign-{n}-data", CreateBucketConfiguration=placed), range(buckets)))
    for first in range(0, clusters, AT_ONCE):
        plant([{"region": REGION, "name": f"foreign-{n}-main", "age": 3600, "tags": {"team": "other"}}
               for n in range(first, min(first + AT_ONCE, clusters))])
    print(json.dumps({"roles": roles, "buckets": buckets, "clusters": clusters}))


def plant(clusters: list[dict]) -> None:
    asked = urllib.request.Request(f"{os.environ['AWS_ENDPOINT_URL']}/_local/crowd", data=json.dumps(clusters).encode())
    urllib.request.urlopen(asked, timeout=300).close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
