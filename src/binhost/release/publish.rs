//! Publishes an offer, or what an older release offered.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;
use std::{iter, thread};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ledger::Publisher;
use super::stage::{self, Need, Part};
use super::{At, Error, FINGERPRINT, LINK, NEW, PACKAGES, Releases, sign, trees};
use crate::beneath::{self, Beneath, Kind, Near};
use crate::binhost::signing::Signatory;
use crate::binhost::verify;
use crate::decide::trees::{Next, apart, differs, next};
use crate::model::fingerprint::Fingerprint;
use crate::model::offer::{Held, Offer, Offered};
use crate::model::release::{
    Current, Demanding, Diff, Entry, Id, Opaque, Origin, Published, Release, Snapshot,
};
use crate::portage::files::elf::Kernel;
use crate::portage::files::gpkg::sign::Signer;
use crate::portage::files::index::{Block, Index, Package};
use crate::portage::names::cpv::Cpv;
use crate::render;

/// The end of the names of what can have signatures: the other format has none.
const SIGNABLE: &str = ".gpkg.tar";

/// What a release tells beside its packages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// How the packages came to be.
    pub origin: Origin,
    /// Why packages were built, in words.
    pub reasons: BTreeMap<Cpv, String>,
    /// Seconds that builds take, by `category/name`.
    #[serde(default)]
    pub seconds: BTreeMap<String, u64>,
    /// What decides whether they fit a client; absent when Portage did not tell.
    #[serde(default)]
    pub fingerprint: Option<Fingerprint>,
    /// The ebuild repositories, by their names; absent when nobody looked.
    #[serde(default)]
    pub trees: Option<BTreeMap<String, Snapshot>>,
}

/// What a new release is made of.
struct Draft {
    header: Block,
    parts: Vec<Part>,
    held: Vec<Held>,
    origin: Origin,
    again: Option<Id>,
    /// The fingerprint of the key that the packages are signed with.
    signed: Option<String>,
    /// What decides whether they fit a client.
    fingerprint: Option<Fingerprint>,
    /// The ebuild repositories.
    next: BTreeMap<String, Next>,
    /// Those that may not be handed on, and why.
    withheld: BTreeMap<String, String>,
}

/// Publishes exactly this offer of the binary packages in PKGDIR, unless what is offered already is the same. With a
/// signatory the packages are signed, those of the release before if it was the same key.
///
/// # Errors
/// When a file is not the one that was found good, or cannot be read or written. What was offered before still
/// is then, and nothing is left of the attempt.
pub fn publish<S: Signer + Sync>(
    volume: &Path,
    pkgdir: &Path,
    offer: &Offer,
    facts: &Facts,
    signatory: Option<&Signatory<S>>,
    now: Timestamp,
    mut stopped: impl FnMut() -> bool,
) -> Result<Published, Error> {
    let mut publisher = Publisher::new(&Releases::on(volume))?;
    publisher.releases.check_links()?;
    publisher.sweep(now)?;
    let before = publisher.releases.current().and_then(|id| publisher.releases.read(id).ok());
    let path = pkgdir.join(PACKAGES);
    let Index { header, packages, .. } = verify::read_index(pkgdir).at(&path)?;
    let signed = signatory.map(|signatory| signatory.fingerprint.clone());
    let parts =
        parts(&publisher.releases, pkgdir, packages, offer, facts, before.as_ref(), signed.as_deref())?;
    if let Some(signatory) = signatory {
        sign::keep_key(&publisher.releases, signatory)?;
    }
    let snapshots = facts.trees.clone().unwrap_or_else(|| unknown(before.as_ref()));
    let mut next = next(before.as_ref(), &snapshots, signed.as_deref());
    let lost = publisher.lost();
    if lost.is_some() {
        next = apart(next);
    }
    let entries: Vec<&Entry> = parts.iter().map(|part| &part.entry).collect();
    let same = |before: &&Release| {
        lost.is_none()
            && before.offers(&entries, &offer.held, signed.as_deref())
            && !differs(before, &next)
            && publisher.releases.check(before).is_ok()
    };
    if let Some(before) = before.as_ref().filter(same) {
        // Somebody may have let it live longer.
        sign::offer_key(&publisher.releases, before)?;
        return Ok(published(before, false, String::new(), Vec::new()));
    }
    let revisions = header.get("REPO_REVISIONS");
    let revisions = revisions.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let draft = Draft {
        header,
        parts,
        held: offer.held.clone(),
        origin: Origin { revisions, ..facts.origin.clone() },
        again: None,
        signed,
        fingerprint: facts.fingerprint.clone(),
        next,
        withheld: snapshots.iter().filter_map(withheld).collect(),
    };
    let pen = signatory.map(|signatory| &signatory.signer);
    let mut outcome =
        publisher.finish(draft, before.as_ref(), now, pen, &mut stopped, |directory, parts, stopped| {
            if let Some(signatory) = signatory {
                sign::all(directory, parts, signatory, now, &mut *stopped)?;
            }
            stage::packages(directory, parts, stopped)
        })?;
    if let Some(lost) = lost {
        outcome.changes += &format!(
            "; clients had been offered {lost}, which is not on this volume any more, and would have gone by its index: the volume comes from \
             a backup"
        );
    }
    outcome.trees.extend(trees::tidy(&publisher.releases, &snapshots));
    Ok(outcome)
}

