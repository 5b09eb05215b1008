#!/usr/bin/env bash
# Runs jcstress on the count of users and on the swap of versions: `stress.sh quick` with the compiler as it comes, which
# takes a minute; `stress.sh full` with every combination of interpreter and compilers that jcstress finds, a quarter of an hour.
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
options="-Xmx256m -Dtwinrank.stress.bundle=$bundle"
case $mode in
  quick) arguments=(-m quick -sc false -jvmArgs "$options") ;;
  full) arguments=(-m quick -jvmArgsPrepend "$options") ;;
  *) echo "stress.sh: quick or full, not '$mode'" >&2 && exit 2 ;;
esac
(cd "$out" && "${jdk}java" -cp "$classes" org.openjdk.jcstress.Main "${arguments[@]}" -r html) >"$log" 2>&1 || status=$?
# What it says last of its results is the whole run; without such a line it has run nothing.
results=$(grep -oE '[0-9]+ planned; [0-9]+ passed, [0-9]+ failed, [0-9]+ soft errs, [0-9]+ hard errs' "$log" | tail -1 || true)
if [ "$status" -ne 0 ] || ! [[ "$results" =~ ^([1-9][0-9]*)\ planned\;\ ([1-9][0-9]*)\ passed,\ 0\ failed,\ 0\ soft\ errs,\ 0\ hard\ errs$ ]] ||
  [ "${BASH_REMATCH[1]}" != "${BASH_REMATCH[2]}" ]; then
  tail -60 "$log"
  echo "stress: '$results', jcstress ended with $status; $log has it all" >&2
  exit 1
fi
echo "reliability: jcstress, $mode: $results; 0 forbidden outcomes"
