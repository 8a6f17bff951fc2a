//! The short answers of GnuPG, glsa-check and compilers, elog's files and emerge's snapshots.
#![no_main]

use libfuzzer_sys::fuzz_target;

use gbsup::portage::files::{attention, live};
use gbsup::portage::names::cpv::Cpv;
use gbsup::portage::output::{elog, glsa, gpg};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    drop((gpg::signature(&text), gpg::keys(&text), gpg::verdicts(&text), glsa::affected(data)));
    if let (Some(at), Some(cpv)) = (elog::time("20261122-143000"), Cpv::parse(b"a/b-1")) {
        drop(elog::entry(&cpv, at, data));
    }
    drop((elog::time(&text), live::snapshot(data), attention::resolved("-march=native", data)));
});
