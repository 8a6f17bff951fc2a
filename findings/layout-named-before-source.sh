#!/usr/bin/env bash
# Portage 3.0.83 (PyPI) and wget 1.21.3-1+deb12u1 (Debian 12), November 2026.
#
# Expected: when a mirror does not answer, the first file that could not be downloaded is the source that was asked for.
# Happens: Portage asks each mirror for its layout.conf first, and that is the file that the first error names.
# Seen: !!! Couldn't download '.layout.conf.127.0.0.1:9'. Aborting.
#       !!! Couldn't download 'x-1.tar.gz'. Aborting.
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
# shellcheck disable=SC2016 # Portage expands it.
make_conf 'GENTOO_MIRRORS="http://127.0.0.1:9"' 'FETCHCOMMAND="wget --tries=1 -O \"\${DISTDIR}/\${FILE}\" \"\${URI}\""' \
    'RESUMECOMMAND="wget --tries=1 -c -O \"\${DISTDIR}/\${FILE}\" \"\${URI}\""'
package x-1 'SRC_URI="x-1.tar.gz"'
echo "DIST x-1.tar.gz 100 BLAKE2B $(printf '0%.0s' {1..128}) SHA512 $(printf '0%.0s' {1..128})" >"$tree/a/x/Manifest"
run "$work/out" emerge --color=n --nospinner --quiet-build=n a/x
ended 1 "$code"
first=$(grep -om1 "Couldn't download '[^']*'" "$work/out")
[[ $first == "Couldn't download '.layout.conf."* ]] || { cat "$work/out"; changed "the first error is: $first"; }
says "$work/out" "Couldn't download 'x-1.tar.gz'"
as_before "the first error is about a file that nobody asked for"
