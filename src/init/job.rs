//! What a dead supervisor left running is stopped before the next one starts anything: there are
//! never two emerges.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::libc;

use super::say::say;
use super::sweep::tell;
use crate::procs::{self, Process};

/// How often the processes are looked at while they are being stopped.
pub(super) const TICK: Duration = Duration::from_millis(50);
/// How long after INT, then after TERM, then after KILL what is left gets the next. About 10 s in all.
const AFTER_INT: Duration = Duration::from_secs(5);
const AFTER_TERM: Duration = Duration::from_secs(3);
const AFTER_KILL: Duration = Duration::from_secs(2);

/// The line of the job file: `JOB PID STARTED`, PID being 0 while the job is about to be started.
#[derive(Debug, Eq, PartialEq)]
struct JobFile {
    id: String,
    /// Leader of the job's session and group.
    pid: i32,
    /// Field 22 of its `/proc/PID/stat`.
    started: u64,
}

impl JobFile {
    fn parse(text: &str) -> Option<JobFile> {
        let mut fields = text.split_whitespace();
        let id = fields.next()?.to_owned();
        let pid = fields.next()?.parse().ok()?;
        let started = fields.next()?.parse().ok()?;
        Some(JobFile { id, pid, started })
    }
}

/// The processes of a dead supervisor, on the way to being none.
#[derive(Debug)]
pub(super) struct Clearing {
    path: PathBuf,
    job: Option<JobFile>,
    /// How often the dead supervisor had been started again, which its children have in their environment.
    restarts: u32,
    /// Pid and start time of every process found so far: a child keeps belonging when its parent is gone.
    known: HashSet<(i32, u64)>,
    step: Step,
    /// When the next step is due.
    due: Instant,
}

/// What the processes have been sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    Int,
    Term,
    Kill,
}

/// How far the clearing is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum HowFar {
    Done,
    Going,
}

impl Clearing {
    /// Finds what the supervisor that had `GBSUP_RESTARTS=restarts` left and begins to stop it.
    ///
    /// By the job file on `volume`, and by the environment: the file may be missing, since a full or
    /// absent volume is one reason for a supervisor to die.
    pub(super) fn begin(volume: &Path, restarts: u32, now: Instant) -> Clearing {
        let path = volume.join("state/job");
        let job = read_head(&path).and_then(|text| JobFile::parse(&text));
        let known = HashSet::new();
        let mut clearing = Clearing { path, job, restarts, known, step: Step::Int, due: now + AFTER_INT };
        let found = tell(|| clearing.find(), libc::SIGINT);
        if found > 0 {
            let job = clearing.job.as_ref().map_or(String::new(), |job| format!(", job {}", job.id));
            say(&format!("stopping what the supervisor left running: {}{job}", processes(found)));
        }
        clearing
    }

    /// Goes on; to be called every [`TICK`] until it is done, children being reaped meanwhile.
    pub(super) fn go_on(&mut self, now: Instant) -> HowFar {
        let left = self.find();
        if left.is_empty() {
            return self.done();
        }
        if now >= self.due {
            let (step, after) = match self.step {
                Step::Int => (Step::Term, AFTER_TERM),
                Step::Term => (Step::Kill, AFTER_KILL),
                Step::Kill => {
                    say(&format!(
                        "{} did not go away when killed; going on regardless",
                        processes(left.len())
                    ));
                    return self.done();
                }
            };
            (self.step, self.due) = (step, now + after);
            if step == Step::Term {
                tell(|| self.find(), libc::SIGTERM);
            }
        }
        if self.step == Step::Kill {
            // Every time: nothing may slip through by being started at the wrong moment.
            tell(|| self.find(), libc::SIGKILL);
        }
        HowFar::Going
    }

    fn done(&self) -> HowFar {
        let _ = fs::remove_file(&self.path);
        HowFar::Done
    }

    /// The living processes of the dead supervisor. Only descendants of init: a shell that came in by
    /// `docker exec` is none, whatever its environment.
    fn find(&mut self) -> Vec<Process> {
        let ours = procs::descendants(&procs::all().unwrap_or_default());
        let leader = self.job.as_ref().and_then(|job| leader(job, &ours));
        let id = self.job.as_ref().map(|job| job.id.as_str());
        let belongs = |process: &&Process| {
            self.known.contains(&(process.pid, process.started))
                || leader.is_some_and(|pid| process.session == pid || process.group == pid)
                || process.is_marked(self.restarts, id)
        };
        let roots = ours.iter().filter(belongs).map(|process| process.pid).collect();
        let mut found = procs::trees(&ours, &roots);
        found.retain(Process::lives);
        self.known.extend(found.iter().map(|process| (process.pid, process.started)));
        found
    }
}

/// The job's leader, which may be gone; not when its pid has come to name another process, since a
/// pid that is still a session or a group is given to nobody.
fn leader(job: &JobFile, all: &[Process]) -> Option<i32> {
    let other = all.iter().any(|process| process.pid == job.pid && process.started != job.started);
    (job.pid > 0 && !other).then_some(job.pid)
}

/// `1 process`, `2 processes`.
fn processes(count: usize) -> String {
    format!("{count} {}", if count == 1 { "process" } else { "processes" })
}

/// The first bytes of a file that should hold one line.
fn read_head(path: &Path) -> Option<String> {
    const MOST: u64 = 4096;
    let mut text = String::new();
    File::open(path).ok()?.take(MOST).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_file_is_three_fields() {
        let file = JobFile { id: "17".to_owned(), pid: 57, started: 98765 };
        assert_eq!(JobFile::parse("17 57 98765\n"), Some(file));
        for bad in ["", "17", "17 57", "17 x 1", "17 57 -1"] {
            assert_eq!(JobFile::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_reused_pid_is_not_the_leader() {
        let own = std::process::id().try_into().expect("a pid");
        let all = procs::all().expect("/proc is mounted");
        let started = all.iter().find(|process| process.pid == own).expect("listed").started;
        let job = |pid, started| JobFile { id: "17".to_owned(), pid, started };
        assert_eq!(leader(&job(own, started), &all), Some(own));
        assert_eq!(leader(&job(own, started + 1), &all), None);
        assert_eq!(leader(&job(0, 0), &all), None);
    }
}
