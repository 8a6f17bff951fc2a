//! The short answers of GnuPG, glsa-check and compilers, elog's files and emerge's snapshots.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gbsup::fuzzing::small::run(data));
