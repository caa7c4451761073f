#!/usr/bin/env bash
# Builds programs of Kubernetes, and etcd, from Go modules. No registry, no
# download site: only the Go module proxy. What is already built is left alone.
#
# usage: hack/controlplane/build.sh [DIR [PROGRAM...]]
#
# By default kube-apiserver, etcd and kubectl into bin/k8s, the layout that
# envtest calls KUBEBUILDER_ASSETS; when that is set, its programs will do.
# Every program of go.mod's tool block can be named.
set -euo pipefail

module=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
directory=${1:-$module/../../bin/k8s}
programs=("${@:2}")
if ((${#programs[@]} == 0)); then
  programs=(kube-apiserver etcd kubectl)
  if [[ -n "${KUBEBUILDER_ASSETS:-}" ]]; then
    for program in "${programs[@]}"; do
      if [[ ! -x "$KUBEBUILDER_ASSETS/$program" ]]; then
        echo "control plane: KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS has no program $program (unset it to have one built)" >&2
        exit 1
      fi
    done
    echo "control plane: using KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS" >&2
    exit 0
  fi
fi

mkdir -p "$directory"
out=$(cd "$directory" && pwd)
cd "$module"

version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
# A stamp names the versions that were built, so that a changed go.mod rebuilds.
stamp="kubernetes $version etcd $(go list -m -f '{{.Version}}' go.etcd.io/etcd/server/v3) $(go env GOOS)/$(go env GOARCH)"
missing=()
packages=()
for program in "${programs[@]}"; do
  if [[ "$(cat "$out/.built-$program" 2>/dev/null)" == "$stamp" && -x "$out/$program" ]]; then continue; fi
  missing+=("$program")
  case $program in
    etcd) packages+=(go.etcd.io/etcd/server/v3) ;;
    *) packages+=("k8s.io/kubernetes/cmd/$program") ;;
  esac
done
if ((${#missing[@]} == 0)); then exit 0; fi

minor=${version#v1.}
minor=${minor%%.*}
ldflags="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  ldflags+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor -X $package.gitTreeState=clean"
done

echo "control plane: Kubernetes $version for $(go env GOOS)/$(go env GOARCH): ${missing[*]}, into $out (some minutes the first time)" >&2
partial=$(mktemp -d "$out/.partial-XXXXXX") # its own: another build may be under way
# One build for all, so that compiling goes on while one of them is linked;
# without debugging information, which takes time to make and is thrown away.
CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -buildvcs=false -trimpath -gcflags=all=-dwarf=false -ldflags "$ldflags" -o "$partial/" "${packages[@]}" &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; rm -rf "$partial"' EXIT
told=$SECONDS
while kill -0 "$pid" 2>/dev/null; do
  sleep 1
  if ((SECONDS - told >= 15)); then
    told=$SECONDS
    printf 'control plane: building, %d s\n' "$SECONDS" >&2
  fi
done
wait "$pid"
if [[ -f "$partial/server" ]]; then mv "$partial/server" "$partial/etcd"; fi
# Moved only when whole: a build that is killed leaves nothing that looks done.
for program in "${missing[@]}"; do
  rm -f "$out/.built-$program"
  mv "$partial/$program" "$out/"
  echo "$stamp" > "$out/.built-$program"
done
printf 'control plane: built in %d s\n' "$SECONDS" >&2
