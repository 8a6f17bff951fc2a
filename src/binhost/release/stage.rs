//! Makes the directory of a release.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use flate2::{Compression, GzBuilder};
use jiff::Timestamp;
use sha2::{Digest, Sha512};

use super::{At, CHANGES, Error, FINGERPRINT, PACKAGES, PACKAGES_GZ, RELEASE};
use crate::beneath::{Beneath, Near};
use crate::binhost::examine::Examiner;
use crate::model::fingerprint::Fingerprint;
use crate::model::release::{Entry, IndexFile, Release};
use crate::portage::files::gpkg::Damage;
use crate::portage::files::gpkg::digests::{Whole, hex};
use crate::portage::files::gpkg::image::Demand;
use crate::portage::files::index::{Index, Package};

/// A package on its way into a release.
pub(super) struct Part {
    /// What the release says of it. The digests are filled in when it is not known to be what they say.
    pub(super) entry: Entry,
    /// What the index says of it.
    pub(super) package: Package,
    /// In which directory it is, at the path of the entry.
    pub(super) place: Arc<Beneath>,
    /// What has to be done with it.
    pub(super) need: Need,
    /// When its file was written, in seconds since 1970, once that is known.
    pub(super) time: Option<i64>,
    /// It is a file of the release before, which is ours and was looked at: nothing but a link is to be made of it.
    pub(super) is_kept: bool,
}

/// How a package gets into a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// As it is; an earlier release was made of it.
    Nothing,
    /// As it is, once it was read.
    Reading,
    /// As a signed copy.
    Signing,
    /// It was signed and is in its place.
    Signed,
}

/// Puts the packages into a new directory but for those of [`links`]; those that were not read before are read, as they lie there.
pub(super) fn packages(
    directory: &Path,
    parts: &mut [Part],
    mut stopped: impl FnMut() -> bool,
) -> Result<(), Error> {
    make(directory)?;
    let mut examiner = Examiner::default();
    let (mut made, mut near) = (PathBuf::new(), Near::default());
    for part in parts.iter_mut().filter(|part| !part.is_kept) {
        if stopped() {
            return Err(Error::Stopped);
        }
        let to = directory.join(&part.entry.path);
        made_for(&to, &mut made)?;
        let time = match part.need {
            Need::Signed => fs::metadata(&to).map(|meta| meta.mtime()),
            Need::Nothing | Need::Reading | Need::Signing => {
                place(&part.place, Path::new(&part.entry.path), None, &mut near, &to)
            }
        };
        part.time = Some(time.at(&to)?);
        if part.need == Need::Reading {
            read(part, &to)?;
            look_into(&mut part.entry, &to, &mut examiner);
        }
    }
    Ok(())
}

/// A file of the release before that goes into the new one as it is.
pub(super) struct Link {
    place: Arc<Beneath>,
    path: PathBuf,
    time: i64,
}

/// Those that nobody has to read: most of them.
pub(super) fn links(parts: &[Part]) -> Vec<Link> {
    let link = |part: &Part| {
        let time = part.time.filter(|_| part.is_kept)?;
        Some(Link { place: Arc::clone(&part.place), path: PathBuf::from(&part.entry.path), time })
    };
    parts.iter().filter_map(link).collect()
}

/// So many are linked before somebody else may begin with the next ones. They are in one directory, as a rule.
const TOGETHER: usize = 64;

