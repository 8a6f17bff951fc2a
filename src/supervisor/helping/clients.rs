//! What clients of distcc write of the files that they compile: it is read as it comes, and taken away behind.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::sync::mpsc::Sender;
use std::time::Instant;

use nix::fcntl::{FallocateFlags, fallocate};
use tracing::warn;

use super::stage::{Stage, Tries};
use super::told::Told;
use super::whose;
use crate::beneath::PORTAGE_ID;
use crate::decide::helpers::{DISTCC_DIR, DISTCC_LOG};
use crate::distcc::log::{self, Line, Place, Said};
use crate::model::helpers::BUILDER;
use crate::watch::Watch;

/// So many clients at a time; more are forgotten ones.
const MOST_CLIENTS: usize = 10_000;
/// Bytes that are kept of a line that has no end yet.
const LONGEST: usize = 1 << 20;
/// Bytes that are read at a time, and so many are taken away together.
const PIECE: usize = 64 << 10;

/// Reads until all is to end, which has come when nobody can write to `end` any more.
pub(super) fn read(stage: &Stage, told: &Sender<Told>, end: &PipeReader) {
    let [directory, log] = [DISTCC_DIR, DISTCC_LOG].map(Path::new);
    let (mut tries, mut known) = (Tries::default(), String::new());
    while !stage.is_over() {
        let began = Instant::now();
        let mut clients = Clients { told, at_work: HashMap::new(), held: Vec::new() };
        if let Err(problem) = follow(directory, log, &mut clients, end, || begin(directory, log)) {
            // Files go to helpers all the same.
            let problem = problem.to_string();
            if problem != known {
                warn!("{DISTCC_LOG} cannot be read, so files that are compiled are not counted: {problem}");
                known = problem;
            }
        }
        tries.wait(began, stage);
    }
    // Where that cannot be done nothing was there.
    drop(close(log));
}

/// Gives what clients of a step that still runs have to say to nobody: they would begin a file of their own, which grows.
fn close(log: &Path) -> io::Result<()> {
    fs::remove_file(log)?;
    symlink("/dev/null", log)
}

/// Reads what comes, until the end is there. Every build can put another file in the place of the one that is read, which goes.
fn follow(
    directory: &Path,
    log: &Path,
    clients: &mut Clients<'_>,
    end: &PipeReader,
    begin: impl Fn() -> io::Result<File>,
) -> io::Result<()> {
    let watch = Watch::new()?;
    loop {
        let mut file = begin()?;
        let own = file.metadata()?;
        watch.only(&[directory])?;
        let (mut at, mut taken) = (0, 0);
        loop {
            at += clients.take_in(&mut file)?;
            // Where this cannot be done the file only grows.
            if at - taken >= PIECE as u64 {
                let [offset, length] =
                    [taken, at - taken].map(|bytes| i64::try_from(bytes).unwrap_or_default());
                let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
                let _grows = fallocate(&file, flags, offset, length);
                taken = at;
            }
            let same = |there: fs::Metadata| (there.dev(), there.ino()) == (own.dev(), own.ino());
            if !fs::symlink_metadata(log).is_ok_and(same) {
                break;
            }
            if watch.wait_or(end.as_fd(), None)? {
                return Ok(());
            }
        }
    }
}

/// An empty file, which builds may write whoever they are.
fn begin(directory: &Path, path: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    let shared = |path: &Path, mode: u32| {
        chown(path, Some(0), Some(PORTAGE_ID))?;
        fs::set_permissions(path, Permissions::from_mode(mode))
    };
    shared(directory, 0o2775)?;
    match fs::remove_file(path) {
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => return Err(problem),
        _ => {}
    }
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    shared(path, 0o664)?;
    Ok(file)
}

struct Clients<'a> {
    told: &'a Sender<Told>,
    at_work: HashMap<u32, Client>,
    held: Vec<u8>,
}

/// One that has said something.
#[derive(Default)]
struct Client {
    /// It compiles, and does not link or preprocess.
    compiles: bool,
    /// Why it hands the file to nobody.
    stays_for: Option<&'static str>,
    package: Option<String>,
}

