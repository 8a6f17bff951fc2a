//! What a helper's daemon sends, in pieces, and the log of the scheduler.
#![no_main]

use libfuzzer_sys::fuzz_target;

use gbsup::icecream::log::compiled_by;
use gbsup::icecream::wire::{Messages, Piece};

fuzz_target!(|data: &[u8]| {
    let mut messages = Messages::default();
    let mut known = None;
    for bytes in data.chunks(1 + data.len() / 3) {
        messages.feed(bytes);
        while let Ok(Some(piece)) = messages.take() {
            let Piece::Message(mut message) = piece else { continue };
            match &known {
                None => known = message.login().ok(),
                Some(known) if message.is_of_a_helper() => drop(message.again(known, 2)),
                Some(_) => message.set_load(0),
            }
        }
    }
    let text = String::from_utf8_lossy(data);
    text.lines().filter_map(compiled_by).count();
});
