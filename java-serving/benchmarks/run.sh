#!/usr/bin/env bash
# Builds the benchmarks and runs the comparison; what is given goes to bench.py. `micro` runs JMH instead, `reading` the readers of requests.
set -euo pipefail
cd "$(dirname "$0")/../.."
modules=core,benchmarks
tools/newer_jdk.sh >/dev/null 2>&1 && modules=core,ffm,benchmarks
tools/maven.sh -Pbenchmarks -pl "$modules" package -Dmaven.test.skip=true -Dspotless.check.skip=true
if [ "${1:-}" = micro ]; then
  shift
  exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" -cp 'java-serving/benchmarks/target/classes:java-serving/benchmarks/target/lib/*' \
    org.openjdk.jmh.Main -rf json -rff build/bench/java-micro.json "$@"
fi
if [ "${1:-}" = reading ]; then
  exec "${JAVA_HOME:+$JAVA_HOME/bin/}java" -cp 'java-serving/benchmarks/target/classes:java-serving/benchmarks/target/lib/*' \
    dev.twinrank.benchmarks.micro.RequestReading
fi
models=()
[ "${1:-}" = --quick ] && models=(heavy light attention)
.venv/bin/python java-serving/benchmarks/python/models.py build/bench/models "${models[@]}"
exec .venv/bin/python java-serving/benchmarks/python/bench.py "$@"
