//! What is new in each commit, as git takes it from a server of plain files: `releases/tree/NAME.git/bundles/`.
//!
//! Only objects come from there. Which commit clients get is what the release offers, and Portage verifies that one.

use std::fs;

use super::store::{Object, Store, make, write};
use super::{Error, at};
use crate::git::{Id, bundle};

/// What names them all, beside them.
pub(super) const LIST: &str = "list";
/// So many are there at most: each is a few lines of what every sync reads.
pub(super) const MOST: usize = 64;

/// Adds what is new in a commit after another one. Its number is the second in which that was made, or more: it is higher than all that
/// were there, or clients would pass over it.
pub(super) fn add(store: &Store, old: Id, new: Id, objects: &[Object], made: u64) -> Result<(), Error> {
    let place = store.bundles();
    make(&place)?;
    let number = numbers(store).last().map_or(made, |last| made.max(last.saturating_add(1)));
    write(&place.join(number.to_string()), &bundle::bundle(old, new, objects).map_err(at(&place))?)?;
    write_list(store)
}

/// Tells clients of those that are there.
pub(super) fn write_list(store: &Store) -> Result<(), Error> {
    write(&store.bundles().join(LIST), bundle::list(&numbers(store)).as_bytes())
}

/// In order.
fn numbers(store: &Store) -> Vec<u64> {
    let entries = fs::read_dir(store.bundles()).into_iter().flatten().flatten();
    let mut numbers: Vec<u64> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}
