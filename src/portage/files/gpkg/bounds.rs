//! How much a package may make whoever reads it do. A header or a compression asks for far more than it is long itself: 1 MiB of one
//! can stand for a name of a gigabyte.

use std::cell::Cell;
use std::io::{self, Read, Seek, SeekFrom};

use tar::{Entries, Entry};

/// The most bytes of headers before the data of one member, together: its own, long names, extended ones (PAX), the map of a sparse
/// file. Paths have 4 KiB at most, and Linux lets a file have 64 KiB of extended attributes (xattr(7)), of which none uses more than
/// a few.
const HEADERS: u64 = 64 << 10;
/// What is left of a block behind the data before.
const BLOCK: u64 = 512;
/// A package may unpack to so many times its length, and to so much in any case: images of disks are nearly empty.
const TIMES: u64 = 128;
const ANYWAY: u64 = 64 << 20;

/// Reads no further than is allowed at the moment; without a number, as far as there is something.
pub(crate) struct Allowed<'a, R> {
    reader: R,
    left: &'a Cell<Option<u64>>,
}

impl<'a, R> Allowed<'a, R> {
    pub(crate) fn new(reader: R, left: &'a Cell<Option<u64>>) -> Self {
        Self { reader, left }
    }

    pub(crate) fn into_inner(self) -> R {
        self.reader
    }
}

impl<R: Read> Read for Allowed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(left) = self.left.get() else { return self.reader.read(buffer) };
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        if most == 0 && !buffer.is_empty() {
            return Err(invalid("the headers of one of its files are longer than 64 KiB"));
        }
        let count = self.reader.read(&mut buffer[..most])?;
        self.left.set(Some(left - count as u64));
        Ok(count)
    }
}

impl<R: Seek> Seek for Allowed<'_, R> {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        self.reader.seek(place)
    }
}

/// The next member, whose headers have bounds. Of the data of the one before so many bytes were not read.
pub(crate) fn next<'a, R: Read>(
    entries: &mut Entries<'a, R>,
    left: &Cell<Option<u64>>,
    unread: u64,
) -> Option<io::Result<Entry<'a, R>>> {
    left.set(Some(unread.saturating_add(HEADERS + BLOCK)));
    let next = entries.next();
    left.set(None);
    Some(next?.and_then(|entry| {
        // Portage writes none, and one of a few bytes is as long as it likes.
        let sparse = entry.header().entry_type().is_gnu_sparse();
        if sparse { Err(invalid("a file in it has holes")) } else { Ok(entry) }
    }))
}

/// What is unpacked of so many bytes, as long as it stays within bounds.
pub(crate) struct Unpacked<R> {
    reader: R,
    left: u64,
}

impl<R> Unpacked<R> {
    pub(crate) fn new(reader: R, packed: u64) -> Self {
        Self { reader, left: packed.saturating_mul(TIMES).saturating_add(ANYWAY) }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        let left = self.left.checked_sub(count as u64);
        self.left = left.ok_or_else(|| invalid("it unpacks to more than any package does"))?;
        Ok(count)
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_unpacks_to_more_than_any_package_does_is_cut_off() {
        let mut most = Unpacked::new(io::repeat(0).take(ANYWAY + TIMES), 1);
        assert_eq!(io::copy(&mut most, &mut io::sink()).unwrap(), ANYWAY + TIMES);
        let mut more = Unpacked::new(io::repeat(0), 1);
        let told = io::copy(&mut more, &mut io::sink()).unwrap_err().to_string();
        assert_eq!(told, "it unpacks to more than any package does");
    }

    #[test]
    fn no_more_is_read_than_is_allowed() {
        let left = Cell::new(Some(5));
        let mut reader = Allowed::new(io::repeat(b'x'), &left);
        let mut buffer = [0; 8];
        assert_eq!(reader.read(&mut buffer).unwrap(), 5);
        assert_eq!(reader.read(&mut []).unwrap(), 0);
        assert!(reader.read(&mut buffer).is_err());
        left.set(None);
        assert_eq!(reader.read(&mut buffer).unwrap(), 8);
    }
}
