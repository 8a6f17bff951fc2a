//! What clients of distcc write of the files that they compile: it is read as it comes, and taken away behind.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;
use std::sync::mpsc::Sender;

use nix::fcntl::{FallocateFlags, fallocate};

use super::stage::Stage;
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
/// What the threads of this are told as.
const NAME: &str = "clients";

/// Reads until all is to end.
pub(super) fn read(stage: &Stage, told: &Sender<Told>) {
    if let Err(problem) = follow(stage, told) {
        drop(told.send(Told::Ended(NAME, format!("{DISTCC_LOG} cannot be read: {problem}"))));
    }
}

/// Makes those who wait for what clients write look up.
pub(super) fn end() {
    // It is not there without distcc.
    drop(fs::remove_file(DISTCC_LOG));
}

fn follow(stage: &Stage, told: &Sender<Told>) -> io::Result<()> {
    let mut file = begin(Path::new(DISTCC_DIR), Path::new(DISTCC_LOG))?;
    let watch = Watch::new()?;
    watch.only(&[Path::new(DISTCC_LOG)])?;
    let mut clients = Clients { told, at_work: HashMap::new(), held: Vec::new() };
    let (mut bytes, mut at, mut taken) = (vec![0; PIECE], 0_u64, 0_u64);
    while !stage.is_over() {
        loop {
            let length = file.read(&mut bytes)?;
            if length == 0 {
                break;
            }
            clients.feed(&bytes[..length]);
            at += length as u64;
        }
        // Where this cannot be done the file only grows.
        if at - taken >= PIECE as u64 {
            let [offset, length] = [taken, at - taken].map(|bytes| i64::try_from(bytes).unwrap_or_default());
            let flags = FallocateFlags::FALLOC_FL_PUNCH_HOLE | FallocateFlags::FALLOC_FL_KEEP_SIZE;
            let _grows = fallocate(&file, flags, offset, length);
            taken = at;
        }
        watch.wait(None)?;
    }
    Ok(())
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

    #[test]
    fn what_is_there_already_is_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let (directory, other) = (place.path().join("distcc"), place.path().join("other"));
        fs::create_dir(&directory).unwrap();
        fs::write(&other, "kept").unwrap();
        std::os::unix::fs::symlink(&other, directory.join("log")).unwrap();
        if begin(&directory, &directory.join("log")).is_err() {
            // Nobody but root gives files to others.
            assert!(!nix::unistd::geteuid().is_root());
        }
        assert_eq!(fs::read_to_string(&other).unwrap(), "kept");
    }
}
