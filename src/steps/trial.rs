//! Whether a client could install what is offered, by the word of the real resolver. It is asked to install into an
//! empty root directory, from nothing but the index that clients would get, and in one go:
//!
//! - `@world`: the builder's own world, the sets in it that a person wrote, and what the profile demands of every system. Atoms
//!   of the world for which nothing is offered are passed over by Portage itself: each of them is held back, failed to build, or is
//!   masked or gone, which is known, and no reason to refuse the rest.
//! - All that is installed here and offered, each in its version: of what the world merely names Portage would also pass over
//!   what lacks a dependency.
//!
//! Of what the profile names nothing is passed over. A builder made from a stage has all of that installed and, with a
//! Portage before 3.0.80, never packages it; and one of it may have failed. Clients have it all the same, so then the world is asked
//! for without it. What of it is offered is among the versions.
//!
//! What Portage has accepted it is not asked again while all that it goes by is as it was.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use super::task::{Task, repositories};
use crate::beneath::digested;
use crate::binhost::offer::Audited;
use crate::host::inputs::Sums;
use crate::host::places::{INSTALLED, names};
use crate::host::{configuration, revision};
use crate::model::failure::{Class, Failure, Trouble};
use crate::model::{Exit, Ran, Report};
use crate::portage::command::{self, TRIAL, TRIAL_AGAIN, TRIAL_PKGDIR, TRIAL_ROOT, Wanted};
use crate::portage::files::index::Index;
use crate::portage::files::vdb::Installed;
use crate::portage::files::world;
use crate::portage::names::atom::Provided;
use crate::portage::names::cpv::Cpv;
use crate::volume::replace;

/// Where this container keeps which offer can be installed: as JSON, the digest of [`decided_by`]. It is not on the volume, since another
/// container may have another Portage.
const GOOD: &str = "/var/cache/gbsup/installable";

/// Of an installed package, what is of no use to the resolver, and large.
const CONTENTS: [&str; 2] = ["CONTENTS", "environment.bz2"];

/// Returns what Portage said when it refuses. Then all that it was asked stays until the next time, so that a person can ask
/// it again ([`TRIAL_AGAIN`]).
pub(crate) fn run(
    task: &mut Task,
    audited: &Audited,
    installed: &[Installed],
    provided: &[Provided],
) -> Result<Option<Report>, Trouble> {
    let failed = |problem: io::Error| trouble("the installation cannot be tried out", &problem);
    clear().map_err(failed)?;
    let here: BTreeSet<(&Cpv, &str)> =
        installed.iter().map(|one| (&one.cpv, one.slot.name.as_str())).collect();
    let offered = audited.offered.iter().map(|n| &audited.index.packages[*n]);
    let versions: Vec<Cpv> = offered
        .filter(|package| here.contains(&(&package.cpv, package.slot().0)))
        .map(|package| package.cpv.clone())
        .collect();
    if versions.is_empty() {
        return Ok(None);
    }
    let anyway: Vec<_> =
        installed.iter().filter(|one| provided.iter().any(|provided| provided.is(&one.cpv))).collect();
    // What is installed anyway depends on what its ebuild says by now, which is in the tree.
    let asked = if anyway.is_empty() { decided_by(task, audited, &versions, installed)? } else { None };
    if asked.is_some() && asked == found_good() {
        task.note("it can be installed: what decides about that is as it was when that was tried out")?;
        return Ok(None);
    }
    prepare(audited, &versions, anyway.into_iter()).map_err(failed)?;
    let refused = try_out(task, versions)?;
    if refused.is_none() {
        // Where it cannot be kept, it is tried out again.
        drop(replace(Path::new(GOOD), &asked));
        clear().map_err(failed)?;
    }
    Ok(refused.map(|ran| Report::Ran(Box::new(ran))))
}

/// Of which offer this container found last that it can be installed.
fn found_good() -> Option<String> {
    let text = digested(Path::new(GOOD)).ok()?;
    serde_json::from_slice(&text).ok()?
}

/// A digest of all that decides whether this can be installed; nothing where that cannot be told.
fn decided_by(
    task: &mut Task,
    audited: &Audited,
    versions: &[Cpv],
    installed: &[Installed],
) -> Result<Option<String>, Trouble> {
    let host = task.host()?;
    let Some(repositories) = repositories(task)? else { return Ok(None) };
    let mut sums = Sums::default();
    sums.text(&command::trial(Wanted::World, versions, &host).script());
    sums.text(&configuration::stamp().to_string());
    sums.text(&audited.index.header.to_string());
    for n in &audited.offered {
        sums.text(&audited.index.packages[*n].block.to_string());
    }
    for atom in world() {
        sums.text(&atom);
    }
    // Some of what a package needs to be installed is needed here.
    for one in installed {
        sums.text(&format!("{}:{} {:?}", one.cpv, one.slot.name, one.built));
    }
    for one in &repositories.all {
        sums.text(&format!("{} {}", one.name, one.location.display()));
        let Some(revision) = revision::head(&one.location).or_else(|| revision::timestamp(&one.location))
        else {
            return Ok(None);
        };
        sums.text(&revision);
        if sums.profiles(&one.location).is_err() {
            return Ok(None);
        }
    }
    Ok(Some(sums.finish()))
}