/// What is offered of repositories that nobody looked at: the same as before.
fn unknown(before: Option<&Release>) -> BTreeMap<String, Snapshot> {
    let trees = before.iter().flat_map(|before| before.trees.keys());
    trees.map(|name| (name.clone(), Snapshot::Unwritten("nobody looked".to_owned()))).collect()
}

fn withheld((name, snapshot): (&String, &Snapshot)) -> Option<(String, String)> {
    match snapshot {
        Snapshot::Withheld(why) => Some((name.clone(), why.clone())),
        Snapshot::Tree(_) | Snapshot::Unwritten(_) => None,
    }
}

impl Releases {
    /// The release that a rollback goes back to when it is not told which.
    pub(crate) fn older(&self) -> Option<Id> {
        let current = self.current()?;
        // That it cannot be read any more is a reason to go back.
        let again = self.read(current).ok().and_then(|current| current.again);
        let from = again.unwrap_or(current);
        self.ids().into_iter().rfind(|id| *id < from)
    }
}

/// Offers again what an older release offered; without a name the one before what is offered.
///
/// It becomes a release of its own, of the same files: a client takes over an index only when it is newer than
/// the one it has, so that the old one as it was would reach nobody who has seen the newer one. What was offered before
/// comes back, too.
///
/// Its packages get signatures of the key that clients trust now, whatever key they had before; `as_it_is` leaves them as they are.
///
/// # Errors
/// When there is no such release, it is not complete, it cannot be written, or clients would refuse it and the signatory cannot
/// sign it for them.
pub fn roll_back<S: Signer + Sync>(
    volume: &Path,
    to: Option<Id>,
    signatory: Option<&Signatory<S>>,
    as_it_is: bool,
    now: Timestamp,
) -> Result<(Id, Published), Error> {
    let mut publisher = Publisher::new(&Releases::on(volume))?;
    publisher.releases.check_links()?;
    publisher.sweep(now)?;
    let releases = publisher.releases.clone();
    let current = releases.current().ok_or(Error::Nothing)?;
    // That it cannot be read any more is a reason to go back.
    let before = releases.read(current).ok();
    let again = before.as_ref().and_then(|before| before.again);
    let id = to.or_else(|| releases.older()).ok_or(Error::NoOlder)?;
    let target = releases.read(id)?;
    if before.is_some() && (current == id || again == Some(id)) {
        return Err(Error::Already(id));
    }
    releases.check(&target)?;
    let trusted = before.as_ref().and_then(|before| before.signed.clone());
    let signs_anew = !as_it_is && trusted.is_some() && trusted != target.signed;
    let signatory = signatory.filter(|signatory| trusted.as_ref() == Some(&signatory.fingerprint));
    if let (true, None, Some(trusted)) = (signs_anew, signatory, &trusted) {
        let signed =
            target.signed.as_ref().map_or("not signed".to_owned(), |key| format!("signed by the key {key}"));
        return Err(Error::Distrusted { id, signed, trusted: trusted.clone() });
    }
    let place = releases.place(id);
    let path = place.join(PACKAGES);
    let index = verify::read_index(&place).at(&path)?;
    let mut packages = by_path(index.packages);
    let files = open(&place)?;
    let part = |entry: &Entry| {
        let missing = || Error::Incomplete { id, path: entry.path.clone(), what: "is not in its index" };
        let package = packages.remove(&entry.path).ok_or_else(missing)?;
        let need = if signs_anew && entry.path.ends_with(SIGNABLE) { Need::Signing } else { Need::Nothing };
        Ok(Part {
            entry: entry.clone(),
            package,
            place: Arc::clone(&files),
            need,
            time: None,
            is_kept: false,
        })
    };
    let parts = target.packages.iter().map(part).collect::<Result<Vec<_>, Error>>()?;
    let again = Some(target.again.unwrap_or(id));
    let signed = if signs_anew { trusted } else { target.signed.clone() };
    let snapshots = trees::again(&releases, &target, before.as_ref());
    let next = next(before.as_ref(), &snapshots, signed.as_deref());
    let draft = Draft {
        header: index.header,
        parts,
        held: target.held,
        origin: target.origin,
        again,
        signed,
        // Without it they are as good; only less is known of them.
        fingerprint: fs::read(place.join(FINGERPRINT))
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok()),
        next,
        withheld: target.withheld,
    };
    let pen = signatory.map(|signatory| &signatory.signer);
    let outcome =
        publisher.finish(draft, before.as_ref(), now, pen, &mut || false, |to, parts, stopped| {
            if let Some(signatory) = signatory {
                sign::all(to, parts, signatory, now, &mut *stopped)?;
            }
            stage::packages(to, parts, stopped)
        })?;
    Ok((current, outcome))
}

