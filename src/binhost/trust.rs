//! Whose signatures count on binary packages.

use sha2::{Digest, Sha256};

use super::gpg::{Error, Ring};
use crate::portage::files::gpkg::digests::hex;
use crate::portage::files::signatures::{Demand, Signatures};

/// What is made of signatures.
#[derive(Debug)]
pub enum Trust {
    /// Nobody wants them.
    Ignored,
    /// There is nothing to check them by; why, in words that follow a colon.
    Unable(String),
    /// They are checked.
    Checked {
        /// By these keys.
        ring: Ring,
        /// What has none is as wrong as what has a bad one.
        demanded: bool,
        /// Stands for what the keys and the database say; another one, and what was good may be good no more.
        digest: String,
    },
}

impl Trust {
    /// As Portage does it with what is in PKGDIR. A key ring that cannot be used checks nothing, as one that is not
    /// there: that is no reason to build all packages anew.
    pub(crate) fn in_pkgdir(signatures: &Signatures) -> Self {
        if signatures.demand == Demand::Nothing {
            return Self::Ignored;
        }
        let demanded = signatures.demand == Demand::Everywhere;
        match checked(signatures) {
            Ok(Some((ring, digest))) => Self::Checked { ring, demanded, digest },
            Ok(None) => Self::Unable(format!("there are no keys in {}", signatures.home.display())),
            Err(error) => Self::Unable(error.to_string()),
        }
    }

    /// With a key ring everything has to be signed by a key of it.
    pub(crate) fn in_release(ring: Option<Ring>) -> Self {
        ring.map_or(Self::Ignored, |ring| Self::Checked { ring, demanded: true, digest: String::new() })
    }

    /// What to remember of what was found good now; see [`Trust::knows`].
    pub(super) fn digest(&self) -> &str {
        match self {
            Self::Checked { digest, .. } => digest,
            Self::Ignored | Self::Unable(_) => "",
        }
    }

    /// Whether what was found good when this was remembered is known to be so now.
    pub(super) fn knows(&self, digest: &str, is_signed: bool) -> bool {
        match self {
            Self::Checked { demanded, digest: now, .. } => {
                if is_signed {
                    digest == now
                } else {
                    !demanded
                }
            }
            Self::Ignored | Self::Unable(_) => true,
        }
    }

    /// That signatures were not checked, and why, in one sentence; nothing when that is as it should be. `signed` is
    /// the number of packages that have some.
    pub(super) fn unchecked(&self, signed: usize) -> Option<String> {
        match (self, signed) {
            (Self::Unable(_), 0) | (Self::Ignored | Self::Checked { .. }, _) => None,
            (Self::Unable(why), 1) => {
                Some(format!("the signature of 1 binary package is not checked: {why}"))
            }
            (Self::Unable(why), _) => {
                Some(format!("the signatures of {signed} binary packages are not checked: {why}"))
            }
        }
    }
}

fn checked(signatures: &Signatures) -> Result<Option<(Ring, String)>, Error> {
    if signatures.own.is_none() && !signatures.home.exists() {
        return Ok(None);
    }
    let ring = Ring::trusted(&signatures.home, signatures.own.as_ref())?;
    let verdicts = ring.verdicts()?;
    Ok(verdicts.map(|verdicts| (ring, hex(&Sha256::digest(verdicts)))))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::gpg::ring::tests::{Keys, package};
    use super::*;
    use crate::binhost::verify::{Known, verify};
    use crate::model::verified::{Finding, Verified};
    use crate::portage::files::gpkg::digests::Whole;

    #[test]
    fn a_key_that_is_revoked_or_demanded_means_another_look() {
        let keys = Keys::new();
        let pkgdir = tempfile::tempdir().unwrap();
        let signed = package(&keys.signer());
        let Whole { size, md5, sha1 } = Whole::read(&signed[..]).unwrap();
        fs::write(pkgdir.path().join("x-1.gpkg.tar"), signed).unwrap();
        let digests = format!("MD5: {md5}\nPATH: x-1.gpkg.tar\nSHA1: {sha1}\nSIZE: {size}");
        let index = format!("VERSION: 0\n\nCPV: a/x-1\n{digests}\n");
        fs::write(pkgdir.path().join("Packages"), index).unwrap();
        let mut known = Known::default();
        let mut look = |demand, own: bool| {
            let own = own.then(|| keys.own.clone());
            let trust = Trust::in_pkgdir(&Signatures { demand, home: keys.ring(), own });
            let Verified { read, findings, .. } = verify(pkgdir.path(), false, &mut known, &trust).unwrap();
            (read, findings.into_iter().map(|Finding { what, .. }| what).collect::<Vec<_>>())
        };
        let doubt = |why: &str, key: &str| {
            vec![format!("cannot be trusted: it is signed by a key that {why}: {key}")]
        };
        let key = keys.own.key.as_str();
        assert_eq!(look(Demand::WhereThere, false), (1, doubt("is known, but not trusted", key)));
        assert_eq!(look(Demand::WhereThere, true), (1, vec![]));
        assert_eq!(look(Demand::WhereThere, true), (0, vec![]));
        keys.trust();
        assert_eq!(look(Demand::WhereThere, false), (1, vec![]));
        assert_eq!(look(Demand::Everywhere, false), (0, vec![]));
        keys.revoke();
        // GnuPG gives the end of it then.
        assert_eq!(look(Demand::WhereThere, false), (1, doubt("was revoked", &key[24..])));
        assert_eq!(look(Demand::Nothing, false), (1, vec![]));
    }
}
