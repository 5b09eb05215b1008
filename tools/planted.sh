#!/usr/bin/env bash
# Plants differences between a baseline and a route (a flipped weight, another release, a lower-cased string and more) and
# prints for each whether it was found, where it was located, how it was named, and in how many seconds.
# `planted.sh --quick` leaves out what needs a JVM or another environment; `-v` prints every finding whole.
# exit: 0 every one found, located and named as planted, 1 not
set -euo pipefail
cd "$(dirname "$0")/.."
exec .venv/bin/python tests/parity/planted.py "$@"
