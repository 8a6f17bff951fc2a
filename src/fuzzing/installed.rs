//! What is recorded of installed packages.
use crate::portage::files::vdb::{self, Installed};
use crate::portage::names::cpv::Cpv;

/// Reads it.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(cpv) = Cpv::parse(b"a/b-1") {
        let _ = Installed::read(cpv, |_| text.clone().into_owned());
    }
    for soname in vdb::sonames(&text) {
        soname.family();
    }
    let _ = vdb::versioned(&text);
}
