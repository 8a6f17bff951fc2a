//! The log of a failed build.
#![no_main]

use libfuzzer_sys::fuzz_target;

use gbsup::portage::output::buildlog;

fuzz_target!(|data: &[u8]| {
    let log = buildlog::examine(data);
    assert!(log.problems.len() <= 8 && log.evidence.len() <= 14);
});
