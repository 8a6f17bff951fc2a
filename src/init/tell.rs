//! Signals to many processes at once, none of which gets away by starting another meanwhile.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use nix::libc;

use crate::procs::Process;
use crate::sys;

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