/// What came of publishing, with this release offered now.
fn published(release: &Release, new: bool, changes: String, trees: Vec<String>) -> Published {
    let held = u64::try_from(release.held.len()).unwrap_or(u64::MAX);
    let (current, kernel) = (Current::from(release), release.kernel.clone());
    let opaque = Opaque::of(&release.packages);
    Published { current, new, changes, held, kernel, opaque, running: running(), trees }
}

fn open(directory: &Path) -> Result<Arc<Beneath>, Error> {
    Beneath::open(directory).at(directory).map(Arc::new)
}

fn by_path(packages: Vec<Package>) -> HashMap<String, Package> {
    packages.into_iter().map(|package| (package.path().into_owned(), package)).collect()
}

/// The packages of the offer, each with what the index says of it. What the release before has of them is taken from
/// there, and nothing but that it is there and as it was is asked for; all that is not is looked up in PKGDIR.
fn parts(
    releases: &Releases,
    pkgdir: &Path,
    packages: Vec<Package>,
    offer: &Offer,
    facts: &Facts,
    before: Option<&Release>,
    signed: Option<&str>,
) -> Result<Vec<Part>, Error> {
    let mut packages = by_path(packages);
    let before = before.filter(|before| before.signed.as_deref() == signed);
    let known: HashMap<&str, &Entry> =
        before.iter().flat_map(|before| &before.packages).map(|entry| (entry.path.as_str(), entry)).collect();
    let place = open(pkgdir)?;
    let there = before.and_then(|before| open(&releases.place(before.id)).ok());
    let found: Vec<Found> = offer
        .packages
        .iter()
        .map(|offered| {
            let earlier = known.get(offered.path.as_str()).filter(|earlier| earlier.source() == offered.sha1);
            (packages.remove(&offered.path), earlier.copied())
        })
        .collect();
    let times = there.as_ref().map(|there| times(there, &found)).unwrap_or_default();
    let times = times.into_iter().chain(iter::repeat(None));
    let part = |((offered, (package, earlier)), time): ((&Offered, Found), Option<i64>)| {
        let changed = |what| Error::Changed { path: offered.path.clone(), what };
        let package = package.ok_or_else(|| changed("the index does not name it any more"))?;
        let seconds = facts.seconds.get(offered.cpv.cp()).copied();
        if let (Some(earlier), Some(there), Some(time)) = (earlier, &there, time) {
            let entry = Entry { seconds, beside: offered.beside.clone(), ..earlier.clone() };
            let place = Arc::clone(there);
            return Ok(Part { entry, package, place, need: Need::Nothing, time: Some(time), is_kept: true });
        }
        let file = place.linked(&offered.path).and_then(|file| file.metadata());
        if file.at(&pkgdir.join(&offered.path))?.len() != offered.size {
            return Err(changed("its size is another one"));
        }
        let entry = Entry {
            cpv: offered.cpv.clone(),
            slot: offered.slot.clone(),
            build_id: package.build_id(),
            path: offered.path.clone(),
            size: offered.size,
            md5: String::new(),
            sha1: offered.sha1.clone(),
            sha512: String::new(),
            unsigned: None,
            why: facts.reasons.get(&offered.cpv).cloned(),
            kernel: None,
            seconds,
            opaque: None,
            beside: offered.beside.clone(),
        };
        let need =
            if signed.is_some() && entry.path.ends_with(SIGNABLE) { Need::Signing } else { Need::Reading };
        Ok(Part { entry, package, place: Arc::clone(&place), need, time: None, is_kept: false })
    };
    offer.packages.iter().zip(found).zip(times).map(part).collect()
}

