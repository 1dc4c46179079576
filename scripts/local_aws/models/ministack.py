"""ministack as the model: its services as they are, but for EMR, Scheduler, the Price List and Service Quotas, which are ours, and mends to
EC2, IAM, S3, CloudWatch and SNS.

Signatures are verified and policies evaluated. It must never keep state on disk, nor reach Docker or the network.
"""

import asyncio
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..world import World

ENVIRONMENT = {
    "AUTH": "true",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "MINISTACK_REGION": "eu-west-1",
    "PERSIST_STATE": "0",
    "IOT_MTLS_ENABLED": "0",
    "SFTP_ENABLED": "0",
    "DOCKER_HOST": "unix:///nonexistent",
    "LOG_LEVEL": "WARNING",
}


class Ministack:
    def __init__(self, account: str, endpoint: str, clock, cache: Path | None, world: World):
        # ministack reads its settings from the environment while it is imported, hence the imports below.
        os.environ.pop("AWS_SESSION_TOKEN", None)
        os.environ.update(ENVIRONMENT, MINISTACK_ACCOUNT_ID=account, GATEWAY_PORT=endpoint.rpartition(":")[2])
        logging.getLogger().setLevel(logging.WARNING)
        logging.getLogger("local_aws").setLevel(logging.INFO)

        import ministack.app as ministack

        from .. import authorisation, cloudwatch, doors, ec2, iam, late, pricing, quotas, regions, s3, sns
        from ..emr.api import Emr
        from ..scheduler.api import Scheduler

        self._ministack = ministack
        self._emr = Emr(clock, endpoint, cache, world)
        loopback_is_secure(ministack)
        handlers = ministack.SERVICE_HANDLERS
        handlers["elasticmapreduce"] = self._emr.handle
        handlers["ec2"] = late.Handler(ec2.Handler(handlers["ec2"], self._emr), "ec2", world)
        handlers["iam"] = late.Handler(iam.Handler(handlers["iam"]), "iam", world)
        scheduler = handlers["scheduler"] = Scheduler(handlers["scheduler"], self._emr, world)
        self._emr.lifecycle.schedules = scheduler.firing
        handlers["monitoring"] = handlers["cloudwatch"] = cloudwatch.Handler(handlers["monitoring"], self._emr, world)
        handlers["pricing"] = pricing.Handler(world)
        handlers["servicequotas"] = quotas.Handler(world)
        published = handlers["sns"] = sns.Handler(handlers["sns"], clock)
        handlers["s3"] = s3.Handler(handlers["s3"])
        iam.register()
        quotas.register()
        authorisation.install()
        authorisation.see_clusters(self._emr)
        self.app = regions.Switch(ministack.app, world)
        self.settle = self._emr.settle
        self.doors = doors.Doors(self._emr, scheduler.firing, published, account)

    async def start(self) -> None:
        # What ministack's own start does that matters here; the rest looks for Docker, scripts and saved state.
        loop = asyncio.get_running_loop()
        self._ministack._MAIN_LOOP = loop
        loop.set_default_executor(ThreadPoolExecutor(max_workers=32, thread_name_prefix="model"))
        for service in ("s3", "iam", "sts", "ec2", "scheduler"):
            self._ministack._get_module(service)
        self._emr.start()

    async def stop(self) -> None:
        await self._emr.stop()


def loopback_is_secure(ministack) -> None:
    """A TLS-only policy must let a plain-HTTP client in: nothing leaves this machine."""
    pin = ministack.pin_request_origin
    ministack.pin_request_origin = lambda address, _secure: pin(address, True)
