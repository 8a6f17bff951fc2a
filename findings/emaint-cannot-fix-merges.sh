#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), November 2026.
#
# Expected: `emaint --fix merges` repairs what `emaint --check merges` finds: a merge that was cut off, and has left -MERGING-x-1 in the database of what is
#   installed.
# Happens: it makes an atom of the path of that directory and asks emerge for it, which knows no such atom. Nothing is repaired.
# Seen: '=/.../var/db/pkg/a/x-1' is not a valid package atom.
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
package x-1
emerge --quiet a/x >"$work/out" 2>&1
# As it is after a power cut in the middle of the merge.
mv "$prefix/var/db/pkg/a/x-1" "$prefix/var/db/pkg/a/-MERGING-x-1"
run "$work/out" emaint --check merges
says "$work/out" "-MERGING-x-1"
run "$work/out" emaint --fix merges

[ ! -e "$prefix/var/db/pkg/a/x-1" ] || changed "a/x-1 is merged again"
as_before "what it finds it cannot repair"
