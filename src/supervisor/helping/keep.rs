//! A program that is kept running, and what it prints.

use std::collections::HashMap;
use std::io;
use std::sync::mpsc::Sender;
use std::time::Instant;

use super::proofs::Wish;
use super::stage::{Stage, Tries};
use super::told::{Told, believed, shown};
use super::whose;
use crate::host::output::Sink;
use crate::host::process::Launch;
use crate::icecream::log::{self, Line};
use crate::model::Exit;
use crate::model::helpers::BUILDER;
use crate::portage::command::{Command, Inherits};

/// So many files at a time that are asked for and have not come back; more are forgotten ones.
const MOST_JOBS: usize = 10_000;

/// Keeps one of them running.
///
/// What is to be proved is asked for on its standard input, where there are `wishes`.
pub(super) fn keep(
    program: &'static str,
    argv: Vec<String>,
    stage: &Stage,
    told: &Sender<Told>,
    wishes: Option<&Sender<Wish>>,
) {
    let command = Command { argv, env: Vec::new(), private: false };
    let mut tries = Tries::default();
    while let Some(turn) = stage.next() {
        let began = Instant::now();
        drop(told.send(Told::Started(program)));
        let mut said = Said { told, last: String::new(), jobs: HashMap::new() };
        let mut launch = Launch::new(&turn, Inherits::Nothing);
        if let Some(wishes) = wishes
            && let Ok((reads, writes)) = io::pipe()
        {
            launch.stdin = Some(reads.into());
            drop(wishes.send(Wish::Tell(writes)));
        }
        let ended = launch.run(&command, &mut said);
        // Whoever writes to it must not wait for ever.
        drop(launch);
        drop(turn);
        let why = match ended.exit {
            Exit::Code(_) if !said.last.is_empty() => said.last,
            Exit::Code(code) => format!("{program} ended with exit code {code}"),
            Exit::Signal(signal) => format!("signal {signal} ended {program}"),
            Exit::NotStarted(why) => why,
        };
        drop(told.send(Told::Ended(program, why)));
        tries.wait(began, stage);
    }
}

/// What one of them prints.
struct Said<'a> {
    told: &'a Sender<Told>,
    last: String,
    /// The files that are asked for, by their job, and the package of each.
    jobs: HashMap<u64, String>,
}

impl Said<'_> {
    /// Takes a line of the scheduler.
    fn job(&mut self, line: Line<'_>) {
        match line {
            Line::Asked { job, by: BUILDER, file } => {
                if self.jobs.len() >= MOST_JOBS {
                    self.jobs.clear();
                }
                self.jobs.remove(&job);
                self.jobs.extend(whose::package(file).map(|package| (job, package.to_string())));
            }
            Line::Asked { .. } => {}
            Line::Ended { job, by } => {
                let package = self.jobs.remove(&job);
                if let Some(by) = by {
                    drop(self.told.send(Told::Compiled(by.to_owned(), package)));
                }
            }
        }
    }
}

impl Sink for Said<'_> {
    fn write(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn lines(&mut self, lines: &[u8]) {
        for line in String::from_utf8_lossy(lines).lines() {
            if let Some(line) = log::read(line) {
                self.job(line);
            } else if let Ok(present) = serde_json::from_str(line) {
                drop(self.told.send(Told::Present(believed(present))));
            } else if !line.trim().is_empty() {
                self.last = shown(line.strip_prefix("gbsup: ").unwrap_or(line));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::supervisor::helping::known::Known;

    #[test]
    fn whoever_is_stopped_is_not_started_again() {
        let stage = Stage::default();
        assert!(stage.next().is_some());
        stage.stop();
        stage.wait(Duration::from_hours(1));
        assert!(stage.next().is_none());
    }

    #[test]
    fn a_relay_that_is_gone_has_no_helpers() {
        let mut known = Known::default();
        let (told, heard) = mpsc::channel();
        let mut said = Said { told: &told, last: String::new(), jobs: HashMap::new() };
        said.lines(b"{\"helpers\":[{\"name\":\"h1\",\"address\":\"10.0.0.2\",\"slots\":2}],\"lost\":null}\ngbsup: no\n");
        assert_eq!(said.last, "no");
        drop(told);
        for told in heard {
            known.take(told);
        }
        assert_eq!(known.helpers.slots(), 2);
        known.take(Told::Ended("relay", "gone".into()));
        assert_eq!(known.helpers.slots(), 0);
    }

    #[test]
    fn a_file_counts_once_it_is_compiled_and_for_the_package_that_asked() {
        let (told, heard) = mpsc::channel();
        let mut said = Said { told: &told, last: String::new(), jobs: HashMap::new() };
        said.jobs.insert(3, "a/b-1".to_owned());
        said.jobs.insert(4, "a/b-1".to_owned());
        for line in ["END 3 status=0 server=h1", "END 4 status=1 server=h1", "END 4 status=0 server=h2"] {
            said.lines(format!("[7] 2026-11-29 09:13:05: {line}\n").as_bytes());
        }
        drop(said);
        drop(told);
        let mut known = Known::default();
        for told in heard {
            known.take(told);
        }
        assert_eq!(known.helpers.files(), (2, 2));
        assert_eq!(
            known.helpers.packages,
            BTreeMap::from([("a/b-1".into(), BTreeMap::from([("h1".into(), 1)]))])
        );
    }
}
