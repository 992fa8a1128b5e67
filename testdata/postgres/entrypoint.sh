#!/bin/sh
# The entry of the image that image.sh makes. There is a shell in it and nothing
# else: only builtins and PostgreSQL's own programs can be called.
set -eu

data=/var/lib/postgresql/data
user=${POSTGRES_USER:-postgres}
db=${POSTGRES_DB:-$user}

if [ ! -e "$data/PG_VERSION" ]; then
  if [ -z "${POSTGRES_PASSWORD:-}" ]; then
    echo "POSTGRES_PASSWORD must be set" >&2
    exit 1
  fi
  (umask 077 && printf '%s\n' "$POSTGRES_PASSWORD" >/tmp/password)
  @bin@/initdb -D "$data" --username="$user" --pwfile=/tmp/password \
    --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --no-sync
  : >/tmp/password
  echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
  if [ "$db" != postgres ]; then
    # One server process without a network, before there is one with.
    printf 'CREATE DATABASE "%s"\n' "$db" | @bin@/postgres --single -D "$data" postgres >/dev/null
  fi
fi

case ${1:-postgres} in
postgres) if [ $# -gt 0 ]; then shift; fi ;;
-*) ;;
*) exec "$@" ;;
esac
exec @bin@/postgres -D "$data" -c 'listen_addresses=*' -c unix_socket_directories=/tmp "$@"
