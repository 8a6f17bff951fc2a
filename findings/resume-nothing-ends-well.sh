#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), November 2026.
#
# Expected: `emerge --resume` ends with an error when there is nothing to resume: what the caller wanted to have built is not.
# Happens: it says so, and ends with 0.
# Seen: emerge: It seems we have nothing to resume...
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
run "$work/out" emerge --color=n --nospinner --resume
says "$work/out" "nothing to resume"
ended 0 "$code"
as_before "it ends with 0"
