"""Schedules that end clusters: what Scheduler accepts, and what it does when their moment comes."""

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from conftest import REGION, policy, until

EMR_CALL = "arn:aws:scheduler:::aws-sdk:emr:terminateJobFlows"
OFF = {"Mode": "OFF"}


@pytest.fixture
def world(server):
    yield lambda **settings: server.local("POST", "world", settings)
    server.local("DELETE", "world")


@pytest.fixture
def slowly(server):
    """Simulated time is real time, but for what is advanced: a busy machine moves no moment."""
    server.local("POST", "clock", {"rate": 1})
    yield
    server.local("POST", "clock", {"rate": 60})


class Schedules:
    """Scheduler in an account that has a role for it, which may end clusters tagged owner=me."""

    def __init__(self, emr):
        self.emr, self.account = emr, emr.account
        self.client = emr.account.client("scheduler")
        self.iam = emr.account.client("iam")
        self.role = f"arn:aws:iam::{emr.account.number}:role/ender"
        group = f"arn:aws:scheduler:{REGION}:{emr.account.number}:schedule-group/default"
        self.iam.create_role(RoleName="ender", AssumeRolePolicyDocument=trusting(
            {"StringEquals": {"aws:SourceAccount": emr.account.number}, "ArnLike": {"aws:SourceArn": group}}))
        self.allow(Condition={"StringEquals": {"elasticmapreduce:ResourceTag/owner": "me"}})

    def allow(self, **statement):
        self.iam.put_role_policy(RoleName="ender", PolicyName="own", PolicyDocument=policy(
            {"Action": "elasticmapreduce:TerminateJobFlows", **statement}))

    def now(self) -> float:
        return self.emr.server.local("GET", "clock")["now"]

    def said(self, seconds: float, *clusters: str, name: str = "end", **changes) -> dict:
        """A schedule that ends the clusters so many seconds from now."""
        moment = datetime.fromtimestamp(self.now() + seconds, UTC)
        target = {"Arn": EMR_CALL, "RoleArn": self.role, "Input": json.dumps({"JobFlowIds": list(clusters)})}
        plain = {
            "Name": name, "ScheduleExpression": moment.strftime("at(%Y-%m-%dT%H:%M:%S)"), "FlexibleTimeWindow": OFF,
            "Target": target | changes.pop("Target", {}), "ActionAfterCompletion": "DELETE",
        }
        return plain | changes

    def make(self, seconds: float, *clusters: str, client=None, **changes) -> str:
        return (client or self.client).create_schedule(**self.said(seconds, *clusters, **changes))["ScheduleArn"]

    def told(self) -> list[dict]:
        return [one for one in self.emr.server.local("GET", "schedules")["fired"] if one["account"] == self.account.number]

    def names(self, **wanted) -> list[str]:
        return [one["Name"] for one in self.client.list_schedules(**wanted)["Schedules"]]


def trusting(condition: dict | None = None, service: str = "scheduler.amazonaws.com") -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | ({"Condition": condition} if condition else {})]})


@pytest.fixture
def schedules(emr):
    return Schedules(emr)


def mine(emr, **changes) -> str:
    return emr.waiting(Tags=[{"Key": "owner", "Value": "me"}], **changes)


def test_a_schedule_ends_its_cluster_at_its_moment_and_is_gone(schedules, emr, slowly):
    cluster = mine(emr)
    arn = schedules.make(3600, cluster)
    assert arn == f"arn:aws:scheduler:{REGION}:{emr.account.number}:schedule/default/end"
    emr.server.advance(3590)
    assert (emr.state(cluster), schedules.names()) == ("WAITING", ["end"])
    due = schedules.now() + 10
    emr.server.advance(7200)
    status = emr.describe(cluster)["Status"]
    assert status["StateChangeReason"] == {"Code": "USER_REQUEST", "Message": "Terminated by user request"}
    assert status["Timeline"]["EndDateTime"].timestamp() == pytest.approx(due + 60, abs=5)  # not when it was noticed
    assert schedules.names() == []
    [told] = schedules.told()
    assert (told["name"], told["clusters"], told["error"]) == ("end", [cluster], None)


def test_it_fires_by_itself_as_time_runs(schedules, emr):
    cluster = mine(emr)
    schedules.make(30, cluster)
    until(lambda: emr.state(cluster) in ("TERMINATING", "TERMINATED"))


