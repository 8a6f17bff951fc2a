//! What the releases have in them, read once: a release never changes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use super::tree::{PACKAGES, Tree};
use crate::decide::catalogue::{Built, Offered, built};
use crate::model::records::CycleRow;
use crate::model::release::{Id, Release};
use crate::portage::files::index::Index;

/// So many releases are kept in memory, the newest.
const MOST: usize = 32;
/// The most that is read of an index.
const LONGEST: u64 = 64 << 20;

/// Cycles as they were told, the newest first.
type Cycles = Arc<[Arc<CycleRow>]>;

/// The contents of releases.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    releases: Mutex<BTreeMap<Id, Arc<Release>>>,
    offered: Mutex<Arc<Offered>>,
    /// Of which cycles, and what was built in them.
    built: Mutex<(Cycles, Arc<Built>)>,
}

impl Shelf {
    /// What each of the newest releases has, the newest first.
    pub(super) fn releases(&self, tree: &Tree) -> Vec<Arc<Release>> {
        let mut ids = tree.ids().unwrap_or_default();
        ids.truncate(MOST);
        let mut read = self.releases.lock().unwrap_or_else(PoisonError::into_inner);
        read.retain(|id, _| ids.contains(id));
        for id in ids {
            if let Entry::Vacant(place) = read.entry(id)
                && let Some(release) = read_of(tree, id)
            {
                place.insert(Arc::new(release));
            }
        }
        read.values().rev().cloned().collect()
    }

    /// One of them, or an older one.
    pub(super) fn release(&self, tree: &Tree, id: Id) -> Option<Arc<Release>> {
        let kept = self.releases.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        kept.or_else(|| read_of(tree, id).map(Arc::new))
    }

    /// What was built in these cycles, looked through once for each change of them.
    pub(super) fn built(&self, cycles: &Cycles) -> Arc<Built> {
        let mut kept = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&kept.0, cycles) {
            let rows: Vec<&CycleRow> = cycles.iter().map(AsRef::as_ref).collect();
            *kept = (Arc::clone(cycles), Arc::new(built(&rows)));
        }
        Arc::clone(&kept.1)
    }

    /// The index on offer.
    pub(super) fn offered(&self, tree: &Tree) -> Arc<Offered> {
        let current = tree.current();
        let mut offered = self.offered.lock().unwrap_or_else(PoisonError::into_inner);
        if offered.id != current {
            let new = current.and_then(|id| {
                let text = tree.beginning(&format!("{id}/{PACKAGES}"), LONGEST).ok()?;
                Some(Offered::new(id, Index::parse(text.as_bytes())))
            });
            *offered = Arc::new(new.unwrap_or_default());
        }
        Arc::clone(&offered)
    }
}

fn read_of(tree: &Tree, id: Id) -> Option<Release> {
    let mut release: Release = serde_json::from_str(&tree.text(&format!("{id}/release.json")).ok()?).ok()?;
    for package in &mut release.packages {
        // Half of it is digests, which nobody is shown.
        for digest in [&mut package.md5, &mut package.sha512] {
            *digest = String::new();
        }
    }
    Some(release)
}
