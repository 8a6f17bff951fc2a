//! Who may change the releases, and what is remembered of them: which names were used, and when each release was
//! offered.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{At, Error, NEW, OLD, Releases};
use crate::model::offer::Offer;
use crate::model::release::{Id, Release, Turn};
use crate::volume::kept::{self, Kept, Reading};
use crate::volume::{Locked, replace};

/// `state/releases.json`. One that is lost is made anew from what is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Ledger {
    /// The newest name that was used, whatever became of it.
    last: Option<Id>,
    /// The time of the newest index.
    stamped: Option<Timestamp>,
    /// When each release was offered, the newest last.
    turns: Vec<Turn>,
    /// The newest release that was offered while a later one than that is not any more: the releases, or all of the volume, come from a
    /// backup.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<Id>,
}

impl Ledger {
    /// The newest release that was offered, if this one is older: none is ever gone back to but by a new one.
    fn lost(&self, current: Option<Id>) -> Option<Id> {
        let current = current?;
        let newest = self.turns.iter().map(|turn| turn.id).max();
        self.lost.max(newest).filter(|newest| *newest > current)
    }
}

/// The only one who changes releases, as long as the value lives.
pub(super) struct Publisher {
    pub(super) releases: Releases,
    ledger: Ledger,
    /// What its file holds besides.
    kept: Kept,
    _lock: Locked,
}

impl Publisher {
    /// Waits until nobody else does.
    pub(super) fn new(releases: &Releases) -> Result<Self, Error> {
        Ok(Self::with(releases, releases.lock()?))
    }

    /// The same, but nothing while somebody else does.
    pub(super) fn unless_busy(releases: &Releases) -> Result<Option<Self>, Error> {
        match Locked::unless_held(lock_file(releases)?) {
            Ok(lock) => Ok(Some(Self::with(releases, lock))),
            Err((_, fs::TryLockError::WouldBlock)) => Ok(None),
            Err((_, fs::TryLockError::Error(error))) => Err(error).at(&releases.volume.join(LOCK)),
        }
    }

    fn with(releases: &Releases, lock: Locked) -> Self {
        let (mut ledger, kept) = read(releases);
        // What it does not know of is newer than it: it was lost, or a kill came before it was written.
        let entries = fs::read_dir(releases.directory()).into_iter().flatten().flatten();
        let ids = entries.filter_map(|entry| id_of(entry.file_name().to_str()?));
        ledger.last = ids.chain(ledger.last).max();
        Self { releases: releases.clone(), ledger, kept, _lock: lock }
    }

    /// The next name and the time of its index, neither of which was or will be used by another release.
    pub(super) fn next(
        &mut self,
        before: Option<&Release>,
        now: Timestamp,
    ) -> Result<(Id, Timestamp), Error> {
        // What is offered was read before, as a rule.
        let stamp = |id| match before.filter(|before| before.id == id) {
            Some(before) => Some(before.published),
            None => self.releases.stamp(id),
        };
        let current = self.releases.current().and_then(stamp);
        let least = current.max(self.ledger.stamped).map_or(i64::MIN, |stamp| stamp.as_second() + 1);
        let stamp = Timestamp::from_second(now.as_second().max(least)).unwrap_or(now);
        let id = Id::after(self.ledger.last, now);
        self.ledger.last = Some(id);
        self.ledger.stamped = Some(stamp);
        self.save()?;
        Ok((id, stamp))
    }

    /// Brings the turns up to date with what is offered.
    pub(super) fn note_turn(&mut self, now: Timestamp) -> Result<(), Error> {
        let Some(current) = self.releases.current() else { return Ok(()) };
        self.ledger.lost = self.ledger.lost(Some(current));
        let turns = &mut self.ledger.turns;
        if turns.last().is_some_and(|turn| turn.id == current && turn.until.is_none()) {
            return Ok(());
        }
        for turn in turns.iter_mut().filter(|turn| turn.until.is_none()) {
            turn.until = Some(now);
        }
        let there = self.releases.ids();
        turns.retain(|turn| there.contains(&turn.id));
        turns.push(Turn { id: current, since: now, until: None });
        self.save()
    }

