//! Performs: one thread selects an event, lets [`core`](crate::core) decide, and performs what
//! comes back. Nobody else holds the state.
//!
//! What takes long (a job, a client) runs beside the loop and reports to it as an event. Children
//! each have a session of their own and write to our pipes; see `process`.

mod announce;
mod attention;
mod audit;
mod binpkgs;
mod cgroup;
mod clones;
mod configuration;
pub mod console;
pub(crate) mod delivery;
mod engine;
mod facts;
mod flags;
mod gauge;
pub mod history;
mod inputs;
pub(crate) mod installed;
mod keeping;
mod live;
mod locks;
pub(crate) mod logging;
mod perform;
mod places;
mod planning;
mod preflight;
mod process;
pub mod prune;
mod publish;
mod pulse;
mod quarantine;
mod rebuild;
pub mod rehearse;
mod remedies;
mod repair;
mod serving;
mod signals;
pub mod socket;
mod step_logs;
pub mod store;
mod syncing;
mod task;
mod temporary_use;
mod trial;
mod unusable;

use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::children;
use crate::config::{self, Config};
use crate::core::request::{Reply, Request};
use crate::core::state::State;
use crate::core::status::Mode;
use crate::core::step::{step, until_wake};
use crate::core::{Action, Asker, Event, Now, Report, view};
use crate::procs;
use crate::render::{self, Look};
use crate::volume;

pub(crate) use process::ask_here;
pub(crate) use publish::known_facts;
pub(crate) use task::options as build_options;

use announce::announce;
use console::Console;
use delivery::Parcel;
use flags::Flags;
use history::History;
use perform::Performer;
use serving::Serving;
use signals::{Meaning, Signals};
use socket::Asked;
use store::Store;

/// How long the last lines may take to leave.
const LAST_WORDS: Duration = Duration::from_millis(300);

/// Runs the supervisor until it is told to leave; returns the exit code.
#[must_use]
pub fn run() -> u8 {
    procs::Role::Supervisor.show();
    let config = match config::load() {
        Ok(config) => config,
        Err(problems) => {
            use std::io::Write;
            drop(write!(io::stderr(), "gbsup: the configuration cannot be used:\n{problems}"));
            return 2;
        }
    };
    let console = match Console::start(io::stdout()) {
        Ok(console) => console,
        Err(problem) => return give_up("standard output cannot be used", &problem),
    };
    let lines = console.clone();
    logging::start(config.log, move || lines.clone());
    engine::bound_open_files();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(problem) => return give_up("the event loop cannot be made", &problem),
    };
    let code = runtime.block_on(async {
        match Supervisor::new(config, console.clone()) {
            Ok((supervisor, inputs)) => supervisor.run(inputs).await,
            // Trying again would not help, and neither would a person inside: it is the container that has to be another one.
            Err(problem) => match engine::look(None) {
                Some(failure) => {
                    error!("the builder cannot start: {}", failure.message);
                    2
                }
                None => {
                    error!("the supervisor cannot start: {problem}");
                    1
                }
            },
        }
    });
    console.flush(LAST_WORDS);
    code
}

fn give_up(what: &str, problem: &io::Error) -> u8 {
    use std::io::Write;
    drop(writeln!(io::stderr(), "gbsup: {what}: {problem}"));
    1
}

/// What the loop selects from.
struct Inputs {
    events: UnboundedReceiver<Event>,
    requests: UnboundedReceiver<Asked>,
    flags: UnboundedReceiver<()>,
    signals: Signals,
    server: JoinHandle<()>,
}

/// The loop's own belongings.
struct Supervisor {
    state: State,
    began: Instant,
    console: Console,
    performer: Performer,
    serving: Serving,
    events: UnboundedSender<Event>,
    flag_changes: UnboundedSender<()>,
    changed: watch::Sender<()>,
    store: Option<Store>,
    history: Option<History>,
    flags: Option<Flags>,
    replies: HashMap<u64, oneshot::Sender<Reply>>,
    requests: u64,
    said: Option<(Mode, String, Option<u64>)>,
    boot: bool,
}

