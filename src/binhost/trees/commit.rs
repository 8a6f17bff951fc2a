//! The commits of a repository, one for each release that changed it.

use std::io::{self, Write};
use std::path::Path;

use super::store::{Store, TREES, make, write};
use super::{Error, at};
use crate::git::{Commit, Id, Kind, loose};
use crate::portage::files::gpkg::sign::Signer;

/// The branch that clients follow.
const BRANCH: &str = "refs/heads/main";

/// Writes a commit, signed if there is somebody who signs; its name.
///
/// # Errors
/// When it cannot be signed or written.
pub(crate) fn write_commit<S: Signer>(
    store: &Store,
    commit: &Commit<'_>,
    signer: Option<&S>,
) -> Result<Id, Error> {
    let content = match signer {
        Some(signer) => {
            let signature = sign(signer, commit.content().as_bytes()).map_err(at("gpg"))?;
            commit.signed(&signature)
        }
        None => commit.content(),
    };
    let id = Id::of(Kind::Commit, content.as_bytes());
    let path = store.loose(id);
    if let Some(parent) = path.parent() {
        make(parent)?;
    }
    let object = loose(Kind::Commit, content.as_bytes()).map_err(at(&path))?;
    write(&path, &object)?;
    Ok(id)
}

fn sign<S: Signer>(signer: &S, content: &[u8]) -> io::Result<String> {
    let mut detached = signer.begin()?;
    detached.write_all(content)?;
    let signature = signer.finish(detached)?;
    String::from_utf8(signature).map_err(io::Error::other)
}

/// Has the release in this directory offer a commit.
///
/// # Errors
/// When that cannot be written.
pub(crate) fn references(release: &Path, name: &str, commit: &str) -> Result<(), Error> {
    let place = release.join(TREES).join(format!("{name}.git"));
    make(&place.join("info"))?;
    write(&place.join("info/refs"), format!("{commit}\t{BRANCH}\n").as_bytes())?;
    write(&place.join("HEAD"), format!("ref: {BRANCH}\n").as_bytes())
}
