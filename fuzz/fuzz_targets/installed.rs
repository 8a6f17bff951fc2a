//! What is recorded of installed packages.
#![no_main]

use libfuzzer_sys::fuzz_target;

use gbsup::portage::files::vdb::{self, Installed};
use gbsup::portage::names::cpv::Cpv;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    if let Some(cpv) = Cpv::parse(b"a/b-1") {
        drop(Installed::read(cpv, |_| text.clone().into_owned()));
    }
    for soname in vdb::sonames(&text) {
        soname.family();
    }
    drop(vdb::versioned(&text));
});
