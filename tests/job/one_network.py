"""Counts how often a Python process builds the network: `one_network.py JOB.py` prints JSON. Run with Spark's Python.

A task gets the job's functions by value, as here: pickled out of __main__ once, unpickled for every task.
"""

import hashlib
import json
import sys
import types

sys.argv, job = ["job"], open(sys.argv[1]).read()
__name__ = "job"  # its functions are pickled by value all the same: no module of that name exists
exec(compile(job, "job.py", "exec"), globals())
__name__ = "__main__"

from pyspark import cloudpickle  # noqa: E402


class Weights:
    def __init__(self, value):
        self.value, self.identity = value, hashlib.sha256(value).hexdigest()


def build_network(content):
    import os
    os.environ["BUILT"] = str(int(os.environ.get("BUILT", "0")) + 1)
    return types.SimpleNamespace(
        trainable_variables=[], non_trainable_variables=[], stateless_call=lambda _one, _other, images, training: (images, []))


for function in (network_of_this_process, build_network):  # noqa: F821
    function.__module__ = "__main__"
sent = cloudpickle.dumps(network_of_this_process)  # noqa: F821
first, second = cloudpickle.loads(sent), cloudpickle.loads(sent)
a, b = Weights(b"a"), Weights(b"b")
one = first(a.identity, a).compute
same = one is second(a.identity, a).compute
after_two = int(os.environ["BUILT"])  # noqa: F821
first(b.identity, b)
print(json.dumps({"by_value": first is not second and first.__globals__ is not second.__globals__, "same": same,
                  "after_two_tasks": after_two, "after_other_weights": int(os.environ["BUILT"])}))  # noqa: F821
