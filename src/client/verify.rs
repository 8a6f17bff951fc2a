//! `gbsup verify`: whether what is offered can be trusted.

use std::fs;
use std::path::Path;

use super::logs::volume;
use super::socket::Supervisor;
use super::{Error, json, print};
use crate::binhost::verify::{self, Known};
use crate::cli::Exit;
use crate::render;
use crate::volume::replace;

pub(super) fn run(supervisor: &Supervisor, all: bool, as_json: bool) -> Result<Exit, Error> {
    let volume = volume(supervisor).0;
    let pkgdir = volume.join("binpkgs");
    // What is not known is read, so that a list that is damaged or not there costs time and nothing else.
    let list = volume.join("state/verified.json");
    let mut known: Known =
        fs::read(&list).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let verified = verify::verify(&pkgdir, all, &mut known).map_err(|error| no_index(&pkgdir, &error))?;
    // A volume that is mounted read-only is looked at all the same.
    drop(replace(&list, &known));
    print(if as_json { json(&verified)? } else { render::verified(&verified, &pkgdir) })?;
    Ok(if verified.findings.is_empty() { Exit::Done } else { Exit::Findings })
}

fn no_index(pkgdir: &Path, error: &std::io::Error) -> Error {
    Error::Failed(format!("the package index {} cannot be read: {error}", pkgdir.join("Packages").display()))
}
