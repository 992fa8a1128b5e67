#!/usr/bin/env bash
# install.sh mariadb|pgbouncer|django: installs what the tests of an engine run, with
# Debian's package manager. No service is started: the tests have servers of their own.
set -euo pipefail

case ${1:-} in
mariadb)
  installed=(test -x /usr/sbin/mariadbd)
  packages=(mariadb-server galera-4 rsync)
  ;;
pgbouncer)
  installed=(test -x /usr/sbin/pgbouncer)
  packages=(pgbouncer)
  ;;
django)
  # Debian's own Python: another one on PATH has no Django.
  installed=(/usr/bin/python3 -c 'import django, psycopg2, MySQLdb')
  packages=(python3-django python3-psycopg2 python3-mysqldb)
  ;;
*)
  echo "usage: install.sh mariadb|pgbouncer|django" >&2
  exit 2
  ;;
esac

# Two tests may find it missing: one installs, the other waits for it.
exec 9<"${BASH_SOURCE[0]}"
flock 9
! "${installed[@]}" 2>/dev/null || exit 0
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
  echo "install.sh: install ${packages[*]} by hand: this takes root, and Debian's or Ubuntu's package manager" >&2
  exit 1
fi
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d # no service is to be started
  chmod a+x /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get -y -qq -o DPkg::Lock::Timeout=300 update
apt-get -y -qq -o DPkg::Lock::Timeout=300 install --no-install-recommends "${packages[@]}"
