#!/usr/bin/env bash
# Portage 3.0.83 (PyPI) and git 2.39.5 (Debian 12), November 2026.
#
# Expected: after `emaint sync` has ended with 0 the repository is there.
# Happens: where a clone was cut off before its files were checked out, a later sync fetches, finds nothing new, and ends with 0. The tree
#   stays empty, with sync-depth = 0 as with the default.
# Seen: Action: sync for repo: finding, returned code = 0
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
package x-1
commit tree
# What a clone is when it is cut off there.
git clone --quiet --no-checkout "file://$tree" "$work/copy"
synced 'auto-sync = yes' 'sync-depth = 0' 'volatile = no'
run "$work/out" emaint sync --auto

ended 0 "$code"
says "$work/out" "returned code = 0"
[ ! -e "$work/copy/profiles/repo_name" ] || changed "the tree is there"
as_before "it ends with 0 over an empty tree"
