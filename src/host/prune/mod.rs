//! Looks for what may go, and removes it; what goes is decided by [`prune`](crate::decide::prune).

mod binpkgs;
mod entries;
mod parts;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::build::own_features;
use crate::beneath::{self, Entry};
use crate::binhost::aside;
use crate::binhost::release;
use crate::config::Config;
use crate::decide::prune::choose;
use crate::model::prune::{Item, Kind, Pruned, Removal, Why};
use crate::model::work::STEPS;
use crate::portage::command::{self, Command, shell_word};
use crate::portage::files::repository;
use crate::portage::files::settings::Settings;
use crate::procs;
use crate::volume::history::History;
use entries::{below, files, item, items_of, list, place, since};

/// No Manifest is longer.
const LONGEST_MANIFEST: u64 = 16 << 20;

/// What would go by this configuration, and what could not be looked at, one sentence each. `settings` are those of
/// Portage, where it has any; `repositories` says where the repositories are.
pub(crate) fn survey(
    config: &Config,
    settings: Option<Settings>,
    repositories: impl FnOnce() -> Vec<PathBuf>,
) -> (Vec<Removal>, Vec<String>) {
    let mut problems = Vec::new();
    let mut items = Vec::new();
    let volume = &config.volume.path;
    // What needs no answer of Portage comes first: with a full disk there may be none.
    if let Some(place) = place(&volume.join(aside::DIRECTORY)) {
        items.extend(items_of(Kind::Quarantined, &place, files(&place, ".")));
    }
    if let Some(place) = place(&volume.join("state")) {
        let aside = |entry: &Entry| entry.path.to_string_lossy().contains(".damaged-");
        items.extend(items_of(Kind::Damaged, &place, files(&place, ".").into_iter().filter(aside)));
    }
    let logs = volume.join("log");
    items.extend(step_logs(&volume.join(STEPS)));
    let logs = settings.as_ref().and_then(|settings| settings.logdir.clone()).unwrap_or(logs);
    items.extend(package_logs(&logs, &failed_logs(volume)));
    items.extend(messages(&logs));
    match settings {
        Some(settings) => {
            let repositories = repositories();
            // As long as a Portage runs, nobody knows what is in work and what it is about to use.
            if procs::portage_pids().is_empty() {
                items.extend(leftovers(&settings));
                items.extend(binpkgs::items(volume, &settings.pkgdir, &repositories));
            }
            items.extend(unreferenced(&settings, &repositories));
        }
        None => problems.push("Portage does not say where its directories are".to_owned()),
    }
    let mut chosen = choose(&items, &config.prune);
    chosen.extend(parts::survey(volume, &config.prune));
    chosen.extend(releases(config));
    (chosen, problems)
}

/// The releases that are too many.
fn releases(config: &Config) -> impl Iterator<Item = Removal> {
    let now = Timestamp::now();
    let keep = usize::try_from(config.publish.keep).unwrap_or(usize::MAX);
    let expired = release::expired(&config.volume.path, keep, now);
    expired.into_iter().map(move |release| {
        let age = release.published.map_or(0, |published| now.duration_since(published).as_secs());
        let age = u64::try_from(age).unwrap_or_default();
        Removal {
            kind: Kind::Release,
            root: PathBuf::new(),
            path: release.path,
            size: release.size,
            age,
            why: Why::TooMany,
        }
    })
}

/// Removes these, until `stopped` says otherwise; `told` hears of each. When binary packages are among them
/// the index is written anew; after a kill before that the preflight does it.
pub(crate) fn remove(
    removals: &[Removal],
    mut stopped: impl FnMut() -> bool,
    mut told: impl FnMut(&Removal),
    mut ask: impl FnMut(&Command) -> Option<Vec<u8>>,
) -> Pruned {
    let mut pruned = Pruned::default();
    let mut binpkgs = false;
    for removal in removals {
        if stopped() {
            break;
        }
        let path = &removal.path;
        let removed = match removal.kind {
            Kind::Release => release::remove(path),
            Kind::EmergeLog | Kind::Messages | Kind::History => parts::remove(removal),
            Kind::Leftover => below(removal).and_then(|(place, path)| place.remove_all(path)),
            _ => below(removal).and_then(|(place, path)| place.remove(path)),
        };
        match removed {
            Ok(()) => {
                pruned.files += 1;
                binpkgs |= removal.kind == Kind::Binpkg;
                pruned.freed = pruned.freed.saturating_add(removal.size);
                told(removal);
            }
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => {}
            Err(problem) => {
                let path = shell_word(&path.display().to_string());
                pruned.problems.push(format!("{path} cannot be removed: {problem}"));
            }
        }
        let emptied = [Kind::StepLog, Kind::Binpkg].contains(&removal.kind);
        if let Ok((place, path)) = below(removal)
            && let Some(directory) = path.parent().filter(|_| emptied)
        {
            // Only when it is empty.
            drop(place.remove(directory));
        }
    }
    if binpkgs && ask(&command::fix_binhost(&own_features())).is_none() {
        pruned.problems.push("the package index was not rewritten (emaint --fix binhost)".to_owned());
    }
    pruned
}

