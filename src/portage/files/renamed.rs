//! Packages that a repository has given another name: `profiles/updates/[1-4]Q-YYYY` (PMS, "Updates files").
//!
//! Portage renames what is installed, and entries of the world for what is installed (`portage/_global_updates.py`). A world that comes to
//! another root keeps the old name.

use std::collections::BTreeMap;

/// The latest names, by every earlier one. Each file comes with its name, in any order; what is no such file has no part in it.
pub(crate) fn read<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> BTreeMap<String, String> {
    let mut files: Vec<_> =
        files.into_iter().filter_map(|(name, text)| Some((quarter(name)?, text))).collect();
    files.sort_unstable_by_key(|(quarter, _)| *quarter);
    let mut latest: BTreeMap<String, String> = BTreeMap::new();
    for (_, text) in files {
        for line in String::from_utf8_lossy(text).lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let ["move", old, new] = words[..] else { continue };
            latest.remove(new);
            latest.values_mut().filter(|name| *name == old).for_each(|name| new.clone_into(name));
            latest.insert(old.to_owned(), new.to_owned());
        }
    }
    latest
}

/// The year and the quarter that a file is of.
fn quarter(name: &str) -> Option<(u16, u8)> {
    let (quarter, year) = name.split_once("Q-")?;
    let quarter = quarter.parse().ok().filter(|quarter| (1..=4).contains(quarter))?;
    (year.len() == 4).then(|| year.parse().ok()).flatten().map(|year| (year, quarter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_name_counts() {
        let files = [
            ("1Q-2026", "move a/second a/third\nmove a/there a/elsewhere\n"),
            ("4Q-2025", "move a/first a/second\nslotmove a/x 0 1\nmove a/odd\n\u{fffd}\n"),
            ("2Q-2026", "move a/elsewhere a/there\n"),
            ("README", "move a/y a/z\n"),
            ("5Q-2026", "move a/y a/z\n"),
            ("1Q-26", "move a/y a/z\n"),
        ];
        let renamed = read(files.map(|(name, text)| (name, text.as_bytes())));
        let renamed: Vec<_> = renamed.iter().map(|(old, new)| (old.as_str(), new.as_str())).collect();
        assert_eq!(renamed, [("a/elsewhere", "a/there"), ("a/first", "a/third"), ("a/second", "a/third")]);
    }
}
