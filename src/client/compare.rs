//! `gbsup compare`: what a client would build itself, from what its own emerge says.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use serde::Serialize;

use super::socket::Supervisor;
use super::{Error, json, print, terminal};
use crate::binhost::offer;
use crate::cli::Exit;
use crate::core::compare::{Difference, compare};
use crate::core::offer::Held;
use crate::portage::index::Index;
use crate::portage::plan::{Plan, Reader};
use crate::render;

/// No plan is longer.
const MAX_PLAN: u64 = 64 << 20;

/// What `gbsup compare --json` says.
#[derive(Serialize)]
struct Answer<'a> {
    packages: usize,
    built: &'a [Difference],
}

pub(super) fn run(supervisor: &Supervisor, plan: &Path, as_json: bool) -> Result<Exit, Error> {
    let volume = supervisor.volume().0;
    let plan = read(plan)?;
    let index = index(&volume)?;
    let differences = compare(&plan, &index, &held(&volume));
    let packages = plan.packages.len();
    print(if as_json {
        json(&Answer { packages, built: &differences })?
    } else {
        render::differences(&differences, packages, terminal::look())
    })?;
    Ok(if differences.is_empty() { Exit::Done } else { Exit::Findings })
}

fn read(path: &Path) -> Result<Plan, Error> {
    let stdin = path == Path::new("-");
    let mut text = Vec::new();
    let read = if stdin {
        io::stdin().take(MAX_PLAN).read_to_end(&mut text)
    } else {
        fs::File::open(path).and_then(|file| file.take(MAX_PLAN).read_to_end(&mut text))
    };
    let name = if stdin { "standard input".into() } else { path.display().to_string() };
    if let Err(problem) = read {
        return Err(Error::Usage(format!("{name} cannot be read: {problem}")));
    }
    let mut reader = Reader::new();
    text.split(|&byte| byte == b'\n').for_each(|line| reader.line(line));
    let plan = reader.finish(&[]);
    // Without the sum the list may have been cut short, or be something else.
    if !text.split(|&byte| byte == b'\n').any(|line| line.starts_with(b"Total: ")) {
        let what =
            "is not what emerge --pretend --verbose prints: there is no line that begins with \"Total: \"";
        return Err(Error::Usage(format!("{name} {what}")));
    }
    Ok(plan)
}

/// What clients see; before the first release what they will see.
fn index(volume: &Path) -> Result<Index, Error> {
    let released = volume.join("releases/current/Packages");
    let file = if released.exists() { released } else { volume.join("binpkgs/Packages") };
    match fs::read(&file) {
        Ok(text) => Ok(Index::parse(&text)),
        Err(problem) => {
            Err(Error::Failed(format!("the package index {} cannot be read: {problem}", file.display())))
        }
    }
}

/// What is held back; only the reasons are poorer without it.
fn held(volume: &Path) -> Vec<Held> {
    let offer = offer::read(volume).ok().flatten();
    offer.map(|offer| offer.held).unwrap_or_default()
}
