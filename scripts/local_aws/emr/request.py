"""RunJobFlow's request, checked and rewritten as EMR does it: defaults filled in, volumes split, names re-cased.

Pure but for what IAM must be asked at once, and the role that EMR then links to itself. It must never start anything.
"""

from . import facts, fleets, permissions, tags
from .errors import Refused, invalid
from .model import BootstrapAction, Cluster, Group, Reason, Scope, Step, new_id
from .parts import configurations, required, volumes

IDLE = (60, 604_800)
STEP_ARGUMENTS = 10_240  # characters in all of a step's arguments
ACTIVE_STEPS = 256
ON_FAILURE = {"TERMINATE_JOB_FLOW": "TERMINATE_CLUSTER"}  # an old name of the same


def cluster(data: dict, scope: Scope, access_key: str, now: float) -> Cluster:
    """The cluster that a caller asks for, who may make it."""
    release_label(data.get("ReleaseLabel"), scope)
    for role, key in (("InstanceProfile", "JobFlowRole"), ("ServiceRole", "ServiceRole")):
        if not data.get(key):
            raise invalid(f"{role} is required for creating cluster.")
    profile = permissions.node_role(data["JobFlowRole"])
    permissions.caller_must_pass(access_key, scope, profile, permissions.EC2)
    service = permissions.role(data["ServiceRole"])
    if service is not None:
        permissions.caller_must_pass(access_key, scope, service, permissions.EMR)
    scaling = permissions.role(data.get("AutoScalingRole") or "")
    if scaling is not None:
        permissions.caller_must_pass(access_key, scope, scaling, permissions.SCALING)
    wanted_tags = tags.checked([], data.get("Tags") or [])
    if wanted_tags:
        arn = f"arn:aws:elasticmapreduce:{scope.region}:{scope.account}:cluster/*"
        asked = {f"{prefix}:RequestTag/{tag['Key']}": tag["Value"] for tag in wanted_tags for prefix in ("aws", "elasticmapreduce")}
        permissions.demand(access_key, scope, "elasticmapreduce:AddTags", arn, asked)
    made = meant(data, scope, now)
    permissions.link_cleanup(access_key, scope)
    return made


def meant(data: dict, scope: Scope, now: float) -> Cluster:
    """The cluster that a request means, whoever asks."""
    instances, release = data.get("Instances") or {}, release_label(data.get("ReleaseLabel"), scope)
    made = Cluster(
        scope=scope, id=new_id("j-"), name=required(data, "Name"), created=now, entered=now, release=release,
        os_release=data.get("OSReleaseLabel") or facts.os_release(release),
        applications=applications(data.get("Applications") or [], release),
        configurations=configurations(data.get("Configurations") or []),
        tags=tags.checked([], data.get("Tags") or []), service_role=data["ServiceRole"], instance_profile=data["JobFlowRole"].rpartition("/")[2],
        log_uri=log_uri(data.get("LogUri")), log_key=data.get("LogEncryptionKmsKeyId"),
        keep_alive=instances.get("KeepJobFlowAliveWhenNoSteps", False),
        protected=instances.get("TerminationProtected", False),
        replace_unhealthy=instances.get("UnhealthyNodeReplacement", True),
        visible=data.get("VisibleToAllUsers", True),
        scale_down=data.get("ScaleDownBehavior", "TERMINATE_AT_TASK_COMPLETION"),
        step_concurrency=concurrency(data.get("StepConcurrencyLevel", 1)), root_size=root_size(data.get("EbsRootVolumeSize")),
        subnet=one_subnet(instances), zone=(instances.get("Placement") or {}).get("AvailabilityZone"),
        # An empty text is nothing said: Terraform's provider sends one for each of these that its user left out.
        key_name=instances.get("Ec2KeyName") or None, primary_group=instances.get("EmrManagedMasterSecurityGroup") or None,
        core_group=instances.get("EmrManagedSlaveSecurityGroup") or None,
        service_group=instances.get("ServiceAccessSecurityGroup") or None,
        more_primary_groups=[group for group in instances.get("AdditionalMasterSecurityGroups") or [] if group],
        more_core_groups=[group for group in instances.get("AdditionalSlaveSecurityGroups") or [] if group],
        bootstrap=[bootstrap(action) for action in data.get("BootstrapActions") or []],
        groups=groups(instances, release, now), auto_scaling_role=data.get("AutoScalingRole"),
        security_configuration=data.get("SecurityConfiguration"), custom_ami=data.get("CustomAmiId"),
        managed_scaling=data.get("ManagedScalingPolicy"), monitoring=data.get("MonitoringConfiguration"),
    )
    if bool(made.primary_group) != bool(made.core_group):
        raise invalid("You must specify both or neither of EmrManagedMasterSecurityGroup and EmrManagedSlaveSecurityGroup.")
    if next(g for g in made.groups if g.role == "MASTER").requested > 1:
        made.protected = made.keep_alive = True  # whatever was asked for, as EMR's guide to several primary nodes says
    if made.has_fleets and made.auto_scaling_role:
        raise invalid("Automatic scaling policies are for instance groups, not for instance fleets.")
    fleets.scaling_fits(made, made.managed_scaling)
    made.idle_timeout = idle_timeout(data.get("AutoTerminationPolicy"), made)
    made.steps = steps(data.get("Steps") or [], made, now)
    return made


