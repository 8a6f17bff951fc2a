//! `gbsup key show`: the keys, and what lets a client trust the one that signs.

use jiff::Timestamp;

use super::clean;
use super::client_config::{self, trust};
use crate::decide::signing::day;
use crate::model::duration::in_words;
use crate::portage::output::gpg::Key;

/// Each key in a few lines, and what to type on a client. `signs` is the one that releases are signed with.
#[must_use]
pub fn keys(keys: &[Key], signs: Option<&client_config::Key>, now: Timestamp) -> String {
    let mut text = String::new();
    for key in keys {
        let used = if signs.is_some_and(|signs| signs.fingerprint == key.fingerprint) {
            ""
        } else {
            " (nothing is signed with it)"
        };
        text += &format!("key      {}{used}\nname     {}\n", key.fingerprint, clean(&key.name));
        text += &format!("created  {}\nexpires  {}\n\n", day(key.created), expires(key, now));
    }
    if let Some(key) = signs {
        // In a shell of its own: whoever pastes it shall keep theirs.
        text += &format!("A client trusts what it signs after:\n\n(\netc=/etc/portage{})\n", trust(key));
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
        let signs =
            client_config::Key { fingerprint: all[0].fingerprint.clone(), armor: "the armor\n".to_owned() };
        insta::assert_snapshot!(keys(&all, Some(&signs), now));
    }
}
