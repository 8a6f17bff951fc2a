//! What clients that have the commit before need for the next: `releases/tree/NAME.git/steps/OLD-NEW`, and the same as a
//! [bundle](bundles).

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::reader::Reader;
use super::store::{Object, Store, make, write};
use super::{Error, at, bundles};
use crate::git::{self, Entry, Id, Kind, Mode, loose_commit, raw, raw_against, tree_entries};

/// So long a client may be away and is still sent only what is new to it.
const KEPT: Duration = Duration::from_hours(24 * 60);
/// All of them take at most this part of what the packs take, but for the newest.
const PART: u64 = 4;
/// What is longer is sent as a whole.
const LONGEST: usize = 4 << 20;

/// Writes what is new in a commit after another one of this tree, which was made at this second.
///
/// # Errors
/// When something cannot be read or written. Clients then fetch what they would as new ones.
pub(crate) fn write_step(store: &Store, old: (Id, Id), new: (Id, Id), made: u64) -> Result<(), Error> {
    let path = store.loose(new.0);
    let commit = fs::read(&path).map_err(at(&path))?;
    let commit = loose_commit(&commit).ok_or(Error::Lost(new.0))?;
    let commit = (new.0, None, raw(Kind::Commit, &commit).map_err(at(&path))?);
    let objects = between(store, Some(commit), old.1, new.1)?;
    make(&store.steps())?;
    let text = git::step::write(&objects).map_err(at(store.steps()))?;
    write(&store.step(old.0, new.0), &text)?;
    bundles::add(store, old.0, new.0, &objects, made)
}

/// How many bytes are new in a tree after another one: as a step, and as a bundle.
///
/// # Errors
/// When something cannot be read.
pub(crate) fn bytes_between(store: &Store, old: Id, new: Id) -> Result<(usize, usize), Error> {
    let objects = between(store, None, old, new)?;
    let step = git::step::write(&objects).map_err(at(store.steps()))?;
    let bundle = git::bundle::bundle(old, new, &objects).map_err(at(store.bundles()))?;
    Ok((step.len(), bundle.len()))
}

/// What is new in a tree after another one, and this object.
fn between(store: &Store, first: Option<Object>, old: Id, new: Id) -> Result<Vec<Object>, Error> {
    let packs = store.packs();
    let reader = Reader::open(store, packs.iter())?;
    let mut stepping = Stepping { reader, seen: HashSet::new(), objects: first.into_iter().collect() };
    stepping.object(Some(old), new)?;
    Ok(stepping.objects)
}

struct Stepping<'a> {
    reader: Reader<'a>,
    seen: HashSet<Id>,
    objects: Vec<Object>,
}

impl Stepping<'_> {
    /// Adds an object, and all below it that is new.
    fn object(&mut self, old: Option<Id>, new: Id) -> Result<(), Error> {
        if old == Some(new) || !self.seen.insert(new) {
            return Ok(());
        }
        let (kind, content) = self.reader.content(new)?;
        let old = old.and_then(|old| Some((old, self.reader.content(old).ok()?)));
        let old = old.filter(|(_, (other, _))| *other == kind).map(|(id, (_, content))| (id, content));
        let whole = raw(kind, &content).map_err(at(new.to_string()))?;
        let against = match &old {
            Some((id, base)) if base.len().max(content.len()) <= LONGEST => {
                let raw = raw_against((*id, base), &content).map_err(at(new.to_string()))?;
                Some((Some(*id), raw)).filter(|(_, raw)| raw.len() < whole.len())
            }
            _ => None,
        };
        let (base, raw) = against.unwrap_or((None, whole));
        self.objects.push((new, base, raw));
        if kind == Kind::Tree {
            let before = old.map_or(Some(Vec::new()), |(_, content)| tree_entries(&content));
            let before = before.unwrap_or_default();
            let names: BTreeMap<&[u8], &Entry> =
                before.iter().map(|entry| (entry.name.as_slice(), entry)).collect();
            for entry in tree_entries(&content).ok_or(Error::Lost(new))? {
                self.object(counterpart(&names, &entry).map(|entry| entry.id), entry.id)?;
            }
        }
        Ok(())
    }
}

/// What an entry was before: that of its name, or else, of a file, the one whose name begins most like its own, as the ebuild of the
/// version before does.
fn counterpart<'a>(before: &BTreeMap<&[u8], &'a Entry>, entry: &Entry) -> Option<&'a Entry> {
    let name = entry.name.as_slice();
    if let Some(same) = before.get(name) {
        return Some(same);
    }
    if entry.mode == Mode::Tree {
        return None;
    }
    let common = |other: &[u8]| other.iter().zip(name).take_while(|(a, b)| a == b).count();
    // The most like it is one of its neighbours.
    let beside = before.range(..name).next_back().into_iter().chain(before.range(name..).next());
    let files = beside.filter(|(_, other)| other.mode != Mode::Tree);
    files
        .max_by_key(|(other, _)| common(other))
        .filter(|(other, _)| common(other) > 0)
        .map(|(_, other)| *other)
}

/// Removes what is of use to clients alone that were away for too long, and the oldest when all of a kind are too much.
pub(super) fn tidy(store: &Store, now: SystemTime) {
    let most = store.packs().iter().map(|pack| pack.size).sum::<u64>() / PART;
    bound(&store.steps(), most, usize::MAX, now);
    if bound(&store.bundles(), most, bundles::MOST, now) > 0 {
        // Whoever goes by the old list is told that a bundle is gone, and fetches packs.
        drop(bundles::write_list(store));
    }
}

/// Removes the oldest of the files in a directory, but for the newest; how many.
fn bound(directory: &Path, most: u64, count: usize, now: SystemTime) -> usize {
    let Ok(entries) = fs::read_dir(directory) else { return 0 };
    let known = |entry: fs::DirEntry| {
        let meta = entry.metadata().ok()?;
        Some((meta.modified().ok()?, meta.len(), entry.path()))
    };
    let files = entries.flatten().filter(|entry| entry.file_name() != bundles::LIST);
    let mut files: Vec<_> = files.filter_map(known).collect();
    files.sort_unstable_by(|a, b| b.cmp(a));
    let (mut all, mut removed) = (0, 0);
    for (number, (written, size, path)) in files.into_iter().enumerate() {
        all += size;
        let is_old = now.duration_since(written).is_ok_and(|age| age > KEPT);
        // What cannot be removed is tried again with the next release.
        if number > 0 && (is_old || all > most || number >= count) && fs::remove_file(path).is_ok() {
            removed += 1;
        }
    }
    removed
}
