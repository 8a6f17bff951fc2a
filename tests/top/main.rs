//! `gbsup top` on a terminal, beside a supervisor that says what the test wants.

#[path = "../client/fake.rs"]
#[expect(dead_code, reason = "the commands need more of it")]
mod fake;
mod terminal;

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use fake::{Answer, Builder, failure, paused, reply, status};
use gbsup::model::request::{PauseMode, Reply, Request};
use gbsup::model::skip::ToSkip;
use gbsup::model::status::{CycleInfo, JobInfo, Mode, Status, Why};
use gbsup::model::told::Left;
use gbsup::portage::names::cpv::Cpv;
use insta::assert_snapshot;
use nix::sys::signal::{Signal, kill};
use terminal::Terminal;
use vt100::Screen;

const GBSUP: &str = env!("CARGO_BIN_EXE_gbsup");
const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (200, 60);

/// A builder that is followed.
struct Play {
    builder: Builder,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    status: Status,
    /// Those who watch.
    watching: Vec<Sender<Status>>,
    /// Nobody is let in.
    away: bool,
}

impl Play {
    fn new(mut status: Status) -> Self {
        let shared =
            Arc::new(Mutex::new(Shared { status: status.clone(), watching: Vec::new(), away: false }));
        let answers = Arc::clone(&shared);
        let builder = Builder::answering(move |request| {
            let mut shared = answers.lock().unwrap();
            let said = |message: &str| reply(Reply::Accepted { message: message.into() });
            match request {
                _ if shared.away => Answer::Leave,
                Request::Status => reply(Reply::Status { status: Box::new(shared.status.clone()) }),
                Request::Watch => {
                    let (send, statuses) = channel();
                    send.send(shared.status.clone()).unwrap();
                    shared.watching.push(send);
                    Answer::Stream(statuses)
                }
                Request::Left => {
                    reply(Reply::Left { left: vec![left("app-misc/later-1"), left("app-misc/last-2")] })
                }
                Request::Sync => reply(Reply::Denied { message: "no \u{1b}[2Jsync now".into() }),
                Request::Pause { .. } => said("pausing, it says"),
                Request::Resume { .. } => said("resuming, it says"),
                Request::Skip { .. } => said("skipping, it says"),
                _ => said("what?"),
            }
        });
        status.volume.path = builder.volume().display().to_string();
        shared.lock().unwrap().status = status;
        Self { builder, shared }
    }

    /// Something changes.
    fn tell(&self, change: impl FnOnce(&mut Status)) {
        let mut shared = self.shared.lock().unwrap();
        change(&mut shared.status);
        let status = shared.status.clone();
        shared.watching.retain(|watching| watching.send(status.clone()).is_ok());
    }

    fn environment(&self) -> HashMap<&'static str, std::path::PathBuf> {
        HashMap::from([
            ("GBSUP_SOCKET", self.builder.socket()),
            ("GBSUP_VOLUME_PATH", self.builder.volume().to_owned()),
        ])
    }

    /// The command on a terminal of this size.
    fn on(&self, size: (u16, u16)) -> Terminal {
        self.with(size, &[GBSUP, "top"], &[])
    }

    fn with(&self, size: (u16, u16), argv: &[&str], more: &[(&str, &str)]) -> Terminal {
        let environment = self.environment();
        let mut env: Vec<(&str, &Path)> =
            environment.iter().map(|(name, value)| (*name, value.as_path())).collect();
        env.extend(more.iter().map(|(name, value)| (*name, Path::new(*value))));
        Terminal::new(size, argv, &env)
    }

    /// What was asked of it but for how it is.
    fn asked(&self) -> Vec<Request> {
        let reading = |request: &Request| matches!(request, Request::Status | Request::Watch | Request::Left);
        self.builder.asked().into_iter().filter(|request| !reading(request)).collect()
    }

    /// What a terminal shows, with a name of the volume that is as long in every test.
    fn shown(&self, terminal: &Terminal) -> String {
        let volume = self.builder.volume().display().to_string();
        terminal.text().replace(&volume, &"V".repeat(volume.len()))
    }

    fn log(&self, name: &str, text: &str) -> String {
        self.builder.file(name, text).display().to_string()
    }
}

