//! What may go when room is needed, or time has passed: logs, sources that nothing refers to, what failed
//! builds left, binary packages that nothing needs, and those that were set aside.
//!
//! A bound keeps a mistake small: of a kind only a part goes at once, the oldest first.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::config;
use crate::model::prune::{Item, Kind, Removal, Why};
use crate::portage::files::index::Package;
use crate::portage::names::cpv::Cpv;

/// Of each kind so many files may go at once, however few there are of it.
const AT_LEAST: usize = 10;

/// What goes by this policy, of each kind the oldest first.
pub(crate) fn choose(items: &[Item], policy: &config::Prune) -> Vec<Removal> {
    let mut going: Vec<(&Item, Why)> = Vec::new();
    for kind in Kind::ALL {
        let Some(longest) = kind.longest(policy) else { continue };
        let old = items.iter().filter(|item| item.kind == kind && !item.needed && item.age > longest);
        going.extend(old.map(|item| (item, Why::Old)));
    }
    let logs = too_much(items, &going, policy.log_size, |item| item.kind.is_log());
    // Those that are needed take no part of the room: they would drive out all others.
    let superfluous = |kind| move |item: &Item| item.kind == kind && !item.needed;
    let binpkgs = too_much(items, &going, policy.binpkg_size, superfluous(Kind::Binpkg));
    let distfiles = too_much(items, &going, policy.distfile_size, superfluous(Kind::Distfile));
    going.extend([logs, binpkgs, distfiles].concat().into_iter().map(|item| (item, Why::TooMuch)));
    going.sort_by(|(a, _), (b, _)| (a.kind, b.age, &a.path).cmp(&(b.kind, a.age, &b.path)));
    let mut chosen = Vec::new();
    for kind in Kind::ALL {
        let all = items.iter().filter(|item| item.kind == kind).count();
        let most = (all * usize::from(policy.cap) / 100).max(AT_LEAST);
        let of_kind = going.iter().filter(|(item, _)| item.kind == kind).take(most);
        chosen.extend(of_kind.map(|(item, why)| Removal {
            kind,
            root: item.root.clone(),
            path: item.path.clone(),
            size: item.size,
            age: item.age.as_secs(),
            why: *why,
        }));
    }
    chosen
}

/// Which of these binary packages something needs, in their order: what is installed, what is `kept` (a path
/// that a release has, or the next one will have), and of each version that is installed or has an ebuild
/// the newest build. `installed` has the time at which the installed build of a version was built.
pub(crate) fn needed(
    packages: &[Package],
    installed: &BTreeMap<Cpv, Option<i64>>,
    kept: &BTreeSet<String>,
    has_ebuild: impl Fn(&Cpv) -> bool,
) -> Vec<bool> {
    let age = |package: &Package| (package.build_id(), package.built());
    let mut newest: BTreeMap<&Cpv, &Package> = BTreeMap::new();
    for package in packages {
        let best = newest.entry(&package.cpv).or_insert(package);
        if age(package) >= age(best) {
            *best = package;
        }
    }
    let is_needed = |package: &Package| {
        let as_installed = installed.get(&package.cpv);
        let is_newest = newest.get(&package.cpv).is_some_and(|newest| std::ptr::eq(*newest, package));
        as_installed.is_some_and(|built| package.built().is_some() && *built == package.built())
            || kept.contains(&package.file().path)
            || is_newest && (as_installed.is_some() || has_ebuild(&package.cpv))
    };
    packages.iter().map(is_needed).collect()
}

