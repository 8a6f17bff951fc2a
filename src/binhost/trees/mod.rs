//! The ebuild repositories that clients sync from, as git repositories that any server of files can serve.
//!
//! ```text
//!   releases/tree/NAME.git/objects/pack/pack-SUM.pack, .idx   files and directories, one pack for each release
//!   releases/tree/NAME.git/objects/pack/pack-SUM.retired      that one is not needed any more; it goes a day later
//!   releases/tree/NAME.git/objects/info/packs                 which packs there are
//!   releases/tree/NAME.git/objects/1f/0123...                 the commits
//!   releases/tree/NAME.git/steps/OLD-NEW                      what a client is sent that has the commit before
//!   releases/ID/tree/NAME.git/HEAD, info/refs                 which commit that release has
//! ```
//!
//! Objects only ever join, and which commit is offered is a part of the release: so packages and trees switch together, by the one
//! rename that switches releases. git itself is not needed: what clients get is written here ([`git`](crate::git)), byte for byte what is in
//! the repository, whatever its `.gitignore` and `.gitattributes` say.

mod bundles;
mod checkout;
mod commit;
mod fold;
mod gather;
mod reader;
mod steps;
mod store;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;

use crate::git::Id;

pub(crate) use checkout::checkout;
pub(crate) use commit::{references, write_commit};
pub(crate) use fold::tidy;
pub(crate) use gather::gather;
pub(crate) use steps::{bytes_between as bytes_in, write_step};
pub(crate) use store::Store;

/// Why a tree could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The system's words, about a path.
    #[error("{path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The packages come first.
    #[error("less than {0} MiB are left on the volume")]
    NoRoom(u64),
    /// That is no file of a repository.
    #[error("{0} is longer than 64 MiB")]
    TooLong(PathBuf),
    /// There is nothing in it.
    #[error("{0} is empty")]
    Empty(PathBuf),
    /// An object that is needed is in no pack.
    #[error("the object {0} is not there any more")]
    Lost(Id),
    /// It was told to stop.
    #[error("it was stopped")]
    Stopped,
}

/// Adds the path to an error of the system.
fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
    let path = path.into();
    move |source| match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::NoRoom(1),
        _ => Error::Io { path, source },
    }
}
