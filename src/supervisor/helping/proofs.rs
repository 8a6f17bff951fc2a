//! What the compilers here make of a unit that tells them apart (`crate::distcc::probe`): the relay asks helpers for the same.

use std::fs::{self, DirBuilder, Metadata};
use std::io::{self, PipeWriter, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender};

use super::stage::Stage;
use super::told::Told;
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
    let (mut known, mut relay): (Option<(Vec<Stamp>, String)>, Option<PipeWriter>) = (None, None);
    while let Ok(mut wish) = wished.recv() {
        let mut is_new = false;
        // What was wished meanwhile is wished once.
        loop {
            match wish {
                Wish::Cycle => known = None,
                Wish::Merged => {}
                Wish::Tell(writer) => (relay, is_new) = (Some(writer), true),
            }
            let Ok(next) = wished.try_recv() else { break };
            wish = next;
        }
        let stamps = stamps();
        if known.as_ref().is_none_or(|(before, _)| *before != stamps) {
            match make(stage) {
                Ok(probes) => {
                    drop(told.send(Told::Started(NAME)));
                    known = serde_json::to_string(&probes).ok().map(|line| (stamps, line + "\n"));
                }
                Err(why) => {
                    drop(told.send(Told::Ended(NAME, why)));
                    // Nobody is proved any more.
                    known = Some((Vec::new(), "[]\n".to_owned()));
                }
            }
            is_new = true;
        }
        if let (true, Some((_, line)), Some(writer)) = (is_new, &known, &mut relay)
            && writer.write_all(line.as_bytes()).is_err()
        {
            // It has ended, and the next one is told anew.
            relay = None;
        }
    }
}

/// What a program is, as far as can be seen without starting it.
#[derive(PartialEq, Eq)]
struct Stamp(PathBuf, u64, u64, i64, i64, u64);

/// Of all compilers, and of what assembles for them.
fn stamps() -> Vec<Stamp> {
    let assembler = path_of("as");
    let all = compilers::all().into_iter().map(|(_, path)| path).chain(assembler);
    let stamp = |path: PathBuf| {
        let of: Metadata = fs::metadata(&path).ok()?;
        Some(Stamp(path, of.dev(), of.ino(), of.mtime(), of.mtime_nsec(), of.size()))
    };
    all.filter_map(stamp).collect()
}

/// Compiles the unit with each of them. A helper needs those that are the one called gcc, clang where there is none, or the same for C++.
///
/// # Errors
/// When not even those compile it.
fn make(stage: &Stage) -> Result<Vec<Probe>, String> {
    let mut all = compilers::all();
    // A person is told of the first that is another one, by the name that is best known.
    all.sort_by_key(|(name, _)| !matches!(name.as_str(), "gcc" | "g++"));
    let place = Path::new(DIRECTORY);
    fresh(place).map_err(|problem| format!("{DIRECTORY} cannot be made: {problem}"))?;
    let base = |names: [&str; 2]| {
        let is = |name: &str| all.iter().find(|(known, _)| known == name).and_then(|(_, path)| file(path));
        names.into_iter().find_map(is)
    };
    let needed = [base(["gcc", "clang"]), base(["g++", "clang++"])];
    let mut probes = Vec::new();
    for (compiler, path) in all.iter().take(MOST) {
        let needed = file(path).is_some_and(|file| needed.contains(&Some(file)));
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

    #[test]
    fn compilers_that_stay_have_the_same_stamps() {
        assert!(stamps() == stamps() && !stamps().is_empty());
    }
}
