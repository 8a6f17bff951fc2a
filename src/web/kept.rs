//! What nearly every request is for, kept for a moment: the open files of the index, of which looking up the name costs
//! more than sending the answer, and the page of a release, which is long to write.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::release::Id;

/// How long something is kept. A release never changes; when a person changes or removes it all the same, that shows
/// after so long.
const LIFE: Duration = Duration::from_secs(1);

/// Things of releases, by name.
#[derive(Debug)]
pub(super) struct Kept<T>(Mutex<Vec<One<T>>>);

#[derive(Debug)]
struct One<T> {
    id: Id,
    name: &'static str,
    thing: T,
    since: Instant,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Kept<T> {
    /// What a release has under this name, from here or newly made. Whoever else wants something waits meanwhile.
    pub(super) fn get<E>(
        &self,
        id: Id,
        name: &'static str,
        now: Instant,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|one| now.duration_since(one.since) < LIFE);
        if let Some(one) = kept.iter().find(|one| one.id == id && one.name == name) {
            return Ok(one.thing.clone());
        }
        let thing = make()?;
        kept.push(One { id, name, thing: thing.clone(), since: now });
        Ok(thing)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io;
    use std::sync::Arc;

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
        let tree = Tree::open(dir.path(), "").unwrap();
        let (kept, start) = (Kept::default(), Instant::now());
        let size = |id, name, now| {
            kept.get(id, name, now, || tree.file(&format!("{id}/{name}")).map(Arc::new)).map(|one| one.size)
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
