//! Packages of whatever origin, read where they can do no harm: in a child without rights, with little memory and little time.
//!
//! Whoever reads packages has one child for all of them. It gets each file as an open descriptor, since it could open none itself, and
//! answers with a line of JSON. A child that comes to the end of what it may take is gone: that package is too demanding, and the next one
//! gets another child. Where there can be none, packages are read in place, within the bounds that every reader has.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use nix::sys::resource::{Resource, UsageWho, getrusage, setrlimit};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::portage::command::Inherits;
use crate::portage::files::gpkg::digests::Whole;
use crate::portage::files::gpkg::image::{self, Demand};
use crate::portage::files::gpkg::{self, Damage, Reading};
use crate::portage::files::xpak;
use crate::procs::Role;
use crate::{children, confine, sys};

/// What a child may have of memory besides what it begins with: 32 MiB of what was unpacked, and what a decompressor needs besides.
const MEMORY: u64 = 48 << 20;
/// Seconds of processor time after which a child is gone, and those after which it makes room for another. So each package has at least
/// the difference.
const TIME: u64 = 1800;
const ENOUGH: i64 = 600;
/// Descriptors: the three, the socket, a package.
const FILES: u64 = 16;
/// No answer is longer: 64 signatures and a Manifest, as JSON.
const LONGEST: u64 = 16 << 20;
/// So long a child may take to give up its rights.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a child says when it has.
const READY: u8 = b'!';
/// How an answer begins that is the last one of a child, and any other.
const LAST: u8 = b'.';
const MORE: u8 = b'+';

/// What is started as a reader.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Says which file is gbsup, of which the verb `examine` is a reader. Whoever is not told reads in place.
pub fn by(program: PathBuf) {
    let _ = PROGRAM.set(program);
}

/// What is done with a file.
#[derive(Clone, Copy)]
enum Task {
    Gpkg = 1,
    Xpak = 2,
    Demand = 3,
}

/// Who reads packages, one after the other.
pub struct Examiner {
    program: Option<PathBuf>,
    running: Option<Running>,
}

/// A child, and our end of its standard input.
struct Running {
    child: Child,
    socket: BufReader<UnixStream>,
}

impl Default for Examiner {
    /// One by what [`by`] said.
    fn default() -> Self {
        Self { program: PROGRAM.get().cloned(), running: None }
    }
}

impl Examiner {
    /// Reads a gpkg to its last byte; `size` is the length of the file.
    ///
    /// # Errors
    /// As for [`gpkg::read`], and [`Damage::Demanding`].
    pub fn gpkg(&mut self, file: &File, size: u64) -> Result<Reading, Damage> {
        self.ask(Task::Gpkg, file, size, gpkg)
    }

    /// Reads a package of the older format to its last byte.
    ///
    /// # Errors
    /// As for [`xpak::check`], and [`Damage::Demanding`].
    pub fn xpak(&mut self, file: &File, size: u64) -> Result<Whole, Damage> {
        self.ask(Task::Xpak, file, size, xpak)
    }

    /// Which kernel a gpkg demands.
    ///
    /// # Errors
    /// As for [`image::demand`], and [`Damage::Demanding`].
    pub fn demand(&mut self, file: &File, size: u64) -> Result<Option<Demand>, Damage> {
        self.ask(Task::Demand, file, size, demand)
    }

    fn ask<T: DeserializeOwned>(
        &mut self,
        task: Task,
        file: &File,
        size: u64,
        here: fn(&File, u64) -> Result<T, Damage>,
    ) -> Result<T, Damage> {
        loop {
            // One that has read others may be gone for another reason: the system is short of memory.
            let is_fresh = self.running.is_none();
            if is_fresh {
                self.running = self.program.as_ref().and_then(|program| Running::start(program).ok());
            }
            let Some(running) = &mut self.running else { return here(file, size) };
            let answer = running.ask(task, file, size);
            if !matches!(&answer, Ok((false, _))) {
                self.running = None;
            }
            match answer.ok().and_then(|(_, text)| serde_json::from_slice(&text).ok()) {
                Some(answer) => return answer,
                None if is_fresh => return Err(Damage::Demanding),
                None => {}
            }
        }
    }
}

