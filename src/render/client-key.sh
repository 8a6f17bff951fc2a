
# The key that the packages are signed with. Portage believes the keys that are trusted in this directory, and reads it as the
# user nobody.
fingerprint=@FINGERPRINT@
keys=$etc/gnupg
if ! command -v gpg >/dev/null; then
    echo "There is no gpg here, and the packages are signed: emerge app-crypt/gnupg" >&2
    exit 1
fi
if ! [ -d "$keys" ]; then
    # Gentoo's own tool makes it with Gentoo's keys.
    if command -v getuto >/dev/null; then
        getuto
    else
        mkdir -p "$keys"
        # As one file of keys, which others can read, and not behind a daemon.
        : >"$keys/common.conf"
    fi
fi
trusted() { gpg --homedir "$keys" --batch --quiet --export-ownertrust 2>/dev/null | grep -qx "$fingerprint:6:"; }
if ! trusted; then
    gpg --homedir "$keys" --batch --quiet --no-permission-warning --import <<'END'
@ARMOR@
END
    echo "$fingerprint:6:" | gpg --homedir "$keys" --batch --quiet --no-permission-warning --import-ownertrust
    gpg --homedir "$keys" --batch --quiet --no-permission-warning --check-trustdb
    chmod 755 "$keys"
    for file in pubring.kbx pubring.gpg trustdb.gpg common.conf; do
        if [ -f "$keys/$file" ]; then chmod 644 "$keys/$file"; fi
    done
    # Whatever was started for that.
    gpgconf --homedir "$keys" --kill all
    echo "trusts the key $fingerprint ($keys)"
fi
