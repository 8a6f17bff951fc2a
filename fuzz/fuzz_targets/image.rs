//! What is in a package, in every compression: the first byte says which.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gbsup::fuzzing::image::run(data));
