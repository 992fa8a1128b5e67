#!/usr/bin/env bash
# image.sh [TAG]: makes a Docker image (default m2msafe/postgres:local) of this
# machine's PostgreSQL, for where no image registry can be reached. To the tests
# it is like the official image: POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB
# are heeded, arguments go to the server, which listens on port 5432.
set -euo pipefail

tag=${1:-m2msafe/postgres:local}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=testdata/postgres/lib.sh
. "$here/lib.sh"

if ! bin=$(postgres_bin); then
  echo "image.sh: no PostgreSQL server programs on this machine; install.sh installs them" >&2
  exit 1
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,etc,tmp,dev,proc,sys,usr/local/bin,var/lib/postgresql}

# add FILE...: copies to the same path in the image, through links, so that what
# a program looks for by name is there whatever the links of this machine are.
add() {
  local file
  for file in "$@"; do
    mkdir -p "$root$(dirname "$file")"
    cp -rL "$file" "$root$file"
  done
}

# libraries FILE...: every shared library that the files load, the loader too.
libraries() {
  # Some files are no programs; ldd says so and fails.
  { ldd "$@" 2>/dev/null || true; } | grep -oE '/[^ :]+\.so[^ :)]*' | sort -u
}

# The folders that postgres was built with. A relocated build (without
# pg_config) keeps them beside its programs.
if [ -x "$bin/pg_config" ]; then
  share=$("$bin/pg_config" --sharedir)
  modules=$("$bin/pg_config" --pkglibdir)
else
  share=$bin/../share
  modules=$bin/../lib
fi

add "$bin/initdb" "$bin/postgres" "$share" "$modules"
# The just-in-time compiler would bring LLVM along, twice the rest in size;
# PostgreSQL does without where its library is missing.
rm -rf "$root$modules"/llvmjit* "$root$modules/bitcode"
# The time zones and the locales are often the system's; initdb starts its
# children by a shell.
for path in /usr/share/zoneinfo /usr/lib/locale/C.utf8; do
  if [ -e "$path" ]; then add "$path"; fi
done
cp -L "$(command -v sh)" "$root/bin/sh"
mapfile -t wanted < <(libraries "$bin/initdb" "$bin/postgres" "$root/bin/sh" "$root$modules"/*.so)
for path in "${wanted[@]}"; do
  [ -e "$root$path" ] || add "$path"
done

echo 'root:x:0:0::/:/bin/sh
postgres:x:999:999::/var/lib/postgresql:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:
postgres:x:999:' >"$root/etc/group"
# The container runs as postgres from its first process on, so that nothing in
# it has to change users; for that the folders must be open.
chmod 1777 "$root/tmp" "$root/var/lib/postgresql"
chmod 755 "$root"

sed "s|@bin@|$bin|g" "$here/entrypoint.sh" >"$root/usr/local/bin/entrypoint.sh"
chmod 755 "$root/usr/local/bin/entrypoint.sh"

tar -C "$root" --owner=0 --group=0 -c . |
  docker import \
    --change 'USER postgres' \
    --change 'EXPOSE 5432' \
    --change 'WORKDIR /var/lib/postgresql' \
    --change 'ENTRYPOINT ["/bin/sh", "/usr/local/bin/entrypoint.sh"]' \
    --change 'CMD ["postgres"]' \
    - "$tag" >/dev/null
echo "image.sh: made $tag of $("$bin/postgres" --version)"
