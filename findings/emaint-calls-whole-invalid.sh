#!/usr/bin/env bash
# Portage 3.0.83 (PyPI) and xz-utils 5.4.1-1 (Debian 12), November 2026.
#
# Expected: `emaint --check binhost` says of a whole package whose decompressor is not installed that the program is missing.
# Happens: it calls the package invalid, as it does a damaged one. What is whole and what is not cannot be told by it.
# Seen: !!! Invalid binary package: '/.../a/x/x-1-1.gpkg.tar'
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
make_conf 'BINPKG_COMPRESS="xz"'
package x-1
emerge --quiet --buildpkgonly a/x >"$work/out" 2>&1
run "$work/out" emaint --check binhost
silent "$work/out" "Invalid binary package"

# The same programs but xz. The line of the index that spares emaint the reading is taken out.
mkdir "$work/bin"
IFS=: read -ra places <<<"$PATH"
for place in "${places[@]}"; do
    for program in "$place"/*; do
        name=${program##*/}
        [[ $name == *xz* || -e $work/bin/$name ]] || ln -s "$program" "$work/bin/$name"
    done
done
rm "$work"/binpkgs/Packages*
PATH=$work/bin run "$work/out" emaint --check binhost
says "$work/out" "Invalid binary package"
silent "$work/out" "not installed"
as_before "what lacks its decompressor is called invalid"
