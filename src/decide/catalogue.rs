//! What is known of packages: which releases have them, who needs them, and what their builds took.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::model::estimates::quantile;
use crate::model::records::{CycleRow, PackageOutcome, PackageRow};
use crate::model::release::{Entry, Id, Release};
use crate::portage::files::index::{Index, Package};
use crate::portage::names::cpv::Cpv;
use crate::portage::names::depend;

/// Builds of a package that are looked at, the newest ones.
const BUILDS: usize = 100;

/// The index of the release on offer, and who needs what in it.
#[derive(Debug, Default)]
pub struct Offered {
    /// The release; absent when nothing is on offer.
    pub id: Option<Id>,
    index: Index,
    /// By `category/name`: the packages that need it to run, and those that need it only to be built.
    needed: BTreeMap<String, Needed>,
}

/// Who needs a package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needed {
    /// When they run, or are installed.
    pub to_run: BTreeSet<Cpv>,
    /// Only when they are built.
    pub to_build: BTreeSet<Cpv>,
}

impl Offered {
    /// That of an index.
    #[must_use]
    pub fn new(id: Id, index: Index) -> Self {
        let mut needed: BTreeMap<String, Needed> = BTreeMap::new();
        for package in &index.packages {
            let flags: BTreeSet<&str> = package.flags().collect();
            for (keys, to_run) in
                [(&["RDEPEND", "PDEPEND", "IDEPEND"][..], true), (&["DEPEND", "BDEPEND"], false)]
            {
                for key in keys {
                    // What cannot be read is told by the audit; here it needs nothing.
                    let needs =
                        depend::parse(package.get(key), |flag| flags.contains(flag)).unwrap_or_default();
                    for need in &needs {
                        need.for_each(&mut |atom| {
                            if atom.blocks() || atom.cp() == package.cpv.cp() {
                                return;
                            }
                            let one = needed.entry(atom.cp().to_owned()).or_default();
                            let set = if to_run { &mut one.to_run } else { &mut one.to_build };
                            set.insert(package.cpv.clone());
                        });
                    }
                }
            }
        }
        for one in needed.values_mut() {
            one.to_build.retain(|cpv| !one.to_run.contains(cpv));
        }
        Self { id: Some(id), index, needed }
    }

    /// Who needs a package of this name.
    #[must_use]
    pub fn needed(&self, name: &str) -> Needed {
        self.needed.get(name).cloned().unwrap_or_default()
    }

    /// Its builds on offer.
    #[must_use]
    pub fn builds(&self, name: &str) -> Vec<&Package> {
        self.index.packages.iter().filter(|package| package.cpv.cp() == name).collect()
    }
}

/// A build of a package, in a cycle with this number.
#[derive(Clone, Copy, Debug)]
pub struct Build<'a> {
    /// The cycle.
    pub cycle: u64,
    /// What came of it.
    pub row: &'a PackageRow,
}

impl Build<'_> {
    /// Seconds that it took.
    #[must_use]
    pub fn seconds(&self) -> u64 {
        u64::try_from(self.row.ended.duration_since(self.row.started).as_secs()).unwrap_or_default()
    }

    /// Whether it says how long a build takes: it was one, from source, to its end.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        self.row.outcome == PackageOutcome::Built && !self.row.binary
    }
}

/// Of what builds took, the middle, and where the middle half of them begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// A quarter took less.
    pub low: u64,
    /// Half of them took less.
    pub median: u64,
    /// A quarter took more.
    pub high: u64,
}

impl Spread {
    /// That of these builds.
    #[must_use]
    pub fn of(builds: &[Build<'_>]) -> Option<Self> {
        let mut seconds: Vec<u64> =
            builds.iter().filter(|build| build.is_measured()).map(Build::seconds).collect();
        seconds.sort_unstable();
        let at = |part| quantile(&seconds, part, 4);
        Some(Self { low: at(1)?, median: at(2)?, high: at(3)? })
    }
}

/// Everything that is known of one package.
#[derive(Debug)]
pub struct About<'a> {
    /// `category/name`
    pub name: &'a str,
    /// What is on offer of it, as the index has it.
    pub offered: Vec<&'a Package>,
    /// The release on offer.
    pub current: Option<Id>,
    /// Which releases have it, the newest first.
    pub releases: Vec<(&'a Release, Vec<&'a Entry>)>,
    /// Its last builds, the newest first.
    pub builds: Vec<Build<'a>>,
    /// Who needs it.
    pub needed: Needed,
}

