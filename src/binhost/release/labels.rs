//! What people say of releases, in `releases/labels.json`: beside the releases, so that whoever may read them may read it.

use std::fs;
use std::io;

use super::ledger::Publisher;
use super::{At, Error, Releases};
use crate::model::release::{Id, Label, Labels};
use crate::volume::kept::{self, Kept, Reading};
use crate::volume::replace;

/// What is said, as far as it is understood; nothing where nobody said anything.
///
/// # Errors
/// When there is something that cannot be read: then nobody knows which releases are to stay.
pub fn labels(releases: &Releases) -> Result<Labels, Error> {
    Ok(read(releases)?.0)
}

fn read(releases: &Releases) -> Result<(Labels, Kept), Error> {
    let path = releases.directory().join(Labels::FILE);
    let text = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Default::default()),
        read => read.at(&path)?,
    };
    let reading =
        kept::read::<Labels>(&text, |_, _| None).map_err(|source| Error::Damaged { path, source })?;
    let Reading { value, kept, .. } = reading;
    Ok((value, kept))
}

/// Changes what is said; returns what is said of this release then.
///
/// # Errors
/// When there is no such release, or what is said cannot be read or written.
pub fn label(releases: &Releases, id: Id, change: impl FnOnce(&mut Labels)) -> Result<Label, Error> {
    if !releases.place(id).is_dir() {
        return Err(Error::Unknown(id));
    }
    let _publisher = Publisher::new(releases)?;
    let (mut labels, mut kept) = read(releases)?;
    change(&mut labels);
    labels.tidy(&releases.ids());
    let path = releases.directory().join(Labels::FILE);
    let whole = kept.restore(&labels).map_err(io::Error::from);
    whole.and_then(|whole| replace(&path, &whole)).at(&path)?;
    Ok(labels.of(id))
}
