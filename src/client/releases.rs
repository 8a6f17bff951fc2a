//! `gbsup releases`, `diff` and `rollback`: they need the volume and no supervisor. `gbsup publish` asks the
//! supervisor, or does without one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::answer::{json, print, tell};
use super::error::Error;
use super::socket::Supervisor;
use super::terminal;
use crate::binhost::origin::known_facts;
use crate::binhost::release::{self, Releases};
use crate::binhost::{offer, signing};
use crate::cli::{DiffArgs, Exit, PublishArgs, ReleasesVerb, RollbackArgs};
use crate::decide::bisect;
use crate::model::release::{Current, Diff, Id, Label, Published, Release, Shown};
use crate::model::request::Request;
use crate::portage::files::elf::Kernel;
use crate::{config, render, volume};

pub(super) fn releases(supervisor: &Supervisor, as_json: bool) -> Result<Exit, Error> {
    let releases = Releases::on(&supervisor.volume().0);
    let mut shown = shown(&releases, config::load()?.publish.client_kernel);
    shown.reverse();
    print(if as_json { json(&shown)? } else { render::releases(&shown, terminal::look()) })
}

/// Says something of a release.
pub(super) fn label(supervisor: &Supervisor, verb: &ReleasesVerb) -> Result<Exit, Error> {
    let releases = Releases::on(&supervisor.volume().0);
    let (id, label) = match verb {
        ReleasesVerb::Tag { release, tags, remove } => {
            let label = release::label(&releases, *release, |labels| {
                for tag in tags {
                    if *remove {
                        labels.labels.entry(*release).or_default().tags.remove(tag);
                    } else {
                        labels.tag(*release, tag);
                    }
                }
            })?;
            (release, label)
        }
        ReleasesVerb::Note { release, text } => {
            let text = text.join(" ");
            let note = (!text.trim().is_empty()).then(|| text.trim().to_owned());
            (
                release,
                release::label(&releases, *release, |labels| {
                    labels.labels.entry(*release).or_default().note = note;
                })?,
            )
        }
        ReleasesVerb::Keep { release, not } => {
            let keep = !not;
            (
                release,
                release::label(&releases, *release, |labels| {
                    labels.labels.entry(*release).or_default().keep = keep;
                })?,
            )
        }
    };
    let words = label.in_words();
    tell(format!(
        "{id}: {}\n",
        if words.is_empty() { "nothing is said of it".into() } else { render::clean(&words) }
    ))
}

/// Finds the release in which something broke.
pub(super) fn bisect(supervisor: &Supervisor, good: Id, bad: Id) -> Result<Exit, Error> {
    let releases = Releases::on(&supervisor.volume().0);
    for id in [good, bad] {
        if !releases.place(id).is_dir() {
            return Err(release::Error::Unknown(id).into());
        }
    }
    let Some(next) = bisect::next(&releases.ids(), good, bad) else {
        return Err(Error::Usage(format!("{good} is not older than {bad}: name the good one first")));
    };
    let diff = Diff::new(Some(&releases.read(good)?), &releases.read(bad)?);
    let url = config::load()?.http.url;
    print(render::bisect(&next, (good, bad), &diff, &url, terminal::look()))
}

pub(super) fn diff(supervisor: &Supervisor, args: &DiffArgs) -> Result<Exit, Error> {
    let releases = Releases::on(&supervisor.volume().0);
    let Some(to) = args.to.or_else(|| releases.current()) else {
        // As `gbsup releases` says it.
        let nothing = Diff::default();
        return print(if args.json { json(&nothing)? } else { render::releases(&[], terminal::look()) });
    };
    let from = match args.from.or_else(|| releases.previous()) {
        Some(id) => Some(releases.read(id)?),
        None => None,
    };
    let diff = Diff::new(from.as_ref(), &releases.read(to)?);
    print(if args.json { json(&diff)? } else { render::diff(&diff, terminal::look()) })
}

/// What `gbsup rollback --json` and `gbsup publish --once --json` say.
#[derive(Serialize)]
struct Answer {
    /// What was offered before.
    before: Option<Current>,
    /// What is offered now; nothing before the first release.
    current: Option<Current>,
    /// It was made just now.
    new: bool,
}

