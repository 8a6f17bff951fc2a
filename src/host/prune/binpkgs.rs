//! Which binary packages of PKGDIR nothing needs any more, as far as it takes looking; what goes is decided by
//! [`prune`](crate::decide::prune).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::entries::{item, place};
use crate::binhost::{offer, verify};
use crate::decide::prune;
use crate::host::places::INSTALLED;
use crate::model::prune::{Item, Kind};
use crate::portage::files::index::{Index, Package};
use crate::portage::names::cpv::Cpv;

/// Every binary package of the index, needed or not. Repositories without an ebuild for any of them are not
/// believed.
pub(crate) fn items(volume: &Path, pkgdir: &Path, repositories: &[PathBuf]) -> Vec<Item> {
    let Ok(Index { packages, .. }) = verify::read_index(pkgdir) else { return Vec::new() };
    let has_ebuild = |cpv: &Cpv| {
        let ebuild = Path::new(cpv.cp()).join(format!("{}.ebuild", cpv.pf()));
        repositories.iter().any(|repository| repository.join(&ebuild).is_file())
    };
    if !packages.iter().any(|package| has_ebuild(&package.cpv)) {
        return Vec::new();
    }
    let Some(kept) = kept(volume, &packages) else { return Vec::new() };
    let needed = prune::needed(&packages, &installed(&packages), &kept, has_ebuild);
    let Some(place) = place(pkgdir) else { return Vec::new() };
    let items = packages.iter().zip(needed).filter_map(|(package, needed)| {
        let entry = place.entry(package.file().path).ok()?;
        Some(Item { needed, ..item(Kind::Binpkg, &place, &entry) })
    });
    items.collect()
}

/// When the installed build of each of these versions was built.
fn installed(packages: &[Package]) -> BTreeMap<Cpv, Option<i64>> {
    let installed = packages.iter().filter_map(|package| {
        let entry = Path::new(INSTALLED).join(package.cpv.as_str());
        let built = fs::read_to_string(entry.join("BUILD_TIME")).unwrap_or_default();
        entry.is_dir().then(|| (package.cpv.clone(), built.trim().parse().ok()))
    });
    installed.collect()
}

/// The files that a release has, or that the next one will have; nothing when an offer is there that cannot be read.
fn kept(volume: &Path, packages: &[Package]) -> Option<BTreeSet<String>> {
    let releases = fs::read_dir(volume.join("releases")).into_iter().flatten().flatten();
    let releases: Vec<PathBuf> = releases.map(|entry| entry.path()).collect();
    let paths = packages.iter().map(|package| package.file().path);
    let mut kept: BTreeSet<String> =
        paths.filter(|path| releases.iter().any(|release| release.join(path).exists())).collect();
    let offer = offer::read(volume).ok()?;
    kept.extend(offer.into_iter().flat_map(|offer| offer.packages).map(|offered| offered.path));
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn what_has_an_ebuild_or_is_released_or_offered_is_needed() {
        let place = tempfile::tempdir().unwrap();
        let (volume, repository) = (place.path(), place.path().join("repo"));
        let pkgdir = volume.join("binpkgs");
        let builds = [("a/b-1", 1), ("a/b-1", 2), ("a/gone-1", 1), ("a/served-1", 1), ("a/next-1", 1)];
        let path = |(cpv, id): (&str, u32)| format!("{cpv}-{id}.gpkg.tar");
        let block = |build: (&str, u32)| {
            format!("CPV: {}\nBUILD_ID: {}\nPATH: {}\n\n", build.0, build.1, path(build))
        };
        write(&pkgdir.join("Packages"), &("VERSION: 0\n\n".to_owned() + &builds.map(block).concat()));
        for build in builds {
            write(&pkgdir.join(path(build)), "x");
        }
        write(&volume.join("releases/2026-11-22.1").join(path(builds[3])), "x");
        let look = |repositories: &[PathBuf]| -> Vec<bool> {
            items(volume, &pkgdir, repositories).iter().map(|item| item.needed).collect()
        };
        assert_eq!(look(&[]), [true; 0], "a tree that is not there says nothing");
        write(&repository.join("a/b/b-1.ebuild"), "");
        let repositories = [repository];
        assert_eq!(look(&repositories), [false, true, false, true, false]);
        let offer = r#"{"schema": 1, "made": "2026-11-22T00:00:00Z", "cycle": 3, "held": [], "packages":
            [{"cpv": "a/next-1", "slot": "0", "path": "a/next-1-1.gpkg.tar", "size": 1, "sha1": ""}]}"#;
        write(&volume.join("state/offer.json"), offer);
        assert_eq!(look(&repositories), [false, true, false, true, true]);
        write(&volume.join("state/offer.json"), "half");
        assert_eq!(look(&repositories), [true; 0], "nobody knows what is offered next");
    }
}
