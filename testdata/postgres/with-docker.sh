#!/usr/bin/env bash
# with-docker.sh COMMAND...: runs the command with a Docker engine and an image
# of PostgreSQL for the tests, and takes away afterwards what it has started.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=testdata/postgres/lib.sh
. "$here/lib.sh"

settings=$("$here/docker.sh" start)
eval "$settings"
trap '"$here/docker.sh" stop' EXIT

if [ -z "${M2MSAFE_TEST_POSTGRES_IMAGE:-}" ]; then
  # Settled once here, so that not every test binary asks a registry again.
  image=postgres:17-alpine
  if ! docker image inspect "$image" >/dev/null 2>&1 && ! docker pull --quiet "$image"; then
    echo "with-docker.sh: $image is not to be had; making an image of this machine's PostgreSQL"
    image=m2msafe/postgres:local
    postgres_bin >/dev/null || "$here/install.sh"
    "$here/image.sh" "$image"
  fi
  export M2MSAFE_TEST_POSTGRES_IMAGE=$image
fi
export M2MSAFE_TEST_DOCKER=require
unset M2MSAFE_TEST_POSTGRES # it would come before Docker
"$@"
