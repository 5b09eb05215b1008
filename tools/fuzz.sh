#!/usr/bin/env bash
# Requests that nobody would write, over every Java route of one bundle: `fuzz.sh [COUNT] [BUNDLE] [SEED]`, by default a
# million for the demo's bundle. Prints what was decided, by code, and how long it took; the report goes to build/fuzz.
# exit: 0 all equal, 1 a route differs, 2 could not tell
set -euo pipefail
cd "$(dirname "$0")/.."
count=${1:-1000000}
bundle=${2:-build/models/ml100k/1}
seed=${3:-1}
out=build/fuzz
mkdir -p "$out"
status=0
began=$SECONDS
.venv/bin/twinrank verify "$bundle" --route probe --route jpype --route py4j --fuzz "$count" --seed "$seed" --report "$out" ||
  status=$?
took=$((SECONDS - began))
[ "$status" -eq 2 ] && ! [ -f "$out/report.json" ] && exit 2
.venv/bin/python - "$out/report.json" <<'PYTHON'
import json
import sys

route = json.load(open(sys.argv[1], encoding="utf-8"))["routes"][0]
refused = sum(one["count"] for one in route["refusals"])
print(f"  {route['requests'] - refused:>9,}  scored by both")
for one in route["refusals"]:
    said = one["expected"] if one["agreed"] else f"{one['expected']} in Python, {one['actual']} over {route['route']}"
    print(f"  {one['count']:>9,}  {said}")
PYTHON
echo "fuzz: $count requests from seed $seed and the goldens, $took s, exit code $status, $out/report.html"
exit "$status"
