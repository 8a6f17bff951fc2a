//! What is in a package, in every compression: the first byte says which.
use std::io::{Read, repeat};

use crate::portage::files::gpkg::image;

const ENDINGS: [&str; 7] = ["", ".bz2", ".gz", ".lz", ".lz4", ".xz", ".zst"];

/// Reads it.
pub fn run(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else { return };
    let ending = ENDINGS[usize::from(first) % ENDINGS.len()];
    // A header of tar(5), as old as it gets.
    let mut header = [0_u8; 512];
    let name = format!("a-1-1/image.tar{ending}");
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[124..135].copy_from_slice(format!("{:011o}", data.len()).as_bytes());
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let _ = image::demand(header.chain(data).chain(repeat(0).take(2048)), data.len() as u64);
}
