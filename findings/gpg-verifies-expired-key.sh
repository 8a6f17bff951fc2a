#!/usr/bin/env bash
# GnuPG 2.2.40-1.1+deb12u1 (Debian 12), November 2026.
#
# Expected: `gpg --verify` ends with an error when the key of the signature has expired, so that a script which goes by its status refuses it, as Portage does
#   with a package (it reads EXPKEYSIG in the status lines).
# Happens: it ends with 0. Only the words, and the status lines, say that the key has expired.
# Seen: gpg: Good signature from "finding" [expired]
#       gpg: Note: This key has expired!
set -eu
# shellcheck source=findings/lib.bash
. "$(dirname -- "$0")/lib.bash"
export GNUPGHOME=$work/gnupg
mkdir -m 700 "$GNUPGHOME"
gpg=(gpg --batch --quiet --faked-system-time 20200101T000000)
"${gpg[@]}" --passphrase '' --quick-generate-key finding ed25519 sign 30d 2>"$work/out"
echo text >"$work/text"
"${gpg[@]}" --detach-sign "$work/text" 2>"$work/out"
run "$work/out" gpg --batch --status-fd 1 --verify "$work/text.sig" "$work/text"
gpgconf --kill all
says "$work/out" EXPKEYSIG
says "$work/out" "Good signature"
ended 0 "$code"
as_before "a signature by an expired key is good to its exit status"