/// The oldest of those that are left of these kinds, until the others are small enough.
fn too_much<'a>(
    items: &'a [Item],
    going: &[(&Item, Why)],
    most: Option<u64>,
    is_meant: impl Fn(&Item) -> bool,
) -> Vec<&'a Item> {
    let Some(most) = most else { return Vec::new() };
    let gone: BTreeSet<&PathBuf> = going.iter().map(|(item, _)| &item.path).collect();
    let stays = |item: &&Item| is_meant(item) && !gone.contains(&item.path);
    let mut left: Vec<&Item> = items.iter().filter(stays).collect();
    left.sort_by_key(|item| std::cmp::Reverse(item.age));
    let mut size: u64 = left.iter().map(|item| item.size).sum();
    let mut more = Vec::new();
    for item in left.into_iter().filter(|item| !item.needed) {
        if size <= most {
            break;
        }
        size -= item.size;
        more.push(item);
    }
    more
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::portage::files::index::Index;

    const DAY: Duration = Duration::from_hours(24);

    fn item(kind: Kind, name: &str, days: u32) -> Item {
        Item { kind, root: PathBuf::new(), path: name.into(), size: 100, age: DAY * days, needed: false }
    }

    fn names(items: &[Item], policy: &config::Prune) -> Vec<String> {
        choose(items, policy)
            .iter()
            .map(|gone| format!("{} {}", gone.path.display(), gone.age / 86_400))
            .collect()
    }

    fn policy() -> config::Prune {
        config::Prune {
            logs: Some(DAY * 90),
            log_size: None,
            emerge_log: None,
            history: None,
            distfiles: Some(DAY * 60),
            distfile_size: None,
            leftovers: Some(DAY * 7),
            binpkgs: Some(DAY * 30),
            binpkg_size: None,
            quarantine: None,
            cap: 50,
        }
    }

    #[test]
    fn what_is_old_goes_unless_it_is_needed() {
        let items = [
            item(Kind::PackageLog, "young", 89),
            item(Kind::PackageLog, "old", 91),
            Item { needed: true, ..item(Kind::PackageLog, "of a failure", 300) },
            item(Kind::StepLog, "step", 100),
            item(Kind::Distfile, "used lately", 60),
            item(Kind::Distfile, "unused", 61),
            item(Kind::Leftover, "work", 8),
            item(Kind::Quarantined, "never", 9999),
        ];
        assert_eq!(names(&items, &policy()), ["work 8", "unused 61", "old 91", "step 100"]);
    }

    #[test]
    fn only_a_part_goes_at_once_and_the_oldest_first() {
        let many: Vec<_> = (0..40).map(|n| item(Kind::Distfile, &format!("d{n}"), 100 + n)).collect();
        let gone = names(&many, &policy());
        assert_eq!((gone.len(), gone[0].as_str(), gone[19].as_str()), (20, "d39 139", "d20 120"));
        assert_eq!(names(&many[..12], &policy()).len(), 10, "a few may always go");
        assert_eq!(names(&many, &config::Prune { cap: 100, ..policy() }).len(), 40);
    }

    #[test]
    fn logs_have_a_size_together() {
        let items = [
            item(Kind::PackageLog, "newest", 1),
            item(Kind::StepLog, "older", 5),
            item(Kind::PackageLog, "oldest", 9),
            Item { needed: true, ..item(Kind::PackageLog, "of a failure", 20) },
            item(Kind::PackageLog, "old anyway", 91),
            item(Kind::Distfile, "no log", 9),
        ];
        let sized = |log_size| config::Prune { log_size: Some(log_size), ..policy() };
        assert_eq!(names(&items, &sized(400)), ["old anyway 91"]);
        assert_eq!(names(&items, &sized(399)), ["old anyway 91", "oldest 9"]);
        assert_eq!(names(&items, &sized(250)), ["old anyway 91", "oldest 9", "older 5"]);
        assert_eq!(names(&items, &sized(0)), ["old anyway 91", "oldest 9", "newest 1", "older 5"]);
    }

    #[test]
    fn only_what_nothing_needs_has_an_age_and_a_size() {
        let of = |kind| {
            [
                item(kind, "superseded", 61),
                item(kind, "lately", 10),
                item(kind, "just now", 1),
                Item { needed: true, ..item(kind, "needed", 400) },
            ]
        };
        let small = config::Prune { binpkg_size: Some(100), distfile_size: Some(100), ..policy() };
        for (kind, reasons) in [
            (Kind::Binpkg, ["nothing needs it", "what nothing needs is larger than [prune] binpkg_size"]),
            (Kind::Distfile, ["old enough", "what nothing refers to is larger than [prune] distfile_size"]),
        ] {
            let items = of(kind);
            assert_eq!(names(&items, &policy()), ["superseded 61"]);
            assert_eq!(names(&items, &small), ["superseded 61", "lately 10"]);
            let gone = choose(&items, &small);
            assert_eq!(gone.iter().map(Removal::reason).collect::<Vec<_>>(), reasons);
        }
        // Each has a size of its own.
        let both = [of(Kind::Binpkg), of(Kind::Distfile)].concat();
        let sources = config::Prune { distfile_size: Some(0), ..policy() };
        assert_eq!(names(&both, &sources), ["superseded 61", "lately 10", "just now 1", "superseded 61"]);
    }

    #[test]
    fn which_binary_packages_are_needed() {
        let build = |cpv: &str, id: u32, time: u32| {
            format!("BUILD_ID: {id}\nBUILD_TIME: {time}\nCPV: {cpv}\nPATH: {cpv}-{id}.gpkg.tar\n\n")
        };
        let text = "VERSION: 0\n\n".to_owned()
            + &build("a/current-1", 1, 10)
            + &build("a/current-1", 2, 20)
            + &build("a/current-1", 10, 30)
            + &build("a/gone-1", 1, 40)
            + &build("a/gone-but-installed-1", 1, 50)
            + &build("a/gone-but-installed-1", 2, 60)
            + &build("a/released-1", 1, 70);
        let packages = Index::parse(text.as_bytes()).packages;
        let cpv = |text: &str| Cpv::parse(text.as_bytes()).unwrap();
        let installed =
            BTreeMap::from([(cpv("a/current-1"), Some(10)), (cpv("a/gone-but-installed-1"), None)]);
        let kept = BTreeSet::from(["a/released-1-1.gpkg.tar".to_owned()]);
        let needed = needed(&packages, &installed, &kept, |cpv| cpv.pn() == "current");
        // The installed build and the newest, nothing of what is gone, the newest of what is installed.
        assert_eq!(needed, [true, false, true, false, false, true, true]);
    }

    #[test]
    fn it_says_what_goes_and_why() {
        let gone = choose(&[item(Kind::Distfile, "/d/x.tar.gz", 61)], &policy());
        assert_eq!(gone[0].sentence(), "source /d/x.tar.gz, unchanged for 61 d: old enough");
    }
}
