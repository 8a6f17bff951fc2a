//! The end: whatever is left is asked to stop, waited for, and at the deadline killed.

use std::time::{Duration, Instant};

use nix::libc;

use super::common::{is_pid_1, sleep};
use super::say::say;
use super::tell::tell;
use crate::procs::{self, Process};
use crate::sys::{self, Signals, Waited};

/// What remains of the grace after a second TERM or INT.
pub(super) const HURRY: Duration = Duration::from_secs(1);
/// How often processes are looked for that are not children of this one and end without a signal to it.
const TICK: Duration = Duration::from_millis(20);
/// How long a client of the control socket may take to print the answer it has got.
const CLIENT: Duration = Duration::from_secs(1);
/// How long killed processes may take to vanish. One that sits in an uninterruptible system call can
/// take for ever, and the kernel then keeps the container, not this program.
const VANISH: Duration = Duration::from_secs(1);

/// Asks everything that is left to stop, returns as soon as nothing is left, and kills what still is
/// at `deadline`. TERM or INT shortens the time to [`HURRY`].
///
/// PID 1 sweeps its PID namespace, processes that came in from outside (`docker exec`) included, but
/// waits neither for those nor for long for a client of its own, which is spared: it has an answer to
/// print. An interactive shell ignores TERM and ends with the namespace. Not PID 1, it sweeps its
/// descendants only.
pub(super) fn sweep(signals: &Signals, mut deadline: Instant) {
    let began = Instant::now();
    if reap() == Waited::NoChildren && holding(began) == 0 {
        return;
    }
    ask();
    loop {
        let now = Instant::now();
        if reap() == Waited::NoChildren && holding(began) == 0 {
            return;
        }
        if now >= deadline {
            break;
        }
        sleep(signals, &[], Some(TICK.min(deadline - now)));
        let caught = signals.take();
        if caught.contains(libc::SIGTERM) || caught.contains(libc::SIGINT) {
            deadline = deadline.min(Instant::now() + HURRY);
        }
    }
    report();
    kill_all(signals, Instant::now() + VANISH);
}

/// Reaps what has ended.
fn reap() -> Waited {
    loop {
        match sys::wait_any() {
            Waited::Child(..) => {}
            end => return end,
        }
    }
}

/// Sends TERM to everything in reach but clients.
fn ask() {
    if procs::all().is_some() {
        tell(|| reach().into_iter().filter(|process| !process.is_client()).collect(), libc::SIGTERM);
    } else if is_pid_1() {
        // Without /proc PID 1 still reaches everybody, its clients too.
        let _ = sys::kill(-1, libc::SIGTERM);
        let _ = sys::kill(-1, libc::SIGCONT);
    }
}

/// The processes that are this one's to stop.
fn reach() -> Vec<Process> {
    let all = procs::all().unwrap_or_default();
    let mut reach = if is_pid_1() { all } else { procs::descendants(&all) };
    reach.retain(|process| process.pid != 1 && process.lives());
    reach
}

/// How many processes, none of them a child of this one, are worth waiting for.
///
/// Only PID 1 has any: what a process from outside has started, and clients for a moment. The zombies
/// of others are their parents' business.
fn holding(began: Instant) -> usize {
    if !is_pid_1() {
        return 0;
    }
    let patient = began.elapsed() < CLIENT;
    let holds = |process: &&Process| match process.parent {
        0 => patient && process.is_client(),
        _ => true,
    };
    reach().iter().filter(holds).count()
}

/// Kills everything in reach until it has vanished, or until `deadline`.
fn kill_all(signals: &Signals, deadline: Instant) {
    loop {
        if is_pid_1() {
            let _ = sys::kill(-1, libc::SIGKILL);
        } else {
            for process in reach() {
                let _ = sys::kill(process.pid, libc::SIGKILL);
            }
        }
        if reap() == Waited::NoChildren || Instant::now() >= deadline {
            return;
        }
        sleep(signals, &[], Some(TICK));
        let _ = signals.take();
    }
}

/// Names what did not stop in time, before it is killed.
fn report() {
    const SHOWN: usize = 8;
    let left = reach();
    let pids: Vec<String> = left.iter().take(SHOWN).map(|process| process.pid.to_string()).collect();
    let more = if left.len() > SHOWN { " and more" } else { "" };
    say(&format!("the time to stop is over; killing what is left: pid {}{more}", pids.join(", ")));
}
