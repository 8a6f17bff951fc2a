//! Performs: one thread selects an event, asks [`decide`](crate::decide) what follows, and performs what
//! comes back. Nobody else holds the state.
//!
//! Whatever may wait runs beside the loop and reports to it: a job and a client, what is written to the volume (`keeping`),
//! and what is looked at (`watching`). Children each have a session of their own and write to our pipes; see `process`.

mod announce;
mod effects;
mod helping;
mod keeping;
mod perform;
mod pulse;
mod queue;
mod rehearsing;
#[cfg(test)]
mod released_tests;
mod serving;
mod signals;
pub(crate) mod socket;
mod telling;
mod viewers;
mod watching;

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use nix::libc;
use nix::unistd::getppid;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, sleep_until};
use tracing::{error, info, warn};

use crate::config::{self, Config};
use crate::decide::step::until_wake;
use crate::decide::view;
use crate::model::request::{Reply, Request};
use crate::model::state::State;
use crate::model::status::Mode;
use crate::model::{Asker, Event, Now};
use crate::steps::gauge::Limits;
use crate::watch::{Told, Watch};
use crate::{procs, sys};

use crate::host::console::Console;
use announce::announce;
use helping::Helping;
use keeping::{Done, Keeping, Kept, Order};
use perform::Performer;
use queue::Effects;
use rehearsing::{LastRead, Rehearsing};
use serving::Serving;
use signals::{Meaning, Signals};
use socket::Asked;
use telling::Telling;
use viewers::{Eyes, Viewer, Viewers};

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
    let limits = Limits::begin();
    let console = match Console::start(io::stdout()) {
        Ok(console) => console,
        Err(problem) => return give_up("standard output cannot be used", &problem, &limits),
    };
    let lines = console.clone();
    crate::logging::start(config.log, move || lines.clone());
    crate::host::engine::bound_open_files();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(problem) => return give_up("the event loop cannot be made", &problem, &limits),
    };
    let code = runtime.block_on(async {
        match Supervisor::new(config, console.clone()) {
            Ok((supervisor, inputs)) => Box::pin(supervisor.run(inputs)).await,
            // Trying again would not help, and neither would a person inside: it is the container that has to be another one.
            Err(problem) => match crate::host::engine::look(None) {
                Some(failure) => {
                    error!("the builder cannot start: {}", failure.message);
                    2
                }
                None => {
                    error!("the supervisor cannot start: {}", cause(&problem, &limits));
                    1
                }
            },
        }
    });
    console.flush(LAST_WORDS);
    code
}

fn give_up(what: &str, problem: &io::Error, limits: &Limits) -> u8 {
    use std::io::Write;
    drop(writeln!(io::stderr(), "gbsup: {what}: {}", cause(problem, limits)));
    1
}

/// What prevents a start, and what to type where it is a limit of the container.
fn cause(problem: &io::Error, limits: &Limits) -> String {
    let refused = problem.raw_os_error() == Some(libc::EAGAIN);
    match limits.finish().too_many_processes(refused) {
        Some((why, command)) if refused => format!("{why}; try: {command}"),
        _ => problem.to_string(),
    }
}

/// What the loop selects from.
struct Inputs {
    events: UnboundedReceiver<Event>,
    requests: UnboundedReceiver<Asked>,
    flags: Told,
    done: UnboundedReceiver<Done>,
    sights: UnboundedReceiver<Vec<Event>>,
    signals: Signals,
    server: JoinHandle<()>,
}

/// What has come.
enum Came {
    /// Something happened.
    Event(Event),
    /// Something was done on the volume.
    Done(Done),
    /// A look has come to its end.
    Seen(Vec<Event>),
    /// Something on the volume takes long.
    Slow,
    /// It was dealt with on the spot.
    Nothing,
}

/// The loop's own belongings.
struct Supervisor {
    state: State,
    began: Instant,
    console: Console,
    performer: Performer,
    serving: Serving,
    helping: Helping,
    telling: Telling,
    keeping: Keeping,
    rehearsing: Rehearsing,
    last_read: LastRead,
    eyes: Eyes,
    effects: Effects,
    viewers: Viewers,
    events: UnboundedSender<Event>,
    sights: UnboundedSender<Vec<Event>>,
    changed: watch::Sender<()>,
    replies: HashMap<u64, oneshot::Sender<Reply>>,
    requests: u64,
    said: Option<(Mode, String, Option<u64>)>,
    boot: bool,
}