fn left(package: &str) -> Left {
    Left {
        package: package.into(),
        binary: false,
        takes: Some(90),
        action: None,
        before: Vec::new(),
        why: Vec::new(),
        use_changes: Vec::new(),
    }
}

const AT_WORK: &str = "running: building 5 of 7, app-misc/hello-2.10 (compile, 41 s)";

fn at_work() -> Status {
    let mut status = status(Mode::Running, AT_WORK);
    let job = |package: &str| JobInfo {
        package: package.into(),
        phase: "compile".into(),
        elapsed: 41,
        estimate: Some(120),
        binary: false,
        files: None,
    };
    status.jobs = vec![job("app-misc/hello-2.10"), job("app-misc/other-1")];
    status
}

fn by_two_failures() -> Status {
    let mut paused = paused(Why::Failure, vec![failure("app-misc/broken-1", None), failure("a/b-2", None)]);
    // So long ago that its age stays the same for the length of a test.
    let began = paused.now - std::time::Duration::from_mins(70);
    paused.cycle = Some(CycleInfo { id: 1, started: began, reason: "first".into() });
    paused
}

#[test]
fn it_shows_the_builder_and_follows_the_log_of_what_is_at_work() {
    let play = Play::new(at_work());
    let hello =
        play.log("log/app-misc:hello-2.10:20261121-101500.log", "one\n\u{1b}]0;title\u{7}\u{1b}[2Jtwo\n");
    play.log("log/app-misc:other-1:20261121-101500.log", "of the other\n");
    let mut terminal = play.on(SMALL);
    for text in [AT_WORK, "5 of 7", "▸ app-misc/hello-2.10", "app-misc/other-1", "two", "follows", "q leave"]
    {
        terminal.until_text(text);
    }
    assert!(terminal.is_coloured());
    let mut log = OpenOptions::new().append(true).open(hello).unwrap();
    log.write_all(b"three\n").unwrap();
    terminal.until_text("three");
    // The next one has another log.
    terminal.press("j");
    terminal.until_text("of the other");
    // What is next is the list after the next: nothing has failed.
    terminal.press("\t");
    terminal.until_text("▸ app-misc/later-1");
    // Something changes.
    play.tell(|status| status.headline = "running: something else".into());
    terminal.until_text("running: something else");
    terminal.press("?");
    terminal.until_text("Ctrl-C");
    terminal.press("?");
    terminal.until_text("app-misc/later-1");
    terminal.press("q");
    assert_eq!(terminal.ended(), 0);
    terminal.until_as_before();
}

#[test]
fn keys_ask_before_they_do_what_the_verbs_do() {
    let play = Play::new(by_two_failures());
    let mut terminal = play.on(SMALL);
    terminal.until_text("to do");
    terminal.press("p");
    terminal.until_text("Pause after the packages that are being built now? (y/n)");
    terminal.press("n");
    terminal.until_text("not done");
    // What is pasted answers nothing.
    terminal.press("r");
    terminal.until_text("Resume? (y/n)");
    terminal.press("\u{1b}[200~y\u{1b}[201~");
    terminal.until_text("pasted text is neither");
    assert_eq!(play.asked(), []);
    for (key, question, answer) in [
        ("p", "Pause after the packages", "pausing, it says"),
        ("P", "Pause when this cycle is over?", "pausing, it says"),
        ("r", "Resume?", "resuming, it says"),
        ("jx", "Skip a/b until another version than 2 is offered?", "skipping, it says"),
        ("s", "Sync now", "no \\x1b[2Jsync now"),
    ] {
        terminal.press(key);
        terminal.until_text(question);
        terminal.press("y");
        terminal.until_text(answer);
    }
    let skip = ToSkip { package: "a/b".into(), version: Cpv::parse(b"a/b-2").unwrap() };
    let pause = |mode| Request::Pause { mode, reason: None };
    assert_eq!(
        play.asked(),
        [
            pause(PauseMode::AfterPackage),
            pause(PauseMode::AfterCycle),
            Request::Resume { skip: Vec::new() },
            Request::Skip { packages: vec![skip] },
            Request::Sync,
        ]
    );
}

