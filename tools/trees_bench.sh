#!/usr/bin/env bash
# Our tree kernels beside native LightGBM and XGBoost and ONNX Runtime's operator; what is given goes to trees.py.
set -euo pipefail
cd "$(dirname "$0")/.."
modules=core,benchmarks
tools/newer_jdk.sh 25 >/dev/null 2>&1 && modules=core,vector,benchmarks
tools/maven.sh -Pbenchmarks -pl "$modules" package -Dmaven.test.skip=true -Dspotless.check.skip=true
exec .venv/bin/python java-serving/benchmarks/python/trees.py "$@"
