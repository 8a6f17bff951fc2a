//! The key that releases are signed with, ready to sign.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use nix::unistd::syncfs;

use super::gpg::{self, Gpg, KeySigner};
use super::release::Releases;
use crate::config::{Config, Publish, SignKey};
use crate::decide::signing::{self, Unusable};
use crate::portage::output::gpg::Key;

/// Where the key on the volume is made.
const NEW: &str = ".key-new";
/// The user ID of such a key.
const NAME: &str = "gbsup packages";

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
pub(crate) enum Error {
    /// GnuPG, or the home of the keys.
    #[error("{0}")]
    Gpg(#[from] gpg::Error),
    /// The keys that are there.
    #[error("{0}")]
    Key(#[from] Unusable),
    /// Whoever serves the volume would serve the secret key.
    #[error(
        "publish.gpg_home is {0}, which is on the volume that clients are served from; only the key that gbsup makes itself is there"
    )]
    OnVolume(PathBuf),
}

/// Who signs what is published, and what people have to know about the key. Where nobody brought a key, and nothing was ever signed,
/// one is made on the volume.
///
/// # Errors
/// When there are keys, and none of them can be used; and when there is none, but what is offered is signed: a volume
/// that somebody forgot to mount must not take that from clients.
pub(crate) fn open(config: &Config, now: Timestamp) -> Result<(Option<Signatory>, Option<String>), Error> {
    let wanted = &config.publish.sign_key;
    let home = home(config);
    let releases = Releases::on(&config.volume.path);
    let may_make = *wanted == SignKey::Only && is_own(config, &home) && !has_any(&home);
    if may_make && releases.signed_by().is_none() {
        match make(&releases, &home) {
            Ok(()) => {}
            // There is a warning for that.
            Err(Error::Gpg(gpg::Error::Missing)) => {
                return Ok((None, signing::warning(None, wanted, "", now)));
            }
            Err(error) => return Err(error),
        }
    }
    let (signatory, key) = in_home(config, &home, now)?;
    let warning = signing::warning(key.as_ref(), wanted, &home.display().to_string(), now);
    Ok((signatory, warning))
}

/// Who would sign, with a key that is there.
///
/// # Errors
/// As those of [`open`].
pub(crate) fn present(config: &Config, now: Timestamp) -> Result<Option<Signatory>, Error> {
    Ok(in_home(config, &home(config), now)?.0)
}

fn in_home(config: &Config, home: &Path, now: Timestamp) -> Result<(Option<Signatory>, Option<Key>), Error> {
    let wanted = &config.publish.sign_key;
    let name = home.display().to_string();
    let (gpg, keys) = secret_keys(config, home)?.unzip();
    let key = signing::choose(keys.unwrap_or_default(), wanted, &name, now)?;
    if key.is_none()
        && *wanted == SignKey::Only
        && let Some(before) = Releases::on(&config.volume.path).signed_by()
    {
        return Err(Unusable::Gone(before, name).into());
    }
    let signatory = gpg.zip(key.as_ref()).map(|(gpg, key)| Signatory::new(gpg, key)).transpose()?;
    Ok((signatory, key))
}

/// The GnuPG home, or exported key, that counts: `publish.gpg_home` where it was set or has something in it, else the one on the volume.
#[must_use]
pub(crate) fn home(config: &Config) -> PathBuf {
    let given = &config.publish.gpg_home;
    if has_any(given) || *given != Publish::default().gpg_home { given.clone() } else { own(config) }
}

/// The one on the volume, which root alone can look into.
fn own(config: &Config) -> PathBuf {
    config.volume.path.join("key")
}

fn is_own(config: &Config, home: &Path) -> bool {
    home == own(config)
}

/// Whether a home has anything in it, or is a file with exported keys.
fn has_any(home: &Path) -> bool {
    home.is_file() || fs::read_dir(home).is_ok_and(|mut entries| entries.next().is_some())
}

/// Makes the key on the volume, unless there is one. It appears as a whole, and on the disk.
fn make(releases: &Releases, home: &Path) -> Result<(), Error> {
    let unusable = |source| gpg::Error::Home { path: home.to_owned(), source };
    let _alone = releases.lock().map_err(|error| unusable(io::Error::other(error)))?;
    if has_any(home) {
        return Ok(());
    }
    let new = home.with_file_name(NEW);
    match fs::remove_dir_all(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(unusable(error).into()),
        _ => {}
    }
    gpg::generate_apart(&new, NAME, "never")?;
    let settled = File::open(&new).and_then(|directory| Ok(syncfs(directory)?));
    settled.and_then(|()| fs::rename(&new, home)).map_err(unusable)?;
    Ok(())
}

/// None when there is no home.
fn secret_keys(config: &Config, home: &Path) -> Result<Option<(Gpg, Vec<Key>)>, Error> {
    if config.publish.sign_key == SignKey::Unsigned || !home.exists() {
        return Ok(None);
    }
    if home.starts_with(&config.volume.path) && !is_own(config, home) {
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
    pub(crate) fn new(gpg: Gpg, key: &Key) -> Result<Self, Error> {
        let public = gpg.public(&key.fingerprint)?;
        let signer = KeySigner::new(gpg, &key.fingerprint);
        Ok(Self { fingerprint: key.fingerprint.clone(), public, signer })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_first_publication_makes_a_key_and_no_later_one_another() {
        let volume = tempfile::tempdir().unwrap();
        let mut config = Config::default();
        volume.path().clone_into(&mut config.volume.path);
        assert!(present(&config, Timestamp::now()).unwrap().is_none(), "who only looks makes none");
        let open = |config: &Config| {
            let (signatory, warning) = open(config, Timestamp::now()).unwrap();
            assert_eq!(warning, None);
            signatory.map(|signatory| signatory.fingerprint)
        };
        let key = open(&config);
        assert!(key.as_ref().is_some_and(|key| key.len() == 40));
        assert_eq!(open(&config), key);
        let home = volume.path().join("key");
        assert_eq!(fs::metadata(&home).unwrap().permissions().mode() & 0o7777, 0o700);
        assert!(!home.join("S.gpg-agent").exists() && !volume.path().join(NEW).exists());

        // What a kill left half made.
        fs::remove_dir_all(&home).unwrap();
        fs::create_dir_all(volume.path().join(NEW).join("private-keys-v1.d")).unwrap();
        let another = open(&config);
        assert!(another.is_some() && another != key);

        config.publish.sign_key = SignKey::Unsigned;
        assert_eq!(open(&config), None);
    }
}
