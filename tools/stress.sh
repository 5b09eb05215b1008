#!/usr/bin/env bash
# Runs jcstress on the count of users and on the swap of versions; an argument is its mode (quick, default, tough).
set -euo pipefail
cd "$(dirname "$0")/.."
mode=${1:-quick}
jdk=${JAVA_HOME:+$JAVA_HOME/bin/}
tools/maven.sh -P stress -pl stress -am package -Dmaven.test.skip=true -Dspotless.check.skip=true
out=build/stress
rm -rf "$out" && mkdir -p "$out"
bundle=$PWD/tests/contract/vectors/bundles/tiny/1
classes="$PWD/java-serving/stress/target/classes:$PWD/java-serving/core/target/classes:$PWD/java-serving/stress/target/lib/*"
log=$out/jcstress.txt
status=0
(cd "$out" && "${jdk}java" -cp "$classes" org.openjdk.jcstress.Main -m "$mode" -jvmArgsPrepend "-Dtwinrank.stress.bundle=$bundle -Xmx256m" -r html) >"$log" 2>&1 || status=$?
failed=$(grep -cE '^\.*\[?(FAILED|ERROR)|\] FAILED|\[FAILED\]' "$log" || true)
tests=$(grep -c '^ *\[OK\]\|\[OK\] ' "$log" || true)
if [ "$status" -ne 0 ] || [ "$failed" -ne 0 ] || [ "$tests" -eq 0 ]; then
  tail -60 "$log"
  echo "stress: $failed failed, jcstress ended with $status; $log has it all" >&2
  exit 1
fi
echo "reliability: jcstress -m $mode: $tests runs ok, 0 forbidden outcomes"
