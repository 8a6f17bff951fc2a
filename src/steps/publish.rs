//! The publish step: what the audit found good becomes a release.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::task::{Task, repositories};
use crate::binhost::origin::{known_facts, save_facts};
use crate::binhost::release::{self, Error, Facts, Releases};
use crate::binhost::{gpg, offer, signing};
use crate::config::Publisher;
use crate::decide::trees::may_be_offered;
use crate::decide::view::UNPUBLISHED;
use crate::host::{inputs, places};
use crate::model::estimates::Estimates;
use crate::model::failure::{Class, Failure, Trouble};
use crate::model::offer::{Offer, Offered};
use crate::model::rebuilds::Stale;
use crate::model::release::{Current, Id, Origin, Snapshot};
use crate::model::{Event, Exit, Report};
use crate::portage::command;
use crate::portage::files::gpkg::sign::Unsigned;
use crate::portage::files::repository::Repository;
use crate::portage::names::cpv::Cpv;
use crate::portage::output::glsa;
use crate::volume::{emerge_log, pkgdir, replace};

/// The warning that a repository could not be taken to where clients get it.
const TREES: &str = "repositories";

impl Task {
    /// Offers clients what the audit found good.
    pub(crate) fn publish(&mut self, stale: &[Stale]) -> Result<Report, Trouble> {
        let volume = self.volume.clone();
        let pkgdir = pkgdir(&volume);
        if !pkgdir.join("Packages").exists() {
            return Ok(Report::Nothing);
        }
        let offer = offer::read(&volume).map_err(|problem| unreadable(&volume.join(offer::FILE), problem))?;
        let Some(offer) = offer else { return Ok(Report::Nothing) };
        if offer.packages.is_empty() {
            return Ok(Report::Nothing);
        }
        let now = Timestamp::now();
        if self.config.publish.by == Publisher::Separate {
            let waits = waits(&volume);
            self.facts(stale, &offer, waits.is_some())?;
            self.warn(UNPUBLISHED, waits);
            return Ok(Report::Nothing);
        }
        let (signatory, warning) = signing::open(&self.config, now).map_err(|error| no_key(&error))?;
        self.warn("signing", warning);
        let signatory = signatory.as_ref();
        remind(&volume);
        let signed = signatory.map(|signatory| signatory.fingerprint.as_str());
        let is_new = !Releases::on(&volume).offers(&offer, signed);
        let facts = self.facts(stale, &offer, is_new)?;
        let stopped = || self.handle.stopped();
        let published = release::publish(&volume, &pkgdir, &offer, &facts, signatory, now, stopped);
        note(&volume);
        published.map(|published| Report::Published(Box::new(published))).map_err(|error| trouble(&error))
    }

    /// How the packages came to be. It stays on the volume for a publisher elsewhere. What takes long to gather is gathered only
    /// for a release that is new.
    fn facts(&mut self, stale: &[Stale], offer: &Offer, is_new: bool) -> Result<Facts, Trouble> {
        let mut facts = known_facts(&self.volume);
        facts.reasons.extend(stale.iter().map(|stale| (stale.package.clone(), stale.proof.to_string())));
        facts.trees = self.snapshots()?;
        let is_new =
            is_new || facts.trees.as_ref().is_some_and(|trees| !Releases::on(&self.volume).has(trees));
        if is_new {
            facts.origin = self.origin()?;
            facts.fingerprint = self.fingerprint();
        } else {
            self.note("clients are offered all of it already")?;
        }
        let estimates = Estimates::new(&emerge_log::learn(&self.volume), 1);
        let took = |offered: &Offered| {
            Some((offered.cpv.cp().to_owned(), estimates.of(&offered.cpv, false)?.likely))
        };
        facts.seconds = offer.packages.iter().filter_map(took).collect();
        // What is not there any more needs no reason.
        let offered = offer.packages.iter().map(|offered| &offered.cpv);
        let there: BTreeSet<&Cpv> = offered.chain(offer.held.iter().map(|held| &held.cpv)).collect();
        facts.reasons.retain(|cpv, _| there.contains(cpv));
        save_facts(&self.volume, &facts);
        Ok(facts)
    }

    /// What the packages were built with.
    fn origin(&mut self) -> Result<Origin, Trouble> {
        let version = self.portage_version()?;
        let version = String::from_utf8_lossy(&version).split_whitespace().last().map(str::to_owned);
        let open = if places::found("glsa-check") {
            let (exit, text) = self.capture(&command::advisories())?;
            (exit == Exit::Code(0)).then(|| glsa::affected(&text)).flatten()
        } else {
            None
        };
        Ok(Origin {
            cycle: Some(self.cycle),
            portage: version,
            configuration: Some(inputs::configuration()),
            open,
            ..Origin::default()
        })
    }
}

