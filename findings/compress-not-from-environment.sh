#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), November 2026.
#
# Expected: BINPKG_COMPRESS can be set for one command in the environment, as most of make.conf(5) can: "make.conf ... these can also be
#   set in the environment".
# Happens: it is ignored there, and read from make.conf alone.
# Seen: image.tar.zst with BINPKG_COMPRESS=gzip in the environment, image.tar.gz with the same in make.conf
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
package x-1
members() { tar -tf "$work/binpkgs/a/x/x-1-$1.gpkg.tar"; }

BINPKG_COMPRESS=gzip emerge --quiet --buildpkgonly a/x >"$work/out" 2>&1
members 1 >"$work/members"
says "$work/members" image.tar.zst

echo 'BINPKG_COMPRESS="gzip"' >>"$prefix/etc/portage/make.conf"
emerge --quiet --buildpkgonly a/x >"$work/out" 2>&1
members 2 >"$work/members"
says "$work/members" image.tar.gz
as_before "the environment is ignored, make.conf is not"
