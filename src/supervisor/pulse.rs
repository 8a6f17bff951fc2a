//! Looks at the running job, when the core wants to know whether it still works; see
//! [`stall`](crate::model::stall).

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{SysconfVar, sysconf};

use super::Supervisor;
use crate::beneath::{self, Beneath};
use crate::host::{live, locks};
use crate::model::job::{Job, Package};
use crate::model::stall::{self, Process, Pulse};
use crate::model::{Event, JobId, work};
use crate::procs;

impl Supervisor {
    /// Measures a sign of life of the job.
    pub(super) fn look(&self, id: JobId) {
        let Some((job, leader)) = self.at_work(id) else { return };
        let (job, log, logs) =
            (job.clone(), self.log_of(job), self.state.live.config.volume.path.join("log"));
        self.beside(move |events| {
            let pulse = Pulse {
                cpu: cpu(leader, own()),
                output: written(&job, &log, &logs),
                waits: leader.and_then(locks::wait_of).is_some(),
            };
            // The loop may have ended meanwhile, and nobody wants to know.
            drop(events.send(Event::Pulse { job: id, pulse }));
        });
    }

    /// Writes down what the processes of the job are doing. emerge is asked for the phases.
    pub(super) fn examine(&self, id: JobId) {
        let Some((job, leader)) = self.at_work(id) else { return };
        let (job, log) = (job.clone(), self.log_of(job));
        let stall = job.watch.map(|watch| watch.stall()).unwrap_or_default();
        self.beside(move |events| {
            drop(events.send(Event::Live(live::jobs(&job))));
            let processes = leader.map(processes).unwrap_or_default();
            let mut told = OpenOptions::new().append(true).open(&log);
            if let Ok(log) = &mut told {
                drop(log.write_all(stall::scene(&processes, stall).as_bytes()));
            }
            drop(events.send(Event::Examined { job: id, processes: stall::tree(&processes) }));
        });
    }

    /// The job, and the process that leads it. Between two commands there is none, and the work is done in here.
    fn at_work(&self, id: JobId) -> Option<(&Job, Option<i32>)> {
        let job = self.state.live.job.as_ref().filter(|job| job.id == id)?;
        Some((job, self.performer.leader(id)))
    }

    fn log_of(&self, job: &Job) -> PathBuf {
        work::step_log(&self.state.live.config.volume.path, job.cycle, job.work.step())
    }
}

/// This process.
fn own() -> i32 {
    i32::try_from(std::process::id()).unwrap_or(1)
}

/// The processor time that the job has used so far, as far as anybody still knows of it. Without a leader this very process works for it,
/// and what else it started, such as the server, does not.
fn cpu(leader: Option<i32>, own: i32) -> Duration {
    let family = procs::family(leader.unwrap_or(own));
    let counts = |process: &&procs::Process| leader.is_some() || process.pid == own;
    let ticks: u64 = family.iter().filter(counts).map(|process| process.cpu).sum();
    let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|n| u64::try_from(n).ok());
    // 100 on every Linux that Gentoo runs on.
    Duration::from_millis(ticks.saturating_mul(1000) / per_second.unwrap_or(100).max(1))
}

/// How much the job has written: to the log of its step, and to those of the packages in work. With
/// several jobs emerge itself is silent between two packages.
fn written(job: &Job, log: &Path, logs: &Path) -> u64 {
    let builds = Beneath::open(Path::new(live::BUILDS)).ok();
    let of_package = |package: &Package| {
        let (builds, log) = (builds.as_ref()?, live::build_directory(&package.cpv).join("temp/build.log"));
        let entry = builds.entry(&log).ok()?;
        match entry.kind {
            beneath::Kind::File => Some(entry.size),
            // It leads to where PORTAGE_LOGDIR is.
            _ => Some(beneath::log(&builds.link(&log).ok()?, &[logs]).ok()?.metadata().ok()?.len()),
        }
    };
    let of_packages = job.packages.values().filter_map(of_package);
    of_packages.chain(fs::metadata(log).map(|meta| meta.len())).sum()
}

/// What the processes of the job are doing. One that ends meanwhile is left out.
fn processes(leader: i32) -> Vec<Process> {
    let living = procs::family(leader).into_iter().filter(procs::Process::lives);
    let seen = living.map(|process| {
        let pid = process.pid;
        let text = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let words = text("cmdline");
        let words = words.split(|byte| *byte == 0).filter(|word| !word.is_empty());
        let command = words.map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
        let waits_in = String::from_utf8_lossy(&text("wchan")).trim().to_owned();
        Process {
            pid,
            parent: process.parent,
            state: process.state,
            // The kernel's way to say that it runs, or that it does not tell.
            waits_in: if waits_in == "0" { String::new() } else { waits_in },
            command,
            files: open_files(pid),
        }
    });
    seen.collect()
}

fn open_files(pid: i32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut files: Vec<(u32, String)> = entries
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let file = fs::read_link(entry.path()).ok()?;
            Some((number, format!("{number} -> {}", file.display())))
        })
        .collect();
    files.sort();
    files.into_iter().map(|(_, line)| line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_very_process_does() {
        let own = i32::try_from(std::process::id()).unwrap();
        let mut child = std::process::Command::new("sleep").arg("300").spawn().unwrap();
        let seen = processes(own);
        child.kill().unwrap();
        child.wait().unwrap();
        let sleep = seen.iter().find(|process| process.command == "sleep 300").expect("it runs");
        assert_eq!(sleep.parent, own);
        assert!(sleep.files.iter().any(|file| file.starts_with("1 -> ")), "{sleep:?}");
    }

    #[test]
    fn work_takes_processor_time() {
        let own = i32::try_from(std::process::id()).unwrap();
        for leader in [Some(own), None] {
            let before = cpu(leader, own);
            let deadline = std::time::Instant::now() + Duration::from_mins(1);
            while cpu(leader, own) < before + Duration::from_millis(30) {
                assert!(std::time::Instant::now() < deadline);
            }
        }
    }

    /// A process that waits in its own code, as at a pipe, stalls as one does that waits for a child; whatever another child of it does.
    #[test]
    fn a_job_without_a_child_stalls() {
        let mut waiting = std::process::Command::new("sh")
            .args(["-c", "sh -c 'while :; do :; done' & echo $!; exec sleep 300"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = std::io::BufReader::new(waiting.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut out, &mut line).unwrap();
        let (busy, own) = (line.trim().parse::<i32>().unwrap(), i32::try_from(waiting.id()).unwrap());
        let mut watch = stall::Watch::begin(Duration::from_secs(8), Duration::ZERO);
        let mut looks = 0;
        let mut stalled = false;
        while !stalled && looks < 20 {
            // Between two looks the other child has worked.
            let before = cpu(Some(busy), own);
            while cpu(Some(busy), own) < before + Duration::from_millis(50) {
                std::thread::yield_now();
            }
            stalled = watch.note(Pulse { cpu: cpu(None, own), ..Pulse::default() });
            looks += 1;
        }
        for pid in [busy, own] {
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL).unwrap();
        }
        waiting.wait().unwrap();
        assert!(stalled && looks <= 9, "{looks}");
    }
}
