//! The file that is installed.

use std::fs;

use crate::support::GBSUP;

/// Where a 64-bit ELF header says its program headers are, and their fields.
const PROGRAM_HEADERS: usize = 0x20;
const SIZE_OF_ONE: usize = 0x36;
const HOW_MANY: usize = 0x38;
const LOAD: u32 = 1;
const DYNAMIC: u32 = 2;
const INTERPRETER: u32 = 3;

fn number<const N: usize>(elf: &[u8], at: usize) -> [u8; N] {
    elf[at..at + N].try_into().expect("the header is whole")
}

#[test]
fn the_binary_is_static() {
    let elf = fs::read(GBSUP).expect("it is built");
    assert_eq!(elf[..5], *b"\x7fELF\x02", "a 64-bit ELF file");
    let first = usize::try_from(u64::from_le_bytes(number(&elf, PROGRAM_HEADERS))).expect("small");
    let size = usize::from(u16::from_le_bytes(number(&elf, SIZE_OF_ONE)));
    let count = usize::from(u16::from_le_bytes(number(&elf, HOW_MANY)));
    let kinds: Vec<u32> =
        (0..count).map(|nth| u32::from_le_bytes(number(&elf, first + nth * size))).collect();
    assert!(kinds.contains(&LOAD));
    assert!(!kinds.contains(&DYNAMIC), "it has a dynamic section");
    assert!(!kinds.contains(&INTERPRETER), "it needs a loader");
}
