//! The short answers of GnuPG, glsa-check and compilers, elog's files and emerge's snapshots.
use crate::portage::files::{attention, live};
use crate::portage::names::cpv::Cpv;
use crate::portage::output::{elog, glsa, gpg};

/// Reads it.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = (gpg::signature(&text), gpg::keys(&text), gpg::verdicts(&text), glsa::affected(data));
    if let (Some(at), Some(cpv)) = (elog::time("20261122-143000"), Cpv::parse(b"a/b-1")) {
        let _ = elog::entry(&cpv, at, data);
    }
    let _ = (elog::time(&text), live::snapshot(data), attention::resolved("-march=native", data));
}
