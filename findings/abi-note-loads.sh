#!/usr/bin/env bash
# glibc 2.36-9+deb12u13, gcc 12.2.0-14 (Debian 12), November 2026.
#
# Expected: a library whose ABI note demands a newer kernel than runs here is not loaded ("cannot open shared object file", though it is there): so it was
#   with every glibc before 2.36, and what people are told to strip the note for.
# Happens: from 2.36 on the note is not looked at any more.
# Seen: the library that demands Linux 99.1.0 is loaded
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
cd "$work"
cat >note.s <<'END'
    .section .note.ABI-tag, "a", %note
    .balign 4
    .long 4, 16, 1
    .asciz "GNU"
    .long 0, 99, 1, 0
    .section .note.GNU-stack, "", %progbits
END
echo 'int answer(void) { return 42; }' >answer.c
echo 'int answer(void); int main(void) { return answer(); }' >main.c
gcc -shared -fPIC -Wl,-z,separate-code -o libanswer.so answer.c note.s
readelf --notes libanswer.so >notes
says notes "ABI: 99.1.0"
gcc -o main main.c -L. -lanswer -Wl,-rpath,"$work"
run out ./main
ended 42 "$code"
as_before "it demands Linux 99.1.0, and is loaded by $(uname -r)"
