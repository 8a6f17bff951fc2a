//! Where things are in this container, and what is there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::task::{Task, Trouble};
use crate::portage::command;
use crate::portage::leftovers::Entry;
use crate::portage::repository::{self, Repositories};

/// Where a running emerge shows what it does (FEATURES=observability).
pub(super) const STATUS_FILES: &str = "/run/portage";
/// The database of installed packages (portage(5)).
pub(super) const INSTALLED: &str = "/var/db/pkg";

/// The ebuild repositories that are configured; none where Portage does not say.
pub(super) fn repositories(task: &mut Task) -> Result<Option<Repositories>, Trouble> {
    let (_, text) = task.capture(&command::repositories())?;
    Ok(repository::configured(&text))
}

/// Whether a repository is there, and not only its directory or a part of it.
pub(super) fn is_there(location: &Path) -> bool {
    let read = |name: &str| fs::read_to_string(location.join(name)).ok();
    repository::has_name(read("profiles/repo_name").as_deref(), read("metadata/layout.conf").as_deref())
}

/// The names of those that are not there.
pub(super) fn missing(repositories: &Repositories) -> Vec<String> {
    let missing = repositories.all.iter().filter(|one| !is_there(&one.location));
    missing.map(|one| one.name.clone()).collect()
}

/// Whether a program can be found the way a job would find it.
pub(super) fn found(program: &str) -> bool {
    if program.contains('/') {
        return Path::new(program).exists();
    }
    let places = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    places.iter().any(|place| Path::new(place).join(program).exists())
}

/// Every file below a directory, by its path from there.
pub(super) fn listing(root: &Path) -> io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    let mut directories = vec![PathBuf::new()];
    while let Some(directory) = directories.pop() {
        let entries = match fs::read_dir(root.join(&directory)) {
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let path = directory.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() {
                directories.push(path);
            } else if kind.is_file() {
                let size = entry.metadata().map_or(1, |meta| meta.len());
                found.push(Entry { path, size });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// `category/name` of everything in a directory of packages.
pub(super) fn two_deep(root: &Path) -> Vec<PathBuf> {
    let below = |category: String| {
        names(&root.join(&category)).into_iter().map(move |name| Path::new(&category).join(name))
    };
    names(root).into_iter().flat_map(below).collect()
}

/// The names in a directory; none when it is not there.
pub(super) fn names(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()
}
