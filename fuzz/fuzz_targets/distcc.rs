//! What clients and helpers of distcc send, and the log of clients.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gbsup::fuzzing::distcc::run(data));
