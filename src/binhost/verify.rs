//! Whether every binary package that is offered is what its Manifest and the package index say.
//!
//! A file that was found good and has not changed since (its inode, time of change and size say so) is
//! not read again, unless everything is to be read: a disk that rots changes none of the three. One that is signed
//! is read again as well when other keys are trusted than then.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::num::NonZero;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::examine::Examiner;
use super::trust::Trust;
use crate::beneath::{self, Beneath, Near};
use crate::model::verified::{Finding, Kind, Verified};
use crate::portage::files::gpkg::digests::Whole;
use crate::portage::files::gpkg::{Damage, Sound};
use crate::portage::files::index::{self, File, Index, Package};
use crate::portage::output::gpg::Doubt;
use crate::volume::replace;

/// [`Known`], as JSON.
const LIST: &str = "state/verified.json";

/// What was found good.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Known {
    /// By which keys ([`Trust`]); empty where signatures were not looked at.
    keys: String,
    /// By path below PKGDIR.
    files: BTreeMap<String, Good>,
}

/// A file that was found good, as it was then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Good {
    inode: u64,
    /// The time of the last change, in seconds since 1970 and nanoseconds.
    changed: (i64, i64),
    is_signed: bool,
    #[serde(flatten)]
    whole: Whole,
}

/// What was found good on this volume. What is not known is read, so that a list that is damaged, of another version or
/// not there costs time and nothing else.
pub(crate) fn known(volume: &Path) -> Known {
    let text = fs::read(volume.join(LIST)).ok();
    text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Keeps what was found good. A volume that is mounted read-only is looked at all the same.
pub(crate) fn keep(volume: &Path, known: &Known) {
    drop(replace(&volume.join(LIST), known));
}

/// Verifies what the index of this PKGDIR offers. `known` is brought up to date; with `all` everything is
/// read whatever is known.
///
/// # Errors
/// When the index cannot be read.
pub(crate) fn verify(pkgdir: &Path, all: bool, known: &mut Known, trust: &Trust) -> io::Result<Verified> {
    Ok(verify_index(pkgdir, &read_index(pkgdir)?, all, known, trust))
}

/// Verifies what the index of a release offers, to the last byte.
///
/// # Errors
/// When the index cannot be read.
pub(crate) fn verify_release(place: &Path, trust: &Trust) -> io::Result<Verified> {
    Ok(verify_index(place, &read_index(place)?, true, &mut Known::default(), trust))
}

/// The index in a directory, all of it.
///
/// # Errors
/// When it cannot be read, or says itself that there is more than can be read.
pub(crate) fn read_index(place: &Path) -> io::Result<Index> {
    let damaged = |why| io::Error::new(io::ErrorKind::InvalidData, format!("it {why}"));
    let mut text = Vec::new();
    Beneath::open(place)?.linked("Packages")?.read_to_end(&mut text)?;
    index::whole(text).map_err(damaged)
}

/// The same for an index that was read already.
pub(crate) fn verify_index(
    pkgdir: &Path,
    index: &Index,
    all: bool,
    known: &mut Known,
    trust: &Trust,
) -> Verified {
    let files: Vec<File> = index.packages.iter().map(Package::file).collect();
    let before = std::mem::replace(known, Known { keys: trust.digest().to_owned(), files: BTreeMap::new() });
    let place = Beneath::open(pkgdir).map(Arc::new).map_err(|problem| problem.to_string());
    let next = AtomicUsize::new(0);
    let (send, results) = mpsc::channel();
    thread::scope(|scope| {
        let work = || {
            let (send, next, files, before, place) = (send.clone(), &next, &files, &before, &place);
            move || {
                let (mut examiner, mut near) = (Examiner::default(), Near::default());
                while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let last = before.files.get(&file.path).filter(|_| !all);
                    let last = last.filter(|last| trust.knows(&before.keys, last.is_signed));
                    let outcome = match last.filter(|last| last.is_there(place, file, &mut near)) {
                        Some(last) => (0, agree(file, last.clone())),
                        None => one(place, file, trust, &mut examiner),
                    };
                    drop(send.send((file.path.as_str(), outcome)));
                }
            }
        };
        // Where no further thread can be made there are fewer; this one always works.
        for _ in 1..thread::available_parallelism().map_or(1, NonZero::get) {
            drop(thread::Builder::new().spawn_scoped(scope, work()));
        }
        work()();
    });
    drop(send);
    let mut verified =
        Verified { packages: files.len(), read: 0, bytes: 0, findings: Vec::new(), unchecked: None };
    let mut wrong = BTreeMap::new();
    for (path, (bytes, outcome)) in results {
        verified.read += usize::from(bytes > 0);
        verified.bytes += bytes;
        match outcome {
            Ok(good) => drop(known.files.insert(path.to_owned(), good)),
            Err(problem) => drop(wrong.insert(path, problem)),
        }
    }
    let in_order =
        files.iter().filter_map(|file| wrong.remove(file.path.as_str()).map(|wrong| (file, wrong)));
    verified.findings =
        in_order.map(|(file, (kind, what))| Finding { path: file.path.clone(), kind, what }).collect();
    verified.unchecked = trust.unchecked(known.files.values().filter(|good| good.is_signed).count());
    verified
}

