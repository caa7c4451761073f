# shellcheck shell=bash
# needs.sh is sourced by build.sh. It checks everything that the build needs before
# the build begins, and prints what is missing, each with the command that helps.

missing=0

# needs checks everything, and fails if something is missing.
needs() {
  say "$(forecast); it needs:"
  need 'Debian, or a system with its apt-get' \
    "elsewhere, build on Debian and copy: docker save $image | ssh HERE docker load" \
    exists apt-get
  # shellcheck disable=SC2016 # the user's shell expands it
  need 'root, to make a Debian root' 'sudo env "PATH=$PATH" make kind-node-image' is_root
  if is_root; then
    need 'the right to mount' 'run it on the machine itself, or in a container of docker run --privileged' may_mount
  fi
  need 'Go' 'install it from go.dev/dl, and add its bin to PATH' exists go
  if ! is_made root; then
    need 'debootstrap, and the keys of Debian' 'apt-get install debootstrap debian-archive-keyring' has_debootstrap
    local from
    from=$(mirror)
    need "packages of Debian $suite, from ${from:-a mirror}" \
      'DEBIAN_MIRROR=URL names a mirror, http_proxy=URL a proxy' \
      answers "$from/dists/$suite/InRelease"
  fi
  if exists go > /dev/null && ! compiled; then
    need 'Go modules, from the cache or a module proxy' \
      'GOPROXY=URL names a proxy that this machine reaches; go env GOPROXY prints which one is asked' has_modules
  fi
  if exists docker > /dev/null; then
    need 'a Docker engine' 'systemctl start docker; DOCKER_HOST=ADDRESS names another engine, docker version says why none answers' docker version
  else
    need 'a Docker engine, and the command docker' 'apt-get install docker.io' exists docker
  fi
  local wanted free disk
  while read -r wanted free disk; do
    need "$wanted MiB of free space on $disk, which has $free" \
      'docker system prune and go clean -cache free some; GOCACHE=DIRECTORY and GOMODCACHE=DIRECTORY move the parts of Go' \
      test "$free" -ge "$wanted"
  done < <(disks)
  ((missing == 0)) || { say "$missing missing: nothing is built"; return 1; }
}

# need WHAT REMEDY COMMAND [ARGUMENT...]: WHAT is there if the command succeeds.
need() {
  if "${@:3}" > /dev/null 2>&1 < /dev/null; then
    say "  ok       $1"
    return
  fi
  missing=$((missing + 1))
  say "  missing  $1"
  say "           $2"
}

# forecast is how long the build takes, by the CPU time that README.md has.
forecast() {
  local cpu=20 wait=15 processors
  processors=$(nproc)
  compiled || cpu=$((cpu + 780))
  is_made root || wait=$((wait + 50))
  echo "the build takes about $(((wait + cpu / processors + 59) / 60)) min on $processors idle CPUs, less if Go has compiled parts of it before"
}

exists() { command -v "$1"; }
is_root() { (($(id -u) == 0)); }
may_mount() { unshare --mount --pid --fork true; }
compiled() { [[ -x bin/k8s/kubeadm ]] && is_made programs; }
has_debootstrap() { exists debootstrap && dpkg -s debian-archive-keyring; }

# mirror is the Debian mirror that this machine has its own packages from.
mirror() {
  if [[ -n ${DEBIAN_MIRROR:-} ]]; then echo "${DEBIAN_MIRROR%/}"; return; fi
  local found
  # shellcheck disable=SC2016 # apt fills them in
  found=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 2> /dev/null |
    awk '$2 !~ /[-\/]/ && $3 == "main" { print $1; exit }') || true
  case $found in
    mirror+file:*) found=$(awk '!/^#/ && NF { print $1; exit }' "${found#mirror+file:}") ;;
  esac
  echo "${found%/}"
}

# answers URL: whether there is such a file. debootstrap, and wget with it, may not
# be installed yet; apt's own program is.
answers() {
  case $1 in
    file:*) [[ -e ${1#file:} ]] ;;
    *) if exists wget; then
      wget --quiet --spider --timeout 10 --tries 2 "$1"
    else
      in_empty_directory timeout 20 /usr/lib/apt/apt-helper download-file "$1" InRelease
    fi ;;
  esac
}

# has_modules: whether all modules are in the cache, or a proxy answers.
has_modules() {
  if (cd hack/controlplane && GOPROXY=off go list -deps tool) && (cd "$here" && GOPROXY=off go list -deps "${programs[@]}") &&
    (cd hack/image && GOPROXY=off go list -deps .); then
    return
  fi
  # With an empty cache, go asks the proxy.
  # shellcheck disable=SC2016 # the other shell expands it
  in_empty_directory env GOSUMDB=off timeout 30 bash -c 'GOMODCACHE=$PWD go list -m "$1"' go "k8s.io/kubernetes@$kubernetes"
}

# in_empty_directory COMMAND [ARGUMENT...]: runs the command there, and removes it.
in_empty_directory() {
  local empty result=0
  empty=$(mktemp -d)
  (cd "$empty" && "$@") || result=$?
  rm -rf "$empty"
  return "$result"
}

# disks has a line for each disk that the build writes to: the MiB that it takes
# there, the MiB that are free, and where it is mounted.
disks() {
  {
    echo "2500 $state"
    if exists go > /dev/null && ! compiled; then
      echo "3500 $(go env GOCACHE)"
      echo "1200 $(go env GOMODCACHE)"
    fi
    # The engine may be on another machine.
    local engine
    engine=$(docker info --format '{{.DockerRootDir}}' 2> /dev/null) || engine=
    [[ ! -d $engine ]] || echo "1300 $engine"
  } | while read -r wanted directory; do
    while [[ ! -e $directory ]]; do directory=$(dirname "$directory"); done
    # By number: one disk can have several mounts.
    echo "$wanted $(stat --format %d "$directory") $(df -Pm "$directory" | awk 'NR == 2 { print $4, $6 }')"
  done | awk '{ wanted[$2] += $1; rest[$2] = $3 " " $4 } END { for (disk in wanted) print wanted[disk], rest[disk] }'
}
