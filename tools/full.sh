#!/usr/bin/env bash
# The full-size runs: three training seeds beside their baselines, every request of each run over every route, the parity
# suite over ten bundles, and the lifecycle tests of the Java core at full size. Figures go to build/full and to the terminal.
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

printf '\n---- bundles of every kind over every route: ten million scores\n'
tools/parity.sh full

printf '\n---- crashes and leaks of the Java core at full size\n'
tools/reliability.sh full
tools/stress.sh full
