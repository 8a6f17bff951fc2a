//! `gbsup init -- COMMAND`: a command of the user's in the supervisor's place.

use std::ffi::{OsStr, OsString};
use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::libc;

use super::common::{ENDING, exit_code, prepare, rehearse, sleep};
use super::say::say;
use super::sweep::sweep;
use crate::signals::SignalSet;
use crate::sys::{self, Child, Signals, Waited, isolate};

/// The command was not found.
const NOT_FOUND: u8 = 127;
/// The command was found and cannot be run.
const NOT_EXECUTABLE: u8 = 126;
/// Init itself failed.
const FAILED: u8 = 1;
/// How long what the command leaves behind may take to end. It is killed with PID 1 anyway; this
/// lets it clean up, and costs nothing when nothing is left.
const GRACE: Duration = Duration::from_secs(2);

/// What is passed on: everything that can be caught and is not about init itself. Not CHLD; not the
/// faults; not TTIN, TTOU and PIPE, which come from init's own writing.
const FORWARDED: SignalSet = ENDING
    .union(SignalSet::of(&[libc::SIGCONT, libc::SIGTSTP, libc::SIGURG, libc::SIGWINCH]))
    .minus(SignalSet::of(&[libc::SIGTTIN, libc::SIGTTOU, libc::SIGPIPE]));

/// Runs `program` with `args`, its stdin and terminal being ours, and returns its exit code, 128 and
/// the signal that ended it, 127 when there is no such program, 126 when it cannot be run.
pub(super) fn run(program: &OsStr, args: &[OsString]) -> u8 {
    let signals = match prepare(FORWARDED) {
        Ok(signals) => signals,
        Err(error) => {
            say(&format!("cannot catch signals: {error}"));
            return FAILED;
        }
    };
    let mut command = Command::new(program);
    isolate(command.args(args), Child { foreground: true, ..Child::default() });
    let pid = match command.spawn() {
        Ok(child) => i32::try_from(child.id()).unwrap_or(i32::MAX),
        Err(error) => {
            say(&format!("cannot start {}: {error}", program.display()));
            return code_of(&error);
        }
    };
    // The directory the command was started in stays free to be unmounted once it has left it.
    let _ = std::env::set_current_dir("/");
    sys::let_go_of_program();
    rehearse(pid);
    let code = attend(&signals, pid);
    sweep(&signals, Instant::now() + GRACE);
    code
}

/// Passes signals on and reaps until the command has ended.
fn attend(signals: &Signals, pid: i32) -> u8 {
    loop {
        sleep(signals, &[], None);
        // The command is not reaped yet, so the pid is still its own.
        for signal in signals.take().without(libc::SIGCHLD).iter() {
            let _ = sys::kill(pid, signal);
        }
        let mut ended = None;
        while let Waited::Child(child, status) = sys::wait_any() {
            if child == pid {
                ended = Some(exit_code(status));
            }
        }
        if let Some(code) = ended {
            return code;
        }
    }
}

/// The exit code for a command that did not start, as shells have it.
fn code_of(error: &io::Error) -> u8 {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) => NOT_FOUND,
        Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE) => FAILED,
        _ => NOT_EXECUTABLE,
    }
}
