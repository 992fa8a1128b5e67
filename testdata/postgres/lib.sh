# shellcheck shell=bash
# What image.sh and the tests' callers share; to be sourced.

# postgres_bin prints the folder of initdb and postgres, looked for where
# internal/pgcluster looks, and fails if there is none.
postgres_bin() {
  local dir found
  local -a dirs
  if [ -n "${M2MSAFE_POSTGRES_BIN:-}" ]; then
    dirs=("$M2MSAFE_POSTGRES_BIN")
  else
    dirs=()
    if found=$(command -v postgres); then dirs+=("$(dirname "$(readlink -f "$found")")"); fi
    if found=$(pg_config --bindir 2>/dev/null); then dirs+=("$found"); fi
    # The newest first; a pattern that matches nothing stands for no folder.
    mapfile -t -O "${#dirs[@]}" dirs < <(
      printf '%s\n' /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /usr/libexec/postgresql* | sort -rV
    )
  fi
  for dir in "${dirs[@]}"; do
    if [ -x "$dir/initdb" ] && [ -x "$dir/postgres" ]; then
      echo "$dir"
      return 0
    fi
  done
  return 1
}
