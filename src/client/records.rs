//! `gbsup history`, `failures` and `health`.

use std::path::Path;

use jiff::Timestamp;
use serde::Serialize;

use super::answer::{json, print, sentence, tell};
use super::error::{DEADLINE, Error};
use super::socket::Supervisor;
use super::terminal;
use crate::cli::Exit;
use crate::model::failure::Failure;
use crate::model::records::CycleRow;
use crate::model::status::{Mode, Status, StillFailing, Why};
use crate::render;
use crate::volume::history::{History, HistoryError};

/// A cycle as `gbsup history --json` has it.
#[derive(Serialize)]
struct Cycle<'a> {
    #[serde(flatten)]
    row: &'a CycleRow,
    built: usize,
    binary: usize,
    failed: usize,
}

pub(super) fn history(supervisor: &Supervisor, as_json: bool, number: u32) -> Result<Exit, Error> {
    let cycles = cycles(&supervisor.volume().0, Some(number))?;
    if as_json {
        let shown = |row| Cycle {
            row,
            built: CycleRow::built(row),
            binary: CycleRow::binary(row),
            failed: CycleRow::failed(row),
        };
        return print(json(&cycles.iter().map(shown).collect::<Vec<_>>())?);
    }
    print(render::history(&cycles, Timestamp::now(), terminal::look()))
}

/// One of `gbsup failures --json`: what still fails has `since`.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown<'a> {
    Failure(&'a Failure),
    Known(&'a StillFailing),
}

/// The newest cycles, the newest first; absent: all of them.
pub(super) fn cycles(volume: &Path, number: Option<u32>) -> Result<Vec<CycleRow>, Error> {
    ask(volume, |history| history.cycles(number))
}

/// Asks the history, which has to be there.
pub(super) fn ask<T>(
    volume: &Path,
    question: impl FnOnce(&History) -> Result<T, HistoryError>,
) -> Result<T, Error> {
    match History::read(&volume.join("state/history.db")).and_then(|history| question(&history)) {
        Err(HistoryError::Missing(path)) => {
            Err(Error::Failed(format!("nothing is recorded yet: {} is not there", path.display())))
        }
        other => other.map_err(|error| Error::Failed(error.to_string())),
    }
}

pub(super) fn failures(supervisor: &Supervisor, as_json: bool) -> Result<Exit, Error> {
    let status = supervisor.status(DEADLINE)?;
    let failures = status.pause.as_ref().map(|pause| pause.failures.as_slice()).unwrap_or_default();
    // While a build runs, what failed of it so far.
    let failures = [failures, &status.failed].concat();
    if as_json {
        let known = status.known.iter().map(Shown::Known);
        return print(json(&failures.iter().map(Shown::Failure).chain(known).collect::<Vec<_>>())?);
    }
    if !failures.is_empty() || !status.known.is_empty() {
        return print(render::failures(&failures, &status.known, terminal::look()));
    }
    tell(sentence(&format!("no failures ({})", render::line(&status))))
}

/// What `gbsup health --json` says.
#[derive(Serialize)]
struct Health {
    healthy: bool,
    state: Mode,
    headline: String,
}

pub(super) fn health(supervisor: &Supervisor, as_json: bool, live: bool) -> Result<Exit, Error> {
    let status = supervisor.status(DEADLINE)?;
    let healthy = live || is_healthy(&status);
    let headline = render::line(&status);
    if as_json {
        print(json(&Health { healthy, state: status.state, headline })?)?;
    } else {
        tell(format!("{headline}\n"))?;
    }
    Ok(if healthy { Exit::Done } else { Exit::Findings })
}

/// Whether the builder gets on without a person it has not got.
fn is_healthy(status: &Status) -> bool {
    match status.state {
        Mode::Degraded => false,
        Mode::Paused => status.pause.as_ref().is_some_and(|pause| pause.why == Why::Operator),
        Mode::Starting | Mode::Running | Mode::Waiting | Mode::Stopping => true,
    }
}
