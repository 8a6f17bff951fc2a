//! Repairs what a killed container left in Portage's directories. What is a leftover is decided by
//! [`leftovers`] and [`gpkg`]; here is the looking and the removing.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use super::quarantine::{self, unreadable};
use super::task::Task;
use super::{temporary_use, trial};
use crate::beneath::{Beneath, digested};
use crate::host::build::{binaries, own_features};
use crate::host::places::{INSTALLED, STATUS_FILES, databases, listing, missing, names, two_deep};
use crate::host::{configuration, unusable};
use crate::model::Exit;
use crate::model::failure::{Class, Failure, Trouble};
use crate::portage::command;
use crate::portage::files::binpkg;
use crate::portage::files::gpkg::{self, Damage};
use crate::portage::files::leftovers::{self, Leftover, Listed, Repair, build_time};
use crate::portage::files::repository::Repositories;
use crate::portage::files::settings::Settings;
use crate::portage::files::unusable::Reason;
use crate::portage::names::cpv::Cpv;
use crate::render::clean;
use crate::{procs, volume};

/// No record of one number is longer.
const LONGEST: u64 = 4096;

/// How much a binpkg's time of change may lie before the moment it was written: Portage sets it.
const SLACK: Duration = Duration::from_hours(24);
/// The warning that another Portage runs; it is withdrawn when somebody looks and none does.
pub(crate) const OTHER_PORTAGE: &str = "other-portage";
/// Lines shown of what emaint said.
const LAST_LINES: usize = 10;

/// What came of the repair.
pub(crate) struct Repaired {
    /// One sentence for each thing done.
    pub done: Vec<String>,
    /// Installed, and their merge failed again, as `category/name-version`.
    pub unmerged: Vec<String>,
}

/// Repairs. `failed` are packages of which it is known that their `pkg_postinst` fails, as `category/name-version`: they are no
/// leftovers.
pub(crate) fn run(
    task: &mut Task,
    settings: &Settings,
    repositories: Option<&Repositories>,
    failed: &[String],
) -> Result<Repaired, Trouble> {
    let running = procs::portage_pids();
    let text = "another Portage runs in this container: what it may be using is not repaired";
    task.warn(OTHER_PORTAGE, (!running.is_empty()).then(|| text.to_owned()));
    let mut done = Vec::new();
    if temporary_use::remove().map_err(|problem| unreadable(Path::new("/etc/portage"), &problem))? {
        done.push("USE flags that broke a circular dependency were still in force: removed".to_owned());
    }

    trial::clear().map_err(|problem| unreadable(Path::new(command::TRIAL), &problem))?;
    let listing = listing(&settings.pkgdir).map_err(|problem| unreadable(&settings.pkgdir, &problem))?;
    clear(&settings.pkgdir, leftovers::pkgdir(&listing, &running), &mut done)?;
    set_aside_damaged(task, settings, &listing, &mut done)?;
    let status_files = names(Path::new(STATUS_FILES));
    let status_files = leftovers::status_files(status_files.iter().map(String::as_str), &running);
    clear(Path::new(STATUS_FILES), status_files, &mut done)?;
    for directory in [settings.distdir.join(".locks"), settings.pkgdir.clone()] {
        let locks = names(&directory);
        clear(&directory, leftovers::locks(locks.iter().map(String::as_str), &running), &mut done)?;
    }
    for repository in repositories.into_iter().flat_map(|repositories| &repositories.all) {
        unlock(&repository.location, &running, &mut done)?;
    }
    let mut unmerged = Vec::new();
    let cut_short = half_merged(&running, &mut done)?;
    let unfinished = unfinished(settings, failed, &running, &mut done)?;
    if running.is_empty() {
        // Portage ends in a traceback where there is nothing to index.
        if !listing.is_empty() {
            let tree_is_there = repositories.is_none_or(|repositories| missing(repositories).is_empty());
            index(task, settings, &listing, tree_is_there, &mut done)?;
        }
        unmerged = merge_again(task, settings, cut_short, unfinished, &mut done)?;
    }
    Ok(Repaired { done, unmerged })
}

/// Removes what was left, each thing with its sentence.
fn clear(root: &Path, repairs: Vec<Repair>, done: &mut Vec<String>) -> Result<(), Trouble> {
    if repairs.is_empty() {
        return Ok(());
    }
    let place = Beneath::open(root).map_err(|problem| unreadable(root, &problem))?;
    for repair in repairs {
        let path = root.join(&repair.path);
        let removed = match repair.kind {
            Leftover::HalfMerged(_) | Leftover::Unfinished(_) => place.remove_all(&repair.path),
            _ => place.remove(&repair.path),
        };
        match removed {
            Ok(()) => done.push(clean(&format!("{repair}: removed")).into_owned()),
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => {}
            Err(problem) => return Err(unreadable(&path, &problem)),
        }
    }
    Ok(())
}

