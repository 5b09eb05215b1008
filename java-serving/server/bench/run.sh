#!/usr/bin/env bash
# Builds the server and the load driver, makes the models, and runs the comparison; what is given goes to bench.py.
set -euo pipefail
cd "$(dirname "$0")/../../.."
tools/maven.sh -Pload -pl core,micrometer,server,load package -Dmaven.test.skip=true -Dspotless.check.skip=true
.venv/bin/python java-serving/benchmarks/python/models.py build/bench/models light heavy
PYTHONPATH=. exec .venv/bin/python java-serving/server/bench/bench.py "$@"
