//! `gbsup logs --failed`: what failed, now or earlier. A log of a failure stays when the package is built later.

use std::path::{Path, PathBuf};

use super::files::{headed, one};
use super::{Supervisor, package};
use crate::cli::Exit;
use crate::client::answer::{sentence, tell};
use crate::client::error::{DEADLINE, Error};
use crate::client::records;
use crate::model::records::FailedRow;
use crate::model::status::Status;
use crate::portage::names::cpv::Cpv;
use crate::volume::history::History;

/// The log of each failure that holds the builder, and of what still fails; when nothing does, of those in the newest cycle.
pub(super) fn all(supervisor: &Supervisor, last: Option<usize>) -> Result<Exit, Error> {
    let status = supervisor.status(DEADLINE)?;
    let failures = status.pause.as_ref().map(|pause| pause.failures.as_slice()).unwrap_or_default();
    let failures = [failures, &status.failed].concat();
    if !failures.is_empty() || !status.known.is_empty() {
        let known = status.known.iter().map(|failing| &failing.log);
        let logs = distinct(failures.iter().map(|failure| &failure.log).chain(known).flatten());
        if logs.is_empty() {
            return Err(Error::Failed("what failed left no log; see: gbsup failures".into()));
        }
        return headed(Path::new(&status.volume.path), &logs, last);
    }
    let earlier = earlier(&status);
    if earlier.is_empty() {
        return tell(sentence(&format!("no failures ({})", crate::render::line(&status))));
    }
    headed(Path::new(&status.volume.path), &earlier, last)
}

/// The newest log of a build of this package that failed.
pub(super) fn of(volume: &Path, name: &str, last: Option<usize>) -> Result<Exit, Error> {
    let failed = records::ask(volume, History::failed)?;
    let called = |row: &FailedRow| Some((Cpv::parse(row.package.as_bytes())?, row.log.clone()));
    let found: Vec<(Cpv, String)> =
        failed.iter().filter_map(called).filter(|(cpv, _)| package::is_called(cpv, name)).collect();
    package::only_one(found.iter().map(|(cpv, _)| cpv), name)?;
    match found.first() {
        Some((_, log)) => one(volume, Path::new(log), last),
        None => Err(Error::Failed(format!("no build of {name} is known to have failed"))),
    }
}

/// Whether the build that this is the log of is known to have failed.
pub(super) fn is_of_a_failure(volume: &Path, log: &Path) -> bool {
    let failed = records::ask(volume, History::failed).unwrap_or_default();
    failed.iter().any(|row| Path::new(&row.log) == log)
}

/// What failed in the newest cycle, whatever became of it. Where nothing is recorded nothing is known.
fn earlier(status: &Status) -> Vec<PathBuf> {
    let failed = records::ask(Path::new(&status.volume.path), History::failed).unwrap_or_default();
    let newest = status.cycle.as_ref().map(|cycle| cycle.id);
    distinct(failed.iter().rev().filter(|row| Some(row.cycle) == newest).map(|row| &row.log))
}

fn distinct<'a>(logs: impl Iterator<Item = &'a String>) -> Vec<PathBuf> {
    let mut distinct: Vec<PathBuf> = Vec::new();
    for log in logs.map(PathBuf::from) {
        if !distinct.contains(&log) {
            distinct.push(log);
        }
    }
    distinct
}
