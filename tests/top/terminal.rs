//! A terminal with `gbsup top` on it, and what it shows.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{Termios, tcgetattr};
use nix::unistd::Pid;
use vt100::{Parser, Screen};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_mins(3);

/// What the terminal shows, and who waits for that to change.
type Shown = Arc<(Mutex<Parser>, Condvar)>;

/// A terminal with a command on it.
pub(crate) struct Terminal {
    keys: File,
    /// Kept open, so that the terminal outlives the command.
    side: File,
    before: Termios,
    child: Child,
    shown: Shown,
}

impl Terminal {
    /// Starts a command as the leader of a session that has a terminal of this size: columns and rows.
    pub(crate) fn new((columns, rows): (u16, u16), argv: &[&str], env: &[(&str, &Path)]) -> Self {
        // Close-on-exec from the start: a terminal hangs up when nobody has its other end any more.
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).expect("a terminal");
        grantpt(&master).expect("granted");
        unlockpt(&master).expect("unlocked");
        let name = ptsname_r(&master).expect("it has a name");
        let open = || {
            let flags = OFlag::O_NOCTTY.bits();
            File::options().read(true).write(true).custom_flags(flags).open(&name).expect("opens")
        };
        let mut side = open();
        let keys = File::from(OwnedFd::from(master));
        let parser = Parser::new(rows.try_into().expect("rows"), columns.try_into().expect("columns"), 0);
        let shown: Shown = Arc::new((Mutex::new(parser), Condvar::new()));
        let (mut screen, drawn) = (keys.try_clone().expect("cloned"), Arc::clone(&shown));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                lock(&drawn).process(&bytes[..count]);
                drawn.1.notify_all();
            }
        });
        stty(&side, &["rows", &rows.to_string(), "cols", &columns.to_string()]);
        side.write_all(b"typed before\n").expect("written");
        let before = tcgetattr(&side).expect("a terminal");
        let child = Command::new("setsid")
            .arg("--ctty")
            .args(argv)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TERM", "xterm-256color")
            .envs(env.iter().copied())
            .stdin(open())
            .stdout(open())
            .stderr(open())
            .spawn()
            .expect("it starts");
        Self { keys, side, before, child, shown }
    }

    /// Types.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("typed");
    }

    /// Gives it another size: columns and rows.
    pub(crate) fn resize(&mut self, (columns, rows): (u16, u16)) {
        lock(&self.shown).set_size(rows.try_into().expect("rows"), columns.try_into().expect("columns"));
        // The kernel tells whoever is in its foreground.
        stty(&self.side, &["rows", &rows.to_string(), "cols", &columns.to_string()]);
    }

    /// Waits until it shows something.
    #[track_caller]
    pub(crate) fn until(&self, what: &str, shows: impl Fn(&Screen) -> bool) {
        let until = Instant::now() + PATIENCE;
        let mut parser = lock(&self.shown);
        while !shows(parser.screen()) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what} is not shown:\n{}", parser.screen().contents());
            parser = self.shown.1.wait_timeout(parser, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until it shows this text.
    #[track_caller]
    pub(crate) fn until_text(&self, text: &str) {
        self.until(text, |screen| trimmed(screen).contains(text));
    }

    /// What it shows.
    pub(crate) fn text(&self) -> String {
        trimmed(lock(&self.shown).screen())
    }

    /// Whether anything has a colour.
    pub(crate) fn is_coloured(&self) -> bool {
        let parser = lock(&self.shown);
        let screen = parser.screen();
        let (rows, columns) = screen.size();
        let mut cells = (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |column| (row, column)));
        cells.any(|(row, column)| {
            screen.cell(row, column).is_some_and(|cell| cell.fgcolor() != vt100::Color::Default)
        })
    }

    /// The process that was started, and the one that draws.
    pub(crate) fn processes(&self) -> (Pid, Pid) {
        let keeper = i32::try_from(self.child.id()).expect("a pid");
        let children = std::fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children"));
        let child = children.expect("it runs").split_whitespace().next().expect("a child").parse();
        (Pid::from_raw(keeper), Pid::from_raw(child.expect("a pid")))
    }

    /// Waits for the end of what was started.
    #[track_caller]
    pub(crate) fn end(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it is a child") {
                return status;
            }
            assert!(Instant::now() < until, "it is still there:\n{}", self.text());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// How it ended: its exit code, or minus the signal.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> i32 {
        let status = self.end();
        status.code().or(status.signal().map(|signal| -signal)).unwrap_or_default()
    }

    /// Waits until the terminal is as it was: its modes, its cursor, and what was on it.
    #[track_caller]
    pub(crate) fn until_as_before(&self) {
        self.until("what was there before", |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.contents().contains("typed before")
        });
        let until = Instant::now() + PATIENCE;
        // Its modes are not written to it, so nothing tells of them.
        while tcgetattr(&self.side).expect("a terminal") != self.before {
            assert!(Instant::now() < until, "the modes are not what they were");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A shell takes no other signal for an end. Who draws ends with who keeps the terminal.
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// What it shows, without the blanks that were written at the ends of lines.
fn trimmed(screen: &Screen) -> String {
    screen.contents().lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn lock(shown: &Shown) -> MutexGuard<'_, Parser> {
    shown.0.lock().unwrap_or_else(PoisonError::into_inner)
}

fn stty(terminal: &File, args: &[&str]) {
    let stdin = Stdio::from(terminal.try_clone().expect("cloned"));
    let status = Command::new("stty").args(args).stdin(stdin).status().expect("stty runs");
    assert!(status.success());
}
