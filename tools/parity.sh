#!/usr/bin/env bash
# Proves that every route gives the same bits for every bundle of the suite: `parity.sh full` compares ten million scores,
# `parity.sh ci` 300,000; `--only BUNDLE` picks one. Reports go to build/parity, the summary is build/parity/index.html.
# exit: 0 all equal, 1 a route differs, 2 could not tell
set -euo pipefail
cd "$(dirname "$0")/.."
exec .venv/bin/python -m tools.parity "$@"
