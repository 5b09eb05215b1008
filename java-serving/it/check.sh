#!/usr/bin/env bash
# Builds consumers of the deployed core that the reactor itself cannot be: one with every transitive dependency excluded,
# one that shares its process with other users of ONNX Runtime, and one that holds its ranker to the contract test.
#
# usage: java-serving/it/check.sh [BUNDLE]     (the contract's fixture bundle, unless another is named)
# exit:  0 all as expected, 1 something is not, 2 usage
set -euo pipefail

here=$(dirname -- "$(realpath -- "${BASH_SOURCE[0]}")")
[[ $# -le 1 ]] || { echo "usage: java-serving/it/check.sh [BUNDLE]" >&2; exit 2; }
bundle=$(realpath -- "${1:-$here/../../tests/contract/vectors/bundles/tiny/1}")
[[ -f $bundle/manifest.json ]] || { echo "no bundle at $bundle: manifest.json is not there" >&2; exit 2; }

"$here/../../tools/deploy.sh" "$here/target" core,junit

failed=0
same() { # what, expected, found
  if [[ $2 == "$3" ]]; then
    echo "ok      $1"
  else
    printf 'FAILED  %s\n  expected: %s\n  found:    %s\n' "$1" "$2" "$3"
    failed=1
  fi
}

build() {
  rm -rf -- "$here/$1/target"
  mvn -B -q "-Dmaven.repo.local=$here/target/m2" -f "$here/$1/pom.xml" "-Drepo=file://$here/target/repo" process-classes
}

classpath() { # of a project
  echo "$here/$1/target/classes:$(<"$here/$1/target/classpath")"
}

run() { # class path, main class, arguments; every process finds an empty folder for temporary files
  local temporary
  temporary=$(mktemp -d)
  java "-Djava.io.tmpdir=$temporary" -cp "$1" "org.acme.$2" "${@:3}" 2>"$here/target/stderr" ||
    { echo "it ended with $?: "; tail -3 "$here/target/stderr"; }
  rm -rf -- "$temporary"
}

build few-dependencies
same "exactly three libraries behind the core" \
  "hash4j-0.31.0.jar jackson-core-2.22.4.jar onnxruntime-1.29.0.jar twinrank-core-0.1.0.jar" \
  "$(tr ':' '\n' <"$here/few-dependencies/target/classpath" | sed 's|.*/||' | sort | xargs)"
same "they are enough" "twinrank ranked" "$(run "$(classpath few-dependencies)" FewDependencies "$bundle" | sed 's/ [0-9]*$//')"

build neighbours
ours=$(classpath neighbours)
other=$here/neighbours/target/other-release/onnxruntime-1.28.0.jar

scenario() { # name, expected: its lines, counts left out, joined by "; "
  same "$1" "$2" "$(run "$ours" Neighbours "$1" "$bundle" "$other" | sed -E 's/ [0-9]+$//' | paste -sd ';' | sed 's/;/; /g')"
}

scenario alone "twinrank ranked"
scenario djl-first "djl computed; twinrank ranked; djl computed"
scenario djl-second "twinrank ranked; djl refused: one already exists; twinrank ranked"
scenario their-pool-first "their pool is there; twinrank ranked; their session has inputs: true"
scenario their-pool-second "twinrank ranked; their pool is refused; their session has inputs: true"
scenario their-close-first "twinrank ranked"
scenario two-loaders "twinrank ranked; twinrank ranked"
scenario other-release-in-another-loader "another loader has 1.28.0; twinrank refused: another release is in this process"
same "another release earlier on the class path" "twinrank refused: runtime_mismatch" \
  "$(run "$other:$ours" Neighbours alone "$bundle")"

contract() { # of a bundle: how many tests of another team's contract test ran, and how many did not pass
  rm -rf -- "$here/contract/target"
  mvn -B -q "-Dmaven.repo.local=$here/target/m2" -f "$here/contract/pom.xml" "-Drepo=file://$here/target/repo" "-Dbundle=$1" test \
    >"$here/target/contract.log" 2>&1 || true
  sed -nE 's/.*<testsuite .* tests="([0-9]+)" errors="([0-9]+)" skipped="([0-9]+)" failures="([0-9]+)".*/\1 tests, \2 errors, \3 skipped, \4 failed/p' \
    "$here/contract/target/surefire-reports/"TEST-*.xml 2>/dev/null || tail -5 "$here/target/contract.log"
}

# Ten tests, and one for each golden.
same "another team's ranker keeps the contract" "$(($(wc -l <"$bundle/goldens/requests.jsonl") + 10)) tests, 0 errors, 0 skipped, 0 failed" \
  "$(contract "$bundle")"
broken=$(mktemp -d)
cp -r -- "$bundle" "$broken/1"
printf '\n' >>"$broken/1/goldens/requests.jsonl"
same "a bundle that cannot prove itself fails it" "1 tests, 1 errors, 0 skipped, 0 failed" "$(contract "$broken/1")"
rm -rf -- "$broken"

exit "$failed"
