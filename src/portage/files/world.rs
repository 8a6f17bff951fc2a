//! The world: what a person wants to have, by name.
//!
//! Source: portage(5) (`world`, `world_sets`, `sets`) and `portage/_sets/files.py`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::portage::names::atom::Atom;

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

/// What is asked for, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// The sets that no file of [`SETS`] describes, without their `@`, each with its place.
    pub(crate) sets: Vec<(Place, String)>,
    /// What Portage passes over in silence, because it is neither an atom nor a set.
    pub(crate) unread: Vec<(Place, String)>,
}

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which file.
    pub(crate) file: PathBuf,
    /// Which line of it, counted from 1.
    pub(crate) line: usize,
}

/// What may stand in a file (`portage/_sets/files.py`: WorldSelectedPackagesSet, WorldSelectedSetsSet, StaticFileSet).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    Atoms,
    Sets,
    Both,
}

/// Goes through the world, its sets and those of `more` (`@name`); `text` returns what a file has, where there is one. Of each line
/// the first word counts (`portage/env/loaders.py:ItemFileLoader`).
pub(crate) fn wanted(
    world: &Path,
    world_sets: &Path,
    more: &[String],
    text: impl Fn(&Path) -> Option<String>,
) -> Wanted {
    let mut wanted = Wanted::default();
    let of_set = |name: &str| Path::new(SETS).join(name);
    let mut files = vec![(world.to_path_buf(), Holds::Atoms), (world_sets.to_path_buf(), Holds::Sets)];
    files.extend(more.iter().filter_map(|word| Some((of_set(word.strip_prefix('@')?), Holds::Both))));
    let mut at = 0;
    while let Some((file, holds)) = files.get(at).cloned() {
        at += 1;
        for (line, word) in text(&file).iter().flat_map(|text| first_words(text)) {
            let place = Place { file: file.clone(), line };
            match word.strip_prefix('@') {
                Some(name) if holds != Holds::Atoms => {
                    let set = of_set(name);
                    if text(&set).is_none() {
                        wanted.sets.push((place, name.to_owned()));
                    } else if !files.iter().any(|(known, _)| *known == set) {
                        files.push((set, Holds::Both));
                    }
                }
                None if holds != Holds::Sets && Atom::parse(word).is_ok_and(|atom| !atom.blocks()) => {}
                _ => wanted.unread.push((place, word.to_owned())),
            }
        }
    }
    wanted
}

fn first_words(text: &str) -> Vec<(usize, &str)> {
    let words =
        text.lines().enumerate().filter_map(|(at, line)| Some((at + 1, line.split_whitespace().next()?)));
    words.filter(|(_, word)| !word.starts_with('#')).collect()
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

    /// What Portage 3.0.83 made of such files: `Validation failed at line: 2, data bad` of a set, and of a world nothing.
    #[test]
    fn what_is_neither_an_atom_nor_a_set() {
        let text = |file: &Path| match file.to_str().unwrap() {
            "/w" => Some("a/x\n=a/x\n\n# none\na/x::r more\n@mine\n!a/b\n"),
            "/s" => Some("@mine\n@nope\nnope\n"),
            "/etc/portage/sets/mine" => Some("a/b:2\nbad atom here\n@more\n"),
            "/etc/portage/sets/more" => Some("@mine\n  @other # why\n"),
            _ => None,
        };
        let wanted =
            wanted(Path::new("/w"), Path::new("/s"), &["@more".to_owned(), "@none".to_owned()], |file| {
                text(file).map(str::to_owned)
            });
        let told = |all: &[(Place, String)]| {
            all.iter()
                .map(|(place, word)| format!("{}:{} {word}", place.file.display(), place.line))
                .collect::<Vec<_>>()
        };
        assert_eq!(told(&wanted.sets), ["/s:2 nope", "/etc/portage/sets/more:2 other"]);
        assert_eq!(
            told(&wanted.unread),
            ["/w:2 =a/x", "/w:6 @mine", "/w:7 !a/b", "/s:3 nope", "/etc/portage/sets/mine:2 bad"]
        );
    }
}
