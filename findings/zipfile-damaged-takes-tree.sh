#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), November 2026.
#
# Expected: a sync that fails leaves the tree that was there, or a hook that could put it back is called.
# Happens: with `sync-type = zipfile` the tree is moved into a hidden directory, and the archive is unpacked in its place as it is read. When it is damaged
#   at its end, what was unpacked until then stays there, Portage's sync ends with an exception, and no hook of repo.postsync.d is called.
# Seen: zipfile.BadZipFile: Bad CRC-32 for file 'last'
#       Action: sync for repo: finding, returned code = 1
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
package x-1
cp -a "$tree" "$work/copy"
mkdir "$work/host"
cd "$work/host"
python3 - <<'END'
import zipfile

with zipfile.ZipFile("tree.zip", "w") as archive:
    for name, text in (("profiles/", ""), ("profiles/repo_name", "finding\n"), ("of-somebody-else", "x\n"), ("last", "0123456789")):
        archive.writestr(name, text)
data = bytearray(open("tree.zip", "rb").read())
data[data.index(b"0123456789")] = ord("x")
open("tree.zip", "wb").write(data)
END
python3 -m http.server --bind 127.0.0.1 0 >"$work/server" 2>&1 &
server=$!
trap 'kill "$server"; rm -rf "$work"' EXIT
for _ in {1..100}; do
    port=$(sed -n 's/.*port \([0-9]*\) .*/\1/p' "$work/server")
    [ -z "$port" ] || break
    sleep 0.1
done
printf '%s\n' '[DEFAULT]' 'main-repo = finding' '[finding]' "location = $work/copy" 'sync-type = zipfile' "sync-uri = http://127.0.0.1:$port/tree.zip" \
    'auto-sync = yes' >"$prefix/etc/portage/repos.conf/finding.conf"
mkdir "$prefix/etc/portage/repo.postsync.d"
printf '#!/bin/sh\ntouch %s/called\n' "$work" >"$prefix/etc/portage/repo.postsync.d/hook"
chmod +x "$prefix/etc/portage/repo.postsync.d/hook"
run "$work/out" emaint sync --auto
ended 1 "$code"
says "$work/out" "Bad CRC-32 for file 'last'"
[ -e "$work/copy/of-somebody-else" ] || changed "what was unpacked is not there"
[ ! -e "$work/copy/a" ] || changed "the tree of before is there"
[ ! -e "$work/called" ] || changed "the hook was called"
as_before "half of a damaged archive takes the place of the tree, and no hook is called"
