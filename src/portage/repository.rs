//! Ebuild repositories, as far as the source files are concerned that they refer to.
//!
//! Sources: `portageq repos_config` (an ini file, `portage/repository/config.py`), Manifest (GLEP 44) and
//! `metadata/layout.conf`.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where the repositories are, from what `portageq repos_config /` printed.
#[must_use]
pub fn locations(text: &[u8]) -> Vec<PathBuf> {
    sections(text).map(|(_, location)| location).collect()
}

/// The same, by their names.
#[must_use]
pub fn by_name(text: &[u8]) -> BTreeMap<String, PathBuf> {
    sections(text).collect()
}

fn sections(text: &[u8]) -> impl Iterator<Item = (String, PathBuf)> {
    let text = String::from_utf8_lossy(text);
    let mut found = Vec::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.trim_end().strip_suffix(']')) {
            section.clone_into(&mut name);
        }
        let value = line.strip_prefix("location").and_then(|line| line.trim_start().strip_prefix('='));
        if let Some(path) = value.map(str::trim).filter(|path| path.starts_with('/')) {
            found.push((name.clone(), PathBuf::from(path)));
        }
    }
    found.into_iter()
}

/// Whether the packages of a repository with this `metadata/layout.conf` have Manifests, so that the files
/// they refer to are known.
#[must_use]
pub fn has_manifests(layout: &str) -> bool {
    !layout.lines().any(|line| {
        let mut sides = line.splitn(2, '=').map(str::trim);
        sides.next() == Some("use-manifests") && sides.next() == Some("false")
    })
}

/// The source files that a Manifest refers to: `DIST name size HASH hex ...`.
pub fn distfiles(manifest: &str) -> impl Iterator<Item = &str> {
    manifest.lines().filter_map(|line| line.strip_prefix("DIST ")?.split_whitespace().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_portage_prints_of_its_repositories() {
        let text = b"[DEFAULT]\nmain-repo = pocket\nsync-openpgp-key-path = \n\n[pocket]\nauto-sync = yes\nlocation = /var/db/repos/pocket\nsync-uri = file:///srv/tree\n\n[local]\nlocation = /srv/local\nlocation_of = /x\n";
        assert_eq!(locations(text), [PathBuf::from("/var/db/repos/pocket"), PathBuf::from("/srv/local")]);
        let warned = [
            &b"!!! Section 'gone' in repos.conf has location attribute set to nonexistent directory\n"[..],
            text,
        ]
        .concat();
        let named: Vec<_> = by_name(&warned).into_iter().collect();
        assert_eq!(
            named,
            [("local".into(), "/srv/local".into()), ("pocket".into(), "/var/db/repos/pocket".into())]
        );
    }

    #[test]
    fn files_that_are_referred_to() {
        let text = "DIST zlib-1.2.13.tar.xz 123 BLAKE2B 00 SHA512 11\nEBUILD zlib-1.ebuild 9 SHA512 00\nDIST\nDIST b 1";
        assert_eq!(distfiles(text).collect::<Vec<_>>(), ["zlib-1.2.13.tar.xz", "b"]);
        assert!(has_manifests("masters =\nthin-manifests = true\n"));
        assert!(!has_manifests("masters =\nuse-manifests = false\n"));
    }
}
