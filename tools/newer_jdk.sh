#!/usr/bin/env bash
# Prints the home of a JDK of release 22 (or that of the argument) or later; without one it says where it looked and fails.
# TWINRANK_NEWER_JDK names it, or says `none` to do as a machine without one does.
set -u
least=${1:-22}
[ "${TWINRANK_NEWER_JDK:-}" = none ] && { echo "no JDK $least or newer wanted (TWINRANK_NEWER_JDK=none)" >&2; exit 1; }
for home in "${TWINRANK_NEWER_JDK:-}" "${JAVA_HOME:-}" /usr/lib/jvm/* /Library/Java/JavaVirtualMachines/*/Contents/Home "$HOME"/.sdkman/candidates/java/*; do
  [ -x "$home/bin/javac" ] || continue
  major=$("$home/bin/javac" -version 2>&1 | sed -nE 's/^javac ([0-9]+).*/\1/p')
  [ "${major:-0}" -ge "$least" ] && { echo "$home"; exit 0; }
done
echo "no JDK $least or newer found (looked below /usr/lib/jvm; set TWINRANK_NEWER_JDK=/path/to/jdk)" >&2
exit 1
