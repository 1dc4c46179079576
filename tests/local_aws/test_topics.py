"""Messages that are published to SNS."""

from conftest import REGION


def published(account) -> list[dict]:
    return [one for one in account.server.local("GET", "published")["published"] if one["account"] == account.number]


def test_what_is_published_can_be_read(account, server, refused):
    sns = account.client("sns")
    topic = sns.create_topic(Name="guard")["TopicArn"]
    assert topic == f"arn:aws:sns:{REGION}:{account.number}:guard"
    assert [one["TopicArn"] for one in sns.list_topics()["Topics"]] == [topic]
    sns.publish(TopicArn=topic, Subject="two clusters", Message="a + b & \u00e9\nend")
    assert refused(sns.publish, TopicArn=topic + "x", Message="lost")[0] == "NotFound"
    [told] = published(account)
    assert (told["topic"], told["region"]) == (topic, REGION)
    assert (told["subject"], told["message"]) == ("two clusters", "a + b & \u00e9\nend")
    calls = [c for c in server.local("GET", "calls")["calls"] if c["service"] == "sns"][-4:]
    assert [(c["operation"], c["mutating"]) for c in calls] == [
        ("CreateTopic", True), ("ListTopics", False), ("Publish", True), ("Publish", True)]
    server.local("DELETE", "published")
    assert published(account) == []


def test_publishing_is_asked_for_by_topic(account, refused):
    mine, other = (account.client("sns").create_topic(Name=name)["TopicArn"] for name in ("mine", "other"))
    sns = account.client("sns", keys=account.user({"Action": "sns:Publish", "Resource": mine}))
    sns.publish(TopicArn=mine, Message="m")
    code, message = refused(sns.publish, TopicArn=other, Message="m")
    assert code == "AuthorizationError" and "sns:Publish" in message
    assert [one["topic"] for one in published(account)] == [mine]


def test_a_lost_reply_and_throttling(account, server, refused):
    sns = account.client("sns")
    topic = sns.create_topic(Name="t")["TopicArn"]
    server.local("POST", "faults", {"rules": [{"service": "sns", "operation": "Publish", "code": "throttled"}]})
    try:
        assert refused(sns.publish, TopicArn=topic, Message="m") == ("Throttled", "Rate exceeded")
    finally:
        server.local("DELETE", "faults")
    assert published(account) == []
