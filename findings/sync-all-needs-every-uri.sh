#!/usr/bin/env bash
# Portage 3.0.83 (PyPI) and git 2.39.5 (Debian 12), November 2026.
#
# Expected: `emaint sync --auto` syncs what it can, and names the repository that it cannot sync.
# Happens: one repository with a sync-type and without a sync-uri keeps all others from being synced.
# Seen:  * The specified repo(s) are missing sync-uri: local
#          ...returning
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
package x-1
commit tree
mkdir -p "$work"/local/{profiles,metadata}
echo local >"$work/local/profiles/repo_name"
echo 'masters =' >"$work/local/metadata/layout.conf"
synced 'auto-sync = yes'
printf '[local]\nlocation = %s\nsync-type = git\nauto-sync = yes\n' "$work/local" >"$prefix/etc/portage/repos.conf/local.conf"
run "$work/out" emaint sync --auto
ended 1 "$code"
says "$work/out" "The specified repo(s) are missing sync-uri: local"
[ ! -e "$work/copy" ] || changed "the other repository is synced"

rm "$prefix/etc/portage/repos.conf/local.conf"
run "$work/out" emaint sync --auto
ended 0 "$code"
[ -e "$work/copy/profiles/repo_name" ] || changed "it is not synced by itself either"
as_before "one repository without an address stops the sync of all"
