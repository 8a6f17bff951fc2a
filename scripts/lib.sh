# shellcheck shell=bash
# What the scripts share: names, messages, and how to find things. Sourced, never run.

ROOT=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
export ROOT

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
    if ! DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null 2>&1; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    fi
}

# A hash over files, their names and their modes: the key of what is made from them.
hash_of() {
    (cd "$ROOT" && find "$@" -type f -printf '%p %m\n' | LC_ALL=C sort && find "$@" -type f -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum) | sha256sum | cut -c1-12
}