/// Looks into every binary package, also those that were looked at before: something in them ended Portage. What was packed
/// without compression does that as well.
fn set_aside_unreadable(task: &Task, settings: &Settings, done: &mut Vec<String>) -> Result<(), Trouble> {
    let listing = listing(&settings.pkgdir).map_err(|problem| unreadable(&settings.pkgdir, &problem))?;
    let Ok(place) = Beneath::open(&settings.pkgdir) else { return Ok(()) };
    for entry in listing.iter().filter(|entry| is_gpkg(&entry.path)) {
        let Ok(file) = place.linked(&entry.path) else { continue };
        if let Err(damage) = gpkg::check(file, entry.size) {
            done.push(quarantine::one(task, &place, &entry.path, &damage.told())?);
        }
    }
    Ok(())
}

/// Looks into every binary package that is new since the last look: after a power loss the file
/// system may have kept the name of a file and lost its end.
fn set_aside_damaged(
    task: &Task,
    settings: &Settings,
    listing: &[Listed],
    done: &mut Vec<String>,
) -> Result<(), Trouble> {
    let Ok(place) = Beneath::open(&settings.pkgdir) else { return Ok(()) };
    let stamp = task.volume.join("state/checked");
    let since = changed(&stamp).and_then(|at| at.checked_sub(SLACK));
    for entry in listing {
        let damage = if binpkg::has_wrong_digest(&entry.path) {
            "is damaged: Portage found its digest wrong".to_owned()
        } else if entry.size > 0 && is_gpkg(&entry.path) {
            let at = place.entry(&entry.path).map(|entry| entry.modified).ok();
            if since.is_some_and(|since| at.is_some_and(|at| at < since)) {
                continue;
            }
            let Ok(file) = place.linked(&entry.path) else { continue };
            match gpkg::check(file, entry.size) {
                // It is whole. Where Portage cannot read it either, its own check says so below.
                Ok(()) | Err(Damage::Uncompressed) => continue,
                Err(damage) => damage.told(),
            }
        } else {
            continue;
        };
        done.push(quarantine::one(task, &place, &entry.path, &damage)?);
    }
    // Without the stamp the next look is a longer one.
    drop(volume::stamp(&stamp));
    Ok(())
}

fn is_gpkg(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.ends_with(".gpkg.tar"))
}

fn changed(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|meta| meta.modified()).ok()
}

/// Removes the locks that a git left in a repository when it was killed in the middle of a sync. `running` are the
/// processes of Portage that are alive.
pub(crate) fn unlock(repository: &Path, running: &[u32], done: &mut Vec<String>) -> Result<(), Trouble> {
    let git = repository.join(".git");
    // A repository belongs to whom it is synced as: what stands there in place of the directory is left alone.
    if Beneath::open(&git).is_err() {
        return Ok(());
    }
    let running = [running, &procs::git_pids()].concat();
    let files = listing(&git).map_err(|problem| unreadable(&git, &problem))?;
    clear(&git, leftovers::git_locks(files.iter().map(|file| file.path.as_path()), &running), done)
}

/// A package whose files were being copied, and when the build ended that they are of.
type CutShort = (Cpv, Option<i64>);

/// Removes the records of half merged packages and names the packages.
fn half_merged(running: &[u32], done: &mut Vec<String>) -> Result<Vec<CutShort>, Trouble> {
    let root = Path::new(INSTALLED);
    let directories = two_deep(root);
    let repairs = leftovers::installed(directories.iter().map(PathBuf::as_path), running);
    let built =
        repairs.iter().map(|repair| build_time(&text(&root.join(&repair.path).join("BUILD_TIME")))).collect();
    let built: Vec<Option<i64>> = built;
    Ok(take(root, repairs, done)?.into_iter().zip(built).collect())
}

/// Removes the work directories of the builds that are installed, and names the packages. With FEATURES
/// that keep them they say nothing.
fn unfinished(
    settings: &Settings,
    failed: &[String],
    running: &[u32],
    done: &mut Vec<String>,
) -> Result<Vec<Cpv>, Trouble> {
    if ["keepwork", "keeptemp", "noclean"].iter().any(|feature| settings.features.contains(*feature)) {
        return Ok(Vec::new());
    }
    let root = settings.tmpdir.join("portage");
    let directories = two_deep(&root);
    let directories = directories
        .iter()
        .map(PathBuf::as_path)
        .filter(|path| !failed.iter().any(|failed| path.as_os_str() == failed.as_str()));
    let place = Beneath::open(&root).ok();
    let builds = |package: &Cpv| {
        let work = Path::new(package.as_str()).join("build-info/BUILD_TIME");
        let work = place.as_ref().and_then(|place| place.read(work, LONGEST).ok()).unwrap_or_default();
        (
            String::from_utf8_lossy(&work).into_owned(),
            text(&Path::new(INSTALLED).join(package.as_str()).join("BUILD_TIME")),
        )
    };
    let repairs = leftovers::work(directories, builds, running);
    take(&root, repairs, done)
}

