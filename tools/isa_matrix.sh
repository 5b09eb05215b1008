#!/usr/bin/env bash
# Bundles on processors that qemu-user emulates (AVX2, AVX, SSE4.2), beside this machine's own, in Python and in Java.
# `isa_matrix.sh quick` compares two small bundles in Python on two processors, in less than a minute.
set -euo pipefail
cd "$(dirname "$0")/.."
ulimit -c 0 # qemu writes what crashed into the working directory
python=${PYTHON_BIN:-.venv/bin/python}
case ${1:-full} in
  quick) exec "$python" tools/isa_matrix.py --no-java --cpu Haswell --cpu SandyBridge tests/contract/vectors/bundles/tiny/1 ;;
  full) exec "$python" tools/isa_matrix.py ;;
  *) exec "$python" tools/isa_matrix.py "$@" ;;
esac
