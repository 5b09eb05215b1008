#!/usr/bin/env bash
# The image on a real engine, as teams of both languages test against it: testcontainers from pytest and from JUnit.
# Starts an engine where none answers, and stops it again if it was this that started it.
set -euo pipefail
cd "$(dirname "$0")/.."
running=$(tools/engine.sh status)
tools/engine.sh start
[ "$running" = none ] && trap 'tools/engine.sh stop' EXIT
eval "$(tools/engine.sh env)"
export TWINRANK_TIER=ci TWINRANK_IMAGE=twinrank-server:test
container/build.sh "$TWINRANK_IMAGE"
.venv/bin/pytest -q tests/container
tools/maven.sh -Pcontainers -pl container-it test
