//! What whoever has one commit needs for the next, as a file that git takes from a server of plain files, and the list of such files
//! (gitformat-bundle(5); git knows the list since version 2.40, as `fetch.bundleURI`).

use std::io;

use sha1::{Digest, Sha1};

use super::id::Id;
use super::pack::beginning;
use super::step::{Part, to_send};

/// What is new in a commit after another one, given as for a [step](super::step).
pub(crate) fn bundle(old: Id, new: Id, objects: &[(Id, Option<Id>, Vec<u8>)]) -> io::Result<Vec<u8>> {
    // As of a step, none whose base needs it. Their numbers stand in for their places.
    let numbered = (0_u64..).zip(objects);
    let parts =
        numbered.map(|(from, (id, base, _))| Part { id: *id, base: *base, from, length: 0 }).collect();
    let sent = to_send(vec![parts]).into_iter().flatten();
    let raw =
        |part: Part| usize::try_from(part.from).ok().and_then(|at| objects.get(at)).map(|(_, _, raw)| raw);
    let raws: Vec<&Vec<u8>> = sent.filter_map(raw).collect();
    let count = u32::try_from(raws.len()).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let mut pack = beginning(count);
    for raw in raws {
        pack.extend(raw);
    }
    let mut file = format!("# v2 git bundle\n-{old}\n{new} refs/heads/main\n\n").into_bytes();
    file.extend(&pack);
    file.extend_from_slice(Sha1::digest(&pack).as_slice());
    Ok(file)
}

/// The list of bundles that lie beside it, each named by its number. git takes those with a higher number than it has seen, and from the
/// highest on down to the first that follows what it has.
pub(crate) fn list(numbers: &[u64]) -> String {
    let head = "[bundle]\n\tversion = 1\n\tmode = all\n\theuristic = creationToken\n".to_owned();
    numbers.iter().fold(head, |text, number| {
        text + &format!("[bundle \"{number}\"]\n\turi={number}\n\tcreationToken={number}\n")
    })
}
