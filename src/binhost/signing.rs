//! The key that releases are signed with, ready to sign.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::gpg::{self, Gpg, KeySigner};
use super::release::Releases;
use crate::config::{Config, SignKey};
use crate::decide::signing::{self, Unusable};
use crate::portage::output::gpg::Key;

/// Who signs a release.
#[derive(Debug)]
pub struct Signatory<S = KeySigner> {
    /// The fingerprint of the key.
    pub fingerprint: String,
    /// Its public part, in ASCII armour.
    pub public: Vec<u8>,
    /// What signs with it.
    pub signer: S,
}

/// Why nothing can be signed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// GnuPG, or the home of the keys.
    #[error("{0}")]
    Gpg(#[from] gpg::Error),
    /// The keys that are there.
    #[error("{0}")]
    Key(#[from] Unusable),
    /// Whoever serves the volume would serve the secret key.
    #[error(
        "publish.gpg_home is {0}, which is on the volume that clients are served from; it has to be somewhere else"
    )]
    OnVolume(PathBuf),
}

/// Who signs what is published, and what people have to know about the key. Nobody does when there is no key.
///
/// # Errors
/// When there are keys, and none of them can be used; and when there is none, but what is offered is signed: a volume
/// that somebody forgot to mount must not take that from clients.
pub fn open(config: &Config, now: Timestamp) -> Result<(Option<Signatory>, Option<String>), Error> {
    let wanted = &config.publish.sign_key;
    let home = config.publish.gpg_home.as_path();
    let name = home.display().to_string();
    let (gpg, keys) = secret_keys(config, home)?.unzip();
    let key = signing::choose(keys.unwrap_or_default(), wanted, &name, now)?;
    let before = Releases::on(&config.volume.path).signed_by();
    if let (None, SignKey::Only, Some(before)) = (&key, wanted, before) {
        return Err(Unusable::Gone(before, name).into());
    }
    let warning = signing::warning(key.as_ref(), wanted, &name, now);
    let signatory = gpg.zip(key).map(|(gpg, key)| Signatory::new(gpg, &key)).transpose()?;
    Ok((signatory, warning))
}

/// None when there is no home.
fn secret_keys(config: &Config, home: &Path) -> Result<Option<(Gpg, Vec<Key>)>, Error> {
    if config.publish.sign_key == SignKey::Unsigned || !home.exists() {
        return Ok(None);
    }
    if home.starts_with(&config.volume.path) {
        return Err(Error::OnVolume(home.to_owned()));
    }
    let gpg = Gpg::with_secrets(home)?;
    let keys = gpg.secret_keys()?;
    Ok(Some((gpg, keys)))
}

impl Signatory {
    /// Who signs with this key.
    ///
    /// # Errors
    /// When its public part cannot be had.
    pub fn new(gpg: Gpg, key: &Key) -> Result<Self, Error> {
        let public = gpg.public(&key.fingerprint)?;
        let signer = KeySigner::new(gpg, &key.fingerprint);
        Ok(Self { fingerprint: key.fingerprint.clone(), public, signer })
    }
}
