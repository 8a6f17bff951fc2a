//! What a killed container leaves behind in Portage's directories, and what to do about it.
//!
//! Portage reserves the name of a binary package with an empty file, writes into a temporary file
//! beside it and renames that (`_emerge/EbuildBinpkg.py`, `portage/dbapi/bintree.py`,
//! `portage/gpkg.py`); the index is replaced in the same way (`portage.util:atomic_ofstream`). A
//! package being merged has a directory `-MERGING-PF` in the database of installed packages
//! (`portage/dbapi/vartree.py`). None of this is ever cleaned up by Portage itself, and none of it
//! is a finished package: only names that Portage makes are matched, in full.

use std::fmt;
use std::path::{Path, PathBuf};

use super::binpkg::{ENDINGS, named, number};
use super::index::Binary;
use super::live;
use crate::portage::names::cpv::Cpv;

/// A file below the directory that was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its path, relative to that directory.
    pub path: PathBuf,
    /// Its length in bytes.
    pub size: u64,
}

/// Something to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repair {
    /// Its path, relative to the directory that was listed.
    pub path: PathBuf,
    /// What it is.
    pub kind: Leftover,
}

/// What was left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// A binary package that was being written.
    TemporaryPackage,
    /// The name reserved for a binary package that was not written.
    EmptyPackage,
    /// An index that was being written.
    TemporaryIndex,
    /// The record of a package whose files were being copied to the system. It is a directory, and
    /// the package has to be merged again.
    HalfMerged(Cpv),
    /// The work directory of the very build that is installed. Portage removes it last, so the package's
    /// `pkg_postinst` may not have ended, and it has to be merged again.
    Unfinished(Cpv),
    /// The status file or socket of an emerge that is gone.
    StaleStatus,
    /// The lock of a process that is gone.
    StaleLock,
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.kind {
            Leftover::TemporaryPackage => {
                write!(f, "{path} is a binary package that was still being written")
            }
            Leftover::EmptyPackage => {
                write!(f, "{path} was reserved for a binary package that was never written")
            }
            Leftover::TemporaryIndex => write!(f, "{path} is a package index that was still being written"),
            Leftover::HalfMerged(package) => {
                write!(f, "{package} was being merged; it has to be merged again")
            }
            Leftover::Unfinished(package) => {
                write!(f, "{package} is installed, but its merge did not end; it has to be merged again")
            }
            Leftover::StaleStatus => write!(f, "{path} belongs to an emerge that is gone"),
            Leftover::StaleLock => write!(f, "{path} is the lock of a process that is gone"),
        }
    }
}

/// Looks through a listing of PKGDIR, all depths. `running` are the processes of Portage that are
/// alive now; while there is one, only what names another process is a leftover.
///
/// After this, index and files may disagree: `emaint --fix binhost` puts them right.
pub(crate) fn pkgdir(entries: &[Listed], running: &[u32]) -> Vec<Repair> {
    let kind = |entry: &Listed| {
        let names: Vec<&str> = entry.path.iter().map(|name| name.to_str()).collect::<Option<_>>()?;
        let (file, directories) = names.split_last()?;
        if directories.is_empty() {
            let temporary = running.is_empty() && is_temporary_index(file);
            return temporary.then_some(Leftover::TemporaryIndex);
        }
        if let Some((package, pid)) = temporary_package(file) {
            let is_ours = named(directories, package).is_some() && !running.contains(&pid);
            return is_ours.then_some(Leftover::TemporaryPackage);
        }
        let reserved = entry.size == 0 && running.is_empty() && named(directories, file).is_some();
        reserved.then_some(Leftover::EmptyPackage)
    };
    let repair = |entry: &Listed| Some(Repair { path: entry.path.clone(), kind: kind(entry)? });
    entries.iter().filter_map(repair).collect()
}

/// Looks through `category/name` of the directories in `/var/db/pkg`. Nothing is a leftover while a
/// process of Portage is alive.
pub(crate) fn installed<'a>(directories: impl IntoIterator<Item = &'a Path>, running: &[u32]) -> Vec<Repair> {
    if !running.is_empty() {
        return Vec::new();
    }
    let repair = |path: &Path| {
        let (category, name) = path.to_str()?.split_once('/')?;
        let package = Cpv::parse(format!("{category}/{}", name.strip_prefix("-MERGING-")?).as_bytes())?;
        Some(Repair { path: path.to_path_buf(), kind: Leftover::HalfMerged(package) })
    };
    directories.into_iter().filter_map(repair).collect()
}

