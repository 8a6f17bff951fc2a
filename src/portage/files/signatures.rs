//! What Portage makes of the signatures of the binary packages in PKGDIR (`portage/gpkg.py:gpkg.__init__`).

use std::collections::BTreeSet;
use std::path::PathBuf;

/// The variables that [`Signatures`] is made of, besides FEATURES.
pub(crate) const KEYS: &[&str] =
    &["BINPKG_GPG_SIGNING_GPG_HOME", "BINPKG_GPG_SIGNING_KEY", "BINPKG_GPG_VERIFY_GPG_HOME"];

/// Which packages have to be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Demand {
    /// None, and no signature is looked at (FEATURES=binpkg-ignore-signature).
    Nothing,
    /// None, but a signature that is there has to be right.
    WhereThere,
    /// All (FEATURES=binpkg-request-signature), where this Portage signs what it builds. Where it does not, that is a
    /// client's setting: nothing that is built here would count.
    Everywhere,
}

/// What Portage makes of signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signatures {
    /// Which packages have to be signed.
    pub demand: Demand,
    /// The home of GnuPG that has the keys to check them by.
    pub home: PathBuf,
    /// What this Portage signs with; absent when it does not sign.
    pub own: Option<OwnKey>,
}

/// The key with which Portage signs what it builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnKey {
    /// The home of GnuPG that has it.
    pub home: PathBuf,
    /// Which one it is there, in any of the ways that GnuPG understands.
    pub key: String,
}

impl Signatures {
    /// By FEATURES, and by the variables as `take` gives them; what is unset has Portage's default (make.globals).
    pub(crate) fn new(features: &BTreeSet<String>, mut take: impl FnMut(&str) -> Option<String>) -> Self {
        let has = |feature: &str| features.contains(feature);
        let home = take("BINPKG_GPG_VERIFY_GPG_HOME").unwrap_or_else(|| "/etc/portage/gnupg".to_owned());
        let own = take("BINPKG_GPG_SIGNING_GPG_HOME").zip(take("BINPKG_GPG_SIGNING_KEY"));
        let own = own.filter(|_| has("binpkg-signing"));
        let own = own.map(|(home, key)| OwnKey { home: home.into(), key });
        let demand = if has("binpkg-request-signature") && own.is_some() {
            Demand::Everywhere
        } else if has("binpkg-ignore-signature") {
            Demand::Nothing
        } else {
            Demand::WhereThere
        };
        Self { demand, home: home.into(), own }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_features_and_variables_come_to() {
        let of = |features: &str, values: &[(&str, &str)]| {
            let features = features.split_whitespace().map(str::to_owned).collect();
            let value = |name: &str| values.iter().find(|(known, _)| *known == name);
            Signatures::new(&features, |name| value(name).map(|(_, value)| (*value).to_owned()))
        };
        let default = of("", &[]);
        assert_eq!(
            default,
            Signatures { demand: Demand::WhereThere, home: "/etc/portage/gnupg".into(), own: None }
        );
        assert_eq!(of("binpkg-ignore-signature", &[]).demand, Demand::Nothing);
        assert_eq!(of("binpkg-request-signature", &[]).demand, Demand::WhereThere);
        let key = [("BINPKG_GPG_SIGNING_GPG_HOME", "/root/.gnupg"), ("BINPKG_GPG_SIGNING_KEY", "0xAB!")];
        assert_eq!(of("", &key).own, None);
        let own = OwnKey { home: "/root/.gnupg".into(), key: "0xAB!".to_owned() };
        assert_eq!(of("binpkg-signing", &key).own, Some(own));
        assert_eq!(of("binpkg-signing binpkg-request-signature", &key).demand, Demand::Everywhere);
        // The stronger one counts.
        let both = of("binpkg-signing binpkg-ignore-signature binpkg-request-signature", &key);
        assert_eq!(both.demand, Demand::Everywhere);
        assert_eq!(of("binpkg-signing", &key[..1]).own, None);
        assert_eq!(of("", &[("BINPKG_GPG_VERIFY_GPG_HOME", "/k")]).home, PathBuf::from("/k"));
    }
}
