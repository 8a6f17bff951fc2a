#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), November 2026.
#
# Expected: a binary package whose file is gone from PKGDIR is not planned as one; with --usepkg it is built from source instead.
# Happens: the index is believed (FEATURES=pkgdir-index-trusted is a default), the package is planned as binary, and fails at the merge.
# Seen: !!! Tried to use non-existent binary for 'a/x-1-1'
#       !!! Likely caused by an outdated index. Run 'emaint binhost -f'.
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
package x-1
emerge --quiet --buildpkgonly a/x >"$work/out" 2>&1
rm "$work/binpkgs/a/x/x-1-1.gpkg.tar"
run "$work/out" emerge --color=n --nospinner --pretend --usepkg a/x
says "$work/out" "[binary"
run "$work/out" emerge --color=n --nospinner --usepkg a/x
ended 1 "$code"
says "$work/out" "Tried to use non-existent binary"
as_before "it is planned as binary, and fails"
