//! Binary packages that were set aside: `quarantine/` on the volume. Beside each lies a text that says why, and that
//! outlives it: without the file, it is all that is known.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::beneath::Beneath;
use crate::portage::files::binpkg;
use crate::portage::names::cpv::Cpv;

/// The directory on the volume.
pub(crate) const DIRECTORY: &str = "quarantine";
/// How the name of a text ends.
const REASON: &str = ".reason";

/// Moves a file of PKGDIR out of the way; returns where it is now. `name` is its path below that, `what` is what is
/// wrong with it, in words that follow its name. Of an empty one only the text is kept.
///
/// # Errors
/// When something cannot be written or moved.
pub(crate) fn set_aside(volume: &Path, pkgdir: &Beneath, name: &Path, what: &str) -> io::Result<PathBuf> {
    let quarantine = volume.join(DIRECTORY);
    let flat = name.to_string_lossy().replace('/', "_");
    let aside = quarantine.join(&flat);
    let reason = quarantine.join(format!("{flat}{REASON}"));
    fs::create_dir_all(&quarantine)?;
    fs::write(&reason, format!("{} {what}\n", name.display()))?;
    let file = pkgdir.linked(name)?;
    if file.metadata()?.len() == 0 {
        pkgdir.remove(name)?;
        return Ok(reason);
    }
    // On another file system it is copied.
    pkgdir.move_to(name, &aside).or_else(|_| {
        io::copy(&mut &file, &mut fs::File::create(&aside)?)?;
        pkgdir.remove(name)
    })?;
    // A file keeps its time of change when it moves; in here the age since it was moved counts.
    let moved = fs::File::options().append(true).open(&aside);
    moved.and_then(|file| file.set_modified(SystemTime::now()))?;
    Ok(aside)
}

/// What was wrong with what is set aside, by package, in words that follow its name; of several builds the last by
/// name.
pub(crate) fn reasons(volume: &Path) -> BTreeMap<Cpv, String> {
    let entries = fs::read_dir(volume.join(DIRECTORY)).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(REASON));
    paths.sort();
    let reason = |path: PathBuf| {
        let text = fs::read_to_string(path).ok()?;
        let (name, what) = text.trim_end().split_once(' ')?;
        Some((binpkg::package_of(Path::new(name))?, what.to_owned()))
    };
    paths.into_iter().filter_map(reason).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_aside_says_why() {
        let volume = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = volume.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        };
        assert!(reasons(volume.path()).is_empty());
        let aside = |name: &str, text: &str, what: &str| {
            let from = file(&format!("binpkgs/{name}"), text);
            let pkgdir = Beneath::open(&volume.path().join("binpkgs")).unwrap();
            let to = set_aside(volume.path(), &pkgdir, Path::new(name), what).unwrap();
            assert!(!from.exists() && to.exists(), "{}", to.display());
            to.strip_prefix(volume.path().join(DIRECTORY)).unwrap().display().to_string()
        };
        assert_eq!(aside("a/x/x-1-1.gpkg.tar", "x", "is damaged: it is cut short"), "a_x_x-1-1.gpkg.tar");
        assert_eq!(aside("a/x/x-1-2.gpkg.tar", "x", "is damaged: it has no image"), "a_x_x-1-2.gpkg.tar");
        // Nothing of it is worth keeping.
        assert_eq!(aside("a/y-2.gpkg.tar", "", "is damaged: it is empty"), "a_y-2.gpkg.tar.reason");
        file("quarantine/old.reason", "a/z/z-1-1.gpkg.tar: as it was written once\n");
        let found: Vec<String> =
            reasons(volume.path()).iter().map(|(cpv, what)| format!("{cpv} {what}")).collect();
        assert_eq!(found, ["a/x-1 is damaged: it has no image", "a/y-2 is damaged: it is empty"]);
    }
}
