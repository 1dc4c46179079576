"""The network is built once in a Python process, not once in a task; and no worker fetches weights."""

import json

from conftest import HERE, JOB, render


def test_two_tasks_of_a_process_share_one_network(with_spark, tmp_path):
    script = tmp_path / "job.py"
    script.write_text(render("jobs/fruit_features.py.j2", JOB))
    counted = json.loads(with_spark(HERE / "one_network.py", script))
    assert counted == {"by_value": True, "same": True, "after_two_tasks": 1, "after_other_weights": 2}


def test_keras_is_never_asked_for_weights():
    script = render("jobs/fruit_features.py.j2", JOB)
    assert script.count("weights=None, pooling") == 1 and 'weights="imagenet"' not in script
