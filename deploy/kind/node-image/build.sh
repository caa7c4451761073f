#!/usr/bin/env bash
# Builds the image of kind's nodes, kube-iam/kind-node:VERSION, from Go modules
# and Debian packages, and loads it into the engine; and the image of kind's load
# balancer, if it cannot be pulled. README.md says why and how.
#
# Each step is a function below. It leaves a file or directory of its name in
# bin/kind-node, and a stamp of its inputs: with the same inputs it does not run again.
#
# usage: deploy/kind/node-image/build.sh
set -euo pipefail
if [[ $(uname -s) != Linux ]]; then
  echo 'node image: this needs Linux, since a node is a Debian root (kind can pull its own image instead: kind create cluster)' >&2
  exit 1
fi
shopt -s inherit_errexit

# All versions that go.mod (CoreDNS, crictl) and hack/controlplane/go.mod
# (Kubernetes, etcd) do not have. The version of pause is kubeadm's.
suite=bookworm
packages=(
  systemd containerd runc containernetworking-plugins
  iptables nftables conntrack iproute2 ethtool kmod mount procps # for the kubelet, kube-proxy and kind
  ca-certificates curl jq                                        # for people, and for tests
)
balancer=docker.io/envoyproxy/envoy:v1.36.2 # as kind v0.33 calls it

cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
here=deploy/kind/node-image
state=$PWD/bin/kind-node

# What is compiled from Go modules, besides hack/image.
kubernetes_programs=(kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubeadm kubectl etcd)
programs=(./coredns ./pause ./envoy sigs.k8s.io/cri-tools/cmd/crictl)

build='node image' logs=$state/log
. hack/steps.sh
. "$here/needs.sh"

declare -A key # of the inputs of each step
# is_made NAME: whether the step was run with the same inputs.
is_made() { [[ -e $state/$1 && -n ${key[$1]:-} && "$(cat "$state/$1.stamp" 2> /dev/null)" == "${key[$1]}" ]]; }
# step NAME TEXT: runs the function NAME, unless it is made.
step() {
  if is_made "$1"; then
    begin "$2: there already"
    return
  fi
  rm -f "$state/$1.stamp"
  run "$2" "$1"
  echo "${key[$1]}" > "$state/$1.stamp"
}

# fingerprint NAME INPUT...: of what the function NAME does with the inputs.
fingerprint() { printf '%s\n' "$(declare -f "$1")" "${@:2}" | sha256sum | cut -d' ' -f1; }
# contents DIRECTORY...: of all that is built from them.
contents() {
  find "$@" \( -type f -o -type l \) ! -name '*_test.go' -print0 | LC_ALL=C sort -z |
    xargs -0 tar --mtime=@0 --owner=0 --group=0 --mode=u=rwX,go=rX -c | sha256sum
}

# label is to an image in the engine what a stamp is to a step.
label=io.github.kube-iam.inputs
# labelled IMAGE: its label, or nothing. Fails if the engine has no such image.
labelled() { docker image inspect --format "{{with .Config.Labels}}{{index . \"$label\"}}{{end}}" "$1" 2> /dev/null; }
# load IMAGE ARCHIVE: an old image of the name goes, unless a container has it.
load() {
  local old new
  old=$(docker image inspect --format '{{.Id}}' "$1" 2> /dev/null || true)
  docker load --quiet --input "$2"
  new=$(docker image inspect --format '{{.Id}}' "$1")
  [[ -z $old || $old == "$new" ]] || docker image rm "$old" || true
}

# programs of our modules, built with the flags that Kubernetes' are.
programs() {
  mkdir -p "$state/programs"
  (cd "$here" && CGO_ENABLED=0 GOFLAGS=-mod=readonly go build -v -buildvcs=false -trimpath -gcflags=all=-dwarf=false \
    -ldflags "-s -w -X sigs.k8s.io/cri-tools/pkg/version.Version=$crictl" -o "$state/programs/" \
    "${programs[@]}")
  (cd hack/image && GOFLAGS=-mod=readonly go build -v -buildvcs=false -o "$state/programs/" .)
}

