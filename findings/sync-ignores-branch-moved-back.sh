#!/usr/bin/env bash
# Portage 3.0.83 (PyPI) and git 2.39.5 (Debian 12), November 2026.
#
# Expected: a repository whose branch was moved back to an earlier commit, to take a bad one back, is so for its users after a sync; or the sync fails.
# Happens: the sync ends with 0, and the tree stays at the later commit.
# Seen: Action: sync for repo: finding, returned code = 0
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
package x-1
commit good
synced 'auto-sync = yes' 'sync-depth = 0' 'clone-depth = 0'
run "$work/out" emaint sync --auto
ended 0 "$code"
package x-2
commit bad
run "$work/out" emaint sync --auto
[ -e "$work/copy/a/x/x-2.ebuild" ] || { cat "$work/out"; changed "the commit did not arrive"; }

git -C "$tree" reset --quiet --hard HEAD~1
run "$work/out" emaint sync --auto
ended 0 "$code"
says "$work/out" "returned code = 0"
[ -e "$work/copy/a/x/x-2.ebuild" ] || changed "the tree went back with its branch"
as_before "the branch went back, the copy did not, and the sync ended with 0"
