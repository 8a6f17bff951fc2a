//! emerge.log in pieces, and how long packages take by it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gbsup::fuzzing::emerge_log::run(data));
