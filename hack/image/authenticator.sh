#!/usr/bin/env bash
# Builds the authenticator's image: one program, which contains the public CAs,
# and nothing else. The same sources give the same digests. In bin/images are then
#
#   authenticator-ARCH.tar  an archive for docker load and ctr images import
#   authenticator.tar       the same archive, of this machine's architecture
#   authenticator/          an OCI layout of all architectures, for a registry
#
# Standard output has a line for each image: its name, platform, size and digest.
#
# usage: VERSION=v1 GO=go GOFLAGS=… hack/image/authenticator.sh ARCH...
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=bin/images
build=image steps=$(($# + 2)) logs=$out/log
. hack/steps.sh

name=kube-iam/authenticator:$VERSION
images=$logs/images # what standard output is to have

assembler() { (cd hack/image && env -u GOOS -u GOARCH "$GO" build -v -buildvcs=false -o ../../bin/image .); }

authenticator() { # ARCH
  CGO_ENABLED=0 GOOS=linux GOARCH=$1 "$GO" build -v -buildvcs=false -trimpath -o "$out/authenticator-$1" ./cmd/authenticator
  bin/image build --output "$out/authenticator-$1.tar" --name "$name" --platform "linux/$1" --gzip 6 \
    --file "$out/authenticator-$1=/authenticator" --entrypoint /authenticator --user 10000:10000 \
    --label org.opencontainers.image.title=authenticator --label "org.opencontainers.image.version=$VERSION" \
    --label org.opencontainers.image.source=https://github.com/kube-iam/authenticator --label org.opencontainers.image.licenses=Apache-2.0 \
    >> "$images"
}

layout() { bin/image index --output "$out/authenticator" --name "$name" "$@" >> "$images"; }

(($# > 0)) || { say "name an architecture: amd64 or arm64" && exit 2; }
mkdir -p "$logs"
: > "$images"
# An image of an earlier version must not look like one of this version.
rm -rf "$out"/authenticator*.tar "$out/authenticator"
archives=()
run 'compiling the assembler of images' assembler
for arch; do
  run "building $name for linux/$arch" authenticator "$arch"
  archives+=("$out/authenticator-$arch.tar")
done
run "writing the OCI layout $out/authenticator" layout "${archives[@]}"
here=$out/authenticator-$("$GO" env GOHOSTARCH).tar
if [[ -e $here ]]; then cp "$here" "$out/authenticator.tar"; fi
cat "$images"