pub(super) fn rollback(supervisor: &Supervisor, args: &RollbackArgs) -> Result<Exit, Error> {
    let volume = supervisor.volume().0;
    let releases = Releases::on(&volume);
    let before = releases.offered();
    let config = config::load()?;
    if let Some(target) = args.to.or_else(|| releases.older()).filter(|_| !args.json) {
        for line in super::clients::beforehand(&volume, target, &config) {
            let _ = writeln!(io::stderr(), "with what release {target} offered, {}", render::clean(&line));
        }
    }
    let now = Timestamp::now();
    // Most releases need no key to be offered again, so one that cannot be used stops nothing yet.
    let signatory = signing::present(&config, now);
    let signs = signatory.as_ref().ok().and_then(Option::as_ref);
    let rolled = release::roll_back(&volume, args.to, signs, args.unsigned, now);
    let (place_of, published) = match (rolled, &signatory) {
        (Err(distrusted @ release::Error::Distrusted { .. }), Err(unusable)) => {
            return Err(Error::Failed(format!("{distrusted} (here: {unusable})")));
        }
        (rolled, _) => rolled?,
    };
    let current = published.current;
    // Whoever looks at the status sees it, and so the builder does.
    drop(supervisor.status(super::error::DEADLINE));
    if args.json {
        return print(json(&Answer { before, current: Some(current), new: true })?);
    }
    let again = current.again.unwrap_or(current.id);
    tell(format!(
        "clients are offered what release {again} offered, as release {} in place of {place_of}: {}\n\
         the next cycle that is done publishes what is new; to keep it from that: gbsup pause\n",
        current.id, published.changes
    ))
}

pub(super) fn publish(supervisor: &Supervisor, args: &PublishArgs) -> Result<Exit, Error> {
    if !args.once {
        return super::answer::asked(supervisor, &Request::Publish, args.wait);
    }
    let volume = supervisor.volume().0;
    let file = volume.join(offer::FILE);
    let missing = |what: &str| Error::Failed(format!("{}: {what}", file.display()));
    // Only programs ask for it.
    let before = if args.json { Releases::on(&volume).offered() } else { None };
    let Some(offer) = offer::read(&volume).map_err(|error| missing(&error.to_string()))? else {
        // A publisher on a timer is often there before the first cycle is done.
        if args.json {
            return print(json(&Answer { current: before.clone(), before, new: false })?);
        }
        return tell("nothing to publish yet: the builder has not finished its first audit");
    };
    let facts = known_facts(&volume);
    let now = Timestamp::now();
    let (signatory, warning) =
        signing::open(&config::load()?, now).map_err(|error| Error::Failed(error.to_string()))?;
    let pkgdir = volume::pkgdir(&volume);
    let published = release::publish(&volume, &pkgdir, &offer, &facts, signatory.as_ref(), now, || false)?;
    if let Some(warning) = warning {
        let _ = writeln!(io::stderr(), "gbsup: {warning}");
    }
    let Published { current, new, changes, .. } = published;
    if args.json {
        return print(json(&Answer { before, current: Some(current), new })?);
    }
    tell(if new {
        format!("release {} is published: {changes}\n", current.id)
    } else {
        format!("nothing to publish: release {} already offers exactly that\n", current.id)
    })
}

/// All releases, the oldest first.
fn shown(releases: &Releases, clients: Option<Kernel>) -> Vec<Shown> {
    let (current, previous, here) = (releases.current(), releases.previous(), release::running());
    let mut read: Vec<Release> = Vec::new();
    let mut shown = Vec::new();
    for id in releases.ids() {
        match releases.read(id) {
            Ok(release) => read.push(release),
            Err(error) => shown.push(Shown::unreadable(id, error.to_string())),
        }
    }
    let files: Vec<Vec<(u64, u64, u64)>> =
        read.iter().map(|one| files(&releases.place(one.id), one)).collect();
    let mut places: BTreeMap<(u64, u64), usize> = BTreeMap::new();
    for (device, inode, _) in files.iter().flatten() {
        *places.entry((*device, *inode)).or_default() += 1;
    }
    let own = |files: &[(u64, u64, u64)]| {
        let own = files.iter().filter(|(device, inode, _)| places.get(&(*device, *inode)) == Some(&1));
        own.map(|(.., size)| size).sum()
    };
    let one = |(one, files): (&Release, &Vec<(u64, u64, u64)>)| Shown {
        id: one.id,
        published: Some(one.published),
        packages: one.packages.len(),
        size: one.size(),
        own_size: own(files),
        held: one.held.len(),
        current: false,
        previous: false,
        again: one.again,
        signed: one.signed.clone(),
        too_new: one.kernel.as_ref().and_then(|demanding| demanding.too_new(clients, here)),
        label: Label::default(),
        problem: releases.check(one).err().map(|error| error.to_string()),
    };
    shown.extend(read.iter().zip(&files).map(one));
    // What cannot be read is told by whoever wants to change it.
    let labels = release::labels(releases).unwrap_or_default();
    for one in &mut shown {
        one.label = labels.of(one.id);
        (one.current, one.previous) = (current == Some(one.id), previous == Some(one.id));
    }
    shown.sort_by_key(|one| one.id);
    shown
}

/// Device, inode and size of the files of a release.
fn files(place: &Path, release: &Release) -> Vec<(u64, u64, u64)> {
    let meta = release.packages.iter().filter_map(|package| fs::metadata(place.join(&package.path)).ok());
    meta.map(|meta| (meta.dev(), meta.ino(), meta.len())).collect()
}
