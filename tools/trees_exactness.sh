#!/usr/bin/env bash
# The exactness table: models of five releases each of LightGBM and XGBoost against what we export, to the last bit.
# `trees_exactness.sh quick` takes the locked releases only, in less than a minute. Figures go to build/trees/exactness.json.
# exit: 0 all equal, 1 a bit differs, 2 a release could not be had
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON_BIN:-.venv/bin/python}
case ${1:-full} in
  quick) shift && exec "$python" -m tools.trees.exactness --quick "$@" ;;
  full) exec "$python" -m tools.trees.exactness "${@:2}" ;;
  *) exec "$python" -m tools.trees.exactness "$@" ;;
esac
