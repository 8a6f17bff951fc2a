//! What `/proc` says about processes (proc(5)): groups, families, start times.

use std::collections::BTreeSet;
use std::fs;

/// The fields of `/proc/PID/stat` that are used here.
struct Stat {
    pid: i32,
    state: char,
    parent: i32,
    group: i32,
    session: i32,
    start: u64,
}

/// When a process began, in clock ticks since boot: with the pid it names one process for ever.
#[must_use]
pub(super) fn start_time(pid: i32) -> Option<u64> {
    stat(pid).map(|stat| stat.start)
}

/// Whether it has ended and waits to be reaped.
#[cfg(test)]
pub fn is_zombie(pid: i32) -> bool {
    stat(pid).is_some_and(|stat| stat.state == 'Z')
}

/// The living members of a process group.
#[must_use]
pub(super) fn group(group: i32) -> Vec<i32> {
    all().into_iter().filter(|stat| stat.group == group && stat.state != 'Z').map(|stat| stat.pid).collect()
}

/// The living members of a session or group, and everything that descends from its leader.
#[must_use]
pub(super) fn family(leader: i32) -> BTreeSet<i32> {
    let all = all();
    let mut family: BTreeSet<i32> = all
        .iter()
        .filter(|stat| stat.session == leader || stat.group == leader || stat.pid == leader)
        .map(|stat| stat.pid)
        .collect();
    loop {
        let found: Vec<i32> = all
            .iter()
            .filter(|stat| family.contains(&stat.parent) && !family.contains(&stat.pid))
            .map(|stat| stat.pid)
            .collect();
        if found.is_empty() {
            return family;
        }
        family.extend(found);
    }
}

/// Whether a Portage program runs that this process did not start: an operator at work.
#[must_use]
pub(super) fn portage_runs() -> bool {
    all().iter().any(|stat| {
        let Ok(cmdline) = fs::read(format!("/proc/{}/cmdline", stat.pid)) else { return false };
        let mut words = cmdline.split(|byte| *byte == 0).take(4);
        words.any(|word| {
            let name = word.rsplit(|byte| *byte == b'/').next().unwrap_or(word);
            matches!(name, b"emerge" | b"ebuild" | b"emaint" | b"quickpkg" | b"ebuild.sh")
        })
    })
}

fn all() -> Vec<Stat> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| stat(entry.file_name().to_str()?.parse().ok()?)).collect()
}

/// The command name may hold blanks and parentheses, so fields are counted from its end.
fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_ascii_whitespace();
    Some(Stat {
        pid,
        state: fields.next()?.chars().next()?,
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
        session: fields.next()?.parse().ok()?,
        start: fields.nth(15)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_found() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let own = stat(pid).unwrap();
        assert!(own.start > 0);
        assert!(group(own.group).contains(&pid));
        assert!(family(own.parent).contains(&pid));
        assert!(start_time(0).is_none());
    }
}
