//! Whether files and directories are as they were when something was made of them.

use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// How exactly file systems know when something was changed: the kernel takes the time of its last tick.
const TICK: Duration = Duration::from_millis(20);

/// Some of them, each with the directory that it is in, and what they looked like: which file is there, its size, its rights, and
/// when it was changed. A directory changes with the names in it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    paths: Vec<PathBuf>,
    look: u64,
}

impl Seen {
    /// As they are now. It does not matter whether they are there.
    pub(crate) fn now(mut paths: Vec<PathBuf>) -> Self {
        // Programs look whether something is there, and do not open it if it is not.
        paths.extend(paths.iter().filter_map(|path| path.parent()).map(Path::to_owned).collect::<Vec<_>>());
        paths.sort_unstable();
        paths.dedup();
        let look = look(&paths);
        Self { paths, look }
    }

    /// The same of what was read since then, unless one of them may have been changed after it was read.
    pub(crate) fn since(began: SystemTime, paths: Vec<PathBuf>) -> Option<Self> {
        let seen = Self::now(paths);
        let began = began.checked_sub(TICK)?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        let began = (i64::try_from(began.as_secs()).ok()?, i64::from(began.subsec_nanos()));
        let changed = seen.paths.iter().filter_map(|path| Some(changed(&fs::metadata(path).ok()?))).max();
        changed.is_none_or(|changed| changed < began).then_some(seen)
    }

    /// Stands for all that was seen.
    pub(crate) fn look(&self) -> u64 {
        self.look
    }

    /// Whether they still are as they were.
    pub(crate) fn holds(&self) -> bool {
        look(&self.paths) == self.look
    }
}

fn look(paths: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for path in paths {
        path.hash(&mut hasher);
        let of = |meta: Metadata| {
            let place = (meta.dev(), meta.ino(), meta.mode(), meta.uid(), meta.gid(), meta.size());
            (place, changed(&meta))
        };
        fs::metadata(path).ok().map(of).hash(&mut hasher);
    }
    hasher.finish()
}

/// When it was changed, as seconds and nanoseconds. For a directory that is when a name came or went: overlayfs also changes its status
/// when something in it is copied up from the image.
fn changed(meta: &Metadata) -> (i64, i64) {
    if meta.is_dir() { (meta.mtime(), meta.mtime_nsec()) } else { (meta.ctime(), meta.ctime_nsec()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_changes_shows() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        fs::write(path("file"), "a").unwrap();
        fs::create_dir(path("directory")).unwrap();
        let paths = ["file", "directory", "missing"].map(path).to_vec();
        let changes: [(&str, &dyn Fn()); 5] = [
            ("a file that gets another size", &|| fs::write(path("file"), "ab").unwrap()),
            ("a file that comes", &|| fs::write(path("missing"), "").unwrap()),
            ("a name in a directory", &|| fs::write(path("directory/new"), "").unwrap()),
            ("a file beside them", &|| fs::write(path("beside"), "").unwrap()),
            ("a file that goes", &|| fs::remove_file(path("file")).unwrap()),
        ];
        for (what, change) in changes {
            let seen = Seen::now(paths.clone());
            assert!(seen.holds(), "before {what}");
            change();
            assert!(!seen.holds(), "{what}");
        }
    }

    #[test]
    fn what_changed_while_it_was_read_is_not_known() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        let changed = fs::metadata(&file).unwrap().modified().unwrap();
        assert!(
            Seen::since(changed, vec![file.clone()]).is_none(),
            "it may have been read before it was written"
        );
        assert!(Seen::since(changed + Duration::from_secs(1), vec![file]).is_some_and(|seen| seen.holds()));
        assert!(Seen::since(changed, vec!["/nowhere/missing".into()]).is_some_and(|seen| seen.holds()));
    }
}