// --- What is there ----------------------------------------------------------------------------------

/// Where packages failed that were not built since; a person may want to read why.
fn failed_logs(volume: &Path) -> BTreeSet<PathBuf> {
    let history = History::read(&volume.join("state/history.db"));
    history
        .and_then(|history| history.logs_of_failures())
        .unwrap_or_default()
        .into_iter()
        .map(PathBuf::from)
        .collect()
}

/// The logs of steps, but for those of the newest cycle.
fn step_logs(steps: &Path) -> Vec<Item> {
    let Some(steps) = place(steps) else { return Vec::new() };
    let number = |entry: &Entry| entry.path.to_str()?.parse::<u64>().ok();
    let cycles = list(&steps, ".").into_iter().filter_map(|entry| Some((number(&entry)?, entry.path)));
    let mut cycles: Vec<_> = cycles.collect();
    cycles.sort();
    cycles.pop();
    cycles.iter().flat_map(|(_, cycle)| items_of(Kind::StepLog, &steps, files(&steps, cycle))).collect()
}

/// The logs of packages, wherever Portage puts them: `CAT:PF:TIME.log`, or with FEATURES=split-log
/// `build/CAT/PF:TIME.log`.
fn package_logs(logs: &Path, needed: &BTreeSet<PathBuf>) -> Vec<Item> {
    let Some(logs) = place(logs) else { return Vec::new() };
    let split = list(&logs, "build").into_iter().flat_map(|category| files(&logs, category.path));
    let named = |entry: &Entry| {
        let name = entry.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.strip_suffix(".gz").unwrap_or(name);
        name.contains(':') && Path::new(name).extension().is_some_and(|end| end == "log")
    };
    let all = files(&logs, ".").into_iter().chain(split).filter(named);
    items_of(Kind::PackageLog, &logs, all)
        .map(|item| Item { needed: needed.contains(&item.path), ..item })
        .collect()
}

/// What packages wanted to have read, as the module `save` of PORTAGE_ELOG_SYSTEM keeps it; with FEATURES=split-elog by category.
fn messages(logs: &Path) -> Vec<Item> {
    let Some(elog) = place(&logs.join("elog")) else { return Vec::new() };
    let split = list(&elog, ".").into_iter().flat_map(|category| files(&elog, category.path));
    let named = |entry: &Entry| {
        let name = entry.path.file_name().unwrap_or_default().to_string_lossy();
        name.contains(':') && name.ends_with(".log")
    };
    items_of(Kind::Message, &elog, files(&elog, ".").into_iter().chain(split).filter(named)).collect()
}

/// What failed builds left, while nothing is built.
fn leftovers(settings: &Settings) -> Vec<Item> {
    let Some(builds) = place(&settings.tmpdir.join("portage")) else { return Vec::new() };
    let directories =
        |path: &Path| list(&builds, path).into_iter().filter(|entry| entry.kind == beneath::Kind::Directory);
    let packages = directories(Path::new(".")).flat_map(|category| directories(&category.path));
    let packages = packages.map(|entry| Entry { size: builds.size(&entry.path), ..entry });
    items_of(Kind::Leftover, &builds, packages).collect()
}

/// The source files, needed or not. That a file was downloaded long ago says nothing about how old it was
/// then, so the time counts at which it came here.
fn unreferenced(settings: &Settings, repositories: &[PathBuf]) -> Vec<Item> {
    let hidden = |path: &Path| path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
    let Some(distfiles) = place(&settings.distdir) else { return Vec::new() };
    let sources: Vec<Entry> =
        files(&distfiles, ".").into_iter().filter(|entry| !hidden(&entry.path)).collect();
    if sources.is_empty() {
        return Vec::new();
    }
    // Where a repository has no Manifests, any file may be needed.
    let Some(referred) = referred(repositories) else { return Vec::new() };
    let is_needed =
        |path: &Path| path.file_name().is_some_and(|name| referred.contains(&*name.to_string_lossy()));
    let items = sources.into_iter().map(|entry| Item {
        age: since(entry.changed),
        needed: is_needed(&entry.path),
        ..item(Kind::Distfile, &distfiles, &entry)
    });
    items.collect()
}

