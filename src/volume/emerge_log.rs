//! Reads what Portage left on a volume about how long packages take.

use std::io::Read;
use std::path::Path;

use crate::beneath::Beneath;
use crate::portage::files::durations::Durations;
use crate::portage::files::index;

/// How much is read at a time.
const PIECE: usize = 256 << 10;

/// How long packages took, by the log and the package index on this volume. What cannot be read is
/// not known: nothing depends on it but estimates.
pub(crate) fn durations(volume: &Path) -> Durations {
    let mut durations = Durations::default();
    let mut index = Vec::new();
    let packages = Beneath::open(&volume.join("binpkgs")).and_then(|place| place.linked("Packages"));
    if packages.is_ok_and(|mut packages| packages.read_to_end(&mut index).is_ok()) {
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
