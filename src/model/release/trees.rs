//! The ebuild repositories of a release, which clients sync from where they have its packages from.

use serde::{Deserialize, Serialize};

/// A repository as a release offers it: the files that its packages were built from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// The commit that clients get; 40 hexadecimal digits. Each has the one of the release before as its parent, also where the tree
    /// is an older one again, since a client passes over a branch that went back in silence.
    pub commit: String,
    /// The tree of that; two releases with the same files have the same.
    pub tree: String,
    /// How many commits there are up to this one, from the first or from where the history was cut.
    pub depth: u32,
}

/// What is to be offered of a repository; on the volume in `state/origin.json`, since a publisher may work where there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Snapshot {
    /// These files: a tree whose objects are on the volume.
    Tree(String),
    /// It could not be written, for this reason; what was offered before stays.
    Unwritten(String),
    /// It may not be handed on, for this reason.
    Withheld(String),
}
