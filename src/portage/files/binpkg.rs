//! What a binary package is called: `cat/pn/pf-N.gpkg.tar` below PKGDIR with several instances of a version
//! (FEATURES=binpkg-multi-instance), `cat/pf.gpkg.tar` without (`portage/dbapi/bintree.py:getname`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::portage::names::cpv::Cpv;

/// The endings of finished ones.
pub(crate) const ENDINGS: &[&str] = &[".gpkg.tar", ".xpak", ".tbz2"];
/// Portage renames a file whose digest is wrong: this follows, and eight characters
/// (`portage/package/ebuild/fetch.py:_checksum_failure_temp_file`).
pub(crate) const WRONG_DIGEST: &str = "._checksum_failure_.";

/// The package of which this is a binary package, by its path below PKGDIR; also when Portage found its
/// digest wrong.
pub(crate) fn package_of(path: &Path) -> Option<Cpv> {
    let names: Vec<&str> = path.iter().map(|name| name.to_str()).collect::<Option<_>>()?;
    let (file, directories) = names.split_last()?;
    let file = file.split_once(WRONG_DIGEST).map_or(*file, |(file, _)| file);
    named(directories, file)
}

/// Whether Portage found the digest of this file wrong, by its name.
pub(crate) fn has_wrong_digest(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.contains(WRONG_DIGEST)) && package_of(path).is_some()
}

/// The files that Portage cannot read as binary packages, each with its reason, from what emerge or emaint
/// printed: `!!! Invalid binary package: 'PATH', REASON` (`portage/dbapi/bintree.py:_populate_local`).
/// It leaves them out of the index, and where they are.
pub(crate) fn invalid(text: &[u8]) -> BTreeMap<PathBuf, String> {
    const MARK: &str = "!!! Invalid binary package: '";
    let text = String::from_utf8_lossy(text);
    let told = text.lines().filter_map(|line| line.split_once(MARK)?.1.split_once('\''));
    let reason = |rest: &str| match rest.trim_start_matches(',').trim() {
        "" => "Portage cannot read it".to_owned(),
        reason => reason.to_owned(),
    };
    told.map(|(path, rest)| (PathBuf::from(path), reason(rest))).collect()
}

/// The package that a file of this name in these directories is a binary package of.
pub(crate) fn named(directories: &[&str], file: &str) -> Option<Cpv> {
    let stem = ENDINGS.iter().find_map(|ending| file.strip_suffix(ending))?;
    match directories {
        [category] => Cpv::parse(format!("{category}/{stem}").as_bytes()),
        [category, pn] => {
            let (pf, build) = stem.rsplit_once('-')?;
            let package = Cpv::parse(format!("{category}/{pf}").as_bytes())?;
            (number(build).is_some() && package.pn() == *pn).then_some(package)
        }
        _ => None,
    }
}

/// A number of decimal digits alone.
pub(crate) fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What emaint of Portage 3.0.83 printed about a flipped bit and an empty file.
    #[test]
    fn what_portage_cannot_read() {
        let text = b"\x1b[39;49;00m!!! Invalid binary package: '/b/a/t6/t6-1-1.gpkg.tar', Error reading binpkg '/b/a/t6/t6-1-1.gpkg.tar': [Errno 22] Invalid argument
!!! Invalid binary package: '/b/a/t8/t8-1-1.gpkg.tar', t8-1-1/metadata.tar.zst checksum mismatched in /b/a/t8/t8-1-1.gpkg.tar
!!! Invalid binary package: '/b/a/t9/t9-1-1.gpkg.tar'
";
        let found = invalid(text);
        let paths: Vec<_> = found.keys().map(|path| path.display().to_string()).collect();
        assert_eq!(paths, ["/b/a/t6/t6-1-1.gpkg.tar", "/b/a/t8/t8-1-1.gpkg.tar", "/b/a/t9/t9-1-1.gpkg.tar"]);
        assert!(found[Path::new(&paths[1])].starts_with("t8-1-1/metadata.tar.zst checksum mismatched"));
        assert_eq!(found[Path::new(&paths[2])], "Portage cannot read it");
    }

    #[test]
    fn names_of_binary_packages() {
        for (path, package) in [
            ("app-misc/x/x-1-3.gpkg.tar", Some("app-misc/x-1")),
            ("app-misc/x-1.gpkg.tar", Some("app-misc/x-1")),
            ("app-misc/x/x-1-r2-3.xpak", Some("app-misc/x-1-r2")),
            ("app-misc/x/x-1-3.gpkg.tar._checksum_failure_.n3rrgri0", Some("app-misc/x-1")),
            ("app-misc/y/x-1-3.gpkg.tar", None),
            ("app-misc/x/x-1-3.gpkg.tar.bak", None),
            ("Packages", None),
        ] {
            assert_eq!(package_of(Path::new(path)).as_ref().map(Cpv::as_str), package, "{path}");
        }
        assert!(has_wrong_digest(Path::new("a/x/x-1-3.gpkg.tar._checksum_failure_.n3rrgri0")));
        assert!(!has_wrong_digest(Path::new("a/x/x-1-3.gpkg.tar")));
    }
}
