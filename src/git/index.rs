//! The index of a pack: where each object begins (version 2).

use sha1::{Digest, Sha1};

use super::id::Id;

const MAGIC: &[u8; 8] = b"\xfftOc\0\0\0\x02";
/// The magic, and for each first byte of a name how many names come up to there.
const HEAD: usize = 8 + 4 * 256;
/// A pack ends with the SHA-1 of all before it.
const SUM: u64 = 20;

/// An object in a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    pub(super) id: Id,
    /// The CRC-32 of its bytes there.
    pub(super) crc: u32,
    pub(super) offset: u32,
}

/// The index of a pack with this sum.
pub(super) fn write(mut packed: Vec<Packed>, sum: [u8; 20]) -> Vec<u8> {
    packed.sort_by_key(|packed| packed.id);
    let mut text = MAGIC.to_vec();
    for first in 0..=u8::MAX {
        let up_to = packed.partition_point(|packed| packed.id.0[0] <= first);
        text.extend_from_slice(&u32::try_from(up_to).unwrap_or(u32::MAX).to_be_bytes());
    }
    for packed in &packed {
        text.extend_from_slice(&packed.id.0);
    }
    for packed in &packed {
        text.extend_from_slice(&packed.crc.to_be_bytes());
    }
    for packed in &packed {
        text.extend_from_slice(&packed.offset.to_be_bytes());
    }
    text.extend_from_slice(&sum);
    let own = Sha1::digest(&text);
    text.extend_from_slice(&own);
    text
}

/// An index that was read.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// In the order of the names.
    objects: Vec<(Id, u32)>,
    /// In order.
    offsets: Vec<u32>,
    /// The sum of the pack, with which that ends.
    pub(crate) sum: [u8; 20],
}

impl Index {
    /// Reads one as [`seal`](super::seal) makes it; nothing when it is damaged.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        let (rest, own) = text.split_last_chunk::<20>()?;
        if Sha1::digest(rest).as_slice() != own || !rest.starts_with(MAGIC) {
            return None;
        }
        let (rest, sum) = rest.split_last_chunk::<20>()?;
        let objects = rest.get(HEAD..)?;
        let count = usize::try_from(u32::from_be_bytes(*rest.get(..HEAD)?.last_chunk::<4>()?)).ok()?;
        if objects.len() != count.checked_mul(28)? {
            return None;
        }
        let (ids, rest) = objects.split_at(20 * count);
        let offsets = rest.get(4 * count..)?;
        let (ids, _) = ids.as_chunks::<20>();
        let (offsets, _) = offsets.as_chunks::<4>();
        let mut offsets: Vec<u32> = offsets.iter().map(|bytes| u32::from_be_bytes(*bytes)).collect();
        let objects = ids.iter().map(|id| Id(*id)).zip(offsets.iter().copied()).collect();
        offsets.sort_unstable();
        Some(Self { objects, offsets, sum: *sum })
    }

    /// The objects of the pack.
    pub(crate) fn ids(&self) -> impl Iterator<Item = Id> {
        self.objects.iter().map(|(id, _)| *id)
    }

    /// Where an object begins and ends in the pack, which has so many bytes.
    pub(crate) fn place(&self, id: Id, size: u64) -> Option<(u64, u64)> {
        let at = self.objects.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        let (_, offset) = self.objects[at];
        let next = self.offsets.partition_point(|other| *other <= offset);
        let end = self.offsets.get(next).map_or(size.checked_sub(SUM)?, |next| u64::from(*next));
        Some((u64::from(offset), end)).filter(|(from, to)| from < to)
    }
}
