#!/usr/bin/env bash
# Portage 3.0.83 (PyPI) and git 2.39.5 (Debian 12), November 2026.
#
# Expected: a hook that fails has the same consequence in repo.postsync.d as in postsync.d.
# Happens: in postsync.d it makes `emaint sync` end with 1, and in repo.postsync.d, which runs for each repository, with 0.
# Seen:  * Spawn failed for: hook, /.../etc/portage/repo.postsync.d/hook
#       Action: sync for repo: finding, returned code = 0
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
package x-1
commit tree
synced 'auto-sync = yes'
# hook DIRECTORY STATUS: what emaint ends with when the one hook, which is there, fails.
hook() {
    mkdir -p "$prefix/etc/portage/$1"
    printf '#!/bin/sh\nexit 3\n' >"$prefix/etc/portage/$1/hook"
    chmod +x "$prefix/etc/portage/$1/hook"
    run "$work/out" emaint sync --auto
    rm "$prefix/etc/portage/$1/hook"
    ended "$2" "$code"
    says "$work/out" "Spawn failed for: hook"
}
hook repo.postsync.d 0
hook postsync.d 1
as_before "which directory a hook is in decides whether its failure is seen"
