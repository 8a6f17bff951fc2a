//! A release as the server lists it.

use jiff::Timestamp;
use serde::Serialize;

use super::{Id, Label, Release};

/// One of the releases that are there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Its name.
    pub id: Id,
    /// Clients are offered it.
    pub current: bool,
    /// What a person says of it.
    #[serde(flatten)]
    pub label: Label,
    /// What it says of itself; absent when that cannot be read.
    #[serde(flatten)]
    pub told: Option<Told>,
}

/// What a release says of itself, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Told {
    /// When it was made.
    pub published: Timestamp,
    /// How many packages it has.
    pub packages: usize,
    /// Bytes of all of them.
    pub size: u64,
    /// How many packages are held back.
    pub held: usize,
    /// The cycle that was the last to change something in it.
    pub cycle: Option<u64>,
    /// The release whose packages these are, when somebody rolled back to it.
    pub again: Option<Id>,
    /// The fingerprint of the key that it is signed with.
    pub signed: Option<String>,
    /// How many security advisories the release before was affected by, and this one is not.
    pub fixes: usize,
    /// What changed, in a sentence: the beginning of its `CHANGES`; empty when nobody wrote that down.
    pub changes: String,
}

impl Told {
    /// That of a release, with its `CHANGES`.
    #[must_use]
    pub fn of(release: &Release, changes: &str) -> Self {
        let first = changes.lines().next().unwrap_or_default();
        let changes = first.split_once(" UTC: ").map_or("", |(_, rest)| rest);
        Self {
            published: release.published,
            packages: release.packages.len(),
            size: release.size(),
            held: release.held.len(),
            cycle: release.origin.cycle,
            again: release.again,
            signed: release.signed.clone(),
            fixes: release.fixes.len(),
            changes: changes.to_owned(),
        }
    }
}
