//! emerge.log in pieces, and how long packages take by it.
use crate::portage::files::built::Built;
use crate::portage::files::durations::Durations;

/// Reads it.
pub fn run(data: &[u8]) {
    let mut durations = Durations::default();
    let built = Built::by(|| data.to_vec());
    for piece in data.chunks(1 + data.len() / 3) {
        durations.read(piece, &built);
    }
    let names: Vec<String> = durations.names().map(str::to_owned).collect();
    for name in names {
        durations.of(&name, false).count();
    }
    let _ = durations.at_once(2);
}