/// How many bytes of a file were read, and what it is or what is wrong with it.
fn one(
    place: &Result<Arc<Beneath>, String>,
    file: &File,
    trust: &Trust,
    examiner: &mut Examiner,
) -> (u64, Result<Good, (Kind, String)>) {
    let missing = |problem: String| (0, Err((Kind::Missing, format!("cannot be read: {problem}"))));
    let opened = place.as_ref().map_err(Clone::clone).and_then(|place| {
        let opened = place.linked(&file.path).and_then(|opened| Ok((opened.metadata()?, opened)));
        opened.map_err(|problem| problem.to_string())
    });
    let (meta, opened) = match opened {
        Ok(opened) => opened,
        Err(problem) => return missing(problem),
    };
    let size = meta.len();
    let sound = if file.path.ends_with(GPKG) {
        read(opened, size, trust, examiner)
    } else if matches!(trust, Trust::Checked { demanded: true, .. }) {
        return (0, Err((Kind::Signature, "is of a format that has no signatures".to_owned())));
    } else {
        examiner.xpak(&opened, size).map(|whole| Sound { whole, is_signed: false })
    };
    let outcome = match sound {
        Err(damage) => {
            let kind = match damage {
                Damage::Signature(Doubt::ExpiredKey(_)) => Kind::Key,
                Damage::Signature(_) => Kind::Signature,
                Damage::Uncompressed => Kind::Unfit,
                _ => Kind::Damaged,
            };
            Err((kind, damage.told()))
        }
        Ok(Sound { whole, is_signed }) => {
            let changed = (meta.mtime(), meta.mtime_nsec());
            agree(file, Good { inode: meta.ino(), changed, is_signed, whole })
        }
    };
    (size, outcome)
}

/// The end of the names of what has a Manifest, which says what it is.
const GPKG: &str = ".gpkg.tar";

/// A file that is good in itself, if it is the one that the index means.
fn agree(file: &File, good: Good) -> Result<Good, (Kind, String)> {
    match file.disagreement(&good.whole) {
        None => Ok(good),
        Some(what) if file.path.ends_with(GPKG) => {
            Err((Kind::Index, format!("is whole, but {what} is not what the index says")))
        }
        // Nothing but the index knows what it was.
        Some(what) => Err((Kind::Damaged, format!("is damaged: {what} is not what the index says"))),
    }
}

fn read(opened: fs::File, size: u64, trust: &Trust, examiner: &mut Examiner) -> Result<Sound, Damage> {
    let reading = examiner.gpkg(&opened, size)?;
    match trust {
        Trust::Checked { ring, demanded, .. } => reading.judge(opened, ring, *demanded),
        Trust::Ignored | Trust::Unable(_) => reading.verify(),
    }
}

