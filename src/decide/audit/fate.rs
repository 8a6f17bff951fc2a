//! What becomes of each build of an index: exactly one of a few things, so that the numbers add up to what is there.

use serde::Serialize;

use crate::portage::files::index::Index;

/// What becomes of one build.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// Clients are offered it.
    Offered,
    /// Another build of its package and slot is offered.
    Replaced,
    /// It is incomplete, as is every other build of its slot, which is installed here, or nothing is.
    Held,
    /// It is incomplete, as is every other build of its slot, which is not installed here while others are.
    Unwanted,
}

/// How many builds have which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Fates {
    /// See [`Fate::Offered`].
    pub offered: usize,
    /// See [`Fate::Replaced`].
    pub replaced: usize,
    /// See [`Fate::Held`].
    pub held: usize,
    /// See [`Fate::Unwanted`].
    pub unwanted: usize,
    /// What the index says of them cannot be read: not even which package they are.
    pub unreadable: usize,
}

impl Fates {
    /// Of what is in an index.
    pub(crate) fn of(fates: &[Fate], index: &Index) -> Self {
        let count = |fate| fates.iter().filter(|one| **one == fate).count();
        Self {
            offered: count(Fate::Offered),
            replaced: count(Fate::Replaced),
            held: count(Fate::Held),
            unwanted: count(Fate::Unwanted),
            unreadable: index.unreadable,
        }
    }

    /// All of them.
    pub(crate) fn total(&self) -> usize {
        self.offered + self.replaced + self.held + self.unwanted + self.unreadable
    }
}
