//! The configuration: a file, and variables behind it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gbsup::fuzzing::config::run(data));
