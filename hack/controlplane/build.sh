#!/usr/bin/env bash
# Builds kube-apiserver, etcd and kubectl from Go modules into bin/k8s, the
# layout that envtest calls KUBEBUILDER_ASSETS. No registry, no download site:
# only the Go module proxy. What is already built is left alone.
#
# usage: hack/controlplane/build.sh [DIR]      (default: bin/k8s)
set -euo pipefail

if [[ -n "${KUBEBUILDER_ASSETS:-}" ]]; then
  echo "control plane: using KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS" >&2
  exit 0
fi

module=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "${1:-$module/../../bin/k8s}"
out=$(cd "${1:-$module/../../bin/k8s}" && pwd)
cd "$module"

version=$(go list -m -f '{{.Version}}' k8s.io/kubernetes)
# A stamp names the versions that were built, so that a changed go.mod rebuilds.
stamp="kubernetes $version etcd $(go list -m -f '{{.Version}}' go.etcd.io/etcd/server/v3) $(go env GOOS)/$(go env GOARCH)"
if [[ "$(cat "$out/.built" 2>/dev/null)" == "$stamp" && -x "$out/kube-apiserver" && -x "$out/etcd" && -x "$out/kubectl" ]]; then
  exit 0
fi

minor=${version#v1.}
minor=${minor%%.*}
ldflags="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
  ldflags+=" -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=$minor -X $package.gitTreeState=clean"
done

build() { # name, package
  local started=$SECONDS pid ticked=0
  printf 'control plane: building %s\n' "$1" >&2
  CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -buildvcs=false -trimpath -ldflags "$ldflags" -o "$out/$1.partial" "$2" &
  pid=$!
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    ticked=$((ticked + 1))
    if ((ticked % 15 == 0)); then printf 'control plane: building %s, %d s\n' "$1" $((SECONDS - started)) >&2; fi
  done
  wait "$pid"
  # Renamed only when whole: a build that is killed leaves nothing that looks done.
  mv "$out/$1.partial" "$out/$1"
  printf 'control plane: built %s in %d s\n' "$1" $((SECONDS - started)) >&2
}

echo "control plane: Kubernetes $version for $(go env GOOS)/$(go env GOARCH), into $out (4 to 10 minutes the first time)" >&2
rm -f "$out/.built"
build etcd go.etcd.io/etcd/server/v3
build kubectl k8s.io/kubernetes/cmd/kubectl
build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver
echo "$stamp" > "$out/.built"
