//! The ebuild repositories of a release.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::Deserialize;

use super::{Error, RELEASE, Releases};
use crate::binhost::trees::{
    Store, bytes_in, checkout, gather, references, tidy as tidy_store, write_commit, write_step,
};
use crate::decide::trees::{Next, differs, next};
use crate::git::{Commit, Id as Object};
use crate::model::release::{Id, Release, Snapshot, Tree};
use crate::portage::files::gpkg::sign::Signer;
use crate::volume;

/// Takes the files of a repository to where clients can be offered them. They are in no release by that.
///
/// # Errors
/// When somebody cannot be kept from changing the releases meanwhile.
pub fn snapshot(
    volume: &Path,
    name: &str,
    location: &Path,
    stopped: impl FnMut() -> bool,
) -> Result<Snapshot, Error> {
    let releases = Releases::on(volume);
    let _alone = releases.lock()?;
    let store = Store::of(&releases.directory(), name);
    Ok(match gather(&store, location, || volume::look(volume).free, stopped) {
        Ok(tree) => Snapshot::Tree(tree.to_string()),
        Err(error) => Snapshot::Unwritten(error.to_string()),
    })
}

/// Brings a repository of a release back as files, into a directory that is not there yet.
///
/// # Errors
/// Why it cannot be, in words.
pub(crate) fn lay_out_tree(
    volume: &Path,
    name: &str,
    tree: &str,
    to: &Path,
    stopped: impl FnMut() -> bool,
) -> Result<(), String> {
    let tree = tree.parse().map_err(|_| "its name is none".to_owned())?;
    let store = Store::of(&Releases::on(volume).directory(), name);
    checkout(&store, tree, to, stopped).map_err(|error| error.to_string())
}

/// How many bytes a client that has the first of two trees of a repository is sent by a builder, and takes from a server of plain files;
/// nothing when one of them is not there.
#[must_use]
pub fn bytes_between(volume: &Path, name: &str, old: &str, new: &str) -> Option<(usize, usize)> {
    let store = Store::of(&Releases::on(volume).directory(), name);
    bytes_in(&store, old.parse().ok()?, new.parse().ok()?).ok()
}

/// What the repositories of an older release are to become again, after the one before.
pub(super) fn again(
    releases: &Releases,
    target: &Release,
    before: Option<&Release>,
) -> BTreeMap<String, Snapshot> {
    let lost = |name: &String| {
        let words = format!("release {} has none of {name}, or it is gone", target.id);
        (name.clone(), Snapshot::Unwritten(words))
    };
    let mut snapshots: BTreeMap<_, _> =
        before.iter().flat_map(|before| before.trees.keys()).map(lost).collect();
    for (name, tree) in &target.trees {
        let store = Store::of(&releases.directory(), name);
        if tree.tree.parse().is_ok_and(|id| store.has(id)) {
            snapshots.insert(name.clone(), Snapshot::Tree(tree.tree.clone()));
        }
    }
    snapshots
}

impl Releases {
    /// Whether the release on offer has exactly these repositories.
    pub(crate) fn has(&self, snapshots: &BTreeMap<String, Snapshot>) -> bool {
        let Some(current) = self.current().and_then(|id| self.read(id).ok()) else { return false };
        !differs(&current, &next(Some(&current), snapshots, current.signed.as_deref()))
            && self.check(&current).is_ok()
    }
}

/// What the repositories of a release are.
pub(super) struct Offered {
    pub(super) trees: BTreeMap<String, Tree>,
    /// What went wrong, in words.
    pub(super) problems: Vec<String>,
}

