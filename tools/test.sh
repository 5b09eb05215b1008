#!/usr/bin/env bash
# Both suites side by side: each is busy with one core most of the time. Python's shows as it goes, Java's when both are done.
set -uo pipefail
cd "$(dirname "$0")/.."
mkdir -p build/log
java_log=build/log/java-tests.txt

# The phase `test` runs every test and packages nothing, because Python's parity tests run the jars meanwhile.
# It is a job with a process group of its own: a plain `&` would make it, and the servers that its tests interrupt, ignore SIGINT.
set -m
tools/maven.sh test >"$java_log" 2>&1 &
java=$!
set +m
trap 'kill -- "-$java" 2>/dev/null' INT TERM
.venv/bin/pytest -m "not ci"
python_status=$?
printf '\n---- the Java reactor, which ran beside it\n'
wait "$java"
java_status=$?
cat "$java_log"
if [ "$python_status" -ne 0 ] || [ "$java_status" -ne 0 ]; then
  printf '\nfailed: Python ended with %d, Java with %d\n' "$python_status" "$java_status" >&2
  exit 1
fi
