//! Programs and libraries.
#![no_main]

use libfuzzer_sys::fuzz_target;

use gbsup::portage::files::elf;

fuzz_target!(|data: &[u8]| {
    drop(elf::demanded(data));
    drop(std::str::from_utf8(data).ok().and_then(|text| text.parse::<elf::Kernel>().ok()));
});
