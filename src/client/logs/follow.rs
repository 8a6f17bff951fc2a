//! `gbsup logs -f`: prints a log as it grows, and goes on with the next step's.
//!
//! Nothing is polled: inotify says when to look. It is asked before the files are looked at, so
//! nothing that happens in between is missed.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::failed;
use super::files::{copy, header, is_compressed, newest, numbers, opened, unreadable};
use super::package::is_called;
use crate::cli::Exit;
use crate::client::answer::print;
use crate::client::error::{DEADLINE, Error};
use crate::client::socket::Supervisor;
use crate::client::terminal;
use crate::model::status::{JobInfo, Mode};
use crate::model::work::STEPS;
use crate::portage::names::cpv::Cpv;
use crate::procs;
use crate::watch::Watch;

/// Follows the running step, whatever comes after it, and the cycles after that.
pub(super) fn cycles(volume: &Path, last: Option<usize>) -> Result<Exit, Error> {
    terminal::end_with_the_reader();
    let cycles = volume.join(STEPS);
    let changes = Watch::new().map_err(|error| unwatchable(&error))?;
    let mut open: Option<Open> = None;
    loop {
        // Only what leads to the next log: a directory further up is of no interest any more.
        let newest_cycle = numbers(&cycles).last().map(|number| cycles.join(number.to_string()));
        let places = match newest_cycle {
            Some(cycle) => vec![cycles.clone(), cycle],
            None if cycles.is_dir() => vec![cycles.clone()],
            None => vec![volume.to_path_buf()],
        };
        let places: Vec<&Path> = places.iter().map(PathBuf::as_path).collect();
        if changes.only(&places).map_err(|error| unwatchable(&error))? {
            continue;
        }
        // The next log is looked for first: what was written before it began is printed before it.
        let next = newest(&cycles);
        if let Some(log) = &mut open {
            log.print_rest()?;
        }
        if let Some(next) = next
            && open.as_ref().is_none_or(|log| log.path != next)
        {
            let separator = if open.is_some() { "\n" } else { "" };
            print(format!("{separator}{}", header(&next)))?;
            // What comes after the first is all new.
            open = Some(Open::new(volume, &next, last.filter(|_| open.is_none()))?);
            continue;
        }
        changes.wait(None).map_err(|error| unwatchable(&error))?;
    }
}

/// How often it is asked whether a package is still in work while its log says nothing.
const ASKED: Duration = Duration::from_secs(2);

/// Follows the log of a package until its build is over.
pub(super) fn package(
    supervisor: &Supervisor,
    volume: &Path,
    path: &Path,
    name: &str,
    last: Option<usize>,
) -> Result<Exit, Error> {
    if is_compressed(path) {
        return super::files::one(volume, path, last);
    }
    terminal::end_with_the_reader();
    let mut log = Open::new(volume, path, last)?;
    let changes = Watch::new().map_err(|error| unwatchable(&error))?;
    changes.only(&[path]).map_err(|error| unwatchable(&error))?;
    loop {
        // Asked before the rest is read, so that nothing is missed that was written before it was over.
        let over = !is_in_work(supervisor, name);
        log.print_rest()?;
        if over {
            break;
        }
        changes.wait(Some(ASKED)).map_err(|error| unwatchable(&error))?;
    }
    if failed::is_of_a_failure(volume, path) {
        let _ = writeln!(io::stderr(), "gbsup: this build failed");
    }
    Ok(Exit::Done)
}

/// Whether the builder, or somebody in a shell beside it, works on a package of this name.
fn is_in_work(supervisor: &Supervisor, name: &str) -> bool {
    let status = supervisor.status(DEADLINE);
    if let Ok(status) = &status
        && !status.jobs.is_empty()
    {
        let called =
            |job: &JobInfo| Cpv::parse(job.package.as_bytes()).is_some_and(|cpv| is_called(&cpv, name));
        return status.jobs.iter().any(called);
    }
    // Of a Portage that is not the builder's nothing more is known.
    status.is_ok_and(|status| status.state != Mode::Running) && !procs::portage_pids().is_empty()
}

/// A log that was printed up to where the file stands.
struct Open {
    path: PathBuf,
    file: File,
}

impl Open {
    fn new(volume: &Path, path: &Path, last: Option<usize>) -> Result<Self, Error> {
        Ok(Self { path: path.into(), file: opened(volume, path, last)? })
    }

    fn print_rest(&mut self) -> Result<(), Error> {
        self.rewind_if_shorter().map_err(|error| unreadable(&self.path, &error))?;
        copy(&self.path, &mut self.file)
    }

    /// Portage empties the log of a package after a fetch that went well.
    fn rewind_if_shorter(&mut self) -> io::Result<()> {
        if self.file.metadata()?.len() < self.file.stream_position()? {
            self.file.seek(SeekFrom::Start(0))?;
        }
        Ok(())
    }
}

fn unwatchable(error: &io::Error) -> Error {
    Error::Failed(format!("the logs cannot be watched: {error}"))
}
