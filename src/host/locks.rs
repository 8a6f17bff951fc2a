//! Whether a job waits for a lock that a Portage outside of it holds, as one does in a repair shell.
//!
//! While emerge merges it waits without a word (`portage.locks:_quiet` in `_emerge/Scheduler.py:merge`), so
//! the kernel is asked: `/proc/locks` has a line for each lock and, with `->`, one for each process that
//! waits for it; see proc_locks(5). A lock that Portage had to wait for itself is held by a helper, so the
//! holder's parents are looked through for the program that a person would know.

use std::collections::HashSet;
use std::fs;

use crate::procs;

/// Who holds a lock that the family of this process waits for, in one sentence.
pub(crate) fn wait_of(leader: i32) -> Option<String> {
    let waits = waits(&fs::read_to_string("/proc/locks").ok()?);
    // Looking through all processes costs more, and is hardly ever needed.
    if waits.is_empty() {
        return None;
    }
    let family: HashSet<i32> = procs::family(leader).iter().map(|process| process.pid).collect();
    let (_, holder) =
        waits.into_iter().find(|(waiter, holder)| family.contains(waiter) && !family.contains(holder))?;
    let (pid, command) = procs::portage_above(holder).unwrap_or((holder, "another process".to_owned()));
    Some(format!(
        "it waits for a lock that another Portage in this container holds, and goes on when that ends: {command} (pid {pid})"
    ))
}

/// Who waits for whom, by pid. The lines of one lock share its number, and its holder comes first:
///
/// ```text
/// 4: POSIX  ADVISORY  WRITE 812 00:27:1286501 0 EOF
/// 4: -> POSIX  ADVISORY  WRITE 934 00:27:1286501 0 EOF
/// ```
fn waits(text: &str) -> Vec<(i32, i32)> {
    let mut waits = Vec::new();
    let mut held: Option<(&str, i32)> = None;
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let Some(number) = words.next() else { continue };
        let waiting = words.clone().next() == Some("->");
        let Some(pid) = words.nth(if waiting { 4 } else { 3 }).and_then(|pid| pid.parse().ok()) else {
            continue;
        };
        match held {
            Some((lock, holder)) if waiting && lock == number => waits.push((pid, holder)),
            _ if !waiting => held = Some((number, pid)),
            // Its holder is in another PID namespace.
            _ => {}
        }
    }
    waits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_whom() {
        let text = "1: POSIX  ADVISORY  WRITE 14143 00:27:1286501 0 EOF\n\
                    2: OFDLCK ADVISORY  READ -1 00:06:3 0 EOF\n\
                    4: POSIX  ADVISORY  WRITE 812 00:27:1286501 0 EOF\n\
                    4: -> POSIX  ADVISORY  WRITE 934 00:27:1286501 0 EOF\n\
                    4:  -> POSIX  ADVISORY  WRITE 935 00:27:1286501 0 EOF\n\
                    5: -> POSIX  ADVISORY  WRITE 936 00:27:1286502 0 EOF\n\
                    6: FLOCK\n\n";
        assert_eq!(waits(text), [(934, 812), (935, 812)]);
    }
}
