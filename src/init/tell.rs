//! Signals to many processes at once, none of which gets away by starting another meanwhile.

use std::collections::HashSet;

use nix::libc;

use crate::procs::Process;
use crate::sys;

/// How often to look for processes started since the last look. Each look finds fewer, because
/// those found are stopped; the bound is for a machine where that should not be so.
const LOOKS: usize = 16;

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
    for _ in 0..LOOKS {
        let new: Vec<Process> = find().into_iter().filter(|process| known.insert(process.pid)).collect();
        if new.is_empty() {
            break;
        }
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
