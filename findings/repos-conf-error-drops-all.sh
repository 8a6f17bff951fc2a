#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), November 2026.
#
# Expected: a file of repos.conf with a line that cannot be read costs that line, that file, or the whole run.
# Happens: every repository of every file is gone, and a sync of nothing ends with 0.
# Seen: !!! Error while reading repo config file: File contains no section headers.
#       Nothing to sync... returning
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
package x-1
echo 'location = /var/db/repos/other' >"$prefix/etc/portage/repos.conf/zz.conf"
run "$work/out" emaint sync --auto
ended 0 "$code"
says "$work/out" "Error while reading repo config file"
says "$work/out" "Nothing to sync"
run "$work/out" emerge --color=n --nospinner --pretend a/x
ended 1 "$code"
says "$work/out" 'there are no ebuilds to satisfy "a/x"'
rm "$prefix/etc/portage/repos.conf/zz.conf"
run "$work/out" emerge --color=n --nospinner --pretend a/x
ended 0 "$code"
as_before "one line that cannot be read hides the repositories of the other files"
