#!/usr/bin/env bash
# git 2.39.5 (Debian 12), November 2026.
#
# Expected: `git clone --depth 1`, Portage's default for a repository, works with every server that `git clone` works with, since it asks for less.
# Happens: it fails with a server of plain files. There clone-depth = 0 and sync-depth = 0 are needed.
# Seen: fatal: dumb http transport does not support shallow capabilities
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
cd "$work"
git=(git -c user.name=finding -c user.email=finding@localhost -c init.defaultBranch=main)
"${git[@]}" init --quiet origin
"${git[@]}" -C origin commit --quiet --allow-empty --message one
mkdir served
git clone --quiet --bare origin served/tree.git
git -C served/tree.git update-server-info
python3 -u -m http.server --bind 127.0.0.1 --directory served 0 >server 2>&1 &
server=$!
trap 'kill "$server"; rm -rf "$work"' EXIT
for _ in {1..100}; do
    port=$(sed -n 's/.*port \([0-9]*\) .*/\1/p' server)
    [ -z "$port" ] || break
    sleep 0.1
done
run out git clone "http://127.0.0.1:$port/tree.git" whole
ended 0 "$code"
run out git clone --depth 1 "http://127.0.0.1:$port/tree.git" shallow
says out "dumb http transport does not support shallow capabilities"
ended 128 "$code"
as_before "the whole is given, a part is not"
