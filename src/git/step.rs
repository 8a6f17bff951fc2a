//! What whoever has one commit needs for the next: a file of objects as they are packed, most of them as what is other than before.
//!
//! ```text
//!   "gbsup st", then for all objects: their number, of each its name, that of its base (zeros: none) and its length (4 bytes);
//!   then the objects themselves
//! ```
//!
//! A pack for several steps takes each object once, and none that whoever gets it has shown to have: then every base is in what came
//! before, and no two objects are each other's. git would read such ones without an end.

use std::collections::HashSet;
use std::io::{self, Read};

use super::id::Id;

const MAGIC: &[u8; 8] = b"gbsup st";
/// Of an object in the table.
const ROW: usize = 20 + 20 + 4;
/// More objects than any repository has.
const MOST: u32 = 1 << 24;

/// An object in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) id: Id,
    /// The object that it is other than.
    pub(crate) base: Option<Id>,
    /// Where it begins in the file.
    pub(crate) from: u64,
    pub(crate) length: u32,
}

/// The file of these objects.
pub(crate) fn write(objects: &[(Id, Option<Id>, Vec<u8>)]) -> io::Result<Vec<u8>> {
    let long =
        |length: usize| u32::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge));
    let mut file = MAGIC.to_vec();
    file.extend(long(objects.len())?.to_be_bytes());
    for (id, base, raw) in objects {
        file.extend(id.0);
        file.extend(base.map_or([0; 20], |base| base.0));
        file.extend(long(raw.len())?.to_be_bytes());
    }
    for (_, _, raw) in objects {
        file.extend(raw);
    }
    Ok(file)
}

/// The objects in a file of this size; nothing when it is none or not whole.
pub(crate) fn read(file: &mut impl Read, size: u64) -> io::Result<Option<Vec<Part>>> {
    let mut head = [0; MAGIC.len() + 4];
    file.read_exact(&mut head)?;
    let Some((magic, count)) = head.split_last_chunk::<4>() else { return Ok(None) };
    let count = u32::from_be_bytes(*count);
    if magic != MAGIC || count > MOST {
        return Ok(None);
    }
    let mut table = Vec::new();
    let rows = u64::from(count) * ROW as u64;
    file.take(rows).read_to_end(&mut table)?;
    let mut from = head.len() as u64 + rows;
    let mut parts = Vec::new();
    for row in table.as_chunks::<ROW>().0 {
        let (id, rest) = row.split_at(20);
        let (base, length) = rest.split_at(20);
        let [Ok(id), Ok(base)] = [id, base].map(<[u8; 20]>::try_from) else { return Ok(None) };
        let Ok(length) = <[u8; 4]>::try_from(length).map(u32::from_be_bytes) else { return Ok(None) };
        parts.push(Part { id: Id(id), base: (base != [0; 20]).then_some(Id(base)), from, length });
        from += u64::from(length);
    }
    Ok((from == size && parts.len() as u64 == u64::from(count)).then_some(parts))
}

/// The steps from one of these commits to this one, in order, by what comes before each; the fewest that do. Nothing when none leads here.
pub(crate) fn way(steps: &[(Id, Id)], have: &HashSet<Id>, to: Id) -> Option<Vec<(Id, Id)>> {
    let mut way = Vec::new();
    let mut at = to;
    while !have.contains(&at) && way.len() <= steps.len() {
        let step = steps.iter().find(|(_, to)| *to == at)?;
        way.push(*step);
        at = step.0;
    }
    way.reverse();
    have.contains(&at).then_some(way)
}

/// What of these steps is to be sent to whoever has what is before the first.
pub(crate) fn to_send(steps: Vec<Vec<Part>>) -> Vec<Vec<Part>> {
    let (mut sent, mut there) = (HashSet::new(), HashSet::new());
    let mut is_sent = |part: &Part| {
        if there.contains(&part.id) || !sent.insert(part.id) {
            return false;
        }
        // Every base is in the tree before its step. What was not sent of that is in the one before the first.
        there.extend(part.base.filter(|base| !sent.contains(base)));
        true
    };
    steps.into_iter().map(|parts| parts.into_iter().filter(&mut is_sent).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> Id {
        Id([number; 20])
    }

    #[test]
    fn what_was_written_is_read() {
        let file = write(&[(id(1), None, b"one".to_vec()), (id(2), Some(id(1)), b"three".to_vec())]).unwrap();
        let size = file.len() as u64;
        let parts = read(&mut &file[..], size).unwrap().unwrap();
        let place = |part: &Part| {
            let from = usize::try_from(part.from).unwrap();
            &file[from..from + part.length as usize]
        };
        assert_eq!(parts.iter().map(place).collect::<Vec<_>>(), [&b"one"[..], b"three"]);
        assert_eq!(
            parts.iter().map(|part| (part.id, part.base)).collect::<Vec<_>>(),
            [(id(1), None), (id(2), Some(id(1)))]
        );
        for cut in 0..file.len() {
            let rest = read(&mut &file[..cut], cut as u64);
            assert!(!matches!(rest, Ok(Some(_))), "{cut}");
        }
        assert_eq!(read(&mut &[b"PACK\0\0\0\x02".as_slice(), &[0; 9]].concat()[..], 17).unwrap(), None);
    }

    #[test]
    fn the_way_is_the_shortest() {
        let steps =
            [(id(1), id(2)), (id(2), id(3)), (id(3), id(4)), (id(8), id(9)), (id(6), id(5)), (id(5), id(6))];
        let way = |have: &[u8], to| {
            way(&steps, &have.iter().copied().map(id).collect(), id(to)).map(|way| way.len())
        };
        assert_eq!(way(&[1], 4), Some(3));
        assert_eq!(way(&[1, 3], 4), Some(1));
        assert_eq!(way(&[4], 4), Some(0));
        assert_eq!(way(&[9], 4), None);
        assert_eq!(way(&[], 4), None);
        assert_eq!(way(&[1], 6), None, "it leads in a circle");
    }

    #[test]
    fn no_object_is_sent_whose_base_needs_it() {
        let part = |id_, base: Option<u8>| Part { id: id(id_), base: base.map(id), from: 0, length: 1 };
        // A file changes, goes back, and changes again.
        let steps =
            vec![vec![part(2, Some(1))], vec![part(1, Some(2))], vec![part(2, Some(1)), part(3, Some(2))]];
        let sent: Vec<Vec<Id>> =
            to_send(steps).into_iter().map(|parts| parts.into_iter().map(|part| part.id).collect()).collect();
        assert_eq!(sent, [vec![id(2)], vec![], vec![id(3)]]);
        // Two files change places.
        let [sent] = to_send(vec![vec![part(1, Some(2)), part(2, Some(1))]]).try_into().unwrap();
        assert_eq!(sent, [part(1, Some(2))]);
    }
}