/// Has the release in this directory, which is not offered yet, offer its repositories. Packages do not wait for what fails here: then
/// the repository stays as it was before.
pub(super) fn offer<S: Signer>(
    releases: &Releases,
    directory: &Path,
    next: BTreeMap<String, Next>,
    before: Option<&Release>,
    (id, stamp): (Id, Timestamp),
    (is_signed, signer): (bool, Option<&S>),
) -> Offered {
    let mut offered = Offered { trees: BTreeMap::new(), problems: Vec::new() };
    for (name, next) in next {
        let commit = match next {
            Next::Same(tree) => Ok(tree),
            Next::Commit { .. } if is_signed && signer.is_none() => {
                Err("the key that clients trust is not here".to_owned())
            }
            Next::Commit { tree, parent, depth } => {
                let message = format!("release {id}");
                let written = tree.parse().map_err(|_| "its name is none".to_owned()).and_then(|object| {
                    let commit = Commit {
                        tree: object,
                        parent: parent.and_then(|parent| parent.parse().ok()),
                        time: stamp.as_second(),
                        message: &message,
                    };
                    let store = Store::of(&releases.directory(), &name);
                    write_commit(&store, &commit, signer.filter(|_| is_signed))
                        .map_err(|error| error.to_string())
                });
                written.map(|commit| Tree { commit: commit.to_string(), tree, depth })
            }
        };
        let tree = commit.or_else(|why| {
            offered.problems.push(format!("the tree of {name} stays as it was offered before: {why}"));
            before.and_then(|before| before.trees.get(&name)).cloned().ok_or(())
        });
        let Ok(tree) = tree else { continue };
        let last = before.and_then(|before| before.trees.get(&name));
        if let Some(last) = last.filter(|last| last.commit != tree.commit) {
            offered.problems.extend(
                step(&Store::of(&releases.directory(), &name), last, &tree, stamp).err().map(|why| {
                    format!("clients fetch all of the tree of {name} for what is new in it: {why}")
                }),
            );
        }
        match references(directory, &name, &tree.commit) {
            Ok(()) => drop(offered.trees.insert(name, tree)),
            Err(error) => offered.problems.push(format!("the tree of {name} is not offered: {error}")),
        }
    }
    offered
}

/// Writes what a client needs that has the commit before.
fn step(store: &Store, last: &Tree, next: &Tree, stamp: Timestamp) -> Result<(), String> {
    let names = [&last.commit, &last.tree, &next.commit, &next.tree].map(|name| name.parse::<Object>());
    let [Ok(old), Ok(old_tree), Ok(new), Ok(new_tree)] = names else {
        return Err("its name is none".to_owned());
    };
    let made = stamp.as_second().try_into().unwrap_or_default();
    write_step(store, (old, old_tree), (new, new_tree), made).map_err(|error| error.to_string())
}

/// What a release says of its repositories, without all that it says of its packages.
#[derive(Deserialize)]
struct Repositories {
    schema: u32,
    #[serde(default)]
    trees: BTreeMap<String, Tree>,
}

impl Releases {
    /// The repositories of a release; nothing when it does not say.
    fn trees(&self, id: Id) -> Option<BTreeMap<String, Tree>> {
        let text = fs::read(self.place(id).join(RELEASE)).ok()?;
        let Repositories { schema, trees } = serde_json::from_slice(&text).ok()?;
        (schema <= Release::SCHEMA).then_some(trees)
    }
}

/// Bounds what the repositories take, and removes those that nobody is offered. What fails is tried again with the next release.
pub(super) fn tidy(releases: &Releases, snapshots: &BTreeMap<String, Snapshot>) -> Vec<String> {
    let names = Store::names(&releases.directory());
    if names.is_empty() {
        return Vec::new();
    }
    let all: BTreeMap<Id, BTreeMap<String, Tree>> =
        releases.ids().into_iter().filter_map(|id| Some((id, releases.trees(id)?))).collect();
    let Some(offered) = releases.current().and_then(|current| all.get(&current)) else { return Vec::new() };
    let used =
        |name: &str| offered.contains_key(name) || matches!(snapshots.get(name), Some(Snapshot::Tree(_)));
    let mut problems = Vec::new();
    for name in names {
        let store = Store::of(&releases.directory(), &name);
        if !used(&name) {
            // Clients are refused it from now on, and learn of it by that.
            drop(store.remove());
            continue;
        }
        let trees = || all.values().filter_map(|trees| trees.get(&name));
        let mut needed: Vec<Object> = trees().filter_map(|tree| tree.tree.parse().ok()).collect();
        if let Some(Snapshot::Tree(tree)) = snapshots.get(&name) {
            needed.extend(tree.parse::<Object>());
        }
        needed.sort_unstable();
        needed.dedup();
        let needed = store.present(needed);
        let commits: Vec<Object> = trees().filter_map(|tree| tree.commit.parse().ok()).collect();
        if let Err(error) = tidy_store(&store, &needed, &commits, SystemTime::now()) {
            problems.push(format!("the packs of the tree of {name} stay as many as they are: {error}"));
        }
    }
    problems
}
