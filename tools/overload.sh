#!/usr/bin/env bash
# More requests than the service can do, and clients that are slow on purpose, each with its figure:
#   overload.sh ci|full [heavy] [light] [slow]
# exit: 0 all goals met, 1 one missed, 2 could not tell; slowhttptest (Debian) makes the slow clients
set -euo pipefail
cd "$(dirname "$0")/.."
[ -n "${TWINRANK_JARS:-}" ] ||
  tools/maven.sh -Pload -pl core,micrometer,server,load package -Dmaven.test.skip=true -Dspotless.check.skip=true
[ -d build/bench/models/light ] && [ -d build/bench/models/heavy ] ||
  .venv/bin/python java-serving/benchmarks/python/models.py build/bench/models light heavy
exec .venv/bin/python -m tools.service.overload "$@"
