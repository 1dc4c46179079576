"""pip for another machine: `python -c THIS MARKERS PIP-ARGUMENTS...`

pip's own options choose files for another machine, yet conditions such as `python_version < "3.10"` are judged by the
Python it runs on. Here MARKERS, a JSON object, judges them. It must never install into the Python it runs on.
"""

import json
import sys

try:
    from pip._internal.cli.main import main
    from pip._vendor.packaging import markers
except ImportError as missing:
    sys.exit(f"No module named pip: {missing}")

here, there = markers.default_environment, json.loads(sys.argv[1])
markers.default_environment = lambda: {**here(), **there}
sys.exit(main(sys.argv[2:]))
