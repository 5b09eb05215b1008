#!/usr/bin/env bash
# Runs Maven on the reactor and shows the lines a person wants: modules, tests, warnings, errors; build/log has them all.
# What the shade plugin says of files that several jars carry (licences, native headers) is expected and left to the log.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p build/log
log=build/log/maven.log
# The module ffm is Java 22, vector is Java 25; a machine that has only JDK 17 builds and tests all the others.
if newer=$(tools/newer_jdk.sh 2>&1); then
  set -- "-Dtwinrank.jdk22=$newer" "$@"
else
  echo "ffm: skipped, $newer"
fi
if newest=$(tools/newer_jdk.sh 25 2>&1); then
  set -- "-Dtwinrank.jdk25=$newest" "$@"
else
  echo "vector: skipped, $newest"
fi
set +e # the filters find nothing in a quiet run; Maven's own status decides
mvn -B -ntp -f java-serving/pom.xml "$@" 2>&1 | tee "$log" |
  grep --line-buffered -E '^\[INFO\] (Building [^:]*twinrank|BUILD |Total time|twinrank.*(SUCCESS|FAILURE|SKIPPED))|Tests run:|^\[(ERROR|WARNING)\]' |
  grep --line-buffered -vE '^\[WARNING\] (  - |maven-shade|present in two|single version|Usually this|manually exclude|otherwise try|based on|mvn dependency|See https?://maven|.* (define|defines) [0-9]+ overlapping)'
status=${PIPESTATUS[0]}
set -e
[ "$status" -eq 0 ] || echo "maven failed with $status; the whole log is $log" >&2
exit "$status"