impl Supervisor {
    fn new(config: Config, console: Console) -> io::Result<(Self, Inputs)> {
        let (requests, requests_in) = mpsc::unbounded_channel();
        let flag_changes = Watch::new()?;
        let flags = Told::new(Arc::clone(&flag_changes))?;
        let (done, done_in) = mpsc::unbounded_channel();
        let (changed, watching) = watch::channel(());
        let listener = socket::bind(&socket::path())?;
        let server = tokio::spawn(socket::serve(listener, requests, watching));
        let keeping = Keeping::start(done, flag_changes)?;
        let (supervisor, events, sights) = Self::made(config, console, keeping, changed)?;
        let inputs = Inputs {
            events,
            requests: requests_in,
            flags,
            done: done_in,
            sights,
            signals: Signals::new()?,
            server,
        };
        Ok((supervisor, inputs))
    }

    /// A supervisor that has not begun, and where what it waits for arrives.
    fn made(
        config: Config,
        console: Console,
        keeping: Keeping,
        changed: watch::Sender<()>,
    ) -> io::Result<(Self, UnboundedReceiver<Event>, UnboundedReceiver<Vec<Event>>)> {
        let (events, events_in) = mpsc::unbounded_channel();
        let (sights, sights_in) = mpsc::unbounded_channel();
        let now = Now { mono: Duration::ZERO, wall: Timestamp::now() };
        let restarts = std::env::var(procs::RESTARTS).ok().and_then(|n| n.parse::<u32>().ok()).unwrap_or(0);
        let mut state = State::new(config, now);
        state.live.restarts = restarts;
        let supervisor = Self {
            state,
            began: Instant::now(),
            serving: Serving::new(console.clone(), events.clone()),
            helping: Helping::default(),
            telling: Telling::new(),
            performer: Performer::new(console.clone(), events.clone()),
            console,
            keeping,
            rehearsing: Rehearsing::default(),
            last_read: LastRead::default(),
            eyes: Eyes::start()?,
            effects: Effects::default(),
            viewers: Viewers::default(),
            events,
            sights,
            changed,
            replies: HashMap::new(),
            requests: 0,
            said: None,
            boot: restarts == 0,
        };
        Ok((supervisor, events_in, sights_in))
    }

    fn now(&self) -> Now {
        Now { mono: self.began.elapsed(), wall: Timestamp::now() }
    }

    async fn run(mut self, mut inputs: Inputs) -> u8 {
        info!("gbsup {} begins, volume {}", crate::VERSION, self.state.live.space.path);
        self.look_for_secrets();
        self.tell_of_the_one_before();
        self.claim();
        loop {
            let code = match self.select(&mut inputs).await {
                Came::Event(event) => self.take(event),
                Came::Done(done) => self.done(done),
                Came::Seen(sight) => match self.seen(sight) {
                    // Whoever watches asks because of a change, and must not cause one. But a client may have been found.
                    None => {
                        self.rehearsing.look(&self.state, &self.events);
                        continue;
                    }
                    code => code,
                },
                Came::Slow => {
                    self.tell_slow();
                    None
                }
                Came::Nothing => continue,
            };
            if let Some(code) = code {
                self.leave(inputs).await;
                return code;
            }
            self.rehearsing.look(&self.state, &self.events);
            self.helping.look(&self.state, &self.events);
            self.tell_changes();
        }
    }

    /// Lets the answers that are on their way reach their clients; nobody is answered after that. What is open on the volume
    /// is closed, so that whoever reads it has all of it in one file.
    async fn leave(mut self, mut inputs: Inputs) {
        drop(std::fs::remove_file(socket::path()));
        inputs.server.abort();
        // Before it notices that nothing is told any more, and says so.
        self.serving.stop();
        self.helping.stop();
        self.telling.end();
        self.keeping.give(Order::Close);
        let closed = async {
            while let Some(done) = inputs.done.recv().await {
                if matches!(done.what, Kept::Closed) {
                    return;
                }
            }
        };
        drop(tokio::time::timeout(LAST_WORDS, closed).await);
        drop(inputs);
        drop(self.replies);
        drop(tokio::time::timeout(LAST_WORDS, self.changed.closed()).await);
    }

