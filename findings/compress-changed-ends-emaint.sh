#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), November 2026.
#
# Expected: `emaint --check binhost` names the package that it cannot read and goes on with the others.
# Happens: over a package that was made with BINPKG_COMPRESS=none, once another compression is set, it ends with an exception of Python's tarfile
#   that names no file.
# Seen: tarfile.ReadError: empty file
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
make_conf 'BINPKG_COMPRESS="none"'
package x-1
emerge --quiet --buildpkgonly a/x >"$work/out" 2>&1
run "$work/out" emaint --check binhost
silent "$work/out" Traceback
make_conf 'BINPKG_COMPRESS="gzip"'
run "$work/out" emaint --check binhost
ended 1 "$code"
says "$work/out" "tarfile.ReadError"
silent "$work/out" ".gpkg.tar"
as_before "the exception names no package"
