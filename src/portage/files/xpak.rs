//! The older format of binary packages: a compressed tar, and behind it what Portage knows of the package.
//!
//! Source: xpak(5) and `portage/xpak.py:tbz2.scan`. Nothing in it is a digest, so all that can be seen of it alone is whether
//! it is complete.

use std::io::{Read, Seek, SeekFrom};

use super::gpkg::Damage;

const BEGIN: &[u8; 8] = b"XPAKPACK";
const END: &[u8; 8] = b"XPAKSTOP";
const STOP: &[u8; 4] = b"STOP";
/// A longer index than any package has.
const MAX_INDEX: usize = 1 << 20;

/// Checks that what is behind the tar is there to its last byte, and that there is a tar; `size` is the length of the
/// file.
///
/// # Errors
/// The first [`Damage`] found. An error of the reader counts as damage, too.
pub fn check<R: Read + Seek>(mut reader: R, size: u64) -> Result<(), Damage> {
    if size == 0 {
        return Err(Damage::Empty);
    }
    let cut = || Damage::CutShort("what Portage wrote behind the files".to_owned());
    // XPAKPACK, two lengths, an index, data, XPAKSTOP; then the length of all that, and STOP.
    let tail: [u8; 16] = at(&mut reader, size.checked_sub(16).ok_or_else(cut)?)?;
    let (end, length, stop) = (&tail[..8], number(&tail[8..12]), &tail[12..]);
    if end != END || stop != STOP {
        return Err(cut());
    }
    let wrong = || Damage::Layout("its XPAK segment is not as long as it says".to_owned());
    let begin = size.checked_sub(length as u64 + 8).filter(|begin| *begin > 0).ok_or_else(wrong)?;
    let head: [u8; 16] = at(&mut reader, begin)?;
    let (index, data) = (number(&head[8..12]), number(&head[12..]));
    let whole = index.checked_add(data).and_then(|both| both.checked_add(24));
    if head[..8] != *BEGIN || whole != Some(length) || index > MAX_INDEX {
        return Err(wrong());
    }
    let mut names = vec![0; index];
    reader.read_exact(&mut names)?;
    entries(&names, data).ok_or_else(|| Damage::Layout("its XPAK index is not readable".to_owned()))
}

/// Whether an index names parts of as much data as there is: for each the length of its name, the name, where it begins,
/// and its length.
fn entries(mut index: &[u8], data: usize) -> Option<()> {
    while !index.is_empty() {
        let (length, rest) = index.split_at_checked(4)?;
        let (_, rest) = rest.split_at_checked(number(length))?;
        let (place, rest) = rest.split_at_checked(8)?;
        let end = number(&place[..4]).checked_add(number(&place[4..]))?;
        index = (end <= data).then_some(rest)?;
    }
    Some(())
}

fn at<R: Read + Seek>(reader: &mut R, place: u64) -> Result<[u8; 16], Damage> {
    let mut bytes = [0; 16];
    reader.seek(SeekFrom::Start(place))?;
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Of at most four bytes, the first of which counts most.
fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    const GOOD: &[u8] = include_bytes!("../../../tests/captured/t1-1-1.xpak");

    fn checked(bytes: &[u8]) -> Result<(), Damage> {
        check(Cursor::new(bytes), bytes.len() as u64)
    }

    #[test]
    fn what_portage_wrote_is_whole_and_no_part_of_it() {
        checked(GOOD).unwrap();
        assert!(matches!(checked(b""), Err(Damage::Empty)));
        for length in 1..GOOD.len() {
            assert!(matches!(checked(&GOOD[..length]), Err(Damage::CutShort(_))), "{length}");
        }
        // The segment alone has no files before it.
        let begin = GOOD.windows(8).position(|bytes| bytes == BEGIN).unwrap();
        for from in 1..begin {
            checked(&GOOD[from..]).unwrap();
        }
        for from in begin..GOOD.len() {
            checked(&GOOD[from..]).unwrap_err();
        }
    }

    #[test]
    fn lengths_that_lie() {
        let begin = GOOD.windows(8).position(|bytes| bytes == BEGIN).unwrap();
        let end = GOOD.len() - 8;
        for place in [begin, begin + 8, begin + 12, begin + 15, begin + 16, end, end + 3] {
            let mut bytes = GOOD.to_vec();
            bytes[place] ^= 0x41;
            let damage = checked(&bytes).unwrap_err();
            assert!(matches!(damage, Damage::Layout(_)), "{place}: {damage}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_fall(bytes in prop::collection::vec(any::<u8>(), 0..200), lengths in any::<[u8; 12]>()) {
            let _ = checked(&bytes);
            let mut made = [b"x", &BEGIN[..], &lengths[..8], &bytes, END].concat();
            made.extend_from_slice(&u32::try_from(made.len() - 1).unwrap_or_default().to_be_bytes());
            made.extend_from_slice(STOP);
            let _ = checked(&made);
        }
    }
}
