#!/usr/bin/env bash
# NVIDIA's perf_analyzer, unmodified, against a server on this machine:
#   tools/service/perf_analyzer.sh DATA.json -m MODEL -u HOST:PORT -i grpc ...
# Its binary needs a newer C library than Debian 12 has, so it runs in a small Debian 13 under build/, by chroot, which needs root
# and mmdebstrap. The wheel comes from the package index, pinned by its digest.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=2.60.0
digest=23ef56b107ae9233e5cf09fbdf508dd9b936a52f1bae2f63f53c8117087b3f25
here=build/perf_analyzer/$version
root=$here/root

fail() { printf 'perf_analyzer.sh: %s\n' "$1" >&2; exit 2; }
[ $# -ge 1 ] && [ -f "$1" ] || fail "give the requests first: a file as perf_analyzer's --input-data takes it"
[ "$(id -u)" = 0 ] || fail "it must run as root: it changes into a folder with another system (chroot)"
command -v mmdebstrap >/dev/null || fail "mmdebstrap is missing: apt-get install mmdebstrap"

if [ ! -x "$root/pa/perf_analyzer/bin/perf_analyzer" ]; then
  rm -rf "$here"
  mkdir -p "$here"
  printf 'perf_analyzer %s:--hash=sha256:%s\n' "$version" "$digest" >"$here/pinned.txt"
  sed -i 's/^perf_analyzer \([^:]*\):/perf_analyzer==\1 /' "$here/pinned.txt"
  .venv/bin/python -m pip download --quiet --require-hashes --no-deps --only-binary=:all: --platform manylinux_2_38_x86_64 \
    --python-version 3.12 --dest "$here" --requirement "$here/pinned.txt"
  mmdebstrap --quiet --variant=minbase trixie "$here/new"
  mkdir "$here/new/pa"
  .venv/bin/python -m zipfile -e "$here"/perf_analyzer-*.whl "$here/new/pa"
  chmod +x "$here/new/pa/perf_analyzer/bin/perf_analyzer"
  # Whole or not at all: an attempt that is cut off is made anew.
  mv "$here/new" "$root"
fi
requests=$(mktemp "$root/tmp/requests-XXXXXX")
trap 'rm -f "$requests"' EXIT
cp "$1" "$requests"
shift
chroot "$root" /pa/perf_analyzer/bin/perf_analyzer --input-data "/tmp/$(basename "$requests")" "$@"