    /// The release that clients were offered last, when that was a later one than they are offered now. They go by its index, and pass over
    /// every one that is older in silence.
    pub(super) fn lost(&self) -> Option<Id> {
        self.ledger.lost(self.releases.current())
    }

    /// Takes into account that a release was offered, which the volume may not know any more.
    fn remember(&mut self, id: Id, stamp: Timestamp) -> Result<(), Error> {
        let current = self.releases.current();
        if current.is_none_or(|current| id <= current) {
            return Ok(());
        }
        self.ledger.lost = self.ledger.lost.max(Some(id));
        self.ledger.last = self.ledger.last.max(Some(id));
        self.ledger.stamped = self.ledger.stamped.max(Some(stamp));
        self.save()
    }

    /// Whether a release was ever offered.
    pub(super) fn was_offered(&self, id: Id) -> bool {
        self.ledger.turns.iter().any(|turn| turn.id == id)
    }

    fn save(&mut self) -> Result<(), Error> {
        let path = self.releases.volume.join(LEDGER);
        let whole = self.kept.restore(&self.ledger).map_err(io::Error::from);
        whole.and_then(|whole| replace(&path, &whole)).at(&path)
    }
}

/// Has the next publication know that this release was offered: whoever is not on the volume says so, for the volume may come from a
/// backup.
///
/// # Errors
/// When that cannot be written down.
pub(crate) fn was_offered(volume: &Path, id: Id, stamp: Timestamp) -> Result<(), Error> {
    Publisher::new(&Releases::on(volume))?.remember(id, stamp)
}

/// When each release was offered, as far as that is known.
pub(super) fn turns(releases: &Releases) -> Vec<Turn> {
    read(releases).0.turns
}

/// What is remembered, as far as it is understood; nothing when it is lost.
fn read(releases: &Releases) -> (Ledger, Kept) {
    let text = fs::read(releases.volume.join(LEDGER)).ok();
    let reading = text.and_then(|text| kept::read(&text, |_, _| None).ok());
    reading.map(|Reading { value, kept, .. }| (value, kept)).unwrap_or_default()
}

const LOCK: &str = "state/publish.lock";
const LEDGER: &str = "state/releases.json";

impl Releases {
    /// Whether clients are offered what becomes of this offer, signed by the key of this fingerprint, or by none.
    pub(crate) fn offers(&self, offer: &Offer, signed: Option<&str>) -> bool {
        let Some(release) = self.current().and_then(|id| self.read(id).ok()) else { return false };
        release.is_of(offer)
            && release.signed.as_deref() == signed
            && read(self).0.lost(self.current()).is_none()
            && self.check(&release).is_ok()
    }

    /// Held by whoever changes releases, or what they are signed with. Waits until nobody else does.
    ///
    /// # Errors
    /// When there can be no such file.
    pub(in crate::binhost) fn lock(&self) -> Result<Locked, Error> {
        Locked::wait(lock_file(self)?).at(&self.volume.join(LOCK))
    }
}

fn lock_file(releases: &Releases) -> Result<File, Error> {
    let path = releases.volume.join(LOCK);
    let directory = releases.directory();
    fs::create_dir_all(&directory).at(&directory)?;
    let state = path.parent().unwrap_or(&releases.volume);
    let opened: io::Result<File> = fs::create_dir_all(state)
        .and_then(|()| OpenOptions::new().write(true).create(true).truncate(false).open(&path));
    opened.at(&path)
}

/// The release that a name in the directory belongs to, whatever is being done with it.
pub(super) fn id_of(name: &str) -> Option<Id> {
    let name = name.strip_prefix(NEW).or_else(|| name.strip_prefix(OLD)).unwrap_or(name);
    name.parse().ok()
}
