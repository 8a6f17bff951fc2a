//! With which key releases are signed, and what people have to know about it.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::SignKey;
use crate::portage::output::gpg::Key;

/// How long before a key expires people are told.
const SOON: Duration = Duration::from_hours(24 * 60);

/// Why no key can be chosen, or the one that was cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    /// The configuration names one that is not there.
    #[error("the key {0} of publish.sign_key is not among the secret keys")]
    Missing(String),
    /// Nobody says which.
    #[error("there are several secret keys; write the fingerprint of one into publish.sign_key: {0}")]
    Several(String),
    /// There is none any more: the fingerprint, and where it should be.
    #[error(
        "what is offered is signed by the key {0}, and there is no key in {1}; releases without signatures need publish.sign_key = \"none\""
    )]
    Gone(String, String),
    /// Clients refuse what it signs.
    #[error("the key {0} has expired, and clients refuse every package; try: {1}")]
    Expired(String, String),
    /// See there.
    #[error("the key {0} was revoked, and clients refuse what it signs")]
    Revoked(String),
}

/// The key to sign with, of those that are there; none when there is none.
///
/// # Errors
/// When it is not clear which, or it is no good any more.
pub(crate) fn choose(
    keys: Vec<Key>,
    wanted: &SignKey,
    home: &str,
    now: Timestamp,
) -> Result<Option<Key>, Unusable> {
    let key = match wanted {
        SignKey::Unsigned => None,
        SignKey::Only => {
            let usable: Vec<Key> = keys.into_iter().filter(|key| !key.revoked).collect();
            match <[Key; 1]>::try_from(usable) {
                Ok([key]) => Some(key),
                Err(keys) if keys.is_empty() => None,
                Err(keys) => {
                    let all: Vec<_> = keys.into_iter().map(|key| key.fingerprint).collect();
                    return Err(Unusable::Several(all.join(", ")));
                }
            }
        }
        SignKey::Exactly(fingerprint) => {
            let found = keys.into_iter().find(|key| key.fingerprint == *fingerprint);
            Some(found.ok_or_else(|| Unusable::Missing(fingerprint.clone()))?)
        }
    };
    match key {
        Some(key) if key.revoked => Err(Unusable::Revoked(key.fingerprint)),
        Some(key) if key.expires.is_some_and(|expires| expires <= now) => {
            let extend = extend(&key, home);
            Err(Unusable::Expired(key.fingerprint, extend))
        }
        key => Ok(key),
    }
}

/// What people have to know about the key that releases are signed with, in one sentence.
pub(crate) fn warning(key: Option<&Key>, wanted: &SignKey, home: &str, now: Timestamp) -> Option<String> {
    let Some(key) = key else {
        let unsigned = "releases are not signed, since there is no gpg here, or no key in publish.gpg_home, and clients refuse them unless \
                        their binrepos.conf says verify-signature = false; try: emerge --oneshot app-crypt/gnupg, or gbsup key init (or, to \
                        leave it so: publish.sign_key = \"none\")";
        return (*wanted != SignKey::Unsigned).then(|| unsigned.to_owned());
    };
    let expires =
        key.expires.filter(|expires| expires.duration_since(now) <= SOON.try_into().unwrap_or_default())?;
    Some(format!(
        "the key that releases are signed with expires on {}, and clients refuse every package then; try: {}",
        day(expires),
        extend(key, home)
    ))
}

/// What lets a key live longer.
pub(crate) fn extend(key: &Key, home: &str) -> String {
    format!(
        "gpg --homedir {home} --quick-set-expire {} 2y, and give clients the new public key",
        key.fingerprint
    )
}

/// A day in UTC.
pub(crate) fn day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "/keys";

    fn key(letter: &str, expires: Option<&str>) -> Key {
        Key {
            fingerprint: letter.repeat(40),
            name: letter.to_owned(),
            created: "2026-01-01T00:00:00Z".parse().unwrap(),
            expires: expires.map(|day| format!("{day}T00:00:00Z").parse().unwrap()),
            revoked: false,
        }
    }

    fn now() -> Timestamp {
        "2026-11-23T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_only_key_or_the_one_that_is_named() {
        let choose = |keys: &[Key], wanted: &SignKey| choose(keys.to_vec(), wanted, HOME, now());
        let (a, b) = (key("A", None), key("B", Some("2027-11-23")));
        let both = [a.clone(), b.clone()];
        let named = SignKey::Exactly(b.fingerprint.clone());
        assert_eq!(choose(&[], &SignKey::Only), Ok(None));
        assert_eq!(choose(&both, &SignKey::Unsigned), Ok(None));
        assert_eq!(choose(&both[..1], &SignKey::Only), Ok(Some(a.clone())));
        assert_eq!(choose(&both, &named), Ok(Some(b.clone())));
        assert!(matches!(choose(&both, &SignKey::Only), Err(Unusable::Several(_))));
        assert!(matches!(choose(&both[..1], &named), Err(Unusable::Missing(_))));
        let revoked = Key { revoked: true, ..b };
        assert_eq!(choose(&[a.clone(), revoked.clone()], &SignKey::Only), Ok(Some(a)));
        assert!(matches!(choose(&[revoked], &named), Err(Unusable::Revoked(_))));
        let expired = choose(&[key("C", Some("2026-11-23"))], &SignKey::Only).unwrap_err();
        assert!(matches!(expired, Unusable::Expired(..)));
    }

    #[test]
    fn people_are_warned_in_time() {
        let warned = |key: Option<&Key>, wanted| warning(key, wanted, HOME, now());
        assert_eq!(warned(Some(&key("A", None)), &SignKey::Only), None);
        assert_eq!(warned(Some(&key("A", Some("2027-01-23"))), &SignKey::Only), None);
        let soon = warned(Some(&key("A", Some("2027-01-21"))), &SignKey::Only).unwrap();
        assert!(soon.contains("expires on 2027-01-21") && soon.contains("gpg --homedir /keys "), "{soon}");
        assert!(warned(None, &SignKey::Only).unwrap().contains("gbsup key init"));
        assert_eq!(warned(None, &SignKey::Unsigned), None);
    }
}
