//! What the compilers here make of a unit that tells them apart (`crate::distcc::probe`): the relay asks helpers for the same.

use std::fs::{self, DirBuilder, Metadata};
use std::io::{self, PipeWriter, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use super::stage::Stage;
use super::told::{Told, shown};
use crate::decide::helpers as decide;
use crate::distcc::probe;
use crate::host::compilers;
use crate::host::output::Capture;
use crate::host::places::path_of;
use crate::host::process::Launch;
use crate::model::Exit;
use crate::model::helpers::Probe;
use crate::portage::command::{Command, Inherits};

/// Where it is compiled.
const DIRECTORY: &str = "/run/gbsup/proofs";
/// What one that could not be made is told as.
const NAME: &str = "proofs";
/// More compilers than so many are none that builds would call.
const MOST: usize = 40;
/// How long after one that could not be made the next is tried, at first; twice as long each time, and never longer than this.
const AGAIN: [Duration; 2] = [Duration::from_secs(5), Duration::from_mins(5)];
/// By which nobody is proved.
const NOBODY: &str = "[]\n";

/// Why it is to be found out.
pub(super) enum Wish {
    /// A cycle begins, and all helpers have to prove themselves again.
    Cycle,
    /// Something was merged, and may have been a compiler.
    Merged,
    /// A relay begins, and is to be told here.
    Tell(PipeWriter),
}

/// Finds it out whenever that is wished, until nobody can wish any more.
pub(super) fn keep(wished: &Receiver<Wish>, stage: &Stage, told: &Sender<Told>) {
    let mut proofs = Proofs::default();
    loop {
        let next = match proofs.again {
            Some(wait) => wished.recv_timeout(wait),
            None => wished.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            Ok(wish) => proofs.wish(wish),
            Err(RecvTimeoutError::Timeout) => proofs.is_due = true,
            Err(RecvTimeoutError::Disconnected) => return,
        }
        // What was wished meanwhile is wished once.
        for wish in wished.try_iter() {
            proofs.wish(wish);
        }
        if let Some(said) = proofs.look(stamps(), || make(stage)) {
            drop(told.send(said));
        }
    }
}

/// What is known of the compilers here.
#[derive(Default)]
struct Proofs {
    /// Of those that it is about; of none when it could not be found out.
    stamps: Vec<Stamp>,
    /// What the relay is told of them; absent as long as nothing was tried.
    line: Option<String>,
    relay: Option<PipeWriter>,
    /// The relay has to be told.
    is_new: bool,
    /// It has to be found out whatever compilers there are.
    is_due: bool,
    /// How long it takes until that is tried again.
    again: Option<Duration>,
}

impl Proofs {
    fn wish(&mut self, wish: Wish) {
        match wish {
            Wish::Cycle => self.is_due = true,
            Wish::Merged => {}
            Wish::Tell(writer) => (self.relay, self.is_new) = (Some(writer), true),
        }
    }

    /// Finds it out where that is to be done, with the compilers that there are now; what came of it.
    fn look(
        &mut self,
        stamps: Vec<Stamp>,
        make: impl FnOnce() -> Result<Vec<Probe>, String>,
    ) -> Option<Told> {
        let is_other = self.line.is_none() || self.stamps != stamps;
        if is_other && self.line.as_ref().is_some_and(|line| line != NOBODY) {
            // What was proved is about compilers that are gone, and making it again takes a while.
            self.tell(NOBODY.to_owned());
        }
        let said = if is_other || self.is_due {
            self.is_due = false;
            let found = make()
                .and_then(|probes| serde_json::to_string(&probes).map_err(|problem| problem.to_string()));
            Some(match found {
                Ok(line) => {
                    (self.stamps, self.again) = (stamps, None);
                    self.tell(line + "\n");
                    Told::Started(NAME)
                }
                Err(why) => {
                    let [first, longest] = AGAIN;
                    self.stamps.clear();
                    self.again = Some(self.again.map_or(first, |before| longest.min(2 * before)));
                    self.tell(NOBODY.to_owned());
                    Told::Ended(NAME, shown(&why))
                }
            })
        } else {
            None
        };
        if self.is_new
            && let Some(line) = self.line.take()
        {
            self.tell(line);
        }
        said
    }

    /// Tells the relay that is there, and those that come after it.
    fn tell(&mut self, line: String) {
        self.is_new = false;
        if self.relay.as_mut().is_some_and(|relay| relay.write_all(line.as_bytes()).is_err()) {
            // It has ended, and the next one is told anew.
            self.relay = None;
        }
        self.line = Some(line);
    }
}

/// What a program is, as far as can be seen without starting it.
#[derive(Clone, PartialEq, Eq)]
struct Stamp(PathBuf, u64, u64, i64, i64, u64);

/// Of all compilers, of what assembles for them, and of what else decides what they make.
fn stamps() -> Vec<Stamp> {
    let assembler = path_of("as");
    let all = compilers::all()
        .into_iter()
        .map(|(_, path)| path)
        .chain(assembler)
        .chain(compilers::behind(Path::new("/")));
    let stamp = |path: PathBuf| {
        let of: Metadata = fs::metadata(&path).ok()?;
        Some(Stamp(path, of.dev(), of.ino(), of.mtime(), of.mtime_nsec(), of.size()))
    };
    all.filter_map(stamp).collect()
}

/// Compiles the unit with each of them.
///
/// # Errors
/// When not even those compile it that helpers need.
fn make(stage: &Stage) -> Result<Vec<Probe>, String> {
    let mut all = compilers::all();
    // A person is told of the first that is another one, by the name that is best known.
    all.sort_by_key(|(name, _)| !matches!(name.as_str(), "gcc" | "g++"));
    let place = Path::new(DIRECTORY);
    fresh(place).map_err(|problem| format!("{DIRECTORY} cannot be made: {problem}"))?;
    let files: Vec<_> = all.iter().filter_map(|(name, path)| Some((name.as_str(), file(path)?))).collect();
    let needed = decide::needed(&files);
    let mut probes = Vec::new();
    for (compiler, path) in all.iter().take(MOST) {
        let needed = needed.contains(&compiler.as_str());
        match object(stage, place, compiler, path) {
            Ok(object) => probes.push(Probe { compiler: compiler.clone(), needed, object }),
            Err(why) if needed => return Err(format!("what {compiler} makes is not known: {why}")),
            // It compiles nothing here either.
            Err(_) => {}
        }
    }
    if probes.iter().any(|probe| probe.needed) {
        return Ok(probes);
    }
    Err("there is no compiler that helpers could be compared with".to_owned())
}

/// Which file it is, whatever it is called.
fn file(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|of| (of.dev(), of.ino()))
}

