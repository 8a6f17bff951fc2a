//! What is recorded of installed packages.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gbsup::fuzzing::installed::run(data));
