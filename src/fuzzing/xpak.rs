//! Binary packages of the older format.
use std::io::Cursor;

use crate::portage::files::xpak;

/// Reads it.
pub fn run(data: &[u8]) {
    let _ = xpak::check(Cursor::new(data), data.len() as u64);
}