impl Good {
    /// Whether the file is still as it was. It is not opened for that.
    fn is_there(&self, place: &Result<Arc<Beneath>, String>, file: &File, near: &mut Near) -> bool {
        let entry = place.as_ref().ok().and_then(|place| near.entry(place, Path::new(&file.path)).ok());
        let is_it = |entry: beneath::Entry| {
            let since = entry.modified.duration_since(UNIX_EPOCH).ok()?;
            let changed = (i64::try_from(since.as_secs()).ok()?, since.subsec_nanos().into());
            Some(
                entry.kind == beneath::Kind::File
                    && (entry.inode, changed, entry.size) == (self.inode, self.changed, self.whole.size),
            )
        };
        entry.and_then(is_it).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::FileTimes;

    use super::*;
    use crate::binhost::gpg::Ring;
    use crate::portage::files::gpkg::sign::tests as signing;
    use crate::portage::files::signatures::{Demand, Signatures};

    const GOOD: &[u8] = include_bytes!("../../tests/captured/t1-1-1.gpkg.tar");

    /// A PKGDIR with packages `a/x/x-N-1.gpkg.tar` and the index that belongs to them.
    fn pkgdir(packages: u32) -> tempfile::TempDir {
        pkgdir_of(packages, GOOD)
    }

    fn pkgdir_of(packages: u32, content: &[u8]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("a/x")).unwrap();
        let whole = Whole::read(content).unwrap();
        let mut index = "VERSION: 0\n".to_owned();
        for n in 1..=packages {
            fs::write(dir.path().join(path(n)), content).unwrap();
            let Whole { size, md5, sha1 } = &whole;
            index += &format!("\nCPV: a/x-{n}\nMD5: {md5}\nPATH: {}\nSHA1: {sha1}\nSIZE: {size}\n", path(n));
        }
        fs::write(dir.path().join("Packages"), index).unwrap();
        dir
    }

    fn path(n: u32) -> String {
        format!("a/x/x-{n}-1.gpkg.tar")
    }

    fn found(verified: &Verified) -> Vec<(&str, Kind)> {
        verified.findings.iter().map(|finding| (finding.path.as_str(), finding.kind)).collect()
    }

    #[test]
    fn each_is_read_once_unless_all_are_asked_for() {
        let dir = pkgdir(20);
        let mut known = Known::default();
        let mut read = |all| {
            let verified = verify(dir.path(), all, &mut known, &Trust::Ignored).unwrap();
            assert_eq!((verified.packages, found(&verified)), (20, Vec::new()));
            (verified.read, verified.bytes)
        };
        let everything = (20, 20 * GOOD.len() as u64);
        assert_eq!(read(false), everything);
        assert_eq!(read(false), (0, 0));
        assert_eq!(read(true), everything);
        fs::write(dir.path().join(path(7)), GOOD).unwrap();
        assert_eq!(read(false), (1, GOOD.len() as u64));
    }

    #[test]
    fn what_is_wrong_is_told_apart() {
        let dir = pkgdir(6);
        let file = |n| dir.path().join(path(n));
        fs::write(file(1), &GOOD[..GOOD.len() / 2]).unwrap();
        fs::write(file(2), "").unwrap();
        fs::remove_file(file(3)).unwrap();
        // Padding behind the last member: Portage would not mind, but it is not the file of the index.
        let mut longer = GOOD.to_vec();
        longer.extend([0; 512]);
        fs::write(file(4), longer).unwrap();
        let index = fs::read_to_string(dir.path().join("Packages")).unwrap();
        let lie = index.rfind("SHA1: ").unwrap() + "SHA1: ".len();
        let lying = format!("{}0000{}", &index[..lie], &index[lie + 4..]);
        fs::write(dir.path().join("Packages"), lying).unwrap();
        let expected = [
            (path(1), Kind::Damaged),
            (path(2), Kind::Damaged),
            (path(3), Kind::Missing),
            (path(4), Kind::Index),
            (path(6), Kind::Index),
        ];
        let mut known = Known::default();
        for _ in 0..2 {
            let verified = verify(dir.path(), false, &mut known, &Trust::Ignored).unwrap();
            assert_eq!(found(&verified), expected.each_ref().map(|(path, kind)| (path.as_str(), *kind)));
            assert_eq!(known.files.keys().collect::<Vec<_>>(), [&path(5)]);
        }
    }

    /// What it was found to be is no reason to follow what is in its place now.
    #[test]
    fn a_link_to_what_was_found_good_is_none() {
        let dir = pkgdir(2);
        let mut known = Known::default();
        assert_eq!(found(&verify(dir.path(), false, &mut known, &Trust::Ignored).unwrap()), []);
        let file = dir.path().join(path(1));
        fs::rename(&file, dir.path().join("moved")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("moved"), &file).unwrap();
        let verified = verify(dir.path(), false, &mut known, &Trust::Ignored).unwrap();
        assert_eq!(found(&verified), [(path(1).as_str(), Kind::Missing)]);
    }

