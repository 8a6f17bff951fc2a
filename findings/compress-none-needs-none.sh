#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), November 2026.
#
# Expected: a binary package says by itself how it is compressed (GLEP 78: by the ending of its members), so that whoever has the program can
#   install it. One that is not compressed needs none.
# Happens: with BINPKG_COMPRESS=none the members have no ending, and the reader takes its own BINPKG_COMPRESS for them: a default client runs
#   zstd over what is no zstd, and the package cannot be installed.
# Seen: zstd: /*stdin*\: unsupported format
#       !!! Error extracting '/.../a/x/x-1-1.gpkg.tar', empty file
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
make_conf 'BINPKG_COMPRESS="none"'
package x-1
emerge --quiet --buildpkgonly a/x >"$work/out" 2>&1
tar -tf "$work/binpkgs/a/x/x-1-1.gpkg.tar" >"$work/members"
says "$work/members" /image.tar
silent "$work/members" image.tar.

# It can be read by who has the same setting, and by nobody else.
run "$work/out" timeout 60 emerge --color=n --nospinner --usepkgonly a/x
ended 0 "$code"
emerge --quiet --unmerge a/x >/dev/null 2>&1
sed -i '/^BINPKG_COMPRESS/d' "$prefix/etc/portage/make.conf"
run "$work/out" timeout 60 emerge --color=n --nospinner --usepkgonly a/x

ended 1 "$code"
[ ! -e "$prefix/usr/share/finding/x" ] || changed "it is installed"
as_before "only a reader with the same setting can install it"
