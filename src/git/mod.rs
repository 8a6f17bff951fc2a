//! Git's objects and packs, as bytes: as much of them as it takes to offer a tree of files. Pure.
//!
//! Sources: gitformat-pack(5), and git-mktree(1) for the order of a tree. Packs made here have no deltas, so that each object is
//! read, and copied to another pack, by itself.

mod id;
mod index;
mod object;
mod pack;

pub(crate) use id::{Id, Kind};
pub(crate) use index::{Index, Packed};
pub(crate) use object::{Commit, Entry, Mode, loose, tree, tree_entries};
pub(crate) use pack::{Pack, seal, unpack};
