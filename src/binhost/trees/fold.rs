//! Keeps the packs of a repository few, and what they hold needed.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::BufWriter;
use std::time::{Duration, SystemTime};

use super::reader::{Reader, entries};
use super::store::{NewFile, Pack as Known, Store};
use super::{Error, at, steps};
use crate::decide::trees::to_fold;
use crate::git::{Commit, Id, Mode, Pack, loose_commit};

/// How long what clients are not told of any more stays: some may be in the middle of it.
const GRACE: Duration = Duration::from_hours(24);

/// Makes one of the oldest packs when there are too many, of what these trees need; then removes what nobody was told of for a day.
///
/// `commits` are those that releases offer.
///
/// # Errors
/// When something cannot be read or written. Everything that is needed is there all the same.
pub(crate) fn tidy(store: &Store, trees: &[Id], commits: &[Id], now: SystemTime) -> Result<(), Error> {
    let mut packs = store.packs();
    let folded = to_fold(packs.len());
    if folded > 0 {
        let recent = packs.split_off(folded);
        let old = packs;
        let name = fold(store, &old, &recent, trees)?;
        let names: Vec<String> =
            name.into_iter().chain(recent.iter().map(|pack| pack.name.clone())).collect();
        store.tell(&names)?;
    }
    sweep(store, commits, now);
    steps::tidy(store, now);
    Ok(())
}

/// One pack of what is needed of the old ones, and is not in the recent ones; nothing when that is nothing.
fn fold(store: &Store, old: &[Known], recent: &[Known], trees: &[Id]) -> Result<Option<String>, Error> {
    let kept = Store::objects(recent);
    let reader = Reader::open(store, old.iter().chain(recent))?;
    let (new, file) = NewFile::in_store(store)?;
    let mut pack = Pack::begin(BufWriter::new(file)).map_err(at(new.path()))?;
    let mut seen = HashSet::new();
    let mut left: Vec<(bool, Id)> = trees.iter().map(|id| (true, *id)).collect();
    while let Some((is_tree, id)) = left.pop() {
        if !seen.insert(id) {
            continue;
        }
        if kept.contains(&id) && !is_tree {
            continue;
        }
        let raw = reader.raw(id)?;
        if is_tree {
            let entries = entries(&raw).ok_or(Error::Lost(id))?;
            left.extend(entries.into_iter().map(|entry| (entry.mode == Mode::Tree, entry.id)));
        }
        if !kept.contains(&id) {
            pack.copy(id, &raw).map_err(at(new.path()))?;
        }
    }
    let count = pack.count();
    let (_, packed) = pack.end().map_err(at(new.path()))?;
    if count > 0 { store.adopt(&new, packed).map(Some) } else { Ok(None) }
}

/// Removes what clients were not told of for a day: packs that became one, and commits that nothing leads to.
fn sweep(store: &Store, commits: &[Id], now: SystemTime) {
    let told: HashSet<String> = store.told().into_iter().collect();
    let is_old = |time: SystemTime| now.duration_since(time).is_ok_and(|age| age > GRACE);
    for entry in fs::read_dir(store.packs_in()).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = path.file_stem().and_then(|stem| stem.to_str()?.strip_prefix("pack-"));
        let Some(name) = name.filter(|name| !told.contains(*name)) else { continue };
        let retired = store.of_pack(name, "retired");
        match fs::metadata(&retired).and_then(|meta| meta.modified()) {
            Ok(since) if is_old(since) => {
                for end in ["idx", "pack", "retired"] {
                    drop(fs::remove_file(store.of_pack(name, end)));
                }
            }
            Ok(_) => {}
            Err(_) => drop(File::create(&retired)),
        }
    }
    let mut needed = HashSet::new();
    for commit in commits {
        let mut next = Some(*commit);
        while let Some(id) = next.filter(|id| needed.insert(*id)) {
            next = fs::read(store.loose(id)).ok().and_then(|file| Commit::parent_of(&loose_commit(&file)?));
        }
    }
    for path in store.loose_in() {
        for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
            let first = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let id = (first + &entry.file_name().to_string_lossy()).parse::<Id>();
            let unused = id.is_ok_and(|id| !needed.contains(&id));
            if unused && entry.metadata().and_then(|meta| meta.modified()).is_ok_and(is_old) {
                drop(fs::remove_file(entry.path()));
            }
        }
        drop(fs::remove_dir(&path));
    }
}