/// A package of the index, and what the release before has of it.
type Found<'a> = (Option<Package>, Option<&'a Entry>);

/// Looks at the files of the release before, half of them in another thread; what [`untouched`] says of each.
fn times(there: &Arc<Beneath>, found: &[Found]) -> Vec<Option<i64>> {
    let look = |found: &[Found]| -> Vec<Option<i64>> {
        let mut near = Near::default();
        let mut one = |(package, earlier): &Found| {
            let (package, earlier) = (package.as_ref()?, (*earlier)?);
            untouched(earlier, package, &near.entry(there, Path::new(&earlier.path)).ok()?)
        };
        found.iter().map(&mut one).collect()
    };
    let (one, other) = found.split_at(found.len() / 2);
    thread::scope(|scope| {
        let others = thread::Builder::new().spawn_scoped(scope, || look(other)).ok();
        let mut times = look(one);
        // Where no thread can be made, this one looks at all.
        let others = others.map(|others| others.join().unwrap_or_else(|panic| resume_unwind(panic)));
        times.extend(others.unwrap_or_else(|| look(other)));
        times
    })
}

/// The time of a file of the release before, in seconds since 1970, if it is what was put there. One that is no copy is PKGDIR's file as
/// well, of which the index says when it was written.
fn untouched(earlier: &Entry, package: &Package, file: &beneath::Entry) -> Option<i64> {
    let since = file.modified.duration_since(UNIX_EPOCH).ok()?;
    let time = i64::try_from(since.as_secs()).ok()?;
    let is_copy = earlier.unsigned.is_some();
    let is_it = file.kind == Kind::File
        && file.size == earlier.size
        && (is_copy || package.get("MTIME").parse() == Ok(time));
    is_it.then_some(time)
}

impl Publisher {
    /// Makes the release and switches to it.
    fn finish<S: Signer>(
        &mut self,
        mut draft: Draft,
        before: Option<&Release>,
        now: Timestamp,
        signer: Option<&S>,
        stopped: &mut dyn FnMut() -> bool,
        fill: impl FnOnce(&Path, &mut [Part], &mut dyn FnMut() -> bool) -> Result<(), Error>,
    ) -> Result<Published, Error> {
        let (id, stamp) = self.next(before, now)?;
        let directory = self.releases.directory();
        let temporary = directory.join(format!("{NEW}{id}"));
        let releases = self.releases.clone();
        let links = stage::links(&draft.parts);
        let rest = |stopped: &mut dyn FnMut() -> bool| {
            fill(&temporary, &mut draft.parts, stopped)?;
            make(&releases, &temporary, draft, before, (id, stamp), signer)
        };
        let made =
            stage::link_beside(&temporary, &links, rest, stopped).and_then(|(release, changes, trees)| {
                Ok((self.switch(&temporary, (release, changes), now)?, trees))
            });
        if made.is_err() {
            // What cannot be removed now is removed by the next who comes.
            drop(fs::remove_dir_all(&temporary));
            if self.releases.current() != Some(id) {
                drop(self.discard(id));
            }
        }
        let ((release, changes), trees) = made?;
        Ok(published(&release, true, changes, trees))
    }

