#!/usr/bin/env bash
# What the service promises when it is changed, stopped and killed under load, each with its figure:
#   server_reliability.sh ci|full [reload] [sigterm] [kill] [metrics] [soak]
#   server_reliability.sh soak SECONDS
# exit: 0 all kept, 1 one broken, 2 could not tell
set -euo pipefail
cd "$(dirname "$0")/.."
[ -n "${TWINRANK_JARS:-}" ] ||
  tools/maven.sh -Pload -pl core,micrometer,server,load package -Dmaven.test.skip=true -Dspotless.check.skip=true
exec .venv/bin/python -m tools.service "$@"
