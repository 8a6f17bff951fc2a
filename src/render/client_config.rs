//! The script that sets a client up. Pure; what it changes is described in binrepos.conf of portage(5).

/// What the script is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Where the client finds the packages, without a slash at the end: harmless between quotes of a shell.
    pub url: String,
    /// Who said so.
    pub origin: Origin,
    /// The key that the packages are signed with; absent when they are not.
    pub key: Option<Key>,
}

/// How the URL is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was typed.
    Typed,
    /// By `http.url`.
    Configured,
    /// By the host name, which a client may know as another one.
    Guessed,
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// In hexadecimal digits.
    pub fingerprint: String,
    /// Its ASCII armor.
    pub armor: String,
}

const SCRIPT: &str = include_str!("client-config.sh");
const KEY: &str = include_str!("client-key.sh");
const VERIFIED: &str = "# What is not signed with the builder's key is refused.\nverify-signature = true";
const UNVERIFIED: &str = "\
# !!! The builder does not sign its packages: whoever gets between it and this machine can put anything into them. When it does
# !!! (publish.sign), run its client-config again.
verify-signature = false";

/// The script.
#[must_use]
pub fn script(setup: &Setup) -> String {
    let origin = match setup.origin {
        Origin::Typed => "as it was asked for.",
        Origin::Configured => "as the builder is configured (http.url).",
        Origin::Guessed => {
            "which is a guess by the builder's host name. If this machine cannot reach it: gbsup client-config --url URL"
        }
    };
    let key = setup.key.as_ref().map(trust);
    let verify = if key.is_some() { VERIFIED } else { UNVERIFIED };
    SCRIPT
        .replace("@VERSION@", crate::VERSION)
        .replace("@URL@", &setup.url)
        .replace("@ORIGIN@", origin)
        .replace("@VERIFY@", verify)
        .replace("@KEY@", key.as_deref().unwrap_or_default())
}

/// The part of it that lets a client trust a key. Portage verifies as nobody, with the key ring in `$etc/gnupg`, and
/// demands full trust (`portage/gpkg.py:_check_gpg_status`); the ring is made by getuto where that is installed.
#[must_use]
pub(super) fn trust(key: &Key) -> String {
    KEY.replace("@FINGERPRINT@", &key.fingerprint).replace("@ARMOR@", key.armor.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: Option<Key>) -> String {
        script(&Setup { url: "http://b:8080/binpkgs".into(), origin: Origin::Guessed, key })
    }

    #[test]
    fn packages_are_verified_when_they_are_signed() {
        let key = Key { fingerprint: "ABCD".into(), armor: "-----BEGIN\nx\n-----END\n".into() };
        let signed = of(Some(key));
        assert!(signed.contains("\nverify-signature = true\n"), "{signed}");
        assert!(signed.contains("\nfingerprint=ABCD\n") && signed.contains("\n-----END\nEND\n"), "{signed}");
        let unsigned = of(None);
        assert!(unsigned.contains("\nverify-signature = false\n"), "{unsigned}");
        assert!(!unsigned.contains("gpg"), "{unsigned}");
        for script in [signed, unsigned] {
            assert!(script.contains("\nurl='http://b:8080/binpkgs'\n"), "{script}");
            let left = script.lines().find(|line| line.matches('@').count() > 1 && !line.contains("\"$@\""));
            assert_eq!(left, None);
        }
    }
}
