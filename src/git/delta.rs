//! An object as what is other in it than in another one (gitformat-pack(5), "Deltified representation").

use std::collections::HashMap;

/// So many bytes are looked for in the other object at once; what both have in common and is shorter is not found.
const BLOCK: usize = 16;
/// In so many places at most.
const PLACES: usize = 8;
/// So many bytes one instruction copies.
const MOST_COPIED: usize = 0xffff;
/// So many bytes one instruction brings along.
const MOST_BROUGHT: usize = 0x7f;

/// What makes `target` of `base`. It may be longer than `target` itself.
pub(super) fn delta(base: &[u8], target: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    length(&mut out, base.len());
    length(&mut out, target.len());
    let mut blocks: HashMap<&[u8; BLOCK], Vec<usize>> = HashMap::new();
    for (number, block) in base.as_chunks::<BLOCK>().0.iter().enumerate() {
        let places = blocks.entry(block).or_default();
        if places.len() < PLACES {
            places.push(number * BLOCK);
        }
    }
    let (mut written, mut at) = (0, 0);
    while let Some(block) = target[at..].first_chunk::<BLOCK>() {
        let places = blocks.get(block).into_iter().flatten();
        let longest = places.map(|from| (in_common(&base[*from..], &target[at..]), *from)).max();
        let Some((common, from)) = longest else {
            at += 1;
            continue;
        };
        let before = base[..from].iter().rev().zip(target[written..at].iter().rev());
        let before = before.take_while(|(a, b)| a == b).count();
        bring(&mut out, &target[written..at - before]);
        copy(&mut out, from - before, before + common);
        at += common;
        written = at;
    }
    bring(&mut out, &target[written..]);
    out
}

fn in_common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// Seven bits in each byte, the lowest first.
fn length(out: &mut Vec<u8>, mut length: usize) {
    while length > 0x7f {
        out.push(low(length) | 0x80);
        length >>= 7;
    }
    out.push(low(length));
}

fn low(number: usize) -> u8 {
    number.to_le_bytes()[0]
}

fn bring(out: &mut Vec<u8>, bytes: &[u8]) {
    for bytes in bytes.chunks(MOST_BROUGHT) {
        out.push(low(bytes.len()));
        out.extend_from_slice(bytes);
    }
}

/// Four bytes of where and three of how many, of which those that are not 0 follow and are named in the first byte.
fn copy(out: &mut Vec<u8>, mut from: usize, mut count: usize) {
    while count > 0 {
        let now = count.min(MOST_COPIED);
        let start = out.len();
        out.push(0x80);
        let bytes = from.to_le_bytes().into_iter().take(4).chain(now.to_le_bytes().into_iter().take(3));
        for (bit, byte) in bytes.enumerate() {
            if byte != 0 {
                out[start] |= 1 << bit;
                out.push(byte);
            }
        }
        from += now;
        count -= now;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What git does with it.
    fn patch(base: &[u8], mut delta: &[u8]) -> Vec<u8> {
        let mut next = || {
            let (first, rest) = delta.split_first().unwrap();
            delta = rest;
            *first
        };
        let mut length = || {
            let (mut length, mut shift) = (0, 0);
            loop {
                let byte = next();
                length |= usize::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    return length;
                }
            }
        };
        assert_eq!(length(), base.len());
        let size = length();
        let mut target = Vec::new();
        while !delta.is_empty() {
            let (first, rest) = delta.split_first().unwrap();
            delta = rest;
            if first & 0x80 == 0 {
                let (bytes, rest) = delta.split_at(usize::from(*first));
                assert!(!bytes.is_empty());
                target.extend_from_slice(bytes);
                delta = rest;
                continue;
            }
            let (mut from, mut count) = (0, 0);
            for bit in 0..7 {
                if first & (1 << bit) != 0 {
                    let (byte, rest) = delta.split_first().unwrap();
                    delta = rest;
                    match bit {
                        0..4 => from |= usize::from(*byte) << (8 * bit),
                        _ => count |= usize::from(*byte) << (8 * (bit - 4)),
                    }
                }
            }
            target.extend_from_slice(&base[from..from + count]);
        }
        assert_eq!(target.len(), size);
        target
    }

    #[test]
    fn what_changed_is_brought_alone() {
        let base: Vec<u8> =
            (0..200_000_u32).flat_map(|number| number.wrapping_mul(number).to_le_bytes()).collect();
        let mut target = base.clone();
        target.splice(5..9, *b"changed here");
        target.splice(400_000..400_000, *b"and here");
        target.truncate(700_000);
        let made = delta(&base, &target);
        assert!(made.len() < 300, "{}", made.len());
        assert_eq!(patch(&base, &made), target);
    }

    proptest! {
        #[test]
        fn git_makes_the_same_of_it(
            parts in prop::collection::vec(prop::collection::vec(0..4_u8, 0..60), 0..12),
            order in prop::collection::vec(0..12_usize, 0..24),
            base in prop::collection::vec(0..12_usize, 0..24),
        ) {
            let whole = |order: &[usize]| order.iter().filter_map(|at| parts.get(*at)).flatten().copied().collect::<Vec<u8>>();
            let (base, target) = (whole(&base), whole(&order));
            prop_assert_eq!(patch(&base, &delta(&base, &target)), target);
        }
    }
}
