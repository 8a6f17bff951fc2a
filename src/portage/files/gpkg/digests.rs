//! The digests by which Portage knows a binary package.

use std::io::{self, Read};

use blake2::Blake2b512;
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest, Sha512};

/// As much as is worked on at a time.
const CHUNK: usize = 64 << 10;

/// The digests of a member that a Manifest gives (`portage/const.py:MANIFEST2_HASH_DEFAULTS`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Member {
    blake2b: String,
    sha512: String,
}

impl Member {
    pub(crate) fn read(mut data: impl Read) -> io::Result<Self> {
        let mut hashing = Hashing::default();
        for_each_chunk(&mut data, |chunk| hashing.update(chunk))?;
        Ok(hashing.finish())
    }

    /// The line of the Manifest about a member of this name and size (`portage/gpkg.py:_record_checksum`).
    pub(crate) fn line(&self, name: &str, size: u64) -> String {
        format!("DATA {name} {size} BLAKE2B {} SHA512 {}\n", self.blake2b, self.sha512)
    }

    /// Whether it is what a line of the Manifest says: names of hashes and their values by turns. At least
    /// one of them has to be known; those that are not say nothing.
    pub(crate) fn are<'a>(&self, mut words: impl Iterator<Item = &'a str>) -> bool {
        let mut known = 0;
        while let (Some(hash), Some(value)) = (words.next(), words.next()) {
            let ours = match hash {
                "BLAKE2B" => &self.blake2b,
                "SHA512" => &self.sha512,
                _ => continue,
            };
            if !value.eq_ignore_ascii_case(ours) {
                return false;
            }
            known += 1;
        }
        known > 0
    }
}

/// A member that is being read.
#[derive(Default)]
pub(crate) struct Hashing {
    blake2b: Blake2b512,
    sha512: Sha512,
}

impl Hashing {
    pub(crate) fn update(&mut self, data: &[u8]) {
        self.blake2b.update(data);
        self.sha512.update(data);
    }

    pub(crate) fn finish(self) -> Member {
        Member { blake2b: hex(&self.blake2b.finalize()), sha512: hex(&self.sha512.finalize()) }
    }
}

/// A whole file, as the package index describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whole {
    /// Bytes.
    pub size: u64,
    /// In hexadecimal digits, lower case.
    pub md5: String,
    /// In hexadecimal digits, lower case.
    pub sha1: String,
}

impl Whole {
    /// Reads a file to its end.
    pub fn read(reader: impl Read) -> io::Result<Self> {
        Tee::new(reader).finish()
    }
}

/// Hands on what it reads, and works out the digests of all of it.
pub(crate) struct Tee<R> {
    reader: R,
    size: u64,
    md5: Md5,
    sha1: Sha1,
}

impl<R: Read> Tee<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self { reader, size: 0, md5: Md5::new(), sha1: Sha1::new() }
    }

    /// Reads what is left.
    pub(crate) fn finish(mut self) -> io::Result<Whole> {
        for_each_chunk(&mut self, |_| {})?;
        Ok(Whole { size: self.size, md5: hex(&self.md5.finalize()), sha1: hex(&self.sha1.finalize()) })
    }
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.size += count as u64;
        self.md5.update(&buffer[..count]);
        self.sha1.update(&buffer[..count]);
        Ok(count)
    }
}

fn for_each_chunk(reader: &mut dyn Read, mut work: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => work(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A digest in hexadecimal digits, lower case.
#[must_use]
pub fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
