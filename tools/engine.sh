#!/usr/bin/env bash
# A real Docker engine for the container tests, on a machine where none runs: `start`, `stop`, `env`, `status`.
# An engine that already answers is used as it is, and never stopped or changed. Ours lives wholly below one folder
# (TWINRANK_ENGINE, else a folder of the temporary one), and publishes ports on loopback only.
set -euo pipefail
cd "$(dirname "$0")/.."
base=debian:bookworm-slim
archive=$PWD/build/images/debian-bookworm-slim.tar
home=${TWINRANK_ENGINE:-${TMPDIR:-/tmp}/twinrank-engine-$(id -u)}
socket=$home/docker.sock
pid_file=$home/docker.pid

fail() { printf 'engine: %s\n' "$*" >&2; exit 1; }
tell() { printf 'engine: %s\n' "$*" >&2; }
answers() { command -v docker >/dev/null && timeout 20 docker info >/dev/null 2>&1; }
ours() { DOCKER_HOST=unix://$socket answers; }
# A pid that was recycled after a crash is some other program's.
our_pid() {
  local pid
  pid=$(cat "$pid_file" 2>/dev/null) || return 1
  tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "--pidfile $pid_file" && echo "$pid"
}

# Whether somebody else's engine answers where this shell looks by itself.
theirs() { [ "${DOCKER_HOST:-}" != "unix://$socket" ] && answers; }

show_env() {
  # What testcontainers needs: without its reaper, which is an image of a registry, and with published ports on
  # loopback (inside a container itself, it would look for them at the bridge's gateway).
  theirs || printf 'export DOCKER_HOST=%q\n' "unix://$socket"
  printf 'export %s\n' TESTCONTAINERS_RYUK_DISABLED=true TESTCONTAINERS_HOST_OVERRIDE=127.0.0.1 \
    TESTCONTAINERS_CONNECTION_MODE=docker_host
}

start_daemon() {
  [ "$(uname -s)" = Linux ] || fail "no engine answers, and this script starts one on Linux only"
  [ "$(id -u)" -eq 0 ] || fail "no engine answers, and starting one needs root: start Docker, or run this as root"
  command -v docker >/dev/null || fail "no docker command: install the packages docker.io, iptables and mmdebstrap"
  local daemon=
  for candidate in /usr/sbin/dockerd "$(command -v dockerd || true)"; do
    [ -x "$candidate" ] && { daemon=$candidate; break; }
  done
  [ -n "$daemon" ] || fail "no dockerd (the docker command is only a client): install the packages docker.io and iptables"
  command -v iptables >/dev/null || [ -x /usr/sbin/iptables ] || fail "no iptables, which publishing ports needs: install it"
  mkdir -p "$home"
  chmod 700 "$home"
  rm -f "$socket"
  our_pid >/dev/null || rm -f "$pid_file"
  # cgroupfs: no systemd is assumed. A process group of its own, and none of our file descriptors.
  PATH=$PATH:/usr/sbin:/sbin setsid "$daemon" --exec-opt native.cgroupdriver=cgroupfs --data-root "$home/data" \
    --exec-root "$home/exec" --pidfile "$pid_file" --host "unix://$socket" --ip 127.0.0.1 \
    </dev/null >"$home/dockerd.log" 2>&1 9>&- &
  local started=$!
  for _ in $(seq 300); do
    ours && { tell "started $("$daemon" --version), pid $(cat "$pid_file"), below $home"; return; }
    kill -0 "$started" 2>/dev/null || break
    sleep 0.1
  done
  kill "$started" 2>/dev/null || true
  tail -n 5 "$home/dockerd.log" >&2 || true
  fail "dockerd does not come up; its log is $home/dockerd.log"
}

# The base image of our Dockerfile: from a registry where one is reachable, else made of Debian's packages.
bring_base() {
  docker image inspect "$base" >/dev/null 2>&1 && return
  if [ ! -f "$archive" ] && timeout 20 docker pull --quiet "$base" >/dev/null 2>&1; then
    tell "pulled $base"
    return
  fi
  if [ ! -f "$archive" ]; then
    command -v mmdebstrap >/dev/null || fail "no registry gives $base, and there is no mmdebstrap to make it: install it"
    mkdir -p "$(dirname "$archive")"
    tell "no registry gives $base: making it of Debian's packages (half a minute)"
    rm -rf "$archive.part"
    mmdebstrap --quiet --format=tar --variant=apt --aptopt='Acquire::Languages "none"' --dpkgopt=force-unsafe-io \
      --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
      --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
      --dpkgopt='path-exclude=/usr/share/info/*' \
      bookworm "$archive.part" >"$home/mmdebstrap.log" 2>&1 || { tail -n 5 "$home/mmdebstrap.log" >&2; fail "mmdebstrap failed"; }
    mv "$archive.part" "$archive"
  fi
  docker import --change 'CMD ["bash"]' "$archive" "$base" >/dev/null
  tell "made $base of $archive"
}

start() {
  if theirs; then
    tell "one answers already, and is used as it is"
    return
  fi
  mkdir -p "$home"
  exec 9>"$home/lock"
  flock 9
  ours || start_daemon
  export DOCKER_HOST=unix://$socket
  bring_base
}

stop() {
  local pid
  pid=$(our_pid) || { tell "none of ours runs"; return; }
  kill "$pid"
  for _ in $(seq 300); do
    kill -0 "$pid" 2>/dev/null || { rm -f "$socket"; tell "stopped; its images stay in $home/data"; return; }
    sleep 0.1
  done
  fail "pid $pid does not end; its log is $home/dockerd.log"
}

status() {
  if theirs; then echo theirs; elif ours; then echo ours; else echo none; fi
}

case "${1:-}" in
  start) start ;;
  stop) stop ;;
  env) show_env ;;
  status) status ;;
  *) echo "usage: tools/engine.sh start|stop|env|status   (then: eval \"\$(tools/engine.sh env)\")" >&2; exit 2 ;;
esac
