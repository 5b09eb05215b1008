#!/usr/bin/env bash
# The full-size runs: three training seeds beside their baselines, every request of each run over every route, and the
# shutdown test at ten times its usual size. Figures go to build/full and to the terminal.
set -euo pipefail
cd "$(dirname "$0")/.."
twinrank=.venv/bin/twinrank
out=build/full
mkdir -p "$out"

for seed in 7 8 9; do
  printf '\n---- seed %s\n' "$seed"
  "$twinrank" train training/configs/ml100k.yaml --seed "$seed" --out "$out/runs/ml100k-seed$seed" --force
  "$twinrank" export "$out/runs/ml100k-seed$seed" --models "$out/models-seed$seed"
  bundle=$(ls -d "$out/models-seed$seed"/ml100k/* | sort -V | tail -1)
  "$twinrank" verify "$bundle" --run "$out/runs/ml100k-seed$seed" --report "$out/report-seed$seed"
done

printf '\n---- shutdown: 100 SIGTERMs during loads\n'
tools/maven.sh -pl core -am test -Dtest=ShutdownTest -Dsurefire.failIfNoSpecifiedTests=false -Dtwinrank.shutdown.rounds=100
