//! Binary packages that are damaged, or that Portage cannot read, are never offered: they are moved to `quarantine/` on the
//! volume, each with a text beside it that says why ([`aside`]), and taken out of the index.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use super::task::Task;
use crate::beneath::Beneath;
use crate::binhost::aside;
use crate::binhost::offer::Audited;
use crate::host::build::own_features;
use crate::host::places;
use crate::model::Exit;
use crate::model::failure::{Class, Failure, Trouble};
use crate::model::verified::{Finding, Kind};
use crate::portage::command;
use crate::portage::files::binpkg;
use crate::portage::files::gpkg::{self, Damage};
use crate::portage::files::leftovers::Listed;
use crate::portage::files::settings::Settings;
use crate::portage::names::cpv::Cpv;

/// Sets aside a file of PKGDIR; says so in one sentence. `name` is its path there, and `what` is wrong with it, in words that
/// follow its name.
pub(crate) fn one(task: &Task, pkgdir: &Beneath, name: &Path, what: &str) -> Result<String, Trouble> {
    let aside = aside::set_aside(&task.volume, pkgdir, name, what)
        .map_err(|problem| unreadable(&pkgdir.path().join(name), &problem))?;
    Ok(format!("the binary package {} {what}; it is set aside as {}", name.display(), aside.display()))
}

/// Sets aside every build of these versions that there is, those among them that Portage has renamed
/// because their digest was wrong: which of them it would take next is not known.
pub(crate) fn packages(task: &mut Task, packages: &[Cpv]) -> Result<(), Trouble> {
    let pkgdir = task.settings()?.pkgdir;
    let listing = places::listing(&pkgdir).map_err(|problem| unreadable(&pkgdir, &problem))?;
    let mut moved = 0;
    for entry in &listing {
        if binpkg::package_of(&entry.path).is_some_and(|found| packages.contains(&found)) {
            let place = open(&pkgdir)?;
            let what = what_is_wrong(&place, entry);
            move_one(task, &place, &entry.path, &what)?;
            moved += 1;
        }
    }
    if moved == 0 && task.capture(&command::check_binhost(&own_features()))?.0 == Exit::Code(0) {
        return Ok(());
    }
    // Whatever comes of it, the build that follows has more to say about it.
    task.capture(&command::fix_binhost(&own_features())).map(|_| ())
}

/// What is told of a file that Portage refused.
fn what_is_wrong(pkgdir: &Beneath, entry: &Listed) -> String {
    let looked =
        pkgdir.linked(&entry.path).map_err(Damage::from).and_then(|file| gpkg::check(file, entry.size));
    match looked {
        Err(damage @ Damage::Uncompressed) => damage.told(),
        // Its digests are told by nobody but the index, or it is of the older format.
        _ => "is damaged: Portage found it so when it was to be merged".to_owned(),
    }
}

/// Sets aside what an audit found damaged. What is whole goes only when another build of it is offered: which keys are
/// trusted may change, and so may the compression that is set.
pub(crate) fn audited(task: &mut Task, settings: &Settings, audited: &Audited) -> Result<(), Trouble> {
    // Once for all of them: when a key was revoked they may be as many as there are packages.
    let offered: HashSet<&Cpv> = audited.offer.packages.iter().map(|package| &package.cpv).collect();
    let packages = audited.index.packages.iter().filter(|package| offered.contains(&package.cpv));
    let replaced: HashSet<String> = packages.map(|package| package.file().path).collect();
    let goes = |finding: &&Finding| match finding.kind {
        Kind::Damaged => true,
        Kind::Signature | Kind::Unfit => replaced.contains(&finding.path),
        Kind::Missing | Kind::Index | Kind::Key => false,
    };
    let going: Vec<&Finding> = audited.findings.iter().filter(goes).collect();
    for finding in &going {
        move_one(task, &open(&settings.pkgdir)?, Path::new(&finding.path), &finding.what)?;
    }
    // Should that be cut short, the next preflight does it.
    if going.is_empty() { Ok(()) } else { task.capture(&command::fix_binhost(&own_features())).map(|_| ()) }
}

fn move_one(task: &Task, pkgdir: &Beneath, name: &Path, what: &str) -> Result<(), Trouble> {
    tracing::info!("{}", one(task, pkgdir, name, what)?);
    Ok(())
}

fn open(pkgdir: &Path) -> Result<Beneath, Trouble> {
    Beneath::open(pkgdir).map_err(|problem| unreadable(pkgdir, &problem))
}

/// That a directory with something to repair cannot be read or written.
pub(crate) fn unreadable(path: &Path, problem: &io::Error) -> Trouble {
    let message = format!("{} cannot be repaired: {problem}", path.display());
    Box::new(Failure::new(Class::Volume, message))
}
