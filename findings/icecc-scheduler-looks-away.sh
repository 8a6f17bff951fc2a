#!/usr/bin/env bash
# icecream 1.4 (Debian 12), November 2026. It needs an apt that can download, and python3.
#
# Expected: the scheduler takes the next connection when it comes, whatever became of the one before.
# Happens: for a second after a connection it does not wait for another, but for what it has, and where that is nothing it waits for half a minute and
#   more. Whoever asks whether it is there, and leaves, has the next daemon wait; had it stayed for more than a second, its leaving would have
#   the scheduler look again.
# Seen: after one that left at once there is no greeting within ten seconds; after one that left after two seconds it comes at once.
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
mkdir "$work/debian"
(cd "$work/debian" && apt-get --quiet download icecc=1.4-1 libarchive13 liblzo2-2 libcap-ng0 >"$work/apt" 2>&1) || changed "$(cat "$work/apt")"
for package in "$work"/debian/*.deb; do dpkg-deb --extract "$package" "$work/root"; done
LD_LIBRARY_PATH=$(dirname "$(find "$work/root" -name 'liblzo2.so.2')"):$(dirname "$(find "$work/root" -name 'libarchive.so.13')")
export LD_LIBRARY_PATH

# after STAYS: how soon the scheduler greets the second one that comes, when the first has stayed for so many seconds: at once, or late.
after() {
    timeout 60 "$work/root/usr/sbin/icecc-scheduler" -i lo -p 18765 >"$work/log" 2>&1 &
    python3 - "$1" <<'END'
import socket, sys, time

def connect():
    for _ in range(100):
        try:
            return socket.create_connection(("127.0.0.1", 18765), timeout=10)
        except ConnectionRefusedError:
            time.sleep(0.1)

def greet(peer):
    peer.sendall((43).to_bytes(4, "little"))
    return peer.recv(4)

first = connect()
assert greet(first) == (43).to_bytes(4, "little")
time.sleep(float(sys.argv[1]))
first.close()
time.sleep(3 - float(sys.argv[1]))
try:
    print("at once" if greet(connect()) else "not at all")
except TimeoutError:
    print("late")
END
    kill %%
    wait %% || true
}
left=$(after 0)
stayed=$(after 2)
[ "$left" = late ] || changed "after one that left at once the next is greeted $left"
[ "$stayed" = "at once" ] || changed "after one that stayed for two seconds the next is greeted $stayed"
as_before "the next is greeted late after one that left at once, and at once after one that stayed"