impl Running {
    /// Starts a child and waits until it has given up its rights.
    fn start(program: &Path) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new(program);
        command.arg("examine").env_clear().envs(children::environment(Inherits::Nothing, [("", ""); 0]));
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::null());
        sys::isolate(&mut command, sys::Child { oom_score_adj: Some(1000), ..sys::Child::default() });
        let child = command.spawn()?;
        drop(command);
        ours.set_read_timeout(Some(PATIENCE))?;
        let mut running = Self { child, socket: BufReader::new(ours) };
        let mut ready = [0];
        running.socket.read_exact(&mut ready)?;
        if ready != [READY] {
            return Err(io::ErrorKind::InvalidData.into());
        }
        running.socket.get_ref().set_read_timeout(None)?;
        Ok(running)
    }

    /// Whether it was the last answer, and the answer.
    fn ask(&mut self, task: Task, file: &File, size: u64) -> io::Result<(bool, Vec<u8>)> {
        let mut question = [task as u8; 9];
        question[1..].copy_from_slice(&size.to_le_bytes());
        let socket = self.socket.get_ref().as_raw_fd();
        let files = [file.as_raw_fd()];
        let with = [ControlMessage::ScmRights(&files)];
        let sent =
            sendmsg::<()>(socket, &[io::IoSlice::new(&question)], &with, MsgFlags::MSG_NOSIGNAL, None)?;
        let mut answer = Vec::new();
        self.socket.by_ref().take(LONGEST).read_until(b'\n', &mut answer)?;
        match answer.first() {
            Some(&first)
                if (first == LAST || first == MORE) && sent == question.len() && answer.ends_with(b"\n") =>
            {
                answer.remove(0);
                Ok((first == LAST, answer))
            }
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// It has nothing that could be lost.
impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// `gbsup examine`: reads what comes through standard input until nobody is there any more.
///
/// # Errors
/// When its rights could not be given up, or the socket does not work.
pub(crate) fn run() -> io::Result<()> {
    Role::Reader.show();
    setrlimit(Resource::RLIMIT_AS, size_now()? + MEMORY, size_now()? + MEMORY)?;
    setrlimit(Resource::RLIMIT_CPU, TIME, TIME)?;
    confine::alone(FILES)?;
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    socket.write_all(&[READY])?;
    loop {
        let mut question = [0; 9];
        let (count, file) = sys::receive(socket.as_fd(), &mut question)?;
        let (Some(file), 9) = (file.map(File::from), count) else { return Ok(()) };
        let size = u64::from_le_bytes([
            question[1],
            question[2],
            question[3],
            question[4],
            question[5],
            question[6],
            question[7],
            question[8],
        ]);
        let answer = match question[0] {
            1 => json(&gpkg(&file, size)),
            2 => json(&xpak(&file, size)),
            3 => json(&demand(&file, size)),
            _ => return Ok(()),
        }?;
        let used = getrusage(UsageWho::RUSAGE_SELF)?;
        let is_last = used.user_time().tv_sec() + used.system_time().tv_sec() >= ENOUGH;
        socket.write_all(&[&[if is_last { LAST } else { MORE }], &answer[..], b"\n"].concat())?;
        if is_last {
            return Ok(());
        }
    }
}

/// The address space that this process has, in bytes (proc_pid_status(5)).
fn size_now() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let size = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    size.map(|size| size << 10).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn json(answer: &impl Serialize) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(answer)?)
}

fn gpkg(file: &File, size: u64) -> Result<Reading, Damage> {
    gpkg::read(file, size)
}

fn xpak(mut file: &File, size: u64) -> Result<Whole, Damage> {
    xpak::check(file, size)?;
    file.rewind()?;
    Ok(Whole::read(file)?)
}

fn demand(file: &File, size: u64) -> Result<Option<Demand>, Damage> {
    Ok(image::demand(BufReader::new(file), size)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const GOOD: &[u8] = include_bytes!("../../tests/captured/t1-1-1.gpkg.tar");

    /// What comes of a good package when this script is the reader.
    fn read_by(script: &str) -> Result<(), Damage> {
        let place = tempfile::tempdir().unwrap();
        let (program, package) = (place.path().join("program"), place.path().join("package"));
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(&package, GOOD).unwrap();
        let mut examiner = Examiner { program: Some(program), running: None };
        let outcome = |examiner: &mut Examiner| {
            let file = File::open(&package).unwrap();
            examiner.gpkg(&file, GOOD.len() as u64).and_then(Reading::verify).map(drop)
        };
        let (first, second) = (outcome(&mut examiner), outcome(&mut examiner));
        assert_eq!(first, second);
        first
    }

    #[test]
    fn a_reader_that_dies_of_a_package_names_it() {
        for death in ["exit 1", "kill -ABRT $$", "echo nonsense >&0"] {
            let script = format!("printf '!' >&0\nhead -c 9 <&0 >/dev/null\n{death}");
            assert_eq!(read_by(&script), Err(Damage::Demanding), "{death}");
        }
    }

    #[test]
    fn without_a_reader_packages_are_read_in_place() {
        for script in ["exit 1", "printf '?' >&0"] {
            assert_eq!(read_by(script), Ok(()), "{script}");
        }
    }
}
