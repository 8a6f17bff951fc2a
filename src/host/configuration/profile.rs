//! Whether the profile can be put together.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::files::read;
use crate::decide::classify::PROFILE_COMMANDS;
use crate::model::failure::{Class, Failure, Trouble};
use crate::portage::command::shell_quote;
use crate::portage::files::repository::Repositories;
use crate::portage::files::settings::{self, ProfileEntry, Settings};
use crate::portage::output::complaints::Complaint;

const PROFILE: &str = "/etc/portage/make.profile";

/// A profile that leads nowhere makes every command of Portage fail with many words.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn check(settings: &Settings) -> Result<(), Trouble> {
    let path = Path::new(PROFILE);
    let target = fs::read_link(path).unwrap_or_default();
    let entry = match path.symlink_metadata() {
        Err(_) => ProfileEntry::Missing,
        Ok(meta) if meta.is_symlink() => {
            ProfileEntry::Link { target: &target, leads_to_directory: path.is_dir() }
        }
        Ok(meta) if meta.is_dir() => ProfileEntry::Directory,
        Ok(_) => ProfileEntry::Other,
    };
    let file = settings::blamed(settings).filter(|file| file.is_file());
    settings::check_profile(entry, settings).map_err(|problem| failure(problem.to_string(), file.as_deref()))
}

/// That the tree has a successor for the profile (`portage/package/ebuild/deprecated_profile_check.py`).
pub(super) fn deprecated() -> Option<String> {
    let text = read(&Path::new(PROFILE).join("deprecated"))?;
    let name = text.lines().next().map(str::trim).filter(|name| !name.is_empty());
    let now = name.map_or_else(
        || "eselect profile list".to_owned(),
        |name| format!("eselect profile set {}", shell_quote(name)),
    );
    Some(format!("the profile is deprecated, and will be removed from the tree; take its successor: {now}"))
}

/// The repository that a sync can mend the profile by: a file of it is what Portage cannot read.
pub(crate) fn mended_by(repositories: &Repositories, settings: &Settings) -> Option<String> {
    let file = settings::blamed(settings)?;
    let synced = repositories.all.iter().filter(|one| one.is_synced());
    synced.filter(|one| file.starts_with(&one.location)).map(|one| one.name.clone()).next()
}

/// A profile that is its own ancestor, with which Portage ends in a `RecursionError` that names nothing.
pub(super) fn endless(told: &[Complaint]) -> Option<Trouble> {
    told.iter().find(|told| told.words.starts_with("RecursionError"))?;
    let file = circle(&fs::canonicalize(PROFILE).ok()?, &mut Vec::new(), &mut HashSet::new())?;
    let message =
        format!("the profile has no end: {} leads back to a profile that leads to it", file.display());
    Some(failure(message, Some(&file)))
}

/// The file `parent` that leads back to one of the profiles that lead to it. Those of other repositories (`NAME:PATH`) are not
/// followed.
fn circle(profile: &Path, above: &mut Vec<PathBuf>, known: &mut HashSet<PathBuf>) -> Option<PathBuf> {
    let file = profile.join("parent");
    above.push(profile.to_path_buf());
    known.insert(profile.to_path_buf());
    for line in read(&file)?.lines().map(str::trim) {
        let Ok(parent) = fs::canonicalize(profile.join(line)) else { continue };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if above.contains(&parent) {
            return Some(file);
        }
        if !known.contains(&parent)
            && let Some(found) = circle(&parent, above, known)
        {
            return Some(found);
        }
    }
    above.pop();
    None
}

fn failure(message: String, file: Option<&Path>) -> Trouble {
    let mut suggestions: Vec<String> =
        file.iter().map(|file| format!("cat {}", shell_quote(&file.display().to_string()))).collect();
    suggestions.extend(PROFILE_COMMANDS.map(str::to_owned));
    Box::new(Failure { suggestions, ..Failure::new(Class::ProfileInvalid, message) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_that_is_its_own_ancestor() {
        let place = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(place.path()).unwrap();
        for (profile, parents) in [
            ("base", ""),
            ("a", "# the first\n../base\n\n../b\n"),
            ("b", "other:base\n../base\n../nope\n"),
            ("c", "../base\n../a\n../d\n"),
            ("d", "../c\n"),
        ] {
            fs::create_dir(root.join(profile)).unwrap();
            fs::write(root.join(profile).join("parent"), parents).unwrap();
        }
        let of = |profile: &str| circle(&root.join(profile), &mut Vec::new(), &mut HashSet::new());
        assert_eq!(of("a"), None, "one that is inherited twice is no circle");
        assert_eq!(of("c"), Some(root.join("d/parent")));
        fs::write(root.join("base/parent"), ".\n").unwrap();
        assert_eq!(of("a"), Some(root.join("base/parent")));
    }
}
