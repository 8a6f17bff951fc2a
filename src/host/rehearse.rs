//! The plan step by itself, for whoever wants to know whether the configuration resolves before a
//! builder is told so: `gbsup plan --now`. Nothing is changed, and no volume is needed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::build::{binaries, options, own_features};
use super::configuration::{self, Ask, Checked, profile};
use super::output::{Capture, Sink};
use super::process::{Handle, Launch};
use super::{facts, places};
use crate::config::Config;
use crate::decide::{classify, remedy};
use crate::model::failure::{Class, Failure, Trouble};
use crate::model::job::Job;
use crate::model::machine::Machine;
use crate::model::{Exit, JobId, Ran, Report, Work};
use crate::portage::command::probe::Capabilities;
use crate::portage::command::{self, Command, Host, Inherits};
use crate::portage::files::repository;
use crate::portage::output::circular::{self, Circle};
use crate::portage::output::plan::{Plan, Reader};
use crate::portage::output::scanner::Scanner;

/// Where everything is that Portage says.
const LOG: &str = "/run/gbsup/plan-now.log";

/// What Portage would do.
pub(crate) struct Rehearsal {
    /// What it would merge.
    pub plan: Plan,
    /// What it would not build although it is wanted, one sentence each.
    pub passed_over: Vec<String>,
    /// What a person should know of the configuration, one sentence each.
    pub told: Vec<String>,
    /// A circular dependency that the builder would break by itself, in one sentence. There is no plan then:
    /// Portage makes none as long as it is there.
    pub circle: Option<String>,
}

/// Asks Portage what a build with this configuration would do. Fails with what stands in its way.
pub(crate) fn rehearse(config: &Config) -> Result<Rehearsal, Vec<Failure>> {
    let log = open_log().map_err(|problem| {
        vec![Failure::new(Class::Internal, format!("the log {LOG} cannot be written: {problem}"))]
    })?;
    let more = config.build.environment.clone();
    let mut rehearsing = Rehearsing { more, log, scanner: Scanner::new(), reader: Reader::new() };
    let host = rehearsing.host();
    let answer = rehearsing.ask(&command::repositories());
    let repositories = repository::configured(&answer);
    let tree_is_there =
        repositories.as_ref().is_none_or(|repositories| places::missing(repositories).is_empty());
    let logged = |failure: Trouble| vec![Failure { log: Some(LOG.to_owned()), ..*failure }];
    let Checked { settings, told, .. } =
        configuration::check(config, tree_is_there, &mut rehearsing).map_err(logged)?;
    if repositories.is_none() {
        return Err(logged(configuration::repositories::none(&answer)));
    }
    if tree_is_there {
        profile::check(&settings).map_err(logged)?;
    }
    let options = options(config, &[]);
    let command = command::plan(&host, &options);
    let ended = launch(&config.build.environment, &command, &mut rehearsing);
    let evidence = std::mem::take(&mut rehearsing.scanner).finish();
    let renamed = repositories.map(|all| facts::renamed(&evidence, &all)).unwrap_or_default();
    let ran = Ran {
        program: command.argv.first().cloned().unwrap_or_default(),
        command: command.typed(),
        log: LOG.to_owned(),
        exit: ended,
        evidence,
        logs: BTreeMap::new(),
        machine: Machine::default(),
        moments: BTreeMap::new(),
        single_files: facts::single_files(),
        renamed,
        toolchain: String::new(),
    };
    let went_well = ran.exit == Exit::Code(0);
    let reader = std::mem::take(&mut rehearsing.reader);
    if let Some(failure) = classify::not_understood(&ran, reader.unread()) {
        return Err(vec![failure]);
    }
    let plan = reader.finish(&binaries(&settings));
    let report = Report::Planned { ran: Box::new(ran), plan: plan.clone(), offered: BTreeMap::new() };
    if went_well {
        let passed_over = classify::passed_over(&report, false);
        return Ok(Rehearsal { plan, passed_over, told, circle: None });
    }
    if let Some(text) = remedy::circle(&report).filter(|_| config.remedy.circular) {
        let circle =
            remedy::ahead(&circle(&text, || rehearsing.ask(&command::circle(None, &host, &options)), &host));
        if circle.is_some() {
            return Ok(Rehearsal { plan: Plan::default(), passed_over: Vec::new(), told, circle });
        }
    }
    let work = Work::Plan { exclude: Vec::new(), skips: Vec::new() };
    Err(classify::failures(&Job::new(JobId(0), 0, work), report))
}

/// What Portage knows of a circular dependency: its report, or what its words say where it has none.
fn circle(text: &[String], report: impl FnOnce() -> Vec<u8>, host: &Host) -> Circle {
    let report = host.capabilities.circular_report.then(report);
    let told = report.and_then(|report| circular::from_json(&report));
    told.unwrap_or_else(|| circular::from_text(text.iter().map(String::as_str)))
}

fn open_log() -> io::Result<File> {
    if let Some(directory) = Path::new(LOG).parent() {
        fs::create_dir_all(directory)?;
    }
    File::create(LOG)
}

fn launch(more: &[String], command: &Command, sink: &mut dyn Sink) -> Exit {
    Launch::new(&Handle::default(), Inherits::Portage(more)).run(command, sink).exit
}

/// Takes what Portage says.
struct Rehearsing {
    /// `build.environment`
    more: Vec<String>,
    log: File,
    scanner: Scanner,
    reader: Reader,
}

impl Ask for Rehearsing {
    fn ask(&mut self, question: &Command) -> Result<Vec<u8>, Trouble> {
        Ok(Rehearsing::ask(self, question))
    }
}

impl Rehearsing {
    /// The answer to a short question; empty when there was none.
    fn ask(&mut self, command: &Command) -> Vec<u8> {
        let mut sink = Capture { file: &mut self.log, text: Vec::new() };
        launch(&self.more, command, &mut sink);
        sink.text
    }

    /// What this Portage can do. Sandboxes make no difference where nothing is built.
    fn host(&mut self) -> Host {
        let capabilities = Capabilities::read(&self.ask(&command::version()));
        Host { capabilities, features: own_features(), ..Host::default() }
    }
}

impl Sink for Rehearsing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.log.write_all(bytes)
    }

    fn lines(&mut self, lines: &[u8]) {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            self.scanner.line(line);
            self.reader.line(line);
        }
    }
}
