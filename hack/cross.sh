#!/usr/bin/env bash
# Compiles the programs for each platform, into bin/cross/OS-ARCH, and checks that
# the tests compile for macOS. It runs none of them. For Windows it compiles the
# authenticator alone, the program of users: the lab and localaws are for Unix.
#
# From an empty build cache a platform takes about 4 min of CPU time, since most of
# it is dependencies. The flags are those of make build and make image, so that what
# these compiled is not compiled again.
#
# usage: GO=go GOFLAGS=… hack/cross.sh OS/ARCH...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=cross steps=$(($# + 1)) logs=bin/cross/log
. hack/steps.sh
export CGO_ENABLED=0

programs() { # OS ARCH
  local packages=./cmd/...
  if [[ $1 == windows ]]; then packages=./cmd/authenticator; fi
  GOOS=$1 GOARCH=$2 "$GO" build -v -o "bin/cross/$1-$2/" "$packages"
}

tests() { # OS ARCH
  GOOS=$1 GOARCH=$2 "$GO" vet -tags e2e ./...
}

mkdir -p "$logs"
for platform; do
  run "compiling for $platform" programs "${platform%/*}" "${platform#*/}"
done
run 'checking that the tests compile for darwin/arm64' tests darwin arm64