/// Every source file to which a Manifest refers; nothing when that cannot be known.
fn referred(repositories: &[PathBuf]) -> Option<BTreeSet<String>> {
    let mut referred = BTreeSet::new();
    for repository in repositories {
        // Nothing refers to anything where there is none.
        let Some(tree) = place(repository) else { continue };
        let layout = tree.read("metadata/layout.conf", LONGEST_MANIFEST).unwrap_or_default();
        if !repository::has_manifests(&String::from_utf8_lossy(&layout)) {
            return None;
        }
        let packages = list(&tree, ".").into_iter().flat_map(|category| list(&tree, category.path));
        for manifest in packages.map(|package| package.path.join("Manifest")) {
            match tree.read(&manifest, LONGEST_MANIFEST) {
                Ok(text) => {
                    let text = String::from_utf8_lossy(&text);
                    referred.extend(repository::distfiles(&text).map(str::to_owned));
                }
                Err(problem)
                    if matches!(problem.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(_) => return None,
            }
        }
    }
    // No reference at all is not believed: a tree that is not there refers to nothing.
    (!referred.is_empty()).then_some(referred)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, SystemTime};

    use super::*;

    fn write(path: &Path, days: u64) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "0123456789").unwrap();
        let then = SystemTime::now() - Duration::from_hours(24 * days);
        fs::File::options().append(true).open(path).unwrap().set_modified(then).unwrap();
    }

    /// Everything there is below a volume that goes, with what Portage would say.
    fn gone(volume: &Path, config: &Config) -> Vec<String> {
        let repositories = || vec![volume.join("repo")];
        let settings = format!(
            "PKGDIR={0}/binpkgs\nDISTDIR={0}/distfiles\nPORTAGE_LOGDIR={0}/log\nPORTAGE_TMPDIR={0}/tmp\n",
            volume.display()
        );
        let (removals, problems) = survey(config, Some(Settings::parse(settings.as_bytes())), repositories);
        assert_eq!(problems, [""; 0]);
        let name = |removal: &Removal| removal.path.strip_prefix(volume).unwrap().display().to_string();
        let names = removals.iter().map(name).collect();
        let mut asked = Vec::new();
        let pruned = remove(
            &removals,
            || false,
            |_| {},
            |command| {
                asked.push(command.argv.join(" "));
                Some(Vec::new())
            },
        );
        let reindexed = removals.iter().any(|removal| removal.kind == Kind::Binpkg);
        assert_eq!(asked, vec!["emaint --fix binhost"; usize::from(reindexed)]);
        assert_eq!((pruned.files, pruned.problems), (removals.len() as u64, vec![]));
        names
    }

    #[test]
    fn what_is_old_goes_and_everything_else_stays() {
        let place = tempfile::tempdir().unwrap();
        let volume = place.path();
        for (path, days) in [
            ("log/a:b-1:20250101-000000.log", 100),
            ("log/a:b-2:20250101-000000.log", 10),
            ("log/build/a/b-3:20250101-000000.log.gz", 100),
            ("log/emerge.log", 100),
            ("log/elog/summary.log", 100),
            ("log/elog/a:b-1:20250101-000000.log", 100),
            ("log/elog/a/b-2:20250101-000000.log", 10),
            ("state/history.db.damaged-20250101T000000Z", 31),
            ("steps/1/build.log", 100),
            ("steps/12/build.log", 100),
            ("quarantine/a_b_b-1-1.gpkg.tar", 31),
            ("binpkgs/a/b/b-1-1.gpkg.tar", 999),
            ("state/state.json", 999),
        ] {
            write(&volume.join(path), days);
        }
        let mut config = Config::default();
        config.volume.path = volume.to_owned();
        let gone = gone(volume, &config);
        assert_eq!(
            gone,
            [
                "quarantine/a_b_b-1-1.gpkg.tar",
                "log/a:b-1:20250101-000000.log",
                "log/build/a/b-3:20250101-000000.log.gz",
                "steps/1/build.log",
                "log/elog/a:b-1:20250101-000000.log",
                "state/history.db.damaged-20250101T000000Z",
            ]
        );
        assert!(!volume.join("steps/1").exists(), "an empty directory goes, too");
        assert!(volume.join("steps/12/build.log").exists(), "the newest cycle stays");
    }

    #[test]
    fn only_sources_that_nothing_refers_to_go() {
        let place = tempfile::tempdir().unwrap();
        let volume = place.path();
        for name in ["used.tar.gz", "unused.tar.gz", ".layout"] {
            write(&volume.join("distfiles").join(name), 0);
        }
        let mut config = Config::default();
        config.volume.path = volume.to_owned();
        config.prune.distfiles = Some(Duration::ZERO);
        assert_eq!(gone(volume, &config), [""; 0], "a tree that is not there refers to nothing");
        let manifest = volume.join("repo/a/b/Manifest");
        write(&manifest, 0);
        fs::write(&manifest, "DIST used.tar.gz 9 SHA512 00\n").unwrap();
        let layout = volume.join("repo/metadata/layout.conf");
        write(&layout, 0);
        fs::write(&layout, "use-manifests = false\n").unwrap();
        assert_eq!(gone(volume, &config), [""; 0], "nobody knows what it needs");
        fs::write(&layout, "masters =\n").unwrap();
        assert_eq!(gone(volume, &config), ["distfiles/unused.tar.gz"]);
    }
}
