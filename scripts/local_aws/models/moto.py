"""moto as the model: a second opinion on the control plane, so that no client habit is proven by our own EMR alone.

moto decides what it decides; mended is only what keeps any client from using it at all, and its clusters move on our clock.
No policy is enforced but buckets' own, and no step runs: one that is submitted ends FAILED and says so.
"""

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..emr.lifecycle import BOOTSTRAP_ACTION, TERMINATING
from ..emr.model import STARTING
from .wsgi import OneAtATime

# Names that moto gives to the root of S3's answers, and those that AWS gives; a strict client refuses the former.
S3_ROOTS = {
    "GetBucketVersioningResponse": "VersioningConfiguration",
    "GetBucketNotificationResponse": "NotificationConfiguration",
    "GetBucketAccelerateConfigurationResponse": "AccelerateConfiguration",
    "GetObjectAttributesOutput": "GetObjectAttributesResponse",
}
NO_STEPS = "moto runs no steps: this server was started with --model moto"


class Moto:
    def __init__(self, account: str, _endpoint: str, clock, _cache: Path | None, _world):
        # moto reads its settings from the environment.
        os.environ.update(MOTO_ACCOUNT_ID=account, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
        from moto.server import DomainDispatcherApplication, create_backend_app

        self._clock = clock
        mend_buckets()
        mend_emr(self._now)
        self.app = OneAtATime(DomainDispatcherApplication(create_backend_app), self._settle)

    async def start(self) -> None:
        """Nothing moves between calls that a call would not see."""

    async def stop(self) -> None:
        self.app.close()

    async def settle(self) -> None:
        await self.app.do(self._settle)

    def _now(self) -> datetime:
        """The simulated moment as moto writes moments: UTC, without a zone."""
        return datetime.fromtimestamp(self._clock.now(), UTC).replace(tzinfo=None)

    def _settle(self) -> None:
        from moto.emr.models import emr_backends

        for _account, _region, backend in emr_backends.iter_backends():
            for cluster in backend.clusters.values():
                move(cluster, self._now())


def move(cluster, now: datetime) -> None:
    """Brings a cluster to the state that it has by now; each change bears the moment when it was due."""
    ready = cluster.creation_datetime + seconds(STARTING + BOOTSTRAP_ACTION * max(1, len(cluster.bootstrap_actions)))
    if cluster.state == "RUNNING" and not cluster.ready_datetime:
        cluster.state = "STARTING"  # moto runs a cluster as soon as it has a step
    if cluster.state == "STARTING" and now >= cluster.creation_datetime + seconds(STARTING):
        cluster.state = "BOOTSTRAPPING"
    if cluster.state == "BOOTSTRAPPING" and now >= ready:
        cluster.state, cluster.ready_datetime, cluster.idle_since = "WAITING", ready, ready
        cluster.last_state_change_reason = "Cluster ready to run steps."
    if cluster.ready_datetime and cluster.state in ("WAITING", "RUNNING"):
        fail_steps(cluster, now)
        idle = cluster.idle_timeout and now >= cluster.idle_since + seconds(cluster.idle_timeout)
        if not cluster.keep_job_flow_alive_when_no_steps or idle:
            end(cluster, cluster.idle_since + seconds(cluster.idle_timeout if idle else 0), "Steps completed")
    if cluster.state == "TERMINATING" and now >= cluster.ending + seconds(TERMINATING):
        finish(cluster, cluster.ending + seconds(TERMINATING))


def seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


def fail_steps(cluster, now: datetime) -> None:
    for step in cluster.steps:
        if step.state in ("PENDING", "RUNNING"):
            step.state, step.start_date_time, step.end_date_time = "FAILED", now, now
            step.last_state_change_reason = NO_STEPS
            cluster.idle_since = now
    cluster.state = "WAITING"


def end(cluster, at: datetime, why: str) -> None:
    cluster.state, cluster.ending, cluster.last_state_change_reason = "TERMINATING", at, why


def finish(cluster, at: datetime) -> None:
    cluster.state, cluster.end_datetime = "TERMINATED", at
    for group in cluster.instance_groups:
        group.state, group.end_date_time = "TERMINATED", at
    running = [node.ec2_instance_id for node in cluster.ec2_instances]
    if running:
        cluster.emr_backend.ec2_backend.terminate_instances(running)


def mend_emr(now) -> None:
    """Region, moments, the course of a cluster, and operations that moto lacks."""
    from moto.core.responses import ActionResult, BaseResponse, EmptyResult
    from moto.emr import models
    from moto.emr.exceptions import InvalidRequestException
    from moto.emr.responses import ElasticMapReduceResponse as Response

    # On loopback moto would read the region out of the host, and find us-east-1 for every client.
    Response.get_region_from_url = BaseResponse.get_region_from_url
    models.utcnow = now
    models.Cluster.instance_collection_type = "INSTANCE_GROUP"
    models.Cluster.idle_timeout = models.Cluster.managed_scaling = None
    models.Cluster.run_bootstrap_actions = lambda cluster: None  # it would be WAITING at once

    def terminate(cluster):
        if cluster.state not in ("TERMINATING", "TERMINATED"):
            end(cluster, now(), "Terminated by user request")

    def cluster_of(response, key="ClusterId"):
        return response.backend.describe_cluster(response._get_param(key))

    def run_job_flow(response):
        answer = plain_run(response)
        cluster = response.backend.clusters[answer._result["JobFlowId"]]
        cluster.idle_timeout = response._get_param("AutoTerminationPolicy.IdleTimeout")
        cluster.scale_down_behavior = response._get_param("ScaleDownBehavior")
        cluster.managed_scaling = response._get_param("ManagedScalingPolicy")
        return answer

    def put_auto_termination_policy(response):
        cluster_of(response).idle_timeout = response._get_param("AutoTerminationPolicy.IdleTimeout")
        return EmptyResult()

    def get_auto_termination_policy(response):
        timeout = cluster_of(response).idle_timeout
        return ActionResult({"AutoTerminationPolicy": {"IdleTimeout": timeout}} if timeout else {})

    def remove_auto_termination_policy(response):
        cluster_of(response).idle_timeout = None
        return EmptyResult()

    def get_managed_scaling_policy(response):
        policy = cluster_of(response).managed_scaling
        return ActionResult({"ManagedScalingPolicy": policy} if policy else {})

    def put_managed_scaling_policy(response):
        cluster_of(response).managed_scaling = response._get_param("ManagedScalingPolicy")
        return EmptyResult()

    def remove_managed_scaling_policy(response):
        cluster_of(response).managed_scaling = None
        return EmptyResult()

    def list_instance_fleets(response):
        cluster_of(response)
        raise InvalidRequestException("Instance fleets and instance groups are mutually exclusive.")

    def set_keep_job_flow_alive_when_no_steps(response):
        for cluster_id in response._get_param("JobFlowIds", []):
            cluster = response.backend.describe_cluster(cluster_id)
            cluster.keep_job_flow_alive_when_no_steps = response._get_bool_param("KeepJobFlowAliveWhenNoSteps")
        return EmptyResult()

    plain_run = Response.run_job_flow
    models.Cluster.terminate = terminate
    for operation in (
        run_job_flow, put_auto_termination_policy, get_auto_termination_policy, remove_auto_termination_policy,
        get_managed_scaling_policy, put_managed_scaling_policy, remove_managed_scaling_policy, list_instance_fleets,
        set_keep_job_flow_alive_when_no_steps,
    ):
        setattr(Response, operation.__name__, operation)


def mend_buckets() -> None:
    """Names of XML roots; tags in CreateBucket itself, which moto drops; and a policy's statement with conditions is passed
    over: moto would take it to hold always."""
    import xmltodict
    from moto.iam.access_control import IAMPolicy, PermissionResult
    from moto.s3.models import FakeBucket
    from moto.s3.responses import S3Response

    def get_permission(bucket, action, resource):
        document = json.loads(bucket.policy or b'{"Statement": []}')
        statements = document["Statement"] if isinstance(document["Statement"], list) else [document["Statement"]]
        document["Statement"] = [s for s in statements if not s.get("Condition")]
        if not document["Statement"]:
            return PermissionResult.NEUTRAL
        return IAMPolicy(json.dumps(document)).is_action_permitted(action, resource)

    def tag_at_birth(response, bucket):
        asked = xmltodict.parse(response.body)["CreateBucketConfiguration"] if response.body else {}
        tags = (asked.get("Tags") or {}).get("Tag", [])
        tags = tags if isinstance(tags, list) else [tags]
        if tags:
            response.backend.put_bucket_tagging(bucket, {tag["Key"]: tag["Value"] or "" for tag in tags})

    def serialized(response, result):
        status, headers, body = plain(response, result)
        if response.data.get("Action") == "CreateBucket" and status < 300:
            tag_at_birth(response, result._result["Location"].strip("/"))
        for wrong, right in S3_ROOTS.items():
            body = body.replace(wrong, right)
        return status, headers, body

    plain = S3Response.serialized
    S3Response.serialized = serialized
    FakeBucket.get_permission = get_permission
