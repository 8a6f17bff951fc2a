//! What each client would do with a release, in its `CHANGES`. It is known only afterwards, and is all of a release that changes.

use std::fs;
use std::path::Path;

use super::{At, CHANGES, Error, Releases, stage};
use crate::model::client::Client;
use crate::model::release::Id;
use crate::render;

/// Says it in the release, if that is still there.
///
/// # Errors
/// When the file cannot be read or written.
pub(crate) fn tell_of_clients(volume: &Path, id: Id, clients: &[Client]) -> Result<(), Error> {
    let releases = Releases::on(volume);
    let _alone = releases.lock()?;
    let directory = releases.place(id);
    let path = directory.join(CHANGES);
    let Ok(before) = fs::read_to_string(&path) else { return Ok(()) };
    let text = render::changes_with_clients(&before, id, clients);
    if text == before {
        return Ok(());
    }
    let time = fs::metadata(&path).and_then(|meta| meta.modified()).at(&path)?;
    let new = directory.join(".CHANGES.new");
    stage::write(&new, text.as_bytes(), time.try_into().ok())?;
    fs::rename(&new, &path).at(&path)
}