def test_what_is_read_is_what_was_said(schedules, slowly):
    said = schedules.said(3600, "j-1", Description="marks", ScheduleExpressionTimezone="UTC", State="ENABLED")
    schedules.client.create_schedule(ClientToken="t", **said)
    read = schedules.client.get_schedule(Name="end")
    assert {key: read[key] for key in said} == said
    assert read["GroupName"] == "default"
    assert read["CreationDate"].timestamp() == pytest.approx(schedules.now(), abs=10)
    assert not {"ClientToken", "Content", "Since", "Fired"} & set(read)


def test_several_happen_in_the_order_of_their_moments(schedules, emr, slowly):
    early, late = mine(emr, AutoTerminationPolicy={"IdleTimeout": 60_000}), mine(emr, AutoTerminationPolicy={"IdleTimeout": 7200})
    schedules.make(9000, late, name="b")
    schedules.make(3600, early, name="a")
    emr.server.advance(100_000)
    assert [one["name"] for one in schedules.told()] == ["a", "b"]
    assert emr.describe(early)["Status"]["StateChangeReason"]["Code"] == "USER_REQUEST"
    assert emr.describe(late)["Status"]["StateChangeReason"]["Code"] == "ALL_STEPS_COMPLETED"  # its idle policy came first


def test_a_cluster_that_is_still_starting_is_ended_too(schedules, emr, slowly):
    cluster = emr.run(Tags=[{"Key": "owner", "Value": "me"}])
    schedules.make(100, cluster)
    emr.server.advance(1000)
    status = emr.describe(cluster)["Status"]
    assert status["StateChangeReason"]["Code"] == "USER_REQUEST"
    assert "ReadyDateTime" not in status["Timeline"]


def test_the_time_zone_counts(schedules, emr, slowly):
    cluster = mine(emr)
    moment = datetime.fromtimestamp(schedules.now() + 3600, ZoneInfo("Europe/Paris"))
    expression = moment.strftime("at(%Y-%m-%dT%H:%M:%S)")
    schedules.make(0, cluster, ScheduleExpression=expression, ScheduleExpressionTimezone="Europe/Paris")
    emr.server.advance(3500)
    assert emr.state(cluster) == "WAITING"
    emr.server.advance(200)
    assert emr.state(cluster) != "WAITING"


def test_the_role_decides(schedules, emr, slowly):
    cluster = emr.waiting(Tags=[{"Key": "owner", "Value": "you"}])
    schedules.make(100, cluster)
    emr.server.advance(200)
    assert emr.state(cluster) == "WAITING"
    [told] = schedules.told()
    assert told["error"] == "AccessDeniedException"
    assert "assumed-role/ender/" in told["message"] and "elasticmapreduce:TerminateJobFlows" in told["message"]
    schedules.allow(Condition={"StringEquals": {"aws:ResourceTag/owner": "you"}})
    schedules.make(100, cluster)
    emr.server.advance(200)
    assert emr.state(cluster) != "WAITING"


def test_each_cluster_is_asked_for(schedules, emr, slowly):
    clusters = [mine(emr), emr.waiting()]
    schedules.make(100, *clusters)
    emr.server.advance(200)
    assert [emr.state(one) for one in clusters] == ["WAITING", "WAITING"]


@pytest.mark.parametrize("undo", ["trust", "role", "policy"])
def test_a_role_that_changed_meanwhile(schedules, emr, slowly, undo):
    cluster = mine(emr)
    schedules.make(100, cluster)
    if undo == "trust":
        schedules.iam.update_assume_role_policy(RoleName="ender", PolicyDocument=trusting(service="ec2.amazonaws.com"))
    else:
        schedules.iam.delete_role_policy(RoleName="ender", PolicyName="own")
    if undo == "role":
        schedules.iam.delete_role(RoleName="ender")
    emr.server.advance(200)
    assert emr.state(cluster) == "WAITING"
    assert schedules.told()[0]["error"] == "AccessDeniedException"


def test_protection_holds(schedules, emr, slowly):
    cluster = mine(emr, Instances={"TerminationProtected": True})
    schedules.make(100, cluster)
    emr.server.advance(200)
    assert emr.state(cluster) == "WAITING"
    assert schedules.told()[0]["error"] == "ValidationException"
    assert schedules.names() == []