/// All of it is drawn: from the top to the bottom, where the keys are.
fn is_drawn(screen: &Screen) -> bool {
    screen
        .contents()
        .lines()
        .nth(usize::from(screen.size().0.get()) - 1)
        .is_some_and(|row| row.starts_with("q leave"))
}

#[test]
fn it_fits_a_terminal_of_any_size() {
    let play = Play::new(by_two_failures());
    let lines: Vec<_> = (1..=100).map(|n| format!("line {n}")).collect();
    let path = play.log("steps/1/build.log", &(lines.join("\n") + "\n"));
    play.tell(|status| status.log = Some(path));
    let mut terminal = play.on(SMALL);
    // The log and what is next come by ways of their own.
    terminal.until("the log and what is next", |screen| {
        let text = screen.contents();
        text.contains("line 100") && text.contains("Next 2 ─ Around ───") && is_drawn(screen)
    });
    assert_snapshot!("paused_on_80x24", play.shown(&terminal));
    terminal.resize(LARGE);
    terminal
        .until("both columns", |screen| is_drawn(screen) && screen.contents().contains("─ At work 0 ─────"));
    assert_snapshot!("paused_on_200x60", play.shown(&terminal));
    for size in [(20, 5), (1, 1), (3, 2)] {
        terminal.resize(size);
        let (columns, rows) = (usize::from(size.0), usize::from(size.1));
        terminal.until(&format!("{size:?}"), |screen| {
            let text = screen.contents();
            let fits =
                text.lines().count() <= rows && text.lines().all(|line| line.chars().count() <= columns);
            fits && text.starts_with(if columns == 1 { '…' } else { 'p' })
        });
    }
    terminal.resize(SMALL);
    terminal.until_text("line 100");
    // Through the log, and to its end again.
    terminal.press("\u{1b}[5~");
    terminal.until_text("G follows again");
    terminal.press("g");
    terminal.until_text("line 1\n");
    terminal.press("G");
    terminal.until_text("line 100");
    terminal.press("\u{3}");
    assert_eq!(terminal.ended(), 0);
    // What was on it before is gone with the rows that it was on.
    terminal.until("the other screen", |screen| !screen.alternate_screen());
}

#[test]
fn no_key_is_lost_beside_another_size() {
    let play = Play::new(at_work());
    let mut terminal = play.on(SMALL);
    terminal.until_text(AT_WORK);
    // Whether the two come together is chance.
    for _ in 0..200 {
        drawn(&terminal, Signal::SIGWINCH);
        terminal.press("?");
        terminal.until_text("Ctrl-C");
        drawn(&terminal, Signal::SIGWINCH);
        terminal.press("?");
        terminal.until("no help", |screen| is_drawn(screen) && !screen.contents().contains("Ctrl-C"));
    }
}

