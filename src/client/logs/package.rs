//! Finds the newest log of a package among those that Portage keeps.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::beneath::{Beneath, Kind};
use crate::client::error::Error;
use crate::portage::files::log_name::LogName;
use crate::portage::names::cpv::Cpv;

/// The newest log of the package that a person calls by this name.
pub(super) fn find(logs: &Path, name: &str) -> Result<PathBuf, Error> {
    let found: Vec<_> =
        all(logs, ".", "build").into_iter().filter(|log| is_called(&log.name.cpv, name)).collect();
    only_one(found.iter().map(|log| &log.name.cpv), name)?;
    // Of a log and its compressed copy the readable one is wanted.
    match found.into_iter().reduce(|a, b| if a.name.is_before(&b.name) { b } else { a }) {
        Some(log) => Ok(log.path),
        None => Err(Error::Failed(format!(
            "no log of {name} below {}; gbsup history --json lists what was built",
            logs.display()
        ))),
    }
}

/// The directories in which logs of a package may be: that of split logs last.
pub(crate) fn places(logs: &Path, cpv: &Cpv) -> [PathBuf; 2] {
    [logs.to_owned(), logs.join("build").join(cpv.category())]
}

/// The newest log of this version of a package. It looks only where one may be, since there may be many of others.
pub(crate) fn newest(logs: &Path, cpv: &Cpv) -> Option<PathBuf> {
    let place = Beneath::open(logs).ok()?;
    let split = PathBuf::from("build").join(cpv.category());
    let list = |path: &Path| place.list(path).unwrap_or_default().into_iter();
    let entries = list(Path::new(".")).chain(list(&split)).filter(|entry| entry.kind == Kind::File);
    let found = entries.filter_map(|entry| Some((LogName::parse(entry.path.to_str()?)?, entry.path)));
    let of_it = found.filter(|(name, _)| name.cpv == *cpv);
    of_it.reduce(|a, b| if a.0.is_before(&b.0) { b } else { a }).map(|(_, path)| logs.join(path))
}

/// Refuses a name that packages of more than one kind have.
pub(super) fn only_one<'a>(found: impl Iterator<Item = &'a Cpv>, name: &str) -> Result<(), Error> {
    let packages: BTreeSet<_> = found.map(Cpv::cp).collect();
    if packages.len() > 1 {
        let list: Vec<_> = packages.into_iter().collect();
        return Err(Error::Usage(format!("{name} may be any of {}: say which", list.join(", "))));
    }
    Ok(())
}

/// Whether a person may call a package so: `hello`, `hello-2.10`, `app-misc/hello`, and with or
/// without an operator `app-misc/hello-2.10`.
pub(super) fn is_called(cpv: &Cpv, name: &str) -> bool {
    cpv.is_called(name.trim_start_matches(['=', '~', '<', '>']))
}

/// A log of a package.
pub(super) struct Log {
    pub(super) name: LogName,
    pub(super) path: PathBuf,
    /// Where it is below the directory of the logs.
    pub(super) below: PathBuf,
}

/// The logs directly in one directory below that of the logs (`CATEGORY:PF:TIME.log`), and those below the directories of
/// categories in the other.
pub(super) fn all(logs: &Path, flat: &str, split: &str) -> Vec<Log> {
    let Ok(place) = Beneath::open(logs) else { return Vec::new() };
    let list = |path: &Path, kind: Kind| {
        let entries = place.list(path).unwrap_or_default();
        entries.into_iter().filter(move |entry| entry.kind == kind).map(|entry| entry.path)
    };
    let name = |path: &Path| Some(path.file_name()?.to_str()?.to_owned());
    let flat = list(Path::new(flat), Kind::File).filter_map(|path| {
        let name = name(&path)?;
        let (category, rest) = name.split_once(':')?;
        log(logs, path, category, rest)
    });
    let split = list(Path::new(split), Kind::Directory).flat_map(|directory| {
        let category = name(&directory).unwrap_or_default();
        let of = |path: PathBuf| log(logs, path.clone(), &category, &name(&path)?);
        list(&directory, Kind::File).filter_map(of).collect::<Vec<_>>()
    });
    flat.chain(split).collect()
}

fn log(logs: &Path, below: PathBuf, category: &str, name: &str) -> Option<Log> {
    let name = LogName::of(category, name)?;
    Some(Log { name, path: logs.join(&below), below })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn logs(names: &[&str]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for name in names {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        directory
    }

    fn found(directory: &tempfile::TempDir, name: &str) -> Result<String, String> {
        match find(directory.path(), name) {
            Ok(path) => Ok(path.strip_prefix(directory.path()).unwrap().display().to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn the_newest_log_is_found_by_any_name() {
        let logs = logs(&[
            "app-misc:hello-2.10:20261120-101500.log",
            "build/app-misc/hello-2.10:20261122-101500.log",
            "build/app-misc/hello-2.9:20261121-101500.log",
            "build/app-misc/hello-traditional-2.10:20261123-101500.log",
            "emerge.log",
            "elog/summary.log",
            "cycle/1/build.log",
        ]);
        let newest = "build/app-misc/hello-2.10:20261122-101500.log";
        for name in ["hello", "hello-2.10", "app-misc/hello", "app-misc/hello-2.10", "=app-misc/hello-2.10"] {
            assert_eq!(found(&logs, name).as_deref(), Ok(newest), "{name}");
        }
        let older = "build/app-misc/hello-2.9:20261121-101500.log";
        assert_eq!(found(&logs, "=app-misc/hello-2.9").as_deref(), Ok(older));
        assert!(found(&logs, "emerge").unwrap_err().starts_with("no log of emerge"));
    }

    #[test]
    fn the_newest_log_of_a_version() {
        let logs = logs(&[
            "a:b-1:20261121-101500.log",
            "build/a/b-1:20261120-101500.log",
            "build/a/b-2:20261122-101500.log",
            "build/other/b-1:20261123-101500.log",
        ]);
        let newest = |name: &str| {
            let path = newest(logs.path(), &Cpv::parse(name.as_bytes()).unwrap())?;
            Some(path.strip_prefix(logs.path()).unwrap().display().to_string())
        };
        assert_eq!(newest("a/b-1").as_deref(), Some("a:b-1:20261121-101500.log"));
        assert_eq!(newest("a/b-2").as_deref(), Some("build/a/b-2:20261122-101500.log"));
        assert_eq!(newest("a/b-3"), None);
    }

    #[test]
    fn names_that_mean_several_packages_are_listed() {
        let logs =
            logs(&["dev-lang:lua-5.4:20261120-101500.log", "build/app-text/lua-1:20261120-101500.log"]);
        assert_eq!(
            found(&logs, "lua"),
            Err("lua may be any of app-text/lua, dev-lang/lua: say which".into())
        );
        assert!(found(&logs, "dev-lang/lua").is_ok());
    }

    #[test]
    fn readable_logs_go_before_compressed_ones() {
        let logs = logs(&["build/a/b-1:20261120-101500.log.gz", "build/a/b-1:20261120-101500.log"]);
        assert_eq!(found(&logs, "b").as_deref(), Ok("build/a/b-1:20261120-101500.log"));
    }
}