def test_one_that_is_kept_does_not_fire_again_until_it_is_moved(schedules, emr, slowly):
    first, second = mine(emr), mine(emr)
    schedules.make(100, first, ActionAfterCompletion="NONE")
    emr.server.advance(200)
    emr.server.advance(200)
    assert (len(schedules.told()), schedules.names()) == (1, ["end"])
    schedules.client.update_schedule(**schedules.said(100, second))
    emr.server.advance(200)
    assert emr.state(second) != "WAITING"
    assert schedules.names() == []


def test_a_moved_or_disabled_or_deleted_one_waits(schedules, emr, slowly):
    cluster = mine(emr)
    schedules.make(100, cluster)
    schedules.client.update_schedule(**schedules.said(5000, cluster))
    schedules.make(100, cluster, name="off", State="DISABLED")
    schedules.make(100, cluster, name="gone")
    schedules.client.delete_schedule(Name="gone")
    emr.server.advance(1000)
    assert emr.state(cluster) == "WAITING"
    emr.server.advance(5000)
    assert emr.state(cluster) != "WAITING"
    assert schedules.names() == ["off"]


def test_an_update_says_all_anew(schedules):
    schedules.make(3600, "j-1", Description="mark", State="DISABLED")
    said = schedules.said(3600, "j-2")
    del said["ActionAfterCompletion"]
    schedules.client.update_schedule(**said)
    read = schedules.client.get_schedule(Name="end")
    assert "Description" not in read
    assert (read["State"], read["ActionAfterCompletion"]) == ("ENABLED", "NONE")


def test_a_moment_in_the_past(schedules, emr, slowly, world, refused):
    first, second = mine(emr), mine(emr)
    schedules.make(-100, first)
    emr.server.advance(1000)
    assert (emr.state(first), schedules.names()) == ("WAITING", ["end"])
    schedules.client.delete_schedule(Name="end")
    world(past_schedules="at_once")
    schedules.make(-100, second)
    assert (emr.state(second), schedules.names()) == ("TERMINATING", [])
    world(past_schedules="refused")
    assert refused(schedules.make, -100, second)[0] == "ValidationException"
    schedules.make(100, second)


def test_other_targets_are_kept_and_call_nothing(schedules, emr, slowly):
    queue = {"Arn": f"arn:aws:sqs:{REGION}:{emr.account.number}:q", "Input": "x"}
    schedules.make(100, Target=queue)
    schedules.make(100, name="rate", ScheduleExpression="rate(1 minute)")
    emr.server.advance(200)
    assert [one["error"] for one in schedules.told()] == ["Unsupported"]
    assert schedules.names() == ["rate"]


def test_a_token_makes_creation_repeatable(schedules, refused):
    said = schedules.said(3600, "j-1")
    create = schedules.client.create_schedule
    arn = create(ClientToken="t", **said)["ScheduleArn"]
    assert create(ClientToken="t", **said)["ScheduleArn"] == arn
    conflict = ("ConflictException", "Schedule end already exists.")
    assert refused(create, ClientToken="t", **said | {"Description": "other"}) == conflict
    assert refused(create, ClientToken="u", **said) == conflict
    assert refused(create, **said) == conflict


def test_one_that_is_not_there(schedules, refused):
    absent = ("ResourceNotFoundException", "Schedule end does not exist.")
    assert refused(schedules.client.get_schedule, Name="end") == absent
    assert refused(schedules.client.delete_schedule, Name="end") == absent
    assert refused(schedules.client.update_schedule, **schedules.said(100, "j-1")) == absent