impl<'a> About<'a> {
    /// What is known of a package of this name; nothing when there is none.
    #[must_use]
    pub fn new(
        name: &'a str,
        offered: &'a Offered,
        releases: &'a [&'a Release],
        cycles: &[&'a CycleRow],
    ) -> Option<Self> {
        let entries = |release: &'a Release| -> Vec<&'a Entry> {
            release.packages.iter().filter(|entry| entry.cpv.cp() == name).collect()
        };
        let having = releases.iter().map(|release| (*release, entries(release)));
        let about = Self {
            name,
            offered: offered.builds(name),
            current: offered.id,
            releases: having.filter(|(_, entries)| !entries.is_empty()).collect(),
            builds: builds(name, cycles),
            needed: offered.needed(name),
        };
        let known = !about.offered.is_empty() || !about.releases.is_empty() || !about.builds.is_empty();
        known.then_some(about)
    }
}

/// The last builds of a package, the newest first.
fn builds<'a>(name: &str, cycles: &[&'a CycleRow]) -> Vec<Build<'a>> {
    let rows = cycles.iter().flat_map(|cycle| {
        let of_it = cycle.packages.iter().rev().filter(|row| is_of(&row.package, name));
        of_it.map(|row| Build { cycle: cycle.id, row })
    });
    rows.take(BUILDS).collect()
}

/// Whether `category/name-version` has this name. Years have tens of thousands of builds, of which most are seen to be others before they are
/// taken apart.
fn is_of(package: &str, name: &str) -> bool {
    package.strip_prefix(name).is_some_and(|rest| rest.starts_with('-')) && name_of(package) == Some(name)
}

/// `category/name` of `category/name-version`.
fn name_of(package: &str) -> Option<&str> {
    Cpv::parse(package.as_bytes()).map(|cpv| &package[..cpv.cp().len()])
}

/// A package in the list of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Item<'a> {
    /// `category/name`
    pub name: &'a str,
    /// Its versions on offer, with the slot where that is not 0.
    pub versions: Vec<String>,
    /// What it is, in the words of its ebuild.
    pub about: &'a str,
    /// Bytes of what is on offer of it.
    pub size: u64,
    /// Seconds that a build of it took, in the middle of the last ones.
    pub seconds: Option<u64>,
    /// Its last build failed.
    pub failed: bool,
}

/// Whether the last build failed of each package that was built, by `category/name`.
pub type Built = BTreeMap<String, bool>;

/// That of these cycles, the newest first.
#[must_use]
pub fn built(cycles: &[&CycleRow]) -> Built {
    let mut built = Built::new();
    for row in cycles.iter().flat_map(|cycle| cycle.packages.iter().rev()) {
        if let Some(name) = name_of(&row.package).filter(|name| !built.contains_key(*name)) {
            built.insert(name.to_owned(), row.outcome == PackageOutcome::Failed);
        }
    }
    built
}

