//! The plan that emerge prints, with the index of binary packages behind it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gbsup::fuzzing::plan::run(data));