# root is a Debian root with what a node needs.
root() {
  local to=$state/root.partial
  rm -rf "$to" "$state/root"
  mkdir -p "$state/packages"
  unshare --mount debootstrap --variant=minbase --cache-dir="$state/packages" --include="$(IFS=,; echo "${packages[*]}")" "$suite" "$to" "$(mirror)"
  cd "$to"
  # What was this machine's, and what only takes space.
  rm -rf etc/{machine-id,hostname,resolv.conf} var/cache/apt/* var/lib/apt/lists/* var/log/* \
    usr/share/{man,info,locale,lintian} usr/bin/containerd-{stress,shim,shim-runc-v1}
  find usr/share/doc -type f ! -name copyright -delete
  find usr/lib/cni -type f ! -name ptp ! -name host-local ! -name portmap ! -name loopback -delete
  # What systemd would start that has no place in a container.
  rm -f etc/systemd/system/*.wants/* lib/systemd/system/{multi-user,local-fs,basic}.target.wants/* \
    lib/systemd/system/sockets.target.wants/*{udev,initctl}* lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service
  mv "$to" "$state/root"
}

# part FILE...: an archive of files of the root, with the libraries that they load.
part() {
  # In the root, since its links lead to places in the root.
  # shellcheck disable=SC2016 # it is the other shell that fills them in
  chroot "$state/root" bash -euc '
    { printf "%s\n" "$@"; ldd "$@" | grep -o "/[^ :]*"; } | sort -u | cut -c2- |
      tar --directory=/ --dereference --no-recursion --create --files-from=-' part "$@"
}

# images of a node are those that kubeadm names, each of one program.
images() {
  local to=$state/images.partial plugins names name program version from with
  rm -rf "$to" "$state/images"
  mkdir -p "$to"
  # The plugins of iptables are nowhere named: it loads them when a rule asks for one.
  plugins=("$state"/root/usr/lib/*/xtables/*.so)
  part /usr/sbin/{iptables,ip6tables}{,-save,-restore} /usr/sbin/{nft,conntrack} "${plugins[@]#"$state/root"}" > "$state/kube-proxy.tar"
  names=$(bin/k8s/kubeadm config images list --kubernetes-version "$kubernetes")
  for name in $names; do
    version=${name##*:} program=${name%:*} program=${program##*/} from=bin/k8s with=()
    case $program in
      coredns)
        from=$state/programs
        [[ $version == "$coredns" ]] || die "kubeadm $kubernetes wants CoreDNS $version, and deploy/kind/node-image/go.mod has $coredns"
        ;;
      etcd) [[ v$version == "$etcd"-* ]] || die "kubeadm $kubernetes wants etcd $version, and hack/controlplane/go.mod has $etcd" ;;
      pause) from=$state/programs ;;
      kube-proxy) with=(--tar "$state/kube-proxy.tar") ;;
    esac
    "$state/programs/image" build --output "$to/$program.tar" --name "$name" --platform "linux/$arch" --gzip 3 "${with[@]}" \
      --file "$from/$program=/usr/local/bin/$program" --entrypoint "/usr/local/bin/$program" --env PATH=/usr/local/bin:/usr/sbin
    [[ $program != pause ]] || echo "$name" > "$to/pause"
  done
  rm "$state/kube-proxy.tar"
  mv "$to" "$state/images"
}

# store is /var/lib/containerd with the images, as the node's own containerd keeps it.
store() {
  local to=$state/store.partial
  rm -rf "$to" "$state/store"
  mkdir -p "$to"
  # shellcheck disable=SC2016 # it is the other shell that fills them in
  unshare --mount bash -euc '
    root=$1
    mkdir -p "$root/var/lib/containerd"
    mount -t proc proc "$root/proc"
    mount -t tmpfs tmpfs "$root/run"
    mount --bind "$2" "$root/mnt"
    mount --bind "$3" "$root/var/lib/containerd"
    chroot "$root" containerd --config /dev/null &
    for ((i = 0; i < 300; i++)); do
      ! chroot "$root" ctr version > /dev/null 2>&1 || break
      sleep 0.1
    done
    for archive in "$2"/*.tar; do
      chroot "$root" ctr --namespace k8s.io images import --no-unpack "/mnt/${archive##*/}"
    done
    kill %1
    wait %1 || true' store "$state/root" "$state/images" "$to"
  mv "$to" "$state/store"
}

# node is the image of a node, in layers that change ever more often.
node() {
  local to=$state/node.partial
  rm -rf "$to"
  mkdir -p "$to/files/etc/kubernetes/manifests"
  cp -r "$here/files/." "$to/files"
  sed -i "s|@PAUSE@|$(< "$state/images/pause")|" "$to/files/etc/containerd/config.toml"
  printf %s "$kubernetes" > "$to/files/kind/version"
  tar -C "$state/root" -cf "$to/root.tar" --numeric-owner .
  tar -C "$state/store" -cf "$to/store.tar" --numeric-owner --transform 's,^\.,./var/lib/containerd,S' .
  tar -C "$to/files" -cf "$to/files.tar" --numeric-owner --owner=0 --group=0 --mode=u=rwX,go=rX .
  SOURCE_DATE_EPOCH=$(date +%s) "$state/programs/image" build --output "$to/image.tar" --name "$image" --platform "linux/$arch" \
    --tar "$to/root.tar" --tar "$to/store.tar" --tar "$to/files.tar" \
    --file bin/k8s/kubeadm=/usr/bin/kubeadm --file bin/k8s/kubelet=/usr/bin/kubelet --file bin/k8s/kubectl=/usr/bin/kubectl \
    --file "$state/programs/crictl=/usr/bin/crictl" \
    --entrypoint /usr/local/bin/entrypoint --entrypoint /sbin/init --stop-signal SIGRTMIN+3 \
    --env container=docker --label "$label=${key[node]}"
  load "$image" "$to/image.tar"
  rm -rf "$to"
}

