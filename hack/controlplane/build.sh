#!/usr/bin/env bash
# Builds kube-apiserver, etcd and kubectl from Go modules into bin/k8s, the
# layout that envtest calls KUBEBUILDER_ASSETS. No registry, no download site:
# only the Go module proxy. What is already built is left alone.
#
# usage: hack/controlplane/build.sh [DIR]      (default: bin/k8s)
set -euo pipefail

if [[ -n "${KUBEBUILDER_ASSETS:-}" ]]; then
  for program in kube-apiserver etcd kubectl; do
    if [[ ! -x "$KUBEBUILDER_ASSETS/$program" ]]; then
      echo "control plane: KUBEBUILDER_ASSETS=$KUBEBUILDER_ASSETS has no program $program (unset it to have one built)" >&2
      exit 1
    fi
  done
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

echo "control plane: Kubernetes $version for $(go env GOOS)/$(go env GOARCH), into $out (some minutes the first time)" >&2
rm -f "$out/.built"
partial=$(mktemp -d "$out/.partial-XXXXXX") # its own: another build may be under way
# One build for all three, so that compiling goes on while one of them is linked;
# without debugging information, which takes time to make and is thrown away.
CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -buildvcs=false -trimpath -gcflags=all=-dwarf=false -ldflags "$ldflags" -o "$partial/" \
  go.etcd.io/etcd/server/v3 k8s.io/kubernetes/cmd/kubectl k8s.io/kubernetes/cmd/kube-apiserver &
pid=$!
trap 'kill "$pid" 2>/dev/null || true; rm -rf "$partial"' EXIT
while kill -0 "$pid" 2>/dev/null; do
  sleep 1
  if ((SECONDS % 15 == 0)); then printf 'control plane: building, %d s\n' "$SECONDS" >&2; fi
done
wait "$pid"
mv "$partial/server" "$partial/etcd"
# Moved only when whole: a build that is killed leaves nothing that looks done.
mv "$partial/"* "$out/"
echo "$stamp" > "$out/.built"
printf 'control plane: built in %d s\n' "$SECONDS" >&2
