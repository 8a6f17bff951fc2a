#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), November 2026.
#
# Expected: of two entries of a binary package index with the same version and BUILD_ID the later one counts, as with a key that is set twice
#   in make.conf, or the index is refused.
# Happens: the first one counts, whichever is newer, and nothing is said.
# Seen: [binary  N     ] a/x-1-1:first::finding 0 B
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
package x-1
emerge --quiet --buildpkgonly a/x >"$work/out" 2>&1

host=$work/host
cp -a "$work/binpkgs" "$host"
rm -r "$host/Packages.gz" "$work/binpkgs"
# The header, then the entry twice, each with another slot.
entry=$(sed '1,/^$/d' "$host/Packages" | sed '/^$/d; /^SLOT/d')
{
    sed '/^$/q' "$host/Packages"
    printf '%s\nSLOT: first\n\n%s\nSLOT: second\n\n' "$entry" "$entry"
} >"$work/Packages"
mv "$work/Packages" "$host/Packages"
mkdir -p "$prefix/etc/portage/binrepos.conf"
printf '[host]\nsync-uri = file://%s\nverify-signature = false\n' "$host" >"$prefix/etc/portage/binrepos.conf/host.conf"

run "$work/out" emerge --color=n --nospinner --pretend --verbose --getbinpkgonly a/x
ended 0 "$code"
says "$work/out" "a/x-1-1:first::finding"
as_before "the first of two entries counts, and nothing is said"
