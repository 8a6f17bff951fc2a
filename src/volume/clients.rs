//! The clients that the builder knows.
//!
//! ```text
//!   clients/laptop/capture.tar     what `client.sh capture` printed there, read to its end before it came here
//!   clients/laptop/fit.json        how the release that it was rehearsed with fits it
//!   clients/laptop/wants.json      the packages that it wants with flags of its own, by all releases since it was added
//! ```
//!
//! Each is a file that is replaced as a whole. All of it is root's alone: a configuration is the business of its owner. Who is known is
//! changed by one at a time (`state/clients.lock`), so that nothing is kept of a client that was removed or replaced while it was rehearsed.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::{Locked, replace};
use crate::decide::clients as decide;
use crate::model::client::{Client, Fit, Flags, Name};
use crate::portage::files::capture::{self, LONGEST};

/// The directory of the clients on a volume.
const CLIENTS: &str = "clients";
const CAPTURE: &str = "capture.tar";
const FIT: &str = "fit.json";
const WANTS: &str = "wants.json";
/// Held by whoever changes any of it.
const LOCK: &str = "state/clients.lock";

fn place(volume: &Path, name: &Name) -> PathBuf {
    volume.join(CLIENTS).join(name.to_string())
}

fn lock(volume: &Path) -> io::Result<Locked> {
    let path = volume.join(LOCK);
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    Locked::wait(File::options().write(true).create(true).truncate(false).open(path)?)
}

/// Those that there are, by name. What else is in the directory is nobody.
pub(crate) fn all(volume: &Path) -> Vec<Client> {
    let entries = fs::read_dir(volume.join(CLIENTS)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<Name>().ok());
    let mut clients: Vec<Client> = names.filter_map(|name| one(volume, name)).collect();
    clients.sort_by(|a, b| a.name.cmp(&b.name));
    clients
}

/// Stands for all files of all clients: another one, and something may be otherwise.
pub(crate) fn stamp(volume: &Path) -> u64 {
    let mut hasher = DefaultHasher::new();
    let entries = fs::read_dir(volume.join(CLIENTS)).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries.map(|entry| entry.file_name()).collect();
    names.sort();
    for name in names {
        let place = volume.join(CLIENTS).join(&name);
        name.hash(&mut hasher);
        for file in [CAPTURE, FIT] {
            let meta = fs::symlink_metadata(place.join(file)).ok();
            meta.map(|meta| (meta.ino(), meta.len(), meta.mtime(), meta.mtime_nsec())).hash(&mut hasher);
        }
    }
    hasher.finish()
}

/// This one, if it is there.
pub(crate) fn one(volume: &Path, name: Name) -> Option<Client> {
    let place = place(volume, &name);
    let added = fs::metadata(place.join(CAPTURE)).ok()?.modified().ok()?;
    let added = Timestamp::try_from(added).unwrap_or_default();
    Some(Client { name, added, fit: fit(&place) })
}

/// Nothing when it was never found, or by a version of another format.
fn fit(place: &Path) -> Option<Fit> {
    let fit: Fit = serde_json::from_slice(&fs::read(place.join(FIT)).ok()?).ok()?;
    (fit.schema == Fit::SCHEMA).then_some(fit)
}

