//! The releases on a volume.
//!
//! ```text
//!   releases/2026-11-22.1/Packages, Packages.gz, release.json, fingerprint.json, CHANGES, CATEGORY/NAME/FILE ...
//!   releases/current  → 2026-11-22.2      what clients are offered
//!   releases/previous → 2026-11-22.1      what they were offered before
//!   releases/ID/tree/, tree/              the ebuild repositories: see `trees`
//!   releases/gbsup.asc                    the public key that the current one is signed with
//!   releases/keys/FINGERPRINT.asc         those that any was signed with
//!   releases/.new-ID  .old-ID             one that is being made, or removed; left by a kill only
//!   state/releases.json                   which names were used, and when each was offered
//!   state/publish.lock                    held by whoever changes any of this
//! ```
//!
//! A release is made under another name, synced, and renamed; then `current` is switched to it by one rename. So
//! whatever happens at any instant, `current` leads to a release that is complete.

mod clients;
mod labels;
mod ledger;
mod publish;
mod sign;
mod stage;
#[cfg(test)]
mod tests;
mod tidy;
mod trees;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha512};

use super::trust::Trust;
use super::verify;
use crate::model::release::{Current, Id, Release};
use crate::model::verified::{Finding, Kind, Verified};
use crate::portage::files::gpkg::digests::hex;
use crate::portage::files::gpkg::sign::Unsigned;
use crate::volume::foreign;
use crate::volume::kept::{self, Reading};

pub(crate) use clients::tell_of_clients;
pub use labels::{label, labels};
pub(crate) use ledger::was_offered;
pub use publish::{Facts, publish, roll_back, running};
pub use tidy::{Retired, expired, remove, sweep};
pub(crate) use trees::lay_out_tree;
pub use trees::{bytes_between, snapshot};

/// What is in the directory of a release besides packages.
const PACKAGES: &str = "Packages";
const PACKAGES_GZ: &str = "Packages.gz";
const RELEASE: &str = "release.json";
const CHANGES: &str = "CHANGES";
const FINGERPRINT: &str = "fingerprint.json";
/// The public part of the key that clients need for what they are offered, beside the releases.
const PUBLIC_KEY: &str = "gbsup.asc";
/// Where those of all releases are kept.
const KEYS: &str = "keys";
/// What a release is called as long as it is being made, before its name.
const NEW: &str = ".new-";
/// What it is called while it is being removed.
const OLD: &str = ".old-";
/// What a link is called before it takes the place of another one.
const LINK: &str = ".link-";

/// Why releases could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system's words, about a path.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file below PKGDIR is not the one that was found good.
    #[error("{path} is not the file that was found good: {what}")]
    Changed {
        /// Below PKGDIR.
        path: String,
        /// What is different.
        what: &'static str,
    },
    /// A package got no signature.
    #[error("{path} cannot be signed: {why}")]
    Unsigned {
        /// Below PKGDIR.
        path: String,
        /// Why not.
        why: Unsigned,
    },
    /// There is no such release.
    #[error("there is no release {0}; see: gbsup releases")]
    Unknown(Id),
    /// There is none that it could be.
    #[error("there is no older release")]
    NoOlder,
    /// It is offered already.
    #[error("release {0} is what clients are offered already")]
    Already(Id),
    /// Nothing is offered.
    #[error("nothing is published yet")]
    Nothing,
    /// Clients trust another key, which is not here.
    #[error(
        "release {id} is {signed}, and clients trust the key {trusted} now: they would refuse every package of it. Where that key \
         is, it is signed again; to offer it as it is: gbsup rollback {id} --unsigned"
    )]
    Distrusted {
        /// Which.
        id: Id,
        /// Whether and by which key.
        signed: String,
        /// The fingerprint of the key that what is offered is signed with.
        trusted: String,
    },
    /// A file of it is not there any more.
    #[error("release {id} is not complete: {path} {what}")]
    Incomplete {
        /// Which.
        id: Id,
        /// Below the release.
        path: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// What it consists of cannot be read.
    #[error("{path} cannot be understood: {source}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// What it says of itself is in a form that this version does not know.
    #[error("{path} is of a later version of gbsup (its format is {schema})")]
    Later {
        /// The file.
        path: PathBuf,
        /// The version of the format.
        schema: u32,
    },
    /// What should be a link is not.
    #[error("{0} is a directory, and has to be a link to a release; move it away")]
    NoLink(PathBuf),
    /// It was told to stop.
    #[error("it was stopped")]
    Stopped,
}

impl Error {
    /// Whether no space was left.
    pub(crate) fn is_full(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        match self {
            Self::Io { source, .. } | Self::Unsigned { why: Unsigned::Written(source), .. } => {
                full.contains(&source.kind())
            }
            _ => false,
        }
    }
}

/// What a `release.json` of every version says.
#[derive(Deserialize)]
struct Format {
    schema: u32,
}

/// Adds the path to an error of the system.
trait At<T> {
    fn at(self, path: &Path) -> Result<T, Error>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io { path: path.to_owned(), source })
    }
}

/// The releases of a volume, to be read. Whoever reads needs no lock: none of them ever changes.
#[derive(Clone, Debug)]
pub struct Releases {
    volume: PathBuf,
}

impl Releases {
    /// Those on this volume.
    #[must_use]
    pub fn on(volume: &Path) -> Self {
        Self { volume: volume.to_owned() }
    }