/// Every package that is on offer or was built, by name, as far as each of these words is in its name or its description.
#[must_use]
pub fn items<'a>(
    offered: &'a Offered,
    current: Option<&'a Release>,
    built: &'a Built,
    words: &str,
) -> Vec<Item<'a>> {
    let mut items: BTreeMap<&str, Item<'_>> = BTreeMap::new();
    for entry in current.iter().flat_map(|release| &release.packages) {
        let item = items.entry(entry.cpv.cp()).or_default();
        let version = entry.cpv.version();
        item.versions.push(if entry.slot == "0" {
            version.to_owned()
        } else {
            format!("{version}:{}", entry.slot)
        });
        item.size = item.size.saturating_add(entry.size);
        item.seconds = item.seconds.max(entry.seconds);
    }
    for package in &offered.index.packages {
        if let Some(item) = items.get_mut(package.cpv.cp()) {
            item.about = package.get("DESC");
        }
    }
    for (name, failed) in built {
        items.entry(name).or_default().failed = *failed;
    }
    let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
    let has = |item: &Item<'_>, word: &String| {
        item.name.to_lowercase().contains(word) || item.about.to_lowercase().contains(word)
    };
    let named = items.into_iter().map(|(name, item)| Item { name, ..item });
    let mut found: Vec<_> = named.filter(|item| words.iter().all(|word| has(item, word))).collect();
    // Whoever types a name means that.
    let exact = |item: &Item<'_>| {
        words.iter().any(|word| item.name.rsplit('/').next() == Some(word) || item.name == word)
    };
    found.sort_by_key(|item| !exact(item));
    found
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const INDEX: &str = "PACKAGES: 3\n\nCPV: app-misc/a-1\nRDEPEND: dev-libs/b:0= use? ( dev-libs/c ) !dev-libs/old\nUSE: x\nDESC: Hello <world>\n\n\
                         CPV: app-misc/d-1\nRDEPEND: || ( dev-libs/b dev-libs/c )\nDEPEND: dev-libs/b dev-build/make\n\nCPV: dev-libs/b-2\nPDEPEND: dev-libs/b-extra\n";

    fn offered() -> Offered {
        Offered::new("2026-11-22.1".parse().unwrap(), Index::parse(INDEX.as_bytes()))
    }

    fn cycle(id: u64, packages: &[(&str, i64, PackageOutcome)]) -> CycleRow {
        let at = |second| Timestamp::from_second(second).unwrap();
        let row = |(package, took, outcome): &(&str, i64, PackageOutcome)| PackageRow {
            package: (*package).to_owned(),
            step: "build".into(),
            binary: false,
            started: at(0),
            ended: at(*took),
            outcome: *outcome,
            log: None,
            message: None,
            files: None,
        };
        CycleRow {
            id,
            started: at(0),
            reason: "interval".into(),
            ended: None,
            outcome: None,
            steps: Vec::new(),
            packages: packages.iter().map(row).collect(),
            predictions: Vec::new(),
            remedies: Vec::new(),
            releases: Vec::new(),
            ccache: None,
            files: None,
        }
    }

    #[test]
    fn who_needs_what() {
        let offered = offered();
        let names = |set: &BTreeSet<Cpv>| {
            set.iter().map(Cpv::as_str).map(str::to_owned).collect::<Vec<_>>().join(" ")
        };
        for (name, to_run, to_build) in [
            ("dev-libs/b", "app-misc/a-1 app-misc/d-1", ""),
            ("dev-libs/c", "app-misc/d-1", ""),
            ("dev-build/make", "", "app-misc/d-1"),
            ("dev-libs/old", "", ""),
            ("dev-libs/b-extra", "dev-libs/b-2", ""),
        ] {
            let needed = offered.needed(name);
            assert_eq!(
                (names(&needed.to_run).as_str(), names(&needed.to_build).as_str()),
                (to_run, to_build),
                "{name}"
            );
        }
    }

    #[test]
    fn builds_of_one_package_and_what_they_took() {
        use PackageOutcome::{Built, Failed};
        let cycles = [
            cycle(
                3,
                &[
                    ("dev-libs/b-3", 40, Built),
                    ("dev-libs/b-3", 900, Failed),
                    ("dev-libs/b-extra-1", 7, Built),
                ],
            ),
            cycle(2, &[("dev-libs/b-2", 10, Built), ("broken", 1, Built)]),
            cycle(1, &[("dev-libs/b-1", 20, Built)]),
        ];
        let cycles: Vec<&CycleRow> = cycles.iter().collect();
        let offered = offered();
        let about = About::new("dev-libs/b", &offered, &[], &cycles).unwrap();
        let took: Vec<_> = about.builds.iter().map(|build| (build.cycle, build.seconds())).collect();
        assert_eq!(took, [(3, 900), (3, 40), (2, 10), (1, 20)]);
        assert_eq!(Spread::of(&about.builds), Some(Spread { low: 15, median: 20, high: 30 }));
        assert!(About::new("dev-libs/none", &offered, &[], &cycles).is_none());
        let built = built(&cycles);
        let names = |words| {
            items(&offered, None, &built, words)
                .iter()
                .map(|item| (item.name, item.failed))
                .collect::<Vec<_>>()
        };
        assert_eq!(names(""), [("dev-libs/b", true), ("dev-libs/b-extra", false)]);
        assert_eq!(names("EXTRA libs"), [("dev-libs/b-extra", false)]);
        assert_eq!(names("b"), [("dev-libs/b", true), ("dev-libs/b-extra", false)]);
        assert_eq!(names("nothing"), []);
    }
}
