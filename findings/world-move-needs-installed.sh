#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), November 2026.
#
# Expected: when a repository renames a package (profiles/updates), an entry of the world is renamed as well.
# Happens: it is renamed only while the package is installed. In a root where nothing is installed yet, a world of the day before names a package
#   that "doesn't exist", and nothing says what it is called now.
# Seen: not installed:
#         !!! Ebuilds for the following packages are either all
#         !!! masked or don't exist:
#         a/old
#       installed, the same world: Performing Global Updates, and the world has a/new.
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
package old-1
world=$prefix/var/lib/portage/world
echo a/old >"$world"
run "$work/installed" emerge --color=n --nospinner --oneshot a/old
ended 0 "$code"
# The repository as it is after a sync.
mv "$tree/a/old" "$tree/a/new"
mv "$tree/a/new/old-1.ebuild" "$tree/a/new/new-1.ebuild"
mkdir "$tree/profiles/updates"
echo 'move a/old a/new' >"$tree/profiles/updates/4Q-2026"

mv "$prefix/var/db/pkg" "$work/pkg"
mkdir "$prefix/var/db/pkg"
run "$work/out" emerge --color=n --nospinner --pretend @world
says "$work/out" "masked or don't exist:"
says "$work/out" "a/old"
silent "$work/out" "a/new"
[ "$(cat "$world")" = a/old ] || changed "the world has $(cat "$world")"

# The time of the file tells Portage that it has seen it.
rm -rf "$prefix/var/db/pkg" "$prefix/var/cache/edb/mtimedb"
mv "$work/pkg" "$prefix/var/db/pkg"
run "$work/out" emerge --color=n --nospinner --pretend @world
says "$work/out" "Performing Global Updates"
[ "$(cat "$world")" = a/new ] || changed "the world of an installed package has $(cat "$world")"
as_before "a renamed package is renamed in the world only where it is installed"