/// Links them while the rest of a release is made: two threads, of which the one that is done with the rest helps the other.
pub(super) fn link_beside<T>(
    directory: &Path,
    links: &[Link],
    rest: impl FnOnce(&mut dyn FnMut() -> bool) -> Result<T, Error>,
    stopped: &mut dyn FnMut() -> bool,
) -> Result<T, Error> {
    let (next, halt) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = |stopped: &mut dyn FnMut() -> bool| {
        let (mut made, mut near) = (PathBuf::new(), Near::default());
        while let Some(some) = links.chunks(TOGETHER).nth(next.fetch_add(1, Ordering::Relaxed))
            && !halt.load(Ordering::Relaxed)
        {
            let linked = some.iter().try_for_each(|Link { place: from, path, time }| {
                if stopped() {
                    return Err(Error::Stopped);
                }
                let to = directory.join(path);
                made_for(&to, &mut made)?;
                place(from, path, Some(*time), &mut near, &to).at(&to).map(drop)
            });
            if linked.is_err() {
                halt.store(true, Ordering::Relaxed);
                return linked;
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        // Where no thread can be made, this one does it all.
        let other =
            thread::Builder::new().spawn_scoped(scope, || work(&mut || halt.load(Ordering::Relaxed))).ok();
        // Whoever fails stops the other.
        let made = rest(&mut || halt.load(Ordering::Relaxed) || stopped());
        halt.fetch_or(made.is_err(), Ordering::Relaxed);
        let mine = work(stopped);
        let others = other.map(|other| other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        match (made, mine.and(others.unwrap_or(Ok(())))) {
            (Err(Error::Stopped) | Ok(_), Err(why)) | (Err(why), _) => Err(why),
            (Ok(made), Ok(())) => Ok(made),
        }
    })
}

/// Makes the directory that a file comes to, unless it was the last one to be made.
fn made_for(to: &Path, made: &mut PathBuf) -> Result<(), Error> {
    if let Some(parent) = to.parent().filter(|parent| *parent != made) {
        make(parent)?;
        parent.clone_into(made);
    }
    Ok(())
}

/// A directory that servers may read, with all above it.
pub(super) fn make(directory: &Path) -> Result<(), Error> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(directory).at(directory)
}

impl Part {
    /// Its file.
    pub(super) fn open(&self) -> Result<File, Error> {
        self.place.linked(&self.entry.path).at(&self.place.path().join(&self.entry.path))
    }

    /// What the index and the release say of it, once it is in its place.
    pub(super) fn described(self) -> (Package, Entry) {
        let Self { entry, mut package, time, .. } = self;
        let (size, time) = (entry.size.to_string(), time.map(|time| time.to_string()));
        let mut values = vec![("SIZE", &*size), ("MD5", &entry.md5), ("SHA1", &entry.sha1)];
        values.extend(time.as_deref().map(|time| ("MTIME", time)));
        // Of most the index says that already.
        values.retain(|(key, value)| package.get(key) != *value);
        if !values.is_empty() {
            package.block.set_all(&values);
        }
        (package, entry)
    }
}

/// A file in two places: as one file where that goes; its time, in seconds since 1970, which whoever knows it gives. A format that Portage
/// changes in place when a package moves (`portage/dbapi/bintree.py:update_ents` does with xpak) is copied, and so is what a file system
/// refuses to link.
fn place(from: &Arc<Beneath>, path: &Path, time: Option<i64>, near: &mut Near, to: &Path) -> io::Result<i64> {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, TooManyLinks, Unsupported};
    if to.extension().is_some_and(|format| format == "tar") {
        let linked = match time {
            Some(time) => near.link(from, path, to).map(|()| time),
            None => near.link_to(from, path, to).map(|meta| meta.mtime()),
        };
        match linked {
            Err(error)
                if [CrossesDevices, PermissionDenied, TooManyLinks, Unsupported].contains(&error.kind()) => {}
            linked => return linked,
        }
    }
    let mut from = from.linked(path)?;
    let mut copy = File::create(to)?;
    io::copy(&mut from, &mut copy)?;
    let meta = from.metadata()?;
    copy.set_permissions(meta.permissions())?;
    copy.set_modified(meta.modified()?)?;
    Ok(meta.mtime())
}

/// Reads a file, which has to be the one that was found good.
fn read(part: &mut Part, file: &Path) -> Result<(), Error> {
    let (whole, sha512) = digests(file)?;
    let entry = &mut part.entry;
    let changed = |what| Error::Changed { path: entry.path.clone(), what };
    if whole.size != entry.size {
        return Err(changed("its size is another one"));
    }
    if !whole.sha1.eq_ignore_ascii_case(&entry.sha1) {
        return Err(changed("its SHA1 is another one"));
    }
    entry.sha1 = whole.sha1;
    entry.md5 = whole.md5;
    entry.sha512 = sha512;
    Ok(())
}

/// Finds out which kernel a package demands. What cannot be looked into is offered all the same: a kernel that is too old is
/// the exception.
pub(super) fn look_into(entry: &mut Entry, file: &Path, examiner: &mut Examiner) {
    (entry.kernel, entry.opaque) = match kernel(file, examiner) {
        Ok(demand) => (demand, None),
        Err(Damage::Unreadable(why)) => (None, Some(why)),
        Err(damage) => (None, Some(damage.to_string())),
    };
}

fn kernel(file: &Path, examiner: &mut Examiner) -> Result<Option<Demand>, Damage> {
    if !file.to_str().is_some_and(|path| path.ends_with(".gpkg.tar")) {
        return Err(Damage::Unreadable("it is an xpak, the older format".into()));
    }
    let opened = File::open(file)?;
    let size = opened.metadata()?.len();
    examiner.demand(&opened, size)
}

/// The digests of a whole file; the SHA512 beside those of the index.
pub(super) fn digests(file: &Path) -> Result<(Whole, String), Error> {
    let mut sha512 = Hashing { reader: File::open(file).at(file)?, sha512: Sha512::new() };
    let whole = Whole::read(&mut sha512).at(file)?;
    Ok((whole, hex(&sha512.sha512.finalize())))
}