@pytest.mark.parametrize("wrong", [
    {"ScheduleExpression": "at(tomorrow)"}, {"ScheduleExpression": "at(2026-02-30T00:00:00)"},
    {"ScheduleExpression": "at(2026-02-03T00:00:00Z)"}, {"ScheduleExpressionTimezone": "Europe/Atlantis"}, {"Name": "a b"},
    {"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, {"Target": {"Arn": EMR_CALL.replace(":emr:", ":elasticmapreduce:")}},
    {"Target": {"Arn": EMR_CALL.replace("terminate", "list")}}, {"Target": {"Arn": EMR_CALL.replace("JobFlows", "JobFlow")}},
    {"Target": {"RoleArn": "ender"}}, {"Target": {"Input": "{"}},
])
def test_what_scheduler_does_not_accept(schedules, refused, wrong):
    assert refused(schedules.make, 100, "j-1", **wrong)[0] == "ValidationException"


def test_the_role_must_be_there_and_trust_scheduler(schedules, emr, refused, world):
    untrusted = ("ValidationException", "The execution role you provide must allow AWS EventBridge Scheduler to assume the role.")
    for role in (schedules.role.replace("ender", "nobody"), schedules.role.replace("ender", "nodes")):
        assert refused(schedules.make, 100, "j-1", Target={"RoleArn": role}) == untrusted
    world(iam_propagation=500_000)
    assert refused(schedules.make, 100, "j-1") == untrusted
    emr.server.advance(500_000)
    schedules.make(100, "j-1")


def test_creation_asks_for_the_schedule_and_for_passing_the_role(schedules, emr, refused):
    own = f"arn:aws:scheduler:{REGION}:{emr.account.number}:schedule/default/end"
    create = {"Action": ["scheduler:CreateSchedule", "scheduler:UpdateSchedule"], "Resource": own}
    passing = {
        "Action": "iam:PassRole", "Resource": schedules.role,
        "Condition": {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
    }
    for statements, name, code in (([passing], "end", "scheduler:CreateSchedule"), ([create], "end", "iam:PassRole"),
                                   ([create, passing], "other", "scheduler:CreateSchedule"), ([create, passing], "end", None)):
        client = emr.account.client("scheduler", keys=emr.account.user(*statements))
        if code is None:
            schedules.make(100, "j-1", client=client)
        else:
            denied = refused(schedules.make, 100, "j-1", client=client, name=name)
            assert denied[0] == "AccessDeniedException" and code in denied[1]


def test_groups_and_pages(schedules, refused):
    absent = refused(schedules.make, 3600, "j-1", GroupName="none")
    assert absent == ("ResourceNotFoundException", "Schedule group none does not exist.")
    schedules.client.create_schedule_group(Name="team")
    assert refused(schedules.make, 3600, "j-1", GroupName="team")[0] == "ValidationException"  # trusts the default group's alone
    schedules.iam.update_assume_role_policy(RoleName="ender", PolicyDocument=trusting())
    arn = schedules.make(3600, "j-1", name="c", GroupName="team")
    assert arn.endswith(":schedule/team/c")
    for name in ("a", "b"):
        schedules.make(3600, "j-1", name=name)
    assert schedules.client.get_schedule(Name="c", GroupName="team")["GroupName"] == "team"
    pages = schedules.client.get_paginator("list_schedules").paginate(PaginationConfig={"PageSize": 1})
    assert [len(page["Schedules"]) for page in pages] == [1, 1, 1]
    assert schedules.names(GroupName="team") == ["c"]
    assert schedules.names(NamePrefix="b") == ["b"]
    assert schedules.names(State="DISABLED") == []
    schedules.client.delete_schedule_group(Name="team")
    assert schedules.names() == ["a", "b"]


def test_calls_are_named_and_meet_faults(schedules, server, refused):
    last = server.local("GET", "calls")["calls"][-1]["n"]
    schedules.make(3600, "j-1", name="one")
    schedules.make(3600, "j-2", name="one-more")
    schedules.client.get_schedule(Name="one")
    server.local("POST", "faults", {"rules": [
        {"service": "scheduler", "operation": "CreateSchedule", "code": "throttled"},
        {"service": "scheduler", "operation": "DeleteSchedule", "kind": "reset", "when": "after"},
    ]})
    try:
        assert refused(schedules.make, 3600, "j-1", name="two") == ("ThrottlingException", "Rate exceeded")
        with pytest.raises(Exception, match="Connection"):
            schedules.client.delete_schedule(Name="one")
    finally:
        server.local("DELETE", "faults")
    assert schedules.names() == ["one-more"]  # done, though nobody was told
    calls = [c for c in server.local("GET", f"calls?since={last}")["calls"] if c["service"] == "scheduler"]
    assert [(c["operation"], c["mutating"]) for c in calls] == [
        ("CreateSchedule", True), ("CreateSchedule", True), ("GetSchedule", False), ("CreateSchedule", True),
        ("DeleteSchedule", True), ("ListSchedules", False),
    ]
    assert calls[0]["request"] != calls[1]["request"]
