//! Where things are in this container, and what is there.

use std::io;
use std::path::{Path, PathBuf};

use crate::beneath::{Beneath, digested};
use crate::portage::command::PATH;
use crate::portage::files::leftovers::Listed;
use crate::portage::files::repository::{self, Repositories};

/// Where a running emerge shows what it does (FEATURES=observability).
pub(crate) const STATUS_FILES: &str = "/run/portage";
/// The database of installed packages (portage(5)).
pub(crate) const INSTALLED: &str = "/var/db/pkg";

/// Whether a repository is there, and not only its directory or a part of it.
pub(crate) fn is_there(location: &Path) -> bool {
    let read = |name: &str| Some(String::from_utf8_lossy(&digested(&location.join(name)).ok()?).into_owned());
    repository::has_name(read("profiles/repo_name").as_deref(), read("metadata/layout.conf").as_deref())
}

/// The names of those that are not there.
pub(crate) fn missing(repositories: &Repositories) -> Vec<String> {
    let missing = repositories.all.iter().filter(|one| !is_there(&one.location));
    missing.map(|one| one.name.clone()).collect()
}

/// Whether a program can be found the way a job would find it.
pub(crate) fn found(program: &str) -> bool {
    path_of(program).is_some()
}

/// Where a job would find a program.
pub(crate) fn path_of(program: &str) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(PathBuf::from(program)).filter(|path| path.exists());
    }
    PATH.split(':').map(|place| Path::new(place).join(program)).find(|path| path.exists())
}

/// The directories of [`INSTALLED`] in one of which each merge leaves a trace.
pub(crate) fn databases() -> Vec<PathBuf> {
    let root = PathBuf::from(INSTALLED);
    let categories = names(&root).into_iter().filter(|name| !name.starts_with('.'));
    categories.map(|name| root.join(name)).collect()
}

/// Every file below a directory, by its path from there; none when it is not there.
pub(crate) fn listing(root: &Path) -> io::Result<Vec<Listed>> {
    let place = match Beneath::open(root) {
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        place => place?,
    };
    Ok(place.files()?.into_iter().map(|entry| Listed { path: entry.path, size: entry.size }).collect())
}

/// `category/name` of everything in a directory of packages.
pub(crate) fn two_deep(root: &Path) -> Vec<PathBuf> {
    let Ok(place) = Beneath::open(root) else { return Vec::new() };
    let list = |path: &Path| place.list(path).unwrap_or_default().into_iter().map(|entry| entry.path);
    list(Path::new(".")).flat_map(|category| list(&category).collect::<Vec<_>>()).collect()
}

/// The names in a directory; none when it is not there.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let entries = Beneath::open(directory).and_then(|place| place.list(".")).unwrap_or_default();
    entries.into_iter().filter_map(|entry| entry.path.into_os_string().into_string().ok()).collect()
}