impl Clients<'_> {
    /// Reads all that is there; how much that was.
    fn take_in(&mut self, file: &mut File) -> io::Result<u64> {
        let mut bytes = vec![0; PIECE];
        let mut all = 0;
        loop {
            let length = file.read(&mut bytes)?;
            if length == 0 {
                return Ok(all);
            }
            self.feed(&bytes[..length]);
            all += length as u64;
        }
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        let Some(end) = self.held.iter().rposition(|byte| *byte == b'\n') else {
            if self.held.len() > LONGEST {
                self.held.clear();
            }
            return;
        };
        let rest = self.held.split_off(end + 1);
        let lines = std::mem::replace(&mut self.held, rest);
        for line in String::from_utf8_lossy(&lines).lines().filter_map(log::read) {
            self.take(line);
        }
    }

    fn take(&mut self, Line { process, said }: Line<'_>) {
        if self.at_work.len() >= MOST_CLIENTS {
            self.at_work.clear();
        }
        match said {
            Said::Begins => {
                self.client(process).compiles = true;
            }
            Said::Runs(arguments) if !self.at_work.contains_key(&process) => {
                if let Some(option) = log::stays_for(arguments) {
                    let client = self.client(process);
                    (client.compiles, client.stays_for) = (true, Some(option));
                }
            }
            Said::Runs(_) => {}
            Said::Compiled(on) => {
                if let Some(client) = self.at_work.remove(&process).filter(|client| client.compiles) {
                    let told = match on {
                        Place::Here => Told::Compiled(BUILDER.to_owned(), client.package),
                        Place::At(gate) => Told::CompiledAt(Some(gate), client.package),
                        Place::Elsewhere => Told::CompiledAt(None, client.package),
                    };
                    drop(self.told.send(told));
                    if let Some(option) = client.stays_for {
                        drop(self.told.send(Told::Kept(option)));
                    }
                }
            }
            Said::Ends => drop(self.at_work.remove(&process)),
        }
    }

    fn client(&mut self, process: u32) -> &mut Client {
        let package = whose::package_of(process).map(|package| package.to_string());
        let client = self.at_work.entry(process).or_default();
        client.package = package;
        client
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn files_are_told_by_where_they_were_compiled() {
        let (told, heard) = mpsc::channel();
        let mut clients = Clients { told: &told, at_work: HashMap::new(), held: Vec::new() };
        let text = "distcc[4000001] compile from a.c to a.o\n\
            distcc[4000001] exec on 127.0.1.1:3632/2: gcc -c a.c -o a.o\n\
            distcc[4000002] exec on localhost: gcc -march=native -c b.c\n\
            distcc[4000003] exec on localhost: gcc -o a a.o\n\
            distcc[4000001] compile a.c on 127.0.1.1:3632/2 completed ok\n\
            distcc[4000002] compile (null) on localhost completed ok\n\
            distcc[4000003] compile (null) on localhost completed ok\n\
            distcc[4000005] compile from d.c to d.o\n\
            distcc[4000005] compile d.c on a name of its own completed ok\n\
            distcc[4000004] compile from c.c to c.o\n\
            distcc[4000004] ERROR: compile c.c on localhost failed\n\
            distcc[4000004] (dcc_exit) exit: code 1; self: 0.0 user\n\
            distcc[4000004] compile c.c on localhost completed ok\n";
        for bytes in text.as_bytes().chunks(7) {
            clients.feed(bytes);
        }
        assert!(clients.held.is_empty());
        drop(told);
        let words = |told| match told {
            Told::Compiled(by, None) => by,
            Told::CompiledAt(gate, None) => {
                gate.map_or_else(|| "elsewhere".to_owned(), |gate| gate.to_string())
            }
            Told::Kept(option) => option.to_owned(),
            _ => "something else".to_owned(),
        };
        let heard: Vec<_> = heard.into_iter().map(words).collect();
        assert_eq!(heard, ["127.0.1.1:3632", BUILDER, "-march=native", "elsewhere"]);
    }

    /// Its end is a way that is closed, and each of its files one that is told.
    #[test]
    fn a_log_that_a_build_puts_in_its_place_is_taken_away() {
        let place = tempfile::tempdir().unwrap();
        let (log, other) = (place.path().join("log"), place.path().join("other"));
        let ((told, heard), (new, begins)) = (mpsc::channel(), mpsc::channel());
        let (ended, end) = io::pipe().unwrap();
        let (directory, path) = (place.path().to_owned(), log.clone());
        let follows = std::thread::spawn(move || {
            let begin = || {
                drop(fs::remove_file(&path));
                let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
                let _nobody_waits = new.send(());
                file
            };
            let mut clients = Clients { told: &told, at_work: HashMap::new(), held: Vec::new() };
            follow(&directory, &path, &mut clients, &ended, begin).map_err(|problem| problem.to_string())
        });
        let text = "distcc[4000001] compile from a.c to a.o\n\
            distcc[4000001] compile a.c on localhost completed ok\n";
        for _ in 0..3 {
            begins.recv().unwrap();
            let mut file = OpenOptions::new().append(true).open(&log).unwrap();
            io::Write::write_all(&mut file, text.as_bytes()).unwrap();
            assert!(matches!(heard.recv(), Ok(Told::Compiled(by, None)) if by == BUILDER));
            fs::write(&other, text).unwrap();
            fs::rename(&other, &log).unwrap();
        }
        begins.recv().unwrap();
        fs::remove_file(&log).unwrap();
        begins.recv().unwrap();
        drop(end);
        assert_eq!(follows.join().unwrap(), Ok(()));
        assert!(heard.recv().is_err(), "what a build has put there is no log");
        close(&log).unwrap();
        fs::write(&log, text).unwrap();
        assert!(!fs::metadata(&log).unwrap().is_file() && fs::read(&log).unwrap().is_empty());
    }

    #[test]
    fn what_is_there_already_is_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let (directory, other) = (place.path().join("distcc"), place.path().join("other"));
        fs::create_dir(&directory).unwrap();
        fs::write(&other, "kept").unwrap();
        symlink(&other, directory.join("log")).unwrap();
        if begin(&directory, &directory.join("log")).is_err() {
            // Nobody but root gives files to others.
            assert!(!nix::unistd::geteuid().is_root());
        }
        assert_eq!(fs::read_to_string(&other).unwrap(), "kept");
    }
}
