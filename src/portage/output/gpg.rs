//! What GnuPG says, in its forms for programs (`doc/DETAILS` in its sources): what it makes of a signature, and
//! which keys there are.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Why a signature does not show that something comes from whom it should. The text follows "it".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    /// There is none, or not one of everything.
    #[error("it is not signed")]
    Unsigned,
    /// It may be right or not.
    #[error("it is signed by a key that is not known: {0}")]
    Unknown(String),
    /// It is right, but nobody here says that this key may sign.
    #[error("it is signed by a key that is known, but not trusted: {0}")]
    Untrusted(String),
    /// What is signed is another thing.
    #[error("its signature is not one of this file")]
    Bad,
    /// It was right once.
    #[error("its signature has expired")]
    Expired,
    /// It may have been right once.
    #[error("it is signed by a key that has expired: {0}")]
    ExpiredKey(String),
    /// It may be anybody's.
    #[error("it is signed by a key that was revoked: {0}")]
    Revoked(String),
    /// GnuPG did not get that far.
    #[error("its signature cannot be checked: {0}")]
    Unchecked(String),
}

/// What `gpg --status-fd` says of something with one signature: the fingerprint of the key that made it, the primary
/// key where a subkey did.
///
/// # Errors
/// Why it counts for nothing.
pub(crate) fn signature(status: &str) -> Result<String, Doubt> {
    let said = |keyword: &str| {
        let lines = status.lines().filter_map(|line| line.strip_prefix("[GNUPG:] "));
        lines
            .map(str::split_whitespace)
            .find_map(|mut words| (words.next() == Some(keyword)).then(|| words.collect::<Vec<_>>()))
    };
    let first = |words: &[&str]| words.first().map(ToString::to_string).unwrap_or_default();
    for keyword in ["BADSIG", "NO_PUBKEY", "REVKEYSIG", "EXPKEYSIG", "EXPSIG", "NODATA"] {
        let Some(words) = said(keyword) else { continue };
        return Err(match keyword {
            "BADSIG" => Doubt::Bad,
            "NO_PUBKEY" => Doubt::Unknown(first(&words)),
            "REVKEYSIG" => Doubt::Revoked(first(&words)),
            "EXPKEYSIG" => Doubt::ExpiredKey(first(&words)),
            "EXPSIG" => Doubt::Expired,
            _ => Doubt::Unsigned,
        });
    }
    match (said("GOODSIG"), said("VALIDSIG")) {
        // The last word is the primary key, where there is one.
        (Some(_), Some(words)) => {
            Ok(words.get(9).or(words.first()).map(ToString::to_string).unwrap_or_default())
        }
        _ => Err(Doubt::Unchecked(words_of(status))),
    }
}

/// Whether GnuPG trusts the key that made a good signature, by its own database (`portage/gpkg.py:_check_gpg_status`).
pub(crate) fn is_trusted(status: &str) -> bool {
    let trusted = ["[GNUPG:] TRUST_ULTIMATE", "[GNUPG:] TRUST_FULLY"];
    status.lines().any(|line| trusted.iter().any(|trusted| line.starts_with(trusted)))
}

/// What of the listing of a key ring decides which signatures count: the keys, how far they are trusted, and whether
/// they have expired or were revoked. Another text, and what was good may be good no more. Nothing when there are no
/// keys.
pub(crate) fn verdicts(listing: &str) -> Option<String> {
    let decides = |line: &&str| ["pub:", "sub:", "fpr:", "uid:"].iter().any(|kind| line.starts_with(kind));
    let verdicts: Vec<&str> = listing.lines().filter(decides).collect();
    (!verdicts.is_empty()).then(|| verdicts.join("\n"))
}

/// What is meant for people in what gpg prints.
pub(crate) fn words_of(printed: &str) -> String {
    let lines = printed.lines().filter(|line| !line.starts_with("[GNUPG:]"));
    let lines: Vec<_> = lines.map(|line| line.trim_start_matches("gpg: ").trim()).collect();
    if lines.is_empty() { "gpg says nothing about it".to_owned() } else { lines.join("; ") }
}

/// A key with which packages may be signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// 40 hexadecimal digits.
    pub fingerprint: String,
    /// Whose it is, in its own words.
    pub name: String,
    /// Since when there is one.
    pub created: Timestamp,
    /// Until when it can sign and what it signed counts; absent: for ever.
    pub expires: Option<Timestamp>,
    /// It was revoked.
    pub revoked: bool,
}

