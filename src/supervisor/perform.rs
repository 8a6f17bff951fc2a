//! What each step does, in a thread of its own.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::mpsc::UnboundedSender;

use crate::config::Config;
use crate::decide::classify;
use crate::host::configuration::profile;
use crate::host::console::Console;
use crate::host::places;
use crate::host::process::Handle;
use crate::model::failure::{Class, Failure, Trouble};
use crate::model::helpers::Present;
use crate::model::{Event, Exit, Force, JobId, Report, Work, work};
use crate::portage::command::{self, Host};
use crate::portage::names::cpv::Cpv;
use crate::steps::answers::Known;
use crate::steps::gauge::Limits;
use crate::steps::task::Task;
use crate::steps::{attention, audit, helpers, preflight, rebuild, sync};

/// Starts jobs and signals them.
pub(super) struct Performer {
    console: Console,
    events: UnboundedSender<Event>,
    host: Arc<Mutex<Option<Host>>>,
    known: Arc<Mutex<Known>>,
    running: Option<(JobId, Handle)>,
}

impl Performer {
    /// A performer that reports to `events`.
    pub(super) fn new(console: Console, events: UnboundedSender<Event>) -> Self {
        Self { console, events, host: Arc::default(), known: Arc::default(), running: None }
    }

    /// Begins a job, for which `helpers` compile so many files at a time. Its end is an [`Event::Ended`], whatever happens.
    pub(super) fn start(
        &mut self,
        config: &Config,
        helpers: Present,
        job_file: PathBuf,
        job: JobId,
        cycle: u64,
        work: Work,
    ) {
        let handle = Handle::default();
        self.running = Some((job, handle.clone()));
        let volume = config.volume.path.clone();
        let log = work::step_log(&volume, cycle, work.step());
        let mut task = Task {
            config: config.clone(),
            console: self.console.clone(),
            events: self.events.clone(),
            host: Arc::clone(&self.host),
            known: Arc::clone(&self.known),
            handle,
            job,
            cycle,
            step: work.step(),
            job_file: Some(job_file),
            volume,
            log,
            directories: None,
            estimated: None,
            ahead: None,
        };
        let events = self.events.clone();
        let limits = Limits::begin();
        let spawned = thread::Builder::new().name(work.step().to_string()).spawn(move || {
            let report = task.perform(&work, &helpers);
            drop(task.events.send(Event::Ended { job, report }));
        });
        if let Err(problem) = spawned {
            let mut failure = Failure::new(Class::Internal, format!("no thread could be started: {problem}"));
            classify::refused(&mut failure, &limits.finish());
            failure.class = Class::TooManyProcesses;
            drop(events.send(Event::Ended { job, report: Report::Failed(Box::new(failure)) }));
        }
    }

    /// What was found out about Portage's settings may not be so any more.
    pub(super) fn forget_settings(&self) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Known::default();
    }

    /// The process that leads the job that was begun last, while one of its commands runs.
    pub(super) fn leads(&self) -> Option<i32> {
        self.running.as_ref()?.1.leader()
    }

    /// The process that leads a job, while one of its commands runs.
    pub(super) fn leader(&self, job: JobId) -> Option<i32> {
        self.running.as_ref().filter(|(running, _)| *running == job)?.1.leader()
    }

    /// Signals a job's process group, if it still runs.
    pub(super) fn signal(&self, job: JobId, force: Force) {
        if let Some((running, handle)) = &self.running
            && *running == job
        {
            handle.signal(force);
        }
    }
}

impl Task {
    fn perform(&mut self, work: &Work, present: &Present) -> Report {
        let limits = Limits::begin();
        let report = helpers::prepare(self, present).and_then(|()| self.carry_out(work));
        self.settle();
        report.unwrap_or_else(|mut failure| {
            classify::refused(&mut failure, &limits.finish());
            Report::Failed(failure)
        })
    }

    fn carry_out(&mut self, work: &Work) -> Result<Report, Trouble> {
        match work {
            Work::Preflight { failed } => preflight::run(self, failed),
            Work::Sync { only } => sync::run(self, only),
            Work::SelfUpdate => self.self_update(),
            Work::Plan { exclude, skips } => self.plan(exclude, skips),
            Work::Build { exclude, merge_again } => self.build(exclude, merge_again),
            Work::Circle { text, within, exclude, .. } => self.circle(text, within.as_ref(), exclude),
            Work::Untangle { solution, exclude, .. } => self.untangle(solution, exclude),
            Work::Again { packages, change, exclude } => self.again(packages, *change, exclude),
            Work::Rest { targets, exclude, failed } => self.rest(targets, exclude, failed),
            Work::Publish { stale } => self.publish(stale),
            Work::Prune { .. } => Ok(Report::Pruned(self.prune())),
            Work::Rebuild { merged, exclude } => rebuild::run(self, merged, exclude),
            Work::Audit { rebuild, tried, failing, exclude } => {
                audit::run(self, rebuild, tried, failing, exclude)
            }
        }
    }

    fn self_update(&mut self) -> Result<Report, Trouble> {
        let settings = self.settings()?;
        profile::check(&settings)?;
        attention::look(self, &settings);
        let installed = self.portage_installed()?;
        let available = self.portage_available()?;
        let named = |cpv: &Option<Cpv>| cpv.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        self.note(&format!("installed: {}; offered: {}", named(&installed), named(&available)))?;
        if !command::self_update_due(installed.as_ref(), available.as_ref()) {
            return Ok(Report::Nothing);
        }
        let options = self.options(&[]);
        let host = self.host()?;
        let report = self.run(&command::self_update(&host, &options)).map(|ran| Report::Ran(Box::new(ran)));
        // Another Portage may be able to do other things, and has other defaults.
        self.forget_host();
        self.forget_settings();
        report
    }

    fn build(&mut self, exclude: &[String], merge_again: &[String]) -> Result<Report, Trouble> {
        let options = self.options(exclude);
        self.tell_estimates(&options);
        let host = self.host()?;
        let mut before = None;
        // A person may have removed it.
        let is_installed = |package: &Cpv| Path::new(places::INSTALLED).join(package.as_str()).is_dir();
        let again = merge_again.iter().filter_map(|cpv| Cpv::parse(cpv.as_bytes()));
        for package in again.filter(is_installed) {
            let ran = self.run(&command::remerge(&package, &host, &options))?;
            if ran.exit != Exit::Code(0) {
                // Only a package that fails by itself leaves the others to be built.
                if !ran.failed_by_package() {
                    return Ok(Report::Ran(Box::new(ran)));
                }
                before = Some(ran.after(before));
            }
        }
        let ran = self.run(&command::build(&host, &options))?;
        Ok(Report::Ran(Box::new(ran.after(before))))
    }
}
