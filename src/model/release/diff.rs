//! How two releases differ.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::{Entry, Id, Release};
use crate::model::offer::Held;
use crate::portage::names::version;
use crate::portage::output::glsa::Advisory;

/// How a release differs from another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The one it is compared with; absent: with nothing.
    pub from: Option<Id>,
    /// This one.
    pub to: Option<Id>,
    /// What only this one has.
    pub added: Vec<Change>,
    /// What only the other one has.
    pub removed: Vec<Change>,
    /// What has a newer version here.
    pub upgraded: Vec<Change>,
    /// What has an older version here.
    pub downgraded: Vec<Change>,
    /// What has the same version here, built anew.
    pub rebuilt: Vec<Change>,
    /// How many packages are the same.
    pub unchanged: usize,
    /// Bytes of all packages of the other one.
    pub size_before: u64,
    /// Bytes of all packages of this one.
    pub size: u64,
    /// Bytes that a client downloads which has all packages of the other one.
    pub download: u64,
    /// What is held back here.
    pub held: Vec<Held>,
    /// The security advisories that the other one was affected by, and this one is not.
    pub fixes: Vec<Advisory>,
    /// Those that this one is affected by.
    pub open: Vec<Advisory>,
}

/// A package that is not the same in both, by its name and slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `category/name`; of a build beside the common one with its flags: `category/name (-bar)`.
    pub package: String,
    /// Its slot, without the sub-slot.
    pub slot: String,
    /// Its version there.
    pub before: Option<String>,
    /// Its version here.
    pub after: Option<String>,
    /// The size of its file there, in bytes.
    pub size_before: Option<u64>,
    /// The size of its file here, in bytes.
    pub size: Option<u64>,
    /// Why it was built.
    pub why: Option<String>,
}

impl Diff {
    /// What is different in `to`, compared with `from`, or with nothing.
    pub(crate) fn new(from: Option<&Release>, to: &Release) -> Self {
        let open = to.origin.open.clone().unwrap_or_default();
        let mut diff = Self {
            fixes: fixes(from, to),
            open,
            from: from.map(|from| from.id),
            to: Some(to.id),
            size_before: from.map(Release::size).unwrap_or_default(),
            size: to.size(),
            held: to.held.clone(),
            ..Self::default()
        };
        // Nearly all is the same as before, as a rule, so that only the rest is put in order.
        let mut there: HashMap<_, _> = from.iter().flat_map(|from| by_slot(from)).collect();
        let mut different = Vec::new();
        for (slot, after) in by_slot(to) {
            match there.remove(&slot) {
                Some(before) if before.source() == after.source() => diff.unchanged += 1,
                before => different.push((slot, before, after)),
            }
        }
        different.sort_unstable_by_key(|(slot, ..)| *slot);
        for (slot, before, after) in different {
            match before {
                None => diff.added.push(Change::new(slot, None, Some(after))),
                Some(before) => {
                    let change = Change::new(slot, Some(before), Some(after));
                    match version::compare(after.cpv.version(), before.cpv.version()) {
                        Ordering::Greater => diff.upgraded.push(change),
                        Ordering::Less => diff.downgraded.push(change),
                        Ordering::Equal => diff.rebuilt.push(change),
                    }
                }
            }
            diff.download = diff.download.saturating_add(after.size);
        }
        let gone: BTreeMap<_, _> = there.into_iter().collect();
        diff.removed = gone.into_iter().map(|(slot, before)| Change::new(slot, Some(before), None)).collect();
        diff
    }

    /// The changes by their kind, in the order in which they are told.
    pub(crate) fn kinds(&self) -> impl Iterator<Item = (&'static str, &[Change])> {
        [
            ("added", &self.added),
            ("upgraded", &self.upgraded),
            ("downgraded", &self.downgraded),
            ("rebuilt", &self.rebuilt),
            ("removed", &self.removed),
        ]
        .into_iter()
        .map(|(kind, changes)| (kind, changes.as_slice()))
    }

    /// `2 upgraded, 1 rebuilt`; `nothing changed` when that is so.
    pub(crate) fn in_short(&self) -> String {
        let some = self.kinds().filter(|(_, changes)| !changes.is_empty());
        let parts: Vec<_> = some.map(|(kind, changes)| format!("{} {kind}", changes.len())).collect();
        if parts.is_empty() { "nothing changed".to_owned() } else { parts.join(", ") }
    }
}

/// What is over, where both looked.
fn fixes(from: Option<&Release>, to: &Release) -> Vec<Advisory> {
    let (Some(before), Some(open)) = (from.and_then(|from| from.origin.open.as_ref()), &to.origin.open)
    else {
        return Vec::new();
    };
    before.iter().filter(|advisory| open.iter().all(|open| open.id != advisory.id)).cloned().collect()
}

/// Packages by name, slot, and the flags by which a build is other than the common one; a release has one of each.
fn by_slot(release: &Release) -> impl Iterator<Item = ((&str, &str, &str), &Entry)> {
    release.packages.iter().map(|entry| {
        let flags = entry.beside.as_deref().unwrap_or_default();
        ((entry.cpv.cp(), entry.slot.as_str(), flags), entry)
    })
}

impl Change {
    fn new(
        (package, slot, flags): (&str, &str, &str),
        before: Option<&Entry>,
        after: Option<&Entry>,
    ) -> Self {
        let version = |entry: &Entry| entry.cpv.version().to_owned();
        Self {
            package: if flags.is_empty() { package.to_owned() } else { format!("{package} ({flags})") },
            slot: slot.to_owned(),
            before: before.map(version),
            after: after.map(version),
            size_before: before.map(|entry| entry.size),
            size: after.map(|entry| entry.size),
            why: after.and_then(|entry| entry.why.clone()),
        }
    }
}
