#!/usr/bin/env bash
# What the notebooks need besides the release's own TensorFlow.
set -euo pipefail

sudo python3 -m pip install --only-binary :all: \
    'pillow==9.5.0' 'pandas==1.3.5' 'pyarrow==12.0.1'