    /// The directory they are in.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.volume.join("releases")
    }

    /// The directory of one of them.
    #[must_use]
    pub fn place(&self, id: Id) -> PathBuf {
        self.directory().join(id.to_string())
    }

    /// Those that are there, the oldest first.
    #[must_use]
    pub fn ids(&self) -> Vec<Id> {
        let entries = fs::read_dir(self.directory()).into_iter().flatten().flatten();
        let mut ids: Vec<Id> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        ids.sort_unstable();
        ids
    }

    /// The one that clients are offered.
    #[must_use]
    pub fn current(&self) -> Option<Id> {
        self.linked("current")
    }

    /// The fingerprint of the key by which that one is signed, if it is; when it cannot be read, the newest one that
    /// can.
    #[must_use]
    pub fn signed_by(&self) -> Option<String> {
        let mut all = self.current().into_iter().chain(self.ids().into_iter().rev());
        all.find_map(|id| self.read(id).ok())?.signed
    }

    /// A file with the public part of the key of this fingerprint, if that was ever used here.
    pub(crate) fn public_key(&self, fingerprint: &str) -> PathBuf {
        let kept = self.kept_key(fingerprint);
        if kept.exists() { kept } else { self.directory().join(PUBLIC_KEY) }
    }

    fn kept_key(&self, fingerprint: &str) -> PathBuf {
        self.directory().join(KEYS).join(format!("{fingerprint}.asc"))
    }

    /// The one that they were offered before.
    #[must_use]
    pub fn previous(&self) -> Option<Id> {
        self.linked("previous")
    }

    /// Where a link leads, if that is there.
    fn linked(&self, name: &str) -> Option<Id> {
        let id = fs::read_link(self.directory().join(name)).ok()?.to_str()?.parse().ok()?;
        self.place(id).is_dir().then_some(id)
    }

    /// What a release is.
    pub fn read(&self, id: Id) -> Result<Release, Error> {
        let path = self.place(id).join(RELEASE);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let incomplete = Error::Incomplete { id, path: RELEASE.to_owned(), what: "is not there" };
                return Err(if self.place(id).exists() { incomplete } else { Error::Unknown(id) });
            }
            read => read.at(&path)?,
        };
        // As a rule all of it is understood. Why a package is held back may be a word of a newer version; which packages there are
        // is never guessed.
        let read = match serde_json::from_slice::<Release>(&text) {
            Err(error) => match kept::read(&text, foreign::in_release) {
                Ok(Reading { value, foreign, .. }) if foreign.iter().all(|at| at.starts_with("held.why")) => {
                    Ok(value)
                }
                _ => Err(error),
            },
            read => read,
        };
        let format = match &read {
            Ok(release) => Ok(Format { schema: release.schema }),
            Err(_) => serde_json::from_slice(&text),
        };
        match format {
            Ok(Format { schema }) if schema > Release::SCHEMA => Err(Error::Later { path, schema }),
            _ => read.map_err(|source| Error::Damaged { path, source }),
        }
    }

    /// Whether other links can take the place of those that there are.
    fn check_links(&self) -> Result<(), Error> {
        let links = ["current", "previous"].map(|name| self.directory().join(name));
        let directory =
            links.into_iter().find(|link| link.symlink_metadata().is_ok_and(|meta| meta.is_dir()));
        directory.map_or(Ok(()), |link| Err(Error::NoLink(link)))
    }

    /// The time of the index of a release; that of its file when the release does not say.
    fn stamp(&self, id: Id) -> Option<Timestamp> {
        let told = self.read(id).ok().map(|release| release.published);
        let file = || fs::metadata(self.place(id).join(PACKAGES)).ok()?.modified().ok()?.try_into().ok();
        told.or_else(file)
    }

    /// The one that clients are offered, in short; nothing when there is none.
    #[must_use]
    pub fn offered(&self) -> Option<Current> {
        self.read(self.current()?).ok().as_ref().map(Current::from)
    }

    /// Reads everything of a release.
    ///
    /// # Errors
    /// When it cannot be read at all.
    pub fn verify(&self, release: &Release, trust: &Trust) -> Result<Verified, Error> {
        let place = self.place(release.id);
        let mut verified = verify::verify_release(&place, trust).at(&place.join(PACKAGES))?;
        for file in &release.index {
            let (kind, what) = match fs::read(place.join(&file.name)) {
                Ok(text) if hex(&Sha512::digest(&text)) == file.sha512 => continue,
                Ok(_) => (Kind::Index, "is not the one that was published".to_owned()),
                Err(error) => (Kind::Missing, format!("cannot be read: {error}")),
            };
            verified.findings.push(Finding { path: file.name.clone(), kind, what });
        }
        Ok(verified)
    }

    /// Whether every file of a release is there with its size.
    pub fn check(&self, release: &Release) -> Result<(), Error> {
        let place = self.place(release.id);
        let packages = release.packages.iter().map(|package| (&package.path, package.size));
        let index = release.index.iter().map(|file| (&file.name, file.size));
        for (path, size) in packages.chain(index) {
            let what = match fs::metadata(place.join(path)) {
                Ok(meta) if meta.len() == size => continue,
                Ok(_) => "has another size",
                Err(_) => "is not there",
            };
            return Err(Error::Incomplete { id: release.id, path: path.clone(), what });
        }
        Ok(())
    }
}