impl Supervisor {
    fn new(config: Config, console: Console) -> io::Result<(Self, Inputs)> {
        let (events, events_in) = mpsc::unbounded_channel();
        let (requests, requests_in) = mpsc::unbounded_channel();
        let (flag_changes, flags_in) = mpsc::unbounded_channel();
        let (changed, watching) = watch::channel(());
        let listener = socket::bind(&socket::path())?;
        let server = tokio::spawn(socket::serve(listener, requests, watching));
        let began = Instant::now();
        let now = Now { mono: Duration::ZERO, wall: Timestamp::now() };
        let restarts = std::env::var(children::RESTARTS).ok().and_then(|n| n.parse::<u32>().ok());
        let supervisor = Self {
            state: State::new(config, now),
            began,
            serving: Serving::new(console.clone(), events.clone()),
            performer: Performer::new(console.clone(), events.clone()),
            console,
            events,
            flag_changes,
            changed,
            store: None,
            history: None,
            flags: None,
            replies: HashMap::new(),
            requests: 0,
            said: None,
            boot: restarts.unwrap_or(0) == 0,
        };
        let inputs = Inputs {
            events: events_in,
            requests: requests_in,
            flags: flags_in,
            signals: Signals::new()?,
            server,
        };
        Ok((supervisor, inputs))
    }

    fn now(&self) -> Now {
        Now { mono: self.began.elapsed(), wall: Timestamp::now() }
    }

    async fn run(mut self, mut inputs: Inputs) -> u8 {
        info!("gbsup {} begins, volume {}", crate::VERSION, self.state.live.space.path);
        self.tell_secrets(&self.state.live.config);
        self.claim();
        loop {
            let Some(event) = self.select(&mut inputs).await else { continue };
            if let Some(code) = self.take(event) {
                self.leave(inputs).await;
                return code;
            }
            self.publish();
        }
    }

    /// Lets the answers that are on their way reach their clients; nobody is answered after that.
    async fn leave(self, inputs: Inputs) {
        drop(std::fs::remove_file(socket::path()));
        inputs.server.abort();
        drop(inputs);
        drop(self.replies);
        drop(tokio::time::timeout(LAST_WORDS, self.changed.closed()).await);
    }

    /// Lets the core decide and performs what it says. Something: the process is to end.
    fn take(&mut self, event: Event) -> Option<u8> {
        let (state, actions) = step(self.state.clone(), event, self.now());
        self.state = state;
        actions.into_iter().find_map(|action| self.perform(action))
    }

    // --- Select ---------------------------------------------------------------------------------

    /// Waits for the next event. Nothing: what came was answered on the spot.
    async fn select(&mut self, inputs: &mut Inputs) -> Option<Event> {
        let wake = until_wake(&self.state, self.now());
        tokio::select! {
            Some(event) = inputs.events.recv() => Some(event),
            Some(asked) = inputs.requests.recv() => self.asked(asked).await,
            Some(()) = inputs.flags.recv() => {
                while inputs.flags.try_recv().is_ok() {}
                self.look_at_flags();
                None
            }
            meaning = inputs.signals.next() => self.meant(meaning).await,
            () = tokio::time::sleep(wake.unwrap_or_default()), if wake.is_some() => Some(Event::Timer),
        }
    }

    async fn asked(&mut self, asked: Asked) -> Option<Event> {
        if matches!(asked.request, Request::Status | Request::Watch) {
            self.refresh().await;
            let status = Box::new(view::status(&self.state, self.now()));
            drop(asked.reply.send(Reply::Status { status }));
            return None;
        }
        self.requests += 1;
        self.replies.insert(self.requests, asked.reply);
        Some(Event::Asked { by: Asker::Client(self.requests), request: asked.request })
    }

    async fn meant(&mut self, meaning: Meaning) -> Option<Event> {
        let ask = |request| Some(Event::Asked { by: Asker::Signal, request });
        match meaning {
            Meaning::Leave => Some(Event::Terminate),
            Meaning::Sync => ask(Request::Sync),
            Meaning::Resume => ask(Request::Resume { skip: Vec::new() }),
            Meaning::Reload => {
                let loaded = config::load();
                if let Ok(config) = &loaded {
                    self.tell_secrets(config);
                }
                Some(Event::Reloaded(loaded.map(Box::new).map_err(|problems| problems.to_string())))
            }
            Meaning::Dump => {
                self.refresh().await;
                let status = view::status(&self.state, self.now());
                info!("status:\n{}", render::page(&status, Look::PLAIN));
                None
            }
        }
    }

