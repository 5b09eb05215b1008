#!/usr/bin/env bash
# Builds this service as another team would, from deployed artifacts and without the reactor's parent, starts it on two
# versions of a model of films, and compares what it answers over loopback with the bundles' goldens, bit for bit; then
# `twinrank verify --gateway` verifies it in place while it serves, before and after a swap.
#
# usage: java-serving/example/check.sh BUNDLE OTHER_BUNDLE     (of one model: the second is activated while the first serves)
# exit:  0 all equal, 1 something differs or does not build, 2 usage
set -euo pipefail

usage() {
  echo "usage: java-serving/example/check.sh BUNDLE OTHER_BUNDLE" >&2
  exit 2
}
[[ $# -eq 2 ]] || usage
for bundle in "$@"; do
  [[ -f $bundle/manifest.json ]] || { echo "no bundle at $bundle: manifest.json is not there" >&2; exit 2; }
done

here=$(dirname -- "$(realpath -- "${BASH_SOURCE[0]}")")
"$here/../../tools/deploy.sh" "$here/target" core,gateway
mvn -B -q "-Dmaven.repo.local=$here/target/m2" -f "$here/pom.xml" "-Drepo=file://$here/target/repo" process-classes
python=$here/../../.venv/bin/python
[[ -x $python ]] || { echo "no $python: run \`make env\` in the checkout" >&2; exit 2; }
class_path=$here/target/classes:$(<"$here/target/classpath")
first=$(realpath -- "$1") second=$(realpath -- "$2")
python3 "$here/check.py" "$class_path" "$first" "$second"
"$python" "$here/in_place.py" "$class_path" "$first" "$second"
