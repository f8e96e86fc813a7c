#!/usr/bin/env bash
# Build our images for real and run them, on a Debian machine without Docker: a debootstrapped root stands for the base
# image, buildah builds in a chroot, podman runs on the host's network. Everything lies in one work folder and is removed
# from it with `rm -rf`; nothing listens off loopback. Usage: scripts/images_check.sh [WORK_FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "images-check: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || die "needs root, for chroot and mounts"
missing=()
for tool in buildah podman runc debootstrap; do command -v "$tool" >/dev/null || missing+=("$tool"); done
if [ ${#missing[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || die "needs ${missing[*]}; install them by your system's packages"
  echo "images-check: installing ${missing[*]}"
  apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "${missing[@]}" >/dev/null
fi

work=${1:-$(mktemp -d)}
mkdir -p "$work"
base=$(sed -n 's/^FROM \([^ ]*\).*/\1/p' deploy/images/Dockerfile.platform | sort -u)
[ "$(wc -l <<<"$base")" = 1 ] || die "more than one base image: $base"
store=(--root "$work/storage" --runroot "$work/run" --storage-driver overlay)
containers=()
finish() {
  for name in "${containers[@]}"; do podman "${store[@]}" --cgroup-manager cgroupfs rm --force --time 5 "$name" >/dev/null 2>&1 || true; done
}
trap finish EXIT

seconds() { local begun=$SECONDS; "$@"; echo "images-check: $1 took $((SECONDS - begun)) s"; }

make_base() {
  buildah "${store[@]}" inspect --type image "$base" >/dev/null 2>&1 && return
  [ -d "$work/base" ] || debootstrap --variant=minbase bookworm "$work/base" >"$work/debootstrap.log" 2>&1 || die "debootstrap failed: $work/debootstrap.log"
  # docker.io/library is where an unqualified name is looked for.
  tar -C "$work/base" -c . | podman "${store[@]}" import --quiet - "docker.io/library/$base" >/dev/null
}

build() { # NAME: deploy/images/Dockerfile.NAME → fiducial-NAME:check
  # The machine's own pip configuration, certificates and wheels go along, read-only and for the build only.
  local mounts=() path
  sed 's#^cert *=.*#cert = /run/machine.crt#' /etc/pip.conf >"$work/pip.conf" 2>/dev/null || true
  mounts+=(--volume "$work/pip.conf:/etc/pip.conf:ro")
  [ -e /etc/ssl/certs/ca-certificates.crt ] && mounts+=(--volume /etc/ssl/certs/ca-certificates.crt:/run/machine.crt:ro)
  for path in $(pip config get global.find-links 2>/dev/null); do
    [ -d "$path" ] && mounts+=(--volume "$path:$path:ro")
  done
  buildah "${store[@]}" build --isolation chroot --format docker --network host --pull-never "${mounts[@]}" \
    --tag "fiducial-$1:check" --file "deploy/images/Dockerfile.$1" . >"$work/build-$1.log" 2>&1 || { tail -20 "$work/build-$1.log"; die "building $1 failed"; }
  podman "${store[@]}" image inspect "fiducial-$1:check" --format "images-check: fiducial-$1 {{.Size}} bytes, user {{.User}}"
}

run() { # CONTAINER IMAGE [podman arguments --] COMMAND…
  local name=$1 image=$2 options=()
  shift 2
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  containers+=("$name")
  podman "${store[@]}" --runtime runc --cgroup-manager cgroupfs run --detach --name "$name" --network host --cgroups disabled \
    --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 --read-only --tmpfs /tmp --security-opt seccomp=unconfined \
    "${options[@]}" "fiducial-$image:check" "$@" >/dev/null
}

wait_for() { # CONTAINER URL SECONDS: asked from inside, with the image's own health check
  local until=$((SECONDS + $3)) probe=/app/healthcheck.py
  [ "${4:-}" = pipelines ] && probe=/opt/healthcheck.py
  until podman "${store[@]}" --cgroup-manager cgroupfs exec "$1" python "$probe" "$2" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$until" ] || { podman "${store[@]}" logs --tail 30 "$1"; die "$1 does not answer at $2"; }
    sleep 1
  done
  echo "images-check: $1 answers at $2"
}

seconds make_base
for image in ${IMAGES:-platform pipelines}; do seconds build "$image"; done