    /// Gives a finished release its name and lets `current` lead to it.
    fn switch(
        &mut self,
        temporary: &Path,
        (release, changes): (Release, String),
        now: Timestamp,
    ) -> Result<(Release, String), Error> {
        let releases = &self.releases;
        let directory = releases.directory();
        let place = releases.place(release.id);
        stage::settle(temporary)?;
        sign::offer_key(releases, &release)?;
        fs::rename(temporary, &place).at(&place)?;
        if let Some(before) = releases.current() {
            link(&directory, "previous", before)?;
        }
        link(&directory, "current", release.id)?;
        // From here on it is offered, whatever happens. Whoever comes next notes the turn if that fails now.
        drop(File::open(&directory).and_then(|opened| opened.sync_all()));
        drop(self.note_turn(now));
        Ok((release, changes))
    }
}

/// Makes everything that a release consists of beside the files of its packages.
fn make<S: Signer>(
    releases: &Releases,
    directory: &Path,
    draft: Draft,
    before: Option<&Release>,
    (id, stamp): (Id, Timestamp),
    signer: Option<&S>,
) -> Result<(Release, String, Vec<String>), Error> {
    let Draft { header, parts, held, origin, again, signed, fingerprint, next, withheld } = draft;
    let offered = trees::offer(releases, directory, next, before, (id, stamp), (signed.is_some(), signer));
    let (packages, entries): (Vec<_>, Vec<_>) = parts.into_iter().map(Part::described).unzip();
    let index = stage::index(directory, Index { header, packages, unreadable: 0 }, stamp)?;
    let mut release = Release {
        schema: Release::SCHEMA,
        id,
        published: stamp,
        again,
        gbsup: crate::VERSION.to_owned(),
        origin,
        kernel: Demanding::of(&entries),
        signed,
        packages: entries,
        held,
        fixes: Vec::new(),
        index,
        trees: offered.trees,
        withheld,
    };
    let diff = Diff::new(before, &release);
    release.fixes.clone_from(&diff.fixes);
    stage::papers(directory, &release, &render::changes(&diff, &release))?;
    if let Some(fingerprint) = fingerprint {
        stage::fingerprint(directory, &fingerprint.demanding(release.kernel.as_ref()), stamp)?;
    }
    let resigned = before.is_some_and(|before| before.signed != release.signed);
    let signing = match &release.signed {
        _ if !resigned => "",
        Some(_) => "; signed by another key than before, or for the first time",
        None => "; not signed any more",
    };
    let trees = match before {
        Some(before) if before.trees != release.trees => "; another tree",
        _ => "",
    };
    Ok((release, diff.in_short() + signing + trees, offered.problems))
}

/// The kernel of this machine.
#[must_use]
pub fn running() -> Option<Kernel> {
    fs::read_to_string("/proc/sys/kernel/osrelease").ok()?.parse().ok()
}

/// A link that leads to a release, in the place of an older one.
fn link(directory: &Path, name: &str, id: Id) -> Result<(), Error> {
    let (temporary, path) = (directory.join(format!("{LINK}{name}")), directory.join(name));
    drop(fs::remove_file(&temporary));
    let linked = symlink(id.to_string(), &temporary).and_then(|()| fs::rename(&temporary, &path));
    if linked.is_err() {
        drop(fs::remove_file(&temporary));
    }
    linked.at(&path)
}
