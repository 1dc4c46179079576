"""How a cluster fails that is fated to: the same words and logs as of one that fails by itself ("our model").

A fate is drawn by nobody: the control path `world` says it. It must never touch a cluster that has none.
"""

from . import bootstrap as actions
from . import permissions
from .logs import Logs
from .model import Cluster

# EMR's words when the primary's instance goes away under it, as mrjob's users met them.
PRIMARY_LOST = "The master node was terminated."


def invalid(c: Cluster) -> str | None:
    if c.fate["fate"] == "service_role":
        role = permissions.role(c.service_role)
        return f"EMR service role {role['Arn'] if role else c.service_role} is invalid"
    if c.fate["fate"] == "validation":
        return (
            f"The requested instance type {c.groups[0].type} is not supported in the requested availability zone. "
            "Learn more at https://docs.aws.amazon.com/console/elasticmapreduce/ERROR_noinstancetype"
        )
    return None


def shortage(c: Cluster) -> str | None:
    if c.fate["fate"] != "capacity":
        return None
    return (
        f"Insufficient Instance Capacity: EC2 is out of capacity for {c.groups[0].type} in availability zone {c.zone}. "
        "Learn more at https://docs.aws.amazon.com/console/elasticmapreduce/ERROR_noinstancecapacity"
    )


async def bootstrap(c: Cluster, to: Logs, at: float) -> str:
    """Leaves the log of a bootstrap that fails, in its first action if there is one; EMR's words for it."""
    instance = c.primary.ec2_id
    if c.bootstrap:
        logs = f"node/{instance}/bootstrap-actions/1"
        await actions.leave(c, to, at, logs, "fated to fail\n", "bootstrap action 1 ended with exit code 1\n")
        return f"On the master instance ({instance}), bootstrap action 1 returned a non-zero return code"
    await to.put(c, f"node/{instance}/provision-node/reports/0/stderr", b"fated to fail\n", at)
    return f"On the master instance ({instance}), application provisioning failed"
