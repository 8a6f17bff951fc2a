//! The ebuild repositories of a release as files, for clients that sync them from the builder: theirs go back with a release, and the
//! builder's own do not.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process;

use super::process::Handle;
use crate::binhost::release::{Releases, lay_out_tree};
use crate::decide::trees::gone_back;
use crate::model::release::Id;

/// Where the directories of those are that work as clients, and what is laid out for them.
pub(super) const PLACE: &str = "/run/gbsup/clients";
/// Where Portage keeps what it read of ebuilds, below the place of their repository.
const CACHE: &str = "/var/cache/edb/dep";

/// Those of a volume that were laid out, each once. They go with the value.
pub(crate) struct Trees<'a> {
    volume: &'a Path,
    place: PathBuf,
    /// By the name of the repository and that of its tree.
    made: RefCell<BTreeMap<(String, String), PathBuf>>,
}

impl<'a> Trees<'a> {
    pub(crate) fn of(volume: &'a Path) -> Self {
        let place = Path::new(PLACE).join(format!("{}-trees", process::id()));
        Self { volume, place, made: RefCell::default() }
    }

    /// Where those of these names are that a release has otherwise than the builder has them now. Fails with the reason, in words.
    pub(super) fn elsewhere(
        &self,
        release: Id,
        names: &[String],
        handle: &Handle,
    ) -> Result<BTreeMap<String, PathBuf>, String> {
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let releases = Releases::on(self.volume);
        let mut all = releases.ids().into_iter().rev().filter_map(|id| releases.read(id).ok());
        let newest = all.find(|release| release.again.is_none());
        let (Some(newest), Ok(release)) = (newest, releases.read(release)) else {
            return Ok(BTreeMap::new());
        };
        let mut found = BTreeMap::new();
        for (name, tree) in gone_back(&release, &newest, names) {
            let place = self.laid_out(&name, &tree, handle);
            let place = place.map_err(|why| {
                format!("the tree of {name} in release {} cannot be laid out: {why}", release.id)
            })?;
            found.insert(name, place);
        }
        Ok(found)
    }

    fn laid_out(&self, name: &str, tree: &str, handle: &Handle) -> Result<PathBuf, String> {
        let mut made = self.made.borrow_mut();
        let key = (name.to_owned(), tree.to_owned());
        if let Some(place) = made.get(&key) {
            return Ok(place.clone());
        }
        let above = self.place.join(made.len().to_string());
        // One that was stopped in the middle is begun again.
        drop(fs::remove_dir_all(&above));
        let directory = |mode, path: &Path| DirBuilder::new().mode(mode).recursive(true).create(path);
        directory(0o711, Path::new(PLACE))
            .and_then(|()| directory(0o755, &above))
            .map_err(|error| format!("{}: {error}", above.display()))?;
        let place = above.join(name);
        lay_out_tree(self.volume, name, tree, &place, || handle.stopped())?;
        made.insert(key, place.clone());
        Ok(place)
    }
}

impl Drop for Trees<'_> {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.place));
        drop(fs::remove_dir_all(cache_of(&self.place)));
    }
}

/// Where Portage keeps what it read of the ebuilds below a place.
pub(super) fn cache_of(place: &Path) -> PathBuf {
    Path::new(CACHE).join(place.strip_prefix("/").unwrap_or(place))
}