/// Looks through `category/name` of the directories in `PORTAGE_TMPDIR/portage`. `builds` returns the text
/// of `BUILD_TIME` of the work in it and of the package that is installed, empty where there is none.
///
/// Only the work of the very build that is installed is an unfinished merge: Portage writes the time down
/// when `src_install` has ended (`portage/package/ebuild/doebuild.py`), and it takes it along with a binary package. Any
/// other directory stays. Its build failed or was refused, and it is tried again when that is due; or a
/// person is at work in it.
pub(crate) fn work<'a>(
    directories: impl IntoIterator<Item = &'a Path>,
    builds: impl Fn(&Cpv) -> (String, String),
    running: &[u32],
) -> Vec<Repair> {
    if !running.is_empty() {
        return Vec::new();
    }
    let is_one_build = |package: &Cpv| {
        let (work, installed) = builds(package);
        build_time(&work).is_some_and(|time| build_time(&installed) == Some(time))
    };
    let repair = |path: &Path| {
        let package = Cpv::parse(path.to_str()?.as_bytes()).filter(is_one_build)?;
        Some(Repair { path: path.to_path_buf(), kind: Leftover::Unfinished(package) })
    };
    directories.into_iter().filter_map(repair).collect()
}

/// Reads `BUILD_TIME`: seconds since 1970.
pub(crate) fn build_time(text: &str) -> Option<i64> {
    text.trim().parse().ok()
}

/// Whether a merge that was cut short can be done again from the very build that was being merged: its binary
/// package is there, and none of a later build that Portage would take in its place. `merging` is the `BUILD_TIME` of
/// the record that was left.
///
/// Portage had looked for collisions before it made the record, and what it copied after that no record names. So this
/// build, and no other one, may overwrite files that no package owns.
pub(crate) fn is_same_build(package: &Cpv, merging: Option<i64>, binaries: &[Binary]) -> bool {
    let builds = binaries.iter().filter(|binary| binary.cpv == *package);
    merging.is_some() && builds.map(|binary| binary.built).max() == Some(merging)
}

/// Looks through the file names in `/run/portage`.
pub(crate) fn status_files<'a>(names: impl IntoIterator<Item = &'a str>, running: &[u32]) -> Vec<Repair> {
    let is_stale = |name: &&str| live::pid_of(name).is_some_and(|pid| !running.contains(&pid));
    let repair = |name: &str| Repair { path: name.into(), kind: Leftover::StaleStatus };
    names.into_iter().filter(is_stale).map(repair).collect()
}

/// Looks through the file names of a directory in which Portage locks by hard links, as it does on
/// file systems without other locks: `.NAME.hardlock-HOST-PID` (`portage/locks.py:hardlock_name`).
/// Its usual lock files, `.NAME.portage_lockfile`, are harmless without their process and stay.
pub(crate) fn locks<'a>(names: impl IntoIterator<Item = &'a str>, running: &[u32]) -> Vec<Repair> {
    let is_stale = |name: &&str| {
        let pid = name
            .strip_prefix('.')
            .and_then(|name| name.split_once(".hardlock-"))
            .filter(|(file, _)| !file.is_empty())
            .and_then(|(_, owner)| owner.rsplit_once('-'))
            .filter(|(host, _)| !host.is_empty())
            .and_then(|(_, pid)| number(pid));
        pid.is_some_and(|pid| !running.contains(&pid))
    };
    let repair = |name: &str| Repair { path: name.into(), kind: Leftover::StaleLock };
    names.into_iter().filter(is_stale).map(repair).collect()
}

/// Looks through the files below the `.git` of a repository. git locks `FILE` by making `FILE.lock`
/// beside it (git-update-ref(1)); killed, it leaves that, and every sync after it is refused. No
/// other file of git's own ends so: git-check-ref-format(1) forbids it for references.
///
/// `running` are the processes of Portage and of git that are alive now.
pub(crate) fn git_locks<'a>(files: impl IntoIterator<Item = &'a Path>, running: &[u32]) -> Vec<Repair> {
    let is_lock = |path: &&Path| running.is_empty() && path.extension().is_some_and(|end| end == "lock");
    let repair = |path: &Path| Repair { path: path.into(), kind: Leftover::StaleLock };
    files.into_iter().filter(is_lock).map(repair).collect()
}

/// Takes the name of a temporary file apart into the package it would have become and the process
/// that wrote it. A build makes `pf-N.gpkg.tarXXXXXXXX.PID`, a change of metadata
/// `pf-N.gpkg.tar.PIDXXXXXXXX`.
fn temporary_package(file: &str) -> Option<(&str, u32)> {
    let end = ENDINGS.iter().find_map(|ending| Some(file.find(ending)? + ending.len()))?;
    let (package, rest) = file.split_at(end);
    let pid = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at_checked(rest.len().checked_sub(8)?).filter(|(_, x)| is_random(x))?.0,
        None => rest.split_once('.').filter(|(x, _)| is_random(x))?.1,
    };
    Some((package, number(pid)?))
}

