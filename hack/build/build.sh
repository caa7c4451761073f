#!/usr/bin/env bash
# Compiles and runs hack/build: for this machine, since GOOS and GOARCH are for what
# it builds, and with the flags of what it builds, so that what both need is
# compiled once.
#
# usage: GO=go GOFLAGS=… hack/build/build.sh [flags] TARGET...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

GO=${GO:-go}
[[ -x bin/build ]] || echo 'build: compiling the build tool first (about 200 packages)' >&2
packages=0
env -u GOOS -u GOARCH CGO_ENABLED=0 "$GO" build -v -buildvcs=false -trimpath -gcflags=all=-dwarf=false -ldflags='-s -w' -o bin/build ./hack/build 2>&1 |
  while IFS= read -r line; do # awk would read, and so print, in blocks
    [[ $line != *[\ :]* ]] || { echo "$line"; continue; }
    (( ++packages % 50 )) || echo "build: compiled $packages packages of the build tool"
  done >&2
exec bin/build -go "$GO" "$@"
