#!/usr/bin/env bash
# Runs Maven on the reactor and shows the lines a person wants: modules, tests, warnings, errors; the whole log stays in build/log.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build/log
log=build/log/maven.log
status=0
mvn -B -ntp -f java-serving/pom.xml "$@" 2>&1 | tee "$log" |
  grep --line-buffered -E '^\[INFO\] (Building [^:]*twinrank|BUILD |Total time|twinrank.*(SUCCESS|FAILURE|SKIPPED))|Tests run:|^\[(ERROR|WARNING)\]' || true
status=${PIPESTATUS[0]}
[ "$status" -eq 0 ] || echo "maven failed with $status; the whole log is $log" >&2
exit "$status"
