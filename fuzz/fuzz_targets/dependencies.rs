//! RDEPEND and the like, LICENSE, and the groups of licences.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gbsup::fuzzing::dependencies::run(data));
