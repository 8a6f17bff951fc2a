//! What a helper's daemon sends, in pieces, and the log of the scheduler.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gbsup::fuzzing::icecream::run(data));
