#!/usr/bin/env bash
# Deploys modules of the Java reactor to a folder, for consumers that take them from there as from a remote repository.
#
# usage: tools/deploy.sh FOLDER MODULES      (for example: build/it core,ffm)
#
# FOLDER/repo is the repository. FOLDER/m2 is a local repository for the consumers' own Maven: what this machine's holds,
# without any twinrank, so that no build of another day can stand in for what has just been deployed.
set -euo pipefail

[[ $# -eq 2 ]] || { echo "usage: tools/deploy.sh FOLDER MODULES" >&2; exit 2; }
mkdir -p -- "$1"
folder=$(realpath -- "$1")
reactor=$(dirname -- "$(realpath -- "${BASH_SOURCE[0]}")")/../java-serving
known=$HOME/.m2/repository

rm -rf -- "$folder/repo" "$folder/m2"
mvn -B -q -f "$reactor/pom.xml" -pl "$2" -am -Dmaven.test.skip=true -Dspotless.check.skip=true deploy \
  "-DaltDeploymentRepository=local::file://$folder/repo"
mkdir -p -- "$known"
cp -as -- "$known" "$folder/m2"
rm -rf -- "$folder/m2/dev/twinrank"
