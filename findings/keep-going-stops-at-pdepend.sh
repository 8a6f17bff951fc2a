#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), November 2026.
#
# Expected: `emerge --keep-going` builds all that does not need what failed. "Continue as much as possible after an error" (emerge(1)).
# Happens: when what failed is the PDEPEND of a package that is merged by then, nothing more is tried, whatever it is.
# Seen: One or more packages are either masked or have missing dependencies:
#         a/failing pulled in by: (a/first-1:0/0::finding, installed)
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
package first-1 'PDEPEND=a/failing'
package failing-1 'DEPEND=a/first' 'src_compile() { die "broken for good"; }'
package other-1 'DEPEND=a/first'
run "$work/out" emerge --color=n --nospinner --quiet-build=y --quiet-fail=y --keep-going=y --jobs=1 a/first a/failing a/other
ended 1 "$code"
says "$work/out" "broken for good"
says "$work/out" "One or more packages are either masked or have missing dependencies"
[ ! -e "$prefix/usr/share/finding/other" ] || changed "a/other is installed"

# By itself it can be built at once: a/first is installed.
run "$work/out" emerge --color=n --nospinner --quiet-build=y --nodeps --oneshot a/other
ended 0 "$code"
as_before "one PDEPEND that failed stops what does not need it"
