#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), November 2026.
#
# Expected: what the command line excludes is called excluded, with the option that did it.
# Happens: emerge says that the ebuilds "have been masked", and what it calls masked by is "exclude option": a tool that looks for masks takes it
#   for one, and no file of /etc/portage has it.
# Seen: !!! All ebuilds that could satisfy "a/needed" have been masked.
#       - a/needed-1::finding (masked by: exclude option)
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
package needed-1
package user-1 'RDEPEND=a/needed'
run "$work/out" emerge --color=n --nospinner --pretend --exclude=a/needed a/user
ended 1 "$code"
says "$work/out" 'All ebuilds that could satisfy "a/needed" have been masked.'
says "$work/out" "(masked by: exclude option)"
as_before "an exclude reads as a mask"
