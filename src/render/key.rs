//! `gbsup key show`: the keys, and what lets a client trust the one that signs.

use jiff::Timestamp;

use super::clean;
use crate::core::signing::day;
use crate::core::status::in_words;
use crate::portage::gpg::Key;

/// Each key in a few lines, and what to type on a client. `signs` is the fingerprint of the one that releases are
/// signed with.
#[must_use]
pub fn keys(keys: &[Key], signs: Option<&str>, now: Timestamp) -> String {
    let mut text = String::new();
    for key in keys {
        let used = if signs == Some(&key.fingerprint) { "" } else { " (nothing is signed with it)" };
        text += &format!("key      {}{used}\nname     {}\n", key.fingerprint, clean(&key.name));
        text += &format!("created  {}\nexpires  {}\n\n", day(key.created), expires(key, now));
    }
    if let Some(key) = signs {
        text +=
            &format!("A client that has releases/gbsup.asc trusts what it signs after:\n\n{}", trust(key));
    }
    text
}

fn expires(key: &Key, now: Timestamp) -> String {
    let Some(expires) = key.expires else { return "never".to_owned() };
    let state = match std::time::Duration::try_from(expires.duration_since(now)) {
        Ok(left) => format!("in {}", in_words(left)),
        Err(_) => "it has expired".to_owned(),
    };
    format!("{} ({state})", day(expires))
}

/// What lets a client trust a key, as a script. Portage verifies as nobody, with the key ring in /etc/portage/gnupg, and
/// demands full trust (`portage/gpkg.py:_check_gpg_status`); the ring is made by getuto where that is installed.
#[must_use]
pub fn trust(fingerprint: &str) -> String {
    format!(
        "mkdir -p /etc/portage/gnupg
gpg --homedir /etc/portage/gnupg --batch --import gbsup.asc
echo {fingerprint}:6: | gpg --homedir /etc/portage/gnupg --batch --import-ownertrust
gpg --homedir /etc/portage/gnupg --batch --check-trustdb
chmod go+rx /etc/portage/gnupg && chmod go+r /etc/portage/gnupg/*.kbx /etc/portage/gnupg/*.gpg
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_keys() {
        let key = |digit: &str, expires: Option<&str>| Key {
            fingerprint: digit.repeat(40),
            name: "gbsup packages".to_owned(),
            created: "2026-11-23T00:00:00Z".parse().unwrap(),
            expires: expires.map(|day| format!("{day}T00:00:00Z").parse().unwrap()),
            revoked: false,
        };
        let all = [key("A", Some("2026-11-25")), key("B", Some("2020-01-01")), key("C", None)];
        let now = "2026-11-23T12:00:00Z".parse().unwrap();
        insta::assert_snapshot!(keys(&all, Some(&all[0].fingerprint), now));
    }
}
