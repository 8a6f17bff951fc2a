//! Signs packages on their way into a release, several at a time.

use std::fs::{self, OpenOptions};
use std::io::BufWriter;
use std::num::NonZero;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use jiff::Timestamp;

use super::stage::{self, Need, Part};
use super::{At, Error, KEYS, LINK, PUBLIC_KEY, Releases};
use crate::binhost::examine::Examiner;
use crate::binhost::signing::Signatory;
use crate::model::release::{Entry, Release};
use crate::portage::files::gpkg::sign::{self, Signer};

/// The agent of GnuPG does one thing after the other, so that more would only wait.
const AT_ONCE: usize = 4;

/// Writes signed copies of all packages that need one into a directory. The first that fails ends it.
pub(super) fn all<S: Signer + Sync>(
    directory: &Path,
    parts: &mut [Part],
    signatory: &Signatory<S>,
    now: Timestamp,
    mut stopped: impl FnMut() -> bool,
) -> Result<(), Error> {
    let wanted: Vec<usize> = (0..parts.len()).filter(|&part| parts[part].need == Need::Signing).collect();
    let (next, halt) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (send, results) = mpsc::channel();
    let mut signed = Vec::new();
    thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, NonZero::get).min(AT_ONCE).min(wanted.len());
        let work = || {
            let (send, next, halt, wanted, parts) = (send.clone(), &next, &halt, &wanted, &*parts);
            move || {
                let mut examiner = Examiner::default();
                while let Some(&number) = wanted.get(next.fetch_add(1, Ordering::Relaxed))
                    && !halt.load(Ordering::Relaxed)
                {
                    let one = one(directory, &parts[number], &signatory.signer, now, &mut examiner);
                    halt.fetch_or(one.is_err(), Ordering::Relaxed);
                    drop(send.send(one.map(|entry| (number, entry))));
                }
            }
        };
        let begun =
            (0..workers).filter(|_| thread::Builder::new().spawn_scoped(scope, work()).is_ok()).count();
        if begun == 0 {
            // No thread can be made, so this one does it all.
            work()();
        }
        drop(send);
        for result in results {
            let result = if stopped() { Err(Error::Stopped) } else { result };
            halt.fetch_or(result.is_err(), Ordering::Relaxed);
            signed.push(result?);
        }
        Ok(())
    })?;
    for (number, entry) in signed {
        let part = &mut parts[number];
        part.entry = entry;
        part.need = Need::Signed;
    }
    Ok(())
}

/// Writes the signed copy of one package; what the release says of it.
fn one<S: Signer>(
    directory: &Path,
    part: &Part,
    signer: &S,
    now: Timestamp,
    examiner: &mut Examiner,
) -> Result<Entry, Error> {
    let path = directory.join(&part.entry.path);
    path.parent().map_or(Ok(()), stage::make)?;
    let source = part.open()?;
    let size = source.metadata().at(&path)?.len();
    let copy = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&path).at(&path)?;
    let seconds = u64::try_from(now.as_second()).unwrap_or_default();
    let whole = sign::sign(source, size, BufWriter::new(copy), signer, seconds)
        .map_err(|why| Error::Unsigned { path: part.entry.path.clone(), why })?;
    if whole.size != part.entry.size || !whole.sha1.eq_ignore_ascii_case(&part.entry.sha1) {
        return Err(Error::Changed { path: part.entry.path.clone(), what: "its SHA1 is another one" });
    }
    let (copy, sha512) = stage::digests(&path)?;
    let mut entry = part.entry.clone();
    // One that is signed anew is still made of the same file.
    entry.unsigned.get_or_insert(whole.sha1);
    stage::look_into(&mut entry, &path, examiner);
    (entry.size, entry.md5, entry.sha1, entry.sha512) = (copy.size, copy.md5, copy.sha1, sha512);
    Ok(entry)
}

/// Keeps the public key, so that what is signed with it can be verified, and offered again.
pub(super) fn keep_key<S>(releases: &Releases, signatory: &Signatory<S>) -> Result<(), Error> {
    stage::make(&releases.directory().join(KEYS))?;
    write_key(releases, &releases.kept_key(&signatory.fingerprint), &signatory.public)
}

/// Puts the public key of a release where clients get it from.
pub(super) fn offer_key(releases: &Releases, release: &Release) -> Result<(), Error> {
    // One of before keys were kept has none; what is there is of a later one.
    match release.signed.as_deref().map(|key| fs::read(releases.kept_key(key))) {
        Some(Ok(public)) => write_key(releases, &releases.directory().join(PUBLIC_KEY), &public),
        _ => Ok(()),
    }
}

fn write_key(releases: &Releases, path: &Path, public: &[u8]) -> Result<(), Error> {
    if fs::read(path).is_ok_and(|there| there == public) {
        return Ok(());
    }
    let temporary = releases.directory().join(format!("{LINK}{PUBLIC_KEY}"));
    let written = stage::write(&temporary, public, None).and_then(|()| fs::rename(&temporary, path).at(path));
    if written.is_err() {
        drop(fs::remove_file(&temporary));
    }
    written
}
