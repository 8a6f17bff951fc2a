//! The report of a circular dependency.
#![no_main]

use libfuzzer_sys::fuzz_target;

use gbsup::portage::output::circular;

fuzz_target!(|data: &[u8]| {
    if let Some(circle) = circular::from_json(data) {
        let _ = circle.solution(&circle.solutions);
    }
    drop(circular::from_text(String::from_utf8_lossy(data).lines()).complaint());
});
