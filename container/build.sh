#!/usr/bin/env bash
# Builds the server's image from the jar that `make jar` built: container/build.sh [NAME[:TAG]]   (twinrank-server:VERSION)
# TWINRANK_JARS names another folder with the jar. The build's context holds three files and nothing else of the checkout.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
jars=${TWINRANK_JARS:-$here/../java-serving/server/target}
shopt -s nullglob
found=("$jars"/twinrank-server-*-all.jar)
case ${#found[@]} in
  1) ;;
  0) echo "no twinrank-server-*-all.jar in $jars: run \`make jar\`, or set TWINRANK_JARS to a folder with it" >&2; exit 2 ;;
  *) echo "$jars holds ${#found[@]} server jars: keep one, or run \`make clean jar\`" >&2; exit 2 ;;
esac
version=${found[0]##*/twinrank-server-}
version=${version%-all.jar}
name=${1:-twinrank-server:$version}
revision=$(git -C "$here" describe --always --dirty 2>/dev/null || echo unknown)

context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
cp "$here/Dockerfile" "$here/jvm.options" "${found[0]}" "$context/"
# COPY keeps these, and a layer is found again by them.
chmod 644 "$context"/* && touch --date=@0 "$context"/*
# The build's one need of a network is apt; it takes the machine's own, so that what reaches a mirror here does there.
# The classic builder, so that no plugin is needed.
DOCKER_BUILDKIT=0 docker build --network host --tag "$name" \
  --build-arg VERSION="$version" --build-arg REVISION="$revision" "$context" >"$context.log" 2>&1 ||
  { tail -n 30 "$context.log" >&2; echo "the image does not build; the whole log is $context.log" >&2; exit 1; }
rm -f "$context.log"
printf '%s  %s MB\n' "$name" "$(docker image inspect --format '{{.Size}}' "$name" | awk '{printf "%.0f", $1 / 1e6}')"
