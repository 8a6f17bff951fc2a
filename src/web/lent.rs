//! Directories of Portage's that the server reads where that was asked for.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tracing::warn;

use super::tree::Opened;
use crate::beneath::Beneath;
use crate::confine::holds_files;

/// Directories of Portage's, where anybody may read them; why nobody can although that is wanted.
pub(super) fn lent<T>(wanted: bool, open: impl FnOnce() -> io::Result<T>) -> Result<Option<T>, String> {
    if !wanted {
        return Ok(None);
    }
    if !holds_files() {
        return Err("only with Linux 6.2 or later, and landlock, can the server be kept from changing them"
            .to_owned());
    }
    open().map(Some).map_err(|error| format!("where they are cannot be opened: {error}"))
}

/// What is lent; where it cannot be, that it is not served.
pub(super) fn or_told<T>(lent: Result<Option<T>, String>, what: &str) -> Option<T> {
    lent.unwrap_or_else(|why| {
        warn!("no {what} are served: {why}");
        None
    })
}

/// Opens a directory of the volume. What is not there yet is made, for preflight to give it its owner.
pub(super) fn place(path: &Path) -> io::Result<Beneath> {
    Beneath::open(path).or_else(|_| {
        drop(fs::create_dir(path));
        Beneath::open(path)
    })
}

/// What was opened in such a directory, or was not: what is refused by gbsup itself exists for nobody, what the kernel refuses is told.
pub(super) fn shown(file: io::Result<File>) -> io::Result<Opened> {
    let hidden = |error: &io::Error| {
        let ours = error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none();
        ours || matches!(error.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory)
    };
    Opened::new(file.map_err(|error| if hidden(&error) { io::ErrorKind::NotFound.into() } else { error })?)
}
