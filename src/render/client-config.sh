#!/bin/sh
# Has this Gentoo system install the binary packages of a builder (gbsup @VERSION@). Read it, then run it as root.
#
# Packages come from @URL@
# @ORIGIN@
#
# It may be run again: what is right already stays as it is. To undo it, remove what it says it wrote.
set -eu

url='@URL@'
etc=${PORTAGE_CONFIGROOT:-}/etc/portage
if [ "$(id -u)" -ne 0 ]; then
    echo "This changes $etc: run it as root." >&2
    exit 1
fi

# put FILE: makes it what standard input says.
put() {
    mkdir -p "${1%/*}"
    # Portage reads every file of a directory but those with a dot in front.
    new=${1%/*}/.gbsup.new
    cat >"$new"
    if cmp -s "$new" "$1"; then
        rm "$new"
    else
        chmod 644 "$new"
        mv "$new" "$1"
        echo "wrote $1"
    fi
}

# block FILE: makes the part of it between two marks what standard input says; the rest stays.
block() {
    part=$(cat)
    {
        if [ -f "$1" ]; then sed '/^# gbsup begins$/,/^# gbsup ends$/d' "$1"; fi
        printf '# gbsup begins\n%s\n# gbsup ends\n' "$part"
    } | if [ -L "$1" ]; then put "$(readlink -f "$1")"; else put "$1"; fi
}

# setting NAME FILE: into the directory $etc/NAME as FILE, or into NAME where that is a file.
setting() {
    if [ -d "$etc/$1" ] || { [ "$1" != make.conf ] && ! [ -e "$etc/$1" ]; }; then
        put "$etc/$1/$2"
    else
        block "$etc/$1"
    fi
}
@KEY@
setting binrepos.conf gbsup.conf <<END
[gbsup]
sync-uri = $url
# Before other binary packages of the same version, such as Gentoo's own.
priority = 10
@VERIFY@
END

setting make.conf zz-gbsup.conf <<'END'
# Binary packages are used where they fit what is configured here; the rest is built.
FEATURES="${FEATURES} getbinpkg"
# A package that the builder built again, since a library it uses is another one now, is installed again.
EMERGE_DEFAULT_OPTS="${EMERGE_DEFAULT_OPTS} --rebuilt-binaries=y"
END
