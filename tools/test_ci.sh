#!/usr/bin/env bash
# The CI tier: what needs more than Python, JDK 17 and Maven. Every absent component is a failure here.
set -euo pipefail
cd "$(dirname "$0")/.."
export TWINRANK_TIER=ci
phase() { printf '\n---- %s\n' "$1"; }

phase "make demo, from data to report"
make demo

phase "the Gradle consumer scores the demo bundle"
gradle/check.sh build/models/ml100k/1

phase "a service of another team serves the demo bundle and one of smaller tables, and swaps them under load"
[ -f build/models-int8/ml100k/1/manifest.json ] ||
  .venv/bin/twinrank export build/runs/ml100k --quantise-tables int8:100 --models build/models-int8
java-serving/example/check.sh build/models/ml100k/1 build/models-int8/ml100k/1

phase "consumers of the deployed core: three libraries and no more; beside DJL and other releases of ONNX Runtime"
java-serving/it/check.sh

phase "the core's Javadoc, without a warning"
tools/maven.sh -pl core javadoc:javadoc

phase "bundles of every kind over every route: 300,000 scores"
tools/parity.sh ci

phase "the server's image on a real engine, from pytest and from JUnit"
container/check.sh

phase "Python tests that need a component"
.venv/bin/pytest -m ci --ignore=tests/container

phase "the service under load: reloads, kills, counts"
tools/maven.sh -Pload -pl load test
tools/server_reliability.sh ci reload kill metrics

phase "the service beside its peers: equal answers, quickly timed"
java-serving/server/bench/run.sh --quick

phase "trees: what LightGBM and XGBoost say, to the bit; and the kernels, quickly timed"
tools/trees_exactness.sh quick
tools/trees_bench.sh --quick

phase "bundles on emulated processors"
tools/isa_matrix.sh quick

phase "crashes and leaks of the Java core, at CI size"
tools/reliability.sh ci
tools/stress.sh quick

phase "the Java reactor's tests, run by a newer JDK"
jdk=$(tools/newer_jdk.sh)
"$jdk/bin/java" -version 2>&1 | head -1
tools/maven.sh test -Djvm="$jdk/bin/java"

phase "every way of scoring that the benchmarks compare answers alike"
java-serving/benchmarks/run.sh --quick

phase "parity of the demo bundle with the newer JDK behind every Java route"
JAVA_HOME=$jdk .venv/bin/twinrank verify build/models/ml100k/1 --run build/runs/ml100k --report build/report-newer-jdk
