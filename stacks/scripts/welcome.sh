#!/usr/bin/env bash
# Writes its arguments, one a line, where whoever logs in to a node reads them.
set -euo pipefail

printf '%s\n' "$@" | sudo tee /etc/motd.d/fruits >/dev/null
