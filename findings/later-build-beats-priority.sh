#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), November 2026.
#
# Expected: of two binary package repositories with the same version the one with the higher priority is taken (binrepos.conf in portage(5)), and within one
#   the higher BUILD_ID.
# Happens: the later BUILD_TIME is taken, from whichever repository, and whatever the BUILD_ID.
# Seen: build 1 of the repository with priority 1, and not build 2 of the one with priority 100
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
package x-1
emerge --quiet --buildpkgonly a/x >"$work/out" 2>&1
cp -a "$work/binpkgs" "$work/low"
emerge --quiet --buildpkgonly a/x >"$work/out" 2>&1
mv "$work/binpkgs" "$work/high"
rm "$work"/{low,high}/Packages.gz "$work/high/a/x/x-1-1.gpkg.tar"
# Only build 2 is in the one with the high priority, and it is the older one.
python3 - "$work/high/Packages" "$work/low/Packages" <<'END'
import re, sys
for name, build, time in zip(sys.argv[1:], "21", ("1700000000", "1700000001")):
    head, *blocks = open(name).read().strip().split("\n\n")
    blocks = [re.sub(r"BUILD_TIME: \d+", "BUILD_TIME: " + time, b) for b in blocks if f"BUILD_ID: {build}\n" in b]
    open(name, "w").write("\n\n".join([head, *blocks]) + "\n\n")
END
mkdir -p "$prefix/etc/portage/binrepos.conf"
printf '[%s]\npriority = %s\nsync-uri = file://%s\nverify-signature = false\n' high 100 "$work/high" low 1 "$work/low" \
    >"$prefix/etc/portage/binrepos.conf/both.conf"
run "$work/out" emerge --color=n --nospinner --pretend --verbose --getbinpkgonly a/x
ended 0 "$code"
says "$work/out" "a/x-1-1::finding"
# With the times the other way round the other one is taken.
sed -i 's/^BUILD_TIME: .*/BUILD_TIME: 1700000009/; s/^TIMESTAMP: .*/TIMESTAMP: 4000000000/' "$work/high/Packages"
run "$work/out" emerge --color=n --nospinner --pretend --verbose --getbinpkgonly a/x
says "$work/out" "a/x-1-2::finding"
as_before "the later BUILD_TIME decides, neither priority nor BUILD_ID"