def release_label(label: str | None, scope: Scope) -> str:
    if not label:
        raise invalid("Must specify exactly one of the following: release label, AMI version, or supported products.")
    if scope.region not in facts.releases().get(label, ()):
        raise invalid(f"The supplied release label is invalid: {label}.")
    return label


def applications(asked: list[dict], release: str) -> list[dict]:
    """As EMR spells them, with their versions; Hadoop alone where none is named."""
    spelt = {name.lower(): name for name in facts.APPLICATIONS}
    made = []
    for application in asked or [{"Name": "Hadoop"}]:
        name = required(application, "Name")
        if name.lower() not in spelt:
            raise invalid(f"Specified application: {name} is invalid.")
        extra = {key: application[key] for key in ("Args", "AdditionalInfo") if key in application}
        name = spelt[name.lower()]
        made.append({"Name": name, "Version": facts.application_version(name, release), **extra})
    return made


def log_uri(uri: str | None) -> str | None:
    """As DescribeCluster gives it back: s3n, and a slash at its end."""
    if not uri:
        return None
    scheme, _, rest = uri.partition("://")
    if scheme not in ("s3", "s3n", "s3a") or not rest:
        raise invalid(f"The supplied log URI is invalid: {uri}.")
    return f"s3n://{rest.rstrip('/')}/"


def concurrency(level: int) -> int:
    if not 1 <= level <= ACTIVE_STEPS:
        raise invalid(f"StepConcurrencyLevel must be between 1 and {ACTIVE_STEPS}.")
    return level


def root_size(asked: int | None) -> int:
    if asked is not None and not 10 <= asked <= 2048:
        raise invalid("EbsRootVolumeSize must be between 10 and 2048 GiB.")
    return asked or 15


def one_subnet(instances: dict) -> str | None:
    several = instances.get("Ec2SubnetIds") or []
    if len(several) > 1 and not instances.get("InstanceFleets"):
        raise invalid("Instance groups can be launched in one subnet only; several are for instance fleets.")
    return instances.get("Ec2SubnetId") or (several[0] if several else None)


def bootstrap(action: dict) -> BootstrapAction:
    script = action.get("ScriptBootstrapAction") or {}
    return BootstrapAction(required(action, "Name"), required(script, "Path"), script.get("Args") or [])


def groups(instances: dict, release: str, now: float) -> list[Group]:
    if instances.get("InstanceFleets"):
        return fleets.asked(instances, release, now)
    asked = instances.get("InstanceGroups") or simple_groups(instances)
    made = [group(one, release, now) for one in asked]
    roles = [g.role for g in made]
    if roles.count("MASTER") != 1:
        raise invalid("Exactly one MASTER instance group must be specified." if asked else
                      "No instance groups were specified.")
    if roles.count("CORE") > 1:
        raise invalid("At most one CORE instance group may be specified.")
    if "TASK" in roles and "CORE" not in roles:
        raise invalid("A TASK instance group needs a CORE instance group.")
    if made[roles.index("MASTER")].requested not in (1, 3):
        raise invalid("The MASTER instance group must have 1 or 3 instances.")
    return made


