#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), November 2026.
#
# Expected: a package whose file in /etc/portage/env is not there, although package.env names it, is not built.
# Happens: it is built and merged without the settings of that file. emerge prints a line about it and ends with 0.
# Seen: !!! /.../etc/portage/package.env references non-existent file: /.../etc/portage/env/no-lto
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
package x-1
echo 'a/x no-lto' >"$prefix/etc/portage/package.env"
run "$work/out" emerge --color=n --nospinner --quiet-build=y a/x
ended 0 "$code"
says "$work/out" "references non-existent file"
[ -e "$prefix/usr/share/finding/x" ] || changed "a/x is not merged"
as_before "it is built without the settings that were asked for"
