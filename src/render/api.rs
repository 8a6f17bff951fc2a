//! What programs are told of cycles and packages, beside the status and the files of releases: the values of `/api/v1/`, as its OpenAPI
//! document describes them.

use jiff::Timestamp;
use serde::Serialize;

use crate::decide::catalogue::{About, Build, Spread};
use crate::model::helpers::Files;
use crate::model::records::{CycleRow, Outcome, PackageOutcome, ReleaseRow};
use crate::model::release::Id;
use crate::portage::files::index;
use crate::portage::names::cpv::Cpv;

/// The description of all of it, OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("openapi.json");

/// A cycle in the list of them.
#[derive(Debug, Serialize)]
pub struct Cycle<'a> {
    id: u64,
    started: Timestamp,
    reason: &'a str,
    ended: Option<Timestamp>,
    outcome: Option<Outcome>,
    /// Packages built from source, taken from binary packages, and failed.
    built: usize,
    binary: usize,
    failed: usize,
    releases: &'a [ReleaseRow],
}

/// The newest of these cycles.
#[must_use]
pub fn cycles<'a>(cycles: &[&'a CycleRow], limit: usize) -> Vec<Cycle<'a>> {
    let short = |cycle: &&'a CycleRow| Cycle {
        id: cycle.id,
        started: cycle.started,
        reason: &cycle.reason,
        ended: cycle.ended,
        outcome: cycle.outcome,
        built: cycle.built(),
        binary: cycle.binary(),
        failed: cycle.failed(),
        releases: &cycle.releases,
    };
    cycles.iter().take(limit).map(short).collect()
}

/// Everything that is known of a package.
#[derive(Debug, Serialize)]
pub struct Package<'a> {
    name: &'a str,
    about: &'a str,
    on_offer: Vec<Instance<'a>>,
    releases: Vec<InRelease<'a>>,
    /// The newest first.
    builds: Vec<Built<'a>>,
    /// Seconds that builds from source took; absent when none is known.
    takes: Option<Takes>,
    needed_to_run: Vec<&'a str>,
    needed_to_build: Vec<&'a str>,
}

#[derive(Debug, Serialize)]
struct Instance<'a> {
    version: &'a str,
    slot: &'a str,
    sub_slot: &'a str,
    build_id: Option<u64>,
    built: Option<Timestamp>,
    size: Option<u64>,
    r#use: Vec<&'a str>,
    repository: &'a str,
    license: &'a str,
}

#[derive(Debug, Serialize)]
struct InRelease<'a> {
    release: Id,
    versions: Vec<&'a str>,
    size: u64,
}

#[derive(Debug, Serialize)]
struct Built<'a> {
    cycle: u64,
    package: &'a str,
    ended: Timestamp,
    seconds: u64,
    outcome: PackageOutcome,
    binary: bool,
    log: Option<&'a str>,
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Files>,
}

#[derive(Debug, Serialize)]
struct Takes {
    low: u64,
    median: u64,
    high: u64,
}

impl<'a> From<&'a index::Package> for Instance<'a> {
    fn from(one: &'a index::Package) -> Self {
        let (slot, sub_slot) = one.slot();
        Self {
            version: one.cpv.version(),
            slot,
            sub_slot,
            build_id: one.build_id(),
            built: one.built().and_then(|second| Timestamp::from_second(second).ok()),
            size: one.file().size,
            r#use: one.flags().collect(),
            repository: one.get("repository"),
            license: one.get("LICENSE"),
        }
    }
}

impl<'a> From<&Build<'a>> for Built<'a> {
    fn from(build: &Build<'a>) -> Self {
        let row = build.row;
        Self {
            cycle: build.cycle,
            package: &row.package,
            ended: row.ended,
            seconds: build.seconds(),
            outcome: row.outcome,
            binary: row.binary,
            log: row.log.as_deref(),
            message: row.message.as_deref(),
            files: row.files,
        }
    }
}

/// The value for a package.
#[must_use]
pub fn package<'a>(about: &'a About<'_>) -> Package<'a> {
    let in_release = about.releases.iter().map(|(release, entries)| InRelease {
        release: release.id,
        versions: entries.iter().map(|entry| entry.cpv.version()).collect(),
        size: entries.iter().map(|entry| entry.size).sum(),
    });
    let takes = Spread::of(&about.builds).map(|Spread { low, median, high }| Takes { low, median, high });
    Package {
        name: about.name,
        about: about.offered.last().map(|one| one.get("DESC")).unwrap_or_default(),
        on_offer: about.offered.iter().map(|one| Instance::from(*one)).collect(),
        releases: in_release.collect(),
        builds: about.builds.iter().map(Built::from).collect(),
        takes,
        needed_to_run: about.needed.to_run.iter().map(Cpv::as_str).collect(),
        needed_to_build: about.needed.to_build.iter().map(Cpv::as_str).collect(),
    }
}
