#!/usr/bin/env bash
# Portage 3.0.83 (PyPI), November 2026.
#
# Expected: `portageq envvar A B C` ends with 0 when it has printed what was asked for; a variable that is not set has an empty value.
# Happens: it prints the values, an empty one for what is not set, and ends with 1, as it does for a configuration that cannot be read.
# Seen: CHOST=x86_64-pc-linux-gnu and RUSTFLAGS='', and 1
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
portage
run "$work/out" portageq envvar -v CHOST RUSTFLAGS ARCH
says "$work/out" "CHOST=x86_64-pc-linux-gnu"
says "$work/out" "RUSTFLAGS=''"
says "$work/out" "ARCH=amd64"
ended 1 "$code"
as_before "all three are printed, and it ends with 1"
