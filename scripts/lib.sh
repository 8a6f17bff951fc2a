# shellcheck shell=bash
# What the scripts share: names, messages, and how to find things. Sourced, never run.

TOP=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
SCRIPTS=$TOP/scripts

# Which Gentoo: the official stage3, or the small one of the tests. The names can all be chosen, so that builders stand beside each
# other; an empty one means the default.
BASE=${BASE:-gentoo}
case $BASE in
    gentoo) NAME=${NAME:-builder} VOLUME=${VOLUME:-gb} IMAGE=${IMAGE:-gbsup/builder} ;;
    pocket) NAME=${NAME:-gbsup-try} VOLUME=${VOLUME:-gbsup-try} IMAGE=${IMAGE:-gbsup-pocket} ;;
    *)
        echo "BASE is gentoo or pocket, not $BASE" >&2
        exit 2
        ;;
esac
CONFIG=${CONFIG:-}
POCKET_BASE=gbsup-pocket-base${PORTAGE_VERSION:+-$PORTAGE_VERSION}
export BASE NAME VOLUME IMAGE CONFIG POCKET_BASE

say() { printf '%s\n' "$*" >&2; }
die() {
    printf '%s: %s\n' "$(basename -- "$0")" "$*" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }
as_root() { [ "$(id -u)" -eq 0 ]; }

apt_install() {
    as_root || die "these are missing: $*; install them, or run this as root on Debian"
    have apt-get || die "these are missing: $*; there is no apt-get here, so install them by hand"
    say "Installing $*"
    local log
    log=$(mktemp)
    # The second time with fresh lists: old ones name packages that the mirror no longer has.
    if ! DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >"$log" 2>&1 &&
        ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        die "apt-get could not install $*"
    fi
    rm -f "$log"
}

# A hash over files, their names and their modes: the key of what is made from them.
hash_of() {
    (cd "$TOP" && find "$@" -type f -printf '%p %m\n' | LC_ALL=C sort && find "$@" -type f -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum) | sha256sum | cut -c1-12
}

# docker build, silent unless it fails.
docker_build() {
    local log
    log=$(mktemp)
    if ! docker build "$@" >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# The state of a container: running, exited, created, paused ...; empty when there is none.
container_state() { docker container inspect --format '{{.State.Status}}' "$1" 2>/dev/null || true; }

need_docker() { docker info >/dev/null 2>&1 || "$SCRIPTS/docker-up"; }
need_image() {
    docker image inspect "$IMAGE" >/dev/null 2>&1 || die "there is no image $IMAGE yet: make bootstrap BASE=$BASE"
}
need_running() {
    [ "$(container_state "$NAME")" = running ] || die "there is no running builder $NAME: make build BASE=$BASE"
}
need_config() {
    [ -z "$CONFIG" ] || [ -d "$CONFIG/portage" ] || [ -f "$CONFIG/world" ] ||
        die "CONFIG=$CONFIG has neither portage/ (a client's /etc/portage) nor world"
}
