//! The files of the index, kept open: nearly every request is for them, and looking a name up costs more than sending
//! the answer.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::tree::Opened;
use crate::core::release::Id;

/// How long one is kept. A release never changes; when a person changes its index all the same, or removes it, that
/// shows after so long.
const LIFE: Duration = Duration::from_secs(1);

/// Files that were opened lately, of one release.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<Vec<One>>);

#[derive(Debug)]
struct One {
    id: Id,
    name: &'static str,
    opened: Arc<Opened>,
    since: Instant,
}

impl Kept {
    /// The file of this name in a release, from here or newly opened.
    pub(super) fn get(
        &self,
        id: Id,
        name: &'static str,
        now: Instant,
        open: impl FnOnce() -> io::Result<Opened>,
    ) -> io::Result<Arc<Opened>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|one| one.id == id && now.duration_since(one.since) < LIFE);
        if let Some(one) = kept.iter().find(|one| one.name == name) {
            return Ok(Arc::clone(&one.opened));
        }
        let opened = Arc::new(open()?);
        kept.push(One { id, name, opened: Arc::clone(&opened), since: now });
        Ok(opened)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::web::tree::{PACKAGES, PACKAGES_GZ, Tree};

    #[test]
    fn another_release_and_another_second_are_looked_up() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b): (Id, Id) = ("2026-11-22.1".parse().unwrap(), "2026-11-22.2".parse().unwrap());
        let write = |id, name, text: &str| {
            fs::create_dir_all(dir.path().join(format!("{id}"))).unwrap();
            fs::remove_file(dir.path().join(format!("{id}/{name}"))).ok();
            fs::write(dir.path().join(format!("{id}/{name}")), text).unwrap();
        };
        for (id, name, text) in [(a, PACKAGES, "1"), (a, PACKAGES_GZ, "22"), (b, PACKAGES, "333")] {
            write(id, name, text);
        }
        let tree = Tree::open(dir.path()).unwrap();
        let (kept, start) = (Kept::default(), Instant::now());
        let size = |id, name, now| {
            kept.get(id, name, now, || tree.file(&format!("{id}/{name}"))).map(|one| one.size)
        };
        assert_eq!(size(a, PACKAGES, start).unwrap(), 1);
        assert_eq!(size(a, PACKAGES_GZ, start).unwrap(), 2);
        assert_eq!(size(b, PACKAGES, start).unwrap(), 3);
        assert_eq!(size(b, PACKAGES_GZ, start).unwrap_err().kind(), io::ErrorKind::NotFound);
        write(b, PACKAGES, "4444");
        assert_eq!(size(b, PACKAGES, start + LIFE / 2).unwrap(), 3);
        assert_eq!(size(b, PACKAGES, start + LIFE).unwrap(), 4);
        fs::remove_dir_all(dir.path().join(b.to_string())).unwrap();
        assert_eq!(size(b, PACKAGES, start + 2 * LIFE).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
