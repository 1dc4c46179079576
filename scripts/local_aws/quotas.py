"""Service Quotas' GetServiceQuota ("our model", from AWS's API reference): EC2's quotas of virtual processors.

An account of ours may run 256 of the standard families each way, unless `world` says otherwise; nothing holds RunJobFlow to it.
It must never change a quota.
"""

from . import targets
from .emr.errors import Refused

USUAL = 256
EC2 = {
    "L-1216C47A": "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
    "L-34B43A08": "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
}


def register() -> None:
    """Lets ministack find a service that it does not have."""
    from ministack.core import iam_actions, router

    router.SERVICE_PATTERNS["servicequotas"] = {"target_prefixes": ["ServiceQuotasV20190624"]}
    iam_actions.SERVICE_TO_IAM_NAMESPACE["servicequotas"] = "servicequotas"


class Handler:
    def __init__(self, world):
        self._world = world

    async def __call__(self, _method, _path, headers, body, _query):
        operations = {"GetServiceQuota": self._get_service_quota}
        return targets.answer("Service Quotas", operations, headers, body, words="Message")

    def _get_service_quota(self, data: dict) -> dict:
        from ministack.core.responses import get_account_id, get_region

        service, code = data.get("ServiceCode"), data.get("QuotaCode")
        if service != "ec2" or code not in EC2:
            raise Refused("NoSuchResourceException", "The request failed because the specified quota was not found.")
        arn = f"arn:aws:servicequotas:{get_region()}:{get_account_id()}:{service}/{code}"
        return {"Quota": {
            "ServiceCode": service, "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)", "QuotaArn": arn, "QuotaCode": code,
            "QuotaName": EC2[code], "Value": float(self._world.quotas.get(code, USUAL)), "Unit": "None", "Adjustable": True,
            "GlobalQuota": False, "QuotaAppliedAtLevel": "ACCOUNT",
        }}
