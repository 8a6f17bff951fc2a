//! The script that a client runs: sh that finds Portage's Python, and Python. Pure; what it changes is described in
//! binrepos.conf of portage(5).

use crate::portage::command;

/// What the script is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setup {
    /// Where the client finds the packages, without a slash at the end: harmless between quotes of a shell and of Python
    /// ([`location`](crate::config::location)).
    pub url: String,
    /// Who said so.
    pub origin: Origin,
    /// How the packages are signed.
    pub signing: Signing,
}

/// How the URL is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was typed.
    Typed,
    /// The client asked by it.
    Asked,
    /// By `http.url`.
    Configured,
    /// By the host name, which a client may know as another one.
    Guessed,
}

/// How the packages are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Signing {
    /// With this key.
    By(Key),
    /// They are not.
    Unsigned,
    /// Nothing is published yet, and nobody here knows how it will be.
    Unknown,
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// In hexadecimal digits.
    pub fingerprint: String,
    /// Its ASCII armor.
    pub armor: String,
}

const SCRIPT: &str = include_str!("client.sh");
/// The Python of it, in the order in which it is put together.
const PYTHON: &[&str] = &[
    include_str!("client/start.py"),
    include_str!("client/setup.py"),
    include_str!("client/tree.py"),
    include_str!("client/plain.py"),
    command::FACTS,
    include_str!("client/places.py"),
    include_str!("client/check.py"),
    include_str!("client/report.py"),
    include_str!("client/capture.py"),
    include_str!("client/main.py"),
];
/// What brings the repositories to a client without git: a hook of Portage's, and a program of its own.
const BRING: &[&str] = &[include_str!("client/objects.py"), include_str!("client/bring.py")];
const KEY: &str = include_str!("client-key.sh");
/// The same for a release that is rehearsed as a client: it is explained there in the words of `check`.
const REHEARSAL: &[&str] = &[
    include_str!("client/start.py"),
    command::FACTS,
    include_str!("client/places.py"),
    include_str!("client/check.py"),
    include_str!("client/rehearse.py"),
];

/// The script.
pub(crate) fn script(setup: &Setup) -> String {
    let origin = match setup.origin {
        Origin::Typed => "as it was asked for.",
        Origin::Asked => "which is where this script was fetched from.",
        Origin::Configured => "as the builder is configured (http.url).",
        Origin::Guessed => {
            "which is a guess by the builder's host name. If this machine cannot reach it: gbsup client-config --url URL"
        }
    };
    let (key, trust) = match &setup.signing {
        Signing::By(key) if is_harmless(key) => (format!("\"{}\"", key.fingerprint), trust(key)),
        Signing::By(_) | Signing::Unknown => ("\"\"".to_owned(), String::new()),
        Signing::Unsigned => ("None".to_owned(), String::new()),
    };
    // What is put in last is looked into by nothing.
    SCRIPT
        .replace("@PYTHON@", PYTHON.join("\n\n").trim_end())
        .replace("@BRING@", BRING.join("\n\n").trim_end())
        .replace("@VERSION@", crate::VERSION)
        .replace("@ORIGIN@", origin)
        .replace("@URL@", &setup.url)
        .replace("@KEY@", &key)
        .replace("@TRUST@", trust.trim())
}

/// The Python that rehearses a release as a client; see `host/clients.rs`. Its arguments: the script's name, and what the
/// kernel is told.
pub(crate) fn rehearsal() -> String {
    let script = REHEARSAL.join("\n\n").replace("@VERSION@", crate::VERSION).replace("@KEY@", "None");
    ["@URL@", "@TRUST@"].iter().fold(script, |script, part| script.replace(part, ""))
}

/// Whether nothing of a key ends the quotes that it is put between. No key that gpg writes does.
fn is_harmless(key: &Key) -> bool {
    let in_armor = |c: char| c.is_ascii_alphanumeric() || "+/=-:.,() \n".contains(c);
    key.fingerprint.chars().all(|c| c.is_ascii_hexdigit())
        && key.armor.chars().all(in_armor)
        && key.armor.lines().all(|line| line != "END")
}

/// The part of it that lets a client trust a key. Portage verifies as nobody, with the key ring in `$etc/gnupg`, and
/// demands full trust (`portage/gpkg.py:_check_gpg_status`); the ring is made by getuto where that is installed.
pub(super) fn trust(key: &Key) -> String {
    KEY.replace("@FINGERPRINT@", &key.fingerprint).replace("@ARMOR@", key.armor.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(signing: Signing) -> String {
        script(&Setup { url: "http://b:8080/binpkgs".into(), origin: Origin::Guessed, signing })
    }

    #[test]
    fn nothing_is_left_open_in_a_rehearsal() {
        let script = rehearsal();
        assert!(
            !script.contains("@KEY@") && !script.contains("@URL@") && script.contains("\nKEY = None\n"),
            "{script}"
        );
    }

    /// Python itself finds out where it comes to the call, which may be with a release of another kind than any that was tried.
    #[test]
    fn a_rehearsal_has_each_function_that_it_calls() {
        let (whole, rehearsal) = (PYTHON.concat(), REHEARSAL.concat());
        let defined = |line: &str| {
            let rest = line.strip_prefix("def ").or_else(|| line.strip_prefix("class "))?;
            rest.split_once(['(', ':']).map(|(name, _)| name.to_owned())
        };
        let here: Vec<String> = rehearsal.lines().filter_map(defined).collect();
        for name in whole.lines().filter_map(defined).filter(|name| !here.contains(name)) {
            let is_call = |(at, _): (usize, &str)| {
                let before = &rehearsal[..at];
                !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.')
                    && !before.ends_with("def ")
            };
            assert!(!rehearsal.match_indices(&format!("{name}(")).any(is_call), "{name}");
        }
    }

    #[test]
    fn packages_are_verified_when_they_are_signed() {
        let armor = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEx+/=\n-----END PGP PUBLIC KEY BLOCK-----\n";
        let key = Key { fingerprint: "ABCD".into(), armor: armor.into() };
        let signed = of(Signing::By(key.clone()));
        assert!(signed.contains("\nKEY = \"ABCD\"\n") && signed.contains("\nfingerprint=ABCD\n"), "{signed}");
        assert!(signed.contains("BLOCK-----\nEND\n"), "{signed}");
        let unsigned = of(Signing::Unsigned);
        assert!(unsigned.contains("\nKEY = None\n") && !unsigned.contains("PUBLIC KEY"), "{unsigned}");
        let unknown = of(Signing::Unknown);
        assert!(unknown.contains("\nKEY = \"\"\n"), "{unknown}");
        for script in [signed, unsigned, unknown.clone()] {
            assert!(script.contains("\nURL = \"http://b:8080/binpkgs\"\n"), "{script}");
            let left =
                ["@PYTHON@", "@BRING@", "@VERSION@", "@ORIGIN@", "@URL@", "@KEY@", "@TRUST@", "@ARMOR@"];
            assert_eq!(left.iter().find(|left| script.contains(**left)), None);
            assert!(script.ends_with("\nEND OF PYTHON\n"), "it is whole or does nothing");
        }
        for armor in ["x\nEND\ny", "\"\"\"\nimport os", "$(id)", "'"] {
            let hostile = Key { armor: armor.into(), ..key.clone() };
            assert_eq!(of(Signing::By(hostile)), unknown);
        }
    }
}
