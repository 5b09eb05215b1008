#!/usr/bin/env bash
# Names each missing tool in one line and what to install, before anything slow starts.
set -u
missing=0
java_missing=0
say() { printf 'missing: %s\n' "$1" >&2; missing=1; }

for need in "$@"; do
  case "$need" in
    python)
      "${PYTHON:-python3}" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
        say "Python 3.11 or newer with venv (looked for '${PYTHON:-python3}'; install python3.11 and python3.11-venv, or set PYTHON=/path/to/python3.11)"
      ;;
    java)
      javac=${JAVA_HOME:+$JAVA_HOME/bin/}javac
      major=$("$javac" -version 2>&1 | sed -nE 's/^javac ([0-9]+).*/\1/p')
      [ "${major:-0}" -ge 17 ] || java_missing=1
      [ "$java_missing" -eq 0 ] ||
        say "a JDK 17 or newer (looked for '$javac'; install openjdk-17-jdk-headless, or set JAVA_HOME)"
      ;;
    mvn)
      # Maven cannot even tell its version without Java; then the line about the JDK says it all.
      [ "$java_missing" -eq 0 ] || { command -v mvn >/dev/null || say "Maven 3.8 or newer (install the package maven)"; continue; }
      version=$(mvn -v 2>/dev/null | sed -nE 's/.*Apache Maven ([0-9]+\.[0-9]+).*/\1/p')
      major=${version%%.*}
      minor=${version##*.}
      { [ "${major:-0}" -gt 3 ] || { [ "${major:-0}" -eq 3 ] && [ "${minor:-0}" -ge 8 ]; }; } ||
        say "Maven 3.8 or newer (looked for 'mvn'; install the package maven)"
      ;;
    *)
      echo "require.sh: unknown tool '$need' (known: python java mvn)" >&2
      exit 2
      ;;
  esac
done
exit "$missing"