/// The keys that can sign, of `gpg --with-colons --list-keys` or `--list-secret-keys`.
#[must_use]
pub fn keys(listing: &str) -> Vec<Key> {
    let mut keys: Vec<Reading> = Vec::new();
    for line in listing.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let field = |number: usize| fields.get(number - 1).copied().unwrap_or_default();
        match field(1) {
            "pub" | "sec" => keys.push(Reading::new(field)),
            "sub" | "ssb" => keys.last_mut().into_iter().for_each(|key| key.part(field)),
            "fpr" => keys.last_mut().into_iter().for_each(|key| set(&mut key.fingerprint, field(10))),
            "uid" if !matches!(field(2), "r" | "e") => {
                keys.last_mut().into_iter().for_each(|key| set(&mut key.name, field(10)));
            }
            _ => {}
        }
    }
    keys.into_iter().filter_map(Reading::key).collect()
}

/// The first counts: those of subkeys follow.
fn set(place: &mut String, value: &str) {
    if place.is_empty() {
        // The only character that matters in a name and has to be escaped in this form.
        *place = value.replace("\\x3a", ":");
    }
}

/// A key of which not all lines were read.
struct Reading {
    fingerprint: String,
    name: String,
    created: Option<Timestamp>,
    expires: Option<Timestamp>,
    revoked: bool,
    /// Until when each part that can sign does.
    signing: Vec<Option<Timestamp>>,
}

impl Reading {
    fn new<'a>(field: impl Fn(usize) -> &'a str) -> Self {
        let mut key = Self {
            fingerprint: String::new(),
            name: String::new(),
            created: time(field(6)),
            expires: time(field(7)),
            revoked: field(2) == "r",
            signing: Vec::new(),
        };
        key.part(field);
        key
    }

    fn part<'a>(&mut self, field: impl Fn(usize) -> &'a str) {
        // In field 15 a `#` is a secret part that is kept elsewhere.
        if field(12).contains('s') && field(2) != "r" && field(15) != "#" {
            self.signing.push(time(field(7)));
        }
    }

    fn key(self) -> Option<Key> {
        // For ever, or the last day of any part.
        let part = if self.signing.contains(&None) { None } else { Some(*self.signing.iter().max()?) };
        let expires = [self.expires, part.flatten()].into_iter().flatten().min();
        let (fingerprint, name, created) = (self.fingerprint, self.name, self.created?);
        Some(Key { fingerprint, name, created, expires, revoked: self.revoked })
    }
}

fn time(seconds: &str) -> Option<Timestamp> {
    Timestamp::from_second(seconds.parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_as_gpg_lists_them() {
        let listing = include_str!("../../../tests/captured/gpg-keys.txt");
        let keys = keys(listing);
        let short: Vec<_> = keys
            .iter()
            .map(|key| (key.name.as_str(), key.expires.is_some(), key.revoked, key.fingerprint.len()))
            .collect();
        assert_eq!(
            short,
            [("gbsup packages", true, false, 40), ("for ever: <a@example.org>", false, false, 40)]
        );
        assert!(keys[0].expires > Some(keys[0].created));
    }

    #[test]
    fn what_gpg_makes_of_signatures() {
        let captured = include_str!("../../../tests/captured/gpg-status.txt");
        let outcomes: Vec<_> = captured
            .split("== ")
            .skip(1)
            .map(|part| {
                let (title, status) = part.split_once('\n').expect("a title");
                let outcome = match signature(status) {
                    Ok(fingerprint) => format!("by {} digits", fingerprint.len()),
                    Err(Doubt::Unknown(_)) => "unknown".to_owned(),
                    Err(Doubt::ExpiredKey(_)) => "expired key".to_owned(),
                    Err(Doubt::Revoked(_)) => "revoked".to_owned(),
                    Err(doubt) => doubt.to_string(),
                };
                (title, outcome)
            })
            .collect();
        let expected = [
            ("good", "by 40 digits"),
            ("another text", "its signature is not one of this file"),
            ("unknown key", "unknown"),
            ("unsigned", "it is not signed"),
            ("expired signature", "its signature has expired"),
            ("expired key", "expired key"),
            ("revoked key", "revoked"),
        ];
        assert_eq!(outcomes, expected.map(|(title, outcome)| (title, outcome.to_owned())));
        assert_eq!(signature("gpg: out of order\n"), Err(Doubt::Unchecked("out of order".to_owned())));
    }
}
