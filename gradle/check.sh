#!/usr/bin/env bash
# Builds this project as a Gradle user would, runs its program on a bundle's own requests and compares the printed bits
# with the bundle's goldens.
#
# usage: gradle/check.sh BUNDLE [bits|reference]
# exit:  0 all equal, 1 something differs or does not build, 2 usage, 3 no gradle on this machine
set -euo pipefail

usage() {
  echo "usage: gradle/check.sh BUNDLE [bits|reference]" >&2
  exit 2
}

[[ $# -eq 1 || $# -eq 2 ]] || usage
require=${2:-bits}
[[ $require == bits || $require == reference ]] || usage
bundle=$(realpath -- "$1")
[[ -f $bundle/manifest.json ]] || { echo "no bundle at $bundle: manifest.json is not there" >&2; exit 2; }

here=$(dirname -- "$(realpath -- "${BASH_SOURCE[0]}")")
reactor=$here/../java-serving

command -v gradle >/dev/null || {
  echo "gradle is not installed, so the Gradle consumer was not checked (Debian: apt-get install gradle)" >&2
  exit 3
}

# Emptied first: a jar that an earlier build left must not stand in for one that this build failed to deploy.
rm -rf -- "$here/repo"
mvn -B -q -f "$reactor/pom.xml" -pl core -am -DskipTests deploy "-DaltDeploymentRepository=local::file://$here/repo"

# Gradle writes the version of the JDK to stdout; nothing there is this script's result.
(cd -- "$here" && gradle --no-daemon clean build "-Pbundle=$bundle") >&2

printed=$(mktemp)
trap 'rm -f -- "$printed"' EXIT
java -cp "$(<"$here/build/runtime-classpath")" dev.twinrank.example.RankWithGradle \
  "$bundle" "$bundle/goldens/requests.jsonl" "$require" >"$printed"

python3 "$here/compare.py" "$bundle" "$printed"
