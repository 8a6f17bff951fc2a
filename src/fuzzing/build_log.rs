//! The log of a failed build.
use crate::portage::output::buildlog;

/// Reads it.
pub fn run(data: &[u8]) {
    let log = buildlog::examine(data);
    assert!(log.problems.len() <= 8 && log.evidence.len() <= 14);
}
