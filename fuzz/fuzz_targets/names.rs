//! Names, atoms and versions, as people and logs write them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gbsup::fuzzing::names::run(data));
