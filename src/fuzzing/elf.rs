//! Programs and libraries.
use crate::portage::files::elf;

/// Reads it.
pub fn run(data: &[u8]) {
    let _ = elf::demanded(data);
    let _ = std::str::from_utf8(data).ok().and_then(|text| text.parse::<elf::Kernel>().ok());
}