impl Task {
    /// Takes the files of every ebuild repository that may be handed on to where a release can offer them.
    fn snapshots(&mut self) -> Result<Option<BTreeMap<String, Snapshot>>, Trouble> {
        let wanted = self.config.publish.trees.clone();
        if wanted.is_empty() {
            self.warn(TREES, None);
            return Ok(Some(BTreeMap::new()));
        }
        let Some(repositories) = repositories(self)? else { return Ok(None) };
        let mut snapshots = BTreeMap::new();
        for repository in &repositories.all {
            let Repository { name, location, .. } = repository;
            let snapshot = match may_be_offered(repository, &wanted) {
                Err(why) => Snapshot::Withheld(why.to_owned()),
                Ok(()) => release::snapshot(&self.volume, name, location, || self.handle.stopped())
                    .map_err(|error| trouble(&error))?,
            };
            snapshots.insert(name.clone(), snapshot);
        }
        if self.handle.stopped() {
            return Err(trouble(&Error::Stopped));
        }
        let unwritten = snapshots.iter().filter_map(|(name, snapshot)| match snapshot {
            Snapshot::Unwritten(why) => {
                Some(format!("the tree of {name} is not offered as it is here: {why}"))
            }
            Snapshot::Tree(_) | Snapshot::Withheld(_) => None,
        });
        let unwritten: Vec<_> = unwritten.collect();
        self.warn(TREES, (!unwritten.is_empty()).then(|| unwritten.join("; ")));
        Ok(Some(snapshots))
    }
}

/// Where this container keeps which release it offered last: a volume that comes from a backup does not know it any more.
const OFFERED: &str = "/var/cache/gbsup/offered";

/// The release that was offered, and the time of its index.
#[derive(Serialize, Deserialize)]
struct Seen {
    id: Id,
    published: Timestamp,
}

/// Tells the volume what was offered before; where that cannot be, it is published as if nobody knew.
fn remind(volume: &Path) {
    let seen = fs::read(OFFERED).ok().and_then(|text| serde_json::from_slice::<Seen>(&text).ok());
    if let Some(Seen { id, published }) = seen {
        drop(release::was_offered(volume, id, published));
    }
}

/// Notes what is offered now.
fn note(volume: &Path) {
    if let Some(Current { id, published, .. }) = Releases::on(volume).offered() {
        drop(replace(Path::new(OFFERED), &Seen { id, published }));
    }
}

/// What clients are offered, when that is another release than the one that is known.
pub(crate) fn offered(volume: &Path, known: Option<Id>) -> Option<Event> {
    let releases = Releases::on(volume);
    (releases.current() != known).then(|| Event::Offered(releases.offered()))
}

/// That an offer waits for a publisher in another container.
pub(crate) fn waits(volume: &Path) -> Option<String> {
    let offer = offer::read(volume).ok()??;
    let releases = Releases::on(volume);
    let current = releases.current().and_then(|id| releases.read(id).ok());
    (!current.is_some_and(|current| current.is_of(&offer))).then(|| {
        let made = offer.made.strftime("%Y-%m-%d %H:%M UTC");
        format!("the offer of {made} waits for its publisher: gbsup publish --once, where the key is")
    })
}

/// Removes what a killed publisher left behind.
pub(crate) fn sweep(task: &Task) -> Result<Vec<String>, Trouble> {
    gpg::sweep();
    release::sweep(&task.volume, Timestamp::now()).map_err(|error| trouble(&error))
}

// --- Why packages were built --------------------------------------------------------------------------

/// What a person is told when there is no way to sign.
fn no_key(error: &signing::Error) -> Trouble {
    let message = format!("nothing was published, since it could not be signed: {error}");
    let (class, suggestion) = match error {
        signing::Error::Gpg(error) if error.is_full() => (Class::DiskFull, "df -h /dev/shm"),
        _ => (Class::Config, "gbsup key show"),
    };
    Box::new(Failure { suggestions: vec![suggestion.to_owned()], ..Failure::new(class, message) })
}

fn unreadable(path: &Path, source: io::Error) -> Trouble {
    trouble(&Error::Io { path: path.to_owned(), source })
}

/// What a person is told of it.
fn trouble(error: &Error) -> Trouble {
    let message = format!("nothing was published: {error}");
    let (class, suggestions) = match error {
        error if error.is_full() => {
            (Class::DiskFull, vec!["gbsup prune --dry-run".to_owned(), "df -h".to_owned()])
        }
        Error::Changed { .. } | Error::Unsigned { why: Unsigned::Damaged(_), .. } => {
            (Class::BinpkgCorrupt, vec!["gbsup verify".to_owned()])
        }
        Error::Io { source, .. } if source.kind() == io::ErrorKind::ReadOnlyFilesystem => {
            (Class::Volume, Vec::new())
        }
        Error::NoLink(path) => {
            let path = path.display();
            (Class::Volume, vec![format!("mv {path} {path}.old")])
        }
        Error::Unsigned { .. } => (Class::Internal, vec!["gbsup key show".to_owned()]),
        Error::Stopped => (Class::Interrupted, Vec::new()),
        _ => (Class::Internal, Vec::new()),
    };
    // Releases are on the volume, which can be pruned.
    let may_pass = class == Class::DiskFull;
    Box::new(Failure { suggestions, may_pass, ..Failure::new(class, message) })
}
