//! Binary packages of the older format.
#![no_main]

use libfuzzer_sys::fuzz_target;

use std::io::Cursor;

use gbsup::portage::files::xpak;

fuzz_target!(|data: &[u8]| drop(xpak::check(Cursor::new(data), data.len() as u64)));
