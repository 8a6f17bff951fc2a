#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), November 2026.
#
# Expected: with NO_COLOR=1 and --color=n, and without a terminal, nothing that Portage writes has escape sequences.
# Happens: the messages at the head of a build log have them.
# Seen: ^[[32;01m * ^[[39;49;00mPackage:    a/x-1
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
package x-1
run "$work/out" env NO_COLOR=1 emerge --color=n --nospinner a/x
ended 0 "$code"
silent "$work/out" $'\e['
logs=("$work"/log/a:x-1:*.log)
grep -qF $'\e[' "${logs[0]}" || changed "the log has no escape sequences"
as_before "the output has no colours, the log has"
