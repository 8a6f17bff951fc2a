//! What `--exclude` accepts, and what it leaves out.

use std::collections::HashMap;

use super::cpv::{is_name, version_start};

/// Reduces what a person may call a package to what `--exclude` accepts: `category/package` or
/// `category/package:slot`. Wildcards are kept. `None` when nothing usable is left.
///
/// emerge refuses operators, versions, USE dependencies and repositories there and ends with a
/// usage error (`_emerge.main:_find_bad_atoms`).
pub(crate) fn exclude_atom(atom: &str) -> Option<String> {
    let atom = atom.trim();
    let bare = atom.trim_start_matches(['!', '<', '>', '=', '~']);
    let versioned = bare.len() < atom.len();
    let bare = bare.split('[').next()?.split("::").next()?;
    let (name, slot) = match bare.split_once(':') {
        Some((name, slot)) => (name, Some(slot.trim_end_matches(['=', '*']))),
        None => (bare, None),
    };
    let (category, package) = name.split_once('/')?;
    let package = package.strip_suffix('*').filter(|_| versioned).unwrap_or(package);
    let package = match version_start(package) {
        // What is left of a pattern would mean more packages.
        Some(_) if package.contains('*') => return None,
        Some(at) => &package[..at],
        None => package,
    };
    // `portage.dep.Atom`: no wildcard of two.
    if category.contains("**")
        || package.contains("**")
        || !is_name(category, b"+_.-*")
        || !is_name(package, b"+_-*")
    {
        return None;
    }
    match slot.map(|slot| slot.split('/').next().unwrap_or(slot)) {
        Some(slot) if is_name(slot, b"+_.-") => Some(format!("{category}/{package}:{slot}")),
        _ => Some(format!("{category}/{package}")),
    }
}

/// Whether `--exclude` with this atom, as a person wrote it, leaves out a package, `category/name`, in this slot.
#[must_use]
pub fn excludes(atom: &str, cp: &str, slot: &str) -> bool {
    Excluded::by([atom]).takes(cp, slot)
}

/// What `--exclude` with some atoms leaves out, looked up by name.
#[derive(Debug, Default)]
pub(crate) struct Excluded {
    /// By name: the slots that are meant, or all.
    names: HashMap<String, Vec<Option<String>>>,
    /// The same by a name with a wildcard.
    patterns: Vec<(String, Option<String>)>,
}

impl Excluded {
    /// By atoms as a person wrote them.
    pub(crate) fn by<'a>(atoms: impl IntoIterator<Item = &'a str>) -> Self {
        let mut excluded = Self::default();
        for atom in atoms.into_iter().filter_map(exclude_atom) {
            let (name, slot) = match atom.split_once(':') {
                Some((name, slot)) => (name.to_owned(), Some(slot.to_owned())),
                None => (atom, None),
            };
            if name.contains('*') {
                excluded.patterns.push((name, slot));
            } else {
                excluded.names.entry(name).or_default().push(slot);
            }
        }
        excluded
    }

    /// Whether this is among it: a package, `category/name`, and its slot.
    pub(crate) fn takes(&self, cp: &str, slot: &str) -> bool {
        let is_in = |only: &Option<String>| only.as_deref().is_none_or(|only| only == slot);
        self.names.get(cp).is_some_and(|slots| slots.iter().any(is_in))
            || self.patterns.iter().any(|(name, only)| is_in(only) && matches(name.as_bytes(), cp.as_bytes()))
    }
}

/// Whether a text is like a pattern in which `*` stands for anything. Only the last `*` ever has to take more: what stands
/// before it is found as early as it can be.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut in_pattern, mut in_text) = (0, 0);
    // Where the last `*` stands, and up to where it stands for the text.
    let mut star = None;
    while let Some(byte) = text.get(in_text) {
        match (pattern.get(in_pattern), star) {
            (Some(b'*'), _) => {
                star = Some((in_pattern, in_text));
                in_pattern += 1;
            }
            (Some(wanted), _) if wanted == byte => {
                in_pattern += 1;
                in_text += 1;
            }
            (_, Some((at, end))) => {
                star = Some((at, end + 1));
                (in_pattern, in_text) = (at + 1, end + 1);
            }
            (_, None) => return false,
        }
    }
    pattern[in_pattern..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exclusions_mean_packages() {
        for (atom, cp, slot, want) in [
            ("sys-libs/zlib", "sys-libs/zlib", "0", true),
            (">=sys-libs/zlib-1.3", "sys-libs/zlib", "0", true),
            ("sys-libs/zlib", "sys-libs/zlib-ng", "0", false),
            ("dev-lang/python:3.12", "dev-lang/python", "3.12", true),
            ("dev-lang/python:3.12", "dev-lang/python", "3.13", false),
            ("dev-qt/*", "dev-qt/qtbase", "6", true),
            ("*/*base", "dev-qt/qtbase", "6", true),
            ("dev-qt/*", "dev-qtx/qtbase", "6", false),
            ("dev-*/*b*e", "dev-qt/qtbase", "6", true),
            ("dev-*/*b*x", "dev-qt/qtbase", "6", false),
            ("zlib", "sys-libs/zlib", "0", false),
        ] {
            assert_eq!(excludes(atom, cp, slot), want, "{atom} {cp}:{slot}");
        }
    }

    /// With each `*` that is tried on its own this would take longer than the universe lasts.
    #[test]
    fn patterns_of_many_stars_are_matched() {
        let pattern = format!("a/{}b", "*a".repeat(60));
        assert!(!excludes(&pattern, &format!("a/{}", "a".repeat(200)), "0"));
        assert!(excludes(&pattern, &format!("a/{}b", "a".repeat(200)), "0"));
    }

    #[test]
    fn exclusions_are_what_emerge_accepts() {
        for (atom, want) in [
            ("sys-libs/zlib", Some("sys-libs/zlib")),
            ("=sys-libs/zlib-1.3.1-r1", Some("sys-libs/zlib")),
            (">=sys-libs/zlib-1.3:0/1=", Some("sys-libs/zlib:0")),
            ("sys-libs/zlib-1.3.1", Some("sys-libs/zlib")),
            ("=dev-lang/python-3.12*", Some("dev-lang/python")),
            ("dev-lang/python:3.12::gentoo", Some("dev-lang/python:3.12")),
            ("media-libs/freetype[harfbuzz]", Some("media-libs/freetype")),
            ("dev-qt/*", Some("dev-qt/*")),
            ("*/*base:6", Some("*/*base:6")),
            ("*/****b", None),
            ("a/**", None),
            ("**/b", None),
            ("*/*-1", None),
            ("-a/b", None),
            ("a/-b", None),
            ("a/é", None),
            ("zlib", None),
            ("@world", None),
            ("", None),
        ] {
            assert_eq!(exclude_atom(atom).as_deref(), want, "{atom}");
        }
    }
}
