#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), November 2026.
#
# Expected: a client that asks a binhost gets what is there now, or is told that it does not. A server that was restored from a backup, or whose
#   clock was wrong once, is such a binhost.
# Happens: an index whose TIMESTAMP is older than that of the one fetched before is passed over. The client goes on with the old one, shows a
#   package that is not there any more, ends with 0 and says nothing about it.
# Seen: [binary  N     ] a/x-2-1::finding 0 B
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
package x-1
package x-2
emerge --quiet --buildpkgonly =a/x-1 =a/x-2 >"$work/out" 2>&1

host=$work/host
mv "$work/binpkgs" "$host"
rm "$host/Packages.gz"
cd "$host"
python3 -m http.server --bind 127.0.0.1 0 >"$work/server" 2>&1 &
server=$!
trap 'kill "$server"; rm -rf "$work"' EXIT
for _ in {1..100}; do
    port=$(sed -n 's/.*port \([0-9]*\) .*/\1/p' "$work/server")
    [ -z "$port" ] || break
    sleep 0.1
done
mkdir -p "$prefix/etc/portage/binrepos.conf"
printf '[host]\nsync-uri = http://127.0.0.1:%s\nverify-signature = false\n' "$port" >"$prefix/etc/portage/binrepos.conf/host.conf"
ask() { run "$work/out" emerge --color=n --nospinner --pretend --verbose --getbinpkgonly a/x; }
ask
ended 0 "$code"
says "$work/out" "a/x-2-1::finding"

# The package is withdrawn, by an index that calls itself older, and is a new file to every cache on the way; a backup has both times.
sed -i 's/^TIMESTAMP: .*/TIMESTAMP: 1700000000/' Packages
python3 - <<'END'
blocks = open("Packages").read().split("\n\n")
open("Packages", "w").write("\n\n".join(block for block in blocks if "CPV: a/x-2\n" not in block))
END
touch -d @1700000000 Packages
ask
ended 0 "$code"
says "$work/out" "a/x-2-1::finding"
silent "$work/out" older
silent "$work/out" TIMESTAMP
as_before "the older index is passed over in silence"
