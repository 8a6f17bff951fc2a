//! Keeps what the terminal was like, while a child draws on it.
//!
//! Nothing can be done by a process that is killed. So the one that draws is not the one that puts the terminal back: whatever
//! becomes of it, this one is there to do so. When this one is killed, the child is told by the kernel, and does it.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command;
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::tty::Tty;
use crate::cli::Exit;
use crate::client::error::Error;
use crate::sys;

/// How long the child may take to leave, which it cannot while nobody takes what it writes.
const GRACE: Duration = Duration::from_secs(2);

pub(super) fn run() -> Result<Exit, Error> {
    let failed = |what: &str, error: std::io::Error| Error::Failed(format!("{what}: {error}"));
    let tty = Tty::new().map_err(|error| failed("the terminal cannot be asked what it is like", error))?;
    // Before there is a child, so that its end is not missed.
    let mut signals = Signals::new([SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM])
        .map_err(|error| failed("signals cannot be caught", error))?;
    let parent = std::process::id().to_string();
    let mut child = Command::new("/proc/self/exe")
        .arg0("gbsup")
        .args(["top", "--drawn-by", &parent])
        .spawn()
        .map_err(|error| failed("no process could be started", error))?;
    let pid = i32::try_from(child.id()).unwrap_or_default();
    let mut asked = None;
    let ended = loop {
        for signal in signals.wait() {
            if signal != SIGCHLD && asked.is_none() {
                asked = Some(signal);
                let _gone = sys::kill(pid, SIGTERM);
                // Without it, it is waited for.
                let _none = thread::Builder::new().name("grace".into()).spawn(move || {
                    thread::sleep(GRACE);
                    let _gone = sys::kill(pid, SIGKILL);
                });
            }
        }
        if let Some(ended) = child.try_wait().map_err(|error| failed("a process was lost", error))? {
            break ended;
        }
    };
    match ended.signal() {
        None => tty.modes(),
        Some(_) => drop(tty.leave()),
    }
    if let Some(signal) = asked {
        // Whoever sent it sees what it sees of every other program.
        let _never = emulate_default_handler(signal);
    }
    match (ended.code(), ended.signal()) {
        (_, Some(signal)) => Err(Error::Failed(format!("signal {signal} ended what drew the screen"))),
        // It has said why.
        (code, None) => Ok(exit(code.unwrap_or_default())),
    }
}

/// The child's exit code.
fn exit(code: i32) -> Exit {
    let all = [Exit::Done, Exit::Usage, Exit::Unreachable, Exit::Denied, Exit::Findings];
    all.into_iter().find(|exit| *exit as i32 == code).unwrap_or(Exit::Failed)
}
