//! Binary packages that are damaged are never offered: they are moved to `quarantine/` on the volume, each
//! with a text beside it that says why, and taken out of the index.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::perform::{Task, Trouble};
use super::preflight;
use super::repair::{self, unreadable};
use crate::core::Exit;
use crate::portage::binpkg;
use crate::portage::command;
use crate::portage::cpv::Cpv;
use crate::portage::settings::Settings;

/// The directory on the volume.
pub(super) const DIRECTORY: &str = "quarantine";

/// Moves a file of PKGDIR out of the way; returns where it is now. `name` is its path below PKGDIR.
fn set_aside(volume: &Path, path: &Path, name: &Path, reason: &str) -> io::Result<PathBuf> {
    let quarantine = volume.join(DIRECTORY);
    let flat = name.to_string_lossy().replace('/', "_");
    let aside = quarantine.join(&flat);
    fs::create_dir_all(&quarantine)?;
    fs::write(quarantine.join(format!("{flat}.reason")), format!("{}: {reason}\n", name.display()))?;
    fs::rename(path, &aside).or_else(|_| fs::copy(path, &aside).and_then(|_| fs::remove_file(path)))?;
    // A file keeps its time of change when it moves; in here the age since it was moved counts.
    let moved = fs::File::options().append(true).open(&aside);
    moved.and_then(|file| file.set_modified(std::time::SystemTime::now()))?;
    Ok(aside)
}

/// Sets aside a file of PKGDIR that turned out damaged; says so in one sentence.
pub(super) fn damaged(
    task: &Task,
    settings: &Settings,
    path: &Path,
    reason: &str,
) -> Result<String, Trouble> {
    let name = path.strip_prefix(&settings.pkgdir).unwrap_or(path);
    let aside = set_aside(&task.volume, path, name, reason).map_err(|problem| unreadable(path, &problem))?;
    Ok(format!("{} is damaged ({reason}): set aside as {}", name.display(), aside.display()))
}

/// Sets aside every build of these versions that there is, those among them that Portage has renamed
/// because their digest was wrong: which of them it would take next is not known.
pub(super) fn packages(task: &mut Task, packages: &[Cpv]) -> Result<(), Trouble> {
    let pkgdir = preflight::settings(task)?.pkgdir;
    let listing = repair::listing(&pkgdir).map_err(|problem| unreadable(&pkgdir, &problem))?;
    let mut moved = 0;
    for entry in &listing {
        let Some(package) = binpkg::package_of(&entry.path).filter(|found| packages.contains(found)) else {
            continue;
        };
        let path = pkgdir.join(&entry.path);
        let reason = "Portage found it damaged when it was to be merged";
        let aside = set_aside(&task.volume, &path, &entry.path, reason);
        let aside = aside.map_err(|problem| unreadable(&path, &problem))?;
        tracing::info!("the binary package of {package} is set aside as {}", aside.display());
        moved += 1;
    }
    if moved == 0 && task.capture(&command::check_binhost())?.0 == Exit::Code(0) {
        return Ok(());
    }
    // Whatever comes of it, the build that follows has more to say about it.
    task.capture(&command::fix_binhost()).map(|_| ())
}
