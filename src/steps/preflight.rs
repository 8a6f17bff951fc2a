//! The preflight: the volume and the system are fit to build, and what a killed container left
//! behind is repaired.

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;
use std::{fs, io};

use super::repair::{self, Repaired};
use super::task::Task;
use super::{attention, publish};
use crate::beneath::{Beneath, PORTAGE_ID};
use crate::host::configuration::{self, Checked, profile};
use crate::host::{engine, places};
use crate::model::Report;
use crate::model::failure::{Class, Failure, Trouble};
use crate::model::work::STEPS;
use crate::portage::command::shell_word;
use crate::portage::files::settings::Settings;
use crate::steps::task;
use crate::volume::{self, step_logs};

/// Below this nothing useful can be built; Portage guards its own build directory.
const LEAST_FREE: u64 = 64 << 20;

/// A directory of the volume: name, owner, group, mode, and whether it gets that mode also when it was there. Portage drops to
/// its own user to fetch and to build, so it must be able to write sources and logs (FEATURES=userfetch, userpriv). In `log` that
/// user can replace what is its own and nothing else, since the directory is root's, and sticky; until Portage saves a message, which
/// makes it that user's (`prepare_build_dirs.py:_ensure_log_subdirs`), so nothing relies on it.
const DIRECTORIES: &[(&str, u32, u32, u32, bool)] = &[
    ("binpkgs", 0, 0, 0o755, false),
    ("releases", 0, 0, 0o755, false),
    ("distfiles", PORTAGE_ID, PORTAGE_ID, 0o2775, false),
    ("log", 0, PORTAGE_ID, 0o3775, true),
    ("state", 0, 0, 0o700, true),
    ("control", 0, 0, 0o755, false),
];

/// Where elog's messages are, in `log`: like that, so that nobody takes away what is another's. Portage only ever adds to the mode.
const ELOG: &str = "elog";

/// Checks and repairs. Repositories that are not there, or not whole, are no failure: a tree that is missing is a reason to sync, and
/// the profile leads into it. `failed` are packages whose `pkg_postinst` is known to fail.
pub(crate) fn run(task: &mut Task, failed: &[String]) -> Result<Report, Trouble> {
    directories(&task.volume, task.config.ccache.size.bytes().is_some())?;
    messages(&task.volume).map_err(|problem| unusable(&task.volume.join("log").join(ELOG), &problem))?;
    let steps = step_logs::prepare(&task.volume);
    let moved = steps.map_err(|problem| unusable(&task.volume.join(STEPS), &problem))?;
    let unblocked = step_logs::unblock(&task.volume);
    let unblocked = unblocked.map_err(|problem| unusable(&task.volume.join("log"), &problem))?;
    // A person may have changed anything meanwhile.
    task.forget_settings();
    let repositories = task::repositories(task)?;
    let mut missing = repositories.as_ref().map(places::missing).unwrap_or_default();
    // What the engine withholds looks like a wrong setting to whoever does not know.
    rights(None)?;
    let settings = configure(task, missing.is_empty())?;
    let Some(repositories) = repositories else {
        return Err(configuration::repositories::none(&task.repos_config()?));
    };
    rights(Some(&settings.tmpdir))?;
    elsewhere(task, &settings);
    attention::look(task, &settings);
    let Repaired { done: mut repairs, unmerged } = repair::run(task, &settings, Some(&repositories), failed)?;
    repairs.extend(moved.into_iter().chain(unblocked));
    repairs.extend(publish::sweep(task)?);
    if missing.is_empty()
        && let Err(failure) = profile::check(&settings)
    {
        missing.push(profile::mended_by(&repositories, &settings).ok_or(failure)?);
    }
    task.host()?;
    Ok(Report::Ready { repairs, missing, unmerged })
}

fn rights(more: Option<&Path>) -> Result<(), Trouble> {
    engine::look(more).map_or(Ok(()), |failure| Err(Box::new(failure)))
}

// --- The volume -----------------------------------------------------------------------------------

fn directories(path: &Path, ccache: bool) -> Result<(), Trouble> {
    for (name, owner, group, mode, always) in DIRECTORIES {
        let directory = path.join(name);
        prepare(&directory, (*owner, *group), *mode, *always)
            .map_err(|problem| unusable(&directory, &problem))?;
    }
    if ccache {
        let directory = volume::ccache(path);
        prepare(&directory, (0, PORTAGE_ID), 0o2775, true)
            .map_err(|problem| unusable(&directory, &problem))?;
    }
    let free = volume::look(path).free;
    if free < LEAST_FREE {
        let message = format!("the volume {} is full: {} MiB are free", path.display(), free >> 20);
        let suggestions = vec![
            format!("du -xsh {}/*", shell_word(&path.display().to_string())),
            "eclean-pkg --deep; eclean-dist --deep".to_owned(),
        ];
        return Err(Box::new(Failure {
            suggestions,
            may_pass: true,
            ..Failure::new(Class::DiskFull, message)
        }));
    }
    Ok(())
}

/// Others may write into `log`, so this one is not made by its path.
fn messages(volume: &Path) -> io::Result<()> {
    Beneath::open(&volume.join("log"))?.make(ELOG, (0, PORTAGE_ID), 0o3775)
}

/// Makes a directory with its owner and mode. One that is there keeps its mode but not a wrong
/// owner: a copied volume often belongs to whoever copied it.
fn prepare(directory: &Path, (owner, group): (u32, u32), mode: u32, always: bool) -> io::Result<()> {
    let fresh = !directory.exists();
    fs::create_dir_all(directory)?;
    let meta = fs::metadata(directory)?;
    let moved = meta.uid() != owner || meta.gid() != group;
    if moved {
        chown(directory, Some(owner), Some(group))?;
    }
    if fresh || meta.uid() != owner || (always && (moved || meta.mode() & 0o7777 != mode)) {
        fs::set_permissions(directory, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

fn unusable(directory: &Path, problem: &io::Error) -> Trouble {
    let message = match problem.kind() {
        io::ErrorKind::ReadOnlyFilesystem => format!("{} is mounted read-only", directory.display()),
        io::ErrorKind::PermissionDenied => format!(
            "{} belongs to somebody whom this container's root has no power over, as on a share with root_squash or with other user \
             namespaces; give it to the user that is root here",
            directory.display()
        ),
        _ => format!("{} cannot be used: {problem}", directory.display()),
    };
    Box::new(Failure::new(Class::Volume, message))
}

// --- Portage --------------------------------------------------------------------------------------

/// Packages that go somewhere else than into `binpkgs` on the volume are offered to nobody.
fn elsewhere(task: &mut Task, settings: &Settings) {
    let place = volume::pkgdir(&task.volume);
    let text = format!(
        "PKGDIR is {}, and clients are offered only what is in {}: set it in make.conf",
        settings.pkgdir.display(),
        place.display()
    );
    task.warn("pkgdir", (!task.is_offered(settings)).then_some(text));
}

/// Everything that Portage is told, before anything is synced or built: whoever repairs something while the builder
/// is paused comes by here again.
fn configure(task: &mut Task, tree_is_there: bool) -> Result<Settings, Trouble> {
    let config = task.config.clone();
    let checked = configuration::check(&config, tree_is_there, task);
    let Checked { settings, told, portage } = checked.map_err(|failure| task.logged(*failure))?;
    task.warn("settings", (!told.is_empty()).then(|| told.join("; ")));
    task.know(&settings);
    task.know_portage(portage);
    Ok(settings)
}
