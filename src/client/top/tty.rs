//! The terminal: as it was, and as it is drawn on.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};

/// The other screen, pasted text as such, and no cursor (xterm, "Alternate Screen Buffer" and "Bracketed Paste Mode").
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?2004h\x1b[?25l\x1b[2J";
/// All of that back.
const LEAVE: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?2004l\x1b[?1049l";

/// What a terminal was like.
#[derive(Clone)]
pub(super) struct Tty {
    saved: Arc<Mutex<Termios>>,
}

impl Tty {
    /// Remembers what it is like.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { saved: Arc::new(Mutex::new(tcgetattr(io::stdin())?)) })
    }

    fn saved(&self) -> Termios {
        self.saved.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes it one to draw on.
    pub(super) fn enter(&self) -> io::Result<()> {
        let mut raw = self.saved();
        cfmakeraw(&mut raw);
        tcsetattr(io::stdin(), SetArg::TCSANOW, &raw)?;
        write(ENTER)
    }

    /// Makes it what it was, and shows what was on it.
    pub(super) fn leave(&self) -> io::Result<()> {
        // What was typed meanwhile was meant for the screen that is gone.
        let modes = tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &self.saved());
        write(LEAVE)?;
        Ok(modes?)
    }

    /// Makes its modes what they were.
    pub(super) fn modes(&self) {
        let _gone = tcsetattr(io::stdin(), SetArg::TCSANOW, &self.saved());
    }
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}
