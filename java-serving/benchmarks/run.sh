#!/usr/bin/env bash
# Builds the benchmarks and runs the comparison; what is given goes to bench.py. `micro` runs JMH instead.
set -euo pipefail
cd "$(dirname "$0")/../.."
tools/maven.sh -Pbenchmarks -pl core,benchmarks package -Dmaven.test.skip=true -Dspotless.check.skip=true
if [ "${1:-}" = micro ]; then
  shift
  exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" -cp 'java-serving/benchmarks/target/classes:java-serving/benchmarks/target/lib/*' \
    org.openjdk.jmh.Main -rf json -rff build/bench/java-micro.json "$@"
fi
.venv/bin/python java-serving/benchmarks/python/models.py build/bench/models
exec .venv/bin/python java-serving/benchmarks/python/bench.py "$@"