/// How it is ended, by what, and with which exit code.
type Kill = (&'static str, fn(&Terminal), i32);

fn keeper(terminal: &Terminal, signal: Signal) {
    kill(terminal.processes().0, signal).unwrap();
}

fn drawn(terminal: &Terminal, signal: Signal) {
    kill(terminal.processes().1, signal).unwrap();
}

#[test]
fn the_terminal_is_as_it_was_however_it_ends() {
    let play = Play::new(at_work());
    let ends: [Kill; 7] = [
        ("TERM", |it| keeper(it, Signal::SIGTERM), -15),
        ("HUP", |it| keeper(it, Signal::SIGHUP), -1),
        ("INT", |it| keeper(it, Signal::SIGINT), -2),
        ("KILL to what keeps it", |it| keeper(it, Signal::SIGKILL), -9),
        ("TERM to what draws", |it| drawn(it, Signal::SIGTERM), 0),
        ("KILL to what draws", |it| drawn(it, Signal::SIGKILL), 1),
        ("what draws aborts", |it| drawn(it, Signal::SIGABRT), 1),
    ];
    for (how, end, code) in ends {
        let mut terminal = play.on(SMALL);
        terminal.until_text(AT_WORK);
        end(&terminal);
        assert_eq!(terminal.ended(), code, "{how}");
        terminal.until_as_before();
        if code == 1 {
            terminal.until_text("ended what drew the screen");
        }
    }
}

#[test]
fn it_is_stopped_and_comes_back_as_the_shell_says() {
    let play = Play::new(at_work());
    let mut terminal = play.with(SMALL, &["bash", "--norc", "-i"], &[("PS1", "$ ")]);
    terminal.press(&format!("{GBSUP} top\n"));
    terminal.until_text(AT_WORK);
    terminal.press("\u{1a}");
    terminal.until("that it is stopped", |screen| {
        !screen.alternate_screen() && screen.contents().contains("Stopped")
    });
    terminal.press("fg\n");
    terminal.until("it again", |screen| screen.alternate_screen() && screen.contents().contains(AT_WORK));
    terminal.press("q");
    // What is typed before that may still be taken for a key.
    terminal.until("the shell", |screen| {
        !screen.alternate_screen() && screen.contents().trim_end().ends_with('$')
    });
    terminal.press("exit\n");
    assert_eq!(terminal.ended(), 0);

    // What an engine starts has no shell.
    let mut terminal = play.on(SMALL);
    terminal.until_text(AT_WORK);
    terminal.press("\u{1a}");
    terminal.until_text("there is no shell");
}

#[test]
fn a_builder_that_goes_away_is_missed_and_found_again() {
    let play = Play::new(at_work());
    let terminal = play.on(LARGE);
    terminal.until_text(AT_WORK);
    {
        let mut shared = play.shared.lock().unwrap();
        shared.away = true;
        shared.watching.clear();
    }
    terminal.until_text("no supervisor answers at");
    terminal.until_text("waiting for it. This is as it was at");
    terminal.until_text(AT_WORK);
    {
        let mut shared = play.shared.lock().unwrap();
        shared.away = false;
        shared.status.headline = "running: here again".into();
    }
    terminal.until("the builder again", |screen| {
        let text = screen.contents();
        text.starts_with("running: here again") && !text.contains("no supervisor")
    });
}

#[test]
fn a_terminal_that_cannot_be_drawn_on_gets_the_status() {
    let play = Play::new(at_work());
    let terminal = play.with(SMALL, &[GBSUP, "top"], &[("TERM", "dumb")]);
    terminal.until_text("this terminal (TERM) cannot move its cursor; this is: gbsup status --watch");
    terminal.until_text(AT_WORK);
    assert!(!terminal.text().contains("q leave"));

    let (builder, statuses) = Builder::streaming();
    statuses.send(status(Mode::Stopping, "stopping: bye")).unwrap();
    drop(statuses);
    let (code, out, err) = builder.run("top");
    assert_eq!((code, out.as_str()), (3, "stopping: bye\n"));
    assert!(
        err.starts_with("gbsup: standard output is not a terminal; this is: gbsup status --watch\n"),
        "{err}"
    );
}

#[test]
fn without_a_supervisor_nothing_is_drawn() {
    let play = Play::new(at_work());
    std::fs::remove_file(play.builder.socket()).unwrap();
    let mut terminal = play.on(SMALL);
    assert_eq!(terminal.ended(), 3);
    terminal.until_text("no supervisor answers");
    terminal.until_as_before();
}

#[test]
fn no_color_means_none() {
    let play = Play::new(by_two_failures());
    let terminal = play.with(SMALL, &[GBSUP, "top"], &[("NO_COLOR", "1")]);
    terminal.until_text("q leave");
    assert!(!terminal.is_coloured());
}
