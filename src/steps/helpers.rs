//! What Portage has to know of compile helpers: a file beside make.conf, and links for the compiler's full names.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::task::Task;
use crate::config::Engine;
use crate::decide::helpers as decide;
use crate::host::build::cpus;
use crate::host::compilers::{self, with_chost};
use crate::host::inputs::OF_HELPERS as NAME;
use crate::host::places::{found, names};
use crate::model::failure::{Class, Failure, Trouble};
use crate::model::helpers::Present;
use crate::portage::files::masquerade;

/// make.conf as a directory: its files are read in the order of their names, and what `package.env` says wins over all of them.
const DIRECTORY: &str = "/etc/portage/make.conf";

/// What has to be installed for an engine.
struct Needs {
    engine: &'static str,
    /// The first is the one to which the links lead.
    programs: &'static [&'static str],
    package: &'static str,
}

const ICECREAM: Needs = Needs {
    engine: "icecream",
    programs: &["icecc", "iceccd", "icecc-scheduler"],
    package: "sys-devel/icecream",
};
const DISTCC: Needs = Needs { engine: "distcc", programs: &["distcc"], package: "sys-devel/distcc" };

/// Sets Portage up for the helpers that there are, or takes that back.
///
/// # Errors
/// One sentence, when the configuration wants helpers and there can be none.
pub(crate) fn prepare(task: &mut Task, present: &Present) -> Result<(), Trouble> {
    let file = Path::new(DIRECTORY).join(NAME);
    let engine = task.config.helpers.engine;
    match engine {
        Engine::None => {}
        Engine::Icecream => ready(&ICECREAM)?,
        Engine::Distcc => ready(&DISTCC)?,
    }
    let changed = match decide::make_conf(engine, cpus(), present) {
        Some(text) => write(&file, &text),
        None => remove(&file),
    };
    let changed = changed.map_err(|problem| {
        Box::new(Failure::new(Class::Config, format!("{} cannot be written: {problem}", file.display())))
    })?;
    if changed {
        task.forget_settings();
    }
    Ok(())
}

/// Whether there can be helpers; what is missing and can be made is made.
fn ready(needs: &Needs) -> Result<(), Trouble> {
    let Needs { engine, programs, package } = needs;
    let missing: Vec<_> = programs.iter().copied().filter(|program| !found(program)).collect();
    let links = masquerade::places(programs[0]).map(PathBuf::from).find(|place| place.is_dir());
    let (true, Some(links)) = (missing.is_empty(), links) else {
        let what = if missing.is_empty() { "its links to compilers".to_owned() } else { missing.join(", ") };
        let message =
            format!("[helpers] engine is \"{engine}\", and {engine} is not installed here: {what} not found");
        let mut failure = Failure::new(Class::Config, message);
        failure.suggestions = vec![format!("emerge --oneshot {package}")];
        return Err(Box::new(failure));
    };
    if !Path::new(DIRECTORY).is_dir() {
        let message =
            format!("{DIRECTORY} is a file, so nothing can be added to it for helpers; make it a directory");
        let mut failure = Failure::new(Class::Config, message);
        failure.suggestions = vec![format!(
            "mv {DIRECTORY} {DIRECTORY}.mine && mkdir {DIRECTORY} && mv {DIRECTORY}.mine {DIRECTORY}/mine"
        )];
        return Err(Box::new(failure));
    }
    link(&links, Path::new(compilers::PLACE)).map_err(|problem| {
        let message = format!("{} cannot be given the compilers' names: {problem}", links.display());
        Box::new(Failure::new(Class::Config, message))
    })
}

/// Gives each compiler with a CHOST in its name a link as the others have: one without is called directly, and compiles here
/// without a word. `eselect compiler-shadow` does the same.
fn link(links: &Path, compilers: &Path) -> io::Result<()> {
    let there = names(links);
    // Where the others lead.
    let target = there.iter().find_map(|name| fs::read_link(links.join(name)).ok());
    let Some(target) = target else { return Ok(()) };
    for name in with_chost(compilers) {
        if !there.contains(&name) {
            symlink(&target, links.join(&name))?;
        }
    }
    Ok(())
}

/// Writes what is not written yet, so that a killed container leaves the old file or the new one.
fn write(file: &Path, text: &str) -> io::Result<bool> {
    if fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(false);
    }
    // Portage passes over names that begin with a dot.
    let new = file.with_file_name(format!(".{NAME}"));
    fs::write(&new, text)?;
    fs::rename(&new, file)?;
    Ok(true)
}

fn remove(file: &Path) -> io::Result<bool> {
    match fs::remove_file(file) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilers_with_a_chost_get_a_link_and_nothing_else_does() {
        let place = tempfile::tempdir().unwrap();
        let (links, compilers) = (place.path().join("links"), place.path().join("bin"));
        for directory in [&links, &compilers] {
            fs::create_dir(directory).unwrap();
        }
        symlink("../icecc", links.join("gcc")).unwrap();
        for name in
            ["gcc", "x86_64-pc-linux-gnu-gcc", "x86_64-pc-linux-gnu-g++", "x86_64-pc-linux-gnu-gcc-ar", "ls"]
        {
            fs::write(compilers.join(name), "").unwrap();
        }
        for _ in 0..2 {
            link(&links, &compilers).unwrap();
            let mut found = names(&links);
            found.sort();
            assert_eq!(found, ["gcc", "x86_64-pc-linux-gnu-g++", "x86_64-pc-linux-gnu-gcc"]);
        }
        assert_eq!(fs::read_link(links.join("x86_64-pc-linux-gnu-gcc")).unwrap(), Path::new("../icecc"));
    }

    #[test]
    fn the_file_comes_and_goes_once() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join(NAME);
        let did = [write(&file, "a"), write(&file, "a"), write(&file, "b"), remove(&file), remove(&file)];
        assert_eq!(did.map(Result::unwrap), [true, false, true, true, false]);
        assert_eq!(names(place.path()), [""; 0]);
    }
}
