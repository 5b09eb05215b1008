#!/usr/bin/env bash
# The lifecycle tests of the core in forked JVMs: `reliability.sh ci` or `reliability.sh full`, one line a test with what it
# counted. TWINRANK_JAVA names another JVM's executable for the forked ones, TWINRANK_ENGINE an engine (ffm: after tools have built it).
set -euo pipefail
cd "$(dirname "$0")/.."
size=${1:-full}
case $size in ci | full) ;; *) echo "reliability.sh: ci or full, not '$size'" >&2 && exit 2 ;; esac
options=(-Dtwinrank.life="$size")
[ -z "${TWINRANK_JAVA:-}" ] || options+=(-Dtwinrank.life.java="$TWINRANK_JAVA")
[ -z "${TWINRANK_ENGINE:-}" ] || options+=(-Dtwinrank.life.engine="$TWINRANK_ENGINE" -Dtwinrank.life.classpath="${TWINRANK_ENGINE_CLASSPATH:?the jar of the engine}")
status=0
tools/maven.sh -pl core test -Dtest='dev.twinrank.life.*Test' -DargLine="${options[*]}" || status=$?
grep -o 'reliability: .*' build/log/maven.log || true
[ "$status" -eq 0 ] || exit "$status"
