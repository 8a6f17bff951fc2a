//! Ebuild repositories, as far as the source files are concerned that they refer to.
//!
//! Sources: `portageq repos_config` (an ini file, `portage/repository/config.py`), Manifest (GLEP 44) and
//! `metadata/layout.conf`.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// An ebuild repository as repos.conf describes it (portage(5), "repos.conf").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repository {
    /// The name of its section.
    pub name: String,
    /// Where it is.
    pub location: PathBuf,
    /// How it is synced (`git`, `rsync`, ...); empty: not at all.
    pub sync_type: String,
    /// From where.
    pub sync_uri: String,
    /// Whether `emaint sync -a` and `emerge --sync` sync it.
    pub auto_sync: bool,
}

impl Repository {
    /// Whether a sync of everything is to bring it.
    pub(crate) fn is_synced(&self) -> bool {
        self.auto_sync && !self.sync_type.is_empty()
    }
}

/// The ebuild repositories of a machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repositories {
    /// The name of the main one, which the profile and most packages come from.
    pub main: Option<String>,
    /// All of them, in Portage's order.
    pub all: Vec<Repository>,
}

/// What `portageq repos_config /` printed; none when there is no repository in it. It answers also when the
/// repositories and the profile are not there.
pub(crate) fn configured(text: &[u8]) -> Option<Repositories> {
    let text = String::from_utf8_lossy(text);
    let mut found = Repositories::default();
    let mut named_main = None;
    let mut in_default = false;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            in_default = name == "DEFAULT";
            if !in_default {
                found.all.push(Repository { name: name.to_owned(), ..Repository::default() });
            }
            continue;
        }
        let Some((key, value)) = line.split_once('=').map(|(key, value)| (key.trim(), value.trim())) else {
            continue;
        };
        if in_default {
            if key == "main-repo" {
                named_main = Some(value.to_owned());
            }
            continue;
        }
        let Some(repository) = found.all.last_mut() else { continue };
        match key {
            "location" => repository.location = PathBuf::from(value),
            "sync-type" => value.clone_into(&mut repository.sync_type),
            "sync-uri" => value.clone_into(&mut repository.sync_uri),
            "auto-sync" => repository.auto_sync = matches!(value, "yes" | "true"),
            _ => {}
        }
    }
    found.all.retain(|repository| repository.location.is_absolute());
    let has = |name: &String| found.all.iter().any(|repository| repository.name == *name);
    found.main = named_main.filter(has).or_else(|| Some("gentoo".to_owned()).filter(has));
    (!found.all.is_empty()).then_some(found)
}

/// Whether a repository with these two files is one: `profiles/repo_name`, or `metadata/layout.conf` with
/// `repo-name` (`portage/repository/config.py:RepoConfig`). Whatever else of it is there, without a name it is not
/// all there.
pub(crate) fn has_name(repo_name: Option<&str>, layout: Option<&str>) -> bool {
    let named = |line: &str| {
        let mut sides = line.splitn(2, '=').map(str::trim);
        sides.next() == Some("repo-name") && sides.next().is_some_and(|name| !name.is_empty())
    };
    repo_name.is_some_and(|text| text.lines().next().is_some_and(|line| !line.trim().is_empty()))
        || layout.is_some_and(|text| text.lines().any(named))
}

/// Where the repositories are, from what `portageq repos_config /` printed.
pub(crate) fn locations(text: &[u8]) -> Vec<PathBuf> {
    sections(text).map(|(_, location)| location).collect()
}

/// The same, by their names.
pub(crate) fn by_name(text: &[u8]) -> BTreeMap<String, PathBuf> {
    sections(text).collect()
}

/// What `portageq repos_config /` printed, without how repositories are synced, which is a secret in places, and with these of them
/// elsewhere.
pub(crate) fn moved(text: &[u8], elsewhere: &BTreeMap<String, PathBuf>) -> String {
    let text = String::from_utf8_lossy(text);
    let (mut name, mut moved) = ("", String::new());
    for line in text.lines() {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.trim_end().strip_suffix(']')) {
            name = section;
        }
        let key = line.split('=').next().unwrap_or_default().trim();
        match elsewhere.get(name).filter(|_| key == "location") {
            _ if key.starts_with("sync-") => {}
            Some(place) => moved = moved + "location = " + &place.display().to_string() + "\n",
            None => moved = moved + line + "\n",
        }
    }
    moved
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
pub(crate) fn has_manifests(layout: &str) -> bool {
    !layout.lines().any(|line| {
        let mut sides = line.splitn(2, '=').map(str::trim);
        sides.next() == Some("use-manifests") && sides.next() == Some("false")
    })
}

/// The source files that a Manifest refers to: `DIST name size HASH hex ...`.
pub(crate) fn distfiles(manifest: &str) -> impl Iterator<Item = &str> {
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
    fn a_repository_is_somewhere_else() {
        let text = b"[DEFAULT]\nlocation = /x\n\n[a]\nlocation = /a\nsync-uri = https://me:secret@b\npriority = 1\n[b]\nlocation = /b\n";
        let elsewhere = [("a".to_owned(), PathBuf::from("/old/a")), ("c".to_owned(), "/old/c".into())].into();
        assert_eq!(
            moved(text, &elsewhere),
            "[DEFAULT]\nlocation = /x\n\n[a]\nlocation = /old/a\npriority = 1\n[b]\nlocation = /b\n"
        );
    }

    #[test]
    fn repositories_as_they_are_configured() {
        let found = configured(include_bytes!("../../../tests/captured/repos-config.txt")).unwrap();
        assert_eq!(found.main.as_deref(), Some("pocket"));
        let names: Vec<(&str, bool)> =
            found.all.iter().map(|repository| (repository.name.as_str(), repository.is_synced())).collect();
        assert_eq!(
            names,
            [("a", true), ("b", true), ("c", true), ("d", true), ("l", false), ("pocket", true)]
        );
        let b = &found.all[1];
        assert_eq!((b.sync_type.as_str(), b.sync_uri.as_str()), ("rsync", "rsync://127.0.0.1:9/b"));
        assert_eq!(b.location, PathBuf::from("/var/db/repos/b"));
        assert_eq!(configured(b"[DEFAULT]\nmain-repo = x\n"), None);
        assert_eq!(configured(b"Traceback (most recent call last):\n"), None);
    }

    #[test]
    fn what_has_a_name_is_there() {
        for (repo_name, layout, want) in [
            (Some("gentoo\n"), None, true),
            (Some(""), Some("masters =\n"), false),
            (None, Some("masters =\nrepo-name = x\n"), true),
            (Some("\n"), Some("repo-name =\n"), false),
            (None, None, false),
        ] {
            assert_eq!(has_name(repo_name, layout), want, "{repo_name:?} {layout:?}");
        }
    }

    #[test]
    fn files_that_are_referred_to() {
        let text = "DIST zlib-1.2.13.tar.xz 123 BLAKE2B 00 SHA512 11\nEBUILD zlib-1.ebuild 9 SHA512 00\nDIST\nDIST b 1";
        assert_eq!(distfiles(text).collect::<Vec<_>>(), ["zlib-1.2.13.tar.xz", "b"]);
        assert!(has_manifests("masters =\nthin-manifests = true\n"));
        assert!(!has_manifests("masters =\nuse-manifests = false\n"));
    }
}
