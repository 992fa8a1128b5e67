#!/usr/bin/env bash
# Looks with govulncheck for known vulnerabilities in what modules call:
#
#   GOVULNCHECK=package@version VULNDB=module@version vulnerabilities.sh MODULE...
#
# One fails, unless it is accepted below, and so does an accepted one that is found no
# more. Those of the Go that is installed are shown: they are for whoever builds. The
# database is vuln.go.dev; where that can't be reached, its module, which the module proxy
# has.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=testdata/security/lib.sh
. testdata/security/lib.sh

# accepted are vulnerabilities of what the tests alone use, with the reason.
declare -A accepted=(
  [GO-2026-4883]="of the Docker daemon: the tests' client has the types of its API from github.com/docker/docker, of which no version is mended"
  [GO-2026-4887]="as GO-2026-4883"
)

bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
install "$bin" "$GOVULNCHECK"

# database prints the arguments that name one that answers.
database() {
  local out dir
  if out=$("$bin/govulncheck" . 2>&1) || [[ $out != *"fetching vulnerabilities"* ]]; then
    return 0
  fi
  dir=$(cd "$bin" && go mod download -json "$VULNDB" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  [ -n "$dir" ] || return 1
  printf -- '-db\nfile://%s/data/osv\n' "$dir"
}

# found prints what govulncheck has found in a pattern of a module, a line each: its
# number, and the module that has it, or "go".
found() {
  local out lines status=0
  out=$(cd "$1" && "$bin/govulncheck" "${db[@]}" "$2" 2>&1) || status=$?
  lines=$(awk '/^Vulnerability #/ { id = $3 } /^  Standard library$/ { print id, "go" } /^  Module: / { print id, $2 }' <<<"$out" | sort -u)
  # 3 is its word for "there are some".
  if [ "$status" -ne 0 ] && { [ "$status" -ne 3 ] || [ -z "$lines" ]; }; then
    echo "$out" >&2
    return 1
  fi
  echo "$lines"
}

if ! lines=$(database); then
  echo "govulncheck: neither vuln.go.dev nor $VULNDB can be had here: LEFT OUT, nothing was looked for"
  exit 0
fi
mapfile -t db < <(printf '%s' "$lines")
echo "govulncheck: by ${db[1]:-vuln.go.dev}"

failed=0
declare -A seen=() of_go=()

# look counts and shows what is found in a pattern of a module.
look() {
  local lines id module count=0
  lines=$(found "$1" "$2")
  while read -r id module; do
    case $module in
    '') continue ;;
    go) of_go[$id]=1 && continue ;;
    esac
    count=$((count + 1)) seen[$id]=1
    if [ "$2" != . ] && [ -n "${accepted[$id]:-}" ]; then
      echo "  $id of $module, accepted: ${accepted[$id]}"
    else
      echo "  $id of $module" && failed=1
    fi
  done <<<"$lines"
  echo "govulncheck: $1, $2: $count"
}

look . . # what an app has
for module in "$@"; do
  look "$module" ./...
done
for id in "${!accepted[@]}"; do
  [ -n "${seen[$id]:-}" ] || { echo "$id is accepted and found no more: take it out of $0" && failed=1; }
done
[ ${#of_go[@]} -eq 0 ] || echo "$(go env GOVERSION) itself, for whoever builds with it:" "$(printf '%s\n' "${!of_go[@]}" | sort | tr '\n' ' ')"
exit "$failed"
