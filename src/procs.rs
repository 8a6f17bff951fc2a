//! What `/proc` says about the processes of this PID namespace.

use std::collections::HashSet;
use std::ffi::CStr;
use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::libc;

use crate::sys;

/// By which a client tells init that it waited for the supervisor in vain. Whoever does not know of it ignores it, as the
/// two that follow.
pub(crate) const COMPLAINT: i32 = libc::SIGURG;
/// By which init asks the supervisor for a sign of life.
pub(crate) const QUESTION: i32 = libc::SIGURG;
/// By which the supervisor gives its parent one.
pub(crate) const ANSWER: i32 = libc::SIGCONT;

/// What this program is for as long as it runs, unlike a command that somebody typed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// PID 1.
    Init,
    /// What decides and builds.
    Supervisor,
    /// What listens on the network.
    Web,
    /// What sends one notification.
    Webhook,
    /// What reads packages.
    Reader,
    /// What asks other builders how they are.
    Peers,
    /// What stands between the builder and those who compile for it.
    Relay,
    /// What compiles for a builder.
    Helper,
}

impl Role {
    /// What `ps` and `top` show, also of one that was started as `/proc/self/exe`.
    const fn title(self) -> &'static CStr {
        match self {
            Self::Init => c"gbsup: init",
            // As a name of the kernel, `gbsup: supervis`, like every other that is longer than that.
            Self::Supervisor => c"gbsup: supervisor",
            Self::Web => c"gbsup: web",
            Self::Webhook => c"gbsup: webhook",
            Self::Reader => c"gbsup: reader",
            Self::Peers => c"gbsup: peers",
            Self::Relay => c"gbsup: relay",
            Self::Helper => c"gbsup: helper",
        }
    }

    /// Has this process show it. The arguments of the command line are gone with that.
    pub(crate) fn show(self) {
        sys::set_title(self.title());
    }
}

/// A process as `/proc/PID/stat` has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    /// 0 for a process that came in from outside, as `docker exec` starts them.
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// Clock ticks since the machine booted; with the pid it names a process for good.
    pub(crate) started: u64,
    /// Clock ticks of processor time, with those of the children it has waited for.
    pub(crate) cpu: u64,
    /// One letter; see proc(5).
    pub(crate) state: char,
}

impl Process {
    /// Reads the process `pid`; none when it is gone.
    pub(crate) fn read(pid: i32) -> Option<Process> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Process::parse(&String::from_utf8_lossy(&stat))
    }

    /// Parses `57 (some) name) S 1 57 57 0 -1 ...`: the name may hold anything but ends at the last `)`.
    fn parse(stat: &str) -> Option<Process> {
        let (pid, rest) = stat.split_once(' ')?;
        let (_, rest) = rest.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        let session = fields.next()?.parse().ok()?;
        // Fields 14 to 17 of the line, the state being field 3: utime, stime, cutime, cstime.
        let mut times = fields.by_ref().skip(14 - 7).take(4).map(str::parse::<u64>);
        let cpu = (0..4).map(|_| times.next()?.ok()).sum::<Option<u64>>()?;
        let started = fields.nth(22 - 18)?.parse().ok()?;
        Some(Process { pid: pid.parse().ok()?, parent, group, session, started, cpu, state })
    }

    /// Whether it still runs: a zombie only waits for its parent to look.
    pub(crate) fn lives(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }

    /// Whether its environment at the start says that it belongs to the supervisor that was started again so often, or to
    /// the job of this number.
    pub(crate) fn is_marked(&self, restarts: u32, job: Option<&str>) -> bool {
        let environment = fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        let restarts = restarts.to_string();
        environment.split(|byte| *byte == 0).filter_map(|entry| str::from_utf8(entry).ok()).any(|entry| {
            match entry.split_once('=') {
                Some((RESTARTS, value)) => value == restarts,
                Some((MARK, value)) => value
                    .split_once('.')
                    .is_some_and(|(of, number)| of == restarts || job.is_some_and(|job| job == number)),
                _ => false,
            }
        })
    }

    /// Whether it is this program, asking the supervisor something and about to print the answer.
    pub(crate) fn is_client(&self) -> bool {
        let file = |path: &str| fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
        let exe = file(&format!("/proc/{}/exe", self.pid));
        if exe.is_none() || exe != file("/proc/self/exe") {
            return false;
        }
        let line = fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        let first = words.next().unwrap_or_default();
        // One that has just been started does not show yet what it is.
        let verb = words.next().unwrap_or_default();
        let roles = [Role::Init, Role::Supervisor, Role::Web];
        !roles.iter().any(|role| role.title().to_bytes() == first)
            && !matches!(verb, b"supervisor" | b"serve" | b"init")
    }
}

/// Every process of this PID namespace; none when `/proc` is not there or belongs to another one.
pub(crate) fn all() -> Option<Vec<Process>> {
    let own = fs::read_link("/proc/self").ok()?;
    if own.to_str()?.parse() != Ok(std::process::id()) {
        return None;
    }
    let entries = fs::read_dir("/proc").ok()?;
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    Some(pids.filter_map(Process::read).collect())
}

