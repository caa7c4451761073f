#!/usr/bin/env bash
# Builds programs of Kubernetes, and etcd, from Go modules. No registry, no
# download site: only the Go module proxy. What is already built is left alone.
#
# usage: hack/controlplane/build.sh DIR PROGRAM...
#
# Every program of go.mod's tool block can be named. `make control-plane` is for
# those that the lab needs: it downloads them where it can.
set -euo pipefail
(($# >= 2)) || { sed -n '5s/^# //p' "${BASH_SOURCE[0]}" >&2; exit 2; }

mkdir -p "$1"
directory=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
programs=$(IFS=,; echo "${*:2}")
exec hack/build/build.sh -dir "$directory" -exactly "$programs" control-plane
