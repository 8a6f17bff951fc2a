//! The end: whatever is left is asked to stop, waited for, and at the deadline killed; and signals to many processes at
//! once, none of which gets away by starting another meanwhile.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use nix::libc;

use super::common::{is_pid_1, sleep};
use super::say::say;
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

/// How long to look for processes started since the last look. Each look finds fewer, because those
/// found are stopped; the bound is for a machine where that should not be so.
const LOOKING: Duration = Duration::from_secs(1);
/// So many looks in a row that find nothing new end it. One alone can miss a process that hops from pid
/// to pid: it has one when the list is read and another when its entry is.
const ENOUGH: usize = 3;

/// Sends `signal` once to every process that `find` finds, and returns how many that were.
///
/// All are stopped first, then told, then continued. Without that a process could start a child
/// after it was found and before it was told, and nobody would tell the child. And one that is told
/// can start a helper to clean up with, which must not be told. A process that was stopped before
/// goes on too, or it would not get to see the signal.
///
/// Some parents (su, nsenter, shells) stop themselves when a child is stopped. So parents, which
/// are found first, are stopped first and continued last, and a process whose parent is outside, out
/// of reach, is told without being stopped.
pub(super) fn tell(mut find: impl FnMut() -> Vec<Process>, signal: i32) -> usize {
    let mut told: Vec<i32> = Vec::new();
    let mut known = HashSet::new();
    let began = Instant::now();
    let mut in_vain = 0;
    while in_vain < ENOUGH && began.elapsed() < LOOKING {
        let new: Vec<Process> = find().into_iter().filter(|process| known.insert(process.pid)).collect();
        in_vain = if new.is_empty() { in_vain + 1 } else { 0 };
        send(new.iter().filter(|process| process.parent != 0).map(|process| process.pid), libc::SIGSTOP);
        told.extend(new.iter().map(|process| process.pid));
    }
    send(told.iter().copied(), signal);
    send(told.iter().rev().copied(), libc::SIGCONT);
    told.len()
}

fn send(pids: impl Iterator<Item = i32>, signal: i32) {
    for pid in pids {
        let _ = sys::kill(pid, signal);
    }
}
