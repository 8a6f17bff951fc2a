//! One job: its commands, their logs, and the facts they leave.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::mpsc::UnboundedSender;

use super::answers::{Ahead, Known};
use super::gauge::{self, Directory, Gauge};
use crate::beneath::PORTAGE_ID;
use crate::config::{self, Config};
use crate::host::build::{ccache, options, own_features};
use crate::host::console::Console;
use crate::host::fingerprint::gather_by;
use crate::host::output::{Capture, Sink};
use crate::host::places::found;
use crate::host::process::{Handle, Launch};
use crate::host::{facts, inputs, unusable};
use crate::model::ccache::Moment;
use crate::model::estimates::Estimates;
use crate::model::failure::{Class, Failure, Trouble};
use crate::model::fingerprint::Fingerprint;
use crate::model::{Event, Exit, JobId, Ran, Step};
use crate::portage::command::probe::Capabilities;
use crate::portage::command::{self, BuildOptions, Command, Host, Inherits, Sandbox};
use crate::portage::files::repository::{self, Repositories};
use crate::portage::files::settings::Settings;
use crate::portage::output::buildlog::BuildLog;
use crate::portage::output::ccache::counters;
use crate::portage::output::scanner::{Progress, Scanner};
use crate::volume::{self, emerge_log};

/// One job.
pub(crate) struct Task {
    pub(crate) config: Config,
    pub(crate) console: Console,
    pub(crate) events: UnboundedSender<Event>,
    pub(crate) host: Arc<Mutex<Option<Host>>>,
    pub(crate) known: Arc<Mutex<Known>>,
    pub(crate) handle: Handle,
    pub(crate) job: JobId,
    pub(crate) cycle: u64,
    pub(crate) step: Step,
    pub(crate) job_file: Option<PathBuf>,
    pub(crate) volume: PathBuf,
    pub(crate) log: PathBuf,
    /// Where Portage writes to, once that was asked.
    pub(crate) directories: Option<Vec<Directory>>,
    /// For how many packages at a time the estimates were told, once they were.
    pub(crate) estimated: Option<u32>,
    /// What Portage was asked ahead, once it was.
    pub(crate) ahead: Option<Ahead>,
}

