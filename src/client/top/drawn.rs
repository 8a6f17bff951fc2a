//! The process that draws: one loop over what comes.

use std::io::{self, BufWriter, Stdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use std::{panic, process};

use nix::sys::prctl::{set_name, set_pdeathsig};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgrp, getppid};
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::Event;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

use super::desk::{Act, Desk, Source};
use super::feed::{self, Came};
use super::tail::{News, Tail};
use super::tty::Tty;
use crate::cli::Exit;
use crate::client::error::{DEADLINE, Error};
use crate::client::socket::Supervisor;
use crate::client::status::aged;
use crate::client::terminal::{look, size};
use crate::model::duration::in_words;
use crate::model::records::CycleRow;
use crate::model::status::{Mode, Status};
use crate::model::told::Left;
use crate::procs::Process;
use crate::render::Look;
use crate::render::top::{Foot, Log, View, areas, top};

/// How often the screen is looked at while something counts seconds, and while nothing does.
const TICK: Duration = Duration::from_secs(1);
const REST: Duration = Duration::from_secs(20);

/// Draws until somebody leaves.
pub(super) fn run(supervisor: &Supervisor, parent: i32) -> Result<Exit, Error> {
    let failed = |error: io::Error| Error::Failed(format!("the terminal cannot be drawn on: {error}"));
    // It was started by the name that every file has of its own process.
    let _ = set_name(c"gbsup");
    // Without whoever keeps it nobody would put the terminal back.
    set_pdeathsig(Signal::SIGTERM).map_err(|error| failed(error.into()))?;
    let (to, coming) = channel();
    feed::signals(to.clone()).map_err(failed)?;
    if getppid().as_raw() != parent {
        return Err(Error::Usage("this is what gbsup top starts, and has no use as a command".into()));
    }
    let status = supervisor.status(DEADLINE)?;
    let watch = supervisor.watch()?;
    let tty = Tty::new().map_err(failed)?;
    let hook = panic::take_hook();
    let panicked = tty.clone();
    panic::set_hook(Box::new(move |info| {
        let _gone = panicked.leave();
        hook(info);
        process::exit(Exit::Failed as i32);
    }));
    tty.enter().map_err(failed)?;
    let ended = (|| {
        feed::keys(to.clone())?;
        feed::status(Supervisor::here(), watch, to.clone())?;
        let log = to.clone();
        let tail = Tail::start(move |news| log.send(Came::Log(news)).ok())?;
        Drawn::new(status, tail, to, tty.clone())?.run(&coming)
    })();
    tty.leave().and(ended).map(|()| Exit::Done).or_else(|error| match error.raw_os_error() {
        // Nobody is there to be told.
        Some(nix::libc::EIO) => Ok(Exit::Done),
        _ => Err(failed(error)),
    })
}

/// What is known, and the terminal.
struct Drawn {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    area: Rect,
    tty: Tty,
    look: Look,
    desk: Desk,
    status: Status,
    heard: Instant,
    /// Why the builder is not heard.
    lost: Option<String>,
    left: Vec<Left>,
    cycles: Vec<CycleRow>,
    log: Log,
    source: Option<Source>,
    tail: Tail,
    to: Sender<Came>,
    /// The process is about to be stopped, and the terminal is not its own.
    away: bool,
}

/// Whether to go on.
#[derive(PartialEq)]
enum Then {
    GoOn,
    Leave,
}

impl Drawn {
    fn new(status: Status, tail: Tail, to: Sender<Came>, tty: Tty) -> io::Result<Self> {
        let area = area();
        let backend = CrosstermBackend::new(BufWriter::with_capacity(1 << 16, io::stdout()));
        let terminal = Terminal::with_options(backend, TerminalOptions { viewport: Viewport::Fixed(area) })?;
        Ok(Self {
            terminal,
            area,
            tty,
            look: look(),
            desk: Desk::default(),
            status,
            heard: Instant::now(),
            lost: None,
            left: Vec::new(),
            cycles: Vec::new(),
            log: Log::default(),
            source: None,
            tail,
            to,
            away: false,
        })
    }