/// `PackagesXXXXXXXX` or `Packages.gzXXXXXXXX`.
fn is_temporary_index(file: &str) -> bool {
    let rest = file.strip_prefix("Packages").map(|rest| rest.strip_prefix(".gz").unwrap_or(rest));
    rest.is_some_and(is_random)
}

/// The eight characters that Python's tempfile puts into a name.
fn is_random(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn kind(path: &str, size: u64, running: &[u32]) -> Option<Leftover> {
        let entry = Listed { path: path.into(), size };
        pkgdir(&[entry], running).pop().map(|repair| repair.kind)
    }

    #[test]
    fn files_in_pkgdir() {
        use Leftover::{EmptyPackage, TemporaryIndex, TemporaryPackage};
        for (path, size, running, want) in [
            ("app-misc/x/x-1-1.gpkg.tarab3_9xyz.57", 10, &[][..], Some(TemporaryPackage)),
            ("app-misc/x/x-1-1.gpkg.tarab3_9xyz.57", 0, &[58], Some(TemporaryPackage)),
            ("app-misc/x/x-1-1.gpkg.tarab3_9xyz.57", 10, &[57], None),
            ("app-misc/x-1.gpkg.tarab3_9xyz.57", 10, &[], Some(TemporaryPackage)),
            ("app-misc/x/x-1-1.gpkg.tar.57ab3_9xyz", 10, &[], Some(TemporaryPackage)),
            ("app-misc/x/x-1-1.gpkg.tar.57ab3_9xyz", 10, &[57], None),
            ("app-misc/x/x-1-1.xpakab3_9xyz.57", 10, &[], Some(TemporaryPackage)),
            ("app-misc/x/x-1-1.gpkg.tar", 0, &[], Some(EmptyPackage)),
            ("app-misc/x/x-1-1.gpkg.tar", 0, &[57], None),
            ("app-misc/x/x-1-1.gpkg.tar", 1, &[], None),
            ("app-misc/x-1.gpkg.tar", 0, &[], Some(EmptyPackage)),
            ("Packagesab3_9xyz", 10, &[], Some(TemporaryIndex)),
            ("Packages.gzab3_9xyz", 0, &[], Some(TemporaryIndex)),
            ("Packagesab3_9xyz", 10, &[57], None),
            ("Packages", 0, &[], None),
            ("Packages.gz", 0, &[], None),
            ("Packages.portage", 0, &[], None),
            (".Packages.portage_lockfile", 0, &[], None),
            ("app-misc/y/x-1-1.gpkg.tar", 0, &[], None),
            ("app-misc/x/x-1-1.gpkg.tar.bak", 0, &[], None),
            ("app-misc/x/x-1-1.gpkg.tar.12345678", 5, &[], None),
            ("app-misc/x/x-1-1.gpkg.tarAB3_9XYZ.57", 5, &[], None),
            ("app-misc/x/x-1-1.gpkg.tarab3_9xyz.", 5, &[], None),
            ("app-misc/x/notes", 0, &[], None),
            ("a/b/c/x-1-1.gpkg.tar", 0, &[], None),
            ("", 0, &[], None),
        ] {
            assert_eq!(kind(path, size, running), want, "{path} {size}");
        }
    }

    #[test]
    fn half_merged_packages() {
        let paths = [
            "sys-libs/-MERGING-zlib-1.3",
            "sys-libs/zlib-1.2",
            "sys-libs/-MERGING-",
            "x",
            "a/-MERGING-b/c-1",
        ];
        let repairs = installed(paths.map(Path::new), &[]);
        let zlib = Cpv::parse(b"sys-libs/zlib-1.3").expect("well formed");
        assert_eq!(repairs, [Repair { path: paths[0].into(), kind: Leftover::HalfMerged(zlib) }]);
        assert_eq!(repairs[0].to_string(), "sys-libs/zlib-1.3 was being merged; it has to be merged again");
        assert!(installed(paths.map(Path::new), &[57]).is_empty());
    }

    #[test]
    fn work_directories_of_what_is_installed() {
        let directories =
            ["app-misc/x-1", "app-misc/x-2", "app-misc/.x-1.portage_lockfile", "._unmerge_", "x-1"];
        let builds = |work: &'static str, installed: &'static str| {
            move |package: &Cpv| match package.as_str() {
                "app-misc/x-1" => (work.to_owned(), installed.to_owned()),
                _ => ("100\n".to_owned(), String::new()),
            }
        };
        let unfinished = work(directories.map(Path::new), builds("100\n", "100\n"), &[]);
        let x = Cpv::parse(b"app-misc/x-1").expect("well formed");
        assert_eq!(unfinished, [Repair { path: "app-misc/x-1".into(), kind: Leftover::Unfinished(x) }]);
        assert!(work(directories.map(Path::new), builds("100\n", "100\n"), &[57]).is_empty());
        // A rebuild that failed before its end or was refused, what a person does by hand, and no build at all.
        for (made, installed) in [("", "100"), ("101\n", "100\n"), ("99", "100"), ("", ""), ("x", "x")] {
            let found = work(directories.map(Path::new), builds(made, installed), &[]);
            assert!(found.is_empty(), "{made} {installed}");
        }
    }

    #[test]
    fn what_may_be_merged_over_its_own_files() {
        let binary = |cpv: &str, built: i64| Binary {
            cpv: Cpv::parse(cpv.as_bytes()).expect("well formed"),
            flags: BTreeSet::new(),
            built: Some(built),
        };
        let x = Cpv::parse(b"app-misc/x-1").expect("well formed");
        let binaries =
            [binary("app-misc/x-1", 100), binary("app-misc/x-1", 101), binary("app-misc/x-2", 102)];
        assert!(is_same_build(&x, Some(101), &binaries));
        for other in [Some(100), Some(102), None] {
            assert!(!is_same_build(&x, other, &binaries), "{other:?}");
        }
        assert!(!is_same_build(&x, None, &[]) && !is_same_build(&x, Some(100), &binaries[2..]));
    }

    #[test]
    fn status_files_and_locks_of_the_dead() {
        let names = ["emerge-57.json", "emerge-57.sock", "emerge-58.json", "emerge-x.json", "other"];
        let stale: Vec<_> = status_files(names, &[58]).into_iter().map(|repair| repair.path).collect();
        assert_eq!(stale, [Path::new("emerge-57.json"), Path::new("emerge-57.sock")]);
        let names = [
            ".x.tar.gz.hardlock-a-b-57",
            ".x.hardlock-a-58",
            ".x.portage_lockfile",
            ".hardlock-a-57",
            ".x.hardlock--57",
            "x.hardlock-a-57",
        ];
        let stale: Vec<_> = locks(names, &[58]).into_iter().map(|repair| repair.path).collect();
        assert_eq!(stale, [Path::new(".x.tar.gz.hardlock-a-b-57")]);
    }

    #[test]
    fn locks_of_a_killed_git() {
        let files = ["shallow.lock", "refs/heads/main.lock", "index", "refs/heads/main", "lock", ".lock"];
        let stale: Vec<_> =
            git_locks(files.map(Path::new), &[]).into_iter().map(|repair| repair.path).collect();
        assert_eq!(stale, [Path::new("shallow.lock"), Path::new("refs/heads/main.lock")]);
        assert!(git_locks(files.map(Path::new), &[57]).is_empty());
    }

    fn package() -> impl Strategy<Value = (String, String, String)> {
        let version =
            "[0-9]{1,3}(\\.[0-9]{1,8}){0,3}[a-z]?(_(alpha|beta|pre|rc|p)[0-9]{0,8}){0,2}(-r[0-9]{1,3})?";
        let name = "[A-Za-z0-9_][A-Za-z0-9+_]{0,12}(-[a-z_+]{1,8}){0,2}";
        ("[a-z0-9][a-z0-9+_.-]{0,12}", name, version)
            .prop_map(|(category, pn, version)| (category, pn, version))
    }

    fn finished() -> impl Strategy<Value = String> {
        let ending = prop_oneof![Just(".gpkg.tar"), Just(".xpak"), Just(".tbz2")];
        (package(), 1_u32..100_000_000, ending, any::<bool>()).prop_map(
            |((category, pn, version), build, ending, multi)| {
                if multi {
                    format!("{category}/{pn}/{pn}-{version}-{build}{ending}")
                } else {
                    format!("{category}/{pn}-{version}{ending}")
                }
            },
        )
    }

    proptest! {
        #[test]
        fn nothing_finished_is_ever_selected(path in finished(), size in 1_u64.., running in any::<Option<u32>>()) {
            let running: Vec<u32> = running.into_iter().collect();
            prop_assert_eq!(kind(&path, size, &running), None);
        }

        #[test]
        fn every_temporary_name_is_selected(path in finished(), random in "[a-z0-9_]{8}", pid in 1_u32.., size: u64) {
            for name in [format!("{path}{random}.{pid}"), format!("{path}.{pid}{random}")] {
                prop_assert_eq!(kind(&name, size, &[]), Some(Leftover::TemporaryPackage), "{}", &name);
                prop_assert_eq!(kind(&name, size, &[pid]), None, "{}", &name);
            }
        }

        #[test]
        fn no_listing_panics(path in ".*", size: u64) {
            kind(&path, size, &[]);
            let _ = installed([Path::new(&path)], &[]);
            let _ = status_files([path.as_str()], &[]);
            let _ = locks([path.as_str()], &[]);
            let _ = git_locks([Path::new(&path)], &[]);
        }
    }
}
