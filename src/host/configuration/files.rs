//! The files that Portage's configuration is made of, in the order in which it reads them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::host::places::names;
use crate::model::failure::Trouble;
use crate::portage::command::Command;

/// Where commands are run for their answers.
pub(crate) trait Ask {
    /// What a command prints.
    fn ask(&mut self, question: &Command) -> Result<Vec<u8>, Trouble>;

    /// The same; where answers are kept, what it printed the last time counts as long as these are as they were then.
    fn ask_unless_same(&mut self, question: &Command, _made_of: Vec<PathBuf>) -> Result<Vec<u8>, Trouble> {
        self.ask(question)
    }
}

pub(super) const ETC: &str = "/etc/portage";
/// Its directory of keys, which GnuPG writes to whenever it is asked, and which decides about no setting.
pub(super) const KEYS: &str = "gnupg";
/// How sets are made, where a person wants it otherwise; and what Portage's database of ebuilds is made of.
pub(super) const SETS_CONF: &str = "sets.conf";
pub(super) const MODULES: &str = "modules";
/// The files that Portage reads as make.conf, in this order (`portage/package/ebuild/config.py`).
const MAKE_CONF: [&str; 2] = ["/etc/make.conf", "/etc/portage/make.conf"];
/// Deeper than any configuration: a link may lead into itself.
pub(super) const DEEPEST: usize = 8;
/// Longer than any file of a configuration.
const LONGEST: u64 = 4 << 20;

/// Those of make.conf, each with its text.
pub(super) fn make_conf() -> Vec<(String, String)> {
    let all = MAKE_CONF.iter().flat_map(|path| files(Path::new(path)));
    all.filter_map(|path| Some((path.display().to_string(), read(&path)?))).collect()
}

/// The files of a setting that may be a directory, in Portage's order (`portage.util:_recursive_file_list`).
pub(super) fn files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut todo = vec![(root.to_path_buf(), 0)];
    while let Some((path, depth)) = todo.pop() {
        let Ok(meta) = fs::metadata(&path) else { continue };
        if meta.is_file() {
            found.push(path);
        } else if meta.is_dir() && depth < DEEPEST {
            let mut below = names(&path);
            below.retain(|name| !name.starts_with('.') && !name.ends_with('~'));
            below.sort_unstable_by(|a, b| b.cmp(a));
            todo.extend(below.into_iter().map(|name| (path.join(name), depth + 1)));
        }
    }
    found
}

pub(super) fn read(path: &Path) -> Option<String> {
    fs::metadata(path).ok().filter(|meta| meta.is_file() && meta.len() <= LONGEST)?;
    fs::read(path).ok().map(|text| String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_the_order_in_which_portage_reads_them() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        fs::create_dir(root.join("20-more")).unwrap();
        for name in ["30-last", "10-first", ".hidden", "old~", "20-more/b", "20-more/a"] {
            fs::write(root.join(name), "").unwrap();
        }
        std::os::unix::fs::symlink(root, root.join("20-more/c")).unwrap();
        let found = files(root);
        let found: Vec<_> = found.iter().filter_map(|file| file.strip_prefix(root).ok()?.to_str()).collect();
        assert_eq!(found[..3], ["10-first", "20-more/a", "20-more/b"]);
        assert_eq!(*found.last().unwrap(), "30-last");
        assert!(found.len() < 100, "a link into itself has an end");
        assert_eq!(files(&root.join("10-first")).len(), 1);
    }
}
