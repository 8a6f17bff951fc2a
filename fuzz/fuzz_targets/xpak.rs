//! Binary packages of the older format.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gbsup::fuzzing::xpak::run(data));
