# shellcheck shell=bash
# What the scripts share: names, messages, and how to find things. Sourced, never run.

TOP=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
SCRIPTS=$TOP/scripts

# Which Gentoo: the official stage3, or the small one of the tests. The names can all be chosen, so that builders stand beside each
# other; an empty one means the default.
BASE=${BASE:-gentoo}
case $BASE in
    gentoo) DEFAULT_NAME=builder DEFAULT_VOLUME=gb DEFAULT_IMAGE=gbsup/builder ;;
    pocket) DEFAULT_NAME=gbsup-try DEFAULT_VOLUME=gbsup-try DEFAULT_IMAGE=gbsup-pocket ;;
    *)
        echo "BASE is gentoo or pocket, not $BASE" >&2
        exit 2
        ;;
esac
NAME=${NAME:-$DEFAULT_NAME} VOLUME=${VOLUME:-$DEFAULT_VOLUME} IMAGE=${IMAGE:-$DEFAULT_IMAGE}
CONFIG=${CONFIG:-}
POCKET_BASE=gbsup-pocket-base${PORTAGE_VERSION:+-$PORTAGE_VERSION}
export BASE NAME VOLUME IMAGE CONFIG POCKET_BASE
# dockerd, iptables and nginx are there, and `su` on Debian leaves that out.
export PATH=$PATH:/usr/sbin:/sbin

# `make VERB` as a person has to type it to mean this builder again: with what is not the default, and with the configuration where an
# image may have to be made.
to_type() {
    local words="make $1"
    [ "$BASE" = gentoo ] || words+=" BASE=$BASE"
    [ "$NAME" = "$DEFAULT_NAME" ] || words+=" NAME=$(printf %q "$NAME")"
    [ "$VOLUME" = "$DEFAULT_VOLUME" ] || words+=" VOLUME=$(printf %q "$VOLUME")"
    [ "$IMAGE" = "$DEFAULT_IMAGE" ] || words+=" IMAGE=$(printf %q "$IMAGE")"
    case $1 in bootstrap | builder) [ -z "$CONFIG" ] || words+=" CONFIG=$(printf %q "$CONFIG")" ;; esac
    printf '%s' "$words"
}

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

# made_up_index COUNT DIRECTORY: the package index of a release with as many packages.
made_up_index() {
    local n
    mkdir -p "$2"
    for n in $(seq "$1"); do
        printf 'CPV: app-misc/package%d-1.%d\nDESC: %s\nPATH: app-misc/package%d/package%d-1.%d-1.gpkg.tar\nSHA1: %s\n\n' "$n" "$n" \
            "The package with the number $n" "$n" "$n" "$n" "$(printf %040x "$((n * 7919))")"
    done >"$2/Packages"
    gzip --keep "$2/Packages"
}

# --- Docker -------------------------------------------------------------------------------------------
# A client on the PATH proves nothing: it may have no engine (a static binary, a context or DOCKER_HOST of another day), or be too
# new or too old for the one that is there. One counts when an engine answers it.

LOCAL_ENGINE=${GBSUP_TEST_ENGINE:-unix:///var/run/docker.sock}
# What decides which engine a client asks, and how.
DOCKER_VARIABLES=(DOCKER_HOST DOCKER_CONTEXT DOCKER_TLS DOCKER_TLS_VERIFY DOCKER_CERT_PATH DOCKER_API_VERSION)

# A server that is not there may take its time to say nothing.
answers() { timeout --kill-after=2 20 "${1:-docker}" info >/dev/null 2>&1; }

# Each docker of the PATH, then Debian's own.
docker_clients() { { type -aP docker || true; echo /usr/bin/docker; } | awk '!seen[$0]++'; }

# Makes `docker` a client that an engine answers, here and in all that is started from here (the tests too): what is found first with
# the environment as it is, else with the engine of this machine. Fails when none is answered. A person who would have to type
# something else than `docker` for it is told so, once, and finds it in DOCKER_TYPED.
find_docker() {
    DOCKER_TYPED=${DOCKER_TYPED:-docker}
    export DOCKER_TYPED
    if answers; then return; fi
    local client
    while IFS= read -r client; do
        if [ -x "$client" ] && [ "$client" != "$(type -P docker)" ] && answers "$client"; then
            use_client "$client" "$client"
            return
        fi
    done < <(docker_clients)
    find_local_docker
}

find_local_docker() {
    [ -S "${LOCAL_ENGINE#unix://}" ] || return 1
    local client typed='' variable
    while IFS= read -r client; do
        [ -x "$client" ] || continue
        if ! (unset "${DOCKER_VARIABLES[@]}" && DOCKER_HOST=$LOCAL_ENGINE answers "$client"); then continue; fi
        for variable in "${DOCKER_VARIABLES[@]:1}"; do
            [ -z "${!variable:-}" ] || typed+="$variable= "
        done
        unset "${DOCKER_VARIABLES[@]}"
        export DOCKER_HOST=$LOCAL_ENGINE
        typed+=DOCKER_HOST=$LOCAL_ENGINE
        if [ "$client" = "$(type -P docker)" ]; then typed+=" docker"; else typed+=" $client"; fi
        use_client "$client" "$typed"
        return
    done < <(docker_clients)
    return 1
}

# First in PATH by a link of its own, since its directory may have other programs that are not wanted.
use_client() {
    local link=${GBSUP_TEST_LINKS:-$TOP/target}/docker-client${1//\//.}
    if [ "$1" != "$(type -P docker)" ]; then
        mkdir -p "$link"
        ln -sfn "$1" "$link/docker"
        export PATH=$link:$PATH
    fi
    DOCKER_TYPED=$2
    say "No engine answers \`docker\` as you would type it; used here, and to be typed by hand: $DOCKER_TYPED"
}

# An engine that answers; see docker-up.
need_docker() { find_docker || docker_up; }
docker_up() {
    "$SCRIPTS/docker-up"
    find_docker || die "Docker does not answer"
}

need_image() {
    docker image inspect "$IMAGE" >/dev/null 2>&1 || die "there is no image $IMAGE yet: $(to_type bootstrap)"
}
need_running() {
    [ "$(container_state "$NAME")" = running ] || die "there is no running builder $NAME: $(to_type build)"
}
need_config() {
    # As `client.sh capture` prints it. What it has is seen when it is unpacked.
    case $CONFIG in *.tar) if [ -f "$CONFIG" ]; then return; fi ;; esac
    [ -z "$CONFIG" ] || [ -d "$CONFIG/portage" ] || [ -L "$CONFIG/portage" ] || [ -f "$CONFIG/world" ] || [ -L "$CONFIG/world" ] ||
        die "CONFIG=$CONFIG has neither portage/ (a client's /etc/portage) nor world"
}
