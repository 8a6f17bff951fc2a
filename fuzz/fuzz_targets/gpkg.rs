//! Binary packages: whether they are whole, what is in them, and signed copies of them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gbsup::fuzzing::gpkg::run(data));
