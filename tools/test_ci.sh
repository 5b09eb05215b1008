#!/usr/bin/env bash
# The CI tier: what needs more than Python, JDK 17 and Maven. Every absent component is a failure here.
set -euo pipefail
cd "$(dirname "$0")/.."
export TWINRANK_TIER=ci
phase() { printf '\n---- %s\n' "$1"; }

newer_jdk() { # prints the home of a JDK of release 22 or later
  local home major
  for home in "${TWINRANK_NEWER_JDK:-}" /usr/lib/jvm/* "$HOME"/.sdkman/candidates/java/*; do
    [ -x "$home/bin/javac" ] || continue
    major=$("$home/bin/javac" -version 2>&1 | sed -nE 's/^javac ([0-9]+).*/\1/p')
    [ "${major:-0}" -ge 22 ] && { echo "$home"; return 0; }
  done
  return 1
}

phase "make demo, from data to report"
make demo

phase "the Gradle consumer scores the demo bundle"
gradle/check.sh build/models/ml100k/1

phase "consumers of the deployed core: three libraries and no more; beside DJL and other releases of ONNX Runtime"
java-serving/it/check.sh

phase "Python tests that need a component"
.venv/bin/pytest -m ci

phase "the Java reactor's tests, run by a newer JDK"
jdk=$(newer_jdk) || { echo "missing: a JDK 22 or newer (looked below /usr/lib/jvm; set TWINRANK_NEWER_JDK=/path/to/jdk)" >&2; exit 1; }
"$jdk/bin/java" -version 2>&1 | head -1
tools/maven.sh test -Djvm="$jdk/bin/java"

phase "parity of the demo bundle with the newer JDK behind every Java route"
JAVA_HOME=$jdk .venv/bin/twinrank verify build/models/ml100k/1 --run build/runs/ml100k --report build/report-newer-jdk
