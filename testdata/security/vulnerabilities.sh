#!/usr/bin/env bash
# Looks with govulncheck for known vulnerabilities in what the modules are built with:
#
#   GOVULNCHECK=package@version VULNDB=module@version vulnerabilities.sh MODULE...
#
# What an app or the command has fails; what tests and benchmarks alone use is shown,
# and so is what the Go that is installed has. The database is vuln.go.dev; where that
# can't be reached, its module, which the module proxy has; without either nothing is
# looked for, and that is said.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# shipped are the packages that others build, as MODULE:PATTERN.
shipped=(.:. cmd/m2msafe:.)

bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
GOBIN=$bin go install "$GOVULNCHECK"

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
  local out status=0
  out=$(cd "$1" && "$bin/govulncheck" "${db[@]}" "$2" 2>&1) || status=$?
  if [ "$status" -ne 0 ] && [ "$status" -ne 3 ]; then
    echo "$out" >&2
    return "$status"
  fi
  awk '/^Vulnerability #/ { id = $3 } /^  Standard library$/ { print id, "go" } /^  Module: / { print id, $2 }' <<<"$out" | sort -u
}

if ! lines=$(database); then
  echo "govulncheck: neither vuln.go.dev nor $VULNDB can be had here: left out"
  exit 0
fi
mapfile -t db < <(printf '%s' "$lines")
echo "govulncheck: by ${db[1]:-vuln.go.dev}"

failed=0
for pair in "${shipped[@]}"; do
  lines=$(found "${pair%%:*}" "${pair#*:}")
  while read -r id module; do
    case $module in
    '') echo "${pair%%:*}: nothing" ;;
    go) echo "${pair%%:*}: $id, of $(go env GOVERSION): build it with a newer one" ;;
    *) echo "${pair%%:*}: $id, of $module" && failed=1 ;;
    esac
  done <<<"$lines"
done
for module in "$@"; do
  lines=$(found "$module" ./... | grep -v ' go$' || true)
  [ -z "$lines" ] || sed "s|^|$module, in tests, benchmarks or the command: |" <<<"$lines"
done
exit "$failed"
