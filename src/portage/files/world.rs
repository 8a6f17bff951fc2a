//! The world: what a person wants to have, by name.
//!
//! Source: portage(5) (`world`, `world_sets`, `sets`) and `portage/_sets/files.py`.

use std::collections::BTreeSet;

/// The sets that a person wrote: a file for each.
pub(crate) const SETS: &str = "/etc/portage/sets";

/// The atoms of a world file and those of the sets that stand beside it, as far as they are written down: `set` returns the
/// text of the file of a set in [`SETS`]. Other sets are computed from what is installed, and ask for nothing that is not; those
/// that a repository defines are passed over with them.
pub(crate) fn atoms(world: &str, world_sets: &str, set: impl Fn(&str) -> Option<String>) -> BTreeSet<String> {
    let mut atoms = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut texts = vec![world.to_owned(), world_sets.to_owned()];
    while let Some(text) = texts.pop() {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        for line in lines.filter(|line| !line.is_empty()) {
            match line.strip_prefix('@') {
                None => drop(atoms.insert(line.to_owned())),
                Some(name) if seen.insert(name.to_owned()) => texts.extend(set(name)),
                Some(_) => {}
            }
        }
    }
    atoms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_within_sets() {
        let set = |name: &str| match name {
            "mine" => Some("# of mine\na/b:2\n@more\n".to_owned()),
            "more" => Some(">=a/c-1  # because\n@mine\n".to_owned()),
            _ => None,
        };
        let all = atoms("a/x\n\na/y::z\n", "@mine\n@live-rebuild\n", set);
        assert_eq!(all.iter().map(String::as_str).collect::<Vec<_>>(), [">=a/c-1", "a/b:2", "a/x", "a/y::z"]);
        assert_eq!(atoms("", "", set), BTreeSet::new());
    }
}