def simple_groups(instances: dict) -> list[dict]:
    """The short form: two types and a count."""
    if not instances.get("MasterInstanceType"):
        return []
    count = instances.get("InstanceCount", 1)
    asked = [{"InstanceRole": "MASTER", "InstanceType": instances["MasterInstanceType"], "InstanceCount": 1}]
    if count > 1:
        kind = instances.get("SlaveInstanceType") or instances["MasterInstanceType"]
        asked.append({"InstanceRole": "CORE", "InstanceType": kind, "InstanceCount": count - 1})
    return asked


def group(asked: dict, release: str, now: float) -> Group:
    kind, count = required(asked, "InstanceType"), asked.get("InstanceCount", 0)
    role = required(asked, "InstanceRole")
    if role not in ("MASTER", "CORE", "TASK"):
        raise invalid(f"Invalid instance role: {role}.")
    if not facts.supported(kind, release):
        raise invalid(f"Instance type '{kind}' is not supported.")
    if count < (0 if role == "TASK" else 1):
        raise invalid(f"Invalid instance count for the {role} instance group: {count}.")
    ebs = asked.get("EbsConfiguration") or {}
    return Group(
        id=new_id("ig-"), role=role, name=asked.get("Name") or "", type=kind, requested=count, created=now,
        market=asked.get("Market") or ("SPOT" if asked.get("BidPrice") else "ON_DEMAND"), bid_price=asked.get("BidPrice"),
        configurations=configurations(asked.get("Configurations") or []), ebs_optimized=ebs.get("EbsOptimized"),
        volumes=volumes(ebs) or facts.default_volumes(kind, release), custom_ami=asked.get("CustomAmiId"),
        reason=Reason(None, ""),
    )


def idle_timeout(policy: dict | None, c: Cluster) -> int | None:
    if policy is None:
        return None
    seconds = policy.get("IdleTimeout")
    if seconds is None or not IDLE[0] <= seconds <= IDLE[1]:
        raise invalid(f"The idle timeout of an auto-termination policy must be from {IDLE[0]} to {IDLE[1]} seconds.")
    of = facts.version(c.release) or (0,)
    if c.scope.region == "eu-south-2" and of < (6, 14, 0):
        raise Refused("ValidationException", f"Auto-termination is not supported in {c.scope.region} for {c.release}.")
    return seconds


def steps(asked: list[dict], c: Cluster, now: float) -> list[Step]:
    if len(asked) + len(c.pending()) + len(c.running()) > ACTIVE_STEPS:
        raise invalid("Maximum number of active steps(State = 'Running', 'Pending' or 'Cancel_Pending') for cluster exceeded.")
    return [step(one, now) for one in asked]


def step(asked: dict, now: float) -> Step:
    jar = asked.get("HadoopJarStep") or {}
    args = jar.get("Args") or []
    if sum(map(len, args)) > STEP_ARGUMENTS:
        raise invalid(f"The total length of a step's arguments must not exceed {STEP_ARGUMENTS} characters.")
    failure = asked.get("ActionOnFailure") or "CONTINUE"
    if failure not in ("TERMINATE_JOB_FLOW", "TERMINATE_CLUSTER", "CANCEL_AND_WAIT", "CONTINUE"):
        raise invalid(f"Invalid ActionOnFailure: {failure}.")
    return Step(
        id=new_id("s-"), name=required(asked, "Name"), jar=required(jar, "Jar"), args=args, main_class=jar.get("MainClass"),
        properties={p["Key"]: p.get("Value", "") for p in jar.get("Properties") or []},
        on_failure=ON_FAILURE.get(failure, failure), created=now,
    )