impl Task {
    /// Where the output of this step goes.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    pub(crate) fn options(&self, exclude: &[String]) -> BuildOptions {
        options(&self.config, exclude)
    }

    /// Looks up how long packages took, which the log of this very cycle may have told. While the build goes on that is
    /// done again.
    pub(crate) fn tell_estimates(&mut self, options: &BuildOptions) {
        self.estimated = Some(options.jobs);
        self.tell(estimates(&self.volume, options.jobs));
    }

    /// What this Portage and this container can do; found out once.
    pub(crate) fn host(&mut self) -> Result<Host, Trouble> {
        let known = self.host.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(host) = known {
            return Ok(host);
        }
        let host = self.probe()?;
        *self.host.lock().unwrap_or_else(PoisonError::into_inner) = Some(host.clone());
        Ok(host)
    }

    /// What was found out about Portage is not so any more.
    pub(crate) fn forget_host(&self) {
        *self.host.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn probe(&mut self) -> Result<Host, Trouble> {
        let capabilities = Capabilities::read(&self.portage_version()?);
        // `unshare` is in util-linux, so it is as good as always there; without it nothing is known.
        let sandbox = match self.capture(&command::probe_namespaces()) {
            Ok((Exit::Code(0), _)) => Sandbox::Namespaces,
            _ => Sandbox::Plain,
        };
        Ok(Host { capabilities, sandbox, features: own_features() })
    }

    /// A failure whose whole story is in the log of this step.
    pub(crate) fn logged(&self, failure: Failure) -> Trouble {
        Box::new(Failure { log: Some(self.log.display().to_string()), ..failure })
    }

    /// Where a command writes; only emerge writes to more places than its log.
    fn directories(&mut self, command: &Command) -> Result<Vec<Directory>, Trouble> {
        if command.argv.first().is_none_or(|program| program != "emerge") {
            return Ok(Vec::new());
        }
        if self.directories.is_none() {
            let settings = self.settings()?;
            self.directories = Some(gauge::directories(&settings, &self.volume));
        }
        Ok(self.directories.clone().unwrap_or_default())
    }

    /// What failed to reach the network in a phase that builds did so for want of it only where an ebuild is
    /// given any there.
    fn ask_who_may_fetch(&mut self, logs: &mut BTreeMap<String, BuildLog>) -> Result<(), Trouble> {
        for (package, log) in logs.iter_mut().filter(|(_, log)| log.signs.unreachable.is_some()) {
            let (_, text) = self.capture(&command::network_of(package))?;
            log.may_fetch = command::may_fetch(&text);
        }
        Ok(())
    }

    /// Whether what Portage builds goes where clients are offered it from.
    pub(crate) fn is_offered(&self, settings: &Settings) -> bool {
        let resolved = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        resolved(&settings.pkgdir) == resolved(&volume::pkgdir(&self.volume))
    }

    // --- Commands -------------------------------------------------------------------------------

    /// Runs a command to its end. Its output goes to the step's log and to the console, and what it
    /// tells goes to the loop.
    pub(crate) fn run(&mut self, command: &Command) -> Result<Ran, Trouble> {
        self.run_reading(command, |_| {})
    }

    /// The same, with every line also shown to `read`.
    pub(crate) fn run_reading(
        &mut self,
        command: &Command,
        read: impl FnMut(&[u8]) + Send,
    ) -> Result<Ran, Trouble> {
        let typed = command.typed();
        let directories = self.directories(command)?;
        let file = self.open_log(&typed)?;
        let mut sink = Output {
            file,
            gauge: Gauge::begin(&directories),
            json: self.config.log.format == config::Format::Json,
            console: &self.console,
            scanner: Scanner::new(),
            read,
            events: &self.events,
            job: self.job,
            step: self.step,
            renewal: self.estimated.map(|jobs| Renewal { volume: &self.volume, jobs, next: Instant::now() }),
        };
        self.count(Moment::Before);
        let ended = self.launch().run(command, &mut sink);
        self.count(Moment::After);
        let mut evidence = sink.scanner.finish();
        let (machine, moments) = sink.gauge.finish();
        if !self.volume.join("state").exists() {
            return Err(self.bereft(&typed));
        }
        let incomplete = |problem| format!("the log {} is not complete: {problem}", self.log.display());
        self.warn("log", ended.log_error.map(incomplete));
        facts::forget_missing_logs(&self.volume, &mut evidence);
        let mut logs = facts::build_logs(&self.volume, &evidence);
        self.ask_who_may_fetch(&mut logs)?;
        unusable::look_at(&mut evidence, &mut logs, || {
            self.settings().ok().map(|settings| settings.signatures)
        });
        let program = command.argv.first().map_or("", String::as_str);
        let program = program.rsplit('/').next().unwrap_or(program).to_owned();
        let log = self.log.display().to_string();
        let single_files = facts::single_files();
        let renamed = match evidence.unfound().next() {
            Some(_) => repositories(self)?.map(|all| facts::renamed(&evidence, &all)).unwrap_or_default(),
            None => BTreeMap::new(),
        };
        Ok(Ran {
            program,
            command: typed,
            log,
            exit: ended.exit,
            evidence,
            logs,
            machine,
            moments,
            single_files,
            renamed,
            toolchain: inputs::toolchain(),
        })
    }

    /// Tells what ccache has counted, in a step that builds. It is asked as who may write there: what a build planted there has
    /// no power over root.
    fn count(&self, moment: Moment) {
        if !matches!(self.step, Step::SelfUpdate | Step::Build | Step::Rebuild | Step::Audit) {
            return;
        }
        let Some(ccache) = ccache(&self.config).filter(|_| found(command::CCACHE)) else { return };
        let launch = Launch { user: Some((PORTAGE_ID, PORTAGE_ID)), ..self.launch() };
        let mut sink = Capture { file: &mut io::sink(), text: Vec::new() };
        launch.run(&command::ccache_counters(&ccache), &mut sink);
        if let Some(counters) = counters(&sink.text) {
            self.tell(Event::Ccache { job: self.job, moment, counters });
        }
    }

    /// Runs a command for its answer. Its output goes to the step's log only.
    pub(crate) fn capture(&mut self, command: &Command) -> Result<(Exit, Vec<u8>), Trouble> {
        self.capture_as(None, command)
    }

    /// The same as another user and group.
    pub(crate) fn capture_as(
        &mut self,
        user: Option<(u32, u32)>,
        command: &Command,
    ) -> Result<(Exit, Vec<u8>), Trouble> {
        let mut file = self.open_log(&command.typed())?;
        let mut sink = Capture { file: &mut file, text: Vec::new() };
        let launch = Launch { user, ..self.launch() };
        let ended = launch.run(command, &mut sink);
        match ended.exit {
            Exit::NotStarted(why) => Err(Box::new(Failure::new(Class::Internal, why))),
            exit => Ok((exit, sink.text)),
        }
    }

    /// What decides whether the packages of this machine fit another one; nothing when Portage does not tell.
    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        gather_by(&self.launch()).map(Fingerprint::of)
    }

    pub(super) fn launch(&self) -> Launch<'_> {
        let inherits = Inherits::Portage(&self.config.build.environment);
        let job_file = self.job_file.as_deref();
        Launch { job: self.job.0, job_file, ..Launch::new(&self.handle, inherits) }
    }

    /// Tells what an operator should know, or that it is over.
    pub(crate) fn warn(&self, key: &'static str, text: Option<String>) {
        self.tell(Event::Warning { key, text });
    }

    /// Tells the loop.
    pub(crate) fn tell(&self, event: Event) {
        // It outlives its jobs, but for the last moments of the process.
        drop(self.events.send(event));
    }

    /// Writes down what was found out without a command.
    pub(crate) fn note(&self, found: &str) -> Result<(), Trouble> {
        self.append_log(found).map(drop)
    }

    /// The log of the step, with the line of a command that is about to be run.
    pub(super) fn open_log(&self, typed: &str) -> Result<File, Trouble> {
        self.append_log(&format!("$ {typed}"))
    }

    fn append_log(&self, line: &str) -> Result<File, Trouble> {
        let parent = self.log.parent().unwrap_or(&self.volume);
        let opened = fs::create_dir_all(parent)
            .and_then(|()| OpenOptions::new().create(true).append(true).open(&self.log));
        let mut file = opened.map_err(|problem| {
            let class = match problem.kind() {
                io::ErrorKind::StorageFull => Class::DiskFull,
                _ => Class::Volume,
            };
            let message = format!("the log {} cannot be written: {problem}", self.log.display());
            // It is on the volume, which can be pruned.
            Box::new(Failure { may_pass: class == Class::DiskFull, ..Failure::new(class, message) })
        })?;
        drop(writeln!(file, "{} {line}", Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ")));
        Ok(file)
    }

    /// Somebody removed the files of the volume, or unmounted it, under a command; whatever that says
    /// about itself is about files that were there. The volume is taken anew before the next command.
    fn bereft(&self, command: &str) -> Trouble {
        let volume = self.volume.display();
        let message = format!("the files of the volume {volume} were removed while a command was at work");
        let evidence = vec![command.to_owned()];
        let suggestions = vec![format!("ls -la {volume}; mount | grep {volume}")];
        Box::new(Failure { evidence, suggestions, ..Failure::new(Class::Volume, message) })
    }

    /// Portage never syncs what it writes: after a power loss a finished package could be short.
    pub(crate) fn settle(&self) {
        if let Ok(volume) = File::open(&self.volume) {
            let _best_effort = nix::unistd::syncfs(&volume);
        }
    }
}

/// The output of a step's command.
struct Output<'a, R> {
    file: File,
    gauge: Gauge,
    json: bool,
    console: &'a Console,
    scanner: Scanner,
    read: R,
    events: &'a UnboundedSender<Event>,
    job: JobId,
    step: Step,
    renewal: Option<Renewal<'a>>,
}

