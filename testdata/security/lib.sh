# shellcheck shell=bash
# For the scripts beside it.

# install FOLDER PACKAGE@VERSION puts a program there; without it there is nothing
# to look with, and that is said.
install() {
  if ! GOBIN=$1 go install "$2"; then
    echo "$2 can't be had here: LEFT OUT, nothing was looked for"
    exit 0
  fi
}