    fn run(&mut self, coming: &Receiver<Came>) -> io::Result<()> {
        loop {
            if !self.away {
                self.draw()?;
            }
            let works = matches!(self.status.state, Mode::Starting | Mode::Running | Mode::Stopping);
            let wait = if works || self.lost.is_some() { TICK } else { REST };
            let mut next = match coming.recv_timeout(wait) {
                Ok(came) => Some(came),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            // Whatever came at once is drawn at once.
            while let Some(came) = next {
                if self.take(came)? == Then::Leave {
                    return Ok(());
                }
                next = coming.try_recv().ok();
            }
        }
    }

    fn take(&mut self, came: Came) -> io::Result<Then> {
        match came {
            Came::End => return Ok(Then::Leave),
            Came::Status(status) => {
                (self.status, self.heard, self.lost) = (*status, Instant::now(), None);
            }
            Came::Lost(why) => self.lost = Some(why),
            Came::Left(left) => self.left = left,
            Came::Cycles(cycles) => self.cycles = cycles,
            Came::Log(news) => self.read(news),
            Came::Answer(answer) => self.desk.answered(answer),
            Came::Continues => self.come_back()?,
            Came::Typed(event) => return self.typed(&event),
        }
        Ok(Then::GoOn)
    }

    fn typed(&mut self, event: &Event) -> io::Result<Then> {
        match event {
            Event::Key(key) => {
                let status = self.shown();
                let lost = self.lost_since();
                let (place, foot) = (self.desk.place, self.desk.foot.clone());
                let view = View {
                    status: &status,
                    lost: lost.as_deref(),
                    left: &self.left,
                    cycles: &self.cycles,
                    log: &self.log,
                    place: &place,
                    foot: &foot,
                    look: self.look,
                };
                let rows = areas(&view, self.area).log_rows();
                let act = self.desk.press(*key, &view, rows);
                return self.act(act);
            }
            Event::Paste(_) => self.desk.pasted(),
            Event::Resize(..) => self.resize()?,
            Event::FocusGained | Event::FocusLost | Event::Mouse(_) => {}
        }
        Ok(Then::GoOn)
    }

    fn act(&mut self, act: Act) -> io::Result<Then> {
        match act {
            Act::Draw => {}
            Act::Leave => return Ok(Then::Leave),
            Act::Suspend => self.go_away()?,
            Act::Send(request) => feed::ask(request, self.to.clone())?,
        }
        Ok(Then::GoOn)
    }

    fn read(&mut self, news: News) {
        // What another log has to say came too late.
        if self.source.as_ref() != Some(&news.source) {
            return;
        }
        if let Some(has_more) = news.fresh {
            self.log = Log::new(self.log.name.clone(), has_more);
            self.desk.place.end = None;
        }
        self.log.problem = news.problem;
        self.log.push(news.lines, news.open);
    }

    /// The status as it is by now; while nobody answers, as it was.
    fn shown(&self) -> Status {
        match self.lost {
            Some(_) => self.status.clone(),
            None => aged(&self.status, self.heard.elapsed()),
        }
    }

    /// That nobody answers, and since when.
    fn lost_since(&self) -> Option<String> {
        let why = self.lost.as_ref()?;
        let since = self.status.now.strftime("%H:%M:%S");
        Some(format!(
            "{why}; waiting for it. This is as it was at {since} UTC, {} ago.",
            in_words(self.heard.elapsed())
        ))
    }

    fn draw(&mut self) -> io::Result<()> {
        let status = self.shown();
        self.desk.turn_to_what_matters(&status);
        let wanted = self.desk.source(&status);
        if wanted != self.source {
            self.log =
                Log::new(wanted.as_ref().map(|source| name(source, &status)).unwrap_or_default(), false);
            self.source = wanted;
        }
        if let Some(source) = &self.source {
            self.tail.want(&status.volume.path, source);
        }
        let lost = self.lost_since();
        let view = View {
            status: &status,
            lost: lost.as_deref(),
            left: &self.left,
            cycles: &self.cycles,
            log: &self.log,
            place: &self.desk.place,
            foot: &self.desk.foot,
            look: self.look,
        };
        self.terminal.draw(|frame| top(&view, frame.area(), frame.buffer_mut())).map(drop)
    }

    fn resize(&mut self) -> io::Result<()> {
        self.area = area();
        self.terminal.resize(self.area)
    }

    /// Gives the terminal back, and stops the process, and whoever keeps the terminal, as the shell expects it.
    fn go_away(&mut self) -> io::Result<()> {
        if !has_a_shell() {
            self.desk.foot = Foot::Refusal("there is no shell to bring it back: q leaves".into());
            return Ok(());
        }
        self.tty.leave()?;
        self.away = true;
        kill(Pid::from_raw(0), Signal::SIGTSTP)?;
        Ok(())
    }

    fn come_back(&mut self) -> io::Result<()> {
        self.away = false;
        self.tty.enter()?;
        self.resize()
    }
}

/// What is drawn on. A terminal that says nothing of its size has that of all terminals.
fn area() -> Rect {
    let (width, height) = size();
    let side = |cells: usize| u16::try_from(cells).unwrap_or(u16::MAX).clamp(1, 1000);
    Rect::new(0, 0, side(width), side(height))
}

/// Whether a shell would see that this stops, and could have it go on: somebody in the same session and in another group than ours
/// has started us. Of what an engine starts in a container nobody has.
fn has_a_shell() -> bool {
    let group = getpgrp().as_raw();
    let ours = Process::read(getppid().as_raw());
    let starter = ours.and_then(|ours| Some((ours, Process::read(ours.parent)?)));
    starter.is_some_and(|(ours, starter)| starter.session == ours.session && starter.group != group)
}

/// What the log is called on the screen.
fn name(source: &Source, status: &Status) -> String {
    match source {
        Source::Package(package) => package.clone(),
        Source::File(path) => {
            let volume = format!("{}/", status.volume.path);
            path.strip_prefix(&volume).unwrap_or(path).to_owned()
        }
    }
}
