//! What portageq prints of the configuration, and what Portage has against it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gbsup::fuzzing::settings::run(data));
