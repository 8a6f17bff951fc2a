//! Whether a client could install what is offered, by the word of the real resolver: it is asked to install all of
//! it that is installed here into an empty root directory, from nothing but the index that clients would get.
//!
//! It is not asked for `@world`, of which a part may have failed to build, and which would refuse all the rest for
//! that: what is installed here and offered is all there is of it, and of what it needs.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::audit::trouble;
use super::perform::{Task, Trouble};
use super::repair::{INSTALLED, names};
use crate::binhost::offer::Audited;
use crate::core::{Exit, Ran, Report};
use crate::portage::atom::Provided;
use crate::portage::command;
use crate::portage::cpv::Cpv;
use crate::portage::index::Index;
use crate::portage::vdb::Installed;

/// Everything it writes is below this, and goes with it.
pub(super) const PLACE: &str = "/run/gbsup/trial";
/// Of an installed package, what is of no use to the resolver, and large.
const CONTENTS: [&str; 2] = ["CONTENTS", "environment.bz2"];

/// Returns what Portage said when it refuses.
pub(super) fn run(
    task: &mut Task,
    audited: &Audited,
    installed: &[Installed],
    provided: &[Provided],
) -> Result<Option<Report>, Trouble> {
    let here: BTreeSet<(&Cpv, &str)> =
        installed.iter().map(|one| (&one.cpv, one.slot.name.as_str())).collect();
    let offered = audited.offered.iter().map(|n| &audited.index.packages[*n]);
    let wanted: Vec<Cpv> = offered
        .filter(|package| here.contains(&(&package.cpv, package.slot().0)))
        .map(|package| package.cpv.clone())
        .collect();
    if wanted.is_empty() {
        return Ok(None);
    }
    let anyway = installed.iter().filter(|one| provided.iter().any(|provided| provided.is(&one.cpv)));
    let failed = |problem: io::Error| trouble("the installation cannot be tried out", &problem);
    clear().and_then(|()| prepare(audited, &wanted, anyway)).map_err(failed)?;
    let refused = try_out(task, wanted);
    clear().map_err(failed)?;
    Ok(refused?.map(|ran| Report::Ran(Box::new(ran))))
}

/// What Portage says when it refuses. What is masked by now, after it was built, is no reason to refuse the rest, unless
/// something needs it.
fn try_out(task: &mut Task, mut wanted: Vec<Cpv>) -> Result<Option<Ran>, Trouble> {
    let (root, pkgdir) = (format!("{PLACE}/root"), format!("{PLACE}/binpkgs"));
    let host = task.host()?;
    let (_, text) = task.capture(&command::masked(&root, &pkgdir, &host))?;
    let masked = command::passed_over(&text);
    wanted.retain(|package| !masked.contains(&package.atom()));
    let command = command::trial(&wanted, &root, &pkgdir, &host);
    // The list is as long as that of all packages, so nobody is shown it who need not see it.
    if wanted.is_empty() || task.capture(&command)?.0 == Exit::Code(0) {
        return Ok(None);
    }
    let ran = task.run(&command)?;
    Ok((ran.exit != Exit::Code(0)).then_some(ran))
}

/// Removes what a trial left that was killed.
pub(super) fn clear() -> io::Result<()> {
    match fs::remove_dir_all(PLACE) {
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// An index of just what is offered, and a root directory in which only that is installed what clients have
/// anyway.
fn prepare<'a>(
    audited: &Audited,
    wanted: &[Cpv],
    anyway: impl Iterator<Item = &'a Installed>,
) -> io::Result<()> {
    let place = Path::new(PLACE);
    let mut index = Index { header: audited.index.header.clone(), packages: Vec::new() };
    index.packages = audited.offered.iter().map(|n| audited.index.packages[*n].clone()).collect();
    index.header.set("PACKAGES", &index.packages.len().to_string());
    let world = place.join("root").join(command::WORLD);
    fs::create_dir_all(world.parent().unwrap_or(place))?;
    fs::write(world, wanted.iter().map(|package| package.atom() + "\n").collect::<String>())?;
    fs::create_dir_all(place.join("binpkgs"))?;
    fs::write(place.join("binpkgs/Packages"), index.to_string())?;
    for package in anyway {
        let from = Path::new(INSTALLED).join(package.cpv.as_str());
        let to = place.join("root").join(INSTALLED.trim_start_matches('/')).join(package.cpv.as_str());
        fs::create_dir_all(&to)?;
        for name in names(&from).iter().filter(|name| !CONTENTS.contains(&name.as_str())) {
            fs::copy(from.join(name), to.join(name))?;
        }
    }
    Ok(())
}
