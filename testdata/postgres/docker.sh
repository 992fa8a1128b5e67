#!/usr/bin/env bash
# docker.sh start|stop: a Docker engine for the tests, where none answers.
#
#   eval "$(testdata/postgres/docker.sh start)"   # sets DOCKER_HOST, if need be
#   trap 'testdata/postgres/docker.sh stop' EXIT
#
# start installs Docker as root where it is missing, and runs dockerd with its
# socket, data, state and process id in one temporary folder. stop ends that
# engine, by its process id, and removes the folder. An engine that was there
# before is used, and stop leaves it alone.
set -euo pipefail

say() { echo "docker.sh: $*" >&2; } # standard output is for eval

answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

install_docker() {
  local missing=0 name
  for name in dockerd docker ip; do
    command -v "$name" >/dev/null 2>&1 || missing=1
  done
  [ "$missing" -eq 1 ] || return 0
  say "installing Docker with the package manager"
  if command -v apt-get >/dev/null 2>&1; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get -y -qq -o DPkg::Lock::Timeout=300 update >&2
    # iptables is only recommended, but dockerd does not start without it.
    apt-get -y -qq -o DPkg::Lock::Timeout=300 install --no-install-recommends docker.io iptables iproute2 >&2
  elif command -v dnf >/dev/null 2>&1; then
    dnf install -y -q moby-engine iptables iproute >&2
  elif command -v apk >/dev/null 2>&1; then
    apk add --quiet docker iptables iproute2 >&2
  else
    say "none of apt-get, dnf and apk is here: install Docker by hand"
    return 1
  fi
}

start() {
  if answers; then
    say "an engine answers; it is used"
    return 0
  fi
  if [ "$(id -u)" -ne 0 ]; then
    say "no engine answers, and only root can start one"
    return 1
  fi
  install_docker
  if answers; then # the package has started its service
    say "the installed engine answers"
    return 0
  fi

  local dir pid
  dir=$(mktemp -d "${TMPDIR:-/tmp}/m2msafe-docker-XXXXXX")
  ip link show docker0 >/dev/null 2>&1 || : >"$dir/bridge-is-ours"
  [ -e /run/docker ] || : >"$dir/run-is-ours" # dockerd makes it whatever its options
  # The machine's firewall and routing are left as they are: the tests reach a
  # container through a published port, which docker-proxy serves by itself. The
  # namespaces keep it apart from other engines on a containerd that is shared.
  setsid dockerd \
    --host "unix://$dir/docker.sock" \
    --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/pid" \
    --containerd-namespace "m2msafe-$$" --containerd-plugins-namespace "m2msafe-$$-plugins" \
    --iptables=false --ip-forward=false --ip-masq=false \
    >"$dir/log" 2>&1 </dev/null &
  pid=$!
  export DOCKER_HOST=unix://$dir/docker.sock
  local deadline=$((SECONDS + 60))
  until answers; do
    if ! kill -0 "$pid" 2>/dev/null || [ "$SECONDS" -ge "$deadline" ]; then
      say "the engine does not start; the end of its log:"
      tail -n 20 "$dir/log" >&2
      M2MSAFE_DOCKER_DIR=$dir stop
      return 1
    fi
    sleep 0.2
  done
  say "an engine of our own runs in $dir"
  echo "export DOCKER_HOST=unix://$dir/docker.sock"
  echo "export M2MSAFE_DOCKER_DIR=$dir"
}

stop() {
  local dir=${M2MSAFE_DOCKER_DIR:-} pid point
  if [ -z "$dir" ]; then
    return 0 # start has started nothing
  fi
  # What is removed below is a folder of start's making, or nothing.
  case $(basename "$dir") in
  m2msafe-docker-*) ;;
  *) say "$dir is no folder of docker.sh's" && return 1 ;;
  esac
  pid=$(cat "$dir/pid" 2>/dev/null || true)
  if [ -n "$pid" ] && kill -TERM "$pid" 2>/dev/null; then
    # It stops its containers and its containerd first.
    local deadline=$((SECONDS + 40))
    while kill -0 "$pid" 2>/dev/null && [ "$SECONDS" -lt "$deadline" ]; do sleep 0.1; done
    if kill -KILL "$pid" 2>/dev/null; then say "the engine $pid did not stop and was killed"; fi
  fi
  # The deepest mounts first.
  awk -v dir="$dir/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r |
    while read -r point; do umount -l "$point" || true; done
  if [ -e "$dir/bridge-is-ours" ]; then ip link delete docker0 2>/dev/null || true; fi
  if [ -e "$dir/run-is-ours" ]; then rmdir /run/docker/plugins /run/docker 2>/dev/null || true; fi
  rm -rf "$dir"
}

case ${1:-} in
start) start ;;
stop) stop ;;
*)
  echo "usage: docker.sh start|stop" >&2
  exit 2
  ;;
esac
