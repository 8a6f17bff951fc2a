//! Asks a running emerge what it does, when somebody wants to know.

use std::collections::BTreeSet;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::kill;
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::runtime::Builder;
use tokio::time::timeout;

use super::places::{self, STATUS_FILES};
use crate::beneath::Beneath;
use crate::model::job::Job;
use crate::portage::files::live::{self, LiveJob, Snapshot};
use crate::portage::names::cpv::Cpv;

/// How long emerge may take to answer. Its file, which it may be too busy to write, is then not
/// much older than two seconds.
const PATIENCE: Duration = Duration::from_millis(50);
/// The longest snapshot worth reading.
const LONGEST: u64 = 1 << 20;
/// Where packages are built (PORTAGE_TMPDIR of every Gentoo, below it `portage`).
pub(crate) const BUILDS: &str = "/var/tmp/portage";

/// The packages in the works, as far as anybody knows more of them than their names: from emerge's
/// socket, which makes a snapshot of this moment, else from its file; and from what each build has
/// left in its directory where this Portage has neither (before 3.0.82, or FEATURES=-observability).
pub(crate) fn jobs(job: &Job) -> Vec<LiveJob> {
    let mut jobs = published(Path::new(STATUS_FILES));
    if jobs.is_empty() {
        let built = job.packages.values().filter(|package| !package.binary && !package.merging);
        jobs.extend(built.filter_map(|package| {
            let builds = Beneath::open(Path::new(BUILDS)).ok()?;
            let directory = build_directory(&package.cpv);
            let phase = live::phase_after(|mark| builds.entry(directory.join(mark)).is_ok())?;
            Some(LiveJob::in_phase(package.cpv.clone(), phase))
        }));
    }
    jobs
}

/// What the processes that publish it say of themselves.
fn published(directory: &Path) -> Vec<LiveJob> {
    let pids = pids(directory);
    // Most of the time there are none, and without descriptors nothing can be asked.
    let runtime = || Builder::new_current_thread().enable_io().enable_time().build().ok();
    let Some(runtime) = (!pids.is_empty()).then(runtime).flatten() else { return Vec::new() };
    let ask = |pid| runtime.block_on(snapshot(directory, pid, PATIENCE));
    pids.into_iter().filter_map(ask).flat_map(|snapshot| snapshot.jobs).collect()
}

/// Where Portage builds a package, below [`BUILDS`].
pub(crate) fn build_directory(package: &Cpv) -> PathBuf {
    Path::new(package.category()).join(package.pf())
}

/// The processes that publish what they do. A file that is left of one that is gone does not count.
fn pids(directory: &Path) -> BTreeSet<u32> {
    let names = places::names(directory);
    let pids = names.iter().filter_map(|name| live::pid_of(name));
    pids.filter(|&pid| i32::try_from(pid).is_ok_and(|pid| kill(Pid::from_raw(pid), None).is_ok())).collect()
}

async fn snapshot(directory: &Path, pid: u32, patience: Duration) -> Option<Snapshot> {
    let place = Beneath::open(directory).ok()?;
    let asked = timeout(patience, ask(&place, &format!("emerge-{pid}.sock"))).await;
    let text = match asked {
        Ok(Some(text)) => text,
        _ => place.read(format!("emerge-{pid}.json"), LONGEST).ok()?,
    };
    live::snapshot(&text).filter(|snapshot| snapshot.pid == pid)
}

/// The first line that is sent to whoever connects.
async fn ask(place: &Beneath, socket: &str) -> Option<Vec<u8>> {
    let found = place.any(socket).ok()?;
    // The very thing that was found, whatever has its name by now.
    let stream = UnixStream::connect(format!("/proc/self/fd/{}", found.as_raw_fd())).await.ok()?;
    let mut line = Vec::new();
    BufReader::new(stream.take(LONGEST)).read_until(b'\n', &mut line).await.ok()?;
    line.ends_with(b"\n").then_some(line)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn text(pid: u32, phase: &str) -> String {
        let task = format!(r#"{{"cpv":"a/b-1","kind":"build","phase":"{phase}"}}"#);
        format!(r#"{{"type":"snapshot","schema":1,"emerge_pid":{pid},"tasks":[{task}]}}"#) + "\n"
    }

    fn phase(directory: &Path, pid: u32, patience: Duration) -> Option<String> {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(snapshot(directory, pid, patience))?.jobs.pop()?.phase
    }

    #[test]
    fn the_socket_is_asked_first_and_the_file_is_there_for_when_it_is_silent() {
        let directory = tempfile::tempdir().unwrap();
        let pid = std::process::id();
        let (soon, late) = (Duration::from_millis(1), Duration::from_mins(1));
        assert_eq!(phase(directory.path(), pid, late), None);
        let file = directory.path().join(format!("emerge-{pid}.json"));
        fs::write(&file, text(pid, "unpack")).unwrap();
        assert_eq!(phase(directory.path(), pid, late).as_deref(), Some("unpack"));

        let socket = directory.path().join(format!("emerge-{pid}.sock"));
        let listener = UnixListener::bind(&socket).unwrap();
        assert_eq!(phase(directory.path(), pid, soon).as_deref(), Some("unpack"), "it does not answer");
        drop(listener.accept().unwrap());
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(text(pid, "compile").as_bytes()).unwrap();
        });
        assert_eq!(phase(directory.path(), pid, late).as_deref(), Some("compile"));
        answering.join().unwrap();

        fs::remove_file(&socket).unwrap();
        fs::write(&file, text(pid + 1, "install")).unwrap();
        assert_eq!(phase(directory.path(), pid, late), None, "somebody else's");
    }

    #[test]
    fn those_that_are_gone_publish_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let mut gone = std::process::Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        for name in [std::process::id(), gone.id()] {
            fs::write(directory.path().join(format!("emerge-{name}.json")), "").unwrap();
        }
        assert_eq!(pids(directory.path()), [std::process::id()].into());
    }
}
