//! Which kernel a program or a library demands.
//!
//! Source: elf(5) and the ABI tag of glibc (`csu/abi-note.c`): a note of the owner `GNU`, type 1, with four words, the
//! operating system (0 is Linux) and three numbers of a version. A dynamic loader before glibc 2.36 passes over a
//! library whose number is above that of the kernel, and then says that there is no such file.

use std::fmt;
use std::str::FromStr;

use object::elf::{FileHeader32, FileHeader64, NT_GNU_ABI_TAG};
use object::read::elf::{FileHeader, ProgramHeader};
use object::{Endianness, FileKind};
use serde::{Deserialize, Serialize};

/// How much of a file has to be read: linkers put headers and notes at its start.
pub(crate) const PREFIX: u64 = 64 << 10;

/// The number of a kernel, as far as a note can name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Kernel([u32; 3]);

/// A text that does not begin like the number of a kernel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the version of a kernel, such as 6.12 or 5.10.3")]
pub struct NotAKernel(String);

impl FromStr for Kernel {
    type Err = NotAKernel;

    /// Reads what `uname -r` prints: `6.12.31-gentoo-dist` is 6.12.31. What is left out is zero.
    fn from_str(text: &str) -> Result<Self, NotAKernel> {
        let numbers = text.split(|c: char| !c.is_ascii_digit() && c != '.').next().unwrap_or_default();
        let mut kernel = [0; 3];
        let mut parts = numbers.trim_end_matches('.').split('.');
        for (index, place) in kernel.iter_mut().enumerate() {
            match parts.next() {
                Some(part) => *place = part.parse().map_err(|_| NotAKernel(text.to_owned()))?,
                None if index > 1 => {}
                None => return Err(NotAKernel(text.to_owned())),
            }
        }
        Ok(Self(kernel))
    }
}

impl TryFrom<String> for Kernel {
    type Error = NotAKernel;

    fn try_from(text: String) -> Result<Self, NotAKernel> {
        text.parse()
    }
}

impl From<Kernel> for String {
    fn from(kernel: Kernel) -> Self {
        kernel.to_string()
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

/// What the file demands that begins like this; nothing when it is no ELF file or does not say.
pub(crate) fn demanded(start: &[u8]) -> Option<Kernel> {
    match FileKind::parse(start).ok()? {
        FileKind::Elf32 => highest(FileHeader32::<Endianness>::parse(start).ok()?, start),
        FileKind::Elf64 => highest(FileHeader64::<Endianness>::parse(start).ok()?, start),
        _ => None,
    }
}

fn highest<Header: FileHeader<Endian = Endianness>>(header: &Header, start: &[u8]) -> Option<Kernel> {
    let endian = header.endian().ok()?;
    let mut highest = None;
    for segment in header.program_headers(endian, start).ok()? {
        // What lies behind the start, or is damaged, says nothing.
        let Ok(Some(mut notes)) = segment.notes(endian, start) else { continue };
        while let Ok(Some(note)) = notes.next() {
            if note.name() == b"GNU" && note.n_type(endian) == NT_GNU_ABI_TAG {
                highest = highest.max(abi_tag(note.desc(), endian));
            }
        }
    }
    highest
}

fn abi_tag(words: &[u8], endian: Endianness) -> Option<Kernel> {
    let word = |bytes: &[u8]| {
        let bytes = bytes.try_into().ok()?;
        Some(if endian == Endianness::Little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let mut words = words.chunks(4).map(word);
    let mut next = || words.next().flatten();
    let linux = next()? == 0;
    let kernel = Kernel([next()?, next()?, next()?]);
    linux.then_some(kernel)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A library of 64 bits with one note, and nothing else.
    pub(in crate::portage) fn library(owner: [u8; 4], kind: u32, words: [u32; 4]) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        file.extend([3_u16, 62].iter().flat_map(|n| n.to_le_bytes()));
        file.extend(1_u32.to_le_bytes());
        file.extend([0_u64, 64, 0].iter().flat_map(|n| n.to_le_bytes()));
        file.extend(0_u32.to_le_bytes());
        file.extend([64_u16, 56, 1, 64, 0, 0].iter().flat_map(|n| n.to_le_bytes()));
        // One program header: PT_NOTE, 32 bytes at 120, aligned to 4.
        file.extend([4_u32, 4].iter().flat_map(|n| n.to_le_bytes()));
        file.extend([120_u64, 120, 120, 32, 32, 4].iter().flat_map(|n| n.to_le_bytes()));
        file.extend([4_u32, 16, kind].iter().flat_map(|n| n.to_le_bytes()));
        file.extend(owner);
        file.extend(words.iter().flat_map(|n| n.to_le_bytes()));
        file
    }

    #[test]
    fn the_note_says_which_kernel() {
        let says =
            |owner, kind, words| demanded(&library(owner, kind, words)).map(|kernel| kernel.to_string());
        assert_eq!(says(*b"GNU\0", 1, [0, 4, 11, 0]).as_deref(), Some("4.11.0"));
        assert_eq!(says(*b"GNU\0", 3, [0, 4, 11, 0]), None, "a build id");
        assert_eq!(says(*b"XEN\0", 1, [0, 4, 11, 0]), None, "another owner");
        assert_eq!(says(*b"GNU\0", 1, [1, 0, 0, 3]), None, "the Hurd");
    }

    #[test]
    fn whatever_is_cut_off_it_does_not_panic() {
        let whole = library(*b"GNU\0", 1, [0, 3, 2, 0]);
        for length in 0..whole.len() {
            assert_eq!(demanded(&whole[..length]), None);
            for bit in 0..8 {
                let mut other = whole.clone();
                other[length] ^= 1 << bit;
                let _: Option<Kernel> = demanded(&other);
            }
        }
        assert_eq!(demanded(b"#!/bin/sh\n"), None);
    }

    #[test]
    fn kernels_are_read_and_ordered() {
        let kernel = |text: &str| text.parse::<Kernel>().map(|kernel| kernel.to_string());
        for (text, read) in [("6.12.31-gentoo-dist", "6.12.31"), ("6.12", "6.12.0"), ("5.10.0_rc1", "5.10.0")]
        {
            assert_eq!(kernel(text).as_deref(), Ok(read));
        }
        for wrong in ["", "6", "linux", "6.", "6.99999999999"] {
            assert!(kernel(wrong).is_err(), "{wrong}");
        }
        assert!("6.2".parse::<Kernel>().unwrap() < "6.12".parse().unwrap());
    }
}