/// Works out one more digest of what is read.
struct Hashing {
    reader: File,
    sha512: Sha512,
}

impl Read for &mut Hashing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.sha512.update(&buffer[..count]);
        Ok(count)
    }
}

/// Writes the index: the header as PKGDIR's index has it, without passwords, with the number of packages and the time of this one.
/// Portage gives both files that time (`portage/dbapi/bintree.py:_pkgindex_write`), which servers tell clients.
pub(super) fn index(directory: &Path, mut index: Index, stamp: Timestamp) -> Result<Vec<IndexFile>, Error> {
    let seconds = stamp.as_second();
    index.header.conceal();
    index.header.set("PACKAGES", &index.packages.len().to_string());
    index.header.set("TIMESTAMP", &seconds.to_string());
    let plain = index.to_string().into_bytes();
    let mut gzip = GzBuilder::new()
        .mtime(u32::try_from(seconds).unwrap_or_default())
        .write(Vec::new(), Compression::default());
    let packed = gzip.write_all(&plain).and_then(|()| gzip.finish()).at(&directory.join(PACKAGES_GZ))?;
    let mut files = Vec::new();
    for (name, bytes) in [(PACKAGES, plain), (PACKAGES_GZ, packed)] {
        write_later(&directory.join(name), &bytes, stamp)?;
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        files.push(IndexFile { name: name.to_owned(), size, sha512: hex(&Sha512::digest(&bytes)) });
    }
    Ok(files)
}

/// Writes what is not for Portage: what the release is, for programs and for people.
pub(super) fn papers(directory: &Path, release: &Release, changes: &str) -> Result<(), Error> {
    let path = directory.join(RELEASE);
    let mut text = serde_json::to_vec_pretty(release).map_err(io::Error::from).at(&path)?;
    text.push(b'\n');
    write_later(&path, &text, release.published)?;
    write_later(&directory.join(CHANGES), changes.as_bytes(), release.published)
}

/// Writes what decides whether the packages fit a client.
pub(super) fn fingerprint(
    directory: &Path,
    fingerprint: &Fingerprint,
    stamp: Timestamp,
) -> Result<(), Error> {
    let path = directory.join(FINGERPRINT);
    let mut text = serde_json::to_vec_pretty(fingerprint).map_err(io::Error::from).at(&path)?;
    text.push(b'\n');
    write_later(&path, &text, stamp)
}

/// Writes a file, synced, of this time if one is given.
pub(super) fn write(path: &Path, bytes: &[u8], stamp: Option<Timestamp>) -> Result<(), Error> {
    created(path, bytes, stamp).and_then(|file| file.sync_all()).at(path)
}

/// The same of a release that is being made: [`settle`] syncs all of it at once.
fn write_later(path: &Path, bytes: &[u8], stamp: Timestamp) -> Result<(), Error> {
    created(path, bytes, Some(stamp)).map(drop).at(path)
}

fn created(path: &Path, bytes: &[u8], stamp: Option<Timestamp>) -> io::Result<File> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    stamp.map_or(Ok(()), |stamp| file.set_modified(stamp.into()))?;
    Ok(file)
}

/// Waits until everything on this file system is on its disk. Portage syncs none of the files it makes, and there
/// may be ten thousands of them.
pub(super) fn settle(directory: &Path) -> Result<(), Error> {
    let synced =
        File::open(directory).and_then(|opened| nix::unistd::syncfs(&opened).map_err(io::Error::from));
    synced.at(directory)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn links(directory: &Path, names: &[String]) -> Vec<Link> {
        let place = Arc::new(Beneath::open(directory).unwrap());
        let link = |name: &String| Link { place: Arc::clone(&place), path: PathBuf::from(name), time: 0 };
        names.iter().map(link).collect()
    }

    #[test]
    fn whoever_fails_stops_the_other() {
        let volume = tempfile::tempdir().unwrap();
        let missing = links(volume.path(), &["a/lost.gpkg.tar".to_owned()]);
        let to = volume.path().join("release");
        // As long as signing may take, if nobody stops it.
        let endless = |stopped: &mut dyn FnMut() -> bool| {
            let begun = Instant::now();
            while !stopped() {
                assert!(begun.elapsed() < Duration::from_mins(1), "nobody stops it");
                thread::yield_now();
            }
            Err::<(), _>(Error::Stopped)
        };
        let why = link_beside(&to, &missing, endless, &mut || false).unwrap_err();
        assert!(why.to_string().contains("lost.gpkg.tar"), "{why}");

        let why = link_beside(&to, &missing, |_| Err::<(), _>(Error::Nothing), &mut || false).unwrap_err();
        assert!(matches!(why, Error::Nothing), "{why}");
        assert!(matches!(link_beside(&to, &[], endless, &mut || true), Err(Error::Stopped)));
    }
}
