//! emerge.log in pieces, and how long packages take by it.
#![no_main]

use libfuzzer_sys::fuzz_target;

use gbsup::portage::files::durations::Durations;
use gbsup::portage::files::index;

fuzz_target!(|data: &[u8]| {
    let mut durations = Durations::default();
    durations.read_index(&index::binaries(data));
    for piece in data.chunks(1 + data.len() / 3) {
        durations.read(piece);
    }
    let names: Vec<String> = durations.names().map(str::to_owned).collect();
    for name in names {
        durations.of(&name, false).count();
    }
    let _ = durations.at_once(2);
});