/// Keeps a capture, in the place of the one of that name; whether there was one. `bytes` are what
/// [`capture::read`] took. At any instant there is one or the other, and nothing is known of how a release fits it.
pub(crate) fn add(volume: &Path, name: &Name, bytes: &[u8]) -> io::Result<bool> {
    let _alone = lock(volume)?;
    let place = place(volume, name);
    let mut private = DirBuilder::new();
    private.mode(0o700).recursive(true).create(&place)?;
    let (file, new) = (place.join(CAPTURE), place.join(".capture.tar.new"));
    let was_there = file.exists();
    let written = (|| {
        let mut out = File::options().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        out.write_all(bytes)?;
        out.sync_all()?;
        // What was found of the old one is not true of the new one.
        for found in [FIT, WANTS] {
            match fs::remove_file(place.join(found)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        fs::rename(&new, &file)?;
        File::open(&place)?.sync_all()?;
        File::open(volume.join(CLIENTS))?.sync_all()
    })();
    if written.is_err() {
        drop(fs::remove_file(&new));
        // Only where nothing was kept before.
        drop(fs::remove_dir(&place));
    }
    written.map(|()| was_there)
}

/// What a client is configured by.
pub(crate) fn capture(volume: &Path, name: &Name) -> io::Result<capture::Capture> {
    let mut bytes = Vec::new();
    File::open(place(volume, name).join(CAPTURE))?.take(LONGEST + 1).read_to_end(&mut bytes)?;
    capture::read(&bytes).map_err(|refused| io::Error::new(io::ErrorKind::InvalidData, refused.to_string()))
}

/// Writes down how a release fits a client, and what it wants by that; whether it is still the one that was rehearsed.
pub(crate) fn keep(volume: &Path, client: &Client, fit: &Fit) -> io::Result<bool> {
    let _alone = lock(volume)?;
    let name = &client.name;
    if one(volume, name.clone()).is_none_or(|now| now.added != client.added) {
        return Ok(false);
    }
    let before = wants(volume, name);
    let now = decide::wants(before.clone(), fit);
    if now != before {
        replace(&place(volume, name).join(WANTS), &now)?;
    }
    replace(&place(volume, name).join(FIT), fit)?;
    Ok(true)
}

/// What a client wants built with flags of its own, by `category/name`.
pub(crate) fn wants(volume: &Path, name: &Name) -> BTreeMap<String, Flags> {
    let text = fs::read(place(volume, name).join(WANTS)).ok();
    text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Forgets a client; whether there was one. It is gone as a whole or not at all: what a kill leaves has no name.
pub(crate) fn remove(volume: &Path, name: &Name) -> io::Result<bool> {
    let _alone = lock(volume)?;
    let gone = volume.join(CLIENTS).join(format!(".old-{name}"));
    match fs::remove_dir_all(&gone) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    match fs::rename(place(volume, name), &gone) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    }
    File::open(volume.join(CLIENTS))?.sync_all()?;
    fs::remove_dir_all(&gone)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_capture_is_replaced_as_a_whole_and_what_was_found_goes_with_it() {
        let volume = tempfile::tempdir().unwrap();
        let volume = volume.path();
        let name: Name = "laptop".parse().unwrap();
        assert!(all(volume).is_empty() && !remove(volume, &name).unwrap());
        assert!(!add(volume, &name, b"first").unwrap());
        let mode = |path: &str| fs::metadata(volume.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("clients/laptop"), mode("clients/laptop/capture.tar")), (0o700, 0o600));
        let fit = Fit {
            schema: Fit::SCHEMA,
            release: "2026-11-28.1".parse().unwrap(),
            rehearsed: Timestamp::UNIX_EPOCH,
            binary: 2,
            compile: Vec::new(),
            drift: Vec::new(),
            problem: None,
        };
        let first = one(volume, name.clone()).unwrap();
        assert!(keep(volume, &first, &fit).unwrap());
        fs::write(volume.join("clients/stray"), "").unwrap();
        fs::create_dir(volume.join("clients/.old-x")).unwrap();
        let [client] = all(volume).try_into().unwrap();
        assert_eq!((client.name, client.fit.as_ref()), (name.clone(), Some(&fit)));
        assert!(add(volume, &name, b"second").unwrap());
        assert_eq!(fs::read(volume.join("clients/laptop/capture.tar")).unwrap(), b"second");
        // What is found of the first one now is not true of the second one, and of one that is gone nothing is.
        assert!(!keep(volume, &first, &fit).unwrap());
        let second = one(volume, name.clone()).unwrap();
        assert_eq!(second.fit, None);
        assert!(capture(volume, &name).is_err());
        assert!(remove(volume, &name).unwrap() && all(volume).is_empty());
        assert!(!keep(volume, &second, &fit).unwrap() && !volume.join("clients/laptop").exists());
    }
}