fn text(file: &Path) -> String {
    String::from_utf8_lossy(&digested(file).unwrap_or_default()).into_owned()
}

/// Removes what was left, and names the packages that have to be merged again for it.
fn take(root: &Path, repairs: Vec<Repair>, done: &mut Vec<String>) -> Result<Vec<Cpv>, Trouble> {
    let packages = repairs.iter().filter_map(|repair| match &repair.kind {
        Leftover::HalfMerged(package) | Leftover::Unfinished(package) => Some(package.clone()),
        _ => None,
    });
    let packages = packages.collect();
    clear(root, repairs, done)?;
    Ok(packages)
}

/// Makes the index agree with the files. An operator may have deleted or added some by hand, and what
/// Portage itself cannot read must not stay beside the others.
fn index(
    task: &mut Task,
    settings: &Settings,
    listing: &[Listed],
    tree_is_there: bool,
    done: &mut Vec<String>,
) -> Result<(), Trouble> {
    let check = command::check_binhost(&own_features());
    let (mut exit, mut text) = task.capture_unless_same(&check, index_made_of(settings, listing))?;
    if String::from_utf8_lossy(&text).contains("Traceback (most recent call last):") {
        // It ends so over a file that it cannot read, and does not say which.
        let before = done.len();
        set_aside_unreadable(task, settings, done)?;
        if done.len() > before {
            (exit, text) = task.capture(&check)?;
        }
    }
    let mut whole = Vec::new();
    let mut set_aside = |path: &Path, damage: &Damage| {
        let place =
            Beneath::open(&settings.pkgdir).map_err(|problem| unreadable(&settings.pkgdir, &problem))?;
        let name = path.strip_prefix(&settings.pkgdir).unwrap_or(path);
        done.push(quarantine::one(task, &place, name, &damage.told())?);
        Ok::<(), Trouble>(())
    };
    for (path, reason) in binpkg::invalid(&text) {
        match unusable::examine(&path, &reason, &settings.signatures) {
            // No program and no key helps; a build from source does, and the next audit asks for one.
            Ok(Reason::Uncompressed) => set_aside(&path, &Damage::Uncompressed)?,
            Ok(why) => whole.push((path, why)),
            Err(damage) => set_aside(&path, &damage)?,
        }
    }
    if let Some(failure) = unusable::failure(&whole, settings) {
        // An index written now would leave them out, and all of them would be built anew. What helps takes a tree.
        return if tree_is_there { Err(task.logged(failure)) } else { Ok(()) };
    }
    if exit == Exit::Code(0) {
        return Ok(());
    }
    match task.capture(&command::fix_binhost(&own_features()))? {
        (Exit::Code(0), _) => {
            done.push("the package index did not agree with the files: rewritten".to_owned());
        }
        (_, text) => {
            let message = "the package index does not agree with the files and cannot be rewritten";
            let text = String::from_utf8_lossy(&text).into_owned();
            let lines: Vec<_> = text.lines().map(str::to_owned).collect();
            let evidence = lines[lines.len().saturating_sub(LAST_LINES)..].to_vec();
            let suggestions = vec!["emaint --fix binhost".to_owned()];
            let log = Some(task.log().display().to_string());
            return Err(Box::new(Failure {
                evidence,
                log,
                suggestions,
                ..Failure::new(Class::Unknown, message)
            }));
        }
    }
    Ok(())
}

/// What decides whether the package index agrees with the files: both, and what it takes to read them.
fn index_made_of(settings: &Settings, listing: &[Listed]) -> Vec<PathBuf> {
    let files = listing.iter().map(|entry| settings.pkgdir.join(&entry.path));
    files.chain(configuration::made_of()).chain(databases()).collect()
}

/// Merges again what was half merged, so that its files have an owner again, and what did not end. Returns what is installed and
/// failed again, as a `pkg_postinst` does: to the build that follows it would be up to date.
fn merge_again(
    task: &mut Task,
    settings: &Settings,
    cut_short: Vec<CutShort>,
    unfinished: Vec<Cpv>,
    done: &mut Vec<String>,
) -> Result<Vec<String>, Trouble> {
    let mut unmerged = Vec::new();
    if cut_short.is_empty() && unfinished.is_empty() {
        return Ok(unmerged);
    }
    let host = task.host()?;
    let options = task.options(&[]);
    let binaries = binaries(settings);
    let unfinished = unfinished.into_iter().map(|package| (package, None));
    for (package, merging) in cut_short.into_iter().chain(unfinished) {
        let over = leftovers::is_same_build(&package, merging, &binaries);
        let mut merged =
            over && task.run(&command::merge_over(&package, &host, &options))?.exit == Exit::Code(0);
        if !merged {
            merged = task.run(&command::remerge(&package, &host, &options))?.exit == Exit::Code(0);
        }
        if merged {
            done.push(format!("{package} was merged again"));
        } else if Path::new(INSTALLED).join(package.as_str()).is_dir() {
            unmerged.push(package.to_string());
        }
    }
    Ok(unmerged)
}