/// What Portage says when it refuses. What is masked by now, after it was built, is no reason to refuse the rest, unless
/// something needs it: Portage names it when it is asked, which is needed only where it refuses.
fn try_out(task: &mut Task, mut versions: Vec<Cpv>) -> Result<Option<Ran>, Trouble> {
    let host = task.host()?;
    // The list is as long as that of all packages, so nobody is shown it who need not see it.
    let mut command = command::trial(Wanted::World, &versions, &host);
    let (mut exit, mut text) = task.capture(&command)?;
    if exit == Exit::Code(0) {
        return Ok(None);
    }
    let (_, told) = task.capture(&command::masked(&host))?;
    let masked = command::passed_over(&told);
    let asked = versions.len();
    versions.retain(|package| !masked.contains(&package.atom()));
    if versions.is_empty() {
        return Ok(None);
    }
    if versions.len() < asked {
        command = command::trial(Wanted::World, &versions, &host);
        (exit, text) = task.capture(&command)?;
    }
    if exit != Exit::Code(0) && command::lacks_what_the_profile_names(&text) {
        command = command::trial(Wanted::Selected, &versions, &host);
        (exit, _) = task.capture(&command)?;
    }
    if exit == Exit::Code(0) {
        return Ok(None);
    }
    fs::write(TRIAL_AGAIN, command.script())
        .map_err(|problem| trouble("how to try the installation again cannot be written down", &problem))?;
    let ran = task.run(&command)?;
    Ok((ran.exit != Exit::Code(0)).then_some(ran))
}

/// Removes what the last trial left: one that was refused, or killed.
pub(crate) fn clear() -> io::Result<()> {
    match fs::remove_dir_all(TRIAL) {
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// An index of just what is offered, and a root directory with the builder's world, in which only that is installed
/// what clients have anyway.
fn prepare<'a>(
    audited: &Audited,
    versions: &[Cpv],
    anyway: impl Iterator<Item = &'a Installed>,
) -> io::Result<()> {
    let mut index = Index { header: audited.index.header.clone(), packages: Vec::new(), unreadable: 0 };
    index.packages = audited.offered.iter().map(|n| audited.index.packages[*n].clone()).collect();
    index.header.set("PACKAGES", &index.packages.len().to_string());
    fs::create_dir_all(TRIAL_PKGDIR)?;
    fs::write(Path::new(TRIAL_PKGDIR).join("Packages"), index.to_string())?;
    let root = Path::new(TRIAL_ROOT);
    let file = root.join(command::WORLD);
    fs::create_dir_all(file.parent().unwrap_or(root))?;
    // The versions are in it so that Portage tells which of them are masked.
    let world = world().into_iter().chain(versions.iter().map(Cpv::atom));
    fs::write(file, world.map(|atom| atom + "\n").collect::<String>())?;
    for package in anyway {
        let from = Path::new(INSTALLED).join(package.cpv.as_str());
        let to = root.join(INSTALLED.trim_start_matches('/')).join(package.cpv.as_str());
        fs::create_dir_all(&to)?;
        for name in names(&from).iter().filter(|name| !CONTENTS.contains(&name.as_str())) {
            fs::copy(from.join(name), to.join(name))?;
        }
    }
    Ok(())
}

/// The atoms of the builder's own world; nothing of a file that cannot be read, as Portage has it.
fn world() -> BTreeSet<String> {
    // Its directory belongs to the group portage.
    let read = |path: &Path| String::from_utf8(digested(path).ok()?).ok();
    let text = |path: &Path| read(path).unwrap_or_default();
    let root = Path::new("/");
    world::atoms(&text(&root.join(command::WORLD)), &text(&root.join(command::WORLD_SETS)), |name| {
        read(&Path::new(world::SETS).join(name))
    })
}

/// What a person is told when the disk is at fault.
pub(crate) fn trouble(what: &str, problem: &io::Error) -> Trouble {
    let class = match problem.kind() {
        io::ErrorKind::StorageFull => Class::DiskFull,
        _ => Class::Volume,
    };
    Box::new(Failure::new(class, format!("{what}: {problem}")))
}
