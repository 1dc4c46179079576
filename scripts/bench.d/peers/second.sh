#!/usr/bin/env bash
# The second one.
set -euo pipefail

printf 'second\n'