/// Those of `all` that are among `roots` or descend from one of them.
pub(crate) fn trees(all: &[Process], roots: &HashSet<i32>) -> Vec<Process> {
    let mut pids = roots.clone();
    // A child mostly comes after its parent; the loop is for pids that have wrapped around.
    loop {
        let before = pids.len();
        for process in all {
            if pids.contains(&process.parent) {
                pids.insert(process.pid);
            }
        }
        if pids.len() == before {
            return all.iter().filter(|process| pids.contains(&process.pid)).copied().collect();
        }
    }
}

/// Those of `all` that descend from this process.
pub(crate) fn descendants(all: &[Process]) -> Vec<Process> {
    let own = i32::try_from(std::process::id()).unwrap_or(1);
    let mut tree = trees(all, &HashSet::from([own]));
    tree.retain(|process| process.pid != own);
    tree
}

/// Whether a process shows that it is this.
pub(crate) fn is(pid: i32, role: Role) -> bool {
    /// Of a name the kernel keeps so many bytes.
    const KEPT: usize = 15;
    let name = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    role.title().to_bytes().chunks(KEPT).next() == name.strip_suffix(b"\n")
}

/// The process that traces this one, such as a debugger.
pub(crate) fn tracer(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?.trim().parse().ok()?;
    (tracer != 0).then_some(tracer)
}

/// When a process began; none when it is gone. See [`Process::started`].
pub(crate) fn started(pid: i32) -> Option<u64> {
    Process::read(pid).map(|process| process.started)
}

/// The living members of a process group.
pub(crate) fn group(group: i32) -> Vec<i32> {
    let members = all().unwrap_or_default().into_iter().filter(|process| process.group == group);
    members.filter(Process::lives).map(|process| process.pid).collect()
}

/// The members of the session and of the group that a process leads, and all that descends from them.
pub(crate) fn family(leader: i32) -> Vec<Process> {
    let all = all().unwrap_or_default();
    let belongs =
        |process: &&Process| process.session == leader || process.group == leader || process.pid == leader;
    let roots = all.iter().filter(belongs).map(|process| process.pid).collect();
    trees(&all, &roots)
}

/// Programs of Portage.
const PORTAGE: &[&str] = &["emerge", "ebuild", "emaint", "quickpkg", "ebuild.sh"];

/// Portage's programs that run: they hold locks and work on files that look abandoned.
pub(crate) fn portage_pids() -> Vec<u32> {
    pids_of(PORTAGE)
}

/// The program of Portage that a process is or works for, with its command line.
pub(crate) fn portage_above(pid: i32) -> Option<(i32, String)> {
    let mut pid = pid;
    // A tree of processes is not this deep; one that changes meanwhile must not lead in a circle.
    for _ in 0..32 {
        if runs_one_of(PORTAGE, pid) {
            let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            let words = line.split(|byte| *byte == 0).filter(|word| !word.is_empty());
            let words = words.map(String::from_utf8_lossy).skip_while(|word| word.contains("python"));
            return Some((pid, words.collect::<Vec<_>>().join(" ")));
        }
        pid = Process::read(pid)?.parent;
    }
    None
}

/// The same of git.
pub(crate) fn git_pids() -> Vec<u32> {
    pids_of(&["git"])
}

fn pids_of(programs: &[&str]) -> Vec<u32> {
    let all = all().unwrap_or_default();
    let running = all.iter().filter(|process| process.lives() && runs_one_of(programs, process.pid));
    running.filter_map(|process| u32::try_from(process.pid).ok()).collect()
}

/// Whether it is one of these programs, itself or as the script that an interpreter runs.
fn runs_one_of(programs: &[&str], pid: i32) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = line.split(|byte| *byte == 0).take(4).enumerate();
    words.filter(|(at, word)| *at == 0 || word.contains(&b'/')).any(|(_, word)| {
        let name = word.rsplit(|byte| *byte == b'/').next().unwrap_or(word);
        programs.iter().any(|program| program.as_bytes() == name)
    })
}

/// Tells PID 1 whose a process is: `RESTARTS.JOB`, how often the supervisor was started again and the number of the job.
/// Its name is none of gbsup's, because every package has it.
pub(crate) const MARK: &str = "SUPERVISED_JOB";

/// Set by PID 1: how often the supervisor was started again in this container.
pub(crate) const RESTARTS: &str = "GBSUP_RESTARTS";

/// Set by PID 1: how the supervisor before this one ended, such as `died by signal 9`.
pub(crate) const ENDED: &str = "GBSUP_ENDED";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_spaces_and_parentheses() {
        let line = "57 (a) b (c) S 1 50 40 0 -1 4194560 1 2 3 4 5 6 70 800 20 0 1 0 98765 1 2";
        let process = Process::parse(line).expect("parses");
        assert_eq!((process.pid, process.parent, process.group, process.session), (57, 1, 50, 40));
        assert_eq!((process.started, process.cpu), (98765, 5 + 6 + 70 + 800));
        assert!(process.lives());
    }

    #[test]
    fn a_cut_line_is_no_process() {
        assert_eq!(Process::parse("57 (sh) S 1 50"), None);
        assert_eq!(Process::parse(""), None);
    }

    #[test]
    fn this_process_descends_from_its_parent() {
        let all = all().expect("/proc is mounted");
        let own = i32::try_from(std::process::id()).expect("a pid");
        let parent = all.iter().find(|process| process.pid == own).expect("listed").parent;
        assert!(trees(&all, &HashSet::from([parent])).iter().any(|process| process.pid == own));
    }
}
