#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), November 2026.
#
# Expected: `portageq envvar` fails when make.conf cannot be read to its end, as `emerge` does.
# Happens: where make.conf sources a file that is not there, it says so on stderr, prints values, and ends with 0.
# Seen: "/.../etc/portage/make.conf", line 8: /.../not-there.conf: No such file or directory
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
make_conf "source $work/not-there.conf"
run "$work/out" portageq envvar PKGDIR
ended 0 "$code"
says "$work/out" "not-there.conf: No such file or directory"
says "$work/out" "$work/binpkgs"
run "$work/out" emerge --info
ended 1 "$code"
as_before "portageq ends with 0 over a configuration that emerge refuses"
