//! Git's objects and packs, as bytes: as much of them as it takes to offer a tree of files. Pure.
//!
//! Sources: gitformat-pack(5), gitprotocol-pack(5), and git-mktree(1) for the order of a tree. Packs on the volume have no deltas, so that
//! each object is read, and copied to another pack, by itself; what a client is sent that has the tree before is a [`step`], and of a server of
//! plain files a [`bundle`].

pub(crate) mod bundle;
mod delta;
mod id;
mod index;
mod object;
mod pack;
pub(crate) mod step;
pub(crate) mod upload;

pub(crate) use id::{Id, Kind};
pub(crate) use index::{Index, Packed};
pub(crate) use object::{Commit, Entry, Mode, loose, loose_commit, tree, tree_entries};
pub(crate) use pack::{Pack, beginning, count, raw, raw_against, seal, unpack};
