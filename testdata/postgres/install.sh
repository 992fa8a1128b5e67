#!/usr/bin/env bash
# Installs PostgreSQL's server programs (initdb, postgres) with the system's own
# package manager. No service is wanted: the tests start clusters of their own.
set -euo pipefail

if [ "$(id -u)" -ne 0 ] && ! command -v brew >/dev/null 2>&1; then
  echo "install.sh: only root can install packages here" >&2
  exit 1
fi

# Several test binaries may find PostgreSQL missing at the same moment: one
# installs, the others wait for it and find it there.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if command -v flock >/dev/null 2>&1; then
  exec 9<"$here/install.sh"
  flock 9
fi
# shellcheck source=testdata/postgres/lib.sh
. "$here/lib.sh"
if bin=$(postgres_bin); then
  echo "install.sh: PostgreSQL is there, in $bin"
  exit 0
fi

if command -v apt-get >/dev/null 2>&1; then
  export DEBIAN_FRONTEND=noninteractive
  apt=(apt-get -y -qq -o DPkg::Lock::Timeout=300)
  # Debian's package would make and start a cluster of its own; the setting
  # that stops it is read from a file that the first of its packages owns.
  if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
  fi
  "${apt[@]}" update
  "${apt[@]}" install --no-install-recommends -o Dpkg::Options::=--force-confold postgresql
elif command -v dnf >/dev/null 2>&1; then
  dnf install -y -q postgresql-server
elif command -v apk >/dev/null 2>&1; then
  apk add --quiet postgresql
elif command -v brew >/dev/null 2>&1; then
  brew install --quiet postgresql@17
else
  echo "install.sh: none of apt-get, dnf, apk and brew is here: install PostgreSQL by hand" >&2
  exit 1
fi
