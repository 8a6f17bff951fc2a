#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), November 2026.
#
# Expected: the log that an ebuild's error message names is there.
# Happens: with more than one job and two packages that have a pkg_pretend, the named one is a temporary file that Portage has deleted by then. The
#   right name stands elsewhere, after "Failed to emerge".
# Seen:  * The complete build log is located at '/.../tmpeadb3wub.pretend.log'.
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
package p-1 'pkg_pretend() { die "not on this machine"; }'
package q-1 'pkg_pretend() { einfo fine; }'
run "$work/out" emerge --color=n --nospinner --jobs=2 a/p a/q
ended 1 "$code"
log=$(sed -n "s/.*The complete build log is located at '\(.*\)'\.*/\1/p" "$work/out" | head -1)
[ -n "$log" ] || { cat "$work/out"; changed "no log is named"; }
[[ $log == *.pretend.log ]] || changed "it names $log"
[ ! -e "$log" ] || changed "$log is there"
as_before "the log that is named is gone"