    // --- Select ---------------------------------------------------------------------------------

    /// Waits for what comes next.
    async fn select(&mut self, inputs: &mut Inputs) -> Came {
        let wake = until_wake(&self.state, self.now());
        let late = self.viewers.due();
        let slow = self.effects.until_slow();
        let pages = self.telling.due();
        tokio::select! {
            Some(event) = inputs.events.recv() => Came::Event(event),
            Some(done) = inputs.done.recv() => Came::Done(done),
            Some(sight) = inputs.sights.recv() => Came::Seen(sight),
            Some(asked) = inputs.requests.recv() => self.asked(asked),
            Ok(()) = inputs.flags.next() => {
                self.look_at_flags();
                Came::Nothing
            }
            meaning = inputs.signals.next() => self.meant(meaning),
            () = sleep(wake.unwrap_or_default()), if wake.is_some() => Came::Event(Event::Timer),
            () = sleep_until(late.unwrap_or(self.began).into()), if late.is_some() => {
                self.show_the_late();
                Came::Nothing
            }
            () = sleep_until(pages.unwrap_or(self.began).into()), if pages.is_some() => {
                self.telling.looks();
                self.show(Viewer::Server);
                Came::Nothing
            }
            () = sleep(slow.unwrap_or_default()), if slow.is_some() => Came::Slow,
        }
    }

    fn asked(&mut self, asked: Asked) -> Came {
        if matches!(asked.request, Request::Status | Request::Watch) {
            self.show(Viewer::Client(asked.reply));
            return Came::Nothing;
        }
        self.requests += 1;
        self.replies.insert(self.requests, asked.reply);
        Came::Event(Event::Asked { by: Asker::Client(self.requests), request: asked.request })
    }

    fn meant(&mut self, meaning: Meaning) -> Came {
        let ask = |request| Came::Event(Event::Asked { by: Asker::Signal, request });
        match meaning {
            Meaning::Leave => Came::Event(Event::Terminate),
            Meaning::Sync => ask(Request::Sync),
            Meaning::Resume => ask(Request::Resume { skip: Vec::new() }),
            Meaning::Reload => {
                self.reload();
                Came::Nothing
            }
            Meaning::Dump => {
                self.show(Viewer::Log);
                Came::Nothing
            }
            Meaning::Alive => {
                // To somebody else's shell, which it may be, this does nothing.
                drop(sys::kill(getppid().as_raw(), procs::ANSWER));
                Came::Nothing
            }
            Meaning::GoOn => Came::Event(of_itself("was stopped for a while and goes on")),
        }
    }

    // --- Tell -----------------------------------------------------------------------------------

    /// Tells why there had to be another supervisor after the one before this.
    fn tell_of_the_one_before(&mut self) {
        if let Some(how) = std::env::var(procs::ENDED).ok().filter(|_| !self.boot) {
            self.take(of_itself(&format!("{how}; it was started again")));
        }
    }

    /// Tells watchers, and the log when the headline is about something else than before.
    fn tell_changes(&mut self) {
        self.changed.send_replace(());
        let status = self.status();
        if status.state == Mode::Paused {
            // Whatever is repaired now may be what settings are made of.
            self.performer.forget_settings();
        }
        let about = (status.state, status.step.clone(), status.cycle.as_ref().map(|cycle| cycle.id));
        if self.said.as_ref() != Some(&about) {
            self.said = Some(about);
            announce(&status);
        }
        self.tell(&status);
    }
}

/// What became of the supervisor, as of now: in the log and until the next cycle begins in the status.
fn of_itself(what: &str) -> Event {
    let text = format!("the supervisor {what} ({})", Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC"));
    warn!("{text}");
    Event::Warning { key: view::ENDED, text: Some(text) }
}