    /// A disk that rots changes neither the size nor the time.
    #[test]
    fn rot_is_seen_when_everything_is_read() {
        let dir = pkgdir(1);
        let mut known = Known::default();
        verify(dir.path(), false, &mut known, &Trust::Ignored).unwrap();
        let file = dir.path().join(path(1));
        let changed = fs::metadata(&file).unwrap().modified().unwrap();
        let mut rotten = GOOD.to_vec();
        rotten[3000] ^= 1;
        fs::write(&file, rotten).unwrap();
        let opened = fs::File::options().append(true).open(&file).unwrap();
        opened.set_times(FileTimes::new().set_modified(changed)).unwrap();
        assert_eq!(found(&verify(dir.path(), false, &mut known, &Trust::Ignored).unwrap()), []);
        assert_eq!(
            found(&verify(dir.path(), true, &mut known, &Trust::Ignored).unwrap()),
            [(path(1).as_str(), Kind::Damaged)]
        );
        // Once found, it stays found.
        assert_eq!(
            found(&verify(dir.path(), false, &mut known, &Trust::Ignored).unwrap()),
            [(path(1).as_str(), Kind::Damaged)]
        );
    }

    #[test]
    fn of_the_older_format_the_index_alone_knows_what_it_was() {
        let good = include_bytes!("../../tests/captured/t1-1-1.xpak");
        let dir = tempfile::tempdir().unwrap();
        let Whole { size, md5, sha1 } = Whole::read(&good[..]).unwrap();
        let mut rotten = good.to_vec();
        rotten[100] ^= 1;
        let mut index = "VERSION: 0\n".to_owned();
        for (name, content) in [("cut-1", &good[..3000]), ("good-1", &good[..]), ("rotten-1", &rotten)] {
            fs::write(dir.path().join(format!("{name}.xpak")), content).unwrap();
            index += &format!("\nCPV: a/{name}\nMD5: {md5}\nPATH: {name}.xpak\nSHA1: {sha1}\nSIZE: {size}\n");
        }
        fs::write(dir.path().join("Packages"), index).unwrap();
        let verified = verify(dir.path(), false, &mut Known::default(), &Trust::Ignored).unwrap();
        let told: Vec<_> =
            verified.findings.iter().map(|one| format!("{:?} {} {}", one.kind, one.path, one.what)).collect();
        assert_eq!(
            told,
            [
                "Damaged cut-1.xpak is damaged: it is cut short: what Portage wrote behind the files is incomplete",
                "Damaged rotten-1.xpak is damaged: its MD5 is not what the index says",
            ]
        );
    }

    #[test]
    fn without_an_index_nothing_is_said() {
        let dir = tempfile::tempdir().unwrap();
        assert!(verify(dir.path(), false, &mut Known::default(), &Trust::Ignored).is_err());
    }

    #[test]
    fn without_keys_signed_packages_are_counted_and_other_keys_mean_another_look() {
        let signed = signing::signed(GOOD).unwrap();
        let dir = pkgdir_of(2, &signed);
        let mut known = Known::default();
        let unable = Trust::Unable("there are no keys in /k".to_owned());
        for read in [2, 0] {
            let verified = verify(dir.path(), false, &mut known, &unable).unwrap();
            let told = "the signatures of 2 binary packages are not checked: there are no keys in /k";
            assert_eq!((verified.read, verified.unchecked.as_deref()), (read, Some(told)));
        }
        assert_eq!(found(&verify(dir.path(), false, &mut known, &Trust::Ignored).unwrap()), []);
        let none = Trust::in_pkgdir(&Signatures {
            demand: Demand::WhereThere,
            home: dir.path().join("none"),
            own: None,
        });
        assert!(matches!(none, Trust::Unable(_)), "{none:?}");

        // What was found good by nobody, or by other keys, is looked at again; this ring has no keys at all.
        let ring = || Ring::trusted(&dir.path().join("none"), None).unwrap();
        let checked =
            |digest: &str, demanded| Trust::Checked { ring: ring(), demanded, digest: digest.to_owned() };
        let verified = verify(dir.path(), false, &mut known, &checked("A", false)).unwrap();
        let both = [path(1), path(2)];
        assert_eq!(found(&verified), both.each_ref().map(|path| (path.as_str(), Kind::Signature)));
        assert!(checked("A", true).knows("A", true) && !checked("A", true).knows("B", true));
        assert!(checked("A", false).knows("B", false) && !checked("A", true).knows("A", false));
    }
}
