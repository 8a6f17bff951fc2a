//! The report of a circular dependency.
use crate::portage::output::circular;

/// Reads it.
pub fn run(data: &[u8]) {
    if let Some(circle) = circular::from_json(data) {
        let _ = circle.solution(&circle.solutions);
    }
    let _ = circular::from_text(String::from_utf8_lossy(data).lines()).complaint();
}