fn fresh(place: &Path) -> io::Result<()> {
    match fs::remove_dir_all(place) {
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => return Err(problem),
        _ => {}
    }
    DirBuilder::new().recursive(true).mode(0o755).create(place)
}

fn object(stage: &Stage, place: &Path, compiler: &str, path: &Path) -> Result<Vec<u8>, String> {
    let (unit, object) = (place.join(probe::file(compiler)), place.join("gbsup.o"));
    fs::write(&unit, probe::source(compiler)).map_err(|problem| problem.to_string())?;
    let words = [path, &unit, &object].map(|path| path.to_string_lossy().into_owned());
    let argv = probe::arguments(&words[0], &words[1], &words[2]);
    let argv = argv.into_iter().map(str::to_owned).collect();
    let turn = stage.next().ok_or("all is about to end")?;
    let command = Command { argv, env: Vec::new(), private: false };
    let mut said = Capture { file: &mut io::sink(), text: Vec::new() };
    let ended = Launch::new(&turn, Inherits::Nothing).run(&command, &mut said);
    drop(turn);
    match ended.exit {
        Exit::Code(0) => fs::read(&object).map_err(|problem| problem.to_string()),
        Exit::NotStarted(why) => Err(why),
        Exit::Code(_) | Exit::Signal(_) => {
            let text = String::from_utf8_lossy(&said.text).into_owned();
            Err(text.lines().next().unwrap_or("it fails without a word").to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_shows_the_compiler_and_nothing_else() {
        let stage = Stage::default();
        let made: Vec<_> = (0..2)
            .map(|_| {
                let place = tempfile::tempdir().unwrap();
                ["gcc", "g++"].map(|compiler| {
                    let path = path_of(compiler).unwrap();
                    object(&stage, place.path(), compiler, &path).unwrap()
                })
            })
            .collect();
        assert!(made[0] == made[1], "the directory is in it");
        assert_eq!(probe::differs("gcc", &made[0][0], &made[1][0]), None);
        let words = probe::differs("g++", &made[0][0], &made[0][1]).unwrap();
        assert_eq!(words, "its g++ makes another object than the one here");
        let place = tempfile::tempdir().unwrap();
        assert!(object(&stage, place.path(), "gcc", Path::new("/bin/false")).is_err());
        stage.stop();
        assert!(object(&stage, place.path(), "gcc", Path::new("/usr/bin/gcc")).is_err());
    }

    /// What a relay reads until its way is closed.
    fn heard(proofs: Proofs, mut reads: io::PipeReader) -> String {
        drop(proofs);
        io::read_to_string(&mut reads).unwrap()
    }

    fn stamp(size: u64) -> Vec<Stamp> {
        vec![Stamp("/usr/bin/gcc".into(), 0, 0, 0, 0, size)]
    }

    #[test]
    fn nobody_is_proved_from_when_a_compiler_is_another_until_that_is_known() {
        let (reads, writes) = io::pipe().unwrap();
        let mut proofs = Proofs::default();
        let probe = |name: &str| vec![Probe { compiler: name.into(), needed: true, object: Vec::new() }];
        let line = |name: &str| serde_json::to_string(&probe(name)).unwrap() + "\n";
        let never = || panic!("nothing has changed");
        assert!(matches!(proofs.look(stamp(1), || Ok(probe("old"))), Some(Told::Started(NAME))));
        proofs.wish(Wish::Tell(writes));
        proofs.wish(Wish::Merged);
        assert!(proofs.look(stamp(1), never).is_none());
        proofs.wish(Wish::Merged);
        let mut reads = reads;
        let mut came = vec![0; line("old").len() + NOBODY.len()];
        let made = || {
            // It is told before anything is made: this would wait for ever.
            io::Read::read_exact(&mut reads, &mut came).unwrap();
            Ok(probe("new"))
        };
        assert!(proofs.look(stamp(2), made).is_some());
        assert_eq!(String::from_utf8(came).unwrap(), line("old") + NOBODY);
        proofs.wish(Wish::Cycle);
        assert!(proofs.look(stamp(2), || Ok(probe("new"))).is_some(), "each cycle begins with proofs");
        assert!(proofs.look(stamp(2), never).is_none());
        assert_eq!(heard(proofs, reads), line("new").repeat(2));
    }

    #[test]
    fn what_could_not_be_made_is_tried_again_after_a_while() {
        let mut proofs = Proofs::default();
        let fails = || Err(format!("no \u{1b}[2Jroom{}", "x".repeat(1 << 20)));
        let mut waits = Vec::new();
        for _ in 0..8 {
            let Some(Told::Ended(NAME, why)) = proofs.look(stamp(1), fails) else { panic!() };
            assert!(why.starts_with("no \\x1b[2Jroom") && why.len() < 1000, "{}", why.len());
            waits.extend(proofs.again.map(|wait| wait.as_secs()));
        }
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 300, 300]);
        assert!(matches!(proofs.look(stamp(1), || Ok(Vec::new())), Some(Told::Started(NAME))));
        assert!(proofs.again.is_none() && proofs.look(stamp(1), fails).is_none());
    }

    #[test]
    fn compilers_that_stay_have_the_same_stamps() {
        assert!(stamps() == stamps() && !stamps().is_empty());
    }
}