/// What a package took that was just built is the best estimate of the next one, and in a first build the only one.
struct Renewal<'a> {
    volume: &'a Path,
    jobs: u32,
    next: Instant,
}

impl Renewal<'_> {
    /// The new estimates, as often as that costs next to nothing: a log of years takes its time.
    fn due(&mut self) -> Option<Event> {
        let begun = Instant::now();
        if begun < self.next {
            return None;
        }
        let event = estimates(self.volume, self.jobs);
        self.next = Instant::now() + begun.elapsed() * 100;
        Some(event)
    }
}

fn estimates(volume: &Path, jobs: u32) -> Event {
    Event::Estimates(Arc::new(Estimates::new(&emerge_log::learn(volume), jobs)))
}

impl<R: FnMut(&[u8]) + Send> Sink for Output<'_, R> {
    fn look(&mut self) -> Option<Duration> {
        self.gauge.look();
        Some(gauge::EVERY)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn lines(&mut self, lines: &[u8]) {
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            (self.read)(line);
            if let Some(progress) = self.scanner.line(line) {
                self.gauge.note(&progress);
                let completed = matches!(progress, Progress::Completed { .. });
                self.tell(progress);
                let renewed = self.renewal.as_mut().filter(|_| completed).and_then(Renewal::due);
                if let Some(event) = renewed {
                    drop(self.events.send(event));
                }
            }
            if self.json {
                self.console.lines(&as_json(line, self.step));
            }
        }
        if !self.json {
            self.console.lines(lines);
        }
    }
}

impl<R> Output<'_, R> {
    fn tell(&self, progress: Progress) {
        drop(self.events.send(Event::Progress { job: self.job, progress }));
    }
}

fn as_json(line: &[u8], step: Step) -> Vec<u8> {
    let text = String::from_utf8_lossy(line);
    let object = serde_json::json!({
        "timestamp": Timestamp::now(), "level": "INFO", "fields": { "message": text, "step": step }
    });
    let mut bytes = object.to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}

/// The ebuild repositories that are configured; none where Portage does not say.
pub(crate) fn repositories(task: &mut Task) -> Result<Option<Repositories>, Trouble> {
    Ok(repository::configured(&task.repos_config()?))
}
