//! Reads what Portage left on a volume about how long packages take.

use std::fs;
use std::io::Read;
use std::path::Path;

use crate::beneath::Beneath;
use crate::portage::files::durations::Durations;
use crate::portage::files::index;

/// How much is read at a time.
const PIECE: usize = 256 << 10;

/// How long packages took, by the log and the package index on this volume. What cannot be read is
/// not known: nothing depends on it but estimates.
#[must_use]
pub(crate) fn durations(volume: &Path) -> Durations {
    let mut durations = Durations::default();
    if let Ok(index) = fs::read(volume.join("binpkgs/Packages")) {
        durations.read_index(&index::binaries(&index));
    }
    let log = Beneath::open(&volume.join("log")).and_then(|logs| logs.file("emerge.log"));
    let Ok(mut log) = log else { return durations };
    let mut piece = vec![0; PIECE];
    while let Ok(length @ 1..) = log.read(&mut piece) {
        durations.read(&piece[..length]);
    }
    durations
}
