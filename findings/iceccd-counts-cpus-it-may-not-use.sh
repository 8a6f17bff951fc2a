#!/usr/bin/env bash
# icecream 1.4 (Debian 12), November 2026. It needs a machine with two CPUs at least, and an apt that can download.
#
# Expected: a daemon that may run on one CPU alone takes one job at a time, as nproc(1) and `make -j$(nproc)` do.
# Happens: iceccd counts the CPUs of the machine. In a container, or pinned by taskset, it takes as many jobs as the whole machine could do, and
#   files wait there that others would compile at once; only -m says otherwise.
# Seen: taskset -c 0 iceccd: "2 CPU(s) online on this server", "allowing up to 2 active jobs"; taskset -c 0 nproc: 1.
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
machine=$(nproc --all)
[ "$machine" -gt 1 ] || { echo "$(basename "$0"): this machine has one CPU" >&2; exit 1; }
mkdir "$work/debian" "$work/kept"
(cd "$work/debian" && apt-get --quiet download icecc=1.4-1 libarchive13 liblzo2-2 libcap-ng0 >"$work/apt" 2>&1) || changed "$(cat "$work/apt")"
for package in "$work"/debian/*.deb; do dpkg-deb --extract "$package" "$work/root"; done

# It looks for its scheduler until it is ended.
LD_LIBRARY_PATH=$(dirname "$(find "$work/root" -name 'liblzo2.so.2')"):$(dirname "$(find "$work/root" -name 'libarchive.so.13')")
export LD_LIBRARY_PATH
run "$work/out" timeout --signal=INT 5 taskset -c 0 "$work/root/usr/sbin/iceccd" -vvv --no-remote -s 127.0.0.1:1 -b "$work/kept"
says "$work/out" "$machine CPU(s) online on this server"
says "$work/out" "allowing up to $machine active jobs"
[ "$(taskset -c 0 nproc)" = 1 ] || changed "nproc counts otherwise"
as_before "iceccd takes $machine jobs where it may use one CPU"
