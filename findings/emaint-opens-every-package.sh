#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), with strace, November 2026.
#
# Expected: `emaint --check binhost` goes by the index, and by sizes and times of files; a package that is as it was is not read. emerge does so.
# Happens: it opens every package whose entry has no USER_PATCHES, and Portage writes that line only for packages that were built with user patches.
#   So all are read at each check, right after `emaint --fix binhost` as well.
# Seen: opens of a package: emaint --check binhost 9, emerge --pretend --usepkg 0.
#       with an empty USER_PATCHES in its entry: emaint --check binhost 0.
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
package x-1
index=$work/binpkgs/Packages

# How often a command opens the package; it is in $opened.
opens() {
    # What it ends with does not matter here.
    run "$work/out" strace -f -qq -e trace=openat -o "$work/opens" "$@"
    opened=$(grep -c 'x-1-1[.]gpkg[.]tar' "$work/opens" || true)
}

run "$work/out" emerge --color=n --nospinner --oneshot --buildpkgonly a/x
ended 0 "$code"
run "$work/out" emaint --fix binhost
ended 0 "$code"
silent "$index" USER_PATCHES
opens emaint --check binhost
[ "$opened" -gt 0 ] || changed "emaint opened no package"
opens emerge --color=n --pretend --usepkg a/x
[ "$opened" = 0 ] || changed "emerge opened the package as well"

sed -i 's/^SIZE:.*/&\nUSER_PATCHES: /' "$index"
opens emaint --check binhost
[ "$opened" = 0 ] || changed "emaint opened the package $opened times in spite of USER_PATCHES"
as_before "emaint opens every package without USER_PATCHES, which those without user patches never have"
