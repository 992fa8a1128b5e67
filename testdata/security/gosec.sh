#!/usr/bin/env bash
# Looks at the code of modules with gosec, but for their tests:
#
#   GOSEC=package@version gosec.sh MODULE...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=testdata/security/lib.sh
. testdata/security/lib.sh

# The modules that nothing imports and nobody installs: the suite and the measurements.
# They draw at random to be repeated (G404, G115), and run programs (G204), write SQL (G202)
# and read and write files (G301, G304, G306) by names of their own making.
inward=(./bench ./chaos ./compat)
left=G115,G202,G204,G301,G304,G306,G404

bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
install "$bin" "$GOSEC"

failed=0
for module in "$@"; do
  flags=(-quiet -nosec-require-rules -nosec-require-justification)
  [[ " ${inward[*]} " != *" $module "* ]] || flags+=("-exclude=$left")
  # Named one by one: gosec's own ./... goes into other modules, and makes of a folder that
  # has nothing but tests the one that it is run in.
  packages=$(cd "$module" && go list -f '{{if .GoFiles}}{{.Dir}}{{end}}' ./...)
  mapfile -t packages <<<"$packages"
  echo "gosec: $module: ${#packages[@]} packages"
  (cd "$module" && "$bin/gosec" "${flags[@]}" "${packages[@]}") || failed=1
done
exit "$failed"
