//! What emerge prints while it works, and the advice that is read off it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gbsup::fuzzing::output::run(data));
