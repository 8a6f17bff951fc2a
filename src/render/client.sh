#!/bin/sh
# Has this Gentoo system install the binary packages of a builder (gbsup @VERSION@). Read it, then run it as root:
#
#   sh client.sh setup      Portage uses the builder's packages from now on. Run again, it changes nothing. With --tree it also syncs the
#                           ebuild repositories from there, as each release has them
#   sh client.sh check      says what an update would compile here all the same, and why; changes nothing (--json for programs)
#   sh client.sh capture    prints a tar of what this machine is configured by, for a builder: no keys and no passwords
#   sh client.sh undo       takes back what setup did
#
# Without a verb it is setup. Packages come from @URL@
# @ORIGIN@
#
# It needs sh and the Python that Portage runs on.
set -eu

python=
for candidate in python3 /usr/lib/python-exec/python3*/python3 /usr/bin/python3.*; do
    # Isolated: what lies in the directory that this is typed in is not imported.
    if "$candidate" -I -c 'import portage, _emerge' 2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "There is no Python here that has Portage: this is for Gentoo and its kin." >&2
    exit 1
fi
exec "$python" -I - "$0" "$@" <<'END OF PYTHON'
@PYTHON@
END OF PYTHON
