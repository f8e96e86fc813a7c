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
  tar -C "$work/base" -c . | podman "${store[@]}" import --quiet - "localhost/$base"  # an unqualified name is looked for here first >/dev/null
}

build() { # NAME: deploy/images/Dockerfile.NAME → fiducial-NAME:check
  # The machine's own pip configuration, certificates and wheels go along, read-only and for the build only.
  local mounts=() path
  {
    echo "[global]"
    pip config list | sed -nE "s#^global\.(index-url|find-links)='(.*)'#\1 = \2#p"
    [ -e /etc/ssl/certs/ca-certificates.crt ] && echo "cert = /run/machine.crt"
  } >"$work/pip.conf"
  mounts+=(--volume "$work/pip.conf:/etc/pip.conf:ro")
  [ -e /etc/ssl/certs/ca-certificates.crt ] && mounts+=(--volume /etc/ssl/certs/ca-certificates.crt:/run/machine.crt:ro)
  for path in $(pip config get global.find-links 2>/dev/null); do
    [ -d "$path" ] && mounts+=(--volume "$path:$path:ro")
  done
  buildah "${store[@]}" build --layers --isolation chroot --format docker --network host --pull-never "${mounts[@]}" \
    --tag "fiducial-$1:check" --file "deploy/images/Dockerfile.$1" . >"$work/build-$1.log" 2>&1 || { tail -20 "$work/build-$1.log"; die "building $1 failed"; }
  podman "${store[@]}" image inspect "fiducial-$1:check" --format "images-check: fiducial-$1 {{.Size}} bytes, user {{.User}}"
}

run() { # CONTAINER IMAGE [podman arguments --] COMMAND…
  local name=$1 image=$2 options=()
  shift 2
  while [ "$1" != -- ]; do options+=("$1"); shift; done
  shift
  containers+=("$name")
  podman "${store[@]}" --runtime runc --cgroup-manager cgroupfs run --detach --no-healthcheck --name "$name" --network host \
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

state=$work/state
rm -rf "$state" && install --directory --owner=10001 --group=10001 "$state" "$state/mlflow" "$state/prefect"
platform=(--volume "$state:/var/lib/fiducial" --env FIDUCIAL_LEVEL=enhanced
  --env FIDUCIAL_API_PORT=18000 --env FIDUCIAL_GATEWAY_PORT=18010 --env FIDUCIAL_SERVICES_PORT=18020)

check_platform() {
  run check-facade platform "${platform[@]}" -- python -m serving.wiring.api
  wait_for check-facade http://127.0.0.1:18000/readyz 60
  run check-gateway platform "${platform[@]}" -- python -m serving.wiring.gateway
  run check-worker platform "${platform[@]}" -- python -m serving.wiring.worker
  run check-services platform "${platform[@]}" -- python -m serving.wiring.services
  wait_for check-gateway http://127.0.0.1:18010/readyz 60
  podman "${store[@]}" --cgroup-manager cgroupfs exec --interactive check-facade python - <<'PYTHON'
import io, pathlib
import httpx
from PIL import Image

facade = httpx.Client(base_url="http://127.0.0.1:18000", timeout=90)
password = pathlib.Path("/var/lib/fiducial/secrets/clinician.password").read_text().strip()
token = facade.post("/api/v1/token", data={"username": "clinician", "password": password}).raise_for_status().json()
film = io.BytesIO()
Image.linear_gradient("L").save(film, "PNG")
study = facade.post(
    "/api/v1/studies", params={"wait": 60}, headers={"Authorization": f"Bearer {token['access_token']}"},
    data={"modality": "DX", "body_part_examined": "CHEST", "view_position": "PA", "patient_id": "1"},
    files={"files": ("film.png", film.getvalue(), "image/png")},
).raise_for_status().json()
(prediction,) = study["predictions"]
assert prediction["state"] == "done" and prediction["demo"] is True, study
print(f"images-check: a film was answered: {prediction['model_version']}, probability {prediction['probability']:.3f}, demo")
PYTHON
}

check_pipelines() {
  run check-mlflow pipelines --volume "$state/mlflow:/var/lib/fiducial" --env MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false -- \
    mlflow server --host=127.0.0.1 --port=15000 --backend-store-uri=sqlite:////var/lib/fiducial/mlflow.db
  run check-prefect pipelines --volume "$state/prefect:/var/lib/fiducial" --env PREFECT_HOME=/var/lib/fiducial \
    --env PREFECT_SERVER_ANALYTICS_ENABLED=false -- prefect server start --host 127.0.0.1 --port 14200
  wait_for check-mlflow http://127.0.0.1:15000/health 120 pipelines
  wait_for check-prefect http://127.0.0.1:14200/api/health 120 pipelines
  # As the Prefect worker uses it: the mounted checkout is trusted and cloned, and its code imports.
  run check-code pipelines --volume "$PWD:/app:ro" -- sh -c "git clone --quiet --no-checkout /app /tmp/copy \
    && python -c 'import pipelines.cli, mlflow, monai, torch; print(\"images-check: torch\", torch.__version__)'"
  [ "$(podman "${store[@]}" --cgroup-manager cgroupfs wait check-code)" = 0 ] || { podman "${store[@]}" logs check-code; die "the checkout is of no use in the pipelines image"; }
  podman "${store[@]}" logs check-code
}

for image in ${IMAGES:-platform pipelines}; do seconds "check_$image"; done
echo "images-check: passed"