    /// What changes without telling, brought up to date for somebody who looks. It moves nothing.
    async fn refresh(&mut self) {
        let space = volume::look(&self.state.live.config.volume.path);
        self.take(Event::Volume(space));
        if let Some(event) = self.offered() {
            self.take(event);
        }
        let lost = self.console.lost();
        if lost > 0 {
            let text = format!(
                "{lost} lines of standard output were dropped because nobody read them; the log files have them"
            );
            self.take(Event::Warning { key: "stdout", text: Some(text) });
        }
        if let Some(job) = self.state.live.job.as_ref().filter(|job| !job.packages.is_empty()) {
            let jobs = live::jobs(job).await;
            self.take(Event::Live(jobs));
        }
        if self.state.live.warnings.contains_key(repair::OTHER_PORTAGE) && procs::portage_pids().is_empty() {
            self.take(Event::Warning { key: repair::OTHER_PORTAGE, text: None });
        }
        if self.state.live.job.is_some() {
            let text = self.performer.waits_for();
            self.take(Event::Warning { key: view::LOCKED, text });
        }
    }

    fn send(&self, event: Event) {
        // The loop holds the receiver, so this cannot fail while it matters.
        drop(self.events.send(event));
    }

    fn look_at_flags(&mut self) {
        let Some(flags) = &self.flags else { return };
        match flags.look() {
            Ok(found) => {
                for name in &found.unknown {
                    warn!("the flag file control/{name} means nothing; resume, sync, stop and pause do");
                }
                if found.hold != self.state.live.hold {
                    self.send(Event::Hold(found.hold));
                }
                for request in found.requests {
                    self.send(Event::Asked { by: Asker::Flag, request });
                }
                let text = (!found.stuck.is_empty()).then(|| found.stuck.join("; "));
                self.send(Event::Warning { key: "flags", text });
            }
            Err(problem) => {
                let text = Some(format!("the flag files cannot be read: {problem}"));
                self.send(Event::Warning { key: "flags", text });
            }
        }
    }

    // --- Perform --------------------------------------------------------------------------------

    fn perform(&mut self, action: Action) -> Option<u8> {
        match action {
            Action::Persist => self.persist(),
            Action::PersistPlan => self.persist_plan(),
            Action::Claim => self.claim(),
            Action::Start { job, cycle, work } => {
                if let Some(flags) = &mut self.flags {
                    drop(flags.renew());
                }
                self.look_at_flags();
                if let Err(failure) = self.keep_volume() {
                    self.send(Event::Ended { job, report: Report::Failed(failure) });
                    return None;
                }
                self.performer.start(&self.state.live.config, self.store.as_ref(), job, cycle, work);
            }
            Action::Signal { job, force } => self.performer.signal(job, force),
            Action::Look { job } => self.look(job),
            Action::Examine { job } => self.examine(job),
            Action::Answer { to, reply } => self.answer(to, reply),
            Action::Record(record) => self.record(&record),
            Action::Notify { way, note } => {
                let status = Box::new(view::status(&self.state, self.now()));
                self.deliver(Parcel::Message(way, note, Some(status)));
            }
            Action::Serve(http) => self.serving.start(&self.state.live.config, &http),
            Action::StopServing => self.serving.stop(),
            Action::Beat => self.deliver(Parcel::Beat),
            Action::Say(text) => info!("{text}"),
            Action::Exit(code) => {
                info!("stopped; the next start goes on from here");
                return Some(code);
            }
        }
        None
    }

    fn deliver(&self, parcel: Parcel) {
        delivery::begin(self.state.live.config.notify.clone(), parcel, self.events.clone());
    }

    fn answer(&mut self, to: Asker, reply: Reply) {
        match to {
            Asker::Client(number) => {
                if let Some(client) = self.replies.remove(&number) {
                    // The client may have gone; what it asked for is done all the same.
                    drop(client.send(reply));
                }
            }
            Asker::Signal | Asker::Flag => {
                let by = if to == Asker::Signal { "signal" } else { "flag file" };
                match reply {
                    Reply::Accepted { message } | Reply::Already { message } => info!("{by}: {message}"),
                    Reply::Denied { message } | Reply::Invalid { message } => warn!("{by}: {message}"),
                    Reply::Status { .. } => {}
                }
            }
        }
    }

    /// Tells watchers, and the log when the headline is about something else than before.
    fn publish(&mut self) {
        self.changed.send_replace(());
        let status = view::status(&self.state, self.now());
        if status.state == Mode::Paused {
            // Whatever is repaired now may be what settings are made of.
            self.performer.forget_settings();
        }
        let about = (status.state, status.step.clone(), status.cycle.as_ref().map(|cycle| cycle.id));
        if self.said.as_ref() != Some(&about) {
            self.said = Some(about);
            announce(&status);
        }
    }
}
