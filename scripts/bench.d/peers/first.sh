#!/usr/bin/env bash
# The first bootstrap action of all three: says what it was told.
set -euo pipefail

printf 'first: %s\n' "$@"