# loadbalancer is the image that stands in for Envoy's.
loadbalancer() {
  local to=$state/loadbalancer.partial
  rm -rf "$to"
  mkdir -p "$to"
  part /usr/bin/{bash,sh,mkdir,cp,mv,cat,chmod,sleep} > "$to/root.tar" # for what kind runs in it
  SOURCE_DATE_EPOCH=$(date +%s) "$state/programs/image" build --output "$to/image.tar" --name "$balancer" --platform "linux/$arch" \
    --tar "$to/root.tar" --file "$state/programs/envoy=/usr/bin/envoy" --env PATH=/usr/bin --label "$label=${key[loadbalancer]}" \
    --label 'org.opencontainers.image.title=not Envoy, but a stand-in of kube-iam/authenticator for kind'
  load "$balancer" "$to/image.tar"
  rm -rf "$to"
}

# required MODULE DIRECTORY: its version in go.mod. go list would want a network.
required() {
  awk -v module="$1" '{ sub(/^require /, "") } $1 == module && $2 ~ /^v/ { print $2 }' "$2/go.mod" | grep . ||
    die "$2/go.mod does not require $1"
}

# inputs reads the versions, and makes the key of each step.
inputs() {
  arch=$(go env GOARCH)
  kubernetes=$(required k8s.io/kubernetes hack/controlplane)
  etcd=$(required go.etcd.io/etcd/server/v3 hack/controlplane)
  coredns=$(required github.com/coredns/coredns "$here")
  crictl=$(required sigs.k8s.io/cri-tools "$here")
  image=kube-iam/kind-node:$kubernetes
  key[programs]=$(fingerprint programs "${programs[*]}" "$(go version)" "$arch" "$(contents "$here"/{coredns,pause,envoy,go.mod,go.sum} hack/image)")
  key[root]=$(fingerprint root "$suite" "${packages[*]}" "$arch")
  key[images]=$(fingerprint images "$(declare -f part)" "${key[programs]}" "${key[root]}" "$kubernetes" "$etcd")
  key[store]=$(fingerprint store "${key[images]}")
  key[node]=$(fingerprint node "${key[store]}" "$(contents "$here/files")")
  key[loadbalancer]=$(fingerprint loadbalancer "$(declare -f part)" "${key[programs]}" "${key[root]}" "$balancer")
}

has_node() { [[ "$(labelled "$image")" == "${key[node]}" ]]; }
# Any load balancer will do, except an old one of ours.
has_loadbalancer() { local found; found=$(labelled "$balancer") && [[ -z $found || $found == "${key[loadbalancer]}" ]]; }

# The build has a namespace for its processes: when the first of them ends, or this
# one is killed, they all end, and their mounts with them.
if (($$ != 1)); then
  kubernetes=VERSION image=kube-iam/kind-node:VERSION # until Go says which
  if exists go > /dev/null; then
    inputs
    if has_node && has_loadbalancer; then
      say "the engine has $image and $balancer already"
      exit
    fi
  fi
  needs || exit
  exec unshare --mount --pid --fork --kill-child --mount-proc "$here/build.sh"
fi
trap 'exit 130' INT # the kernel drops signals to the first process that it does not catch
trap 'exit 143' TERM
mkdir -p "$state/log"
exec 9> "$state/lock"
flock --nonblock 9 || die "another build is running in $state"

inputs
if ! labelled "$balancer" > /dev/null; then
  say "pulling $balancer, for at most a minute"
  timeout 60 docker pull --quiet "$balancer" > /dev/null 2>&1 || say 'it cannot be pulled: the build makes one that takes its place'
fi
steps=3
if ! has_node; then steps=$((steps + 3)); fi
if ! has_loadbalancer; then steps=$((steps + 1)); fi
begin "compiling Kubernetes $kubernetes and etcd $etcd"
hack/controlplane/build.sh bin/k8s "${kubernetes_programs[@]}"
step programs 'compiling CoreDNS, crictl and our own programs'
step root "making a Debian root, $suite"
if ! has_node; then
  step images 'making the images of the control plane'
  step store 'storing them as containerd does'
  run "making $image" node
fi
if ! has_loadbalancer; then
  run "making $balancer" loadbalancer
fi
say "done in $SECONDS s: the engine has $image"
