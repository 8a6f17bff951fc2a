//! emerge.log in pieces, and how long packages take by it.
#![no_main]

use libfuzzer_sys::fuzz_target;

use gbsup::portage::files::built::Built;
use gbsup::portage::files::durations::Durations;

fuzz_target!(|data: &[u8]| {
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
});
